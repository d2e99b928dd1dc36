"""What a target tells of itself, how its sessions are, and that they open no file of this machine."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import pytest

from postrmagic_core.database.transfer import server as module
from postrmagic_core.database.transfer.interface import Server, ServerKind
from postrmagic_core.database.transfer.server import Target, open_target
from postrmagic_core.database.transfer.session import FILE, Session
from postrmagic_core.errors import (
    BackendRejected,
    BackendUnavailable,
    ConfigurationError,
    PostrMagicError,
    UniqueViolation,
)

pytestmark = pytest.mark.mysql

TABLES = (
    "CREATE TABLE parent (id BIGINT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(9) COLLATE utf8mb4_bin DEFAULT 'x')",
    "CREATE TABLE child (a INT NOT NULL, b DATETIME(3), c INT GENERATED ALWAYS AS (a + 1) STORED, PRIMARY KEY (b, a))",
    "INSERT INTO parent VALUES (5, 'five')",
    "CREATE TRIGGER noted BEFORE INSERT ON child FOR EACH ROW SET NEW.a = NEW.a + 1",
    "COMMIT",
)


def test_the_server_tells_what_it_is(target: Target, server: Server) -> None:
    """Its kind, its collations, and the largest packet in bytes."""
    assert server.kind in server.version.lower() or server.kind == "mysql"
    assert server.max_allowed_packet >= 1024
    assert target.local_infile
    assert target.weights(["a", "A", "ä"], server.exact)[0] != target.weights(["A"], server.exact)[0]
    small, large, other = target.weights(["a", "A", "ä"], server.nocase)
    assert small == large != other


def test_weights_of_many_texts_come_in_their_order(target: Target, server: Server) -> None:
    """More than are asked for at once, and among them what would break a badly quoted statement."""
    texts = [f"{number}'%s\\\"ж🎉 " for number in range(500)]
    found = target.weights(texts, server.exact)
    assert len(set(found)) == 500
    assert found[499:] == target.weights(texts[499:], server.exact)


@pytest.mark.parametrize(
    ("collation", "pads"),
    [
        ("utf8mb4_bin", True),
        ("utf8mb4_general_ci", True),
        ("latin1_swedish_ci", True),
        ("exact", False),
        ("nocase", False),
    ],
)
def test_spaces_at_the_end_weigh_what_the_server_makes_of_them(
    target: Target, server: Server, session: Session, collation: str, pads: bool
) -> None:
    """As it compares two texts: nothing where a collation pads, and it is asked of no other."""
    collation = {"exact": server.exact, "nocase": server.nocase}.get(collation, collation)
    one, other, empty = target.weights(["ann", "ann ", ""], collation)
    charset = collation.partition("_")[0]
    texts = [f"CONVERT('{text}' USING {charset}) COLLATE {collation}" for text in ("ann", "ann ")]
    assert session.rows(f"SELECT {' = '.join(texts)}") == ((int(pads),),)
    assert (one == other) == pads
    assert empty not in {one, other}


def test_existing_tables_are_described(target: Target, session: Session) -> None:
    """Columns with the server's own types, the key in its order, rows, and triggers that would act on them."""
    for statement in TABLES:
        session.execute(statement)
    found = target.existing()
    parent, child = found["parent"], found["child"]
    assert sorted(found) == ["child", "parent"]
    assert (parent.filled, child.filled, parent.triggers, child.triggers) == (True, False, False, True)
    assert parent.primary_key == ("id",)
    assert child.primary_key == ("b", "a")
    assert parent.column("ID").auto_increment
    assert parent.column("name").type == "varchar(9)"
    assert parent.column("name").collation == "utf8mb4_bin"
    assert parent.column("name").nullable
    assert "x" in str(parent.column("name").default)
    assert child.column("a").default is None
    assert child.column("b").type == "datetime(3)"
    assert child.column("c").generated
    assert parent.engine == "InnoDB"
    with pytest.raises(KeyError):
        parent.column("nothing")


def test_a_session_is_strict(session: Session) -> None:
    """A value that does not fit, a zero id and a zero date are not changed into others."""
    session.execute("CREATE TABLE t (id TINYINT NOT NULL AUTO_INCREMENT PRIMARY KEY, d DATETIME, s VARCHAR(2))")
    session.execute("INSERT INTO t VALUES (0, NULL, NULL)")
    assert session.rows("SELECT id FROM t") == ((0,),)
    for values, column in (("300, NULL, NULL", "id"), ("1, '0000-00-00', NULL", "d"), ("1, NULL, 'abc'", "s")):
        with pytest.raises(PostrMagicError):
            session.execute(f"INSERT INTO t VALUES ({values})")
        assert session.blamed == column
    with pytest.raises(UniqueViolation):
        session.execute("INSERT INTO t VALUES (0, NULL, NULL)")
    assert session.rows("SELECT @@time_zone, @@autocommit") == (("+00:00", 0),)


def test_rows_are_streamed(session: Session) -> None:
    """One by one, and then the next question can be asked."""
    stream = session.stream("SELECT 1, '%%' UNION ALL SELECT %s, NULL", [2])
    assert list(stream) == [(1, "%"), (2, None)]
    assert list(session.stream("SELECT 3, '%'")) == [(3, "%")]


def test_a_stream_that_is_left_ends_the_session_and_reads_nothing_further(session: Session) -> None:
    """Of forty million rows, most of which the server has not sent yet, none is waited for."""
    digits = "(SELECT 0 UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5 UNION SELECT 6)"
    many = ", ".join(f"{digits} t{number}" for number in range(9))
    stream = session.stream(f"SELECT REPEAT('x', 1000) FROM {many}")
    next(stream)
    began = time.monotonic()
    stream.close()
    assert time.monotonic() - began < 5
    with pytest.raises(BackendUnavailable):
        session.rows("SELECT 1")


def test_a_session_that_was_cut_raises_at_once(session: Session) -> None:
    """Another thread ends it while it waits for an answer."""
    threading.Timer(0.2, session.cut).start()
    with pytest.raises(BackendUnavailable):
        session.execute("SELECT SLEEP(60)")


@pytest.mark.parametrize(
    ("kind", "version"),
    [("mysql", "8.0.22"), ("mysql", "5.7.44-log"), ("mariadb", "10.5.29-MariaDB"), ("mariadb", "5.5.5-10.4.3-MariaDB")],
)
def test_servers_that_lack_what_is_needed_are_refused(kind: ServerKind, version: str) -> None:
    """By name of what they lack."""
    with pytest.raises(ConfigurationError, match=f"{version}; what is moved needs"):
        module._check_age(kind, version)


def test_other_urls_are_refused() -> None:
    """Rows are moved to a server."""
    with pytest.raises(ConfigurationError, match="URL of a server"):
        open_target("sqlite:///x.db")


def packet(number: int, body: bytes) -> bytes:
    """A packet of the protocol."""
    return struct.pack("<I", len(body))[:3] + bytes([number]) + body


GREETING = packet(
    0,
    b"\x0a8.4.0\x00"
    + b"\1\0\0\0"
    + b"12345678\0"
    + struct.pack("<H", 0xFFFF)
    + b"\x2d\2\0"
    # All capabilities but TLS and what comes after it.
    + struct.pack("<H", 0x000F)
    + b"\x15"
    + b"\0" * 10
    + b"123456789012\0",
)
OK = b"\0\0\0\2\0\0\0"


@contextmanager
def impostor(answer: Callable[[bytes], bytes]) -> Iterator[tuple[str, list[bytes]]]:
    """A server that lets anybody in and answers each command as it likes; its URL, and all that it is sent."""
    heard: list[bytes] = []
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(GREETING)
                connection.recv(4096)
                connection.sendall(packet(2, OK))
                while said := connection.recv(65536):
                    heard.append(said)
                    connection.sendall(answer(said))

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"mysql://u@127.0.0.1:{listener.getsockname()[1]}/db", heard
        thread.join(10)


def test_a_server_that_asks_for_a_file_gets_none() -> None:
    """Whatever was asked of it: https://dev.mysql.com/doc/refman/8.4/en/load-data-local-security.html."""

    def thief(said: bytes) -> bytes:
        return packet(1, b"\xfb/etc/passwd" if b"SET NAMES" not in said else OK)

    with impostor(thief) as (url, heard):
        with pytest.raises(BackendRejected, match="asked for a file"):
            open_target(url).connect()
        assert b"root:" not in b"".join(heard)
        assert len(heard) == 2


@pytest.mark.parametrize("name", [b"/etc/passwd", b"", FILE.encode() + b"/../x"])
def test_a_load_is_answered_for_our_own_name_alone(name: bytes) -> None:
    """Another file is refused also while rows are loaded, and then not even they are sent."""

    def thief(said: bytes) -> bytes:
        return packet(1, b"\xfb" + name if b"LOAD DATA" in said else OK)

    with impostor(thief) as (url, heard):
        session = open_target(url)._opened()
        with pytest.raises(BackendRejected, match="asked for a file"):
            session.load(f"LOAD DATA LOCAL INFILE '{FILE}' INTO TABLE t", [b"1\n"])
        assert not session.open
        assert b"1\n" not in b"".join(heard)

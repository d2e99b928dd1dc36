"""One batch: its rows exactly, by either way, or none and the name of the first that is refused."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence

import pytest

from postrmagic_core.database.transfer.copying import ddl
from postrmagic_core.database.transfer.copying.batches import Batch
from postrmagic_core.database.transfer.copying.load import Loader
from postrmagic_core.database.transfer.interface import CheckPlan, IndexPart, IndexPlan, Server, TablePlan, Value
from postrmagic_core.database.transfer.server import open_target
from postrmagic_core.database.transfer.session import Session
from postrmagic_core.errors import BackendRejected, RowRefused
from postrmagic_core.testing.servers import MariaDBServer
from tests.database.transfer.handmade import column, serial, table, words

pytestmark = pytest.mark.mysql

HOSTILE = ["", "a\tb\nc\\d", "\\N", "NULL", "'; DROP TABLE t; --", "\0\x1a\r\n", "trailing ", "😀ä%s", "\\", "\n"]
PACKET = 16_777_216
WAYS = pytest.mark.parametrize("bulk", [True, False], ids=["load data", "insert"])


def pieces(*rows: tuple[Value, ...], size: int = 3) -> Generator[Batch, None, None]:
    """The rows in pieces of ``size``; the first column is their key."""
    for at in range(0, len(rows), size):
        columns: tuple[Sequence[Value], ...] = tuple(zip(*rows[at : at + size], strict=True))
        yield Batch(columns, columns[:1])


def made(session: Session, plan: TablePlan, server: Server) -> TablePlan:
    """The table, in the target."""
    session.execute(ddl.create_table(plan, server))
    for statement in filter(None, (ddl.add_indexes(plan), ddl.add_checks(plan))):
        session.execute(statement)
    return plan


def write(session: Session, plan: TablePlan, *rows: tuple[Value, ...], bulk: bool) -> None:
    """Write the rows as a run does, in one transaction."""
    loader = Loader(plan, bulk=bulk, packet=PACKET)
    (prepared,) = loader.prepared(pieces(*rows), rows=100, size=10**9)
    if not loader.write(session, prepared):
        session.rollback()
        loader.write_each(session, pieces(*rows))
    session.commit()


@WAYS
def test_every_value_arrives(session: Session, server: Server, bulk: bool) -> None:
    """Text and bytes that would break a file or a statement, NULLs, the least and greatest numbers."""
    plan = made(
        session,
        table(
            "t",
            column("id", declared="INTEGER"),
            words("s", "TEXT", server),
            column("b", "BLOB", declared="BLOB"),
            column("d", "DOUBLE", declared="REAL"),
        ),
        server,
    )
    rows: list[tuple[Value, ...]] = [
        (n, text, text.encode() + bytes(range(256)), n / 7 + 0.1) for n, text in enumerate(HOSTILE)
    ]
    rows += [
        (-(2**63), None, None, None),
        (2**63 - 1, "ж" * 9000, b"", 5e-324),
        (99, "x", b"\\", 1.7976931348623157e308),
    ]
    write(session, plan, *rows, bulk=bulk)
    assert sorted(session.rows("SELECT * FROM t")) == sorted(rows)


def test_rows_are_put_together_and_cut(session: Session, server: Server) -> None:
    """What is sent holds at least so many rows or bytes; its key is that of its last row."""
    plan = table("t", serial(), words("s", "TEXT", server))
    rows: list[tuple[Value, ...]] = [(n, "x" * 1000) for n in range(10)]
    loader = Loader(plan, bulk=True, packet=PACKET)
    by_rows = list(loader.prepared(pieces(*rows), rows=5, size=10**9))
    by_size = list(loader.prepared(pieces(*rows), rows=10**9, size=3000))
    assert [(each.rows, each.last) for each in by_rows] == [(6, (5,)), (4, (9,))]
    assert [each.rows for each in by_size] == [3, 3, 3, 1]


@WAYS
@pytest.mark.parametrize(
    ("row", "blamed", "reason"),
    [
        ((7, "far too long", 1), "name", "does not fit"),
        ((7, "ok", 2**40), "small", "does not fit"),
        ((7, "ok", -1), "", "CHECK"),
        ((7, "one", 1), "", "same key"),
    ],
)
def test_the_first_refused_row_is_named(
    session: Session, server: Server, row: tuple[Value, ...], blamed: str, reason: str, bulk: bool
) -> None:
    """With its key, and its column where that is known; its value is not told; nothing of the batch is there."""
    plan = made(
        session,
        table(
            "target",
            serial(),
            words("name", "VARCHAR(5)", server),
            column("small", "INT"),
            indexes=(IndexPlan("u", "u", (IndexPart("name"),), unique=True),),
            checks=(CheckPlan("positive", "small > 0", "`small` > 0"),),
        ),
        server,
    )
    with pytest.raises(RowRefused, match=reason) as refused:
        write(session, plan, (5, "one", 1), (6, "two", 2), row, (8, "four", 4), (9, "five", 5), bulk=bulk)
    assert (refused.value.table, refused.value.key, refused.value.column) == ("target", "7", blamed)
    assert "far too" not in str(refused.value)
    session.rollback()
    assert session.rows("SELECT * FROM target") == ()


@WAYS
def test_what_the_server_alone_refuses_names_its_column(session: Session, server: Server, bulk: bool) -> None:
    """The target's column is narrower than the plan says; the column is named as in the source."""
    plan = table("t", serial(), words("name", "VARCHAR(20)", server, target="n`me"))
    session.execute("CREATE TABLE t (id BIGINT PRIMARY KEY, `n``me` VARCHAR(3)) CHARACTER SET utf8mb4")
    with pytest.raises(RowRefused, match="too long") as refused:
        write(session, plan, (1, "abc"), (2, "abcd"), bulk=bulk)
    assert (refused.value.key, refused.value.column) == ("2", "name")


def test_a_column_without_a_value_is_named(session: Session, server: Server) -> None:
    """One that the plan knows nothing of, in a table of the application's."""
    session.execute("CREATE TABLE t (id BIGINT PRIMARY KEY, must INT NOT NULL)")
    with pytest.raises(RowRefused, match="the server refused it") as refused:
        write(session, table("t", serial()), (1,), bulk=False)
    assert refused.value.key == "1"


def test_where_files_are_forbidden_rows_are_inserted(own_mariadb_server: Callable[..., MariaDBServer]) -> None:
    """By the server, although it was expected to take them; from then on it is not tried again."""
    target = open_target(own_mariadb_server(options=["--local-infile=0"]).url)
    assert not target.local_infile
    session = target.connect()
    plan = made(session, table("t", serial(), words("s")), target.server)
    loader = Loader(plan, bulk=True, packet=PACKET)
    (prepared,) = loader.prepared(pieces((1, "a"), (2, "b")), rows=9, size=9999)
    assert not loader.write(session, prepared)
    assert not loader.bulk
    write(session, plan, (1, "a"), (2, "b"), bulk=False)
    assert len(session.rows("SELECT * FROM t")) == 2
    session.close()


def test_a_server_of_small_packets_gets_small_parts(own_mariadb_server: Callable[..., MariaDBServer]) -> None:
    """Either way."""
    target = open_target(own_mariadb_server(options=["--max-allowed-packet=16384", "--net-buffer-length=8192"]).url)
    session = target.connect()
    plan = made(session, table("t", serial(), words("s", "TEXT")), target.server)
    rows: list[tuple[Value, ...]] = [(n, "x" * 900) for n in range(100)]
    for bulk in (True, False):
        loader = Loader(plan, bulk=bulk, packet=target.server.max_allowed_packet)
        (prepared,) = loader.prepared(pieces(*rows, size=50), rows=100, size=10**9)
        assert loader.write(session, prepared)
        assert session.rows("SELECT COUNT(*) FROM t") == ((100,),)
        session.rollback()
    session.close()


def test_what_is_no_rows_fault_is_raised_as_it_is(session: Session, server: Server) -> None:
    """A table that is not there is not blamed on the first row."""
    for bulk in (True, False):
        with pytest.raises(BackendRejected):
            write(session, table("absent", serial()), (1,), bulk=bulk)


def test_a_long_row_goes_in_parts(session: Session, server: Server) -> None:
    """A value of several parts, and rows of more bytes than a packet of the protocol has."""
    plan = made(session, table("t", serial(), column("b", "LONGBLOB", declared="BLOB")), server)
    blob = bytes(range(256)) * 12_000
    write(session, plan, *((n, blob) for n in range(6)), bulk=True)
    assert session.rows("SELECT COUNT(*), MIN(LENGTH(b)), MIN(SHA2(b, 256)) = MAX(SHA2(b, 256)) FROM t") == (
        (6, len(blob), 1),
    )
    assert session.rows("SELECT b FROM t WHERE id = 3")[0][0] == blob


def test_a_row_too_large_for_a_packet_is_named(session: Session, server: Server) -> None:
    """Where rows are inserted, a row needs twice the room of its bytes."""
    plan = made(session, table("t", serial(), column("b", "LONGBLOB", declared="BLOB")), server)
    with pytest.raises(RowRefused) as refused:
        write(session, plan, (1, b"x"), (2, bytes(server.max_allowed_packet // 2 + 1)), bulk=False)
    assert refused.value.key == "2"

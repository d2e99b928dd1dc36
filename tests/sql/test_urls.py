"""What a URL says, and what is refused before anything is connected."""

from __future__ import annotations

import os
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import URL, Connection, text

from postrmagic_core._sql import Backend, PoolLimits, Timeouts, open_backend
from postrmagic_core._sql.mysql import MysqlBackend
from postrmagic_core._sql.mysql_server import MysqlServer, _tls_context
from postrmagic_core.errors import BackendRejected, BackendUnavailable, ConfigurationError, UnknownScheme
from postrmagic_core.registry import DATABASES, Registry, conformance


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("sqlite:///{}/app.db", "sqlite:///{}/sub/../app.db"),
        ("sqlite:///{}/app.db", "sqlite:///{}/link.db"),
        ("mysql://root@localhost/shop", "mariadb://other:secret@127.0.0.1:3306/shop"),
        ("mysql://root@DB.example/shop", "mysql+pymysql://root@db.example:3306/shop"),
    ],
)
def test_two_urls_of_one_database_have_one_id(tmp_path: Path, one: str, other: str) -> None:
    """Units and brokers recognise that they share a database, however it was spelt."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "app.db").touch()
    (tmp_path / "link.db").symlink_to(tmp_path / "app.db")
    ids = {open_backend(url.format(tmp_path)).database_id() for url in (one, other)}
    assert len(ids) == 1
    assert "secret" not in ids.pop()


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("sqlite://", "a file"),
        ("sqlite:///:memory:", "a file"),
        ("sqlite:///file:app.db", "a file"),
        ("sqlite:///app.db?mode=ro", "no options"),
        ("sqlite://host/app.db", "a file"),
        ("mysql://root@host", "database"),
        ("mysql:///name", "host"),
        ("mysql://root:canary@host/name?charset=latin1", "ssl_ca"),
        ("mysql://root:canary@host/name?ssl_ca=/a&ssl_ca=/b", "ssl_ca"),
        ("mysql://root:canary@host:port/name", "expected mysql://"),
    ],
)
def test_a_url_that_cannot_be_used_says_what_was_expected(url: str, expected: str) -> None:
    """At construction, and without repeating the password."""
    with pytest.raises(ConfigurationError, match=expected) as caught:
        open_backend(url)
    assert "canary" not in str(caught.value)


def test_an_unknown_scheme_names_the_known_ones() -> None:
    """The registry's error comes through."""
    with pytest.raises(UnknownScheme, match="mysql"):
        open_backend("oracle://host/name")


@pytest.mark.parametrize("limits", [{"size": 0}, {"overflow": -1}, {"timeout": 0}])
def test_limits_are_checked(limits: dict[str, int]) -> None:
    """A pool that could never serve is refused."""
    with pytest.raises(ValueError, match="expected"):
        PoolLimits(**limits)


@pytest.mark.parametrize("timeouts", [{"connect": 0}, {"statement": -1}, {"lock": 0}])
def test_timeouts_are_checked(timeouts: dict[str, int]) -> None:
    """None of them may be absent."""
    with pytest.raises(ValueError, match="above zero"):
        Timeouts(**timeouts)


def test_the_adapters_fulfil_the_protocol() -> None:
    """As the registry checks at start."""
    registry = Registry()
    for scheme in DATABASES.builtin:
        assert conformance(registry.load(DATABASES, f"{scheme}://"), Backend) == []


def test_missing_folders_are_made_when_first_opened(tmp_path: Path) -> None:
    """Constructing touches nothing."""
    backend = open_backend(f"sqlite:///{tmp_path}/a/b/app.db")
    assert not (tmp_path / "a").exists()
    with backend.engine("read").connect() as connection:
        assert connection.scalar(text("SELECT 1")) == 1
    backend.dispose()


def test_each_sqlite_connection_is_set_up_anew(tmp_path: Path) -> None:
    """WAL, the lock time-out and foreign keys hold after a reconnect too."""
    backend = open_backend(f"sqlite:///{tmp_path}/app.db", timeouts=Timeouts(lock=1.5))
    wanted = {"journal_mode": "wal", "busy_timeout": 1500, "foreign_keys": 1, "synchronous": 1}
    for _ in range(2):
        for role, query_only in (("read", 1), ("write", 0)):
            with backend.engine(role).connect() as connection:  # type: ignore[arg-type]  # both are roles
                found = {name: connection.scalar(text(f"PRAGMA {name}")) for name in wanted}
                assert (found, connection.scalar(text("PRAGMA query_only"))) == (wanted, query_only)
        backend.dispose()


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    """Typed, also while connecting."""
    (tmp_path / "app.db").write_bytes(b"not a database" * 100)
    backend = open_backend(f"sqlite:///{tmp_path}/app.db")
    with pytest.raises(BackendRejected, match="not a SQLite database") as caught:
        backend.engine("read").connect()
    assert isinstance(caught.value.__cause__, sqlite3.DatabaseError)


def test_a_folder_in_the_place_of_the_file_is_unavailable(tmp_path: Path) -> None:
    """SQLite cannot open it."""
    with pytest.raises(BackendUnavailable, match="cannot be opened"):
        open_backend(f"sqlite:///{tmp_path}").engine("read").connect()


def test_tls_uses_one_verified_context_for_each_ca(tmp_path: Path) -> None:
    """Loading a CA bundle for each connection would cost more than the connection."""
    import ssl

    ca = ssl.get_default_verify_paths().cafile or "/etc/ssl/certs/ca-certificates.crt"
    if not os.path.exists(ca):  # noqa: PTH110 - a plain path from ssl
        pytest.skip("this machine has no CA bundle")
    context = _tls_context(ca)
    assert context is _tls_context(ca)
    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED
    backend = open_backend(f"mysql://u@h/n?ssl_ca={tmp_path}/absent.pem")
    assert isinstance(backend, MysqlBackend)
    with pytest.raises(ConfigurationError, match="PEM"):
        backend.engine("read")


@pytest.mark.mysql
def test_a_server_is_asked_for_its_name(server_url: str) -> None:
    """Once, and whichever scheme was written."""
    backend = open_backend(server_url)
    with backend.engine("read").connect() as connection:
        version = connection.scalar(text("SELECT VERSION()"))
    assert backend.name == ("mariadb" if "MariaDB" in version else "mysql")
    backend.dispose()


def session(connection: Connection, *names: str) -> dict[str, str]:
    """Variables of the session; those that the server does not know are missing."""
    wanted = ", ".join(f"'{name}'" for name in names)
    rows = connection.execute(text(f"SHOW SESSION VARIABLES WHERE Variable_name IN ({wanted})"))
    return {str(name): str(value) for name, value in rows}


@pytest.mark.mysql
def test_each_mysql_connection_is_set_up(server_url: str) -> None:
    """Strict, UTC, utf8mb4, bounded; the writer with snapshot isolation where the server has it."""
    backend = open_backend(server_url, timeouts=Timeouts(statement=7.5, lock=2.0))
    same = ("autocommit", "time_zone", "character_set_client", "innodb_lock_wait_timeout", "lock_wait_timeout")
    limits = {"max_statement_time": "7.500000", "max_execution_time": "7500"}
    level = ("tx_isolation", "transaction_isolation")
    with backend.engine("write").connect() as connection:
        assert list(session(connection, *same).values()) == ["OFF", "utf8mb4", "2", "2", "+00:00"]
        modes = set(session(connection, "sql_mode")["sql_mode"].split(","))
        assert {"STRICT_ALL_TABLES", "NO_ZERO_DATE", "ONLY_FULL_GROUP_BY"} <= modes
        (limit,) = session(connection, *limits).items()
        assert limit in limits.items()
        snapshot = session(connection, "innodb_snapshot_isolation")
        expected = {"REPEATABLE-READ"} if snapshot else {"SERIALIZABLE"}
        assert set(session(connection, *level).values()) == expected
        assert set(snapshot.values()) <= {"ON"}
    with backend.engine("read").connect() as connection:
        assert session(connection, "autocommit") == {"autocommit": "ON"}
        assert set(session(connection, "tx_read_only", "transaction_read_only").values()) == {"ON"}
    backend.dispose()


@pytest.mark.mysql
def test_a_server_without_snapshot_isolation_gets_serializable(
    server_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MySQL, and MariaDB before 10.6.18: plain REPEATABLE READ would lose updates."""
    monkeypatch.setattr("postrmagic_core._sql.mysql._SNAPSHOT", "SET SESSION no_such_variable=ON")
    backend = open_backend(server_url)
    with backend.engine("write").connect() as connection:
        assert set(session(connection, "tx_isolation", "transaction_isolation").values()) == {"SERIALIZABLE"}
    backend.dispose()


_NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=12)


@given(
    user=_NAMES,
    password=st.none() | _NAMES,
    host=st.sampled_from(["db", "db.example.org", "127.0.0.1", "::1"]),
    port=st.none() | st.integers(1, 65535),
    ca=st.sampled_from(["", "/etc/ssl/ca.pem", "/a b/c&d=é.pem"]),
)
def test_a_server_is_found_where_sqlalchemy_finds_it(
    user: str, password: str | None, host: str, port: int | None, ca: str
) -> None:
    """However it is written; and what it writes is read as the same again."""
    written = URL.create("mysql", user, password, host, port, "name", {"ssl_ca": ca} if ca else {})
    found = MysqlServer.from_url(written.render_as_string(hide_password=False))
    assert found == MysqlServer(host, "name", user, password, port or 3306, ca)
    assert MysqlServer.from_url(found.url(secret=True)) == found
    assert "canary" not in replace(found, password="canary").url(secret=False)
    assert "canary" not in repr(replace(found, password="canary"))

"""What an operator has set for all sessions, and what the server lets a user do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from postrmagic_core.backups.dumps.mysql import MysqlTarget, snapshot
from postrmagic_core.backups.interface import unreported
from postrmagic_core.errors import BackupFailed, RestoreRefused
from postrmagic_core.testing.servers import MariaDBServer
from tests.backups.mysql.hostile import Kept, keep, rows, run, state

Make = Callable[[], str]
Own = Callable[..., MariaDBServer]


def taken(url: str, workspace: Path) -> Kept:
    """A backup in memory."""
    with snapshot(url, how="own", workspace=workspace) as read:
        return keep(read)


@pytest.mark.mysql
def test_settings_of_all_sessions_leave_no_row_out(own_mariadb_server: Own, tmp_path: Path) -> None:
    """Given limits that an operator set for all sessions, when a backup is taken and restored, then no row is lost."""
    server = own_mariadb_server()
    url, to = server.create_database(), server.create_database()
    run(url, "SET SESSION innodb_strict_mode = 0", "CREATE TABLE t (a INT) ROW_FORMAT=FIXED")
    run(url, "INSERT INTO t VALUES (1), (2), (3)", "CREATE TABLE u (a INT)")
    run(url, "SET GLOBAL sql_select_limit = 1, GLOBAL sql_safe_updates = 1, GLOBAL completion_type = 2")
    MysqlTarget(to, tmp_path).restore(taken(url, tmp_path), unreported)
    assert rows(to, "SELECT COUNT(*), SUM(a) FROM t") == ((3, 6),)
    with pytest.raises(BackupFailed, match="sql_select_limit"), snapshot(url, how="tool", workspace=tmp_path):
        pass


@pytest.mark.mysql
@pytest.mark.soak
def test_a_server_that_wants_keys_and_makes_them(mysql_server: MariaDBServer, tmp_path: Path) -> None:
    """Given MySQL that wants a primary key of every table, when one without is restored, then it is as it was."""
    url, to = mysql_server.create_database(), mysql_server.create_database()
    run(
        url,
        "SET SESSION restrict_fk_on_non_standard_key = 0",
        "CREATE TABLE p (a INT, KEY (a))",
        "CREATE TABLE c (a INT, FOREIGN KEY (a) REFERENCES p (a))",
        "INSERT INTO p VALUES (1)",
    )
    kept = taken(url, tmp_path)
    run(to, "SET GLOBAL sql_require_primary_key = 1", "SET GLOBAL sql_generate_invisible_primary_key = 1")
    try:
        MysqlTarget(to, tmp_path).restore(kept, unreported)
    finally:
        run(to, "SET GLOBAL sql_require_primary_key = 0", "SET GLOBAL sql_generate_invisible_primary_key = 0")
    assert state(to) == state(url)


@pytest.mark.mysql
def test_a_value_that_is_too_large_does_not_become_null(own_mariadb_server: Own, tmp_path: Path) -> None:
    """Given a value larger than the server takes in one, when it would be put together, then that is refused."""
    server = own_mariadb_server()
    url, to = server.create_database(), server.create_database()
    run(url, "CREATE TABLE t (a LONGBLOB, b LONGBLOB)", r"INSERT INTO t VALUES (REPEAT('\\', 900000), REPEAT('x', 9))")
    fits = taken(url, tmp_path)
    run(url, "UPDATE t SET b = REPEAT('x', 3000000)")
    large = taken(url, tmp_path)
    run(to, "CREATE TABLE stays (a INT)", "SET GLOBAL max_allowed_packet = 1048576")
    with pytest.raises(RestoreRefused, match="max_allowed_packet"):
        MysqlTarget(to, tmp_path).restore(large, unreported)
    assert "BASE TABLE stays" in state(to)
    MysqlTarget(to, tmp_path).restore(replace(fits, manifest=replace(fits.manifest, id="b2")), unreported)
    assert rows(to, "SELECT LENGTH(a), LENGTH(b) FROM t") == ((900000, 9),)


@pytest.mark.mysql
@pytest.mark.parametrize("binary", ["mariadb", pytest.param("mysql", marks=pytest.mark.soak)])
def test_a_binary_log_that_trusts_nobody(binary: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """Given a server with a binary log, when its user may make no trigger, then that is told before a change."""
    from postrmagic_core.testing.servers import MySQLServer

    options = ["--log-bin=b", "--server-id=1"]
    with (MariaDBServer if binary == "mariadb" else MySQLServer)(options=options) as server:
        url = server.create_database()
        to = server.create_database()
        name = urlsplit(to).path[1:]
        run(url, "CREATE USER narrow@'%'", f"GRANT ALL ON `{name}`.* TO narrow@'%'")
        narrow = urlsplit(to)._replace(netloc=f"narrow@127.0.0.1:{urlsplit(to).port}").geturl()
        run(to, "CREATE TABLE stays (a INT)")
        run(url, "CREATE TABLE t (a INT)", "CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW SET NEW.a = 1")
        kept = taken(url, tmp_path)
        with pytest.raises(RestoreRefused, match="log_bin_trust_function_creators"):
            MysqlTarget(narrow, tmp_path).restore(kept, unreported)
        assert "BASE TABLE stays" in state(to)
        run(url, "SET GLOBAL log_bin_trust_function_creators = 1")
        MysqlTarget(narrow, tmp_path).restore(kept, unreported)
        assert "TRIGGER g" in state(to)


@pytest.mark.mysql
@pytest.mark.soak
def test_a_routine_that_may_not_be_dropped(mysql_server: MariaDBServer, tmp_path: Path) -> None:
    """Given a mightier user's routine in the target, when it may not be dropped, then all tables are still there."""
    url, to = mysql_server.create_database(), mysql_server.create_database()
    name = urlsplit(to).path[1:]
    run(to, "CREATE TABLE stays (a INT)", "CREATE PROCEDURE mighty() SELECT 1")
    run(to, "CREATE USER narrow@'%'", f"GRANT ALL ON `{name}`.* TO narrow@'%'")
    narrow = urlsplit(to)._replace(netloc=f"narrow@127.0.0.1:{urlsplit(to).port}").geturl()
    try:
        run(url, "CREATE TABLE t (a INT)")
        with pytest.raises(RestoreRefused, match="procedure mighty cannot be dropped"):
            MysqlTarget(narrow, tmp_path).restore(taken(url, tmp_path), unreported)
        assert {name for name in state(to) if name.startswith("BASE")} == {"BASE TABLE stays"}
    finally:
        run(to, "DROP USER narrow@'%'")

"""What is read of a database and put into another is the same, value by value and word by word."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest

from postrmagic_core.backups.dumps.mysql import MysqlTarget, snapshot
from postrmagic_core.backups.interface import unreported
from postrmagic_core.errors import BackupFailed, RestoreRefused
from postrmagic_core.testing.servers import MariaDBServer
from tests.backups.mysql.hostile import build, keep, rows, run, state

Make = Callable[[], str]


def test_a_hostile_database_comes_back(kind: str, database: Make, tmp_path: Path) -> None:
    """Given a database of all that is hard, when it is restored, then no value and no definition differs."""
    url, to = database(), database()
    build(url, kind)
    run(to, "CREATE TABLE numbers (other INT)", "INSERT INTO numbers VALUES (1)", "CREATE TABLE other (a INT)")
    run(to, "CREATE VIEW other_view AS SELECT * FROM other", "CREATE PROCEDURE other_routine() SELECT 1")
    run(to, "CREATE TRIGGER other_trigger BEFORE INSERT ON other FOR EACH ROW SET NEW.a = 1")
    run(to, "CREATE EVENT other_event ON SCHEDULE EVERY 1 DAY DISABLE DO DELETE FROM other")
    before = state(url)

    with snapshot(url, how="own", workspace=tmp_path) as read:
        kept = keep(read)
    facts = kept.manifest.database
    target = MysqlTarget(to, tmp_path)
    assert target.look(kept.manifest).tables == {"numbers": 1, "other": 0}
    target.restore(kept, unreported)

    assert state(to) == before
    assert target.counted() == facts.tables
    assert target.faults() == []
    target.restore(kept, unreported)
    assert state(to) == before
    assert facts.revisions == {"app_alembic": ["0122", "abc"]}
    assert (facts.kind, facts.how) == (kind, "own dump")
    assert rows(to, "SELECT two FROM a_view") == ((2,),)
    assert rows(to, "SELECT odd()") == (("a\\",),)


PLAIN = [
    "CREATE TABLE parent (id INT PRIMARY KEY AUTO_INCREMENT, t VARCHAR(50), b VARBINARY(20), d DATETIME(6))",
    # The key has a name: one that is made of the table's, some releases of MariaDB 10.11 show without escaping.
    "CREATE TABLE `ch``ild (1` (id INT PRIMARY KEY, p INT, `VALUES (` BIT(9),"
    " CONSTRAINT p_is FOREIGN KEY (p) REFERENCES parent (id))",
    r"INSERT INTO parent VALUES (0, 'a\'b\\c\n(1),(2);', X'00275C', '2026-01-02 03:04:05.678901'), (7, '', '', NULL)",
    "INSERT INTO parent (t) VALUES ('\U0001f600'), (NULL)",
    "INSERT INTO `ch``ild (1` VALUES (1, 0, 256), (-2, 7, NULL), (3, NULL, b'0')",
    "CREATE TABLE nothing (a INT)",
    "CREATE VIEW seen AS SELECT t FROM parent",
    "CREATE TRIGGER stamped BEFORE INSERT ON nothing FOR EACH ROW SET NEW.a = 1",
    "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)",
    "INSERT INTO alembic_version VALUES ('0001')",
]


@pytest.mark.mysql
def test_the_program_gives_what_we_read_ourselves(mariadb_server: MariaDBServer, tmp_path: Path) -> None:
    """Given a database of which the dump program loses nothing, when it reads it, then it is as if we had read it."""
    url, to = mariadb_server.create_database(), mariadb_server.create_database()
    run(url, *PLAIN)
    with snapshot(url, how="own", workspace=tmp_path) as read:
        own = keep(read).manifest
    with snapshot(url, how="tool", workspace=tmp_path) as read:
        kept = keep(read)

    assert kept.manifest.database.how in ("mariadb-dump", "mysqldump")
    assert kept.manifest.database.tables == own.database.tables == {
        "alembic_version": 1, "ch`ild (1": 3, "nothing": 0, "parent": 4,
    }  # fmt: skip
    assert kept.manifest.database.revisions == own.database.revisions == {"alembic_version": ["0001"]}
    assert [entry.name for entry in kept.manifest.entries] == [entry.name for entry in own.entries]
    MysqlTarget(to, tmp_path).restore(kept, unreported)
    assert state(to) == state(url)
    mariadb_server.drop_database(url)
    mariadb_server.drop_database(to)


@pytest.mark.mysql
@pytest.mark.soak
@pytest.mark.parametrize("how", ["own", "tool"])
def test_a_server_with_other_habits(
    how: Literal["own", "tool"], own_mariadb_server: Callable[..., MariaDBServer], tmp_path: Path
) -> None:
    """Given a server of another mode, time zone and character set, when it is backed up, then as everywhere."""
    habits = ["--sql-mode=ANSI_QUOTES,NO_BACKSLASH_ESCAPES,PIPES_AS_CONCAT", "--default-time-zone=+05:00"]
    server = own_mariadb_server(options=[*habits, "--character-set-server=latin1", "--collation-server=latin1_bin"])
    url, to = server.create_database(), server.create_database()
    if how == "tool":
        run(url, *PLAIN)
    else:
        build(url, "mariadb")
    with snapshot(url, how=how, workspace=tmp_path) as read:
        kept = keep(read)
    MysqlTarget(to, tmp_path).restore(kept, unreported)
    assert state(to) == state(url)


@pytest.mark.mysql
@pytest.mark.parametrize("column", ["FLOAT", "DOUBLE", "ENUM('a')", "VARCHAR(9) CHARACTER SET sjis"])
def test_the_program_is_not_let_lose_values(column: str, mariadb_url: str, tmp_path: Path) -> None:
    """Given a column that the dump program does not keep exactly, when it is asked for, then it is refused by name."""
    run(mariadb_url, f"CREATE TABLE t (c {column})")
    with pytest.raises(BackupFailed, match=r"t\.c is"), snapshot(mariadb_url, how="tool", workspace=tmp_path):
        pass


@pytest.mark.mysql
def test_rows_near_the_largest_statement(own_mariadb_server: Callable[..., MariaDBServer], tmp_path: Path) -> None:
    """Given rows whose statement would be larger than the server takes, when they are restored, then they are whole."""
    server = own_mariadb_server(options=["--max-allowed-packet=1M", "--net-buffer-length=16K"])
    url, to = server.create_database(), server.create_database()
    run(url, "CREATE TABLE t (a LONGBLOB, b LONGTEXT CHARACTER SET utf16, c JSON)")
    run(url, "INSERT INTO t VALUES (REPEAT(X'5C27', 450000), REPEAT('\u20ac\\'', 120000), '[1]'), (1, 2, 3)")
    run(url, """UPDATE t SET c = JSON_QUOTE(REPEAT('\u00e4"', 150000)) WHERE a <> 1""")
    with snapshot(url, how="own", workspace=tmp_path) as read:
        kept = keep(read)
    MysqlTarget(to, tmp_path).restore(kept, unreported)
    summed = "SELECT MD5(a), LENGTH(a), MD5(b), LENGTH(b), MD5(c) FROM t ORDER BY 2"
    assert rows(to, summed) == rows(url, summed)

    small = own_mariadb_server(options=["--max-allowed-packet=64K", "--net-buffer-length=16K"])
    other = small.create_database()
    run(other, "CREATE TABLE stays (a INT)")
    with pytest.raises(RestoreRefused, match="max_allowed_packet"):
        MysqlTarget(other, tmp_path).restore(kept, unreported)
    assert "BASE TABLE stays" in state(other)


@pytest.mark.mysql
@pytest.mark.soak
def test_between_the_two_servers(mariadb_server: MariaDBServer, mysql_server: MariaDBServer, tmp_path: Path) -> None:
    """Given a backup of one kind of server, when the other cannot take it, then that is told before a change."""
    maria, my = mariadb_server.create_database(), mysql_server.create_database()
    run(maria, "CREATE TABLE t (a INT PRIMARY KEY, u VARCHAR(9))", "INSERT INTO t VALUES (1, '\u00e4')")
    with snapshot(maria, how="own", workspace=tmp_path) as read:
        kept = keep(read)
    MysqlTarget(my, tmp_path).restore(kept, unreported)
    assert rows(my, "SELECT * FROM t") == ((1, "\u00e4"),)

    run(maria, "CREATE SEQUENCE s", "CREATE TABLE i (a INET6)")
    with snapshot(maria, how="own", workspace=tmp_path) as read:
        kept = keep(read, "b2")
    with pytest.raises(RestoreRefused, match=r"inet6.*'s', a sequence"):
        MysqlTarget(my, tmp_path).restore(kept, unreported)
    run(my, "CREATE TABLE n (a VARCHAR(9) COLLATE utf8mb4_0900_as_cs)")
    with snapshot(my, how="own", workspace=tmp_path) as read:
        kept = keep(read, "b3")
    with pytest.raises(RestoreRefused, match="utf8mb4_0900_as_cs"):
        MysqlTarget(maria, tmp_path).restore(kept, unreported)
    assert "BASE TABLE t" in state(maria)
    mariadb_server.drop_database(maria)
    mysql_server.drop_database(my)

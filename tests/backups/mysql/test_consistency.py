"""What is read is of one moment, whatever others write, alter and break meanwhile."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pymysql
import pytest

from postrmagic_core.backups.dumps.mysql import MysqlTarget, catalogue, snapshot
from postrmagic_core.backups.dumps.mysql import session as mysql_session
from postrmagic_core.backups.dumps.mysql import tool as mysql_tool
from postrmagic_core.backups.dumps.mysql.session import Opened
from postrmagic_core.backups.interface import Noting, unreported
from postrmagic_core.errors import BackendTimeout, BackendUnavailable, BackupFailed
from postrmagic_core.testing.servers import MariaDBServer
from tests.backups.mysql.hostile import Kept, connect, described, keep, rows, run

ACCOUNTS, BANKS, EACH = 200, 3, 1000
Make = Callable[[], str]


@contextmanager
def transfers(url: str) -> Iterator[list[int]]:
    """Others move money between accounts of all banks, in transactions, while the block runs."""
    ended = threading.Event()
    moved = [0, 0]

    def move(number: int) -> None:
        chosen = random.Random(number)
        connection = connect(url)
        with connection.cursor() as cursor:
            while not ended.is_set():
                banks, accounts = chosen.choices(range(BANKS), k=2), chosen.choices(range(ACCOUNTS), k=2)
                with suppress(pymysql.err.OperationalError):  # a deadlock rolls it back
                    connection.begin()
                    for bank, account, sign in zip(banks, accounts, "-+", strict=True):
                        cursor.execute(f"UPDATE bank{bank} SET money = money {sign} 7 WHERE id = {account}")
                    cursor.execute("INSERT INTO moved (a) VALUES (7)")
                    connection.commit()
                    moved[number] += 1
        connection.close()

    threads = [threading.Thread(target=move, args=(number,), daemon=True) for number in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield moved
    finally:
        ended.set()
        for thread in threads:
            thread.join(10)


@pytest.mark.parametrize(
    ("kind", "how"),
    [
        pytest.param("mariadb", "own", marks=pytest.mark.mysql),
        pytest.param("mariadb", "tool", marks=[pytest.mark.mysql, pytest.mark.soak]),
        pytest.param("mysql", "own", marks=[pytest.mark.mysql, pytest.mark.soak]),
    ],
    indirect=["kind"],
)
def test_the_total_holds_under_load(how: str, database: Make, tmp_path: Path) -> None:
    """Given others who move money all the time, when a backup is taken and restored, then none is lost or made."""
    url, to = database(), database()
    for bank in range(BANKS):
        run(url, f"CREATE TABLE bank{bank} (id INT PRIMARY KEY, money INT, filler VARCHAR(2000))")
        filled = ", ".join(f"({account}, {EACH}, REPEAT('x', 2000))" for account in range(ACCOUNTS))
        run(url, f"INSERT INTO bank{bank} VALUES {filled}")
    run(url, "CREATE TABLE moved (id INT PRIMARY KEY AUTO_INCREMENT, a INT)")

    with transfers(url) as moved:
        while sum(moved) < 20:
            pass
        with snapshot(url, how=how, workspace=tmp_path) as read:  # type: ignore[arg-type]  # one of the words
            begun = sum(moved)
            parts = read.parts()
            kept_parts = {}
            for part in parts:
                kept_parts[part.name] = b"".join(part.blocks)
                aim = sum(moved) + 5
                while sum(moved) < aim:
                    pass
            facts = read.facts
        assert sum(moved) > begun

    kept = Kept(described("b1", facts, kept_parts), kept_parts)
    MysqlTarget(to, tmp_path).restore(kept, unreported)
    summed = " + ".join(f"(SELECT SUM(money) FROM bank{bank})" for bank in range(BANKS))
    assert rows(to, f"SELECT {summed}") == ((BANKS * ACCOUNTS * EACH,),)
    assert MysqlTarget(to, tmp_path).counted() == facts.tables


@pytest.mark.parametrize("how", ["own", "tool"])
def test_the_moment_is_that_of_the_beginning(how: str, kind: str, database: Make, tmp_path: Path) -> None:
    """Given rows and tables that come once the backup has begun, when it is read, then they are not in it."""
    if how == "tool" and mysql_tool.program(kind) is None:  # type: ignore[arg-type]  # one of the kinds
        pytest.skip(f"the dump program of {kind} is not installed")
    url = database()
    run(url, "CREATE TABLE t (a INT)", "INSERT INTO t VALUES (1)", "CREATE TABLE z (a INT)")
    with snapshot(url, how=how, workspace=tmp_path) as read:  # type: ignore[arg-type]  # one of the words
        run(url, "INSERT INTO t VALUES (2)", "INSERT INTO z VALUES (1)", "CREATE TABLE u (a INT)")
        assert keep(read).manifest.database.tables == {"t": 1, "z": 0}


@pytest.mark.parametrize(
    "change",
    ["ALTER TABLE z CHANGE a c BIGINT", "DROP TABLE z", "RENAME TABLE z TO y", "TRUNCATE TABLE z"],
)
def test_a_table_that_is_altered_meanwhile(change: str, database: Make, tmp_path: Path) -> None:
    """Given a table altered between the snapshot and its turn, when it is read, then the backup fails and says so."""
    url = database()
    run(url, "CREATE TABLE a (a INT)", "INSERT INTO a VALUES (1)", "CREATE TABLE z (a INT)", "INSERT INTO z VALUES (1)")
    run(url, "CREATE VIEW seen AS SELECT a FROM a")
    with pytest.raises(BackupFailed, match="z was altered"):
        read_and_change(url, tmp_path, change)


def read_and_change(url: str, workspace: Path, change: str) -> Kept:
    """Take a backup, with a change of the table z once a is read, and of a itself."""
    parts: dict[str, bytes] = {}
    with snapshot(url, how="own", workspace=workspace) as read:
        for part in read.parts():
            parts[part.name] = b"".join(part.blocks)
            if part.name.endswith("-a.sql"):
                # A table that was read is not held: else whoever alters it would wait, and all others behind them.
                run(url, "SET lock_wait_timeout = 2", "ALTER TABLE a ADD COLUMN b INT", change)
    return Kept(described("b1", read.facts, parts), parts)


def test_a_column_that_is_added_meanwhile(kind: str, database: Make, tmp_path: Path) -> None:
    """Given a column added in place before a table's turn, when it is read, then as it was before, or it fails."""
    url, to = database(), database()
    run(url, "CREATE TABLE a (a INT)", "CREATE TABLE z (a INT)", "INSERT INTO z VALUES (1)")
    change = "ALTER TABLE z ADD COLUMN b INT DEFAULT 5, ALGORITHM=INSTANT"
    if kind == "mysql":  # which knows no former shape of a table
        with pytest.raises(BackupFailed, match="z was altered"):
            read_and_change(url, tmp_path, change)
        return
    kept = read_and_change(url, tmp_path, change)
    MysqlTarget(to, tmp_path).restore(kept, unreported)
    assert rows(to, "SELECT * FROM z") == ((1,),)


def test_what_is_altered_while_a_backup_begins(database: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a revision applied between the snapshot and its catalogue, when they are compared, then it is refused."""
    url = database()
    run(url, "CREATE TABLE z (a INT)")
    read = catalogue.read

    def read_and_alter(server: Opened) -> catalogue.Catalogue:
        found = read(server)
        run(url, f"CREATE TABLE z{len(found.tables)} (a INT)")
        return found

    monkeypatch.setattr(catalogue, "read", read_and_alter)
    with pytest.raises(BackupFailed, match="while the backup began"), snapshot(url, how="own", workspace=tmp_path):
        pass


def test_a_half_restored_database_is_not_backed_up(database: Make, tmp_path: Path) -> None:
    """Given a database in which a restore was begun, when it is to be backed up, then that is refused."""
    url = database()
    run(url, "CREATE TABLE pm_restore_progress (archive VARCHAR(64), done INT)")
    with pytest.raises(BackupFailed, match="not ended"), snapshot(url, how="own", workspace=tmp_path):
        pass


def test_what_has_no_transactions_is_told(database: Make, tmp_path: Path) -> None:
    """Given a table of an engine without transactions, when it is backed up, then that is noted."""
    url = database()
    run(url, "CREATE TABLE old (a INT) ENGINE=MyISAM", "INSERT INTO old VALUES (1)")
    with snapshot(url, how="own", workspace=tmp_path) as read:
        assert isinstance(read, Noting)
        facts = keep(read).manifest.database
        assert read.notes == ["the table old is of the moment at which it was read: MyISAM knows no transactions"]
    assert facts.tables == {"old": 1}


@pytest.mark.mysql
def test_a_server_that_says_nothing(
    own_mariadb_server: Callable[..., MariaDBServer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a server that falls silent while it is read, when the time-out is over, then the backup fails."""
    monkeypatch.setattr(mysql_session, "SILENT", 0.5)
    server = own_mariadb_server()
    url = server.create_database()
    run(url, "CREATE TABLE t (a INT PRIMARY KEY AUTO_INCREMENT, b LONGBLOB)")
    run(url, *["INSERT INTO t (b) VALUES (REPEAT('x', 4000000))"] * 10)

    def read_on() -> None:
        with snapshot(url, how="own", workspace=tmp_path) as read:
            for part in read.parts():
                for number, _ in enumerate(part.blocks):
                    if number == 2 and server.running:
                        server.pause()

    begun = time.monotonic()
    with pytest.raises((BackendTimeout, BackendUnavailable)):
        read_on()
    assert time.monotonic() - begun < 10
    server.resume()


@pytest.mark.mysql
@pytest.mark.parametrize("how", ["own", pytest.param("tool", marks=pytest.mark.soak)])
def test_a_server_that_is_killed(how: str, own_mariadb_server: Callable[..., MariaDBServer], tmp_path: Path) -> None:
    """Given a backup under way, when the server is killed, then it fails and does not pass for whole."""
    server = own_mariadb_server()
    url = server.create_database()
    run(url, "CREATE TABLE t (a INT PRIMARY KEY AUTO_INCREMENT, b LONGBLOB)")
    run(url, *["INSERT INTO t (b) VALUES (REPEAT('x', 4000000))"] * 10)

    def read_on() -> None:
        with snapshot(url, how=how, workspace=tmp_path) as read:  # type: ignore[arg-type]  # one of the words
            for part in read.parts():
                for number, _ in enumerate(part.blocks):
                    if number == 2 and server.running:
                        server.kill()

    with pytest.raises((BackupFailed, BackendUnavailable)):
        read_on()
    with pytest.raises(BackendUnavailable), snapshot(url, how=how, workspace=tmp_path):  # type: ignore[arg-type]  # as above
        pass

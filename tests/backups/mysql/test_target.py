"""Putting a backup into a database: what is refused, what a killed restore leaves, and what is found wrong."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from postrmagic_core.backups.dumps.mysql import MysqlTarget, snapshot
from postrmagic_core.backups.dumps.mysql import target as mysql_target
from postrmagic_core.backups.interface import DatabaseFacts, Entry, Noting, unreported
from postrmagic_core.database import DatabaseManager
from postrmagic_core.errors import (
    BackendUnavailable,
    BackupDamaged,
    BackupError,
    ConfigurationError,
    RestoreRefused,
    SchemaMismatch,
)
from postrmagic_core.testing.servers import MariaDBServer
from tests.backups.mysql.hostile import Kept, build, connect, described, keep, rows, run, state
from tests.backups.mysql.restoring import laid_down

Make = Callable[[], str]


def simple(url: str, workspace: Path, *statements: str) -> Kept:
    """A backup of a database of two tables, and of what ``statements`` make."""
    run(url, "CREATE TABLE a (a INT)", "INSERT INTO a VALUES (1)", "CREATE TABLE b (a INT)", "INSERT INTO b VALUES (2)")
    run(url, *statements)
    with snapshot(url, how="own", workspace=workspace) as read:
        return keep(read)


def test_refused_while_others_are_connected(database: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given an application that is connected, when a restore is begun, then it is refused and nothing is changed."""
    monkeypatch.setattr(mysql_target, "_LEAVING", 0.2)
    monkeypatch.setattr(mysql_target, "_GLANCE", 0.2)
    url, to = database(), database()
    kept = simple(url, tmp_path)
    run(to, "CREATE TABLE stays (a INT)")
    target = MysqlTarget(to, tmp_path)
    connection = connect(to)
    try:
        assert target.look(kept.manifest).users == 1
        with pytest.raises(RestoreRefused, match=r"1 other connection.*stop the application"):
            target.restore(kept, unreported)
    finally:
        connection.close()
    assert target.counted() == {"stays": 0}
    target.restore(kept, unreported)
    assert target.counted() == {"a": 1, "b": 1}


def test_two_restores_at_once(database: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a restore that runs, when another is begun of which the first sees nothing, then it is refused."""
    url, to = database(), database()
    kept = simple(url, tmp_path)
    monkeypatch.setattr(mysql_target, "_users", lambda *_: 0)  # as for users who see no one else
    target = MysqlTarget(to, tmp_path)
    refused: list[str] = []

    def report(what: str, done: int, total: int | None) -> None:
        if not refused:
            with pytest.raises(RestoreRefused) as found:
                MysqlTarget(to, tmp_path).restore(kept, unreported)
            refused.append(str(found.value))

    monkeypatch.setattr(mysql_target, "_LOCKED", 0)
    target.restore(kept, report)
    assert refused
    assert target.counted() == {"a": 1, "b": 1}


def test_a_database_that_is_missing_is_made(server: MariaDBServer, database: Make, tmp_path: Path) -> None:
    """Given a server without the database, when a backup is restored, then it is made, with the backup's collation."""
    url = database()
    kept = simple(url, tmp_path, "ALTER DATABASE CHARACTER SET latin1 COLLATE latin1_bin")
    to = urlsplit(url)._replace(path="/made`here").geturl()
    target = MysqlTarget(to, tmp_path)
    assert (target.look(kept.manifest).tables, target.counted()) == ({}, {})
    target.examine(kept)
    assert target.counted() == {}
    target.restore(kept, unreported)
    assert rows(to, "SELECT @@collation_database") == (("latin1_bin",),)
    assert target.counted() == {"a": 1, "b": 1}
    run(to, "DROP DATABASE `made``here`")


def test_of_another_kind(database: Make, tmp_path: Path) -> None:
    """Given a backup of SQLite, when it is to go into a server, then the way there is told."""
    manifest = described("b1", DatabaseFacts("sqlite", "3", {}), {})
    with pytest.raises(RestoreRefused, match="postrmagic db transfer"):
        MysqlTarget(database(), tmp_path).look(manifest)


def test_a_damaged_backup_changes_nothing(database: Make, tmp_path: Path) -> None:
    """Given a backup whose last part is damaged, when it is restored, then that is found before the first change."""
    url, to = database(), database()
    kept = simple(url, tmp_path)
    run(to, "CREATE TABLE stays (a INT)")
    last = kept.manifest.entries[-1].name

    class Broken(Kept):
        def blocks(self, entry: Entry, skip: int = 0) -> Iterator[bytes]:
            if entry.name == last:
                raise BackupDamaged("a flipped byte")
            return super().blocks(entry, skip)

    target = MysqlTarget(to, tmp_path)
    for broken in (
        Broken(kept.manifest, kept.parts),
        Kept(kept.manifest, {**kept.parts, last: kept.parts[last][:-50]}),
    ):
        for attempt in (target.examine, lambda archive: target.restore(archive, unreported)):
            with pytest.raises(BackupDamaged):
                attempt(broken)
        assert target.counted() == {"stays": 0}
        assert target.look(kept.manifest).begun is None
    with pytest.raises(RestoreRefused, match="no database"):
        target.restore(Kept(replace(kept.manifest, entries=())), unreported)


def test_an_error_names_its_place_and_no_value(database: Make, tmp_path: Path) -> None:
    """Given a statement that the server refuses, when it is run, then its part and number are told, and no value."""
    url, to = database(), database()
    kept = simple(url, tmp_path, "CREATE TABLE u (a VARCHAR(20))", "INSERT INTO u VALUES ('secret-7'), ('secret-8')")
    name = next(entry.name for entry in kept.manifest.entries if entry.name.endswith("-u.sql"))
    broken = Kept(kept.manifest, {**kept.parts, name: kept.parts[name].replace(b"varchar(20)", b"varchar(02)")})
    target = MysqlTarget(to, tmp_path)
    with pytest.raises(BackupError, match=r"statement 5 of database/\d+-u.sql") as refused:
        target.restore(broken, unreported)
    told: BaseException | None = refused.value
    while told is not None:
        assert "secret" not in repr(told)
        told = told.__cause__
    assert target.look(kept.manifest).begun == "b1"


def test_a_half_restored_database_is_of_no_revision(database: Make, tmp_path: Path) -> None:
    """Given a restore that was broken off, when the application looks, then its schema is not current.

    Nor is it migrated; once the restore has ended it is as it should be.
    """
    url, to = database(), database()
    with DatabaseManager(url) as manager:
        manager.upgrade()
    with snapshot(url, how="own", workspace=tmp_path) as read:
        kept = keep(read)
    assert kept.manifest.entries[-1].name.endswith("-pm_alembic_version.sql")
    with DatabaseManager(to) as manager:
        manager.upgrade()
    target = MysqlTarget(to, tmp_path)
    stop = sum(entry.size for entry in kept.manifest.entries[:-1])

    def report(what: str, done: int, total: int | None) -> None:
        if what == "database" and done >= stop * 0.9:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        target.restore(kept, report)
    assert target.look(kept.manifest).begun == "b1"
    with DatabaseManager(to) as manager:
        assert not manager.schema_current()
        with pytest.raises(SchemaMismatch, match="db restore"):
            manager.upgrade()  # as it would where the environment is development
    kept.read.clear()
    target.restore(kept, unreported)
    assert kept.manifest.entries[1].name not in kept.read  # it went on where it was
    with DatabaseManager(to) as manager:
        assert manager.schema_current()
    assert target.look(kept.manifest).begun is None
    assert target.counted() == kept.manifest.database.tables


def test_a_view_that_does_not_work(database: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Given a view of a table that is gone, when a backup is restored, then all but the view is there."""
    url, to = database(), database()
    run(url, "CREATE TABLE gone (a INT)", "CREATE VIEW `bro``ken VIEW` AS SELECT a FROM gone")
    run(url, "CREATE VIEW fine AS SELECT 1")
    run(url, "CREATE VIEW above AS SELECT * FROM `bro``ken VIEW`", "DROP TABLE gone", "CREATE TABLE t (a INT)")
    with snapshot(url, how="own", workspace=tmp_path) as read:
        assert isinstance(read, Noting)
        assert len(read.notes) == 2
        kept = keep(read)
    MysqlTarget(to, tmp_path).restore(kept, unreported)
    assert rows(to, "SHOW TABLES") == (("fine",), ("t",))
    assert caplog.messages == ["a view cannot be made and is left out"] * 2


def test_another_backup_after_one_that_was_broken_off(database: Make, tmp_path: Path) -> None:
    """Given a restore that was broken off, when another backup is restored, then nothing of the first is left."""
    url, other, to = database(), database(), database()
    kept = simple(url, tmp_path)
    run(other, "CREATE TABLE c (a INT)")
    with snapshot(other, how="own", workspace=tmp_path) as read:
        second = keep(read, "b2")
    target = MysqlTarget(to, tmp_path)
    reported: list[int] = []

    def report(what: str, done: int, total: int | None) -> None:
        reported.extend([done] if what == "database" else [])
        if len(reported) == 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        target.restore(kept, report)
    assert "a" in target.counted()
    target.restore(second, unreported)
    assert state(to) == state(other)


def kill_and_go_on(to: str, directory: Path, after: int) -> bool:
    """Kill a restore once it has said so many lines, and run it again to its end; whether it was killed in time."""
    command = [sys.executable, "-u", "-m", "tests.backups.mysql.restoring", to, str(directory)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        for _ in range(after):
            child.stdout.readline()
        child.kill()
        child.communicate()
    killed = child.returncode != 0
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return killed


def test_a_restore_that_is_killed_goes_on(kind: str, database: Make, tmp_path: Path) -> None:
    """Given a restore killed by the system at some point, when it is run again, then the result is the same."""
    url, to = database(), database()
    build(url, kind)
    with snapshot(url, how="own", workspace=tmp_path) as read:
        kept = keep(read)
    laid_down(kept, tmp_path / "parts")
    before = state(url)
    assert kill_and_go_on(to, tmp_path / "parts", 25)
    assert state(to) == before


@pytest.mark.soak
@pytest.mark.parametrize("after", [0, 1, 2, 5, 12, 20, 40, 60, 80, 95, 110])
def test_killed_at_many_points(after: int, kind: str, database: Make, tmp_path: Path) -> None:
    """Given a restore killed early, late and between, when it is run again, then the result is the same."""
    url, to = database(), database()
    build(url, kind)
    with snapshot(url, how="own", workspace=tmp_path) as read:
        kept = keep(read)
    laid_down(kept, tmp_path / "parts")
    kill_and_go_on(to, tmp_path / "parts", after)
    assert state(to) == state(url)


@pytest.mark.mysql
def test_a_server_killed_within_a_restore(own_mariadb_server: Callable[..., MariaDBServer], tmp_path: Path) -> None:
    """Given a server killed while a backup is put in, when the restore is run again, then it is whole."""
    server = own_mariadb_server()
    url, to = server.create_database(), server.create_database()
    kept = simple(url, tmp_path, "CREATE TABLE c (a INT PRIMARY KEY)", "INSERT INTO c VALUES (1), (2)")

    def report(what: str, done: int, total: int | None) -> None:
        if what == "database" and done > kept.manifest.size // 2 and server.running:
            server.kill()

    target = MysqlTarget(to, tmp_path)
    with pytest.raises(BackendUnavailable):
        target.restore(kept, report)
    begun = time.monotonic()
    with pytest.raises(BackendUnavailable):
        target.look(kept.manifest)
    assert time.monotonic() - begun < 12
    server.start()
    assert target.look(kept.manifest).begun == "b1"
    target.restore(kept, unreported)
    assert state(to) == state(url)


def test_what_is_wrong_is_found(database: Make, tmp_path: Path) -> None:
    """Given rows that name rows that are not there, when the database is asked, then which and how many."""
    url = database()
    run(url, "CREATE TABLE p (a INT, b INT, PRIMARY KEY (a, b))", "SET foreign_key_checks = 0")
    run(url, "CREATE TABLE c (x INT, y INT, CONSTRAINT up FOREIGN KEY (x, y) REFERENCES p (a, b))")
    run(url, "SET foreign_key_checks = 0", "INSERT INTO p VALUES (1, 1)")
    target = MysqlTarget(url, tmp_path)
    run(url, "INSERT INTO c VALUES (1, 1), (1, NULL), (NULL, 9)")
    assert target.faults() == []
    connection = connect(url)
    try:
        connection.query("SET foreign_key_checks = 0")
        connection.query("INSERT INTO c VALUES (1, 2), (3, 3)")
    finally:
        connection.close()
    assert target.faults() == ["c: 2 row(s) name a row of p that is not there (up)"]


def test_of_no_server(tmp_path: Path) -> None:
    """Given the URL of a file, when it is taken for a server, then it is refused."""
    with pytest.raises(ConfigurationError, match="mysql://"):
        MysqlTarget("sqlite:////tmp/x", tmp_path)

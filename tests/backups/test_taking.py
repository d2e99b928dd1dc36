"""A backup of a SQLite database and of files: taken whole, or not at all."""

from __future__ import annotations

import contextlib
import io
import os
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from postrmagic_core._clock import from_us
from postrmagic_core.backups import terms_of
from postrmagic_core.backups.dumps import open_target
from postrmagic_core.backups.holding import Hold
from postrmagic_core.backups.tables import runs
from postrmagic_core.errors import (
    BackupFailed,
    BackupNotFound,
    NotOpen,
    OutOfSpace,
    UsageError,
)
from postrmagic_core.settings import Settings
from postrmagic_core.testing.clock import FakeClock
from tests.backups.site import ACCOUNTS, Site, noise


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """An application."""
    return Site(tmp_path).made()


def left_over(site: Site) -> list[str]:
    """What lies beside the database and in the vault that should not."""
    beside = [path.name for path in site.path.parent.iterdir() if not path.name.startswith("app.db")]
    vault = site.root / "vault"
    return beside + [path.name for path in vault.iterdir() if path.name.startswith(".")] if vault.exists() else beside


def test_what_is_in_a_backup(site: Site) -> None:
    """Given a database and files, when a backup is taken, then it tells of every table, row, revision and file."""
    site.put("a/photo", b"light")
    site.put("empty", b"")
    reports: list[tuple[str, int, int | None]] = []
    with site.backups() as backups:
        taken = backups.take(lambda *told: reports.append(told), note="before the move")
        (listed,) = backups.list()
        archive, name = backups.find()
        assert backups.verify() == name
    assert (listed.name, listed.size, taken.name) == (name, taken.size, name)
    assert listed.taken_at == taken.taken_at.replace(microsecond=0)
    manifest = archive.manifest
    assert manifest == taken.manifest
    assert manifest.database.kind == "sqlite"
    assert manifest.database.server == sqlite3.sqlite_version
    assert manifest.database.tables["accounts"] == ACCOUNTS
    assert manifest.database.tables["pm_backup_runs"] == 1
    assert list(manifest.database.revisions) == ["pm_alembic_version"]
    assert [entry.name for entry in manifest.entries] == ["database/app.db", "files/media/a/photo", "files/media/empty"]
    assert b"".join(archive.blocks(manifest.entries[1])) == b"light"
    assert manifest.notes == ("before the move",)
    assert {what for what, _, _ in reports} >= {"snapshot", "database", "files of media"}
    assert reports[-1] == ("files of media", 5, 5)
    assert left_over(site) == []


def test_files_can_be_left_out(site: Site) -> None:
    """Given files, when a backup is taken without them, then it has none, and says so."""
    site.put("photo", b"light")
    with site.backups() as backups:
        manifest = backups.take(files=False).manifest
    assert [entry.name for entry in manifest.entries] == ["database/app.db"]
    assert manifest.directories == ()
    assert manifest.notes == ("the files of media are not in the backup",)


def test_how_it_ended_stands_in_the_database(site: Site) -> None:
    """Given backups that were taken and that failed, when the rows are read, then they say which was what."""
    with site.database() as database, site.backups(database) as backups:
        taken = backups.take()
        site.media.rename(site.root / "elsewhere")
        with pytest.raises(BackupFailed, match="there is no directory"):
            backups.take()
        done, failed = database.rows(select(runs).order_by(runs.c.began_us))
        with database.read() as tx:
            assert not backups.holds(tx)
    assert (done.outcome, done.backup, done.size) == ("done", taken.name, taken.size)
    assert b'"files": 0' in done.detail
    assert (failed.outcome, failed.backup) == ("failed", None)
    assert b"there is no directory" in failed.detail
    assert done.ended_us <= failed.began_us


def test_who_removes_files_sees_it_from_before_the_snapshot_until_the_end(site: Site) -> None:
    """Given a backup under way, when it reports anything, then files are held; when it is done, no more."""
    site.put("photo", b"light")
    held: set[bool] = set()
    with site.database() as database, site.backups(database) as backups:

        def report(what: str, done: int, total: int | None) -> None:
            with database.read() as tx:
                held.add(backups.holds(tx))

        backups.take(report)
        with database.read() as tx:
            assert not backups.holds(tx)
    assert held == {True}


def test_two_at_once_are_one(site: Site) -> None:
    """Given a backup under way, when another is taken, then it is refused, and the first is whole."""
    with site.backups() as backups:
        refused: list[BaseException] = []

        def report(what: str, done: int, total: int | None) -> None:
            if not refused:
                with pytest.raises(BackupFailed, match="under way since") as caught:
                    backups.take()
                refused.append(caught.value)

        backups.take(report)
        assert len(backups.list()) == 1
        backups.verify()
    assert refused


def test_a_hold_that_lapsed_leaves_no_backup(tmp_path: Path) -> None:
    """Given a backup whose hold lapsed while it copied files, when it would end, then there is none."""
    clock = FakeClock()
    site = Site(tmp_path, clock).made()
    site.put("photo", b"light")

    def report(what: str, done: int, total: int | None) -> None:
        if what == "files of media":
            clock.advance(121)

    with site.backups() as backups:
        with pytest.raises(BackupFailed, match="files may have been removed"):
            backups.take(report)
        assert backups.list() == []
        backups.take()
    assert left_over(site) == []


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, RuntimeError])
def test_an_end_from_outside_leaves_nothing(site: Site, error: type[BaseException]) -> None:
    """Given a backup that is stopped while it reads, when it ends, then nothing of it is left and the next is good."""
    site.put("photo", b"light")

    def stop(what: str, done: int, total: int | None) -> None:
        if what == "files of media":
            raise error

    with site.backups() as backups:
        with pytest.raises(error):
            backups.take(stop)
        assert backups.list() == []
        assert left_over(site) == []
        backups.take()


@pytest.mark.parametrize("inner", ["vault", "var"])
def test_what_may_not_be_among_the_files(site: Site, inner: str) -> None:
    """Given a directory that has the vault or the database in it, when a backup is taken, then it is refused."""
    with site.backups(directories={"all": site.root / inner / ".."}) as backups, pytest.raises(BackupFailed) as caught:
        backups.take()
    assert "has the" in str(caught.value)
    with site.backups(directories={"own": site.root / inner}) as backups, pytest.raises(BackupFailed) as caught:
        backups.take()
    assert ("the backups themselves" if inner == "vault" else "the database") in str(caught.value)


def test_what_is_left_out_is_told(site: Site) -> None:
    """Given a link and a pipe, when a backup is taken, then its notes say how many of them it lacks."""
    (site.media / "link").symlink_to("/etc/passwd")
    os.mkfifo(site.media / "pipe")
    with site.backups() as backups:
        taken = backups.take()
    assert taken.warnings == [
        "not in the backup, of media: sockets, pipes and devices, 1",
        "not in the backup, of media: symbolic links, 1",
    ]
    assert taken.manifest.notes == tuple(taken.warnings)


def test_a_file_that_goes_meanwhile_is_left_out(site: Site) -> None:
    """Given a file that goes after it was listed, when a backup is taken, then it is whole without it, and says so."""
    site.put("a", b"stays")
    gone = site.put("b", b"goes")
    with site.backups() as backups:
        taken = backups.take(lambda what, done, total: gone.unlink(missing_ok=True) if "files" in what else None)
        backups.verify()
    assert [entry.name for entry in taken.manifest.of_directory("media")] == ["files/media/a"]
    assert taken.warnings == ["not in the backup, of media: files that vanished, 1"]


def test_a_generated_key_is_warned_of(tmp_path: Path) -> None:
    """Given the key that development makes, when a backup is taken, then somebody is told to keep a copy of it."""
    settings = Settings(stack={"data_dir": tmp_path / "var", "environment": "development"})
    terms = terms_of(settings)
    assert terms.generated_key == tmp_path / "var" / "secret.key"
    assert terms.vault_directory == tmp_path / "var" / "backups"
    with Site(tmp_path).made().backups(generated_key=terms.generated_key) as backups:
        taken = backups.take()
    assert "secret.key, without which nobody can read it" in taken.warnings[0]
    own = settings.replace(backups={"keys": ["correct horse battery staple, 2026"]})
    assert terms_of(own).generated_key is None


def test_a_password_is_not_shown(tmp_path: Path) -> None:
    """Given terms with a password in a URL, when they are shown, then it is not there."""
    settings = Settings(
        database={"url": "mysql://me:hunter2@host/app"}, backups={"drill_url": "mysql://me:hunter2@h/d"}
    )
    assert "hunter2" not in repr(terms_of(settings))


def test_a_database_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """Given no database, when a backup is taken, then it says so, and none is made by asking."""
    site = Site(tmp_path)
    with site.backups(directories={}) as backups, pytest.raises(BackupFailed, match="there is no database"):
        backups.take()
    assert not site.path.exists()
    with site.backups() as backups, pytest.raises(BackupNotFound, match="postrmagic db backup"):
        backups.find()
    with pytest.raises(NotOpen):
        site.backups().take()


def test_a_workspace_that_is_none_is_told(site: Site) -> None:
    """Given a file where the workspace should be, when a backup is taken, then it says so, and the row does."""
    with site.backups(workspace=site.put("file", b"x")) as backups, pytest.raises(BackupFailed, match="cannot be used"):
        backups.take()
    assert site.rows("SELECT outcome FROM pm_backup_runs") == [("failed",)]


def test_what_killed_backups_left_is_removed(site: Site) -> None:
    """Given a snapshot and a part of a backup that was killed, when another is taken, then they are gone."""
    (site.path.parent / ".app.db.backup-0123.snapshot").write_bytes(b"half")
    (site.path.parent / ".app.db.backup-0123.snapshot.partial").write_bytes(b"half")
    site.take()
    assert left_over(site) == []


def test_a_damaged_database_is_backed_up_and_told(site: Site) -> None:
    """Given a database with a damaged index, when a backup is taken, then it warns, as it may be the last there is."""
    with closing(sqlite3.connect(site.path, isolation_level=None)) as connection:
        connection.execute("CREATE TABLE t (x)")
        connection.execute("INSERT INTO t VALUES (1)")
        connection.execute("PRAGMA writable_schema=ON")
        connection.execute("UPDATE sqlite_master SET sql = 'CREATE TABLE t (x NOT NULL)' WHERE name = 't'")
        connection.execute("INSERT INTO t VALUES (NULL)")
    with site.backups() as backups:
        taken = backups.take()
    assert any("SQLite finds fault" in each for each in taken.warnings)


def test_strange_tables_are_counted(site: Site, tmp_path: Path) -> None:
    """Given tables with any name, of full text and without a rowid, when a backup is taken, then each is counted."""
    with closing(sqlite3.connect(site.path, isolation_level=None)) as connection:
        for name in ('a"b', "select", "ünïcode 🎉", "sqlitex", "no_alembic_version"):
            connection.execute(f"""CREATE TABLE "{name.replace('"', '""')}" (x)""")
        connection.execute("INSERT INTO [select] VALUES (1)")
        connection.execute("CREATE VIRTUAL TABLE texts USING fts5(body)")
        connection.execute("INSERT INTO texts VALUES ('hello')")
        connection.execute("CREATE VIEW seen AS SELECT * FROM nowhere")
    with site.backups() as backups:
        facts = backups.take().manifest.database
    assert facts.tables["select"] == 1
    assert {'a"b', "ünïcode 🎉", "sqlitex", "blobs"} <= facts.tables.keys()
    assert "texts" not in facts.tables
    assert facts.tables["texts_content"] == 1
    assert not {"seen", "sqlite_schema"} & facts.tables.keys()
    assert facts.revisions["no_alembic_version"] == ()
    with open_target(site.url, workspace=tmp_path) as target:
        assert target.counted() == dict(facts.tables) | {"pm_backup_runs": 1}


def test_a_full_disk_leaves_older_backups_as_they_were(site: Site, small_disk: Path) -> None:
    """Given a vault on a disk that is full, when a backup is taken, then it fails, and the older one is whole."""
    from tests.disks import Ballast

    site.vault = type(site.vault).from_url((small_disk / "vault").as_uri())
    site.put("photo", noise(3 << 20))
    first = site.take()
    ballast = Ballast(small_disk, 2 << 20)
    ballast.load()
    with site.backups() as backups:
        with pytest.raises(OutOfSpace):
            backups.take()
        assert [each.name for each in backups.list()] == [first]
        backups.verify()
        ballast.drop()
        backups.take()


def test_a_workspace_that_is_full_is_told(site: Site, small_disk: Path) -> None:
    """Given no room for the copy of the database, when a backup is taken, then it says so, before it reads any."""
    from tests.disks import Ballast

    ballast = Ballast(small_disk, 1 << 12)
    ballast.load()
    with site.backups(workspace=small_disk) as backups, pytest.raises(OutOfSpace):
        backups.take()
    assert [path.name for path in small_disk.iterdir()] == ["ballast"]


def test_a_vault_that_fails_at_the_end_has_no_backup(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a vault that cannot store the file in the end, when a backup is taken, then it has failed, and says so."""

    @contextlib.contextmanager
    def create(name: str) -> Any:
        yield io.BytesIO()
        raise OutOfSpace("there is no room")

    class Failing:
        def list(self) -> list[Any]:
            return []

    failing = Failing()
    failing.create = create  # type: ignore[attr-defined]  # as a vault has it
    site.vault = failing  # type: ignore[assignment]  # enough of one
    with site.database() as database, site.backups(database) as backups:
        with pytest.raises(OutOfSpace):
            backups.take()
        assert [row.outcome for row in database.rows(select(runs))] == ["failed"]


def test_retention_removes_what_no_rule_keeps(tmp_path: Path) -> None:
    """Given backups of ten days and other files, when they are thinned out, then the rules decide, files stay."""
    from postrmagic_core.backups import Retention

    clock = FakeClock()
    site = Site(tmp_path, clock).made()
    with site.backups(retention=Retention(1, 3, 0, 0)) as backups:
        names = []
        for _ in range(5):
            names.append(backups.take().name)
            clock.advance(86_400)
        (tmp_path / "vault" / "notes.txt").write_text("mine")
        assert backups.prune(dry=True) == names[:2]
        assert len(backups.list()) == 5
        assert backups.prune() == names[:2]
        assert backups.prune() == []
        assert [each.name for each in backups.list()] == names[:1:-1]
        assert backups.list()[0].taken_at == from_us(clock.now_us() - 86_400 * 1_000_000)
    assert (tmp_path / "vault" / "notes.txt").exists()


def test_names_of_directories(site: Site) -> None:
    """Given a directory that the application adds, when its name is wrong or taken, then that is refused."""
    with site.backups() as backups:
        for name in ("", "A", "a/b", "..", "a b", "é", "a" * 65, "-a"):
            with pytest.raises(UsageError):
                backups.add_directory(name, site.media)
        with pytest.raises(UsageError, match=r"names .*media already"):
            backups.add_directory("media", site.root)
        backups.add_directory("media", site.media)
        backups.add_directory("more-media_2", site.root / "more")
        assert list(backups.directories) == ["media", "more-media_2"]


def test_the_hold_is_confirmed_before_the_backup_has_its_name(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a backup, when its hold is confirmed, then all is read, and it is not among the backups yet."""
    confirm, seen = Hold.confirm, []

    def confirmed(hold: Hold) -> None:
        seen.append([each.name for each in backups.list()])
        confirm(hold)

    monkeypatch.setattr(Hold, "confirm", confirmed)
    with site.backups() as backups:
        backups.take()
        assert seen == [[]]


def test_threads_that_write_do_not_disturb_it(site: Site) -> None:
    """Given a thread that writes all the time, when a backup is taken, then neither waits for the other's end."""
    stop, written = threading.Event(), []

    def write() -> None:
        with site.database() as database:
            while not stop.is_set():
                with database.write() as tx:
                    tx.connection.exec_driver_sql("UPDATE accounts SET balance = balance + 1 WHERE id = 1")
                written.append(1)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        with site.backups() as backups:
            before = len(written)
            backups.take()
            assert len(backups.list()) == 1
            assert len(written) > before
    finally:
        stop.set()
        thread.join()

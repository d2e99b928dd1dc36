"""A backup on its way back: asked first, refused where it would hurt, gone on with after a kill."""

from __future__ import annotations

import os
import shutil
import sqlite3
import threading
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from postrmagic_core._crypto import KeyRing
from postrmagic_core.backups import placing
from postrmagic_core.backups.dumps import open_target
from postrmagic_core.backups.dumps.sqlite import SqliteTarget
from postrmagic_core.errors import BackupDamaged, BackupKeyUnknown, BackupNotFound, OutOfSpace, RestoreRefused
from tests.backups.site import ACCOUNTS, BALANCE, CountedVault, Site, noise

LARGE = 300_000
TOTAL = "SELECT sum(balance) FROM accounts"


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """An application with a few files."""
    site = Site(tmp_path).made()
    site.put("a/photo", b"light")
    site.put("empty", b"")
    site.put("large", noise(LARGE))
    return site


def sql(site: Site, statement: str) -> None:
    """Change the database."""
    with closing(sqlite3.connect(site.path, isolation_level=None)) as connection:
        connection.execute(statement)


def test_after_total_loss(site: Site) -> None:
    """Given neither a database nor files any more, when a backup is restored, then everything is there again."""
    before = site.contents()
    site.take()
    site.lose()
    site.media.rename(site.root / "gone")
    with site.backups() as backups:
        plan = backups.plan_restore()
        assert plan.standing is not None
        assert (dict(plan.standing.tables), plan.standing.users, plan.standing.begun) == ({}, 0, None)
        (media,) = plan.directories
        assert (media.new, media.differing, media.same, media.left) == (3, 0, 0, 0)
        assert media.size == LARGE + 5
        assert not plan.replaces
        backups.restore(plan)
    assert site.rows(TOTAL) == [(ACCOUNTS * BALANCE,)]
    assert site.contents() == before
    assert site.path.stat().st_mode & 0o777 == 0o600
    assert (site.media / "a").stat().st_mode & 0o777 == 0o700
    assert (site.media / "a/photo").stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in site.path.parent.glob(".*")) == []


def test_over_what_is_there(site: Site) -> None:
    """Given a database and files that changed, when a backup is restored, then it tells what goes, and that is kept."""
    before = site.contents()
    site.take()
    sql(site, "DELETE FROM accounts")
    sql(site, "CREATE TABLE later (x)")
    site.put("a/photo", b"dark!").chmod(0o640)
    site.put("large", b"short")
    (site.media / "empty").unlink()
    site.put("later", b"new")
    with site.backups() as backups:
        plan = backups.plan_restore()
        assert plan.replaces
        assert plan.standing is not None
        assert plan.standing.tables["accounts"] == 0
        (media,) = plan.directories
        assert (media.new, media.differing, media.same, media.left) == (1, 2, 0, 1)
        backups.restore(plan)
    assert site.rows(TOTAL) == [(ACCOUNTS * BALANCE,)]
    assert ("later",) not in site.rows("SELECT name FROM sqlite_master")
    assert site.contents().items() - before.items() == {("later", site.contents()["later"])}
    assert (site.media / "a/photo").stat().st_mode & 0o777 == 0o640
    (kept,) = site.path.parent.glob("app.db.replaced-*")
    with closing(sqlite3.connect(kept)) as connection:
        assert connection.execute("SELECT count(*) FROM accounts").fetchone() == (0,)


def test_only_what_is_asked_for(site: Site, tmp_path: Path) -> None:
    """Given a backup, when the files alone or the database alone are restored elsewhere, then nothing else changes."""
    name = site.take()
    sql(site, "DELETE FROM accounts")
    there = tmp_path / "beside"
    with site.backups() as backups:
        backups.restore(backups.plan_restore(name, database=False, directories={"media": there}))
        assert (there / "a/photo").read_bytes() == b"light"
        backups.restore(backups.plan_restore(database_url=f"sqlite:///{tmp_path}/new/beside.db", directories={}))
    assert site.rows("SELECT count(*) FROM accounts") == [(0,)]
    with open_target(f"sqlite:///{tmp_path}/new/beside.db", workspace=tmp_path) as target:
        assert target.counted()["accounts"] == ACCOUNTS
        assert target.faults() == []


def test_a_restored_database_can_be_backed_up_at_once(site: Site) -> None:
    """Given a backup that was under way when it was read, when it is restored, then it does not hold the next one."""
    name = site.take()
    site.restore()
    with closing(sqlite3.connect(site.path)) as connection:
        told = "SELECT kind, outcome, backup FROM pm_backup_runs WHERE ended_us IS NOT NULL"
        assert connection.execute(told).fetchall() == [("backup", "done", name)]
    site.take()


def test_a_backup_under_the_name_of_a_newer_one_is_found_out(site: Site) -> None:
    """Given an old backup that somebody renamed as a new one, when it is read, then it says of when it is."""
    name = site.take()
    (site.root / "vault" / name).rename(site.root / "vault" / name.replace("postrmagic-20", "postrmagic-30"))
    with site.backups() as backups:
        for read in (backups.verify, backups.plan_restore):
            with pytest.raises(BackupDamaged, match=r"was renamed: it is of 20\d\d-"):
                read()


def test_where_files_belong_has_to_be_known(site: Site) -> None:
    """Given a backup with a directory that no setting names, when it is to be restored, then it says what to do."""
    site.take()
    with site.backups(directories={}) as backups:
        with pytest.raises(RestoreRefused, match=r"files of media.*--files"):
            backups.plan_restore()
        backups.plan_restore(directories={})
        with pytest.raises(RestoreRefused, match="no directory other; it has media"):
            backups.plan_restore(directories={"other": site.media})


def test_the_wrong_key_and_name_say_so(site: Site) -> None:
    """Given another key, or a name that is not there, when a backup is to be restored, then it says that."""
    site.take()
    with site.backups() as backups, pytest.raises(BackupNotFound, match="postrmagic-x"):
        backups.plan_restore("postrmagic-x")
    site.keys = KeyRing(["another horse battery staple, 2026"])
    with site.backups() as backups, pytest.raises(BackupKeyUnknown):
        backups.plan_restore()


def test_while_the_application_runs_it_is_refused(site: Site) -> None:
    """Given an application that has its database open, when a backup is to be restored, then nothing is changed."""
    site.take()
    with site.backups() as backups:
        unused = backups.plan_restore()
        site.put("a/photo", b"dark!")
        with site.database() as database:
            with database.read() as tx:
                tx.connection.exec_driver_sql("SELECT 1 FROM accounts").all()
            plan = backups.plan_restore()
            assert plan.standing is not None
            assert plan.standing.users == 1
            for each in (plan, unused):
                with pytest.raises(RestoreRefused, match="1 others use the database: stop the application"):
                    backups.restore(each)
        assert (site.media / "a/photo").read_bytes() == b"dark!"
        backups.restore(backups.plan_restore())
    assert (site.media / "a/photo").read_bytes() == b"light"


def test_a_database_that_changed_since_it_was_looked_at_is_not_replaced(site: Site) -> None:
    """Given a plan, when rows were added since somebody said yes to it, then it is refused, and nothing is lost."""
    site.take()
    with site.backups() as backups:
        plan = backups.plan_restore()
        sql(site, "INSERT INTO accounts VALUES (999, 1)")
        with pytest.raises(RestoreRefused, match="look again"):
            backups.restore(plan)
    assert site.rows("SELECT count(*) FROM accounts WHERE id = 999") == [(1,)]


def test_another_kind_of_database_is_refused(site: Site) -> None:
    """Given a backup of a server, when it is to be restored into a file, then the way that works is named."""
    site.take()
    with site.backups() as backups:
        manifest = backups.find()[0].manifest
    with open_target(site.url, workspace=site.root) as target, pytest.raises(RestoreRefused, match="db transfer"):
        target.look(replace(manifest, database=replace(manifest.database, kind="mariadb")))


def test_a_killed_restore_goes_on_where_it_was(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a restore that was killed halfway, when it is run again, then what is done is not read from the vault."""
    sql(site, "CREATE TABLE pad (x)")
    sql(site, "INSERT INTO pad VALUES (randomblob(6000000))")
    site.take()
    site.lose()
    for path in ("large", "a/photo"):
        (site.media / path).unlink()
    site.vault = vault = CountedVault(site.vault)  # type: ignore[assignment]  # one that counts

    class Killed(BaseException):
        pass

    def die(what: str, done: int, total: int | None) -> None:
        if what == "database" and done >= 4 << 20:
            raise Killed

    with site.backups() as backups:
        with pytest.raises(Killed):
            backups.restore(backups.plan_restore(), die)
        whole, vault.bytes = vault.bytes, 0
        assert not site.path.exists()
        plan = backups.plan_restore()
        assert plan.standing is not None
        assert plan.standing.begun == plan.manifest.id
        assert (plan.directories[0].same, plan.directories[0].size) == (3, 0)
        backups.restore(plan)
    assert vault.bytes < 4 << 20 < whole
    assert site.rows("SELECT length(x) FROM pad") == [(6_000_000,)]
    assert sorted(path.name for path in site.path.parent.glob(".*")) == []


@pytest.mark.parametrize("damage", ["cut", "flip", "longer"])
def test_a_draft_that_was_damaged_is_made_anew(site: Site, damage: str) -> None:
    """Given a draft that is not what was written, when the restore is run again, then the database is right."""
    site.take()
    with site.backups() as backups:
        archive, _ = backups.find()
        entry = archive.manifest.of_database()[0]
        content = bytearray(b"".join(archive.blocks(entry)))
        draft = site.path.with_name(f".app.db.{archive.manifest.id}.restoring")
        content[5000] ^= 1 if damage == "flip" else 0
        draft.write_bytes(content[:-100] if damage == "cut" else bytes(content) + b"x" * (damage == "longer"))
        backups.restore(backups.plan_restore())
    assert site.rows(TOTAL) == [(ACCOUNTS * BALANCE,)]


def test_a_half_written_draft_with_a_wrong_byte_is_found_at_the_end(site: Site) -> None:
    """Given half a draft with a byte that the disk lost, when it is gone on with, then it is found, and then mended."""
    site.take()
    with site.backups() as backups:
        archive, _ = backups.find()
        content = bytearray(b"".join(archive.blocks(archive.manifest.of_database()[0])))
        content[5000] ^= 1
        site.path.with_name(f".app.db.{archive.manifest.id}.restoring").write_bytes(content[: len(content) // 2])
        with pytest.raises(BackupDamaged, match="run it again"):
            backups.restore(backups.plan_restore())
        backups.restore(backups.plan_restore())
    assert site.rows(TOTAL) == [(ACCOUNTS * BALANCE,)]


def test_a_name_that_looks_like_a_pattern_is_a_name(site: Site, tmp_path: Path) -> None:
    """What was begun is found beside a file whose name has brackets."""
    site.take()
    with site.backups() as backups:
        manifest = backups.find()[0].manifest
    (tmp_path / f".app[1].db.{manifest.id}.restoring").touch()
    target = SqliteTarget(f"sqlite:///{tmp_path}/app[1].db", tmp_path)
    assert target.look(manifest).begun == manifest.id


def test_two_restores_at_once_are_one(site: Site) -> None:
    """Given a restore under way, when another begins, then it is refused and the first ends whole."""
    site.take()
    site.lose()
    refused: list[RestoreRefused] = []
    with site.backups() as backups:
        other = backups.plan_restore()

        def report(what: str, done: int, total: int | None) -> None:
            if what == "database" and not refused:
                with pytest.raises(RestoreRefused, match="by another process") as caught:
                    backups.restore(other)
                refused.append(caught.value)

        backups.restore(backups.plan_restore(), report)
    assert refused
    assert site.rows(TOTAL) == [(ACCOUNTS * BALANCE,)]


def test_a_restore_of_another_backup_is_not_disturbed(site: Site) -> None:
    """Given a restore under way, when an older backup is to be restored there, then that is refused."""
    older, newer = site.take(), site.take()
    site.lose()
    refused: list[RestoreRefused] = []
    with site.backups() as backups:
        other = backups.plan_restore(older)

        def report(what: str, done: int, total: int | None) -> None:
            if what == "database" and not refused:
                with pytest.raises(RestoreRefused, match="another backup is being restored") as caught:
                    backups.restore(other)
                refused.append(caught.value)

        backups.restore(backups.plan_restore(newer), report)
        assert refused
        site.path.with_name(f".app.db.{'0a' * 16}.restoring").write_bytes(b"of one that was killed")
        backups.restore(backups.plan_restore(older))
    assert sorted(path.name for path in site.path.parent.glob(".*")) == []


def test_a_database_that_was_damaged_when_it_was_backed_up_replaces_nothing(site: Site) -> None:
    """Given a backup of a database that SQLite finds fault with, when it is restored, then what is there stays."""
    sql(site, "CREATE TABLE t (x)")
    with closing(sqlite3.connect(site.path, isolation_level=None)) as connection:
        connection.execute("PRAGMA writable_schema=ON")
        connection.execute("UPDATE sqlite_master SET sql = 'CREATE TABLE t (x NOT NULL)' WHERE name = 't'")
        connection.execute("INSERT INTO t VALUES (NULL)")
    site.take()
    sql(site, "DROP TABLE t")
    with site.backups() as backups, pytest.raises(RestoreRefused, match="Restore an older backup"):
        backups.restore(backups.plan_restore())
    assert ("t",) not in site.rows("SELECT name FROM sqlite_master")


def test_a_damaged_backup_replaces_nothing(site: Site, tmp_path: Path) -> None:
    """Given a byte of the database that was flipped in the vault, when it is restored, then the old one stands."""
    name = site.take()
    file = tmp_path / "vault" / name
    content = bytearray(file.read_bytes())
    content[200] ^= 1
    file.write_bytes(content)
    before = site.path.read_bytes()
    with site.backups() as backups, pytest.raises(BackupDamaged):
        backups.restore(backups.plan_restore())
    assert site.path.read_bytes() == before


@pytest.mark.parametrize("way", ["directory", "link", "pipe", "link above"])
def test_what_is_in_the_way_of_a_file_is_refused(site: Site, tmp_path: Path, way: str) -> None:
    """Given a link, a pipe or a directory where a file belongs, when it is restored, then nothing is written there."""
    site.take()
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "photo").write_text("private")
    (site.media / "a/photo").unlink()
    if way == "directory":
        (site.media / "a/photo").mkdir()
    elif way == "link":
        (site.media / "a/photo").symlink_to(outside / "photo")
    elif way == "pipe":
        os.mkfifo(site.media / "a/photo")
    else:
        (site.media / "a").rmdir()
        (site.media / "a").symlink_to(outside)
    with site.backups() as backups, pytest.raises(RestoreRefused, match="move that away"):
        backups.restore(backups.plan_restore())
    assert (outside / "photo").read_text() == "private"
    assert sorted(path.name for path in outside.iterdir()) == ["photo"]


@pytest.mark.parametrize("way", ["link", "link above"])
def test_a_link_that_comes_after_the_plan_is_not_followed(site: Site, tmp_path: Path, way: str) -> None:
    """Given a link made after somebody looked, when files are restored, then nothing outside is written."""
    site.take()
    (site.media / "a/photo").unlink()
    outside = tmp_path / "outside"
    outside.mkdir()
    with site.backups() as backups:
        plan = backups.plan_restore()
        if way == "link":
            (site.media / "a/photo").symlink_to(outside / "photo")
        else:
            (site.media / "a").rmdir()
            (site.media / "a").symlink_to(outside)
        with pytest.raises(RestoreRefused, match="move that away"):
            backups.restore(plan)
    assert list(outside.iterdir()) == []


def test_a_file_that_changed_after_the_plan_is_restored(site: Site) -> None:
    """Given a file that was the same when somebody looked, when it then changes, then it is restored nevertheless."""
    site.take()
    with site.backups() as backups:
        plan = backups.plan_restore()
        site.put("a/photo", b"dark!")
        backups.restore(plan)
    assert (site.media / "a/photo").read_bytes() == b"light"


def test_a_directory_named_by_a_link_is_used(site: Site) -> None:
    """Given a directory that is a link to a larger disk, when it is backed up and restored, then it stays one."""
    (site.root / "disk").mkdir()
    site.media.rename(site.root / "disk/media")
    site.media.symlink_to(site.root / "disk/media")
    site.take()
    (site.media / "a/photo").unlink()
    site.restore()
    assert site.media.is_symlink()
    assert (site.root / "disk/media/a/photo").read_bytes() == b"light"


def test_long_names_and_many_files_are_restored(site: Site) -> None:
    """Given names of 255 bytes and of every character, when they are restored, then each is there."""
    names = ["n" * 255, "🎉" * 63, "ü" * 127, ' "quoted" \n\t\r$`;', "-rf", "~", "#", "x" * 90 + "/" + "y" * 200]
    for name in names:
        site.put(name, name.encode())
    for number in range(200):
        site.put(f"many/{number % 7}/{number}", str(number).encode())
    before = site.contents()
    site.take()
    for path in sorted(site.media.rglob("*")):
        if path.is_file():
            path.unlink()
    site.restore()
    assert site.contents() == before


@pytest.mark.parametrize("what", ["files", "database"])
def test_what_has_no_room_is_not_begun(site: Site, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a disk with less room than is needed, when a backup is restored, then it says so, and begins nothing."""
    site.take()
    site.lose()
    (site.media / "large").unlink()
    free = shutil.disk_usage(site.root)._replace(free=LARGE - 1)
    with site.backups() as backups:
        plan = backups.plan_restore(database=what == "database", directories={} if what == "database" else None)
        monkeypatch.setattr(shutil, "disk_usage", lambda _: free)
        with pytest.raises(OutOfSpace, match="MiB are to be written"):
            backups.restore(plan)
    assert not site.path.exists()
    assert not (site.media / "large").exists()


def test_no_room_is_told_before_anything_is_written(site: Site, small_disk: Path) -> None:
    """Given a disk without room, when a backup is restored there, then it says so and the disk has what it had."""
    from tests.disks import Ballast

    site.take()
    ballast = Ballast(small_disk, 200_000)
    ballast.load()
    with site.backups() as backups:
        with pytest.raises(OutOfSpace, match="MiB"):
            backups.restore(backups.plan_restore(directories={"media": small_disk / "media"}))
        ballast.drop()
        Ballast(small_disk, 100_000).load()
        plan = backups.plan_restore(database_url=f"sqlite:///{small_disk}/app.db", directories={})
        with pytest.raises(OutOfSpace, match="MiB"):
            backups.restore(plan)
    assert not (small_disk / "app.db").exists()


def test_a_disk_that_fills_up_meanwhile_is_gone_on_with(
    site: Site, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a disk that fills up while files are restored, when there is room again, then it goes on."""
    from tests.disks import Ballast

    site.take()
    ballast = Ballast(small_disk, 200_000)
    ballast.load()
    from postrmagic_core.backups import restoring

    monkeypatch.setattr(restoring, "check_room", lambda *_: None)
    there = {"media": small_disk / "media"}
    with site.backups() as backups:
        with pytest.raises(OutOfSpace, match="goes on where it was"):
            backups.restore(backups.plan_restore(database=False, directories=there))
        assert [path.name for path in (small_disk / "media").rglob("*.restoring")] == []
        ballast.drop()
        plan = backups.plan_restore(database=False, directories=there)
        assert plan.directories[0].same == 2
        backups.restore(plan)


def test_a_reader_sees_the_old_file_or_the_new_one(site: Site) -> None:
    """Given somebody who opens a file all the time, when it is restored, then it is never missing, nor half."""
    site.put("large", b"a" * (2 << 20))
    site.take()
    site.put("large", b"b" * (2 << 20))
    stop, seen = threading.Event(), set()

    def look() -> None:
        while not stop.is_set():
            content = (site.media / "large").read_bytes()
            seen.add((len(content), content[:1], content[-1:]))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        site.restore()
    finally:
        stop.set()
        thread.join()
    assert seen <= {(2 << 20, b"a", b"a"), (2 << 20, b"b", b"b")}


def test_faults_of_a_database_are_named(site: Site, tmp_path: Path) -> None:
    """Given a row that names one that is not there, when the database is asked for faults, then it is told."""
    sql(site, "CREATE TABLE child (id INTEGER PRIMARY KEY, account REFERENCES accounts)")
    sql(site, "INSERT INTO child VALUES (7, 12345)")
    with open_target(site.url, workspace=tmp_path) as target:
        assert target.faults() == ["a row of child (rowid 7) names a row of accounts that is not there"]


def test_an_empty_database_comes_back(tmp_path: Path) -> None:
    """Given a plan of a file of no bytes in the way, when a backup is restored, then it takes its place."""
    site = Site(tmp_path).made()
    site.take()
    site.lose()
    site.path.write_bytes(b"")
    site.restore()
    assert site.rows(TOTAL) == [(ACCOUNTS * BALANCE,)]


def test_the_order_is_files_first(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given files that cannot be restored, when a restore fails there, then the database is as it was."""
    site.take()
    sql(site, "DELETE FROM accounts")
    (site.media / "a/photo").unlink()

    def fail(*_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(placing, "write_all", fail)
    with site.backups() as backups, pytest.raises(Exception, match="Input/output error"):
        backups.restore(backups.plan_restore())
    assert site.rows("SELECT count(*) FROM accounts") == [(0,)]

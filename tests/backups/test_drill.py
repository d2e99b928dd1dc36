"""A drill proves that a backup restores, names what is wrong with one that does not, and leaves nothing."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from sqlalchemy import Column, ForeignKey, Integer, MetaData, String, Table, select, text

from postrmagic_core._crypto import KeyRing
from postrmagic_core.backups import Backups, BackupTerms
from postrmagic_core.backups.drill import drill, tried
from postrmagic_core.backups.tables import runs
from postrmagic_core.backups.vaults.directory import DirectoryVault
from postrmagic_core.database import DatabaseManager
from postrmagic_core.errors import BackupError, ConfigurationError, DrillFailed, PostrMagicError
from postrmagic_core.flags.tables import flags
from postrmagic_core.testing.servers import MariaDBServer
from tests.copies import packaged
from tests.databases import KINDS, empty_database
from tests.disks import Ballast

metadata = MetaData()
users = Table("users", metadata, Column("id", Integer, primary_key=True), mysql_engine="InnoDB")
media = Table(
    "media",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("user_id", Integer, ForeignKey("users.id"), nullable=False),
    Column("name", String(64), nullable=False),
    mysql_engine="InnoDB",
)
KEY = "a key of the tests, of 32 characters or more"
FILES = {"one.jpeg": b"first", "deep/two.jpeg": b"second" * 40_000, "empty": b""}


@dataclass
class Shop:
    """An application that is backed up: its database, its files and its backups."""

    directory: Path
    database: DatabaseManager
    backups: Backups

    @property
    def files(self) -> Path:
        """The directory of its files."""
        return self.directory / "media"

    @property
    def drills(self) -> list[dict[str, Any]]:
        """What is noted of drills, the newest last."""
        with self.database.read() as tx:
            rows = tx.execute(select(runs).where(runs.c.kind == "drill").order_by(runs.c.began_us)).mappings()
            return [dict(row) | {"detail": json.loads(row["detail"])} for row in rows]

    def left(self) -> list[str]:
        """What is left of drills: directories, and databases of a server."""
        found = [path.name for path in (self.directory / "work" / "drills").glob("*")]
        if self.database.dialect != "sqlite":
            with self.database.read() as tx:
                name = urlsplit(self.backups.terms.database_url).path[1:]
                found += [each for each in tx.scalars(text("SHOW DATABASES")) if each.startswith(f"{name}_")]
        return found


@pytest.fixture(params=KINDS)
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shop]:
    """One with two users, three media and three files, on each kind of database."""
    with empty_database(request.param, request, tmp_path) as url, opened(url, tmp_path) as made:
        yield made


@pytest.fixture
def file_shop(tmp_path: Path) -> Iterator[Shop]:
    """The same on SQLite."""
    with opened(f"sqlite:///{tmp_path}/app.db", tmp_path) as made:
        yield made


@contextmanager
def opened(url: str, directory: Path) -> Iterator[Shop]:
    """A shop at ``url``, open."""
    packaged(url)
    for name, content in FILES.items():
        path = directory / "media" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    terms = BackupTerms(
        database_url=url, directories={"media": directory / "media"}, workspace=directory / "work", how="own"
    )
    vault = DirectoryVault.from_url(f"file://{directory}/vault")
    with DatabaseManager(url) as database:
        with database.write() as tx:
            metadata.create_all(tx.connection)
            tx.execute(users.insert(), [{"id": 1}, {"id": 2}])
            rows = [{"id": number, "user_id": 1 + number % 2, "name": name} for number, name in enumerate(FILES, 1)]
            tx.execute(media.insert(), rows)
        with Backups(terms, database=database, vault=vault, keys=KeyRing([KEY])) as backups:
            yield Shop(directory, database, backups)


def test_a_good_backup_restores(shop: Shop) -> None:
    """Every table, row and file is as it was; it is noted with its times, and nothing of it is left."""
    taken = shop.backups.take()
    with shop.database.write() as tx:
        tx.execute(media.delete())
    reported: list[str] = []
    done = drill(shop.backups, lambda what, done, total: reported.append(what))
    assert (done.backup, done.good, done.kept) == (taken.name, True, None)
    assert done.tables == len(taken.manifest.database.tables)
    assert done.rows == sum(taken.manifest.database.tables.values()) >= 5
    assert (done.files, done.bytes) == (3, sum(map(len, FILES.values())))
    assert 0 < done.restore_seconds <= done.seconds
    assert shop.left() == []
    (row,) = shop.drills
    assert (row["outcome"], row["backup"]) == ("done", taken.name)
    assert row["detail"]["faults"] == []
    assert row["detail"]["restore_seconds"] > 0
    assert row["ended_us"] >= row["began_us"]
    assert "comparing files of media" in reported
    with shop.database.read() as tx:  # what runs was not touched
        assert tx.scalar(select(media.c.id)) is None


def test_the_application_is_asked(shop: Shop) -> None:
    """It is given what was restored, open, and what it says is a fault; so is what it raises."""
    seen: list[list[str]] = []

    @shop.backups.check
    def every_row_has_its_file(database: DatabaseManager, directories: Mapping[str, Path]) -> Sequence[str]:
        names = [row.name for row in database.rows(select(media.c.name).order_by(media.c.id))]
        seen.append(names)
        return [name for name in names if not (directories["media"] / name).is_file()]

    shop.backups.take()
    assert tried(shop.backups).good
    assert seen == [[*FILES]]
    (shop.files / "one.jpeg").unlink()
    shop.backups.check(lambda database, directories: [str(1 // len(seen[9:]))])
    taken = shop.backups.take()
    with pytest.raises(DrillFailed, match=r"one\.jpeg; the check .* raised ZeroDivisionError"):
        drill(shop.backups, name=taken.name)
    assert shop.left() == []
    assert [row["outcome"] for row in shop.drills] == ["done", "failed"]


def test_what_differs_is_named(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that are fewer, a table too many, one that is missing, files that are not what they were."""
    shop.backups.take()
    restore = Backups.restore

    def badly(self: Backups, plan: Any, report: Any) -> None:
        restore(self, plan, report)
        with DatabaseManager(plan.database_url) as database, database.write() as tx:
            tx.execute(media.delete().where(media.c.id == 1))
            tx.execute(text("CREATE TABLE another (a INTEGER)"))
            tx.execute(text("DROP TABLE pm_errors"))
        (directory,) = [each.path for each in plan.directories]
        (directory / "one.jpeg").write_bytes(b"fIrst")
        (directory / "empty").unlink()

    monkeypatch.setattr(Backups, "restore", badly)
    found = tried(shop.backups)
    assert set(found.faults) == {
        "table pm_errors is missing",
        "table another was not backed up",
        "table media has 2 rows, and had 3",
        "file files/media/one.jpeg is not what it was",
        "file files/media/empty is missing",
    }
    assert shop.drills[-1]["detail"]["faults"] == list(found.faults)
    assert shop.left() == []


def test_a_database_that_is_broken_in_itself_is_found(file_shop: Shop) -> None:
    """A row that names a row which is not there was like that before it was backed up, and is no less wrong."""
    with file_shop.database.write() as tx:
        tx.execute(text("CREATE TABLE child (p INTEGER REFERENCES users (id))"))
    with closing(sqlite3.connect(file_shop.directory / "app.db")) as connection, connection:
        connection.execute("INSERT INTO child VALUES (99)")
    file_shop.backups.take()
    (fault,) = tried(file_shop.backups).faults
    assert "child" in fault
    assert "users" in fault


def test_a_schema_that_this_code_does_not_know_is_a_fault(file_shop: Shop) -> None:
    """Restored in an emergency, the application would not start on it."""
    with file_shop.database.write() as tx:
        tx.execute(text("UPDATE pm_alembic_version SET version_num = '9999'"))
    file_shop.backups.take()
    (fault,) = tried(file_shop.backups).faults
    assert fault == "its package tables are at revision 9999, which this code does not know"


def test_a_backup_of_an_earlier_release_is_brought_to_this_one(file_shop: Shop) -> None:
    """As in an emergency: what this code asks of the tables they have by then."""
    with file_shop.database.write() as tx:
        for statement in ("DROP TABLE pm_flags", "UPDATE pm_alembic_version SET version_num = '0121'"):
            tx.execute(text(statement))
    file_shop.backups.take()
    file_shop.backups.check(lambda database, _: [row.name for row in database.rows(select(flags.c.name))])
    done = tried(file_shop.backups)
    assert done.faults == ()
    with pytest.raises(PostrMagicError):  # what runs was not touched
        list(file_shop.database.rows(select(flags.c.name)))


def test_a_schema_that_cannot_be_brought_to_this_release_is_a_fault(file_shop: Shop) -> None:
    """Here a table is missing that a revision alters."""
    with file_shop.database.write() as tx:
        for statement in ("DROP TABLE pm_survey_answers", "UPDATE pm_alembic_version SET version_num = '0118'"):
            tx.execute(text(statement))
    file_shop.backups.take()
    (fault,) = tried(file_shop.backups).faults
    assert fault.startswith("its schema cannot be brought to this release: backend.rejected")


def test_a_damaged_backup_fails_the_drill(shop: Shop) -> None:
    """So does one whose key is gone, and that there is none; each is noted and says what it is."""
    assert tried(shop.backups).faults == ("backup.not_found: there is no backup: take one with `postrmagic db backup`",)
    taken = shop.backups.take()
    path = shop.directory / "vault" / taken.name
    whole = path.read_bytes()
    for place in (60, len(whole) // 2, len(whole) - 30):
        path.chmod(0o600)
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        (fault,) = tried(shop.backups).faults
        assert fault.startswith("backup.damaged: ")
    path.write_bytes(whole)
    shop.backups.keys = KeyRing(["another key of the tests, as long as that"])
    (fault,) = tried(shop.backups).faults
    assert fault.startswith("backup.key_unknown: ")
    assert [row["outcome"] for row in shop.drills] == ["failed"] * 5
    assert shop.left() == []


def test_files_can_be_checked_without_being_written(shop: Shop) -> None:
    """For want of room: they are read, and damage in them is found; the application's checks get no directories."""
    given: list[Mapping[str, Path]] = []

    @shop.backups.check
    def look(database: DatabaseManager, directories: Mapping[str, Path]) -> Sequence[str]:
        given.append(directories)
        return []

    shop.backups.take()
    assert tried(shop.backups, files=False).good
    assert given == [{}]
    assert shop.left() == []


def test_a_drill_that_does_not_fit_writes_nothing(file_shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says how much it needs, and what to do."""
    file_shop.backups.take()
    monkeypatch.setattr("postrmagic_core.backups.drill.shutil.disk_usage", lambda _: shutil._ntuple_diskusage(9, 8, 1))
    monkeypatch.setattr(Backups, "restore", lambda *_: pytest.fail("it was restored"))
    (fault,) = tried(file_shop.backups).faults
    assert "make room, or leave the files out with --no-files" in fault
    assert file_shop.left() == []


def test_a_disk_that_fills_up_meanwhile_is_a_fault(
    file_shop: Shop, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever took the room: it is named, and what the drill took is given back."""
    for number in range(40):
        (file_shop.files / f"{number}.bin").write_bytes(bytes([number]) * 100_000)
    taken = file_shop.backups.take()
    file_shop.backups.terms = replace(file_shop.backups.terms, workspace=small_disk)
    monkeypatch.setattr("postrmagic_core.backups.drill._ensure_room", lambda *_, **__: None)
    monkeypatch.setattr("postrmagic_core.backups.restoring.check_room", lambda *_: None)
    ballast = Ballast(small_disk, 1_000_000)
    ballast.load()
    (fault,) = tried(file_shop.backups, name=taken.name).faults
    assert fault.startswith("backend.")
    assert list((small_disk / "drills").iterdir()) == []
    ballast.drop()
    assert tried(file_shop.backups, name=taken.name).good


def test_two_drills_at_once_are_in_nobody_s_way(shop: Shop) -> None:
    """Each has a place of its own; both are good, and nothing is left."""
    shop.backups.take()
    with ThreadPoolExecutor(2) as threads:
        first, second = threads.map(lambda _: tried(shop.backups), range(2))
    assert (first.faults, second.faults) == ((), ())
    assert shop.left() == []
    assert [row["outcome"] for row in shop.drills] == ["done", "done"]


def test_what_was_restored_can_be_kept(shop: Shop) -> None:
    """In an empty directory; a server's database stays, too, and its place is told without a password."""
    shop.backups.take()
    kept = shop.directory / "kept"
    done = tried(shop.backups, keep=kept)
    assert done.good
    assert (kept / "files" / "media" / "one.jpeg").read_bytes() == b"first"
    assert done.kept is not None
    assert str(kept) in done.kept
    if shop.database.dialect == "sqlite":
        assert (kept / "app.db").is_file()
        assert shop.left() == []
    else:
        (name,) = shop.left()
        assert name in done.kept
        with shop.database.write() as tx:
            tx.execute(text(f"DROP DATABASE `{name}`"))
    again = tried(shop.backups, keep=kept)
    assert [fault.partition(":")[0] for fault in again.faults] == [ConfigurationError.code]


def test_without_a_database_of_the_application_a_drill_is_done_all_the_same(file_shop: Shop) -> None:
    """On a new machine there is none; it is noted nowhere."""
    file_shop.backups.take()
    file_shop.backups.database = None
    assert tried(file_shop.backups).good
    assert file_shop.drills == []


def test_an_interrupted_drill_is_noted_and_leaves_nothing(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C, a worker's time limit, an error that nobody thought of."""
    shop.backups.take()

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Backups, "restore", interrupted)
    with pytest.raises(KeyboardInterrupt):
        tried(shop.backups)
    (row,) = shop.drills
    assert (row["outcome"], row["detail"]["faults"]) == ("failed", ["it was ended by KeyboardInterrupt"])
    assert shop.left() == []


@pytest.mark.mysql
def test_a_drill_on_another_server_s_database(mariadb_server: MariaDBServer, mariadb_url: str, tmp_path: Path) -> None:
    """What settings name for it is used, and empty afterwards; a name that is no drill's is refused."""
    given = mariadb_server.create_database()
    named = urlsplit(given)._replace(path="/drill_of_test").geturl()
    with opened(mariadb_url, tmp_path) as shop:
        shop.backups.take()
        for url, good in ((given, False), (named, True)):
            if good:
                with shop.database.write() as tx:
                    tx.execute(text("CREATE DATABASE drill_of_test"))
            shop.backups.terms = replace(shop.backups.terms, drill_url=url)
            assert tried(shop.backups).good is good
        with shop.database.write() as tx:
            assert list(tx.scalars(text("SHOW TABLES FROM drill_of_test"))) == []
            tx.execute(text("DROP DATABASE drill_of_test"))
    mariadb_server.drop_database(given)


def test_the_error_names_the_first_faults(file_shop: Shop) -> None:
    """Ten of them; how many more there are it says."""
    file_shop.backups.check(lambda database, directories: [f"fault {number}" for number in range(25)])
    file_shop.backups.take()
    with pytest.raises(BackupError, match=r"fault 9; and 15 more$"):
        file_shop.backups.drill()
    assert len(file_shop.drills[-1]["detail"]["faults"]) == 25

"""`postrmagic doctor` on the data directory and its SQLite files: what is wrong is told, and nothing is touched."""

from __future__ import annotations

import os
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from postrmagic_core.cli.diagnosis import data_dir, mounts, read_only, sqlite_files
from postrmagic_core.cli.diagnosis.read_only import Missing, reading
from postrmagic_core.errors import UsageError
from tests.cli.doctoring import (
    Patient,
    finding,
    named,
)
from tests.disks import Ballast

_TABLE = "36 35 0:30 / {point} {options},relatime shared:1 - {kind} source rw\n"


@pytest.fixture
def patient(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Patient:
    """Who is looked at."""
    return Patient(tmp_path, monkeypatch)


def mount(kind: str, point: str = "/srv", options: str = "rw") -> str:
    """A table of mounts, as the kernel writes it."""
    return _TABLE.format(kind="ext4", point="/", options="rw") + _TABLE.format(kind=kind, point=point, options=options)


def test_the_nearest_mount_counts() -> None:
    """One that only begins with the same letters is elsewhere; of two at one point, the later; escapes are read."""
    table = mount("nfs4", "/srv/data") + _TABLE.format(kind="tmpfs", point="/srv/data", options="ro")
    found = mounts.mount_of(Path("/srv/data/var"), table)
    assert found == mounts.Mount("tmpfs", "/srv/data", True)
    assert mounts.mount_of(Path("/srv/database"), table) == mounts.Mount("ext4", "/", False)
    assert mounts.mount_of(Path("/a b/c"), mount("xfs", "/a\\040b")) == mounts.Mount("xfs", "/a b", False)
    assert mounts.mount_of(Path("/srv"), "nonsense\n") is None


@pytest.mark.parametrize(
    ("kind", "options", "production", "state", "word"),
    [
        ("nfs4", "rw", False, "problem", "network"),
        ("fuse.sshfs", "rw", False, "problem", "network"),
        ("tmpfs", "rw", True, "problem", "in memory"),
        ("tmpfs", "rw", False, "advice", "in memory"),
        ("overlay", "rw", True, "problem", "container"),
        ("ext4", "ro", False, "problem", "reading alone"),
    ],
)
def test_a_file_system_is_judged(kind: str, options: str, production: bool, state: str, word: str) -> None:
    """Where SQLite breaks, where data do not stay, and where nothing can be written."""
    found = mounts.mount_of(Path("/srv/var"), mount(kind, options=options))
    (told,) = data_dir.mounted(found, Path("/srv/var"), production)
    assert (told.state, word in told.found) == (state, True)


def test_a_disk_is_well() -> None:
    """Nothing is said of one."""
    assert list(data_dir.mounted(mounts.mount_of(Path("/srv/var"), mount("xfs")), Path("/srv/var"), True)) == []
    assert list(data_dir.mounted(None, Path("/srv/var"), True)) == []


def test_little_room_is_told() -> None:
    """By bytes and by share."""
    gib = 1024**3
    states = [next(data_dir.judged_room(Path("/srv"), free * gib // 100, 100 * gib)).state for free in (1, 400, 5000)]
    assert states == ["problem", "advice", "ok"]


def test_a_disk_that_is_full(patient: Patient, small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A real one: the last MiB are a problem, and that it is in memory is told besides."""
    monkeypatch.setenv("POSTRMAGIC_STACK__DATA_DIR", str(small_disk / "var"))
    Ballast(small_disk, 1024**2).load()
    found = patient.found("data")
    assert finding(found, "1 MiB of 256 MiB are free").state == "problem"
    assert finding(found, "is on tmpfs").state == "advice"


@pytest.mark.parametrize("above", [False, True])
def test_what_is_in_the_way(patient: Patient, monkeypatch: pytest.MonkeyPatch, above: bool) -> None:
    """A file where the directory is to be, or one above it, has to go; a link that leads nowhere, too."""
    (patient.directory / "var").write_text("")
    monkeypatch.setenv("POSTRMAGIC_STACK__DATA_DIR", "var/deeper/still" if above else "var")
    assert "is no directory" in named(patient.found("data"), "problem")
    (patient.directory / "var").unlink()
    (patient.directory / "var").symlink_to("nowhere")
    assert named(patient.found("data"), "problem")


def test_who_else_is_at_home(patient: Patient) -> None:
    """A directory that all can write, a key that others can read."""
    data = patient.directory / "var"
    data.mkdir()
    (data / "secret.key").write_text("x" * 40)
    (data / "secret.key").chmod(0o640)
    assert "secret.key, by which everything is sealed → chmod 600" in named(patient.found("data"), "problem")
    (data / "secret.key").chmod(0o600)
    assert named(patient.found("data"), "problem") == ""
    data.chmod(0o777)
    assert "everybody on this machine can write in" in named(patient.found("data"), "problem")


def test_an_owner_that_is_not_us(patient: Patient) -> None:
    """Files that one makes the other may not be able to write."""
    if os.getuid():
        pytest.skip("only root may give a directory away")
    (patient.directory / "var").mkdir()
    os.chown(patient.directory / "var", 1234, 1234)
    assert finding(patient.found("data"), "is of user 1234").state == "advice"


@pytest.fixture
def database(patient: Patient) -> Path:
    """A file as the application leaves it."""
    (patient.directory / "var").mkdir()
    path = patient.directory / "var" / "app.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE posters (id INTEGER PRIMARY KEY, title TEXT)")
        connection.executemany("INSERT INTO posters (title) VALUES (?)", [("x" * 200,)] * 500)
        connection.execute("CREATE INDEX titles ON posters (title)")
        connection.commit()
    return path


def test_a_whole_file_is_well(patient: Patient, database: Path) -> None:
    """Closed, as one of ours; the store's file is to be made."""
    found = patient.found("files")
    assert finding(found, r"app\.db \(database, jobs\) is whole").state == "ok"
    assert finding(found, r"kv\.db .* will be made").state == "ok"
    assert not list(database.parent.glob("kv.db*"))


def test_a_damaged_file_is_told(patient: Patient, database: Path) -> None:
    """Pages that were overwritten, a head that is not SQLite's, a file that ends in the middle."""
    whole = database.read_bytes()
    database.write_bytes(whole[:8192] + b"\xff" * 8192 + whole[16384:])
    assert "is damaged" in named(patient.found("files"), "problem")
    database.write_bytes(b"\x00" * 100 + whole[100:])
    assert "is no SQLite database" in named(patient.found("files"), "problem")
    database.write_bytes(whole[: len(whole) // 2])
    assert "db restore" in named(patient.found("files"), "problem")
    database.write_bytes(b"")
    assert named(patient.found("files", "schema", "work", "backups"), "problem") == ""
    database.unlink()
    database.mkdir()
    assert "is no file" in named(patient.found("files", "schema", "work"), "problem")


def test_a_file_that_is_damaged_in_use(patient: Patient, database: Path) -> None:
    """While the application has it open, too."""
    with closing(sqlite3.connect(database, isolation_level=None)) as writer:
        writer.execute("INSERT INTO posters (title) VALUES ('new')")
        with database.open("r+b") as file:
            file.seek(8192)
            file.write(b"\xff" * 8192)
        assert "is damaged" in named(patient.found("files"), "problem")


def test_a_file_that_is_written_meanwhile(patient: Patient, database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is read as if nobody wrote is not called damaged where somebody has begun to."""
    database.write_bytes(database.read_bytes()[:8192] + b"\xff" * 8192)

    def begun(path: Path) -> sqlite3.Connection:
        connection = read_only.opened(path)
        path.with_name(f"{path.name}-wal").write_bytes(b"")
        return connection

    monkeypatch.setattr(sqlite_files, "opened", begun)
    states = [one.state for one in sqlite_files.file(database, "database")]
    assert states == ["unknown"]


def test_a_file_under_a_writer_is_read_on(patient: Patient, database: Path) -> None:
    """A writer who takes minutes keeps nobody from looking; what it has not committed is not seen."""
    with closing(sqlite3.connect(database, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("INSERT INTO posters (title) VALUES ('new')")
        assert finding(patient.found("files"), r"app\.db .* is whole").state == "ok"
        writer.execute("COMMIT")


def test_a_file_that_is_locked_for_all(patient: Patient, database: Path) -> None:
    """Nobody can look at it: that is told, in time, and is not called damaged."""
    with closing(sqlite3.connect(database, isolation_level=None)) as writer:
        writer.execute("PRAGMA locking_mode=EXCLUSIVE")
        writer.execute("INSERT INTO posters (title) VALUES ('new')")
        assert finding(patient.found("files"), "is locked by another process").state == "unknown"
        assert named(patient.found("schema", "work"), "problem") == ""


def test_another_journal_mode_is_advice(patient: Patient, database: Path) -> None:
    """The application would switch it; nobody else should switch it back."""
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")
    assert finding(patient.found("files"), "not in WAL mode").state == "advice"


def test_an_overgrown_log_is_advice(patient: Patient, database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write-ahead log that no checkpoint could take since somebody reads on."""
    monkeypatch.setattr(sqlite_files, "LARGE_LOG", 100_000)
    with closing(sqlite3.connect(database, isolation_level=None)) as writer:
        writer.executemany("INSERT INTO posters (title) VALUES (?)", [("y" * 300,)] * 500)
        assert finding(patient.found("files"), "write-ahead log").state == "advice"


def test_looking_ends_in_time(database: Path) -> None:
    """A file too large to be read within the patience is well as far as it was read."""
    (told,) = sqlite_files.file(database, "database", patience=0.0)
    assert (told.state, "not to its end" in told.found) == ("ok", True)


def test_a_reading_cannot_write(database: Path) -> None:
    """Neither by its unit nor by a statement; and what is not there is not made."""
    url = f"sqlite:///{database}"
    with reading(url) as tx:
        with pytest.raises(UsageError):
            tx.write()
        with pytest.raises(OperationalError, match="readonly"):
            tx.execute(text("DELETE FROM posters"))
    other = database.with_name("other.db")
    with pytest.raises(Missing), reading(f"sqlite:///{other}"):
        pass
    assert not other.exists()


def test_no_thread_is_left(patient: Patient, database: Path) -> None:
    """A whole look ends all that it began."""
    before = threading.active_count()
    patient.found()
    assert threading.active_count() <= before

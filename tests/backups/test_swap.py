"""One SQLite file in the place of another, and nobody's work lost."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from postrmagic_core.backups.dumps.sqlite_swap import busy, put_in_place, users_of
from postrmagic_core.errors import RestoreRefused

NOW = "20261129T223131Z"
_HOLDING = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
connection.execute("PRAGMA journal_mode=" + sys.argv[2])
connection.execute("SELECT count(*) FROM t").fetchone()
print("open", flush=True)
sys.stdin.read()
"""
_DYING = """
import os, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA journal_mode=" + sys.argv[2])
connection.execute("PRAGMA cache_size=1")
connection.execute("INSERT INTO t VALUES ('from the log')")
if sys.argv[2] == "DELETE":
    connection.execute("BEGIN")
    connection.execute("INSERT INTO t VALUES (randomblob(1000000))")
    connection.execute("UPDATE t SET x = randomblob(100000)")
os._exit(9)
"""


def make(path: Path, *values: str, mode: str = "WAL") -> Path:
    """A database with a table of ``values``."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA journal_mode={mode}")
        connection.execute("CREATE TABLE t (x)")
        connection.executemany("INSERT INTO t VALUES (?)", [(value,) for value in values])
    return path


def values(path: Path) -> list[str]:
    """What is in a database's table."""
    with closing(sqlite3.connect(path)) as connection:
        return [x for (x,) in connection.execute("SELECT x FROM t")]


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """What stands there."""
    return make(tmp_path / "app.db", "old")


@pytest.fixture
def draft(tmp_path: Path) -> Path:
    """What is to stand there."""
    return make(tmp_path / ".app.db.draft", "new", mode="DELETE")


@contextmanager
def opened_elsewhere(path: Path, mode: str) -> Iterator[None]:
    """Another process has it open, and is idle."""
    command = [sys.executable, "-c", _HOLDING, str(path), mode]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"open\n"
        yield
        process.communicate()


def kept(path: Path) -> list[Path]:
    """The files that were replaced."""
    return sorted(path.parent.glob("app.db.replaced-*"))


def test_the_old_file_is_kept(old: Path, draft: Path) -> None:
    """Given a database that nobody uses, when another takes its place, then the old one stands beside it."""
    old.chmod(0o640)
    put_in_place(draft, old, NOW)
    assert values(old) == ["new"]
    assert [path.name for path in kept(old)] == [f"app.db.replaced-{NOW}"]
    assert values(kept(old)[0]) == ["old"]
    assert old.stat().st_mode & 0o777 == 0o640
    assert not draft.exists()
    assert sorted(path.name for path in old.parent.iterdir()) == ["app.db", f"app.db.replaced-{NOW}"]


@pytest.mark.parametrize("mode", ["WAL", "DELETE"])
def test_a_file_in_use_is_refused(old: Path, draft: Path, mode: str) -> None:
    """Given a process that has it open and is idle, when another is to take its place, then that is refused."""
    with opened_elsewhere(old, mode):
        assert users_of(old) == 1
        assert busy(old) is (mode == "WAL")
        with pytest.raises(RestoreRefused, match="in use: stop the application"):
            put_in_place(draft, old, NOW)
        assert values(old) == ["old"]
        assert kept(old) == []
    assert draft.exists()
    assert not busy(old)
    put_in_place(draft, old, NOW)
    assert values(old) == ["new"]


def test_a_connection_of_this_process_is_refused_too(old: Path, draft: Path) -> None:
    """Given a connection of one's own, when another file is to take its place, then that is refused."""
    with closing(sqlite3.connect(old)) as connection:
        connection.execute("SELECT * FROM t").fetchall()
        assert busy(old)
        with pytest.raises(RestoreRefused):
            put_in_place(draft, old, NOW)


@pytest.mark.parametrize("mode", ["WAL", "DELETE"])
def test_what_a_killed_process_left_is_kept_whole(old: Path, draft: Path, mode: str) -> None:
    """Given a log, or a journal, of a process that was killed, when another takes its place, then it is worked in."""
    with closing(sqlite3.connect(old)) as connection:
        connection.execute(f"PRAGMA journal_mode={mode}")
    assert subprocess.run([sys.executable, "-c", _DYING, str(old), mode], check=False).returncode == 9
    put_in_place(draft, old, NOW)
    assert values(old) == ["new"]
    assert values(kept(old)[0]) == ["old", "from the log"]
    assert sorted(path.name for path in old.parent.iterdir()) == ["app.db", f"app.db.replaced-{NOW}"]


@pytest.mark.parametrize("content", [b"", b"no database at all" * 1000, b"SQLite format 3\0" + b"\xff" * 8000])
def test_what_is_no_database_is_set_aside(tmp_path: Path, draft: Path, content: bytes) -> None:
    """Given a file that SQLite cannot read, when a database takes its place, then it is kept as it was."""
    path = tmp_path / "app.db"
    path.write_bytes(content)
    (tmp_path / "app.db-wal").write_bytes(b"its log")
    assert not busy(path)
    (tmp_path / "app.db-wal").write_bytes(b"its log")
    put_in_place(draft, path, NOW)
    assert values(path) == ["new"]
    assert kept(path)[0].read_bytes() == content
    if not content:  # with others SQLite sees that it is no log, and removes it
        assert (tmp_path / f"app.db.replaced-{NOW}-wal").read_bytes() == b"its log"


def test_the_log_of_a_file_that_is_gone_is_not_taken_for_the_new_ones(old: Path, draft: Path) -> None:
    """Given a -wal whose database was removed, when one takes its place, then its rows do not appear in there."""
    assert subprocess.run([sys.executable, "-c", _DYING, str(old), "WAL"], check=False).returncode == 9
    old.unlink()
    assert Path(f"{old}-wal").stat().st_size
    put_in_place(draft, old, NOW)
    assert values(old) == ["new"]
    assert Path(f"{old}.replaced-{NOW}-wal").exists()


@pytest.mark.parametrize("at", ["link", "rename"])
def test_a_kill_at_any_step_is_made_good_by_doing_it_again(
    old: Path, draft: Path, at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a process killed between the steps, when it is done again, then one old file is kept and the new stands."""
    real = os.link

    def link(*names: str) -> None:
        real(*names)
        raise KeyboardInterrupt

    if at == "link":
        monkeypatch.setattr(os, "link", link)
    else:
        monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        put_in_place(draft, old, NOW)
    monkeypatch.undo()
    assert values(old) == ["old"]
    put_in_place(draft, old, "20261129T223132Z")
    assert values(old) == ["new"]
    assert [values(path) for path in kept(old)] == [["old"]]


def test_a_file_system_without_links_renames(old: Path, draft: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a file system that has no hard links, when a file takes the place, then the old one is renamed."""

    def link(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", link)
    put_in_place(draft, old, NOW)
    assert values(old) == ["new"]
    assert values(kept(old)[0]) == ["old"]


def test_two_of_one_second_are_both_kept(old: Path, draft: Path) -> None:
    """Given a file that was replaced in this second, when it is again, then both old ones are kept."""
    put_in_place(draft, old, NOW)
    put_in_place(make(draft, "newer", mode="DELETE"), old, NOW)
    assert [values(path) for path in kept(old)] == [["old"], ["new"]]
    assert values(old) == ["newer"]


def test_to_ask_changes_nothing(old: Path) -> None:
    """Given a database in WAL mode, when it is asked who uses it, then it stays in that mode."""
    assert not busy(old)
    with closing(sqlite3.connect(old)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)

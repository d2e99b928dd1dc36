"""Puts a SQLite file in the place of another, while nobody has that open; whatever dies, one of them stands there."""

from __future__ import annotations

import contextlib
import glob
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

from ...errors import RestoreRefused

_COMPANIONS = ("-wal", "-shm", "-journal")
_TAKEN = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def users_of(path: Path) -> int:
    """How many other processes have the file open, as far as this user may see (Linux; elsewhere 0)."""
    try:
        wanted = path.stat()
        processes = [
            each for each in Path("/proc").iterdir() if each.name.isdecimal() and int(each.name) != os.getpid()
        ]
    except OSError:
        return 0
    return sum(_has_open(each, wanted) for each in processes)


def _has_open(process: Path, wanted: os.stat_result) -> bool:
    with contextlib.suppress(OSError), os.scandir(process / "fd") as descriptors:
        for descriptor in descriptors:
            with contextlib.suppress(OSError):
                if os.path.samestat(descriptor.stat(), wanted):
                    return True
    return False


def busy(path: Path) -> bool:
    """Whether a connection in WAL mode, in whatever process, has the file open, or another has a lock on it."""
    if not _has_content(path):
        return False
    try:
        with _seizing(path):
            return False
    except sqlite3.DatabaseError as error:
        return _is_taken(error)


def put_in_place(draft: Path, path: Path, now: str) -> None:
    """Let ``draft`` be ``path``; what that was is ``<path>.replaced-<now>`` afterwards.

    Raises :class:`RestoreRefused` while anybody has it open. After a kill at any point it can be called again, and
    does what is left to do.
    """
    if not path.exists():
        _set_aside(path, _free(path, now), _COMPANIONS)
        draft.replace(path)
        _sync(path.parent)
        return
    with _seized(path) as state:
        if state == "busy" or users_of(path):
            raise RestoreRefused(f"{path} is in use: stop the application and its workers, then run it again")
        was = path.stat()
        draft.chmod(was.st_mode & 0o777)
        with contextlib.suppress(PermissionError):
            os.chown(draft, was.st_uid, was.st_gid)
        kept = _keep(path, _free(path, now))
        if state == "unsure":
            _set_aside(path, kept, _COMPANIONS)
        else:  # of a process that was killed: its content is made anew by whoever opens the file
            Path(f"{path}-shm").unlink(missing_ok=True)
        draft.replace(path)
        _sync(path.parent)


@contextmanager
def _seized(path: Path) -> Iterator[str]:
    """The file, for this process alone: ``alone``; ``busy`` where others have it, ``unsure`` where SQLite cannot say.

    ``alone``, everything is in the one file: nothing is left in a ``-wal`` or ``-journal``. The lock is held until the
    end, so that whoever opens the name meanwhile waits, or finds the new file.
    """
    with contextlib.ExitStack() as held:
        state = "unsure"
        try:
            if not _has_content(path):
                raise sqlite3.DatabaseError  # SQLite would remove a -wal beside it
            connection = held.enter_context(_seizing(path))
            connection.execute("COMMIT")
            # Writes the -wal into the file and removes it. Closing a connection in WAL mode would remove what has that
            # name by then, which may be the new file's.
            if connection.execute("PRAGMA journal_mode=DELETE").fetchone() == ("delete",):
                connection.execute("BEGIN EXCLUSIVE")
                state = "alone"
        except sqlite3.DatabaseError as error:
            state = "busy" if _is_taken(error) else "unsure"
        if state == "unsure":
            held.close()
        yield state


@contextmanager
def _seizing(path: Path) -> Iterator[sqlite3.Connection]:
    """A transaction that nobody else can be beside."""
    uri = f"file:{quote(str(path))}?mode=rw"
    with closing(sqlite3.connect(uri, uri=True, timeout=0.2, isolation_level=None)) as connection:
        connection.execute("PRAGMA locking_mode=EXCLUSIVE").fetchall()
        # In WAL mode every connection has a shared lock for as long as it lives: this fails while there is one.
        connection.execute("BEGIN EXCLUSIVE")
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        yield connection


def _has_content(path: Path) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return path.stat().st_size > 0
    return False


def _is_taken(error: sqlite3.DatabaseError) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _TAKEN


def _free(path: Path, now: str) -> Path:
    for number in range(1000):
        kept = path.with_name(f"{path.name}.replaced-{now}" + (f"-{number}" if number else ""))
        if not any(os.path.lexists(f"{kept}{end}") for end in ("", *_COMPANIONS)):
            return kept
    raise RestoreRefused(f"there are too many {path.name}.replaced-{now}: remove those that nobody needs")


def _keep(path: Path, kept: Path) -> Path:
    """A second name for the file: so there is no moment in which nothing stands at the first."""
    for earlier in path.parent.glob(f"{glob.escape(path.name)}.replaced-*"):
        if earlier.is_file() and earlier.samefile(path):  # named by a restore that was killed right here
            return earlier
    try:
        os.link(path, kept)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        path.rename(kept)
    return kept


def _set_aside(path: Path, kept: Path, ends: tuple[str, ...]) -> None:
    """What belonged to the old file must not be taken for the new one's: SQLite would read it into that."""
    for end in ends:
        with contextlib.suppress(FileNotFoundError):
            Path(f"{path}{end}").rename(f"{kept}{end}")


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

"""A segment: one SQLite file of blocks, from its first line to the one with which the next segment began."""

from __future__ import annotations

import os
import re
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from ...errors import ConfigurationError
from ..query_nodes import OTHER

VERSION: Final = 1
"""The ``user_version`` of a segment."""
ASIDE: Final = ".unreadable"
"""What follows the name of a segment that was put aside."""
_NAME = re.compile(r"(\d{8})\.db")
_BUSY = 5.0  # seconds
_MODE, _DIRECTORY = 0o640, 0o750
_RANKS = ", ".join(f"rank{rank}" for rank in range(OTHER + 1))
HEADER: Final = f"id, lines, first_us, last_us, {_RANKS}"
_SCHEMA = (
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID",
    # A block's id is the number of its first line. One that is not sealed is joined with those that follow.
    "CREATE TABLE blocks (id INTEGER PRIMARY KEY, lines INTEGER NOT NULL, first_us INTEGER NOT NULL,"
    " last_us INTEGER NOT NULL, "
    + ", ".join(f"rank{rank} INTEGER NOT NULL" for rank in range(OTHER + 1))
    + ", sealed INTEGER NOT NULL, body BLOB NOT NULL)",
    "CREATE INDEX open_blocks ON blocks (id) WHERE sealed = 0",
    "CREATE TABLE terms (block INTEGER PRIMARY KEY, hashes BLOB NOT NULL)",
    "CREATE TABLE runs (id INTEGER PRIMARY KEY, blocks BLOB NOT NULL)",
    "CREATE TABLE postings (bucket INTEGER NOT NULL, run INTEGER NOT NULL, data BLOB NOT NULL,"
    " PRIMARY KEY (bucket, run))",
    "CREATE TABLE messages (id INTEGER PRIMARY KEY, level TEXT NOT NULL, logger TEXT NOT NULL, event TEXT NOT NULL,"
    " UNIQUE (level, logger, event))",
    "CREATE TABLE counts (minute INTEGER NOT NULL, message INTEGER NOT NULL, n INTEGER NOT NULL,"
    " PRIMARY KEY (minute, message)) WITHOUT ROWID",
)


class Header(NamedTuple):
    """What is known of a block without reading it; ``ranks``: how many lines of each."""

    id: int
    lines: int
    first_us: int
    last_us: int
    ranks: tuple[int, ...]

    @staticmethod
    def of(row: tuple[int, ...]) -> Header:
        """A row of :data:`HEADER`."""
        return Header(row[0], row[1], row[2], row[3], row[4:])


def prepare(directory: Path) -> None:
    """Have the directory of an index, which others than its owner and group may not look into."""
    directory.mkdir(_DIRECTORY, parents=True, exist_ok=True)


def segments(directory: Path) -> list[int]:
    """The numbers of the segments in ``directory``, oldest first; none where it does not exist."""
    found = []
    with suppress(FileNotFoundError, NotADirectoryError):
        found = [int(name[1]) for path in directory.iterdir() if (name := _NAME.fullmatch(path.name)) is not None]
    return sorted(found)


def path_of(directory: Path, number: int) -> Path:
    """Where the segment ``number`` is."""
    return directory / f"{number:08d}.db"


def size_of(path: Path) -> int:
    """Bytes of a segment, and of what was not moved into its file yet."""
    total = 0
    for name in (path.name, f"{path.name}-wal"):
        with suppress(OSError):
            total += path.with_name(name).stat().st_size
    return total


def read(path: Path) -> sqlite3.Connection | None:
    """Open a segment for reading; ``None``: it is gone, or nothing is in it yet.

    :class:`sqlite3.DatabaseError`: it cannot be read.
    """
    if not path.exists():
        return None
    try:
        return _read(path, "mode=ro")
    except sqlite3.OperationalError:
        if not path.exists():
            return None
        if path.with_name(f"{path.name}-wal").exists():
            raise
        # Nobody writes it, and this process may not make the files that a reader of a WAL shares.
        return _read(path, "mode=ro&immutable=1")


def _read(path: Path, how: str) -> sqlite3.Connection | None:
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?{how}", uri=True, timeout=_BUSY, isolation_level=None)
    try:
        if _version(connection) == 0:
            connection.close()
            return None
    except BaseException:
        connection.close()
        raise
    return connection


def write(path: Path) -> sqlite3.Connection:
    """Open a segment for writing, made where there is none; one process does it at a time."""
    with suppress(FileExistsError):  # SQLite would let everybody read it; the files beside it follow this one
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, _MODE))
    connection = sqlite3.connect(path, timeout=_BUSY, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        # What the machine's end takes from this file, the spool's position in it goes back over too.
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA journal_size_limit = 16777216")
        if _version(connection) == 0:
            connection.execute("BEGIN IMMEDIATE")
            for statement in _SCHEMA:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {VERSION}")
            connection.execute("COMMIT")
    except BaseException:
        connection.close()
        raise
    return connection


def _version(connection: sqlite3.Connection) -> int:
    found = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if found > VERSION:
        raise ConfigurationError(f"the log's index is of version {found}, which is newer than this package's {VERSION}")
    return found


def remove(path: Path) -> None:
    """Remove a segment; whoever reads it reads on."""
    for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
        path.with_name(name).unlink(missing_ok=True)


def put_aside(path: Path) -> None:
    """Rename a segment that cannot be read, so that nothing looks for lines in it any more."""
    for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
        with suppress(FileNotFoundError):
            path.with_name(name).replace(path.with_name(f"{name}{ASIDE}"))


def remove_aside(directory: Path, before: float) -> None:
    """Remove what was put aside and not written since ``before`` (seconds since the epoch)."""
    for path in directory.glob(f"*{ASIDE}"):
        with suppress(FileNotFoundError):
            if path.stat().st_mtime < before:
                path.unlink()

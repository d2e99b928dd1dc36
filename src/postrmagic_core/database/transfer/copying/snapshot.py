"""One consistent copy of the source, from which everything of a run is read; the source goes on being used."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

from ...._sql.sqlite_errors import of_sqlite
from ....errors import OutOfSpace, PlanRefused, PostrMagicError, translating
from ..interface import Report

# Pages copied between two reports.
_STEP = 4096
# What is read once, in its order, gains nothing from SQLite's own cache of 2 MB.
_LITTLE = "PRAGMA cache_size=-256"
_SUFFIX = ".snapshot"


def path_of(directory: Path, source: str, name: str) -> Path:
    """Where the snapshot ``name`` of ``source`` is kept."""
    return directory / f".{Path(source).name}.{name}{_SUFFIX}"


def make_snapshot(source: str, path: Path, report: Report) -> None:
    """Copy the file ``source`` to ``path``, readable by its owner alone; ``path`` is there whole, or not at all.

    Raises :class:`PlanRefused` where there is no source, :class:`OutOfSpace` where the copy does not fit. While it is
    made others read, and write too if the source is in WAL mode (https://sqlite.org/backup.html).
    """
    origin = Path(source)
    if not origin.is_file():
        raise PlanRefused(f"there is no file {source}")
    if not path.parent.is_dir():
        raise PlanRefused(f"there is no directory {path.parent} for the snapshot")
    _check_room(origin, path.parent)
    partial = path.with_name(path.name + ".partial")
    try:
        with translating(_ours):
            partial.unlink(missing_ok=True)
            os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            _copy(origin, partial, report)
        partial.replace(path)
    finally:
        for left in (partial, *(partial.with_name(partial.name + end) for end in ("-wal", "-shm", "-journal"))):
            left.unlink(missing_ok=True)


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    """A snapshot to read, from any one thread at a time; its errors are this package's."""
    with translating(_ours):
        uri = f"file:{quote(str(path))}?mode=ro&immutable=1"
        with closing(sqlite3.connect(uri, uri=True, check_same_thread=False)) as connection:
            connection.execute(_LITTLE)
            yield connection


def _copy(origin: Path, partial: Path, report: Report) -> None:
    with (
        closing(sqlite3.connect(f"file:{quote(str(origin.resolve()))}?mode=ro", uri=True)) as source,
        closing(sqlite3.connect(partial)) as copy,
    ):
        for each in (source, copy):
            each.execute(_LITTLE)
        # Without it a write of others between two steps would begin the copy anew, perhaps without end.
        source.execute("BEGIN")
        source.execute("SELECT 1 FROM sqlite_master").fetchone()

        def progress(_: int, remaining: int, total: int) -> None:
            report("snapshot", total - remaining, total)

        source.backup(copy, pages=_STEP, progress=progress)
        # Else whoever opens it would need to write files beside it.
        copy.execute("PRAGMA journal_mode=DELETE")


def _check_room(origin: Path, directory: Path) -> None:
    files = (origin, origin.with_name(origin.name + "-wal"))
    needed = sum(file.stat().st_size for file in files if file.exists())
    free = shutil.disk_usage(directory).free
    if free < needed:
        raise OutOfSpace(
            f"the snapshot needs {needed / 2**20:,.0f} MiB in {directory}, of which {free / 2**20:,.0f} are free: "
            "name another directory"
        )


def _ours(error: BaseException) -> PostrMagicError | None:
    if isinstance(error, OSError):
        kind = OutOfSpace if error.errno == errno.ENOSPC else PlanRefused
        return kind(f"the snapshot cannot be written: {error.strerror}")
    return of_sqlite(error)

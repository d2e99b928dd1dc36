"""Each SQLite file that the settings name: whether it is one, whole, in the mode that we work in, and not overgrown."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from shlex import quote

from ...errors import PostrMagicError
from .interface import Finding, Patient, advice, ok, problem, unknown
from .read_only import opened, path_of

_PAGE = "how-to/recover.md"
_MIB = 1024**2
# Bytes of write-ahead log that no checkpoint has taken: SQLite begins one at 4 MiB.
LARGE_LOG = 64 * _MIB
# Seconds for which files are read to see whether they are whole.
PATIENCE = 3.0
_STEPS = 2000
_WAL = 2


def look(patient: Patient) -> Iterator[Finding]:
    """Those of database, stores and jobs, each once."""
    paths = named(patient)
    if not paths:
        yield ok("no SQLite file is used")
    for path, rooms in paths.items():
        try:
            yield from file(path, ", ".join(rooms), PATIENCE / len(paths))
        except OSError as error:
            yield problem(f"{path} ({', '.join(rooms)}) cannot be looked at: {error.strerror}", "see data", _PAGE)


def named(patient: Patient) -> dict[Path, list[str]]:
    """The files, and which rooms are in each."""
    settings = patient.settings
    urls = {"database": settings.database_url(), "jobs": settings.broker_url()}
    urls |= {
        room: settings.store_url(getattr(settings, room)) for room in ("cache", "sessions", "limits", "observability")
    }
    found: dict[Path, list[str]] = {}
    for room, url in urls.items():
        try:
            path = path_of(url)
        except PostrMagicError:  # a URL that is no URL is told by who uses it
            continue
        if path is not None:
            found.setdefault(path, []).append(room)
    return found


def file(path: Path, rooms: str, patience: float = PATIENCE) -> Iterator[Finding]:
    """One file, with what is in it."""
    name = f"{path} ({rooms})"
    if not path.exists():
        yield ok(f"{name} is not there, and will be made")
        return
    if not path.is_file():
        yield problem(f"{name} is no file", f"mv {quote(str(path))} {quote(str(path))}.old")
        return
    if not os.access(path, os.R_OK):
        yield problem(f"{name} may not be read", f"chown {os.geteuid()} {quote(str(path))}*, as root")
        return
    log = path.with_name(f"{path.name}-wal")
    in_use = log.exists()
    if in_use and log.stat().st_size > LARGE_LOG:
        yield advice(
            f"the write-ahead log of {name} has {log.stat().st_size // _MIB} MiB: somebody reads on in an old snapshot",
            "`postrmagic db pool` shows who holds a connection for long",
            "how-to/choose-pool-limits.md#look-first",
        )
    try:
        with closing(opened(path)) as connection:
            found = [*whole(connection, path, name, patience)]
    except sqlite3.DatabaseError as error:
        found = [refused(error, path, name)]
    # Read as one that nobody writes; where somebody has begun to meanwhile, a fault proves nothing.
    if not in_use and log.exists() and any(one.state == "problem" for one in found):
        found = [unknown(f"{name} was written while it was looked at", "look again")]
    yield from found


def whole(connection: sqlite3.Connection, path: Path, name: str, patience: float) -> Iterator[Finding]:
    """What SQLite says of its pages, as far as it comes in time; and the mode."""
    until = time.monotonic() + patience
    connection.set_progress_handler(lambda: time.monotonic() > until, _STEPS)
    try:
        (said,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
            raise
        said = None
    if said not in (None, "ok"):
        yield problem(f"{name} is damaged: {' '.join(str(said).split())}", _restore(path), _PAGE)
        return
    if wal(path) is False:
        yield advice(
            f"{name} is not in WAL mode: the application will switch it when it opens it",
            f"whoever else opens {path} must not switch it back",
        )
    told = "is whole" if said else f"was read for {patience:g} s, not to its end, and is whole as far as that"
    yield ok(f"{name} {told}; {path.stat().st_size / _MIB:,.1f} MiB")


def wal(path: Path) -> bool | None:
    """Whether the file's header says WAL (https://sqlite.org/fileformat2.html, 1.3.3); ``None`` of an empty one."""
    with path.open("rb") as header:
        head = header.read(20)
    return head[18] == _WAL and head[19] == _WAL if len(head) == 20 else None


def refused(error: sqlite3.DatabaseError, path: Path, name: str) -> Finding:
    """What SQLite means by it."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return unknown(
            f"{name} is locked by another process, for reading too: nobody does so here",
            f"`fuser -v {quote(str(path))}` shows who has it open",
        )
    if code == sqlite3.SQLITE_NOTADB:
        return problem(f"{name} is no SQLite database, or is encrypted", _restore(path), _PAGE)
    if code == sqlite3.SQLITE_CANTOPEN:
        return problem(f"{name} cannot be opened, or a file beside it", f"ls -l {quote(str(path))}*")
    return problem(f"{name} cannot be read: {error}", _restore(path), _PAGE)


def _restore(path: Path) -> str:
    return f"keep a copy of {quote(str(path))}*, then `postrmagic db restore`"

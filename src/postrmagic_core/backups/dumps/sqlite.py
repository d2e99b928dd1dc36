"""SQLite: one file, copied while it is used; and put back where nobody uses it."""

from __future__ import annotations

import errno
import fcntl
import glob
import hashlib
import os
import secrets
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

from ..._metrics import Metrics
from ..._sql import PoolLimits, Timeouts
from ..._sql.sqlite import SqliteBackend
from ..._sql.sqlite_errors import of_sqlite
from ...database.transfer.copying.snapshot import make_snapshot, opened, path_of
from ...errors import (
    BackendError,
    BackupDamaged,
    BackupFailed,
    OutOfSpace,
    PlanRefused,
    PostrMagicError,
    RestoreRefused,
    translating,
)
from ..interface import Archive, DatabaseFacts, Entry, Manifest, Part, Report, Snapshot, Standing
from ..space import check_room
from ..writing import write_all
from .sqlite_swap import busy, put_in_place, users_of

ENTRY = "database/app.db"
"""The name of the one entry that the database is."""

_BLOCK = 1 << 20
_OURS = "backup-"
_FAULTS_TOLD = 20


@contextmanager
def snapshot(url: str, *, how: Literal["own", "tool"], workspace: Path, report: Report) -> Iterator[Snapshot]:
    """The file behind ``url`` as of now, in a copy in ``workspace`` that is gone when the block ends.

    Others read and write it meanwhile. ``how`` makes no difference. Raises :class:`BackupFailed` where there is no
    database, :class:`OutOfSpace` where its copy has no room.
    """
    source = path_from(url)
    for left in workspace.glob(f".{glob.escape(source.name)}.{_OURS}*"):  # of a backup that was killed
        left.unlink(missing_ok=True)
    copy = path_of(workspace, str(source), f"{_OURS}{secrets.token_hex(16)}")
    try:
        try:
            make_snapshot(str(source), copy, report)
        except PlanRefused as error:
            raise BackupFailed(f"the database was not copied: {error}") from error
        with opened(copy) as connection:
            yield _FileSnapshot(copy, connection)
    finally:
        copy.unlink(missing_ok=True)


class _FileSnapshot:
    """See :class:`Snapshot`: one part, the file itself."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path = path
        self.notes: Sequence[str] = _doubts(connection)
        self._facts = DatabaseFacts(
            "sqlite",
            sqlite3.sqlite_version,
            _counted(connection),
            {name: _heads(connection, name) for name in _tables(connection) if name.endswith("alembic_version")},
            "copy",
        )

    @property
    def facts(self) -> DatabaseFacts:
        """What it is."""
        return self._facts

    def parts(self) -> Iterator[Part]:
        """The file."""
        yield Part(ENTRY, _blocks(self._path))


class SqliteTarget:
    """A file to restore into, there or not.

    What stood there is kept beside it as ``<file>.replaced-<time>``, whole, with what its ``-wal`` held. The new file
    is written beside it first, and takes its place at once; until then the old one is as it was.
    """

    def __init__(self, url: str, workspace: Path) -> None:
        self.path = path_from(url)

    def close(self) -> None:
        """Nothing is held."""

    def look(self, manifest: Manifest) -> Standing:
        """See :class:`Target`; a file that is no database, or a damaged one, is ``unreadable``."""
        _entry_of(manifest)
        begun = [name.split(".")[-2] for name in self._drafts()]
        if not self.path.exists():
            return Standing({}, 0, begun[0] if begun else None)
        if not self.path.is_file():
            raise RestoreRefused(f"{self.path} is no file: name another")
        with translating(_ours):
            users = max(users_of(self.path), int(busy(self.path)))
        tables: dict[str, int] = {}
        unreadable = False
        try:
            tables = self._count()
        except sqlite3.DatabaseError:
            unreadable = True
        goes_on = manifest.id if manifest.id in begun else begun[0] if begun else None
        return Standing(tables, users, goes_on, unreadable)

    def examine(self, archive: Archive, report: Report) -> None:
        """Nothing: :meth:`restore` proves the whole new file before it touches the old one."""

    def restore(self, archive: Archive, report: Report) -> None:
        """See :class:`Target`. :class:`RestoreRefused` while anybody has the file open."""
        entry = _entry_of(archive.manifest)
        with translating(_ours):
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            if users_of(self.path) or busy(self.path):
                raise RestoreRefused(f"{self.path} is in use: stop the application and its workers, then run it again")
            draft = self._draft(archive.manifest.id)
            with _owned(draft) as file:
                if any(_is_held(self.path.with_name(left)) for left in self._drafts() if left != draft.name):
                    raise RestoreRefused(f"another backup is being restored into {self.path}: wait for it")
                check_room(entry.size - min(entry.size, os.fstat(file).st_size), self.path.parent)
                _extract(archive, entry, file, report)
                _prove(draft)
                put_in_place(draft, self.path, datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ"))
            for left in map(self.path.with_name, self._drafts()):
                if not _is_held(left):
                    left.unlink(missing_ok=True)

    def counted(self) -> Mapping[str, int]:
        """See :class:`Target`."""
        with translating(_ours):
            return self._count()

    def faults(self) -> list[str]:
        """What ``PRAGMA integrity_check`` and ``foreign_key_check`` say, the first of each."""
        with translating(_ours), self._reading() as connection:
            found = _integrity(connection)
            for table, row, parent, _ in connection.execute("PRAGMA foreign_key_check").fetchmany(_FAULTS_TOLD):
                found.append(f"a row of {table} (rowid {row}) names a row of {parent} that is not there")
        return found

    def _draft(self, id: str) -> Path:
        return self.path.with_name(f".{self.path.name}.{id}.restoring")

    def _drafts(self) -> list[str]:
        if not self.path.parent.is_dir():
            return []
        return sorted(each.name for each in self.path.parent.glob(f".{glob.escape(self.path.name)}.*.restoring"))

    def _count(self) -> dict[str, int]:
        with self._reading() as connection:
            return _counted(connection)

    def _reading(self) -> closing[sqlite3.Connection]:
        uri = f"file:{quote(str(self.path))}?mode=ro"
        return closing(sqlite3.connect(uri, uri=True, isolation_level=None))


def path_from(url: str) -> Path:
    """The file that a URL names, links followed; raises :class:`ConfigurationError` for one that is none of a file."""
    return SqliteBackend.from_url(url, pool=PoolLimits(), timeouts=Timeouts(), metrics=Metrics()).path


def _entry_of(manifest: Manifest) -> Entry:
    if manifest.database.kind != "sqlite":
        raise RestoreRefused(
            f"the backup is of a {manifest.database.kind} database, and the target is a SQLite file: restore it into "
            f"a database of {manifest.database.kind}, then move it with `postrmagic db transfer`"
        )
    entries = manifest.of_database()
    if [entry.name for entry in entries] != [ENTRY]:
        raise RestoreRefused("the backup's database is not in the form that this release writes")
    return entries[0]


@contextmanager
def _owned(draft: Path) -> Iterator[int]:
    """The file that is being restored, by one process at a time."""
    file = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            same = os.path.samestat(os.fstat(file), draft.stat())
        except (BlockingIOError, FileNotFoundError):
            same = False
        if not same:
            raise RestoreRefused("the same backup is being restored there by another process: wait for it")
        yield file
    finally:
        os.close(file)


def _is_held(draft: Path) -> bool:
    try:
        file = os.open(draft, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(file)
    return False


def _extract(archive: Archive, entry: Entry, file: int, report: Report) -> None:
    """What an earlier run wrote is read again from this disk, and not from the vault."""
    done = os.fstat(file).st_size
    if done > entry.size:
        done = 0
    digest = _written_so_far(file, done)
    if done == entry.size and digest.hexdigest() != entry.sha256:
        done, digest = 0, hashlib.sha256()
    os.ftruncate(file, done)
    os.lseek(file, done, os.SEEK_SET)
    report("database", done, entry.size)
    if done < entry.size:
        for block in archive.blocks(entry, done):
            write_all(file, block)
            digest.update(block)
            done += len(block)
            report("database", done, entry.size)
    if digest.hexdigest() != entry.sha256:
        os.ftruncate(file, 0)
        raise BackupDamaged("the database on its way back is not what was backed up: run it again, it begins anew")
    os.fsync(file)


def _written_so_far(file: int, size: int) -> Any:
    digest, at = hashlib.sha256(), 0
    while at < size:
        block = os.pread(file, min(_BLOCK, size - at), at)
        digest.update(block)
        at += len(block)
    return digest


def _prove(draft: Path) -> None:
    if draft.stat().st_size == 0:  # a database in which nothing was ever made
        return
    with opened(draft) as connection:
        found = _integrity(connection)
    if found:
        raise RestoreRefused(
            f"the database was damaged already when it was backed up: {found[0]}. Restore an older backup; what is "
            f"here of this one is {draft}"
        )


def _integrity(connection: sqlite3.Connection) -> list[str]:
    try:
        told = [str(row[0]) for row in connection.execute(f"PRAGMA integrity_check({_FAULTS_TOLD})")]
    except sqlite3.DatabaseError as error:
        return [str(of_sqlite(error))]
    return [] if told == ["ok"] else told


def _doubts(connection: sqlite3.Connection) -> list[str]:
    told = [str(row[0]) for row in connection.execute("PRAGMA quick_check(1)")]
    return [] if told == ["ok"] else [f"SQLite finds fault with the database that was backed up: {told[0]}"]


def _tables(connection: sqlite3.Connection) -> list[str]:
    found = connection.execute(
        "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type IN ('table', 'shadow') "
        "AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name"
    )
    return [str(name) for (name,) in found]


def _counted(connection: sqlite3.Connection) -> dict[str, int]:
    return {
        name: connection.execute(f"SELECT count(*) FROM {_quoted(name)}").fetchone()[0]  # noqa: S608 - quoted
        for name in _tables(connection)
    }


def _heads(connection: sqlite3.Connection, table: str) -> tuple[str, ...]:
    try:
        rows = connection.execute(f"SELECT version_num FROM {_quoted(table)}").fetchall()  # noqa: S608 - quoted
    except sqlite3.OperationalError:  # a table of that name which is not Alembic's
        return ()
    return tuple(sorted(str(row[0]) for row in rows))


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            yield block


def _ours(error: BaseException) -> PostrMagicError | None:
    if isinstance(error, OSError):
        kind = OutOfSpace if error.errno in (errno.ENOSPC, errno.EDQUOT) else BackendError
        return kind(f"the restored database cannot be written: {error.strerror}")
    return of_sqlite(error)

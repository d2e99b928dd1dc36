"""A copy to try indexes on. The original is only read, and the copy goes, whatever happens."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event, inspect, make_url
from sqlalchemy.pool import NullPool

from ..._sql import Backend, PoolLimits, Timeouts, open_backend
from ...errors import BackendRejected, OutOfSpace, translating
from .catalog import column_names

PREFIX = "pm_scratch_"
# Seconds: a killed run could not remove its copy; the next one does, if it is surely nobody's any more.
STALE_AFTER = 3600
_NAME = re.compile(rf"{PREFIX}(\d+)_[0-9a-f]{{8}}")
# A copy, an index and a sort of it may take much longer than a statement of the application.
_TIMEOUTS = Timeouts(statement=300.0)
_ONE = PoolLimits(size=1, overflow=1)
# The copy, its indexes to come, and the temporary file of a sort.
_ROOM = 2.5
_DENIED = frozenset({1044, 1142, 1227, 1370})


@dataclass(frozen=True, slots=True)
class Copy:
    """A connection to the copy; ``sampled``: tables of which only some rows were copied, with how many."""

    connection: Connection
    dialect: str
    sampled: Mapping[str, int] = field(default_factory=dict)


@contextmanager
def scratch_copy(url: str, dialect: str, tables: Sequence[str], rows: int) -> Iterator[Copy]:
    """A copy of the database at ``url``: the whole file of SQLite, on a server ``tables`` with up to ``rows`` each.

    Raises :class:`OutOfSpace` where a file would not fit, and :class:`BackendRejected` naming the rights that lack.
    """
    make = _sqlite_copy(url) if dialect == "sqlite" else _server_copy(url, dialect, tables, rows)
    with make as copy:
        yield copy


@contextmanager
def _sqlite_copy(url: str) -> Iterator[Copy]:
    path = Path(make_url(url).database or "").resolve()
    _remove_stale_folders()
    # The name says when: a folder's own time changes with what is in it.
    with tempfile.TemporaryDirectory(
        prefix=f"{PREFIX}{int(time.time())}_", dir=temporary(), ignore_cleanup_errors=True
    ) as folder:
        _check_room(path, folder)
        target = Path(folder) / "copy.db"
        backend = open_backend(f"sqlite:///{target}", pool=_ONE, timeouts=_TIMEOUTS)
        try:
            with translating(backend.map_error):
                _back_up(path, target)
            with backend.engine("write").connect() as connection:
                connection.exec_driver_sql("ANALYZE")
                connection.commit()
                yield Copy(connection, "sqlite")
                connection.rollback()
        finally:
            backend.dispose()


@contextmanager
def original(url: str) -> Iterator[Connection]:
    """A connection that reads the database at ``url`` and cannot write; a SQLite file keeps even its journal mode.

    Raises :class:`BackendUnavailable` when there is no such file.
    """
    backend = open_backend(url, pool=_ONE, timeouts=_TIMEOUTS)
    try:
        with _read_engine(backend, url).connect() as connection:
            yield connection
    finally:
        backend.dispose()


def _read_engine(backend: Backend, url: str) -> Engine:
    if not backend.database_id().startswith("sqlite:"):
        return backend.engine("read")
    path = quote(str(Path(make_url(url).database or "").resolve()))
    engine = create_engine(f"sqlite+pysqlite:///file:{path}?mode=ro&uri=true", poolclass=NullPool, hide_parameters=True)
    event.listen(engine, "handle_error", lambda context: backend.map_error(context.original_exception))
    return engine


def temporary() -> Path:
    """Where copies of files are put: the system's temporary directory, which TMPDIR names."""
    return Path(tempfile.gettempdir())


def _back_up(path: Path, target: Path) -> None:
    """SQLite's online backup: one consistent state, while others go on writing (https://sqlite.org/backup.html)."""
    source = sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)
    try:
        copy = sqlite3.connect(target)
        try:
            source.backup(copy)
        finally:
            copy.close()
    finally:
        source.close()


def _check_room(path: Path, folder: str) -> None:
    files = [path, path.with_name(path.name + "-wal")]
    needed = int(_ROOM * sum(file.stat().st_size for file in files if file.exists()))
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise OutOfSpace(
            f"the scratch copy needs {needed / 2**20:,.0f} MiB in {temporary()}, of which "
            f"{free / 2**20:,.0f} are free: set TMPDIR to a larger disk, or pass --no-verify"
        )


def _remove_stale_folders() -> None:
    for folder in temporary().glob(f"{PREFIX}*"):
        made = re.match(rf"{PREFIX}(\d+)_", folder.name)
        try:
            own = folder.lstat().st_uid == os.getuid() and folder.is_dir() and not folder.is_symlink()
        except OSError:
            continue
        if made is not None and own and time.time() - int(made[1]) > STALE_AFTER:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _server_copy(url: str, dialect: str, tables: Sequence[str], rows: int) -> Iterator[Copy]:
    parts = make_url(url)
    name = f"{PREFIX}{int(time.time())}_{secrets.token_hex(4)}"
    original = open_backend(url, pool=_ONE, timeouts=_TIMEOUTS)
    copied = open_backend(parts.set(database=name).render_as_string(hide_password=False), pool=_ONE, timeouts=_TIMEOUTS)
    try:
        with original.engine("write").connect() as control:
            _remove_stale_databases(control)
            with _rights(control, name, parts.database or "", parts.username or ""):
                try:
                    control.exec_driver_sql(f"CREATE DATABASE {name}")
                    yield from _filled(copied, control, dialect, name, parts.database or "", (tables, rows))
                finally:
                    copied.dispose()
                    control.exec_driver_sql(f"DROP DATABASE IF EXISTS {name}")
    finally:
        original.dispose()


def _filled(
    backend: Backend, control: Connection, dialect: str, name: str, original: str, bounds: tuple[Sequence[str], int]
) -> Iterator[Copy]:
    tables, rows = bounds
    # Otherwise INSERT … SELECT locks what it reads: the application would wait for the copy.
    control.exec_driver_sql("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
    sampled = {}
    for table in tables:
        if _copy_table(control, table, original, name, rows) >= rows:
            sampled[table] = rows
    control.exec_driver_sql("COMMIT")
    with backend.engine("write").connect() as connection:
        for table in tables:
            connection.exec_driver_sql(f"ANALYZE TABLE {quoted(connection, table)}".replace("%", "%%")).all()
        yield Copy(connection, dialect, sampled)
        connection.rollback()


def _copy_table(control: Connection, table: str, original: str, name: str, rows: int) -> int:
    columns = ", ".join(quoted(control, part) for part in column_names(control, table, computed=False))
    there, here = (f"{quoted(control, database)}.{quoted(control, table)}" for database in (original, name))
    control.exec_driver_sql(f"CREATE TABLE {here} LIKE {there}".replace("%", "%%"))
    text = f"INSERT INTO {here} ({columns}) SELECT {columns} FROM {there} LIMIT {rows:d}"  # noqa: S608 - quoted names
    return control.exec_driver_sql(text.replace("%", "%%")).rowcount


def _remove_stale_databases(control: Connection) -> None:
    for name in inspect(control).get_schema_names():
        made = _NAME.fullmatch(name)
        if made is not None and time.time() - int(made[1]) > STALE_AFTER:
            control.exec_driver_sql(f"DROP DATABASE IF EXISTS {name}")


@contextmanager
def _rights(control: Connection, name: str, original: str, user: str) -> Iterator[None]:
    try:
        yield
    except BackendRejected as error:
        cause = error.__cause__
        code = cause.args[0] if cause is not None and cause.args else None
        if code not in _DENIED:
            raise
        raise BackendRejected(
            "the scratch copy needs rights that this user lacks: GRANT CREATE, DROP, INDEX, ALTER, SELECT, INSERT, "
            f"UPDATE, DELETE ON `pm\\_scratch\\_%`.* TO '{user}'@…; or pass --no-verify, or --url of another user"
        ) from error


def quoted(connection: Connection, name: str) -> str:
    """``name`` as an identifier, whatever is in it; a percent sign is left to whoever sends it."""
    mark = '"' if connection.dialect.name == "sqlite" else "`"
    return f"{mark}{name.replace(mark, mark * 2)}{mark}"

"""The application's database for reading alone: of SQLite no file is made, not even one beside it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ..._sql import PoolLimits, Timeouts, open_backend
from ...errors import ConfigurationError, OutsideUnit

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine, Table

    from ..._sql import Backend

# Seconds: all of a check has five.
TIMEOUTS = Timeouts(connect=1.5, statement=2.0, lock=1.0)


class Reading:
    """An open connection as a unit that reads, and as where such units come from."""

    def __init__(self, connection: Connection, database_id: str) -> None:
        self.connection = connection
        self.database_id = database_id
        self.execute = connection.execute
        self.scalar = connection.scalar

    @contextmanager
    def read(self) -> Iterator[Reading]:
        """Itself."""
        yield self

    def write(self) -> Any:
        """Refused."""
        raise OutsideUnit("this database was opened to be looked at")

    def current(self) -> None:
        """There is no unit that writes."""
        return


class Missing(Exception):
    """There is no such file or table yet."""


def backend_of(url: str) -> Backend:
    """Of one connection, with our time-outs; nothing is connected. Raises this package's errors."""
    try:
        return open_backend(url, pool=PoolLimits(size=1, overflow=0, timeout=2.0), timeouts=TIMEOUTS)
    except ValueError:  # a bracket that is never closed
        raise ConfigurationError("the database's URL is none") from None


def path_of(url: str) -> Path | None:
    """The file of a SQLite URL; ``None`` for any other."""
    if not url.startswith("sqlite"):
        return None
    path = getattr(backend_of(url), "path", None)
    return path if isinstance(path, Path) else None


def opened(path: Path, *, timeout: float = 1.0) -> sqlite3.Connection:
    """A SQLite file, so that nothing changes on the disk.

    Where nobody has it open there is no write-ahead log, and reading it in the usual way would make one; then it is
    read as a file that does not change (https://sqlite.org/uri.html#uriimmutable).
    """
    logged = path.with_name(f"{path.name}-wal").exists()
    how = "mode=ro" if logged else "mode=ro&immutable=1"
    return sqlite3.connect(
        f"file:{quote(str(path))}?{how}", uri=True, timeout=timeout, isolation_level=None, check_same_thread=False
    )


@contextmanager
def reading(url: str, *tables: Table) -> Iterator[Reading]:
    """The database of ``url``; raises this package's errors.

    :class:`Missing` where it is a file that is not there, or one of ``tables`` is not.
    """
    from sqlalchemy import inspect
    from sqlalchemy.exc import SQLAlchemyError

    backend = backend_of(url)
    try:
        with _connected(backend, path_of(url)) as connection:
            there = inspect(connection) if tables else None
            if there is not None and not all(there.has_table(table.name) for table in tables):
                raise Missing
            yield Reading(connection, backend.database_id())
    except (SQLAlchemyError, sqlite3.Error) as error:
        raise backend.map_error(error) or error from error
    finally:
        backend.dispose()


@contextmanager
def _connected(backend: Backend, path: Path | None) -> Iterator[Connection]:
    if path is None:
        with backend.engine("read").connect() as connection:
            yield connection
        return
    if not path.exists():
        raise Missing
    if not path.is_file():
        raise ConfigurationError(f"{path} is no file")
    with closing(opened(path)) as raw:
        engine = _engine(raw)
        try:
            with engine.connect() as connection:
                yield connection
        finally:
            engine.dispose()


def _engine(raw: sqlite3.Connection) -> Engine:
    from sqlalchemy import create_engine
    from sqlalchemy.pool import StaticPool

    return create_engine("sqlite://", creator=lambda: raw, poolclass=StaticPool)

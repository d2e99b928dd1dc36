"""SQLite as a server would behave: WAL, writers that queue, readers that cannot write."""

from __future__ import annotations

import sqlite3
import time
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Self

from sqlalchemy import URL, Engine, create_engine, event, make_url
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.exc import ArgumentError

from .._metrics import Metrics
from ..errors import ConfigurationError, PostrMagicError
from .base import SqlBackend, Target, written_table
from .dialect import MODE, Instrumented
from .gate import gate_of
from .interface import PoolLimits, Role, Timeouts
from .link import Link
from .sqlite_errors import translated
from .sqlite_link import FileLink

if TYPE_CHECKING:
    from sqlalchemy.engine import ExceptionContext
    from sqlalchemy.pool import ConnectionPoolEntry

_HELD = "pm_gate_held"


class SqliteBackend(SqlBackend):
    """One SQLite file. Statements have no time-out: SQLite runs in the calling thread."""

    name = "sqlite"

    def __init__(self, path: Path, limits: PoolLimits, timeouts: Timeouts, metrics: Metrics) -> None:
        super().__init__(limits, timeouts, metrics)
        self.path = path
        self._gate = gate_of(self.database_id())

    @classmethod
    def from_url(cls, url: str, *, pool: PoolLimits, timeouts: Timeouts, metrics: Metrics) -> Self:
        """``sqlite:///relative.db`` or ``sqlite:////absolute.db``; missing folders are made when it is first opened."""
        try:
            parts = make_url(url)
        except (ArgumentError, ValueError):
            raise ConfigurationError("expected sqlite:///relative.db or sqlite:////absolute/path.db") from None
        if parts.query:
            raise ConfigurationError("a SQLite URL takes no options after `?`: pass pool= and timeouts=")
        if parts.host or not parts.database or parts.database.startswith((":", "file:")):
            raise ConfigurationError(
                "expected a file, sqlite:///relative.db or sqlite:////absolute/path.db: a database in memory cannot be "
                "shared by the connections of a pool"
            )
        return cls(Path(parts.database).resolve(), pool, timeouts, metrics)

    def database_id(self) -> str:
        """The file's real path."""
        return f"sqlite:{self.path}"

    def link(self, role: Role) -> Link:
        """See :class:`SupportsLinks`."""
        return FileLink(self, role)

    def begin(self, connection: Any, role: Role) -> None:
        """Begin on the pool's proxy of a connection, as the engine of ``role`` does."""
        (self._begin_read if role == "read" else self._begin_write)(connection)

    def refuse(self, error: Exception, role: Role) -> NoReturn:
        """Raise this package's error for what the driver raised to a :class:`FileLink`; any other as it is."""
        ours = self._weighed(error, lambda: _ours(error, table=None, reading=role == "read"))
        if ours is None:
            raise error
        raise ours from error

    def _build(self, role: Role) -> Engine:
        engine = create_engine(
            URL.create("sqlite+postrmagic", database=str(self.path)),
            connect_args={"timeout": self.timeouts.lock, "isolation_level": None, "check_same_thread": False},
            **self._pool_options(),
        )
        event.listen(engine, "connect", self._set_up_reader if role == "read" else self._set_up)
        pool: Any = engine.pool
        pool.on_return = _end_results if role == "read" else self._leave_gate
        return engine

    def _open(self, *arguments: Any, **options: Any) -> Any:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        return sqlite3.connect(*arguments, factory=FileConnection, **options)

    def _begin_read(self, connection: Any) -> None:
        if connection.info.get(MODE, {}).get("pm_snapshot"):
            connection.execute("BEGIN DEFERRED")
            # BEGIN alone fixes nothing: the snapshot is taken by the first read.
            connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").close()

    def _translate(self, error: BaseException, context: ExceptionContext | None) -> PostrMagicError | None:
        reading = context is not None and context.engine is self._engines.get("read")
        return _ours(error, table=written_table(context), reading=reading)

    def _in_transaction(self, connection: Any) -> bool:
        return bool(connection.in_transaction)

    def _set_up(self, connection: sqlite3.Connection, record: object) -> None:
        self._enter_wal(connection)
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("PRAGMA foreign_keys=ON")

    def _set_up_reader(self, connection: sqlite3.Connection, record: object) -> None:
        self._set_up(connection, record)
        connection.execute("PRAGMA query_only=ON")

    def _enter_wal(self, connection: sqlite3.Connection) -> None:
        """Switch to WAL: of two processes doing so together SQLite answers one "busy" at once, without its time-out."""
        deadline = time.monotonic() + self.timeouts.lock
        while True:
            try:
                connection.execute("PRAGMA journal_mode=WAL")
                return
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
                time.sleep(0.005)

    def _begin_write(self, connection: Any) -> None:
        if not connection.info.get(_HELD):
            self._gate.acquire(self.timeouts.lock)
            connection.info[_HELD] = True
        connection.dbapi_connection.execute("BEGIN IMMEDIATE")

    def _leave_gate(self, entry: ConnectionPoolEntry) -> None:
        _end_results(entry)
        # On return and not at commit: SQLAlchemy tells of a commit before it happens.
        if entry.info.pop(_HELD, False):
            self._gate.release()


class FileConnection(sqlite3.Connection):
    """A connection that knows its open results: one that nobody reads to its end would hold an old snapshot.

    The next transaction here would then see no commit since, and could not write: SQLITE_BUSY_SNAPSHOT, at once.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._cursors: list[weakref.ref[sqlite3.Cursor]] = []
        super().__init__(*arguments, **options)

    def cursor(self, factory: Any = sqlite3.Cursor) -> Any:
        """A cursor that :meth:`end_results` closes."""
        cursor = super().cursor(factory)
        self._cursors.append(weakref.ref(cursor))
        return cursor

    def end_results(self) -> None:
        """Close every cursor that is still there."""
        cursors, self._cursors = self._cursors, []
        for reference in cursors:
            cursor = reference()
            if cursor is not None:
                cursor.close()


def _ours(error: BaseException, *, table: Target, reading: bool) -> PostrMagicError | None:
    return translated(error, table=table, reading=reading) if isinstance(error, sqlite3.Error) else None


def _end_results(entry: ConnectionPoolEntry) -> None:
    connection: Any = entry.dbapi_connection
    if connection is not None:
        connection.end_results()


class SqliteDialect(Instrumented, SQLiteDialect_pysqlite):
    """SQLAlchemy's, told what to do at its seams."""

    supports_statement_cache = True


registry.register("sqlite.postrmagic", __name__, SqliteDialect.__name__)

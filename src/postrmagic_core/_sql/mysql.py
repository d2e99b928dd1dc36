"""MySQL and MariaDB through PyMySQL: strict, UTC, with time-outs on everything and no update lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import pymysql
from pymysql.constants import SERVER_STATUS
from sqlalchemy import URL, Engine, create_engine, event
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.mysql.pymysql import MySQLDialect_pymysql

from .._metrics import Metrics
from ..errors import PostrMagicError
from .base import SqlBackend, written_table
from .dialect import MODE, Instrumented
from .interface import PoolLimits, Role, Timeouts
from .mysql_connection import ServerConnection
from .mysql_errors import UNIQUE, Covered, code_of, key_of, translated
from .mysql_keys import UniqueKeys
from .mysql_server import MysqlServer, silence

if TYPE_CHECKING:
    from sqlalchemy.engine import ExceptionContext

_SQL_MODE = (
    "STRICT_ALL_TABLES,STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO,"
    "NO_ENGINE_SUBSTITUTION,ONLY_FULL_GROUP_BY"
)
_SNAPSHOT = "SET SESSION innodb_snapshot_isolation=ON"
_UNKNOWN_VARIABLE = 1193


class MysqlBackend(SqlBackend):
    """One database of a MySQL or MariaDB server.

    ``db.write()`` loses no update: MariaDB's snapshot isolation where the server has it (10.6.18, 10.11.8, 11.4 and
    later), otherwise, and on MySQL, SERIALIZABLE.
    """

    def __init__(self, server: MysqlServer, limits: PoolLimits, timeouts: Timeouts, metrics: Metrics) -> None:
        super().__init__(limits, timeouts, metrics)
        self._server = server
        self._keys = UniqueKeys()

    @classmethod
    def from_url(cls, url: str, *, pool: PoolLimits, timeouts: Timeouts, metrics: Metrics) -> Self:
        """``mysql://user:password@host:port/name`` (or ``mariadb://``); ``?ssl_ca=/path`` turns TLS on, verified."""
        return cls(MysqlServer.from_url(url), pool, timeouts, metrics)

    @property
    def name(self) -> str:
        """``mysql`` or ``mariadb``, asked of the server once."""
        dialect: Any = self.engine("read").dialect
        if dialect.server_version_info is None:
            with self.engine("read").connect():
                pass
        return "mariadb" if dialect.is_mariadb else "mysql"

    def database_id(self) -> str:
        """Host, port and name."""
        return self._server.database_id

    def _build(self, role: Role) -> Engine:
        there = self._server
        engine = create_engine(
            URL.create("mysql+postrmagic", there.user, there.password, there.host, there.port, there.database),
            connect_args=there.arguments(self.timeouts),
            **self._pool_options(),
        )
        dialect: Any = engine.dialect
        dialect.namespace = there.database
        event.listen(engine, "connect", lambda connection, _: self._set_up(engine, role, connection))
        pool: Any = engine.pool
        pool.still_works = self._still_works
        return engine

    def _open(self, *arguments: Any, **options: Any) -> ServerConnection:
        return ServerConnection(*arguments, **options)

    def _begin_read(self, connection: Any) -> None:
        if connection.info.get(MODE, {}).get("pm_snapshot"):
            connection.query("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")

    def _begin_write(self, connection: Any) -> None:
        if connection.info.get(MODE, {}).get("pm_isolation") == "serializable":
            connection.query("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")

    def _still_works(self, connection: ServerConnection, idle: float) -> bool:
        # A closed socket shows without a round trip; a long idle one may be dead without a sign, and is asked.
        if connection.gone:
            return False
        return idle < self.limits.idle_check or connection.answers(self.timeouts.connect)

    def _translate(self, error: BaseException, context: ExceptionContext | None) -> PostrMagicError | None:
        if not isinstance(error, pymysql.Error):
            return None
        key = Covered()
        if code_of(error) in UNIQUE and context is not None and context.connection is not None:
            dbapi: Any = context.connection.connection.dbapi_connection
            key = self._keys.covered(dbapi, key_of(error), written_table(context))
        return translated(error, key=key, bound=context is None or bool(context.parameters))

    def _in_transaction(self, connection: Any) -> bool:
        return bool(connection.server_status & SERVER_STATUS.SERVER_STATUS_IN_TRANS)

    def _set_up(self, engine: Engine, role: Role, connection: ServerConnection) -> None:
        dialect: Any = engine.dialect
        # Whole seconds for these two, at least one.
        lock = max(1, round(self.timeouts.lock))
        if dialect.is_mariadb:
            limit = f"max_statement_time={self.timeouts.statement:g}"
        else:
            limit = f"max_execution_time={round(self.timeouts.statement * 1000)}"
        with connection.cursor() as cursor:
            snapshots = role == "write" and _has_snapshot_isolation(cursor)
            level = "REPEATABLE-READ" if role == "read" or snapshots else "SERIALIZABLE"
            name = "tx" if dialect.is_mariadb else "transaction"
            # One statement: each is a round trip.
            cursor.execute(
                f"SET SESSION autocommit={int(role == 'read')}, sql_mode='{_SQL_MODE}', time_zone='+00:00', "
                f"innodb_lock_wait_timeout={lock}, lock_wait_timeout={lock}, {limit}, "
                f"{name}_isolation='{level}', {name}_read_only={int(role == 'read')}"
            )
            cursor.execute("SELECT @@max_allowed_packet")
            (connection.max_packet,) = cursor.fetchone() or (0,)
        connection.keep_tls_session()
        connection.bear_silence(silence(self.timeouts))


def _has_snapshot_isolation(cursor: Any) -> bool:
    """Turn it on; asked of each new connection, since a failover may lead to another version."""
    try:
        cursor.execute(_SNAPSHOT)
    except pymysql.Error as error:
        if code_of(error) != _UNKNOWN_VARIABLE:
            raise
        return False
    return True


class MysqlDialect(Instrumented, MySQLDialect_pymysql):
    """SQLAlchemy's, told what to do at its seams."""

    supports_statement_cache = True
    bears_remarks = True


registry.register("mysql.postrmagic", __name__, MysqlDialect.__name__)

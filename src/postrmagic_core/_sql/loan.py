"""A connection out of the pool, until it is closed: what SQLAlchemy's own proxy does, at half of its cost."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

if TYPE_CHECKING:
    from .pool import BoundedPool

logger = logging.getLogger("postrmagic_core.database")


class Loan(PoolProxiedConnection):
    """The proxy of one connection for one holder; dropped without being closed, it gives the connection back too."""

    __slots__ = ("_entry", "_info", "_pool", "dbapi_connection")

    def __init__(self, pool: BoundedPool, entry: ConnectionPoolEntry, connection: Any) -> None:
        self._pool = pool
        self._entry: ConnectionPoolEntry | None = entry
        self._info = entry.info
        self.dbapi_connection = connection

    @property
    def entry(self) -> ConnectionPoolEntry | None:
        """The pool's entry; ``None`` once the connection is closed or detached."""
        return self._entry

    @property
    def driver_connection(self) -> Any:  # type: ignore[override]  # SQLAlchemy declares an attribute and has a property
        """The driver's connection."""
        return self.dbapi_connection

    @property
    def is_valid(self) -> bool:
        """Whether it is open, as far as is known."""
        return self.dbapi_connection is not None

    @property
    def is_detached(self) -> bool:
        """Whether it belongs to no pool."""
        return self._entry is None

    @property
    def info(self) -> dict[Any, Any]:
        """Notes that live as long as the connection."""
        return self._info

    @property
    def record_info(self) -> dict[Any, Any] | None:
        """Notes that live as long as the pool's entry."""
        return None if self._entry is None else self._entry.record_info

    def cursor(self, *args: Any, **kwargs: Any) -> Any:
        """A cursor of the driver's."""
        connection: Any = self.dbapi_connection
        return connection.cursor(*args, **kwargs)

    def commit(self) -> None:
        """Commit."""
        connection: Any = self.dbapi_connection
        connection.commit()

    def rollback(self) -> None:
        """Roll back."""
        connection: Any = self.dbapi_connection
        connection.rollback()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.dbapi_connection, name)

    def close(self) -> None:
        """Roll back what was begun and give the connection back; one that cannot be rolled back is discarded."""
        self._close_special()

    def _close_special(self, transaction_reset: bool = False) -> None:
        """As SQLAlchemy's connection calls it: ``transaction_reset`` says that the transaction has ended already."""
        connection, entry = self.dbapi_connection, self._entry
        if connection is None:
            return
        try:
            if not transaction_reset:
                self._pool._dialect.do_rollback(self)
            if entry is None:
                connection.close()
        except BaseException as error:
            logger.debug("a connection could not be rolled back and is discarded", exc_info=True)
            if entry is not None:
                entry.invalidate(error)
            if not isinstance(error, Exception):
                raise
        finally:
            self._give_back()

    def invalidate(self, e: BaseException | None = None, soft: bool = False) -> None:
        """Discard the connection; ``soft``: only let nobody use it after this one."""
        entry = self._entry
        if entry is not None:
            try:
                entry.invalidate(e, soft=soft)
            finally:
                if not soft:
                    self._give_back()

    def detach(self) -> None:
        """Take the connection out of the pool: closing this proxy then closes it."""
        entry: Any = self._entry
        connection = self.dbapi_connection
        if entry is not None:
            self._info = dict(self._info)
            entry.dbapi_connection = None
            self._give_back()
            self.dbapi_connection = connection

    def _give_back(self) -> None:
        entry, self._entry, self.dbapi_connection = self._entry, None, None
        if entry is not None:
            self._pool._do_return_conn(entry)

    def __del__(self) -> None:
        if self._entry is not None:
            self.close()

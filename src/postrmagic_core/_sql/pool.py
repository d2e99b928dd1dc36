"""SQLAlchemy's queue pool, by a clock that nobody sets: its own waits and ages follow the wall clock.

Set back by an hour while a thread waits for a connection, it would wait an hour more; set back after a failover, it
would open a new connection for each call.
"""

from __future__ import annotations

import threading
import time

from sqlalchemy import exc
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection, QueuePool
from sqlalchemy.util import queue

from ..errors import PoolExhausted

_BORN = "pm_born"


class _Queue(queue.Queue[ConnectionPoolEntry]):
    """Whose time-out is measured in time that passes."""

    not_empty: threading.Condition
    not_full: threading.Condition

    def get(self, block: bool = True, timeout: float | None = None) -> ConnectionPoolEntry:
        if not block or timeout is None:
            return super().get(block, timeout)
        with self.not_empty:
            if not self.not_empty.wait_for(lambda: not self._empty(), timeout):
                raise queue.Empty
            entry = self._get()
            self.not_full.notify()
            return entry


class BoundedPool(QueuePool):
    """A pool whose time-out is this package's error, and whose connections end after half an hour."""

    # Seconds: below the idle limits of common proxies and firewalls, which drop connections without a word.
    recycle = 1800.0
    _queue_class = _Queue
    _invalidated = float("-inf")

    def _do_get(self) -> ConnectionPoolEntry:
        try:
            entry = super()._do_get()
        except exc.TimeoutError:
            raise PoolExhausted(
                f"no database connection became free within {self.timeout():g} s: all {self.checkedout()} are in use; "
                "look for units kept open during slow work, or raise the pool's size"
            ) from None
        if entry.dbapi_connection is not None and self._outlived(entry):
            entry.invalidate()
        return entry

    def _outlived(self, entry: ConnectionPoolEntry) -> bool:
        born: float = entry.info.get(_BORN, float("inf"))
        return born <= self._invalidated or time.monotonic() - born > self.recycle

    def _invalidate(
        self, connection: PoolProxiedConnection, exception: BaseException | None = None, _checkin: bool = True
    ) -> None:
        """Let no connection be used again that was open when this one broke; those opened since then stay."""
        entry = getattr(connection, "_connection_record", None)
        if entry is None or entry.info.get(_BORN, float("inf")) > self._invalidated:
            self._invalidated = time.monotonic()
        if _checkin and connection.is_valid:
            connection.invalidate(exception)


def note_birth(connection: object, entry: ConnectionPoolEntry) -> None:
    """Listener of ``connect``: when the connection was opened."""
    entry.info[_BORN] = time.monotonic()

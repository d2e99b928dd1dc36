"""SQLAlchemy's queue pool with a ledger, by a clock that nobody sets: its own waits and ages follow the wall clock.

Set back by an hour while a thread waits for a connection, it would wait an hour more; set back after a failover, it
would open a new connection for each call.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import Any, cast

from sqlalchemy import exc
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection, QueuePool
from sqlalchemy.util import queue

from ..errors import PoolExhausted
from .dialect import MODE
from .ledger import Ledger
from .loan import Loan

_BORN = "pm_born"
_BACK = "pm_back"
# Seconds within which a connection that was in use is taken to work still: looking costs as much as half a checkout.
_TRUSTED = 0.05


class _Turn:
    """A place in the queue: a bare lock, released once :attr:`entry` is there. An Event costs ten times as much."""

    __slots__ = ("_lock", "entry")

    def __init__(self) -> None:
        self.entry: ConnectionPoolEntry | None = None
        self._lock = threading.Lock()
        self._lock.acquire()

    def come(self, entry: ConnectionPoolEntry) -> None:
        self.entry = entry
        self._lock.release()

    def wait(self, seconds: float | None) -> None:
        self._lock.acquire(timeout=-1 if seconds is None else seconds)


class _Idle(queue.QueueCommon[ConnectionPoolEntry]):
    """The idle connections, the last one used first: no lock, since a deque's own operations are atomic.

    Who waits does so in order, and by a clock that nobody sets: a connection that comes back is handed to the first,
    so that no busy thread takes it again from those who wait. A connection's finalizer may call :meth:`put` while this
    thread is in :meth:`get`.
    """

    def __init__(self, maxsize: int = 0, use_lifo: bool = True) -> None:
        self.maxsize = maxsize
        self.use_lifo = use_lifo
        self._entries: deque[ConnectionPoolEntry] = deque()
        self._waiting: deque[_Turn] = deque()

    def empty(self) -> bool:
        return not self._entries

    def full(self) -> bool:
        return len(self._entries) >= self.maxsize

    def qsize(self) -> int:
        return len(self._entries)

    def put(self, item: ConnectionPoolEntry, block: bool = True, timeout: float | None = None) -> None:
        if len(self._entries) >= self.maxsize:
            raise queue.Full
        self._entries.append(item)
        if self._waiting:
            self._hand_over()

    put_nowait = put

    def at_hand(self) -> ConnectionPoolEntry | None:
        """The one last used, if any is idle."""
        try:
            return self._entries.pop()
        except IndexError:
            return None

    def get_nowait(self) -> ConnectionPoolEntry:
        return self.get(block=False)

    def get(self, block: bool = True, timeout: float | None = None) -> ConnectionPoolEntry:
        if (entry := self.at_hand()) is not None:
            return entry
        if not block:
            raise queue.Empty
        turn = _Turn()
        self._waiting.append(turn)
        self._hand_over()
        try:
            turn.wait(timeout)
        except BaseException:
            if (entry := self._leave_queue(turn)) is not None:
                self.put(entry)
            raise
        if (entry := turn.entry or self._leave_queue(turn)) is None:
            raise queue.Empty
        return entry

    def _hand_over(self) -> None:
        while self._entries and self._waiting:
            with suppress(IndexError):  # another thread does the same
                turn = self._waiting.popleft()
                try:
                    entry = self._entries.pop()
                except IndexError:
                    self._waiting.appendleft(turn)
                else:
                    turn.come(entry)

    def _leave_queue(self, turn: _Turn) -> ConnectionPoolEntry | None:
        """Wait no more; the entry that came nevertheless."""
        while turn.entry is None:
            with suppress(ValueError):
                self._waiting.remove(turn)
                return None
            turn.wait(0.001)  # another thread has it in hand
        return turn.entry


class BoundedPool(QueuePool):
    """A pool whose time-out is this package's error and names who holds its connections; see :class:`PoolLimits`."""

    ledger: Ledger
    max_age: float
    # Whether a connection that was idle for so many seconds still works, as far as is worth finding out.
    still_works: Callable[[Any, float], bool] | None = None
    # Told of an entry that comes back, before anybody else can get it.
    on_return: Callable[[ConnectionPoolEntry], None] | None = None
    _queue_class = _Idle
    _invalidated = float("-inf")
    _closed = False

    def recreate(self) -> BoundedPool:
        """An empty pool with the same ledger."""
        pool = cast("BoundedPool", super().recreate())
        pool.ledger, pool.max_age = self.ledger, self.max_age
        pool.still_works, pool.on_return = self.still_works, self.on_return
        return pool

    def dispose(self) -> None:
        """Close what is idle now, and what is in use when it comes back."""
        self._closed = True
        super().dispose()

    def outdate(self) -> None:
        """Let no connection be used again that is open now; who holds one goes on with it."""
        self._invalidated = monotonic()

    def connect(self) -> PoolProxiedConnection:
        """A connection of its own for the caller, until it closes it."""
        dispatch = self.dispatch
        if dispatch.checkout or dispatch.checkin or dispatch.reset:
            return super().connect()  # somebody listens to what only SQLAlchemy's proxy tells
        entry = self._do_get()
        try:
            connection = entry.get_connection()
        except BaseException as error:
            entry.invalidate(error)
            self._do_return_conn(entry)
            raise
        return Loan(self, entry, connection)

    def _do_get(self) -> Any:
        idle: Any = self._pool
        entry, waited = idle.at_hand(), 0.0
        if entry is None:
            entry, waited = self._waited()
        now = monotonic()
        info = entry.info
        back: float | None = info.get(_BACK)
        if back is not None and entry.dbapi_connection is not None:  # else it was opened just now, or will be
            born: float = info[_BORN]
            worn = born <= self._invalidated or now - born > self.max_age
            if worn or (now - back > _TRUSTED and not self._still_works(entry.dbapi_connection, now - back)):
                entry.invalidate()
        self.ledger.take(entry, now, waited)
        return entry

    def _waited(self) -> tuple[ConnectionPoolEntry, float]:
        self.ledger.begin_wait()
        try:
            entry = super()._do_get()
        except exc.TimeoutError:
            self.ledger.end_wait()
            raise PoolExhausted(self.ledger.tell_exhausted(self.timeout(), self.checkedout())) from None
        except BaseException:
            self.ledger.end_wait()
            raise
        return entry, self.ledger.end_wait()

    def _do_return_conn(self, record: ConnectionPoolEntry) -> None:
        info = record.info
        info[_BACK] = self.ledger.give_back(record)
        info.pop(MODE, None)
        if self.on_return is not None:
            self.on_return(record)
        if self._closed:
            record.close()
        super()._do_return_conn(record)

    def _still_works(self, connection: Any, idle: float) -> bool:
        return self.still_works is None or self.still_works(connection, idle)

    def _invalidate(
        self, connection: PoolProxiedConnection, exception: BaseException | None = None, _checkin: bool = True
    ) -> None:
        """Let no connection be used again that was open when this one broke; those opened since then stay."""
        entry = connection.entry if isinstance(connection, Loan) else getattr(connection, "_connection_record", None)
        if entry is None or entry.info.get(_BORN, float("inf")) > self._invalidated:
            self._invalidated = monotonic()
        if _checkin and connection.is_valid:
            connection.invalidate(exception)


def note_birth(connection: object, entry: ConnectionPoolEntry) -> None:
    """Listener of ``connect``: when the connection was opened."""
    entry.info[_BORN] = monotonic()

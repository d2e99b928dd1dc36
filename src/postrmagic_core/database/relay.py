"""The relay: forwards committed outbox rows, however the process that committed them ended.

Rows are delivered and deleted in units of the relay's own, many in one. Their locks are the claim: a relay that dies
gives them back at once, and two relays never deliver the same row to a SQL target. Rows with a key are claimed by their
key, in order.
"""

from __future__ import annotations

import logging
import random
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from .._clock import Clock
from .._lifecycle import Lifecycle, after_fork
from .._retry import RetryPolicy
from ..errors import BackendError, Conflict, NotOpen, PostrMagicError
from . import claims, policy
from .claims import Claimed
from .delivery import Batch, Failure
from .interface import Deliver, OutboxRow

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from .manager import DatabaseManager

T = TypeVar("T", int, str)
_Claim: TypeAlias = "Callable[[Connection, Sequence[T]], Claimed]"

logger = logging.getLogger("postrmagic_core.database")

# Seconds between sweeps when nobody wakes the relay: other processes' commits, delayed rows, retries.
SWEEP = 1.0
# Seconds after which a transaction takes no further row: a route may wait for a network.
BUDGET = 0.05
# SQLite has one writer, and those of other processes poll for their turn: with short transactions and a pause after
# each, a quarter of what it took, they were seen to wait for 0.4 s at worst, and without for 2.8 s.
SQLITE_BUDGET = 0.01
_PAUSE = 0.25
_BACK_OFF = RetryPolicy(attempts=1_000_000, base=0.1, cap=5.0)
_JOIN = 10.0


class Relay(Lifecycle):
    """Forwards rows of the topics in ``routes``; other topics wait, and are shown by ``db.outbox_counts()``.

    Open, it runs in a thread; :meth:`run_once` needs none.

    Up to ``batch`` rows share a transaction, each in a savepoint, for some 50 ms at most (SQLite: 10); a row that
    fails neither undoes nor repeats the others. If the transaction itself is lost (a deadlock, the connection), all its
    rows are put back and delivered one by one: SQL targets see them once, others may see the same ``row.id`` again.

    A route that raises is tried again with growing random pauses, at most 12 times, then its row is dead: kept and
    counted. After a :class:`ConfigurationError` a row waits as long as it takes: another process may know it. A row
    with a key holds up its key until then, and nothing else.
    """

    def __init__(self, database: DatabaseManager, routes: Mapping[str, Deliver], *, batch: int, clock: Clock) -> None:
        super().__init__()
        if batch < 1:
            raise ValueError(f"batch must be at least 1, got {batch}")
        self._database = database
        self._routes = dict(routes)
        self._batch = batch
        self._size = batch
        self._single_writer = policy.single_writer(database.database_id)
        self._clock = clock
        self._thread: threading.Thread | None = None
        self._woken = threading.Event()
        self._stopping = threading.Event()
        after_fork(self._forget)

    def start(self) -> None:
        """Start the thread, as opening does, unless it runs; in a forked child it starts anew only when asked."""
        self.open()
        with self._state_lock:
            self._run()

    def stop(self) -> None:
        """End the thread after the row under way; the transaction's deliveries so far hold."""
        self.close()

    def wake(self) -> None:
        """Something committed: look now instead of at the next sweep."""
        self._woken.set()

    def run_once(self) -> int:
        """Deliver what is ready, of at most ``batch`` rows without a key and ``batch`` keys; returns how many rows."""
        return self._run_once(lambda: False)

    def _run_once(self, stopping: Callable[[], bool]) -> int:
        topics, now_us = list(self._routes), self._clock.now_us()
        with self._database.read() as tx:
            rows = claims.ready_rows(tx.connection, topics, now_us, self._batch)
            keys = claims.ready_keys(tx.connection, topics, now_us, self._batch)
        delivered = self._work(deque(rows), self._claim_rows, stopping)
        return delivered + self._work(deque(keys), self._claim_keys, stopping)

    def _work(self, queue: deque[T], claim: _Claim[T], stopping: Callable[[], bool]) -> int:
        """Deliver what waits in ``queue``, a transaction at a time."""
        delivered = 0
        while queue and not stopping():
            wanted = [queue.popleft() for _ in range(min(self._size, len(queue)))]
            batch, begun = Batch(self._routes), self._clock.monotonic()
            try:
                self._deliver(batch, wanted, claim, stopping)
            except Exception as error:
                if self._put_back(batch, error):
                    self._size = 1
                    queue.extendleft(reversed(wanted))
                continue
            finally:
                if self._single_writer:
                    self._clock.sleep((self._clock.monotonic() - begun) * _PAUSE)
            self._tell(batch)
            self._size = policy.next_size(self._size, batch.tried, batch.left, self._batch)
            queue.extendleft(item for item in reversed(wanted) if item in batch.untouched)
            delivered += len(batch.delivered)
        return delivered

    def _deliver(self, batch: Batch, wanted: Sequence[T], claim: _Claim[T], stopping: Callable[[], bool]) -> None:
        with self._database.write() as tx:
            end = self._clock.monotonic() + (SQLITE_BUDGET if self._single_writer else BUDGET)
            batch.deliver(tx, claim(tx.connection, wanted), lambda: stopping() or self._clock.monotonic() >= end)
            batch.settle(tx.connection)

    def _claim_rows(self, connection: Connection, ids: Sequence[int]) -> Claimed:
        return claims.claim_rows(connection, ids, self._clock.now_us())

    def _claim_keys(self, connection: Connection, keys: Sequence[str]) -> Claimed:
        return claims.claim_keys(connection, keys, list(self._routes), self._clock.now_us(), self._size)

    def _put_back(self, batch: Batch, error: Exception) -> bool:
        """After an error that undid a transaction: whether its rows shall be delivered again, one by one.

        Of one row alone we know that it is to blame, or that it is not; raises the error if that lies elsewhere.
        """
        rows, delivering = batch.claimed.rows, batch.under_way
        if len(rows) > 1 and (delivering or isinstance(error, Conflict) or not isinstance(error, BackendError)):
            return True
        if rows and policy.blames_row(error, delivering=delivering):
            self._note_failure(Failure.now(rows[0], error, self._clock.now_us()))
        elif not isinstance(error, Conflict):
            raise error
        return False  # left for the next look

    def _note_failure(self, failure: Failure) -> None:
        key = failure.row.key
        with self._database.write() as tx:
            if key is not None:
                claims.lock_keys(tx.connection, [key])
            failure.note(tx.connection)
            claims.move_on(tx.connection, [] if key is None else [key])
        self._tell_failure(failure)

    def _tell(self, batch: Batch) -> None:
        for row in batch.delivered:
            self._count("outbox_delivered_total", row)
        for failure in batch.failures:
            self._tell_failure(failure)

    def _tell_failure(self, failure: Failure) -> None:
        row, dead = failure.row, failure.due_us is None
        self._count("outbox_dead_total" if dead else "outbox_failed_total", row)
        logger.log(
            logging.ERROR if dead else logging.WARNING,
            "delivery of an outbox row failed",
            exc_info=failure.cause,
            extra={"topic": row.topic, "row_id": row.id, "attempts": row.attempts + 1, "dead": dead},
        )

    def _count(self, name: str, row: OutboxRow) -> None:
        self._database.metrics.counter(name, topic=row.topic).add()

    def _loop(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            self._woken.clear()
            try:
                pause = 0.0 if self._run_once(self._stopping.is_set) else SWEEP
                failures = 0
            except NotOpen:
                return  # the database was closed: nothing is left to do
            except Exception as error:
                failures += 1
                pause = _BACK_OFF.delay(failures, random.random()) or 0.0  # noqa: S311 - spreads load
                level = logging.WARNING if isinstance(error, PostrMagicError) else logging.ERROR
                logger.log(level, "the relay failed and tries again", exc_info=error, extra={"failures": failures})
                self._stopping.wait(pause)
                continue
            self._woken.wait(pause)

    def _open(self) -> None:
        self._database.ensure_open()
        self._run()

    def _run(self) -> None:
        if self._thread is None:
            self._stopping.clear()
            self._thread = threading.Thread(target=self._loop, name="postrmagic-relay", daemon=True)
            self._thread.start()

    def _close(self) -> None:
        thread, self._thread = self._thread, None
        self._stopping.set()
        self._woken.set()
        if thread is not None and thread is not threading.current_thread():
            thread.join(_JOIN)

    def _forget(self) -> None:
        self._thread = None
        self._woken = threading.Event()
        self._stopping = threading.Event()

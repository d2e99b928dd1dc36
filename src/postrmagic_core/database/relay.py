"""The relay: forwards committed outbox rows, however the process that committed them ended.

Each row is delivered and deleted in one unit of the relay's own. Its lock is the claim: a relay that dies gives it back
at once, and two relays never deliver the same row to a SQL target. Rows with a key are claimed by their key, in order.
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING

from .._clock import Clock
from .._lifecycle import Lifecycle, after_fork
from .._retry import RetryPolicy
from ..errors import Conflict, NotOpen, PostrMagicError
from . import claims, policy
from .interface import Deliver, OutboxCount, OutboxRow
from .unit import Unit

if TYPE_CHECKING:
    from .manager import DatabaseManager

logger = logging.getLogger("postrmagic_core.database")

# Seconds between sweeps when nobody wakes the relay: other processes' commits, delayed rows, retries.
SWEEP = 1.0
_BACK_OFF = RetryPolicy(attempts=1_000_000, base=0.1, cap=5.0)
_JOIN = 10.0


class _Failed(Exception):
    """A route refused a row: the row's fault or its target's, not the database's."""

    def __init__(self, row: OutboxRow) -> None:
        super().__init__()
        self.row = row


class Relay(Lifecycle):
    """Forwards rows of the topics in ``routes``; other topics wait, and are shown by :meth:`outbox_counts`.

    Open, it runs in a thread; :meth:`run_once` needs none.

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
        """End the thread after the row under way."""
        self.close()

    def wake(self) -> None:
        """Something committed: look now instead of at the next sweep."""
        self._woken.set()

    def outbox_counts(self) -> dict[str, OutboxCount]:
        """Waiting and dead rows by topic, topics without a route included."""
        return self._database.outbox_counts()

    def run_once(self) -> int:
        """Deliver what is ready, at most ``batch`` rows without a key and ``batch`` keys; returns how many rows."""
        topics, now_us = list(self._routes), self._clock.now_us()
        with self._database.read() as tx:
            rows = claims.ready_rows(tx.connection, topics, now_us, self._batch)
            keys = claims.ready_keys(tx.connection, topics, now_us, self._batch)
        delivered = sum(self._deliver_row(row) for row in rows)
        return delivered + sum(self._deliver_key(key) for key in keys)

    def _deliver_row(self, row_id: int) -> bool:
        try:
            with self._database.write() as tx:
                row = claims.claim_row(tx.connection, row_id, self._clock.now_us())
                if row is None:
                    return False
                self._hand_over(tx, row)
                claims.delete(tx.connection, row)
        except Conflict:
            return False  # left for the next look
        except _Failed as failure:
            self._note_failure(failure)
            return False
        self._count("outbox_delivered_total", row)
        return True

    def _deliver_key(self, key: str) -> int:
        """Deliver rows of one key in their order, each in its unit, until one is not ready or fails."""
        for delivered in range(self._batch):
            try:
                with self._database.write() as tx:
                    row = claims.claim_key(tx.connection, key, list(self._routes), self._clock.now_us())
                    if row is None:
                        return delivered
                    self._hand_over(tx, row)
                    claims.delete(tx.connection, row)
            except Conflict:
                return delivered
            except _Failed as failure:
                self._note_failure(failure)
                return delivered
            self._count("outbox_delivered_total", row)
        return self._batch

    def _hand_over(self, tx: Unit, row: OutboxRow) -> None:
        try:
            self._routes[row.topic](tx, row)
        except Exception as error:
            if tx.failed:
                raise  # the relay's own transaction broke: no fault of the row
            raise _Failed(row) from error

    def _note_failure(self, failure: _Failed) -> None:
        row, cause = failure.row, failure.__cause__ or failure
        due_us = policy.next_due_us(cause, row.attempts + 1, self._clock.now_us(), random.random())  # noqa: S311 - spreads load
        with self._database.write() as tx:
            claims.postpone(tx.connection, row, due_us, policy.error_name(cause))
        self._count("outbox_failed_total" if due_us else "outbox_dead_total", row)
        logger.log(
            logging.WARNING if due_us else logging.ERROR,
            "delivery of an outbox row failed",
            exc_info=cause,
            extra={"topic": row.topic, "row_id": row.id, "attempts": row.attempts + 1, "dead": due_us is None},
        )

    def _count(self, name: str, row: OutboxRow) -> None:
        self._database.metrics.counter(name, topic=row.topic).add()

    def _loop(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            self._woken.clear()
            try:
                pause = 0.0 if self.run_once() else SWEEP
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

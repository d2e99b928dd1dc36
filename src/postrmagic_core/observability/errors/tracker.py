"""Every error that is logged, on its way to its group in the database; who logs it waits for nothing."""

from __future__ import annotations

import logging
import random
import secrets
import threading
import time
from collections import deque
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, Final

from ..._clock import Clock, SystemClock, from_us
from ..._errand import Errand
from ..._lifecycle import Lifecycle, after_fork
from ..._metrics import Metrics
from ..._protocols import Units
from ..._retry import RetryPolicy
from ...errors import Conflict, UniqueViolation
from ..releases import note_seen
from . import here, policy, rows
from .grouping import Grouping
from .interface import Change
from .waiting import Noted, Waiting

_log = logging.getLogger("postrmagic_core.observability")

# One of its own: who draws from the shared one in a thread changes what others draw.
_DICE = random.SystemRandom()
# Seconds between two writes, and between tries while the database is away, at most.
_GATHER = 0.5
_PAUSE, _LONGEST = 0.25, 4.0
# Groups in a transaction: it holds their locks, and on SQLite everybody's.
_BATCH = 100
# Who is in the way of a row is gone in no time; who holds a lock for longer is met again by the next try.
_CONFLICTS = RetryPolicy(attempts=10, base=0.005, cap=0.2)
_PATIENCE = 1.0
# Seconds that closing takes at most, and does of no database that answers.
_END = 4.0
# For so long (microseconds) a batch whose fate is not known may be tried again without counting twice.
_KEEP_US: Final = 86_400 * 1_000_000


@dataclass(frozen=True, slots=True)
class _Batch:
    """Groups that are written in one transaction, once: ``name`` tells whether it has been.

    ``given_up``: they were told to be lost, and must not be written any more.
    """

    name: str
    added: tuple[rows.Added, ...]
    given_up: threading.Event

    @property
    def count(self) -> int:
        return sum(one.values["count"] for one in self.added)


class _GivenUpError(Exception):
    """Nobody waits any more for what was to be written: it was told to be lost."""


class ErrorTracker(Lifecycle):
    """Counts errors in groups, in ``pm_errors``: give it to :meth:`LogHandle.tap`.

    Called with a cleaned event and its exception it notes both in memory; a thread of its own writes them within about
    a second, and closing it writes the rest, in 4 seconds at most. What cannot be written is kept, and tried again.
    Counts add up exactly over processes. Of several open trackers of one database (``database_id``) in a process the
    first that is told of an error notes it; trackers of different databases each do, as nobody can say whose it is.
    Counts ``errors_seen_total``, ``errors_untracked_total`` (of more than 1,000 groups an hour),
    ``errors_write_failures_total``, ``errors_regressed_total`` and ``errors_lost_total`` (at the end).
    """

    _one_writes: threading.Lock
    _given_up: threading.Event
    _waiting: Waiting
    _batches: deque[_Batch]
    _before: str | None
    _not_before: float
    _failed: int
    _away: bool
    _stored: int
    _in_vain: int

    def __init__(
        self,
        database: Units,
        *,
        service: str = "",
        release: str = "",
        clock: Clock | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        super().__init__()
        self._database = database
        self._database_id = ""
        self._token = object()  # not itself: it would be kept alive by threads that logged
        self._service = policy.fit(service, 64)
        self._release = policy.fit(release, 64)
        self._clock = clock or SystemClock()
        metrics = metrics or Metrics()
        self._seen = metrics.counter("errors_seen_total")
        self._untracked = metrics.counter("errors_untracked_total")
        self._failures = metrics.counter("errors_write_failures_total")
        self._regressed = metrics.counter("errors_regressed_total")
        self._lost = metrics.counter("errors_lost_total")
        self._grouping = Grouping()
        self._errand = Errand("postrmagic-errors", self._write_soon, _log)
        self._renew()
        after_fork(self._forget)

    def __call__(self, event: Mapping[str, Any], error: BaseException | None) -> None:
        """Note an error: ``event`` as it is logged, redacted; ``error`` is read and not kept."""
        if not self._errand.is_open or not here.claimed(event, self._database_id, self._token):
            return
        # What goes wrong with the writing is told in the log, and not written: that would never end.
        if here.is_writing():
            return
        self._seen.add()
        noted = self._waiting.note(self._grouping.of(event, error), event, self._clock.now_us())
        if noted == "first":
            self._errand.ask()
        elif noted == "refused":
            self._untracked.add()

    def flush(self) -> bool:
        """Write what was noted so far, now; whether all of it is written. It ends at the first failure."""
        done = self._flush()
        if not done:
            self._errand.ask()
        return done

    def _flush(self) -> bool:
        one_writes, waiting, batches, given_up = self._one_writes, self._waiting, self._batches, self._given_up
        with self._writing(), one_writes:
            if given_up.is_set():
                return False
            # What failed before comes first: as long as it fails the rest is summed where it waits, and is bounded.
            if not self._write_batches():
                return False
            groups = iter(waiting.take().items())
            while some := tuple(islice(groups, _BATCH)):
                batches.append(_Batch(secrets.token_hex(16), tuple(self._added(*group) for group in some), given_up))
            if given_up.is_set():
                return False
            return self._write_batches()

    def _write_batches(self) -> bool:
        batches = self._batches
        while batches:
            if not self._written(batches[0]):
                return False
            batches.popleft()
        return True

    def _write_soon(self) -> float | None:
        """The errand: write, then gather for half a second; while nothing can be written, try again less often."""
        now = self._clock.monotonic()
        if now < self._not_before:
            return self._not_before - now
        if self._flush():
            self._failed, pause = 0, _GATHER
        else:
            self._failed = min(self._failed + 1, 5)
            pause = min(_PAUSE * 2**self._failed, _LONGEST) * (0.5 + _DICE.random() / 2)
        self._not_before = self._clock.monotonic() + pause
        return None if self._waiting.is_empty and not self._batches else pause

    def _added(self, fingerprint: str, noted: Noted) -> rows.Added:
        try:
            heading, sample = policy.heading(noted.event), policy.sample(noted.event)
        except Exception as failure:  # a hostile event: that it was logged is still counted
            heading, sample = policy.heading({"event": f"unreadable event: {type(failure).__name__}"}), b"{}"
        values = {
            "fingerprint": fingerprint,
            "service": self._service,
            "logger": heading.logger,
            "kind": heading.kind,
            "message": heading.message,
            "place": heading.place,
            "words": heading.words,
            "count": sum(noted.hours.values()),
            "first_us": noted.first_us,
            "last_us": noted.last_us,
            "first_release": self._release,
            "last_release": self._release,
            "sample": sample,
        }
        return rows.Added(values, dict(noted.hours))

    def _written(self, batch: _Batch) -> bool:
        given_up = batch.given_up
        try:
            self._try(batch)
        except UniqueViolation:
            # The answer to an earlier try was cut off, and it had been written all the same.
            pass
        except Exception as error:
            if not given_up.is_set():
                self._failed_to_write(error)
            return False
        if given_up.is_set():
            return False
        self._before = batch.name
        self._stored += batch.count
        if self._away:
            self._away = False
            _log.info("errors are written to the database again")
        return True

    def _failed_to_write(self, error: Exception) -> None:
        self._in_vain += 1
        self._failures.add()
        if not self._away:
            self._away = True
            kind = type(error).__qualname__
            _log.warning("errors cannot be written to the database, and are kept: %s", kind, extra={"error": kind})

    def _try(self, batch: _Batch) -> None:
        """Write once; after a conflict again, where that one was told soon: what failed is tried again anyway."""
        began, failures = time.monotonic(), 0
        while True:
            try:
                with self._database.write() as tx:
                    return self._write(batch, tx)
            except Conflict:
                failures += 1
                delay = _CONFLICTS.delay(failures, _DICE.random())
                if delay is None or time.monotonic() - began + delay > _PATIENCE:
                    raise
                time.sleep(delay)

    def _write(self, batch: _Batch, tx: Any) -> None:
        if batch.given_up.is_set():
            raise _GivenUpError
        now_us = self._clock.now_us()
        rows.note_once(tx, batch.name, self._before, now_us, _KEEP_US)
        if self._release and self._before is None:
            note_seen(tx, self._release, now_us)
        rows.add(tx, batch.added, now_us)
        held = rows.held(tx, [one.fingerprint for one in batch.added])
        since = rows.begun(tx) if held else {}
        for one in batch.added:
            if one.fingerprint in held:
                self._seen_again(tx, one, held[one.fingerprint], since)

    def _seen_again(self, tx: Any, added: rows.Added, held: policy.Held, since: Mapping[str, int]) -> None:
        state = policy.seen_again(held, added.values["last_us"], self._release, since)
        if state is None:
            return
        rows.change(tx, added.fingerprint, Change(from_us(self._clock.now_us()), "", state, self._release))
        if state == "regressed":
            tx.after_commit(self._regressed.add)
            told = {"fingerprint": added.fingerprint, "kind": added.values["kind"], "resolved_in": held.resolved_in}
            tx.after_commit(partial(_log.warning, "a resolved error came back", extra=told))

    def _writing(self) -> AbstractContextManager[None]:
        """In this thread, errors that are logged are not noted."""
        return here.writing()

    def _open(self) -> None:
        self._database_id = self._database.database_id
        self._errand.open()

    def _close(self) -> None:
        """End the thread, then write what waits: what takes longer than some seconds is given up, and lost."""
        self._errand.is_open = False
        end = threading.Thread(target=self._end, args=(self._given_up,), name="postrmagic-errors-end", daemon=True)
        try:
            end.start()
        except RuntimeError:  # the interpreter ends, or has no threads left
            self._end(self._given_up)
        else:
            end.join(_END)
        self._given_up.set()
        lost = self._waiting.counted - self._stored
        if lost:
            self._lost.add(lost)
            _log.warning("%s errors could not be written to the database before the end", lost, extra={"lost": lost})
        if lost or end.is_alive():
            self._renew()
        self._given_up = threading.Event()

    def _end(self, given_up: threading.Event) -> None:
        in_vain = self._in_vain
        self._errand.close(finish=False)
        # What has just failed would fail again, for as long again.
        if self._in_vain == in_vain and not given_up.is_set():
            self._flush()

    def _forget(self) -> None:
        """In a forked child: what waits to be written is the parent's."""
        here.forget()
        self._renew()

    def _renew(self) -> None:
        """Nothing waits. A try that was given up may go on, with what it has."""
        self._one_writes = threading.Lock()
        self._given_up = threading.Event()
        self._waiting = Waiting()
        self._batches = deque()
        self._before = None
        self._not_before = 0.0
        self._failed = 0
        self._away = False
        self._stored = 0
        self._in_vain = 0

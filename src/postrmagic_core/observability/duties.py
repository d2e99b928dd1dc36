"""Duties: what one process of an application does for all of them, each so many seconds."""

from __future__ import annotations

import contextvars
import logging
import math
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from .._clock import Clock, SystemClock
from .._lifecycle import Lifecycle, after_fork
from .._metrics import Metrics, Told
from .._steps import drive
from ..errors import BackendError
from ..stores import Keys
from ..stores.interface import Store
from ..stores.lease import Lease, asking, granted, request

_log = logging.getLogger("postrmagic_core.observability")

# Of its own: who draws from the shared one in a thread changes what others draw.
_DICE = random.SystemRandom()
_TTL = 15.0
# Seconds that closing waits for duties under way, all together.
_PATIENCE = 5.0
# Before another may own the lease nothing is begun any more: a thread may be late by as much.
_MARGIN = 1.0


@dataclass(slots=True)
class _Duty:
    """One duty: ``due`` by the monotonic clock, ``None`` at once. ``thread`` while it is under way."""

    name: str
    every: float
    call: Callable[[], object]
    due: float | None = None
    failing: bool = False
    thread: threading.Thread | None = field(default=None, repr=False)


class Duties(Lifecycle):
    """Has one process of all do each duty every so many seconds, while open.

    The processes meet in ``store`` under ``namespace``: who holds the lease does the duties, and renews it three times
    within ``ttl`` seconds. When it is killed another has them ``ttl`` seconds later; when it closes, at once nearly.
    While the store is away nobody begins a duty, rather than two. :attr:`fence` grows with each owner.

    Each duty runs in a thread of its own while it is done, so that one that hangs holds up no other; it is not begun
    again before it has ended. What it raises is logged when it begins to fail, and counted each time.
    """

    _thread: threading.Thread | None
    _lease: Lease | None
    _renew_at: float
    _away: bool

    def __init__(
        self,
        store: Store,
        *,
        namespace: str,
        clock: Clock | None = None,
        metrics: Metrics | None = None,
        ttl: float = _TTL,
    ) -> None:
        super().__init__()
        if not ttl > 0:
            raise ValueError(f"ttl= is a positive number of seconds, got {ttl}")
        self._store = store
        self._key = Keys(namespace).build("duties")
        self._clock = clock or SystemClock()
        self._metrics = metrics or Metrics()
        self._metrics.report(self._told)
        self._ttl = ttl
        self._duties: dict[str, _Duty] = {}
        self._forget()
        after_fork(self._forked)

    def add(self, name: str, every: float, call: Callable[[], object]) -> None:
        """Have ``call()`` done each ``every`` seconds, the first time as soon as this process has the duties.

        :class:`ValueError` for a name that is taken, and for an ``every`` that is no positive number.
        """
        if name in self._duties:
            raise ValueError(f"there is a duty named {name!r} already")
        if not 0 < every < math.inf:
            raise ValueError(f"every= is a positive number of seconds, got {every}")
        self._duties[name] = _Duty(name, every, call)
        self._wake.set()

    @property
    def held(self) -> bool:
        """Whether this process surely has the duties now."""
        lease = self._lease
        return lease is not None and lease.left > self._margin

    @property
    def fence(self) -> int | None:
        """The number of this ownership, greater than that of each one before; ``None`` without it."""
        lease = self._lease
        return lease.fence if lease is not None and self.held else None

    def turn(self) -> float:
        """Ask for the lease or renew it, begin what is due; after how many seconds to call it again.

        A thread does it while open; who has a clock of its own, as a test, may do it by hand.
        """
        pause = self._keep()
        if not self.held:
            return pause
        now = self._clock.monotonic()
        for duty in list(self._duties.values()):
            if (duty.due is None or duty.due <= now) and duty.thread is None and self.held:
                # Counted from now: who was late does not do it twice at once.
                duty.due = now + duty.every
                self._begin(duty)
            pause = min(pause, max(0.0, (duty.due or now) - now) if duty.thread is None else pause)
        return pause

    def settle(self, seconds: float) -> bool:
        """Wait until no duty is under way, for so many seconds at most; whether it is so."""
        until = time.monotonic() + seconds
        for duty in list(self._duties.values()):
            thread = duty.thread
            if thread is not None and thread is not threading.current_thread():
                thread.join(max(0.0, until - time.monotonic()))
        return all(duty.thread is None for duty in self._duties.values())

    @property
    def _margin(self) -> float:
        return min(_MARGIN, self._ttl / 4)

    def _keep(self) -> float:
        """Take the lease or hold on to it; seconds until the next time."""
        third = self._ttl / 3
        pause = third * (0.8 + 0.2 * _DICE.random())
        now = self._clock.monotonic()
        lease = self._lease
        if lease is not None and now < self._renew_at:
            return self._renew_at - now
        try:
            if lease is None:
                pause = min(pause, self._take())
            elif not lease.renew():
                self._lost("another process may have it")
        except BackendError as error:
            self._unreached(error)
        else:
            self._reached()
        self._renew_at = now + pause
        return pause

    def _take(self) -> float:
        asked, asked_at = request(self._key, self._ttl), self._clock.monotonic()
        answer = drive(asking(asked), self._store)
        grant = granted(asked, answer)
        if grant is None:
            # As soon as it may be free, and not all of us at the same moment.
            return answer[1] / 1000 + 0.05 + self._ttl / 20 * _DICE.random()
        self._lease = Lease(self._store, grant, asked_at, self._clock)
        for duty in self._duties.values():
            duty.due = None
        _log.info("this process does the duties of all now", extra={"fence": grant.fence})
        return math.inf

    def _lost(self, why: str) -> None:
        self._lease = None
        _log.warning("this process does the duties of all no more: %s", why)

    def _unreached(self, error: BackendError) -> None:
        if not self._away:
            self._away = True
            _log.warning("the duties' store is away", extra={"error": error.code})
        lease = self._lease
        if lease is not None and lease.left <= self._margin:
            self._lost("its store is away")

    def _reached(self) -> None:
        if self._away:
            self._away = False
            _log.info("the duties' store is back")

    def _begin(self, duty: _Duty) -> None:
        # A context of its own: the caller's unit, work and log fields are not the thread's.
        run = contextvars.Context().run
        name = f"postrmagic-duty-{duty.name}"
        duty.thread = threading.Thread(target=run, args=(self._do, duty), name=name, daemon=True)
        try:
            duty.thread.start()
        except RuntimeError:  # no thread can be had: the interpreter ends, or the machine is full
            duty.thread = None
            self._failures(duty)

    def _do(self, duty: _Duty) -> None:
        try:
            duty.call()
        except Exception as error:
            if self._stopping.is_set():  # what it works with is closed meanwhile
                _log.debug("a duty was broken off", exc_info=error, extra={"duty": duty.name})
                return
            self._failures(duty)
            if not duty.failing:
                duty.failing = True
                _log.error("a duty failed, and is tried again", exc_info=error, extra={"duty": duty.name})
        else:
            if duty.failing:
                duty.failing = False
                _log.info("a duty is done again", extra={"duty": duty.name})
        finally:
            duty.thread = None
            self._wake.set()

    def _failures(self, duty: _Duty) -> None:
        self._metrics.counter("duty_failures_total", duty=duty.name).add()

    def _told(self) -> list[Told]:
        """1 where the duties are done; the gauge of all processes is 1 as long as one does them."""
        return [("duties_held", {}, float(self.held))] if self.is_open else []

    def _open(self) -> None:
        for duty in self._duties.values():
            self._metrics.counter("duty_failures_total", duty=duty.name)
        self._start()

    def _close(self) -> None:
        self._stopping.set()
        self._wake.set()
        thread, self._thread = self._thread, None
        if thread is not None and thread is not threading.current_thread():
            thread.join(_PATIENCE)
        ended = self.settle(_PATIENCE)
        lease, self._lease = self._lease, None
        # One that is under way yet is not to be done by another at the same time: then the lease ends by itself.
        if lease is not None and ended:
            try:
                lease.release()
            except BackendError as error:
                _log.debug("the duties' lease could not be released, and ends by itself", exc_info=error)

    def _start(self) -> None:
        run, self._stopping = contextvars.Context().run, threading.Event()
        self._thread = threading.Thread(
            target=run, args=(self._loop, self._stopping), name="postrmagic-duties", daemon=True
        )
        self._thread.start()

    def _loop(self, stopping: threading.Event) -> None:
        # Not at once: in a forked child others have not yet dropped what they inherited, and a command that is over
        # in a second is not to take from others what it lets go of again.
        pause = 0.0 if stopping.wait(self._ttl / 5) else 0.01
        while True:
            self._wake.wait(pause)
            if stopping.is_set():
                return
            self._wake.clear()
            try:
                pause = max(0.01, self.turn())
            except Exception:
                pause = self._ttl / 3
                _log.exception("the duties failed and go on")

    def _forget(self) -> None:
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread = None
        self._lease = None
        self._renew_at = -math.inf
        self._away = False
        for duty in self._duties.values():
            duty.due, duty.thread, duty.failing = None, None, False

    def _forked(self) -> None:
        """In a child: the lease, the thread and what was under way are the parent's."""
        self._forget()
        if self.is_open:
            self._start()

"""Uptime: targets looked at by one process, told to any; the sync face."""

from __future__ import annotations

import logging
import random
import ssl
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import cached_property, partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from ..._bridge import Bridge
from ..._clock import Clock, SystemClock, from_us, to_us
from ..._lifecycle import after_fork
from ..._metrics import Metrics
from ..._protocols import Units
from ..._unit import in_own_unit
from ...errors import BackendError, UniqueViolation
from ..health import Report
from . import policy, rows
from .interface import Check, Hour, Outage, Probe, ProbeStatus
from .look import Attempt
from .looking import Found, Looks
from .policy import HOUR_US, Look, State
from .told import Told, told_as

if TYPE_CHECKING:
    from .aio import AsyncUptime

_log = logging.getLogger("postrmagic_core.observability")

# Of its own: who draws from the shared one in a thread changes what others draw.
_DICE = random.SystemRandom()
_DAY_US = 24 * HOUR_US
_KEEP_CHECKS_US, _KEEP_HOURS_US = 35 * _DAY_US, 400 * _DAY_US
_SWEEP_EVERY = 3600.0
_AHEAD_US = 60 * 1_000_000
_BATCH = 500
# Looks that wait for the database: of ten probes for an hour and a half.
_WAITING = 1000


class Uptime:
    """Looks at ``probes``, and tells how they stand and how they stood.

    ``health`` tells of the application itself, for ``internal:``. ``trust`` is what certificates are verified by;
    without it what the system trusts. ``database`` is borrowed, and so is ``bridge``, on which :attr:`aio` runs;
    without one it has its own, which :meth:`close` ends.

    What is found while the database is away is kept, and written once it is back.
    """

    probes: Mapping[str, Probe]

    def __init__(
        self,
        database: Units,
        *,
        probes: Sequence[Probe] = (),
        health: Callable[[], Report] | None = None,
        trust: ssl.SSLContext | None = None,
        metrics: Metrics | None = None,
        clock: Clock | None = None,
        bridge: Bridge | None = None,
    ) -> None:
        self.probes = MappingProxyType({probe.name: probe for probe in probes})
        self._database = database
        self._health = health
        self._trust = trust
        self._metrics = metrics or Metrics()
        self._clock = clock or SystemClock()
        self.bridge = bridge or Bridge(2, name="postrmagic-uptime-read")
        self._borrowed = bridge is not None
        self._looks = Looks(self._look)
        self._told = Told(self._clock, self.probes)
        self._metrics.report(self._told.gauges)
        self._waiting: deque[tuple[Probe, Look]] = deque(maxlen=_WAITING)
        self._due: dict[str, float] = {}
        self._away = False
        self._swept: float | None = None
        self._forget()
        after_fork(self._forget)

    @cached_property
    def aio(self) -> AsyncUptime:
        """The same for asyncio, with the same names."""
        from .aio import AsyncUptime

        return AsyncUptime(self)

    def run_due(self) -> int:
        """Look at the probes whose time has come; returns how many those are.

        To be called every few seconds: :class:`Duties`. Of several processes that do, one looks at each.
        """
        if not self._one_looks.acquire(blocking=False):
            return 0
        try:
            due = self._claimed()
            found = self._looks.at(due)
            for one in found:
                self._note(one)
            self._write_waiting()
            self._sweep_now_and_then()
            return len(found)
        finally:
            self._one_looks.release()

    def check(self, name: str) -> Check:
        """Look at a probe now, whether its time has come or not. :class:`ValueError` for a name that is none."""
        probe = self._known(name)
        [found] = self._looks.at([probe])
        look = self._note(found)
        self._write_waiting()
        return Check(from_us(look.at_us), look.took_us / 1000, look.error)

    def status(self) -> list[ProbeStatus]:
        """How each probe stands, in the order in which they were given."""
        now_us = self._clock.now_us()
        hour = now_us - now_us % HOUR_US
        with self._database.read() as tx:
            states = rows.states(tx)
            sums = rows.sums(tx, list(self.probes), hour - 23 * HOUR_US, hour - (30 * 24 - 1) * HOUR_US)
            means = rows.recoveries(tx, now_us - 30 * _DAY_US)
        nothing = rows.Summed(policy.Spent(), policy.Spent())
        return [
            told_as(probe, states.get(name, State()), sums.get(name, nothing), means.get(name), now_us)
            for name, probe in self.probes.items()
        ]

    def history(self, name: str, since: datetime, until: datetime) -> list[Hour]:
        """What each hour between two instants came to, those of which nothing is known too; kept for 400 days."""
        self._known(name)
        since_us, until_us = to_us(since), to_us(until)
        begin = since_us - since_us % HOUR_US
        with self._database.read() as tx:
            found = rows.hours(tx, name, begin, until_us)
        return [
            found.get(hour) or Hour(from_us(hour), 0.0, 0.0, 0, 0, None, None)
            for hour in range(begin, until_us, HOUR_US)
        ]

    def checks(self, name: str, since: datetime, until: datetime, *, limit: int = 500) -> list[Check]:
        """The looks at a probe between two instants, the newest first; kept for 35 days."""
        self._known(name)
        with self._database.read() as tx:
            return rows.checks(tx, name, to_us(since), to_us(until), limit)

    def outages(self, name: str | None = None, limit: int = 50) -> list[Outage]:
        """When, for how long and why probes were down, the newest first; kept for 400 days after their end."""
        if name is not None:
            self._known(name)
        with self._database.read() as tx:
            return rows.outages(tx, name, limit)

    def sweep(self) -> int:
        """Forget looks of 35 days ago, and hours and outages of 400 days ago; returns how many."""
        now_us, swept = self._clock.now_us(), 0
        while True:
            with self._database.read() as tx:
                gone = rows.old_checks(tx, now_us - _KEEP_CHECKS_US, _BATCH)
            if not gone:
                break
            in_own_unit(self._database, partial(_drop_checks, gone))
            swept += len(gone)
        with self._database.read() as tx:
            names = sorted(rows.due(tx))  # those that nobody looks at any more too
        return swept + in_own_unit(self._database, lambda tx: rows.drop_old(tx, names, now_us - _KEEP_HOURS_US))

    def close(self) -> None:
        """End the threads of :attr:`aio`, if they are its own."""
        if not self._borrowed:
            self.bridge.close()

    def _known(self, name: str) -> Probe:
        if name not in self.probes:
            raise ValueError(f"expected a probe ({', '.join(self.probes) or 'there is none'}), got {name!r}")
        return self.probes[name]

    @cached_property
    def _context(self) -> ssl.SSLContext:
        return self._trust or ssl.create_default_context()

    def _look(self, probe: Probe) -> Attempt:
        now = self._clock.now_us() / 1e6
        return Attempt(probe, context=lambda: self._context, health=self._health, now=now)

    def _claimed(self) -> list[Probe]:
        """The probes that this process is to look at now; while the database is away, those it would be."""
        now = self._clock.monotonic()
        try:
            with self._database.read() as tx:
                known = rows.due(tx)
            now_us = self._clock.now_us()
            due = [probe for probe in self.probes.values() if self._claim(probe, known.get(probe.name), now_us)]
        except BackendError:
            due = [probe for probe in self.probes.values() if self._due.get(probe.name, now) <= now]
        for probe in due:
            self._due[probe.name] = now + probe.every
        return due

    def _claim(self, probe: Probe, seen_us: int | None, now_us: int) -> bool:
        # Not all of them at the same moment, for ever: each a little earlier or later than the time before.
        due_us = now_us + round(probe.every * (0.95 + 0.1 * _DICE.random()) * 1e6)
        if seen_us is None:
            try:
                in_own_unit(self._database, lambda tx: rows.begin(tx, probe.name, due_us))
            except UniqueViolation:
                return False
            return True
        # One that is too far away was set by a clock that was ahead.
        if now_us < seen_us <= now_us + round(2 * probe.every * 1e6) + _AHEAD_US:
            return False
        return in_own_unit(self._database, lambda tx: rows.claim(tx, probe.name, seen_us, due_us))

    def _note(self, found: Found) -> Look:
        probe = found.probe
        self._metrics.histogram("uptime_check_seconds", probe=probe.name).observe(found.seconds)
        expires_us = None if found.expires is None else round(found.expires * 1e6)
        error = found.error.encode()[: rows.ERROR_BYTES].decode(errors="ignore")
        look = Look(self._clock.now_us(), round(found.seconds * 1e6), error, expires_us)
        self._waiting.append((probe, look))
        return look

    def _write_waiting(self) -> None:
        """Write down what was found, in order; what cannot be written waits, and is told here all the same."""
        with self._one_writes:
            while self._waiting:
                probe, look = self._waiting[0]
                try:
                    before, after = in_own_unit(self._database, partial(_written, probe, look))
                except UniqueViolation:
                    continue  # another process knew nothing of the probe either, and has noted it
                except BackendError as error:
                    self._unwritten(error)
                    return
                self._waiting.popleft()
                self._told.of(probe, before, after)
            if self._away:
                self._away = False
                _log.info("looks at probes are written to the database again")

    def _unwritten(self, error: BackendError) -> None:
        for probe, look in self._waiting.copy():
            self._told.guess(probe, look)
        if not self._away:
            self._away = True
            told = {"error": error.code}
            _log.warning("looks at probes cannot be written to the database, and are kept", extra=told)

    def _sweep_now_and_then(self) -> None:
        now = self._clock.monotonic()
        if self._swept is None or now - self._swept >= _SWEEP_EVERY:
            self._swept = now
            try:
                self.sweep()
            except BackendError as error:
                _log.debug("old looks at probes could not be forgotten", exc_info=error)

    def _forget(self) -> None:
        """In a forked child: who was looking or writing is the parent."""
        self._one_looks = threading.Lock()
        self._one_writes = threading.Lock()


def _written(probe: Probe, look: Look, tx: Any) -> tuple[State, State]:
    state = rows.held(tx, probe.name)
    if state is None:
        rows.begin(tx, probe.name, look.at_us + round(probe.every * 1e6))
        state = State()
    change = policy.advance(state, look, failures=probe.failures, every=probe.every, timeout=probe.timeout)
    rows.put(tx, probe.name, change.state)
    rows.looked(tx, probe.name, look)
    rows.add(tx, probe.name, change.hours, look)
    if change.opened is not None:
        rows.open_outage(tx, probe.name, change.opened, look.error)
    if change.closed is not None:
        rows.close_outages(tx, probe.name, change.closed)
    return state, change.state


def _drop_checks(gone: list[tuple[str, int]], tx: Any) -> None:
    rows.drop_checks(tx, gone)

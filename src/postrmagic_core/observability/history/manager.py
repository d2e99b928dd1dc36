"""History: sampled by one process, looked at by any; the sync face."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from datetime import datetime
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from ..._bridge import Bridge
from ..._clock import Clock, SystemClock, from_us, to_us
from ..._protocols import Units
from ..._unit import in_own_unit
from ...errors import UniqueViolation
from . import policy, rows
from .interface import Route
from .rows import SLOT, STEP
from .series import SERIES

if TYPE_CHECKING:
    from ..metrics.policy import Totals
    from .aio import AsyncHistory

_log = logging.getLogger("postrmagic_core.observability")

_SECOND = 1_000_000
_STEP_US, _SLOT_US = STEP * _SECOND, SLOT * _SECOND
_KEEP_US = {STEP: 24 * 3600 * _SECOND, SLOT: 35 * 24 * 3600 * _SECOND}
# Nothing is told of longer than so many steps at once: nobody has looked.
_GAP_US = 4 * _STEP_US
_BATCH = 500
_SLOTS = 12


class History:
    """What the figures of all processes came to: each 15 seconds of the last day, each 5 minutes of 35 days.

    ``read`` tells the figures now, of all processes (:func:`everything`); who only looks gives none. ``database`` is
    borrowed, and so is ``bridge``, on which :attr:`aio` runs; without one it has its own, which :meth:`close` ends.
    """

    def __init__(
        self,
        database: Units,
        read: Callable[[], Totals] | None = None,
        *,
        clock: Clock | None = None,
        bridge: Bridge | None = None,
    ) -> None:
        self._database = database
        self._read = read
        self._clock = clock or SystemClock()
        self.bridge = bridge or Bridge(2, name="postrmagic-history")
        self._borrowed = bridge is not None
        self._sampling = threading.Lock()
        self._before: tuple[int, Totals] | None = None
        self._settled = True

    @cached_property
    def aio(self) -> AsyncHistory:
        """The same history for asyncio, with the same names."""
        from .aio import AsyncHistory

        return AsyncHistory(self)

    def sample(self) -> bool:
        """Write down what the figures came to since the last time, and forget what is old; whether anything was.

        To be called each 15 seconds by one process: :class:`Duties`. The first call can only tell what is about now.
        So can the one after the figures fell, or after a minute in which nobody called, and the one after that: what is
        published late would seem to have happened at once.
        """
        if self._read is None:
            raise ValueError("this history has no figures to sample: it was made without read=")
        with self._sampling:
            now, now_us = policy.relevant(self._read()), self._clock.now_us()
            before, self._before = self._before, (now_us, now)
            if before is not None and now_us <= before[0]:
                return False  # the clock was set back, or no time has passed
            written = self._write(now_us, now, before)
        self._roll_up(now_us)
        self._forget(now_us)
        return written

    def _write(self, now_us: int, now: Totals, before: tuple[int, Totals] | None) -> bool:
        points = policy.gauged(now)
        span_us, routes = _STEP_US, list[policy.Counted]()
        if before is not None:
            span_us = now_us - before[0]
            late = span_us > _GAP_US
            broken = late or policy.fell(before[1], now)
            if self._settled and not broken:
                points |= policy.derived(before[1], now, span_us / _SECOND)
                routes = policy.routes(before[1], now)
            self._settled = not broken
            span_us = _STEP_US if late else span_us
        try:
            in_own_unit(self._database, lambda tx: rows.put(tx, STEP, policy.Sample(now_us, span_us, points), routes))
        except UniqueViolation:
            return False  # somebody else did at this very moment
        return True

    def range(
        self, names: Iterable[str], since: datetime, until: datetime, points: int = 240
    ) -> dict[str, list[tuple[datetime, float | None]]]:
        """Each series between two instants, as at most ``points`` means, each with when its time begins.

        ``None`` where nobody sampled, or there was nothing to tell. :class:`ValueError` for a name that is none.
        """
        wanted = _known(names)
        since_us, until_us = _span(since, until)
        if points < 1:
            raise ValueError(f"expected points of at least 1, got {points}")
        coarse = (until_us - since_us) / points > _SLOT_US or since_us < self._clock.now_us() - _KEEP_US[STEP]
        begins, width = policy.buckets(since_us, until_us, points, _SLOT_US if coarse else _STEP_US)
        with self._database.read() as tx:
            found = [
                sample
                # What ends later than the last bucket tells of it too.
                for step, after_us, last_us in _parts(tx, begins[0], begins[-1] + width, over=True, coarse=coarse)
                for sample in rows.between(tx, step, after_us, last_us)
            ]
        spread = policy.spread(found, wanted, begins, width)
        at = [from_us(begin) for begin in begins]
        return {name: list(zip(at, spread[name], strict=True)) for name in wanted}

    def latest(self) -> dict[str, float]:
        """The last point of each series that was told within the last minute."""
        now_us, found = self._clock.now_us(), dict[str, float]()
        with self._database.read() as tx:
            for sample in rows.between(tx, STEP, now_us - _GAP_US, now_us):
                found.update(sample.points)
        return {name: found[name] for name in SERIES if name in found}

    def routes(self, since: datetime, until: datetime) -> list[Route]:
        """What requests came to, by route and method: of each sample the 50 with most requests; those first."""
        since_us, until_us = _span(since, until)
        coarse = until_us - since_us > 3600 * _SECOND or since_us < self._clock.now_us() - _KEEP_US[STEP]
        with self._database.read() as tx:
            found = policy.merged(
                counted
                for step, after_us, last_us in _parts(tx, since_us, until_us, over=False, coarse=coarse)
                for counted in rows.routes(tx, step, after_us, last_us)
            )
        return [policy.told(one) for one in policy.most(found)]

    def close(self) -> None:
        """End the threads of :attr:`aio`, if they are its own."""
        if not self._borrowed:
            self.bridge.close()

    def _roll_up(self, now_us: int) -> None:
        """Write the means of slots that are over, a few at a time; another process may have, which is as well."""
        for _ in range(_SLOTS):
            with self._database.read() as tx:
                after = rows.newest(tx, SLOT, now_us) or 0
                begun = rows.first(tx, STEP, after)
                if begun is None:
                    return
                end = _slot_end(begun)
                if end + _STEP_US > now_us:
                    return
                samples = list(rows.between(tx, STEP, end - _SLOT_US, end))
                routes = policy.most(policy.merged(rows.routes(tx, STEP, end - _SLOT_US, end)))
            mean = policy.Sample(end, _SLOT_US, policy.mean(samples))
            try:
                in_own_unit(self._database, partial(_put_mean, mean, routes))
            except UniqueViolation:
                continue

    def _forget(self, now_us: int) -> None:
        """A batch of each step: whoever is behind catches up within a few calls."""
        for step, keep_us in _KEEP_US.items():
            with self._database.read() as tx:
                gone = rows.old(tx, step, now_us - keep_us, _BATCH)
            if gone:
                in_own_unit(self._database, partial(_drop, step, gone))


def _parts(tx: Any, since_us: int, until_us: int, *, over: bool, coarse: bool) -> list[tuple[int, int, int]]:
    """Which steps tell of which time: means as far as there are any, samples after that."""
    steps = [(STEP, since_us, until_us + over * _GAP_US)]
    rolled = rows.newest(tx, SLOT, until_us) if coarse else None
    if rolled is None or rolled <= since_us:
        return steps
    return [(SLOT, since_us, until_us + over * _SLOT_US), (STEP, rolled, until_us + over * _GAP_US)]


def _put_mean(mean: policy.Sample, routes: list[policy.Counted], tx: Any) -> None:
    rows.put(tx, SLOT, mean, routes)


def _drop(step: int, gone: list[int], tx: Any) -> None:
    rows.drop(tx, step, gone)


def _slot_end(at_us: int) -> int:
    """When the slot ends in which ``at_us`` lies; its end is in it."""
    return -(-at_us // _SLOT_US) * _SLOT_US


def _known(names: Iterable[str]) -> tuple[str, ...]:
    wanted = tuple(dict.fromkeys(names))
    for name in wanted:
        if name not in SERIES:
            raise ValueError(f"expected a series ({', '.join(SERIES)}), got {name!r}")
    return wanted


def _span(since: datetime, until: datetime) -> tuple[int, int]:
    since_us, until_us = to_us(since), to_us(until)
    if since_us >= until_us:
        raise ValueError("expected since to be before until")
    return since_us, until_us

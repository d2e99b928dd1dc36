"""Every decision about schedules: when a tick comes, and which of those that were missed is fired."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Literal, NamedTuple, TypeAlias

from cronsim import CronSim, CronSimError

Misfire: TypeAlias = Literal["once", "skip", "all"]

MISFIRES: tuple[Misfire, ...] = ("once", "skip", "all")
SHORTEST = timedelta(seconds=0.1)
LOOK = 5.0
"""Seconds after which a scheduler looks again at the latest: somebody may have resumed a schedule."""
BEATEN = timedelta(seconds=0.05)
"""Time after which to look again at a schedule whose row another scheduler had or moved on."""

_LOOK_LEAST = 0.005

_SECOND = timedelta(seconds=1)
_MICROSECOND = timedelta(microseconds=1)
_WEEK = timedelta(days=7)
# Any instant will do from which to see that an expression has a tick at all.
_SOME = datetime(2024, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Every:
    """Ticks that are ``interval`` apart, on a grid that no delay shifts."""

    interval: timedelta

    @property
    def spec(self) -> str:
        """The interval in words, exactly."""
        return f"every {f'{self.interval.total_seconds():.6f}'.rstrip('0').rstrip('.')} s"

    @property
    def zone(self) -> str:
        """None: an interval is the same everywhere."""
        return ""

    def after(self, instant: datetime, grid: datetime) -> datetime:
        """The first tick after ``instant`` of those that include ``grid``."""
        return instant + self.interval - (instant - grid) % self.interval


@dataclass(frozen=True, slots=True)
class Cron:
    """Ticks by a cron expression on the wall clock of ``clock``, the zone named ``zone``; Debian's cron is the model.

    An expression that names minute and hour means times of day: one that the clock skips is made up for right after the
    gap, one that it repeats comes the first time only. With ``*`` in front of either it means an interval: nothing
    comes in what is skipped, and what is repeated counts twice.
    """

    spec: str
    zone: str
    clock: tzinfo

    def after(self, instant: datetime, grid: datetime) -> datetime:
        """The first tick after ``instant``; ``grid`` is for intervals."""
        minute, hour = self.spec.split()[:2]
        return self._counted(instant) if minute[0] == "*" or hour[0] == "*" else self._named(instant)

    def _named(self, instant: datetime) -> datetime:
        for tick in CronSim(self.spec, instant.astimezone(self.clock)):
            found = tick.astimezone(UTC)
            if found > instant:  # in a repeated hour cronsim begins with the first of both
                return found
        raise _never(self.spec)

    def _counted(self, instant: datetime) -> datetime:
        # cronsim's own way to count loses its place where clocks move by half an hour (Lord Howe Island).
        instant = instant.replace(microsecond=0)
        offset = _offset(self.clock, instant)
        while True:
            wall = next(CronSim(self.spec, (instant + offset).replace(tzinfo=None)), None)
            if wall is None:
                raise _never(self.spec)
            tick = (wall - offset).replace(tzinfo=UTC)
            change = clock_change(self.clock, instant, tick, offset)
            if change is None:
                return tick
            instant, offset = change - _SECOND, _offset(self.clock, change)


Timing: TypeAlias = Every | Cron


class Firing(NamedTuple):
    """The ``tick`` to fire now, ``None`` where it is too late for any, and the ``next`` one to wait for."""

    tick: datetime | None
    next: datetime


def due(timing: Timing, misfire: Misfire, grace: timedelta | None, planned: datetime, now: datetime) -> Firing:
    """What to do at ``now`` about a schedule whose tick ``planned`` has come, perhaps long ago.

    What is older than ``grace`` is not fired. Of the others ``all`` fires the first, to be asked again about the next;
    the other policies fire the latest.
    """
    tick = planned
    if grace is not None and now - planned > grace:
        tick = timing.after(now - grace - _MICROSECOND, planned)
    if tick > now:
        return Firing(None, tick)
    return Firing(tick, timing.after(tick, planned)) if misfire == "all" else _latest(timing, tick, now)


def _latest(timing: Timing, first: datetime, now: datetime) -> Firing:
    """Of the ticks from ``first`` to ``now`` the last one; looked for from behind, for they may be many."""
    tick, width = first, _SECOND
    while now - width > first:
        found = timing.after(now - width, first)
        if found <= now:
            tick = found
            break
        width *= 2
    while (following := timing.after(tick, first)) <= now:
        tick = following
    return Firing(tick, following)


def clock_change(clock: tzinfo, start: datetime, end: datetime, offset: timedelta) -> datetime | None:
    """The first second after ``start`` until ``end`` in which ``clock`` is not ``offset`` from UTC, if there is one.

    Clocks that change and change back within a week would be missed; none have in living memory.
    """
    while start < end:
        ahead = min(start + _WEEK, end)
        if _offset(clock, ahead) != offset:
            while ahead - start > _SECOND:
                middle = start + (ahead - start) // 2
                middle = middle.replace(microsecond=0)
                start, ahead = (start, middle) if _offset(clock, middle) != offset else (middle, ahead)
            return ahead
        start = ahead
    return None


def _offset(clock: tzinfo, instant: datetime) -> timedelta:
    return instant.astimezone(clock).utcoffset() or timedelta()


def pause(left: timedelta | None) -> float:
    """Seconds to wait for a tick that is ``left`` away; ``None``: there is none to wait for."""
    return LOOK if left is None else min(LOOK, max(_LOOK_LEAST, left.total_seconds()))


def checked_cron(expression: str, zone: str, clock: tzinfo) -> Cron:
    """The expression as ticks; :class:`ValueError` says what is wrong with it."""
    if len(expression) > 200 or len(expression.split()) != 5:
        raise ValueError(
            "expected a cron expression of five fields, minute hour day-of-month month day-of-week, got "
            f"{expression[:200]!r}"
        )
    timing = Cron(" ".join(expression.split()), zone, clock)
    try:
        timing.after(_SOME, _SOME)
    except CronSimError as error:
        raise ValueError(f"cron expression {expression!r} is not one: {error}") from None
    return timing


def _never(expression: str) -> ValueError:
    return ValueError(f"cron expression {expression!r} never comes: expected one with a tick within fifty years")


def checked_interval(seconds: float) -> Every:
    """The interval as ticks; :class:`ValueError` where it is not one."""
    if not SHORTEST.total_seconds() <= seconds < float("inf"):
        raise ValueError(f"expected an interval of at least {SHORTEST.total_seconds():g} s, got {seconds}")
    return Every(timedelta(seconds=seconds))


def checked_misfire(misfire: Misfire, grace: float | None) -> timedelta | None:
    """The grace that a misfire policy has, 60 s for ``skip`` by default; :class:`ValueError` for one there is not."""
    if misfire not in MISFIRES:
        raise ValueError(f"a misfire policy is one of {', '.join(MISFIRES)}, got {misfire!r}")
    if grace is not None and not 0 < grace < float("inf"):
        raise ValueError(f"expected a grace of more than 0 seconds, got {grace}")
    if grace is None:
        return timedelta(seconds=60) if misfire == "skip" else None
    return timedelta(seconds=grace)

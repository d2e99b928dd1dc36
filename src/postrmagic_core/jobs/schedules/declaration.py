"""Schedules as they are declared: without a Stack, bound to one by ``jobs.include``."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, timedelta, tzinfo
from zoneinfo import ZoneInfo

from .. import policy as jobs_policy
from ..declaration import Call
from . import policy
from .policy import Misfire, Timing


@dataclass(frozen=True, slots=True)
class Schedule:
    """A call that is enqueued at every tick of ``timing``; made by :func:`cron` or :func:`every`."""

    name: str
    call: Call
    timing: Timing
    misfire: Misfire
    grace: timedelta | None


def cron(
    expression: str,
    call: Call,
    *,
    timezone: str = "UTC",
    name: str | None = None,
    misfire: Misfire = "once",
    grace: float | None = None,
) -> Schedule:
    """Have ``call`` enqueued whenever the clocks of ``timezone`` show what ``expression`` says.

    ``expression``: minute, hour, day of month, month, day of week, as in crontab(5); also ``L`` (the month's last day),
    ``LW`` (its last working day), ``MON#1`` (its first Monday), ``5L`` (its last Friday). ``timezone``: an IANA name. A
    time of day that clocks skip in spring comes right after the gap; one that they repeat in autumn comes once. With
    ``*`` as minute or hour it is an interval, which counts the hours that pass.

    ``name``: what the schedule is known by, its task's name if left out. ``misfire``: which of several ticks that were
    missed is fired: ``once`` (the latest), ``all`` (each, in order), ``skip`` (none that is late). ``grace``: seconds
    after which a tick is too late to be fired; left out never, with ``skip`` after 60. Raises :class:`ValueError`.
    """
    timing = policy.checked_cron(expression, timezone, _zone(timezone))
    return _schedule(timing, call, name, misfire, grace)


def every(
    seconds: float, call: Call, *, name: str | None = None, misfire: Misfire = "once", grace: float | None = None
) -> Schedule:
    """Have ``call`` enqueued every so many seconds, first that long after a scheduler has seen it for the first time.

    Ticks do not drift: each is a multiple of ``seconds`` after the first. The rest is as in :func:`cron`.
    """
    return _schedule(policy.checked_interval(seconds), call, name, misfire, grace)


def _schedule(timing: Timing, call: Call, name: str | None, misfire: Misfire, grace: float | None) -> Schedule:
    if not isinstance(call, Call):
        raise ValueError(f"expected a call, as in cron(…, expire.call()), got {type(call).__name__}")
    checked = jobs_policy.checked_schedule(call.task.name if name is None else name)
    return Schedule(checked, call, timing, misfire, policy.checked_misfire(misfire, grace))


def _zone(name: str) -> tzinfo:
    if name == "UTC":  # needs no data
        return UTC
    try:
        return ZoneInfo(name)
    except (OSError, LookupError, ValueError):
        raise ValueError(
            f"there is no time zone {name!r}: expected a name of the IANA database, as 'Europe/Zurich'; a system "
            "without that database needs `pip install tzdata`"
        ) from None

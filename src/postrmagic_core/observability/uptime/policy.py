"""What a look changes of how a probe stands, and what hours come to. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final

HOUR_US: Final = 3_600 * 1_000_000


@dataclass(frozen=True, slots=True)
class Look:
    """What somebody found at ``at_us``: ``error`` in words, empty where all was well."""

    at_us: int
    took_us: int
    error: str
    expires_us: int | None = None


@dataclass(frozen=True, slots=True)
class State:
    """How a probe stands after a look at ``at_us``: ``up`` is ``None`` before it is decided.

    ``failing``: so many looks in a row failed, the first of them at ``failing_us``; ``since_us``: since when it is up
    or down.
    """

    up: bool | None = None
    since_us: int | None = None
    at_us: int | None = None
    took_us: int | None = None
    error: str = ""
    failing: int = 0
    failing_us: int | None = None
    expires_us: int | None = None


@dataclass(frozen=True, slots=True)
class Spent:
    """Of an hour, microseconds of which it is known how the probe was, and in which it was down."""

    known: int = 0
    down: int = 0


@dataclass(frozen=True, slots=True)
class Change:
    """What a look changed: ``opened`` is when an outage began, ``closed`` when it ended."""

    state: State
    hours: dict[int, Spent] = field(default_factory=dict)
    opened: int | None = None
    closed: int | None = None


def longest(every: float, timeout: float) -> int:
    """Microseconds between two looks after which nobody looked in between."""
    return round((2.5 * every + timeout) * 1e6)


def advance(state: State, look: Look, *, failures: int, every: float, timeout: float) -> Change:
    """How it stands after ``look``.

    The time since the look before is known, unless nobody looked for long: then only as much as ``every`` says. It was
    down from the first look of a row that failed, once there are ``failures`` of them, to the first that did not.
    """
    known_us, looked = _known(state, look, every, timeout)
    begin = look.at_us if state.at_us is None else state.at_us
    hours = _spread({}, begin, begin + known_us, down=state.up is False)
    fresh = replace(
        state, at_us=look.at_us, took_us=look.took_us, error=look.error, expires_us=look.expires_us or state.expires_us
    )
    if not look.error:
        well = replace(fresh, up=True, failing=0, failing_us=None)
        if state.up is False:
            return Change(replace(well, since_us=look.at_us), hours, closed=look.at_us)
        return Change(replace(well, since_us=look.at_us if state.up is None else state.since_us), hours)
    if state.up is False:
        return Change(replace(fresh, failing=state.failing + 1), hours)
    first = state.failing_us if looked and state.failing_us is not None else look.at_us
    failing = state.failing + 1 if looked else 1
    if failing < failures:
        return Change(replace(fresh, failing=failing, failing_us=first), hours)
    down = replace(fresh, up=False, since_us=first, failing=failing, failing_us=first)
    for hour, part in _parts(first, look.at_us):
        before = hours.get(hour, Spent())
        hours[hour] = Spent(before.known, before.down + part)
    return Change(down, hours, opened=first)


def until_now(state: State, now_us: int, every: float, timeout: float) -> Spent:
    """What has passed since the last look, as far as it is known; nothing, while it is not decided how it is."""
    if state.up is None:
        return Spent()
    known_us, _ = _known(state, Look(now_us, 0, ""), every, timeout)
    return Spent(known_us, known_us if state.up is False else 0)


def stale(state: State, now_us: int, every: float, timeout: float) -> bool:
    """Whether nobody has looked for long, or ever."""
    return state.at_us is None or now_us - state.at_us > longest(every, timeout)


def share(known: int, down: int) -> float | None:
    """The share of the known time in which it was up; ``None`` where nothing is known."""
    return None if known <= 0 else min(1.0, max(0.0, 1 - down / known))


def _known(state: State, look: Look, every: float, timeout: float) -> tuple[int, bool]:
    """How much of the time before ``look`` is known, and whether that is all of it."""
    if state.at_us is None:
        return 0, False
    passed = look.at_us - state.at_us
    if passed < 0:  # the clock was set back
        return 0, False
    if passed > longest(every, timeout):
        return round(every * 1e6), False
    return passed, True


def _spread(hours: dict[int, Spent], begin: int, end: int, *, down: bool) -> dict[int, Spent]:
    for hour, part in _parts(begin, end):
        hours[hour] = Spent(part, part if down else 0)
    return hours


def _parts(begin: int, end: int) -> Iterator[tuple[int, int]]:
    """The hours that lie between two instants, and how much of each does."""
    hour = begin - begin % HOUR_US
    while begin < end and hour < end:
        yield hour, min(end, hour + HOUR_US) - max(begin, hour)
        hour += HOUR_US

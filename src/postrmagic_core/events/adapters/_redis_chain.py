"""What a listener makes of a stream's entries: pure decisions about where it stands and what it missed.

The entries are a chain, drawn in ``redis_scripts/prelude.lua``: each names its predecessor, and its number is one more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ..channel import Missed

PAUSE_FIRST = 0.05
PAUSE_LONGEST = 1.0


class Point(NamedTuple):
    """An entry's id."""

    number: int
    token: int

    @classmethod
    def parse(cls, text: bytes) -> Point:
        """The point with this id; :class:`ValueError` for what is none."""
        number, _, token = text.partition(b"-")
        return cls(int(number), int(token))

    @property
    def id(self) -> bytes:
        """As Redis has it."""
        return b"%d-%d" % self


class Entry(NamedTuple):
    """One entry: its place, its predecessor's, what its stream began with, and the payload if it has one.

    ``after`` is ``None`` for what no publisher wrote.
    """

    point: Point
    after: Point | None
    since: int
    payload: bytes | None


@dataclass(frozen=True, slots=True)
class Mark:
    """Up to where a listener has heard, in which stream, and in which of the server's histories that was seen."""

    point: Point
    since: int
    history: bytes


@dataclass(frozen=True, slots=True)
class Found:
    """A stream as it stands: whether the mark's entry is in its past, what is before its first entry, its last one."""

    kept: bool
    start: Point
    last: Point
    since: int
    history: bytes


def entry_of(raw: Sequence[Any]) -> Entry:
    """An entry as XREAD tells it."""
    point = Point.parse(raw[0])
    fields = dict(zip(raw[1][::2], raw[1][1::2], strict=True))
    try:
        return Entry(point, Point.parse(fields[b"a"]), int(fields[b"s"]), fields.get(b"p"))
    except (KeyError, ValueError):
        return Entry(point, None, 0, None)


def found_of(reply: Sequence[Any]) -> Found:
    """A stream as the script tells it."""
    kept, start, last, since, history = reply
    return Found(kept == 1, Point.parse(start), Point.parse(last), int(since), history)


def begun(found: Found, *, late: bool) -> tuple[Mark, Missed | None]:
    """Where a listener begins: after the last entry. ``late``: its caller was told already that it listens."""
    return Mark(found.last, found.since, found.history), Missed(None, "away") if late else None


def resumed(mark: Mark, found: Found) -> tuple[Mark, Missed | None]:
    """Where a listener that stood at ``mark`` goes on, and what it missed.

    What came after a mark that is kept is what was published after it. One that is trimmed tells how many were trimmed
    with it, if the server's history is the same: else other entries may have had these numbers. What was begun later
    than the listener's own stream is new to it; in one that is older, or branched off, nobody knows what is.
    """
    if found.kept:
        return Mark(mark.point, mark.since, found.history), None
    same = found.since == mark.since and found.history == mark.history != b""
    if same and found.start == mark.point:
        return mark, None
    if same and found.start.number > mark.point.number:
        count = found.start.number - mark.point.number
        return Mark(found.start, found.since, found.history), Missed(count, "behind")
    point = found.start if found.since > mark.since else found.last
    return Mark(point, found.since, found.history), Missed(None, "forgotten")


def skipped(mark: Mark, entry: Entry) -> Missed:
    """What was before ``entry`` and after a mark that is kept: somebody deleted it, or wrote what cannot be read."""
    if entry.after is None or entry.since != mark.since or entry.after.number <= mark.point.number:
        return Missed(None, "forgotten")
    return Missed(entry.after.number - mark.point.number, "forgotten")


def pause(failures: int, random: float) -> float:
    """Seconds to wait before connecting again after ``failures`` in a row; ``random`` in [0, 1) spreads processes."""
    return min(PAUSE_FIRST * 2.0 ** min(failures, 10), PAUSE_LONGEST) * (0.5 + random / 2)

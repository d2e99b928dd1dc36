"""What a listener makes of the stream it finds: where it goes on, and what it tells."""

from __future__ import annotations

import pytest

from postrmagic_core.events.adapters._redis_chain import (
    PAUSE_LONGEST,
    Entry,
    Found,
    Mark,
    Point,
    begun,
    entry_of,
    found_of,
    pause,
    resumed,
    skipped,
)
from postrmagic_core.events.channel import Missed

MARK = Mark(Point(500, 1), 100, b"history")
START, LAST = Point(400, 2), Point(600, 3)


def found(
    *, kept: bool = False, start: Point = START, last: Point = LAST, since: int = 100, history: bytes = b"history"
) -> Found:
    """A stream in which the mark is not."""
    return Found(kept, start, last, since, history)


def test_it_begins_at_the_end() -> None:
    """What was published before is not its own; who was told too early that it listens may have missed something."""
    assert begun(found(), late=False) == (Mark(LAST, 100, b"history"), None)
    assert begun(found(), late=True) == (Mark(LAST, 100, b"history"), Missed(None, "away"))


def test_where_its_entry_is_kept_it_missed_nothing() -> None:
    """In whatever history of the server."""
    assert resumed(MARK, found(kept=True, history=b"other")) == (Mark(MARK.point, 100, b"other"), None)


def test_what_was_trimmed_is_counted() -> None:
    """It goes on with the first that is left; where only what it had heard was trimmed, it missed nothing."""
    start = Point(520, 9)
    assert resumed(MARK, found(start=start)) == (Mark(start, 100, b"history"), Missed(20, "behind"))
    assert resumed(MARK, found(start=MARK.point)) == (MARK, None)


@pytest.mark.parametrize("history", [b"other", b""])
def test_in_another_history_nothing_is_counted(history: bytes) -> None:
    """Other entries may have had the numbers; it goes on at the end, lest it hear what it has heard."""
    there = found(start=Point(520, 9), history=history)
    assert resumed(MARK, there) == (Mark(LAST, 100, history), Missed(None, "forgotten"))


def test_an_unknown_history_is_never_the_same() -> None:
    """A server that does not name it may have been promoted."""
    mark = Mark(MARK.point, 100, b"")
    assert resumed(mark, found(start=Point(520, 9), history=b""))[1] == Missed(None, "forgotten")


def test_a_stream_that_lacks_its_entry_is_told_and_heard_from_its_end() -> None:
    """Its own, taken back to before that, or one that is older."""
    for since in (100, 99):
        assert resumed(MARK, found(since=since)) == (Mark(LAST, since, b"history"), Missed(None, "forgotten"))


def test_a_younger_stream_is_heard_from_its_beginning() -> None:
    """All of it was published while it listened."""
    start = Point(0, 0)
    assert resumed(MARK, found(since=101, start=start)) == (Mark(start, 101, b"history"), Missed(None, "forgotten"))


def test_a_hole_is_counted_where_it_can_be() -> None:
    """By the numbers, in one stream; what nobody's publisher wrote has none."""
    assert skipped(MARK, Entry(Point(504, 7), Point(503, 6), 100, b"")) == Missed(3, "forgotten")
    assert skipped(MARK, Entry(Point(504, 7), Point(503, 6), 101, b"")) == Missed(None, "forgotten")
    assert skipped(MARK, Entry(Point(501, 7), Point(500, 6), 100, b"")) == Missed(None, "forgotten")
    assert skipped(MARK, Entry(Point(504, 7), None, 0, None)) == Missed(None, "forgotten")


def test_entries_and_streams_are_read() -> None:
    """As the server writes them; what others wrote into the stream is no entry of the chain."""
    fields = [b"s", b"100", b"a", b"500-1", b"b", b"7", b"p", b"payload"]
    assert entry_of([b"501-2", fields]) == Entry(Point(501, 2), Point(500, 1), 100, b"payload")
    assert entry_of([b"501-2", fields[:6]]).payload is None
    for wrong in ([b"x", b"y"], [b"s", b"100"], [b"s", b"100", b"a", b"none"], [b"s", b"one", b"a", b"1-1"]):
        assert entry_of([b"501-2", wrong]) == Entry(Point(501, 2), None, 0, None)
    assert found_of([1, b"400-2", b"600-3", b"100", b"h"]) == Found(True, START, LAST, 100, b"h")


def test_pauses_grow_and_end_growing() -> None:
    """A failover of seconds is not hammered, a hiccup costs little."""
    assert 0.02 < pause(1, 0.0) < pause(1, 0.99) < 0.2
    assert pause(10_000, 0.99) <= PAUSE_LONGEST

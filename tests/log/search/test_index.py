"""Searching what was collected: pages, cursors, following, counting."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest

from postrmagic_core._clock import from_us
from postrmagic_core.log.query import parse
from postrmagic_core.log.search import LogIndex
from postrmagic_core.log.search.writer import LINES
from postrmagic_core.testing import FakeClock
from tests.log.search.rig import NOON, Logs

MANY = 9 * LINES + 50
ID = "019ad3f2-7c1e-7b0a-9c55-{:012x}"


@pytest.fixture
def many(logs: Logs) -> Logs:
    """Nine full blocks and one that is open, a record a second; each tenth is an error."""
    records = [
        logs.record(
            f"step {number % 7} done",
            "error" if number % 10 == 0 else "info",
            number,
            number=number,
            user_id=number % 50,
            request_id=ID.format(number),
            path=f"/media/{number % 90}",
        )
        for number in range(MANY)
    ]
    logs.log_all(records)
    logs.collect()
    logs.clock.advance(MANY)
    return logs


def numbers(logs: Logs, query: str, limit: int = 1000) -> list[int]:
    """Which records are found, oldest first."""
    return [record["number"] for record in reversed(logs.found.search(query, limit=limit).records)]


def test_an_id_is_found_in_whichever_block_it_is(many: Logs) -> None:
    """The oldest, one between, and one that is not in a full block yet."""
    for number in (0, 1234, MANY - 1):
        assert numbers(many, f"request:{ID.format(number)}") == [number]
        assert numbers(many, ID.format(number)) == [number]
    assert numbers(many, f"request:{ID.format(MANY)}") == []


def test_each_kind_of_query_finds_what_it_asks_for(many: Logs) -> None:
    """Words, numbers, beginnings, levels, times, and what denies them."""
    every = range(MANY)
    assert numbers(many, "user:7 level:error") == []
    assert numbers(many, "user:10 level>=error") == [n for n in every if n % 50 == 10]
    assert numbers(many, "path:media/89 -user:39") == [n for n in every if n % 90 == 89 and n % 50 != 39]
    assert numbers(many, "path=/media/8* user:3") == [n for n in every if n % 90 >= 80 or n % 90 == 8 if n % 50 == 3]
    assert numbers(many, "number<3 OR number>=2298") == [0, 1, 2, 2298, 2299]
    assert numbers(many, f"until:{from_us(NOON + 5_000_000).isoformat()}") == [0, 1, 2, 3, 4]
    assert numbers(many, "since:3s") == [MANY - 3, MANY - 2, MANY - 1]
    assert numbers(many, '"step 6" user:0') == [n for n in every if n % 7 == 6 and n % 50 == 0]


def test_pages_follow_each_other_without_gap_or_repetition(many: Logs) -> None:
    """Newest first, to the end."""
    seen: list[int] = []
    cursor = None
    while True:
        page = many.found.search("level:error", limit=17, before=cursor)
        seen += [record["number"] for record in page.records]
        cursor = page.cursor
        if cursor is None:
            break
    assert seen == [n for n in reversed(range(MANY)) if n % 10 == 0]


def test_a_page_tells_how_far_it_looked(many: Logs) -> None:
    """To its last record; to the begin of time asked for, when that is all."""
    page = many.found.search("level:error", limit=1)
    assert page.searched_until == from_us(NOON + (MANY - 10) * 1_000_000)
    page = many.found.search("zebra since:1h")
    assert page.cursor is None
    assert page.searched_until == from_us(many.clock.now_us()) - timedelta(hours=1)


class Racing(FakeClock):
    """A clock by which a second passes between two looks at it."""

    def monotonic(self) -> float:
        """A second later than before."""
        self.advance(1.0)
        return super().monotonic()


def test_a_search_that_takes_too_long_tells_how_far_it_came(many: Logs) -> None:
    """And goes on from there; what the index leads to directly needs no time."""
    index = LogIndex(many.index, Racing(from_us(many.clock.now_us())), budget=0.5)
    page = index.search("number<1")
    assert page.records == []
    assert page.cursor is not None
    assert page.searched_until > from_us(NOON)
    rounds = 1
    while not page.records:
        page = index.search("number<1", before=page.cursor)
        rounds += 1
    assert [record["number"] for record in page.records] == [0]
    assert rounds == 10
    led = index.search(f"request:{ID.format(0)}")  # what no index leads to yet is looked at first
    assert index.search(f"request:{ID.format(0)}", before=led.cursor).records


def test_what_comes_is_followed(logs: Logs) -> None:
    """Oldest first, from the end of when it began, in steps, across blocks."""
    logs.log("old")
    logs.collect()
    cursor = logs.found.tail("").cursor
    assert logs.found.tail("", cursor) == ([], cursor)
    logs.log("new")
    logs.log("other", "error")
    logs.collect()
    found, after = logs.found.tail("", cursor)
    assert [record["event"] for record in found] == ["new", "other"]
    assert [record["event"] for record in logs.found.tail("level:error", cursor).records] == ["other"]
    logs.log_all([logs.record(f"n{number}") for number in range(LINES + 10)])
    logs.collect()
    seen = []
    while True:
        found, further = logs.found.tail("", after, limit=400)
        seen += [record["event"] for record in found]
        if further == after:
            break
        after = further
    assert seen == [f"n{number}" for number in range(LINES + 10)]


def test_a_cursor_of_the_tail_is_where_a_search_begins(many: Logs) -> None:
    """So that what was before and what comes after are seen once."""
    cursor = many.found.tail("").cursor
    many.log("later", number=-1)
    many.collect()
    assert many.found.search("", limit=1, before=cursor).records[0]["number"] == MANY - 1
    assert [record["number"] for record in many.found.tail("", cursor).records] == [-1]


@pytest.mark.parametrize("cursor", ["", "1", "1.x", "-1.2", "1.2.3", "\u0661.2", "1." + "9" * 50, "1." + "9" * 19])
def test_a_cursor_of_nobody_is_refused(logs: Logs, cursor: str) -> None:
    """Whatever it says."""
    with pytest.raises(ValueError, match="cursor"):
        logs.found.search("", before=cursor)
    with pytest.raises(ValueError, match="cursor"):
        logs.found.tail("", cursor)


def test_where_nothing_was_collected_nothing_is_found(logs: Logs) -> None:
    """And nothing is made."""
    assert logs.found.search("").records == []
    assert logs.found.tail("").records == []
    assert logs.found.stats().total == 0
    assert logs.found.story("x").branches == []
    assert not logs.index.exists()


def test_counts_are_exact(many: Logs) -> None:
    """By level and time alone, and by anything else; to the microsecond."""
    begin = from_us(NOON)
    for since, until in ((0, MANY), (5, 1005), (990, 1010), (1500, 1501), (7, 7)):
        span = (begin + timedelta(seconds=since), begin + timedelta(seconds=until))
        inside = [n for n in range(since, until) if n < MANY]
        assert many.found.count("level>=error", *span) == sum(n % 10 == 0 for n in inside)
        assert many.found.count("user:4", *span) == sum(n % 50 == 4 for n in inside)
    assert many.found.count("", begin, begin + timedelta(days=1)) == MANY


def test_a_histogram_counts_each_record_once(many: Logs) -> None:
    """By level, in equal spans, from the query's since."""
    begin = from_us(NOON)
    found = many.found.histogram("", 23, begin, begin + timedelta(seconds=MANY))
    assert [at for at, _ in found] == [begin + timedelta(seconds=100 * part) for part in range(23)]
    assert all(levels == {"info": 90, "error": 10} for _, levels in found)
    found = many.found.histogram("level:error since:100s", 10)
    assert [levels.get("error") for _, levels in found] == [1] * 10
    assert sum(levels.get("info", 0) for _, levels in many.found.histogram("user:3", 7)) == MANY // 50


def test_stats_tell_what_is_new(logs: Logs) -> None:
    """By level, the most frequent first, digits aside, against the span of the same length before."""
    logs.log_all(logs.record(f"sent {n} mails", at=-3600 - n) for n in range(5))
    logs.log_all(logs.record(f"sent {n} mails", at=-n) for n in range(9))
    logs.log_all(logs.record("disk full", "error", -n) for n in range(3))
    logs.collect()
    logs.clock.advance(60)
    found = logs.found.stats(from_us(NOON) - timedelta(minutes=59), from_us(NOON) + timedelta(minutes=1))
    assert found.total == 12
    assert found.levels == {"info": 9, "error": 3}
    assert found.before == {"info": 5}
    assert [(one.event, one.count, one.before) for one in found.messages] == [
        ("sent # mails", 9, 5),
        ("disk full", 3, 0),
    ]
    assert [one.event for one in found.new] == ["disk full"]
    assert sum(sum(levels.values()) for _, levels in found.rates) == 12


@pytest.mark.parametrize(
    "ts", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "1900-01-01T00:00:00Z", "1970-01-01T00:00:00Z"]
)
def test_a_time_out_of_the_calendar_harms_no_search(logs: Logs, ts: str) -> None:
    """The record that says it is found, and those beside it."""
    logs.log("before", trace_id="a" * 32)
    logs.log("odd", ts=ts, trace_id="a" * 32, duration_ms=1e11)
    logs.collect()
    assert logs.events() == ["odd", "before"]
    assert logs.events(limit=1) == ["odd"]
    assert logs.found.story("a" * 32).records == 2
    assert len(logs.found.histogram("odd until:0001-01-01T00:00:00Z", buckets=3)) == 3


def test_a_phrase_takes_no_longer_for_being_long(logs: Logs) -> None:
    """Words that repeat are not compared again at each place."""
    event = "a " * 100_000
    asked = parse('"' + "a " * 1900 + 'b"', 0)
    begun = time.process_time()
    assert not asked.matches({"event": event})
    assert asked.matches({"event": f"{event}b"})
    assert time.process_time() - begun < 0.5

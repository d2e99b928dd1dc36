"""When ticks come, and which of those that were missed is fired: decisions, without a database or a clock."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postrmagic_core.jobs.schedules import policy
from postrmagic_core.jobs.schedules.policy import Cron, Every, Firing, Timing, checked_cron, due

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
ZONES = ["Europe/Zurich", "America/New_York", "Australia/Lord_Howe", "America/Havana", "Africa/Cairo", "Asia/Kathmandu"]


def cron(expression: str, zone: str = "Europe/Zurich") -> Cron:
    return checked_cron(expression, zone, ZoneInfo(zone))


def at(told: str, zone: str = "UTC") -> datetime:
    """An instant by the clocks of ``zone``; ``Z`` and offsets say it themselves."""
    instant = datetime.fromisoformat(told)
    return (instant.replace(tzinfo=ZoneInfo(zone)) if instant.tzinfo is None else instant).astimezone(UTC)


def ticks(timing: Timing, start: datetime, end: datetime) -> list[datetime]:
    """Those after ``start`` and before ``end``."""

    def one_by_one() -> Iterator[datetime]:
        tick = timing.after(start, start)
        while tick < end:
            yield tick
            tick = timing.after(tick, start)

    return list(one_by_one())


def told(found: list[datetime], zone: str = "Europe/Zurich") -> list[str]:
    return [tick.astimezone(ZoneInfo(zone)).strftime("%m-%d %H:%M%z") for tick in found]


def test_a_time_of_day_that_clocks_skip_comes_right_after_the_gap() -> None:
    """03:00 is the first there is on the 29th; the days around it are as always."""
    found = ticks(cron("30 2 * * *"), at("2026-03-27T12:00Z"), at("2026-03-31T00:00Z"))
    assert told(found) == ["03-28 02:30+0100", "03-29 03:00+0200", "03-30 02:30+0200"]


def test_a_time_of_day_that_clocks_repeat_comes_once() -> None:
    """The first of both."""
    found = ticks(cron("30 2 * * *"), at("2026-10-24T12:00Z"), at("2026-10-26T12:00Z"))
    assert told(found) == ["10-25 02:30+0200", "10-26 02:30+0100"]


@pytest.mark.parametrize(
    "asked", ["2026-10-25T00:30Z", "2026-10-25T01:05Z", "2026-10-25T01:30Z", "2026-10-25T01:59:59Z"]
)
def test_within_a_repeated_hour_nothing_comes_that_is_past(asked: str) -> None:
    """Whenever one asks: a scheduler that starts in the second of both hours does not fire what the first has had."""
    assert told([cron("30 2 * * *").after(at(asked), at(asked))]) == ["10-26 02:30+0100"]


def test_an_interval_counts_the_hours_that_pass() -> None:
    """Each half hour, through the gap and through both repeated hours."""
    spring = ticks(cron("*/30 * * * *"), at("2026-03-29T00:29Z"), at("2026-03-29T02:00Z"))
    assert told(spring) == ["03-29 01:30+0100", "03-29 03:00+0200", "03-29 03:30+0200"]
    autumn = ticks(cron("*/30 2 * * *"), at("2026-10-24T12:00Z"), at("2026-10-25T12:00Z"))
    assert told(autumn) == ["10-25 02:00+0200", "10-25 02:30+0200", "10-25 02:00+0100", "10-25 02:30+0100"]
    assert ticks(cron("*/30 2 * * *"), at("2026-03-28T12:00Z"), at("2026-03-29T12:00Z")) == []


@pytest.mark.parametrize(
    ("zone", "day", "expected"),
    [
        ("America/Havana", "2026-03-08", "03-08 01:00-0400"),  # its clocks skip midnight
        ("America/Havana", "2026-11-01", "11-01 00:00-0400"),  # and repeat it
        ("Africa/Cairo", "2026-04-24", "04-24 01:00+0300"),
    ],
)
def test_midnight_comes_once_where_clocks_change_at_midnight(zone: str, day: str, expected: str) -> None:
    """Each day has one."""
    noon = at(f"{day}T12:00", zone)
    assert told(ticks(cron("0 0 * * *", zone), noon - DAY, noon), zone) == [expected]


def test_clocks_that_move_by_half_an_hour_are_followed() -> None:
    """Lord Howe Island."""
    zone = "Australia/Lord_Howe"
    found = ticks(cron("30 * * * *", zone), at("2026-04-04T13:00Z"), at("2026-04-04T16:30Z"))
    assert told(found, zone) == ["04-05 00:30+1100", "04-05 01:30+1100", "04-05 01:30+1030", "04-05 02:30+1030"]


def test_the_29th_of_february_comes_in_leap_years() -> None:
    """And 2100 is none."""
    found = ticks(cron("0 12 29 2 *", "UTC"), at("2093-01-01T00:00Z"), at("2110-01-01T00:00Z"))
    assert [tick.year for tick in found] == [2096, 2104, 2108]


def test_the_end_of_a_month_is_named() -> None:
    """Its last day, its last working day, its last Friday."""
    for expression, days in [("0 9 L * *", [31, 28, 31]), ("0 9 LW * *", [30, 27, 31]), ("0 9 * * 5L", [30, 27, 27])]:
        found = ticks(cron(expression, "UTC"), at("2026-01-01T00:00Z"), at("2026-04-01T00:00Z"))
        assert [tick.day for tick in found] == days


def matching(fields: str, start: datetime, end: datetime, zone: ZoneInfo) -> list[datetime]:
    """Every minute that passes after ``start`` in which the wall clock shows minute and hour, by looking at each."""
    minutes, hours = (
        {int(number) for number in field.split(",")} if field != "*" else set(range(60)) for field in fields.split()
    )
    count = (end - start) // MINUTE
    walls = [(start + number * MINUTE, (start + number * MINUTE).astimezone(zone)) for number in range(1, count)]
    return [instant for instant, wall in walls if wall.minute in minutes and wall.hour in hours]


changes = st.sampled_from(
    [
        "2026-03-08T00:00Z",  # Havana, New York
        "2026-03-29T00:00Z",  # Zurich
        "2026-04-04T12:00Z",  # Lord Howe Island
        "2026-04-23T20:00Z",  # Cairo
        "2026-10-03T12:00Z",
        "2026-10-25T00:00Z",
        "2026-10-29T20:00Z",
        "2026-11-01T00:00Z",
    ]
)
late = st.integers(0, 600)
instants = st.datetimes(at("2024-01-01T00:00Z").replace(tzinfo=None), at("2030-01-01T00:00Z").replace(tzinfo=None))


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(ZONES),
    changes,
    late,
    st.one_of(
        st.sets(st.integers(0, 59), min_size=1, max_size=3).map(lambda minutes: f"{','.join(map(str, minutes))} *"),
        st.sets(st.integers(0, 4), min_size=1, max_size=3).map(lambda hours: f"* {','.join(map(str, hours))}"),
    ),
)
def test_an_interval_comes_whenever_the_clock_shows_it(zone: str, change: str, offset: int, fields: str) -> None:
    """As somebody sees who looks at the wall clock each minute, around every kind of change."""
    start = at(change) + offset * MINUTE
    end = start + 8 * HOUR
    found = ticks(cron(f"{fields} * * *", zone), start, end)
    assert found == matching(fields, start, end, ZoneInfo(zone))


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from(ZONES),
    instants,
    st.integers(0, 59),
    st.integers(0, 23),
)
def test_a_time_of_day_comes_once_on_each_day(zone: str, start: datetime, minute: int, hour: int) -> None:
    """On no day twice, on no day not at all; where the clock shows the time, then."""
    clock = ZoneInfo(zone)
    began = start.replace(tzinfo=UTC)
    found = [tick.astimezone(clock) for tick in ticks(cron(f"{minute} {hour} * * *", zone), began, began + 190 * DAY)]
    days = [tick.date() for tick in found]
    assert days == [days[0] + number * DAY for number in range(len(days))]
    assert len(days) in (189, 190, 191)
    for tick in found:
        assert (tick.hour, tick.minute) == (hour, minute) or not_shown(tick.date(), hour, minute, clock)


def not_shown(day: date, hour: int, minute: int, clock: ZoneInfo) -> bool:
    """Whether the clock skips a time."""
    wall = datetime(day.year, day.month, day.day, hour, minute, tzinfo=clock)
    return wall.astimezone(UTC).astimezone(clock).replace(tzinfo=None) != wall.replace(tzinfo=None)


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(["*/7 * * * *", "30 2 * * *", "0 1,2,3 * * *", "15 */3 * * *", "0 0 * * *", "*/20 0-3 * * 0"]),
    st.sampled_from(ZONES),
    st.one_of(
        instants, st.builds(lambda change, late: (at(change) + late * MINUTE).replace(tzinfo=None), changes, late)
    ),
    st.integers(0, 10**6),
)
def test_ticks_only_go_forward(expression: str, zone: str, start: datetime, microseconds: int) -> None:
    """Each is later than what one asks from, on a whole minute; asked from between two, the next is the same."""
    timing, instant = cron(expression, zone), start.replace(tzinfo=UTC) + timedelta(microseconds=microseconds)
    found = ticks(timing, instant, instant + 2 * DAY)
    assert all(later > earlier for earlier, later in pairwise([instant, *found]))
    assert all(tick.second == tick.microsecond == 0 for tick in found)
    for earlier, later in pairwise(found[:20]):
        assert timing.after(earlier + (later - earlier) / 2, instant) == later


@given(st.integers(100_000, 10**12), st.integers(-(10**15), 10**15), st.integers(0, 10**15))
def test_intervals_lie_on_a_grid(interval: int, anchor: int, asked: int) -> None:
    """The first of the grid after the instant, exactly, however far from the anchor."""
    grid, instant = (at("2026-01-01T00:00Z") + timedelta(microseconds=us) for us in (anchor, asked))
    timing = Every(timedelta(microseconds=interval))
    tick = timing.after(instant, grid)
    assert (tick - grid) % timing.interval == timedelta()
    assert timedelta() < tick - instant <= timing.interval


NOON = at("2026-06-01T12:00Z")
HOURLY = Every(HOUR)


@pytest.mark.parametrize("misfire", policy.MISFIRES)
def test_a_tick_in_time_is_fired(misfire: policy.Misfire) -> None:
    """Whatever the policy."""
    now = NOON + timedelta(seconds=2)
    assert due(HOURLY, misfire, policy.checked_misfire(misfire, None), NOON, now) == Firing(NOON, NOON + HOUR)


@pytest.mark.parametrize(
    ("misfire", "grace", "expected"),
    [
        ("once", None, Firing(NOON + 5 * HOUR, NOON + 6 * HOUR)),
        ("once", 1200.0, Firing(None, NOON + 6 * HOUR)),
        ("once", 1800.0, Firing(NOON + 5 * HOUR, NOON + 6 * HOUR)),
        ("skip", None, Firing(None, NOON + 6 * HOUR)),
        ("skip", 7200.0, Firing(NOON + 5 * HOUR, NOON + 6 * HOUR)),
        ("all", None, Firing(NOON, NOON + HOUR)),
        ("all", 7200.0, Firing(NOON + 4 * HOUR, NOON + 5 * HOUR)),
        ("all", 60.0, Firing(None, NOON + 6 * HOUR)),
    ],
)
def test_missed_ticks_are_dealt_with_as_declared(
    misfire: policy.Misfire, grace: float | None, expected: Firing
) -> None:
    """Five and a half hours late: six ticks have come."""
    now = NOON + 5 * HOUR + 30 * MINUTE
    assert due(HOURLY, misfire, policy.checked_misfire(misfire, grace), NOON, now) == expected


@settings(max_examples=40, deadline=None)
@given(
    st.one_of(
        st.builds(Every, st.timedeltas(timedelta(seconds=0.1), timedelta(days=2))),
        st.sampled_from([cron("*/5 * * * *"), cron("30 2 * * *"), cron("0 9 * * 1"), cron("* 4 1 * *")]),
    ),
    st.integers(0, 200),
    st.floats(0, 0.999),
)
def test_the_latest_of_many_missed_is_the_latest(timing: Timing, missed: int, part: float) -> None:
    """As one finds it by counting them."""
    first = timing.after(at("2026-03-20T00:00Z"), at("2026-03-20T00:00Z"))
    found = [first]
    for _ in range(missed + 1):
        found.append(timing.after(found[-1], first))
    now = found[-2] + part * (found[-1] - found[-2])
    assert due(timing, "once", None, first, now) == Firing(found[-2], found[-1])


def test_a_planned_tick_that_is_none_any_more_is_fired_all_the_same() -> None:
    """A zone's rules changed since it was planned: it was promised."""
    planned = at("2026-06-01T12:07:30Z")
    assert due(cron("0 12 * * *", "UTC"), "once", None, planned, planned + MINUTE).tick == planned


@pytest.mark.parametrize(
    ("left", "pause"),
    [(None, 5.0), (timedelta(hours=1), 5.0), (timedelta(seconds=2), 2.0), (timedelta(seconds=-3), 0.005)],
)
def test_a_scheduler_looks_again_in_time(left: timedelta | None, pause: float) -> None:
    """For the tick, after five seconds at the latest, and never without a breath in between."""
    assert policy.pause(left) == pause

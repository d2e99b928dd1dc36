"""Sampled by one process, looked at by any; what nobody sampled is a gap."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select, update

from postrmagic_core._metrics import Metrics
from postrmagic_core.database import DatabaseManager
from postrmagic_core.observability.history import History, rows
from postrmagic_core.observability.history.reading import everything
from postrmagic_core.observability.metrics import MetricsHub
from postrmagic_core.observability.metrics.policy import Totals
from postrmagic_core.observability.tables import history as table
from postrmagic_core.stores import open_store
from postrmagic_core.testing import FakeClock

LABELS = (("method", "GET"), ("route", "/a"), ("status", "200"))
RATE = "requests_per_second"


class Rig:
    """An application that is asked as often as a test says, and its history."""

    def __init__(self, database: DatabaseManager, clock: FakeClock) -> None:
        self.clock = clock
        self.totals = Totals({("http_requests_total", LABELS): 0}, {}, {("outbox_waiting", ()): 1.0})
        self.history = History(database, lambda: Totals(*self._copies()), clock=clock)

    def _copies(self) -> tuple[dict, dict, dict]:  # type: ignore[type-arg]  # whatever Totals has
        return dict(self.totals.counters), dict(self.totals.histograms), dict(self.totals.gauges)

    def asked(self, times: int, route: str = "/a", status: str = "200") -> None:
        """So many requests more."""
        series = "http_requests_total", (("method", "GET"), ("route", route), ("status", status))
        self.totals.counters[series] = self.totals.counters.get(series, 0) + times

    def pass_by(self, seconds: float, rate: float = 10.0) -> None:
        """Time passes, sampled each 15 seconds, ``rate`` requests a second."""
        for _ in range(round(seconds / 15)):
            self.clock.advance(15)
            self.asked(round(15 * rate))
            self.history.sample()

    def since(self, minutes: float, points: int = 240) -> list[float | None]:
        """Requests a second in the last so many minutes."""
        now = self.clock.now
        told = self.history.range([RATE], now - timedelta(minutes=minutes), now, points)
        return [value for _, value in told[RATE]]


@pytest.fixture
def rig(database: DatabaseManager, clock: FakeClock) -> Rig:
    """The application, sampled once."""
    made = Rig(database, clock)
    assert made.history.sample()
    return made


def stored(database: DatabaseManager, step: int) -> int:
    """How many rows there are of a step."""
    with database.read() as tx:
        return tx.scalar(select(func.count()).select_from(table).where(table.c.step == step)) or 0


def test_series_are_told_as_they_were(rig: Rig) -> None:
    """The mean of each bucket, when it begins; the newest point by itself."""
    rig.pass_by(60)
    rig.pass_by(60, rate=30)
    now = rig.clock.now
    told = rig.history.range([RATE, "outbox_waiting", "page_load_p75"], now - timedelta(minutes=2), now)
    assert [value for _, value in told[RATE]] == [10.0] * 4 + [30.0] * 4
    assert [at for at, _ in told[RATE]] == [now - timedelta(seconds=15 * number) for number in range(8, 0, -1)]
    assert [value for _, value in told["outbox_waiting"]] == [1.0] * 8
    assert [value for _, value in told["page_load_p75"]] == [None] * 8
    assert rig.since(2, points=2) == [10.0, 30.0]
    assert rig.since(2, points=1)[0] == 20.0
    rig.totals.gauges.clear()  # its process ended: what it told last is a minute's news yet
    rig.pass_by(15, rate=30)
    latest = rig.history.latest()
    assert (latest[RATE], latest["outbox_waiting"]) == (30.0, 1.0)
    rig.clock.advance(61)
    assert rig.history.latest() == {}


@pytest.mark.fault
def test_where_nobody_sampled_there_is_a_gap(rig: Rig) -> None:
    """What was counted in it is told of no other time: nor is it after the next, for what is published late."""
    rig.pass_by(60)
    rig.clock.advance(600)
    rig.asked(1_000_000)
    rig.history.sample()
    rig.asked(1_000_000)
    rig.pass_by(15)
    rig.pass_by(45)
    assert rig.since(2) == [None] * 5 + [10.0] * 3
    told = rig.history.range(["outbox_waiting"], rig.clock.now - timedelta(minutes=2), rig.clock.now)
    # What is about now is told at once.
    assert [value for _, value in told["outbox_waiting"]] == [None] * 3 + [1.0] * 5


@pytest.mark.fault
def test_figures_that_fell_give_no_rate(rig: Rig) -> None:
    """Neither a negative one nor, when they come back, all of them at once."""
    rig.pass_by(60)
    kept, rig.totals.counters = dict(rig.totals.counters), {}
    rig.pass_by(15)
    rig.totals.counters = kept
    rig.pass_by(15)
    rig.pass_by(30)
    assert rig.since(2) == [10.0] * 4 + [None, None, 10.0, 10.0]


@pytest.mark.fault
def test_a_clock_that_is_set_back_does_no_harm(rig: Rig) -> None:
    """Nothing is told of no time, nor twice of the same."""
    rig.pass_by(60)
    rig.clock.jump(-15)
    assert not rig.history.sample()
    rig.pass_by(30)
    assert rig.since(1)[-1] == 10.0


@pytest.mark.fault
def test_a_clock_that_was_ahead_stops_no_means(rig: Rig, database: DatabaseManager) -> None:
    """Those of now are written and told, whatever there is of a time to come."""
    rig.pass_by(30)
    rig.clock.jump(30 * 3600)
    rig.pass_by(600)
    rig.clock.jump(-30 * 3600)
    before = stored(database, rows.SLOT)
    rig.pass_by(900)
    assert stored(database, rows.SLOT) >= before + 2
    assert rig.since(15, points=3)[1:] == [10.0] * 2
    assert rig.since(25 * 60, points=100)[-1] == 10.0


def test_a_process_that_takes_over_begins_anew(rig: Rig, database: DatabaseManager) -> None:
    """It knows no former reading: one gap, and what was sampled before is there."""
    rig.pass_by(60)
    other = Rig(database, rig.clock)
    other.totals = rig.totals
    other.pass_by(60)
    assert other.since(2) == [10.0] * 4 + [None] + [10.0] * 3
    assert rig.since(2) == other.since(2)


def test_means_outlive_samples(rig: Rig, database: DatabaseManager, monkeypatch: pytest.MonkeyPatch) -> None:
    """Samples of a day, means of 35 days; each mean is written once, whoever else writes it too."""
    monkeypatch.setitem(keeping(), rows.STEP, 1800 * 1_000_000)
    monkeypatch.setitem(keeping(), rows.SLOT, 7200 * 1_000_000)
    rig.pass_by(3600)
    other = Rig(database, rig.clock)
    other.totals = rig.totals
    assert not other.history.sample()  # of this very moment there is one
    rig.pass_by(15)
    assert stored(database, rows.STEP) <= 1800 / 15 + 1
    assert stored(database, rows.SLOT) == 13  # the very first sample ends a slot of its own
    assert set(rig.since(60, points=4)) == {10.0}
    rig.clock.advance(7200)
    rig.history.sample()
    assert (stored(database, rows.STEP), stored(database, rows.SLOT)) == (1, 1)


def keeping() -> dict[int, int]:
    """For how long each step is kept."""
    from postrmagic_core.observability.history import manager

    return manager._KEEP_US


def test_far_away_the_newest_is_told_too(rig: Rig) -> None:
    """What has no mean yet is told by its samples, once."""
    rig.pass_by(900)
    rig.pass_by(120, rate=40)
    values = [value for value in rig.since(24 * 60, points=48) if value is not None]
    assert values == [pytest.approx((900 * 10 + 120 * 40) / 1020)]


def test_routes_are_told_with_their_errors(rig: Rig) -> None:
    """Those with most requests first; of an hour and of more, each request once."""
    for _ in range(100):
        rig.asked(5, "/b")
        rig.asked(1, "/b", "500")
        rig.pass_by(15, rate=0.2)
    now = rig.clock.now
    for hours in (1, 2, 24):
        found = rig.history.routes(now - timedelta(hours=hours), now)
        assert [(one.route, one.requests, one.errors) for one in found] == [("/b", 600, 100), ("/a", 300, 0)]
    found = rig.history.routes(now - timedelta(seconds=30), now)
    assert [(one.route, one.requests) for one in found] == [("/b", 12), ("/a", 6)]


def test_a_row_of_another_version_is_left_out(rig: Rig, database: DatabaseManager) -> None:
    """And the others are told."""
    rig.pass_by(60)
    with database.write() as tx:
        last = tx.scalar(select(func.max(table.c.at_us)))
        tx.execute(update(table).where(table.c.at_us == last).values(points=b"\xff\x00", routes=b"what"))
    assert rig.since(1) == [10.0] * 3 + [None]
    assert rig.history.latest()[RATE] == 10.0
    assert rig.history.routes(rig.clock.now - timedelta(minutes=1), rig.clock.now)[0].requests == 450


def test_what_is_asked_for_is_sensible(rig: Rig, database: DatabaseManager) -> None:
    """A name that is none, a time that runs backwards, no point at all, no figures: each is told in a sentence."""
    now = rig.clock.now
    before = now - timedelta(minutes=1)
    wrong: list[tuple[str, Callable[[], object]]] = [
        ("expected a series", lambda: rig.history.range(["nothing"], before, now)),
        ("since to be before until", lambda: rig.history.range([RATE], now, before)),
        ("points of at least 1", lambda: rig.history.range([RATE], before, now, 0)),
        ("aware datetime", lambda: rig.history.routes(datetime(2026, 1, 1), now)),  # noqa: DTZ001 - the mistake
        ("made without read=", lambda: History(database).sample()),
    ]
    for sentence, call in wrong:
        with pytest.raises(ValueError, match=sentence):
            call()


def test_the_async_face_tells_the_same(rig: Rig) -> None:
    """By the same names."""
    rig.pass_by(30)

    async def look() -> None:
        now = rig.clock.now
        face, since = rig.history.aio, now - timedelta(minutes=1)
        assert await face.range([RATE], since, now) == rig.history.range([RATE], since, now)
        assert await face.latest() == rig.history.latest()
        assert await face.routes(since, now) == rig.history.routes(since, now)
        assert not await face.sample()
        await face.close()

    asyncio.run(look())


def test_the_figures_of_all_processes_and_of_the_queues_are_read(database: DatabaseManager, clock: FakeClock) -> None:
    """What a hub knows, and what nobody publishes since every process would tell the same."""
    store, metrics = open_store("memory://"), Metrics()
    metrics.report(lambda: [("jobs_queue_depth", {"queue": "q", "state": "queued"}, 7.0)], shared=True)
    metrics.counter("http_requests_total", method="GET", route="/", status="200").add(3)
    with MetricsHub(metrics, store, namespace="app", service="shop", every=60.0) as hub:
        hub.publish()
        history = History(database, everything(hub.everybody, metrics), clock=clock)
        assert history.sample()
        metrics.counter("http_requests_total", method="GET", route="/", status="200").add(30)
        hub.publish()
        clock.advance(15)
        assert history.sample()
    latest = history.latest()
    assert (latest["requests_per_second"], latest["jobs_waiting"]) == (2.0, 7.0)
    assert latest["memory_bytes"] > 1_000_000

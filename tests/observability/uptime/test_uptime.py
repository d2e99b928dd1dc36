"""Targets are looked at on time, by one of all processes; what was found is kept, added up and told."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from postrmagic_core._metrics import Metrics
from postrmagic_core._sql import Timeouts
from postrmagic_core.database import DatabaseManager
from postrmagic_core.observability.health import Health, Report
from postrmagic_core.observability.tables import uptime_checks, uptime_hours, uptime_outages
from postrmagic_core.observability.uptime import Uptime, probe
from postrmagic_core.observability.uptime.interface import ProbeStatus
from postrmagic_core.testing import FakeClock, spawn
from tests.observability.errors.conftest import make_tables
from tests.observability.uptime.targets import Authority, free_port, http, target

SHORT = Timeouts(connect=1.0, statement=1.0, lock=1.0)
DAY = 86_400.0


class Rig:
    """An application that is well or not, as a test says, looked at each minute of its own clock."""

    def __init__(self, database: DatabaseManager, clock: FakeClock, failures: int = 2) -> None:
        self.clock = clock
        self.well = True
        self.metrics = Metrics()
        probes = [probe("app", f"internal:#failures={failures}")]
        self.uptime = Uptime(database, probes=probes, health=self.report, clock=clock, metrics=self.metrics)

    def report(self) -> Report:
        """How it is."""
        return Report("ok" if self.well else "failed", {"database": Health(self.well, 0.0, "timed_out")})

    def pass_by(self, minutes: float, *, well: bool = True) -> None:
        """Time passes; somebody looks each minute."""
        self.well = well
        for _ in range(round(minutes)):
            # What is due a little later than in a minute is looked at now.
            self.uptime.check("app")
            self.clock.advance(60)

    @property
    def status(self) -> ProbeStatus:
        """How it stands."""
        [found] = self.uptime.status()
        return found


@pytest.fixture
def rig(database: DatabaseManager, clock: FakeClock) -> Rig:
    """The application."""
    return Rig(database, clock)


def test_before_the_first_look_nothing_is_known(rig: Rig) -> None:
    """Nor is it said that it was up."""
    found = rig.status
    assert (found.up, found.since, found.last_at, found.availability_day, found.known_day) == (None,) * 4 + (0.0,)
    assert rig.uptime.outages() == []
    [hour] = rig.uptime.history("app", rig.clock.now, rig.clock.now + timedelta(seconds=1))
    assert (hour.availability, hour.checks, hour.mean_ms) == (None, 0, None)


def test_availability_is_of_the_known_time(rig: Rig) -> None:
    """An hour up, six minutes down, an hour up: and of what nobody saw it is said how much that is."""
    rig.pass_by(60)
    rig.pass_by(6, well=False)
    rig.pass_by(54)
    found = rig.status
    assert found.up
    assert found.availability_day == pytest.approx(1 - 6 / 120)
    assert found.availability_month == pytest.approx(1 - 6 / 120)
    assert found.known_day == pytest.approx(2 / 23)
    assert found.mean_recovery_seconds == 360
    assert found.since == rig.clock.now - timedelta(minutes=54)
    first, second = rig.uptime.history("app", rig.clock.now - timedelta(hours=2), rig.clock.now)
    assert (first.availability, first.checks, first.failed) == (1.0, 60, 0)
    assert (second.checks, second.failed, second.down) == (60, 6, 360)
    assert second.availability == pytest.approx(1 - 6 / 59)  # what the next look will tell of is not in it yet
    [outage] = rig.uptime.outages("app")
    assert (outage.seconds, outage.reason, outage.probe) == (360, "database: timed_out", "app")


def test_what_nobody_saw_is_neither_up_nor_down(rig: Rig) -> None:
    """Ten days of silence change no share; it is told that nobody looks."""
    rig.pass_by(10)
    rig.pass_by(2, well=False)
    rig.pass_by(8)
    before = rig.status
    rig.clock.advance(10 * DAY)
    silent = rig.status
    assert (silent.up, silent.last_at) == (None, before.last_at)
    assert silent.availability_day == 1.0
    assert silent.known_day == pytest.approx(60 / (23 * 3600 + 1200))
    assert silent.availability_month == pytest.approx(before.availability_month)
    rig.pass_by(1)
    assert rig.status.up
    rig.clock.advance(31 * DAY)
    rig.pass_by(2)
    assert (rig.status.availability_month, rig.status.mean_recovery_seconds) == (1.0, None)


def test_one_failure_is_no_outage(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    """Two in a row are; each outage is told once when it begins and once when it ends."""
    caplog.set_level(logging.INFO, "postrmagic_core.observability")
    rig.pass_by(3)
    rig.pass_by(1, well=False)
    rig.pass_by(1)
    assert rig.uptime.outages() == []
    rig.pass_by(5, well=False)
    assert rig.status.up is False
    assert rig.status.last_error == "database: timed_out"
    [outage] = rig.uptime.outages()
    assert outage.ended is None
    rig.pass_by(3)
    told = [(record.message, record.__dict__["probe"], record.__dict__.get("reason")) for record in caplog.records]
    assert told == [("a probe is down", "app", "database: timed_out"), ("a probe is up again", "app", None)]
    checks = rig.uptime.checks("app", rig.clock.now - timedelta(hours=1), rig.clock.now, limit=5)
    assert [check.ok for check in checks] == [True, True, True, False, False]


def test_another_process_goes_on_where_one_ended(
    rig: Rig, database: DatabaseManager, caplog: pytest.LogCaptureFixture
) -> None:
    """One failure here and one there are two; what was said is not said again, what ends is."""
    caplog.set_level(logging.INFO, "postrmagic_core.observability")
    rig.pass_by(2)
    rig.pass_by(1, well=False)
    Rig(database, rig.clock).pass_by(1, well=False)
    assert rig.status.up is False
    Rig(database, rig.clock).pass_by(1, well=False)
    Rig(database, rig.clock).pass_by(1)
    assert [record.message for record in caplog.records] == ["a probe is down", "a probe is up again"]
    [outage] = rig.uptime.outages()
    assert outage.seconds == 180


def test_each_is_looked_at_when_its_time_has_come(database: DatabaseManager, clock: FakeClock) -> None:
    """A little earlier or later each time; by one of those who ask."""
    probes = [probe("slow", "internal:#every=600"), probe("quick", "internal:#every=60")]
    uptimes = [Uptime(database, probes=probes, health=lambda: Report("ok", {}), clock=clock) for _ in range(3)]

    def looks() -> list[int]:
        return [uptime.run_due() for uptime in uptimes]

    assert looks() == [2, 0, 0]
    clock.advance(50)
    assert looks() == [0, 0, 0]
    clock.advance(14)
    assert looks() == [1, 0, 0]
    clock.advance(600)
    assert [uptime.run_due() for uptime in reversed(uptimes)] == [2, 0, 0]
    clock.jump(-10 * DAY)  # what is due in ten days is due now
    assert looks() == [2, 0, 0]
    found = uptimes[0].status()
    assert [(one.name, one.up) for one in found] == [("slow", True), ("quick", True)]


def test_metrics_tell_of_what_was_looked_at_here_lately(rig: Rig, authority: Authority) -> None:
    """Of the others another process tells: a figure of long ago would hide an outage."""
    rig.pass_by(1)
    rig.pass_by(2, well=False)
    assert list(rig.metrics.gauges()) == [("uptime_up", (("probe", "app"),), 0.0)]
    assert rig.metrics.histogram("uptime_check_seconds", probe="app").count == 3
    rig.clock.advance(600)
    assert list(rig.metrics.gauges()) == []
    with target(http(), authority.server(30)) as server:
        probes = [probe("site", f"https://localhost:{server.port}")]
        uptime = Uptime(rig.uptime._database, probes=probes, trust=authority.trust(), metrics=rig.metrics)
        assert uptime.check("site").ok
    found = {name: value for name, _, value in rig.metrics.gauges()}
    expires = uptime.status()[0].expires_at
    assert expires is not None
    assert found == {"uptime_up": 1.0, "uptime_certificate_expires_timestamp_seconds": expires.timestamp()}


def test_what_is_old_is_forgotten(rig: Rig, database: DatabaseManager) -> None:
    """Looks of 35 days ago, hours and outages of 400 days ago."""
    rig.pass_by(1)
    rig.pass_by(3, well=False)
    rig.pass_by(1)
    assert rig.uptime.sweep() == 0
    rig.clock.advance(36 * DAY)
    assert rig.uptime.run_due() == 1  # which sweeps, once an hour
    tables = (uptime_checks, uptime_hours, uptime_outages)
    with database.read() as tx:
        assert [tx.scalar(select(func.count()).select_from(table)) for table in tables] == [1, 2, 1]
    rig.clock.advance(370 * DAY)
    assert rig.uptime.sweep() == 3
    with database.read() as tx:
        assert [tx.scalar(select(func.count()).select_from(table)) for table in tables] == [0, 1, 0]


def test_what_is_asked_for_is_sensible(rig: Rig) -> None:
    """A probe that is none is told in a sentence, with those that there are."""
    now = rig.clock.now
    calls: list[Callable[[], object]] = [
        lambda: rig.uptime.check("nothing"),
        lambda: rig.uptime.history("nothing", now, now),
        lambda: rig.uptime.checks("nothing", now, now),
        lambda: rig.uptime.outages("nothing"),
    ]
    for call in calls:
        with pytest.raises(ValueError, match=r"expected a probe \(app\), got 'nothing'"):
            call()


def test_the_async_face_tells_the_same(rig: Rig) -> None:
    """By the same names."""
    rig.pass_by(3, well=False)

    async def look() -> None:
        face, now = rig.uptime.aio, rig.clock.now
        since = now - timedelta(hours=1)
        assert await face.status() == rig.uptime.status()
        assert await face.outages() == rig.uptime.outages()
        assert await face.history("app", since, now) == rig.uptime.history("app", since, now)
        assert await face.checks("app", since, now) == rig.uptime.checks("app", since, now)
        assert not (await face.check("app")).ok
        assert await face.run_due() == 1
        assert await face.sweep() == 0
        await face.close()

    asyncio.run(look())


@pytest.mark.fault
def test_while_the_database_is_away_outages_are_told_and_kept(
    house: tuple[str, Callable[[], None], Callable[[], None]], caplog: pytest.LogCaptureFixture
) -> None:
    """It may be what is down; afterwards it is written when that was, and told no second time."""
    caplog.set_level(logging.INFO, "postrmagic_core.observability")
    url, away, back = house
    clock = FakeClock()
    with DatabaseManager(url, timeouts=SHORT) as database:
        make_tables(database)
        rig = Rig(database, clock)
        rig.pass_by(3)
        database.backend.dispose(timeout=1)  # an open file is read on, whatever stands in its place
        away()
        try:
            rig.pass_by(3, well=False)
            assert [name for name, _, value in rig.metrics.gauges() if value == 0] == ["uptime_up"]
            clock.advance(60)
            assert rig.uptime.run_due() == 1  # on time too
        finally:
            back()
        rig.pass_by(2)
        [outage] = rig.uptime.outages()
        assert outage.seconds == 240
        assert rig.status.availability_day == pytest.approx(1 - 4 / 9)
    assert [record.message for record in caplog.records if record.name.endswith("observability")] == [
        "looks at probes cannot be written to the database, and are kept",
        "a probe is down",
        "a probe is up again",
        "looks at probes are written to the database again",
    ]


def look_on(url: str, port: int) -> None:
    """Asks as often as it can what is due, and says how often it looked."""
    with DatabaseManager(url) as database:
        uptime = Uptime(database, probes=[probe("p", f"tcp://127.0.0.1:{port}", every=0.2)])
        print("ready", flush=True)  # noqa: T201 - the parent reads it
        found = 0
        while found < 3:
            found += uptime.run_due()
            time.sleep(0.01)
    print(found, flush=True)  # noqa: T201 - the parent reads it


@pytest.mark.fault
def test_processes_that_look_at_once_look_once(database_url: str, database: DatabaseManager) -> None:
    """As often as it is due, however many ask; and no look is lost."""
    children = [spawn(look_on, database_url, free_port()) for _ in range(2)]
    for child in children:
        assert child.line() == "ready"
    total = 0
    for child in children:
        with child:
            total += sum(int(line) for line in child.lines())
    with database.read() as tx:
        at = sorted(tx.scalars(select(uptime_checks.c.at_us)))
        [counted] = tx.scalars(select(func.sum(uptime_hours.c.checks)).group_by(uptime_hours.c.probe))
    assert len(at) == total == counted
    # Each is claimed 0.19 s after the one before at the earliest; a busy machine may take twice as long for a look.
    assert at[-1] - at[0] > (total - 3) * 0.19 * 1e6
    [outage] = Uptime(database, probes=[]).outages()
    assert (outage.reason, outage.ended) == ("the connection was refused", None)


@pytest.mark.fault
def test_real_outages_of_a_server_are_told(database: DatabaseManager, clock: FakeClock) -> None:
    """It answers, it answers 500, it is gone, and answers again."""
    with target(http()) as server:
        uptime = Uptime(database, probes=[probe("site", f"http://127.0.0.1:{server.port}/")], clock=clock)

        def look() -> str:
            clock.advance(60)
            return uptime.check("site").error

        assert look() == ""
        server.answer = http(500)
        assert [look(), look()] == ["it answered 500"] * 2
        server.close()
        assert look() == "the connection was refused"
    [outage] = uptime.outages()
    assert (outage.reason, outage.ended) == ("it answered 500", None)
    [status] = uptime.status()
    assert (status.up, status.last_error) == (False, "the connection was refused")
    assert status.target == f"http://127.0.0.1:{server.port}/"

"""Schedulers that are killed, stopped, wrong about the time and without their database: each tick has one job."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from postrmagic_core.database import DatabaseManager
from postrmagic_core.errors import BackendError
from postrmagic_core.jobs import JobQueue, every, task
from postrmagic_core.jobs.schedules import policy
from postrmagic_core.jobs.supervisor import stop_signals
from postrmagic_core.testing import spawn
from postrmagic_core.testing.servers import MariaDBServer
from tests.jobs.schedules.conftest import fired, row_of, set_back

pytestmark = pytest.mark.fault

Rig = Any
MakeRig = Callable[..., Any]
STEP = timedelta(seconds=0.25)


@task(name="note")
def note(ctx: Any) -> None:
    """What is counted is that it was enqueued."""


OFTEN = every(STEP.total_seconds(), note.call(), name="often", misfire="all")
HOURLY = every(3600, note.call(), name="hourly")


def say(line: str) -> None:
    os.write(1, f"{line}\n".encode())


@contextmanager
def queue(database_url: str, broker_url: str) -> Iterator[JobQueue]:
    with ExitStack() as stack:
        db = stack.enter_context(DatabaseManager(database_url))
        jobs = stack.enter_context(JobQueue(broker_url, database=db))
        jobs.include(HOURLY)
        yield jobs


def schedule(database_url: str, broker_url: str) -> None:
    """A scheduler process, until SIGTERM."""
    stopped = threading.Event()
    with stop_signals(stopped), queue(database_url, broker_url) as jobs:
        jobs.include(OFTEN)
        with jobs.scheduler():
            say("up")
            # Not without an end: a signal that another thread gets, as one may after SIGCONT, does not interrupt it.
            while not stopped.wait(0.2):
                pass


def schedule_slowly(database_url: str, broker_url: str) -> None:
    """One that takes its time between reading that a tick has come and firing it."""
    due: Any = policy.due

    def slowly(*arguments: Any) -> Any:
        say("read")
        time.sleep(1.0)
        return due(*arguments)

    policy.__dict__["due"] = slowly
    schedule(database_url, broker_url)


def schedule_and_die(database_url: str, broker_url: str) -> None:
    """One that is killed after it has moved the schedule on, before it commits."""
    with queue(database_url, broker_url) as jobs:
        jobs.enqueue = lambda *_, **__: os._exit(9)  # type: ignore[method-assign]  # nobody needs it any more
        jobs.scheduler().run_once()


def schedule_once(database_url: str, broker_url: str, ahead: float) -> None:
    """One pass of a process whose clock is wrong by ``ahead`` seconds."""
    right, exactly = time.time, time.time_ns
    time.time = lambda: right() + ahead
    time.time_ns = lambda: exactly() + round(ahead * 1e9)
    with queue(database_url, broker_url) as jobs:
        say(f"fired {jobs.scheduler().run_once()}")


def ticks(rig: Rig, name: str = "often") -> list[datetime]:
    """Of every job there is, in order."""
    return [datetime.fromisoformat(tick) for of, tick in fired(rig.jobs) if of == name]


def assert_each_once(found: list[datetime]) -> None:
    """No tick twice, and none left out."""
    assert {later - earlier for earlier, later in pairwise(found)} == {STEP}


def test_each_tick_has_one_job_whatever_becomes_of_the_schedulers(rig: Rig) -> None:
    """Three processes: one is stopped past several ticks with one in its hand, and goes on; one is killed."""
    urls = (rig.place.database_url, rig.place.broker_url)
    with spawn(schedule_slowly, *urls) as stopped, spawn(schedule, *urls) as killed, spawn(schedule, *urls) as steady:
        for child in (stopped, killed, steady):
            while child.line() != "up":
                pass
        assert stopped.line() == "read"
        stopped.pause()
        before = len(ticks(rig))
        rig.until(lambda: len(ticks(rig)) >= before + 4)
        killed.kill()
        rig.until(lambda: len(ticks(rig)) >= before + 8)
        stopped.resume()
        rig.until(lambda: len(ticks(rig)) >= before + 12)
        for child in (stopped, steady):
            child.terminate()
            assert child.wait() == 0
    rig.until(lambda: not rig.db.outbox_counts())
    assert_each_once(ticks(rig))
    assert ticks(rig)[-1] + STEP == row_of(rig.jobs, "often").next_at


def test_a_scheduler_killed_before_its_commit_has_fired_nothing(rig: Rig) -> None:
    """And another fires the tick."""
    rig.jobs.include(HOURLY)
    rig.jobs.scheduler().run_once()
    tick = set_back(rig.jobs, "hourly", 1)
    with spawn(schedule_and_die, rig.place.database_url, rig.place.broker_url) as child:
        assert child.wait() == 9

    def fired() -> bool:
        rig.jobs.scheduler().run_once()
        return bool(ticks(rig, "hourly"))

    rig.until(fired)  # a server holds the dead one's locks until it has seen it go
    rig.until(lambda: not rig.db.outbox_counts())
    assert ticks(rig, "hourly") == [tick]


@pytest.mark.parametrize("ahead", [2 * 3600.0, -2 * 3600.0])
def test_a_scheduler_whose_clock_is_wrong_fires_in_time(rig: Rig, ahead: float) -> None:
    """Two hours fast it fires nothing early, two hours slow nothing late: the database's clock tells."""
    rig.jobs.include(HOURLY)
    rig.jobs.scheduler().run_once()
    with spawn(schedule_once, rig.place.database_url, rig.place.broker_url, ahead) as child:
        assert child.line() == "fired 0"
    tick = set_back(rig.jobs, "hourly", 1)
    with spawn(schedule_once, rig.place.database_url, rig.place.broker_url, ahead) as child:
        assert child.line() == "fired 1"
    rig.until(lambda: not rig.db.outbox_counts())
    assert ticks(rig, "hourly") == [tick]


def test_ticks_that_came_while_no_scheduler_ran_are_one_job(rig: Rig) -> None:
    """Killed, and started again after three of them: the latest is fired, and the next comes on the grid."""
    urls = (rig.place.database_url, rig.place.broker_url)
    with spawn(schedule, *urls) as child:
        assert child.line() == "up"
        rig.until(lambda: bool(ticks(rig)))
        child.kill()
    first = set_back(rig.jobs, "hourly", 2 * 3600 + 60)
    with spawn(schedule, *urls) as child:
        rig.until(lambda: bool(ticks(rig, "hourly")))
    assert ticks(rig, "hourly") == [first + timedelta(hours=2)]
    assert row_of(rig.jobs, "hourly").next_at == first + timedelta(hours=3)


@pytest.mark.mysql
def test_a_scheduler_outlives_its_database(
    make_rig: MakeRig,
    own_mariadb_server: Callable[..., MariaDBServer],
    sqlite_place: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """kill -9 for several ticks: it goes on by itself, makes up for them, and has said once that it could not."""
    server = own_mariadb_server()
    url = server.create_database()
    rig = make_rig(type(sqlite_place)(url, url))
    rig.db.upgrade()
    rig.jobs.include(OFTEN)
    with caplog.at_level(logging.INFO, "postrmagic_core.jobs"), rig.jobs.scheduler():
        rig.until(lambda: len(ticks(rig)) >= 2)
        server.kill()
        time.sleep(4 * STEP.total_seconds())
        server.start()
        rig.until(lambda: len(answered(rig)) >= 8)
    assert_each_once(ticks(rig))
    said = [record.getMessage() for record in caplog.records if "the scheduler" in record.getMessage()]
    assert [line.partition(",")[0].partition(" and")[0] for line in said] == [
        "the scheduler failed",
        "the scheduler goes on",
    ]


def answered(rig: Rig) -> list[datetime]:
    """The ticks, as soon as the database tells them again."""
    try:
        return ticks(rig)
    except BackendError:
        return []

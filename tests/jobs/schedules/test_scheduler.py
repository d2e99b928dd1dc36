"""A scheduler in every place: each tick becomes one job, with the tick in its context, however many look."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from postrmagic_core.jobs import JobQueue, Unique, cron, every, task
from postrmagic_core.jobs.context import SCHEDULED
from postrmagic_core.jobs.schedules import rows, scheduler
from tests.jobs.schedules.conftest import fired, row_of, set_back, told_of

Rig = Any
seen: list[tuple[datetime | None, dict[str, str]]] = []


@task(name="note")
def note(ctx: Any, word: str = "") -> str:
    seen.append((ctx.scheduled_for, dict(ctx.carried)))
    return word


@task(name="parent")
def parent(ctx: Any) -> str:
    seen.append((ctx.scheduled_for, dict(ctx.carried)))
    return str(ctx.jobs.enqueue(note.call()).id)


HOURLY = every(3600, note.call("hourly"), name="hourly")
NIGHTLY = cron("30 3 * * *", note.call("nightly"), timezone="Europe/Zurich", name="nightly")


@pytest.fixture(autouse=True)
def reset() -> None:
    seen.clear()


def another(rig: Rig, *schedules: Any) -> JobQueue:
    """Another process's queue, as far as a scheduler sees: its own declarations, the same database."""
    jobs = JobQueue(rig.place.broker_url, database=rig.db)
    jobs.include(*schedules)
    return jobs.open()


def test_a_schedule_first_comes_when_it_says(rig: Rig) -> None:
    """Seen for the first time it is written down; nothing is fired that came before."""
    rig.jobs.include(HOURLY, NIGHTLY)
    began = rows.look(rig.db)[0]
    assert rig.jobs.scheduler().run_once() == 0
    assert timedelta() <= row_of(rig.jobs, "hourly").next_at - began - timedelta(hours=1) < timedelta(seconds=30)
    assert row_of(rig.jobs, "nightly").next_at == NIGHTLY.timing.after(began, began)
    assert fired(rig.jobs) == []


def test_a_tick_becomes_a_job_that_knows_it(rig: Rig) -> None:
    """The call is run; the schedule remembers the job, and comes again on its grid, not an hour after it was late."""
    rig.jobs.include(HOURLY)
    made = rig.jobs.scheduler()
    made.run_once()
    tick = set_back(rig.jobs, "hourly", 2.5)
    assert [made.run_once(), made.run_once()] == [1, 0]
    told = told_of(rig.jobs, "hourly")
    assert (told.last_at, told.next_at) == (tick, tick + timedelta(hours=1))
    rig.work(threads=1)
    rig.until(lambda: rig.jobs.status(told.last_job) is not None)
    assert rig.jobs.result(told.last_job) == "hourly"
    assert seen == [(tick, {"schedule": "hourly"})]
    assert seen[0][0] is not None
    assert seen[0][0].tzinfo is UTC


def test_many_schedulers_fire_a_tick_once(rig: Rig) -> None:
    """Eight that look at the same moment, twenty times."""
    queues = [another(rig, HOURLY) for _ in range(8)]
    schedulers = [jobs.scheduler() for jobs in queues]
    barrier = threading.Barrier(8)

    def look(made: Any) -> int:
        barrier.wait()
        return int(made.run_once())

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(look, schedulers))
        ticks = []
        for number in range(20):
            ticks.append(set_back(rig.jobs, "hourly", 20 - number))
            assert sum(pool.map(look, schedulers)) == 1
    rig.until(lambda: len(fired(rig.jobs)) == 20)
    assert fired(rig.jobs) == [("hourly", tick.isoformat()) for tick in ticks]
    for jobs in queues:
        jobs.close()


def test_what_was_missed_is_made_up_for_as_declared(rig: Rig) -> None:
    """Ten ticks at once: the latest, none, or each in order."""
    rig.jobs.include(every(1, note.call(), name="once"))
    rig.jobs.include(every(1, note.call(), name="skip", misfire="skip", grace=0.001))
    rig.jobs.include(every(1, note.call(), name="all", misfire="all"))
    made = rig.jobs.scheduler()
    made.run_once()
    first = {name: set_back(rig.jobs, name, 10.5) for name in ("once", "skip", "all")}
    made.run_once()
    now = rows.look(rig.db)[0]
    rig.until(lambda: len(fired(rig.jobs)) >= 12)
    ticks = {name: [tick for of, tick in fired(rig.jobs) if of == name] for name in first}
    assert ticks["all"][:11] == [(first["all"] + timedelta(seconds=second)).isoformat() for second in range(11)]
    (only,) = ticks["once"]
    assert now - datetime.fromisoformat(only) < timedelta(seconds=30)
    assert datetime.fromisoformat(only) - first["once"] >= timedelta(seconds=10)
    assert ticks["skip"] == []
    assert row_of(rig.jobs, "skip").next_at > first["skip"] + timedelta(seconds=10)
    assert row_of(rig.jobs, "skip").last_at is None


def test_a_pass_is_bounded(sqlite_rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """One schedule with much to make up for leaves the others their turn, and is gone on with at once."""
    monkeypatch.setattr(scheduler, "MOST", 3)
    sqlite_rig.jobs.include(every(1, note.call(), name="all", misfire="all"), HOURLY)
    made = sqlite_rig.jobs.scheduler()
    made.run_once()
    set_back(sqlite_rig.jobs, "all", 5.5)
    set_back(sqlite_rig.jobs, "hourly", 1)
    assert made.run_once() == 4
    assert made.run_once() >= 3


def test_a_missed_tick_is_told(sqlite_rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    """Which one, and what is fired in its place; counted by schedule."""
    sqlite_rig.jobs.include(HOURLY, every(3600, note.call(), name="strict", misfire="skip"))
    made = sqlite_rig.jobs.scheduler()
    made.run_once()
    first = [set_back(sqlite_rig.jobs, name, 7300) for name in ("hourly", "strict")]
    with caplog.at_level(logging.WARNING, "postrmagic_core.jobs"):
        made.run_once()
    said = [record.getMessage() for record in caplog.records]
    assert said == [
        f"schedule hourly missed its tick of {first[0]}, perhaps others: the one of "
        f"{first[0] + timedelta(hours=2)} is fired",
        f"schedule strict missed its tick of {first[1]}, perhaps others: none of them is fired",
    ]
    counter = sqlite_rig.jobs.metrics.counter
    assert counter("schedule_ticks_fired_total", schedule="hourly").value == 1
    assert counter("schedule_ticks_missed_total", schedule="strict").value == 1


def test_a_changed_declaration_counts_from_now(rig: Rig) -> None:
    """The process that starts with it writes it down; one that runs already leaves the schedule alone from then on."""
    old, new = every(3600, note.call("old"), name="it"), cron("0 0 1 1 *", note.call("new"), name="it")
    before, after = another(rig, old), another(rig, new)
    running, started = before.scheduler(), after.scheduler()
    running.run_once()
    started.run_once()
    assert (row_of(rig.jobs, "it").spec, row_of(rig.jobs, "it").zone) == ("0 0 1 1 *", "UTC")
    assert row_of(rig.jobs, "it").next_at > rows.look(rig.db)[0]
    tick = set_back(rig.jobs, "it", 1)
    assert [running.run_once(), started.run_once()] == [0, 1]
    rig.until(lambda: len(fired(rig.jobs)) == 1)
    assert fired(rig.jobs) == [("it", tick.isoformat())]
    before.close()
    after.close()


def test_a_restart_changes_nothing(rig: Rig) -> None:
    """What is declared as before comes when it would have come."""
    rig.jobs.include(HOURLY, NIGHTLY)
    rig.jobs.scheduler().run_once()
    before = rows.look(rig.db)[1]
    jobs = another(rig, HOURLY, NIGHTLY)
    jobs.scheduler().run_once()
    assert rows.look(rig.db)[1] == before
    jobs.close()


def test_what_is_not_declared_any_more_is_not_fired(rig: Rig) -> None:
    """It stays, and is shown, until somebody forgets it."""
    gone = another(rig, HOURLY)
    gone.scheduler().run_once()
    gone.close()
    set_back(rig.jobs, "hourly", 5)
    rig.jobs.include(NIGHTLY)
    assert rig.jobs.scheduler().run_once() == 0
    assert [(told.name, told.declared) for told in rig.jobs.schedules()] == [("hourly", False), ("nightly", True)]
    assert fired(rig.jobs) == []


def test_a_lost_row_comes_back(rig: Rig) -> None:
    """A database that was restored without it: the scheduler that runs writes it down again."""
    rig.jobs.include(HOURLY)
    made = rig.jobs.scheduler()
    made.run_once()
    with rig.db.write() as tx:
        rows.forget(tx, "hourly")
    made.run_once()
    assert row_of(rig.jobs, "hourly").next_at > rows.look(rig.db)[0]


def test_jobs_that_a_scheduled_job_enqueues_have_no_tick(rig: Rig) -> None:
    """They know whose they are, where the context is carried on, but came by no tick of their own."""
    rig.jobs.include(every(3600, parent.call()), note)
    rig.jobs.carry = lambda: seen[-1][1] if seen else {}
    made = rig.jobs.scheduler()
    made.run_once()
    tick = set_back(rig.jobs, "parent", 1)
    made.run_once()
    rig.work(threads=1)
    rig.until(lambda: len(seen) == 2)
    assert seen == [(tick, {"schedule": "parent"}), (None, {"schedule": "parent"})]


def test_whatever_is_carried_under_that_name_is_no_tick(sqlite_rig: Rig) -> None:
    """The job runs all the same."""
    sqlite_rig.jobs.include(note)
    sqlite_rig.jobs.carry = lambda: {SCHEDULED: "noon", "user": "7"}
    sqlite_rig.work(threads=1)
    assert sqlite_rig.jobs.enqueue(note.call("ran")).result() == "ran"
    assert seen == [(None, {"user": "7"})]


def test_a_unique_job_that_still_waits_takes_the_tick(rig: Rig) -> None:
    """A task that is unique does not pile up; the schedule goes on."""
    single = task(name="single", unique=Unique())(note.function)
    rig.jobs.include(every(3600, single.call()))
    made = rig.jobs.scheduler()
    made.run_once()
    for seconds in (2, 1):
        set_back(rig.jobs, "single", seconds)
        assert made.run_once() == 1
    rig.until(lambda: bool(fired(rig.jobs)) and not rig.db.outbox_counts())
    assert len(fired(rig.jobs)) == 1


@pytest.mark.mysql
def test_a_row_that_a_stopped_scheduler_holds_holds_up_no_other_schedule(
    make_rig: Callable[..., Rig], mariadb_place: Any
) -> None:
    """Stopped within its transaction, on a server whose connection lives on."""
    rig = make_rig(mariadb_place)
    rig.jobs.include(HOURLY, NIGHTLY)
    made = rig.jobs.scheduler()
    made.run_once()
    tick = set_back(rig.jobs, "hourly", 2)
    set_back(rig.jobs, "nightly", 1)
    with rig.db.backend.engine("write").connect() as stopped:
        stopped.execute(text("SELECT 1 FROM pm_schedules WHERE name = 'hourly' FOR UPDATE"))
        assert made.run_once() == 1
    assert made.run_once() == 1
    assert ("hourly", tick.isoformat()) in fired(rig.jobs)


def test_an_open_scheduler_fires_by_itself(rig: Rig) -> None:
    """In time, again and again, and no more once it is closed."""
    rig.jobs.include(every(0.5, note.call(), name="twice"))
    with rig.jobs.scheduler():
        rig.until(lambda: len(fired(rig.jobs)) >= 4)
    ticks = [datetime.fromisoformat(tick) for _, tick in fired(rig.jobs)]
    assert {(tick - ticks[0]) % timedelta(seconds=0.5) for tick in ticks} == {timedelta()}
    assert not [thread for thread in threading.enumerate() if thread.name == "postrmagic-scheduler"]
    at_rest = row_of(rig.jobs, "twice")
    threading.Event().wait(1.0)
    assert row_of(rig.jobs, "twice") == at_rest


def test_a_scheduler_without_schedules_asks_nothing(sqlite_rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a relay runs there is one, needed or not."""
    monkeypatch.setattr(rows, "look", lambda *_: pytest.fail("it asked"))
    assert sqlite_rig.jobs.scheduler().run_once() == 0


def test_closing_does_not_wait_for_the_next_tick(sqlite_rig: Rig) -> None:
    """And a scheduler may be opened again."""
    sqlite_rig.jobs.include(HOURLY)
    made = sqlite_rig.jobs.scheduler()
    for _ in range(2):
        with made:
            sqlite_rig.until(lambda: bool(sqlite_rig.jobs.schedules()[0].next_at))


def test_a_scheduler_ends_with_its_queue(sqlite_rig: Rig) -> None:
    """Whichever is closed first."""
    jobs = another(sqlite_rig, every(0.1, note.call(), name="often"))
    made = jobs.scheduler().open()
    jobs.close()
    sqlite_rig.until(lambda: made._thread is not None and not made._thread.is_alive())
    made.close()

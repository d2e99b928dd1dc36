"""Jobs that the unit which enqueues them gives to a worker of its own process: sooner, and no less safely."""

from __future__ import annotations

import multiprocessing
import random
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from typing import Any

import pytest
from sqlalchemy import insert

from postrmagic_core.database import DatabaseManager
from postrmagic_core.jobs import JobQueue, task
from postrmagic_core.jobs import worker as worker_module
from postrmagic_core.jobs.handle import JobHandle
from postrmagic_core.jobs.interface import NewJob
from postrmagic_core.jobs.seats import Seats
from postrmagic_core.testing import spawn
from tests.jobs.conftest import effects

Rig = Any
MakeRig = Callable[..., Any]


@task(name="told", retries=3)
def told(ctx: Any, value: str) -> int:
    ctx.told.append(value)
    with ctx.write() as tx:
        ctx.rig.effect(tx, value)
    return int(ctx.attempt)


@task(name="held", retries=0)
def held(ctx: Any) -> None:
    ctx.began.set()
    assert ctx.go.wait(20)


class Undone(Exception):
    """Rolls a unit back."""


@pytest.fixture
def ready(make_rig: MakeRig, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Rig]:
    """A factory of rigs whose tasks tell what they were given; ``taken`` counts what units gave to workers."""

    def make(place: Any, **options: Any) -> Rig:
        rig = make_rig(place, **options)
        rig.jobs.include(told, held)
        rig.seats, rig.taken = [], []
        real = Seats.take

        class Watched(Seats):
            def __init__(self, *args: Any) -> None:
                super().__init__(*args)
                rig.seats.append(self)

            def take(self, claim: Any) -> None:
                rig.taken.append(claim.id)
                real(self, claim)

        monkeypatch.setattr(worker_module, "Seats", Watched)
        rig.services |= {"rig": rig, "told": [], "began": threading.Event(), "go": threading.Event()}
        return rig

    return make


@pytest.fixture(params=["sqlite", pytest.param("mariadb", marks=pytest.mark.mysql)])
def rig(request: pytest.FixtureRequest, ready: Callable[..., Rig]) -> Rig:
    return ready(request.getfixturevalue(f"{request.param}_place"), lease=1.0)


def at_rest(rig: Rig) -> None:
    """Wait until the worker opened last has looked and found nothing."""
    seats = rig.seats[-1]
    rig.until(lambda: seats._rested is not None and seats._bell.rings == seats._rested)


def given(rig: Rig, job: JobHandle) -> bool:
    return job.id in rig.taken


def test_an_idle_worker_is_given_what_its_process_enqueues(rig: Rig) -> None:
    """By the unit's commit; it is a delivery like any other, and the job ends once."""
    rig.work()
    at_rest(rig)
    with rig.db.write() as tx:
        job = rig.jobs.enqueue(told.call("a"), tx=tx)
    assert job.result() == 1
    assert given(rig, job)
    status = job.status()
    assert (status.state, status.attempts, status.worker) == ("succeeded", 1, None)
    assert rig.effects() == ["a"]


def test_a_unit_that_rolls_back_gives_nothing(rig: Rig) -> None:
    """Neither the unit nor a savepoint; the worker's thread is free again."""
    rig.work(threads=1)
    at_rest(rig)
    with suppress(Undone), rig.db.write() as tx:
        rig.jobs.enqueue(told.call("undone"), tx=tx)
        raise Undone
    with rig.db.write() as tx:
        with suppress(Undone), tx.savepoint():
            rig.jobs.enqueue(told.call("undone too"), tx=tx)
            raise Undone
        job = rig.jobs.enqueue(told.call("kept"), tx=tx)
    assert job.result() == 1
    time.sleep(0.3)
    assert rig.services["told"] == ["kept"]


def test_what_waits_is_not_overtaken(rig: Rig) -> None:
    """While a job waits for the only thread, a later one waits too: they run in their order."""
    rig.work(threads=1)
    at_rest(rig)
    rig.jobs.enqueue(held.call())
    assert rig.services["began"].wait(10)
    jobs = [rig.jobs.enqueue(told.call(str(n))) for n in range(5)]
    rig.services["go"].set()
    for job in jobs:
        job.result()
    assert rig.services["told"] == ["0", "1", "2", "3", "4"]


def test_only_as_many_are_given_as_there_are_threads(rig: Rig) -> None:
    """Two jobs of one unit and one thread: the second waits for whoever comes."""
    rig.work(threads=1)
    at_rest(rig)
    with rig.db.write() as tx:
        first, second = (rig.jobs.enqueue(told.call(name), tx=tx) for name in "ab")
    assert [first.result(), second.result()] == [1, 1]
    assert (given(rig, first), given(rig, second)) == (True, False)


def test_what_has_time_is_not_given(rig: Rig) -> None:
    """A delayed job is nobody's until it is due."""
    rig.work()
    at_rest(rig)
    job = rig.jobs.enqueue(told.call("later"), delay=0.5)
    assert job.result() == 1
    assert not given(rig, job)


def test_a_unit_that_takes_long_leaves_its_job_to_whoever_comes(rig: Rig) -> None:
    """Longer than a worker keeps its thread free, here longer than the lease: it is one delivery all the same."""
    rig.work()
    at_rest(rig)
    with rig.db.write() as tx:
        job = rig.jobs.enqueue(told.call("slow"), tx=tx)
        time.sleep(1.2)
    assert job.result() == 1
    assert not given(rig, job)
    assert rig.services["told"] == ["slow"]


def test_a_job_that_was_given_and_never_begun_is_delivered_again(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the process had died after the commit: the lease ends, and the delivery is counted."""
    rig.work()
    at_rest(rig)
    monkeypatch.setattr(rig.seats[0], "take", lambda claim: None)
    began = time.monotonic()
    job = rig.jobs.enqueue(told.call("late"))
    assert job.result(20) == 2
    assert time.monotonic() - began < 1.0 + 10


def test_a_worker_that_has_no_room_any_more_hands_back(rig: Rig) -> None:
    """The thread that it offered has got something else to do before the commit."""
    rig.work(threads=1)
    at_rest(rig)
    with rig.db.write() as tx:
        job = rig.jobs.enqueue(told.call("a"), tx=tx)
        rig.seats[0]._held._draining = True
    rig.until(lambda: job.status().state == "queued")
    assert (given(rig, job), job.status().attempts) == (True, 0)
    rig.work(threads=1)
    assert job.result() == 1


def test_a_worker_that_closes_is_given_nothing(rig: Rig) -> None:
    """Its jobs wait for another."""
    with rig.jobs.worker():
        at_rest(rig)
    job = rig.jobs.enqueue(told.call("nobody is there"))
    assert (job.status().state, rig.taken) == ("queued", [])


def test_a_forked_child_gives_nothing_to_its_parent_s_worker(rig: Rig) -> None:
    """Its copy of the worker has no thread: the job waits for the parent's, which hears of it."""
    rig.work()
    at_rest(rig)
    child = multiprocessing.get_context("fork").Process(target=lambda: rig.jobs.enqueue(told.call("child")))
    child.start()
    child.join(20)
    assert child.exitcode == 0
    rig.until(lambda: rig.services["told"] == ["child"])
    assert rig.taken == []


def test_an_id_that_is_known_is_not_given(rig: Rig) -> None:
    """What the outbox delivers twice runs once."""
    rig.work()
    at_rest(rig)
    job = NewJob("01890000-0000-7000-8000-000000000001", "default", "told", 3, told.call("once").payload)
    rig.jobs.adapter.put([job])
    assert rig.jobs.result(job.id) == 1
    at_rest(rig)
    rig.jobs.adapter.put([job])
    time.sleep(0.3)
    assert rig.services["told"] == ["once"]


@task(name="answer", retries=20)
def answer(ctx: Any, number: int) -> None:
    with ctx.write() as tx:
        tx.execute(insert(effects).values(value=f"done {number}"))


def order_and_answer(database_url: str, first: int) -> None:
    """A process that enqueues and works, until killed."""
    with DatabaseManager(database_url) as db, JobQueue(database_url, database=db, lease=1.0) as jobs:
        jobs.include(answer)
        with jobs.worker(threads=2):
            print("works")  # noqa: T201 - the parent reads it
            for number in count(first):
                with db.write() as tx:
                    tx.execute(insert(effects).values(value=f"order {number}"))
                    jobs.enqueue(answer.call(number), tx=tx)
                time.sleep(0.01)


def test_nothing_is_lost_with_a_process_that_does_both(rig: Rig) -> None:
    """Killed three times at any moment between a commit and its job's end: each job has its one effect."""
    chance = random.Random(20261128)
    for turn in range(3):
        with spawn(order_and_answer, rig.place.database_url, turn * 10_000) as child:
            assert child.line() == "works"
            time.sleep(0.3 + chance.random() * 0.5)
            child.kill()
    rig.jobs.include(answer)
    rig.work(threads=4)
    rig.until(lambda: not rig.jobs.find(["queued", "running", "retrying"], limit=1))
    ordered, done = (
        [value.split()[1] for value in rig.effects() if value.startswith(kind)] for kind in ("order", "done")
    )
    assert len(ordered) > 20
    assert sorted(done) == sorted(ordered)


def test_many_at_once_are_each_run_once(rig: Rig) -> None:
    """Eight threads enqueue while the worker is now idle, now busy: no delivery is lost until its lease ends."""
    rig.work(threads=3)
    jobs: list[JobHandle] = []

    def enqueue(name: int) -> None:
        for n in range(20):
            jobs.append(rig.jobs.enqueue(told.call(f"{name}-{n}")))
            time.sleep(0.004)

    threads = [threading.Thread(target=enqueue, args=[name]) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {job.result(30) for job in jobs} == {1}
    assert sorted(rig.effects()) == sorted(f"{name}-{n}" for name in range(8) for n in range(20))

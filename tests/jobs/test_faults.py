"""Worker processes that are killed, paused, poisoned and out of time: nothing is lost, effects happen once."""

from __future__ import annotations

import ctypes
import os
import random
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import pytest
from sqlalchemy import text

from postrmagic_core._retry import RetryPolicy
from postrmagic_core.database import DatabaseManager
from postrmagic_core.errors import AlreadyDone, BackendError
from postrmagic_core.jobs import JobQueue, task
from postrmagic_core.jobs.supervisor import stop_signals
from postrmagic_core.testing import Child, spawn
from postrmagic_core.testing.history import History, total_queue, unique_ids

pytestmark = pytest.mark.fault

Rig = Any
MakeRig = Callable[..., Any]
LEASE = 1.0
LONG = 30.0
QUICK = RetryPolicy(attempts=100, base=0.05, cap=0.05)
gate = threading.Event()
opened: list[DatabaseManager] = []


def say(line: str) -> None:
    os.write(1, f"{line}\n".encode())  # in one piece: two threads may speak at once


def effect(ctx: Any, value: str) -> None:
    with ctx.write() as tx:
        tx.execute(text("INSERT INTO effects (value) VALUES (:value)"), {"value": value})


@task(name="slow", retries=3)
def slow(ctx: Any, seconds: float) -> None:
    say(f"started {ctx.attempt}")
    time.sleep(seconds if ctx.attempt == 1 else 0)
    try:
        effect(ctx, "slow")
    except AlreadyDone:
        say("refused")
        raise
    say("done")


@task(name="cut", retries=3)
def cut(ctx: Any) -> None:
    say(f"started {ctx.attempt}")
    if ctx.attempt == 1:
        effect(ctx, "cut")
        os._exit(1)
    effect(ctx, "cut")


@task(name="killer", retries=2)
def killer(ctx: Any) -> None:
    say(f"killer {ctx.attempt}")
    os._exit(7)


@task(name="bystander", retries=2)
def bystander(ctx: Any) -> None:
    say("bystander")
    time.sleep(0.3)
    effect(ctx, "bystander")


@task(name="small", retries=60, backoff=QUICK)
def small(ctx: Any, number: int) -> None:
    time.sleep(0.005)
    effect(ctx, str(number))
    if number % 10 == 0 and ctx.attempt == 1:
        raise ValueError("after the effect")


@task(name="gated", retries=3)
def gated(ctx: Any) -> int:
    say(f"started {ctx.attempt}")
    if ctx.attempt == 1:
        gate.wait(30)
    return int(ctx.attempt)


@task(name="hog", retries=3)
def hog(ctx: Any, seconds: float) -> None:
    say(f"started {ctx.attempt}")
    if ctx.attempt == 1:
        keep_the_interpreter(seconds)
    try:
        effect(ctx, "hog")
    except AlreadyDone:
        say("refused")
        raise
    say("done")


def keep_the_interpreter(seconds: float) -> None:
    """Let no other thread of this process run; outside their writes: stopped in one, it would hold the row's lock."""
    sleep = ctypes.PyDLL(None).usleep  # of PyDLL: it does not release the interpreter
    sys.setswitchinterval(60)  # from here on, threads take turns where they wait and nowhere else
    while any(pool.in_use for db in opened for pool in db.pools()):
        time.sleep(0.002)
    sleep(round(seconds * 1e6))
    sys.setswitchinterval(0.005)


TASKS = (slow, cut, killer, bystander, small, gated, hog)


@contextmanager
def queue(database_url: str, broker_url: str, lease: float = LEASE) -> Iterator[JobQueue]:
    with ExitStack() as stack:
        db = stack.enter_context(DatabaseManager(database_url))
        opened.append(db)
        jobs = stack.enter_context(JobQueue(broker_url, database=db, lease=lease))
        jobs.include(*TASKS)
        if broker_url != database_url:
            relay = db.relay({"jobs": jobs.deliver})
            stack.callback(relay.stop)
            relay.start()
        yield jobs


def work(database_url: str, broker_url: str, threads: int) -> None:
    """A worker process, until SIGTERM."""
    stopped = threading.Event()
    with stop_signals(stopped), queue(database_url, broker_url) as jobs, jobs.worker(threads=threads):
        say("up")
        # Not without an end: a signal that another thread gets, as one may after SIGCONT, does not interrupt it.
        while not stopped.wait(0.2):
            pass


def work_by_another_clock(database_url: str, broker_url: str, ahead: float) -> None:
    """A worker process whose clock is wrong by ``ahead`` seconds, until killed."""
    right, exactly = time.time, time.time_ns
    time.time = lambda: right() + ahead
    time.time_ns = lambda: exactly() + round(ahead * 1e9)
    with queue(database_url, broker_url, LONG) as jobs, jobs.worker(threads=1):
        say("up")
        threading.Event().wait()


class Workers:
    """Worker processes over one place."""

    def __init__(self, stack: ExitStack, place: Any) -> None:
        self._stack = stack
        self._urls = (place.database_url, place.broker_url)

    def start(self, threads: int = 2) -> Child:
        """Start one; its first line is ``up`` once it works."""
        return self._stack.enter_context(spawn(work, *self._urls, threads))

    def up(self) -> Child:
        """Start one and wait until it works."""
        child = self.start()
        assert child.line() == "up"
        return child


@pytest.fixture
def workers(place: Any) -> Iterator[Workers]:
    with ExitStack() as stack:
        yield Workers(stack, place)


@pytest.fixture
def rig(make_rig: MakeRig, place: Any) -> Rig:
    made = make_rig(place, lease=LEASE)
    made.jobs.include(*TASKS)
    return made


embedded = pytest.mark.parametrize("place", ["sqlite"], indirect=True)


def test_a_job_of_a_killed_worker_is_finished_by_another(rig: Rig, workers: Workers) -> None:
    """kill -9 in the middle: delivered again within the lease and a few seconds, to a worker that was idle."""
    child = workers.up()
    job = rig.jobs.enqueue(slow.call(60))
    assert child.line() == "started 1"
    rig.work()
    child.kill()
    died = time.monotonic()
    assert rig.ends(job.id) == "succeeded"
    assert time.monotonic() - died < LEASE + 5
    assert rig.effects() == ["slow"]


@embedded
def test_an_effect_committed_before_the_kill_is_not_repeated(rig: Rig, workers: Workers) -> None:
    """The worker dies between its commit and its acknowledgement."""
    first = workers.start()
    job = rig.jobs.enqueue(cut.call())
    assert first.wait() == 1
    rig.work()
    assert rig.ends(job.id) == "succeeded"
    assert rig.effects() == ["cut"]


def pause_outside_a_write(child: Child, rig: Rig) -> None:
    """SIGSTOP, again if it hit a write: stopped in one, the process would hold SQLite's only lock."""
    while True:
        child.pause()
        try:
            with rig.db.write():
                return
        except BackendError:
            child.resume()


@embedded
def test_a_paused_worker_cannot_complete_what_another_took_over(rig: Rig, workers: Workers) -> None:
    """SIGSTOP past the lease, then SIGCONT: one recorded completion, one effect."""
    first = workers.up()
    job = rig.jobs.enqueue(slow.call(0.5))
    assert first.line() == "started 1"
    pause_outside_a_write(first, rig)
    rig.work()
    assert rig.ends(job.id) == "succeeded"
    ended = rig.jobs.status(job.id).ended_at
    first.resume()
    assert first.line() == "refused"
    first.terminate()
    assert first.wait() == 0
    assert rig.effects() == ["slow"]
    assert rig.jobs.status(job.id).ended_at == ended
    assert rig.jobs.status(job.id).attempts == 2


@embedded
def test_a_job_that_kills_its_worker_ends_in_the_dead_letters(rig: Rig, workers: Workers) -> None:
    """retries=2: three starts, then poison; the job beside it, whose worker died under it, is done."""
    poison = rig.jobs.enqueue(killer.call())
    beside = rig.jobs.enqueue(bystander.call())
    lines: list[str] = []
    while rig.state(poison.id) != "dead: poison":
        assert len(lines) < 20
        child = workers.start()  # what its jobs say may come before that it is up
        while child.alive and rig.state(poison.id) != "dead: poison":
            time.sleep(0.05)
        if not child.alive:
            lines += list(child.lines())
    assert [line for line in lines if line.startswith("killer")] == ["killer 1", "killer 2", "killer 3"]
    assert rig.ends(beside.id) == "succeeded"
    assert rig.effects() == ["bystander"]


def test_a_job_that_holds_the_interpreter_beyond_its_lease_has_one_effect(rig: Rig, workers: Workers) -> None:
    """No thread of its process can renew the lease: another worker takes it over, and the unit refuses the first."""
    child = workers.up()
    job = rig.jobs.enqueue(hog.call(6.0))  # far longer than a slow machine needs to start another worker
    assert child.line() == "started 1"
    rig.work()
    assert rig.ends(job.id) == "succeeded"
    assert job.status().attempts == 2
    assert child.line() == "refused"
    assert rig.effects() == ["hog"]


shared = pytest.mark.parametrize(
    "place",
    [
        pytest.param("mariadb", marks=pytest.mark.mysql),
        pytest.param("redis", marks=pytest.mark.redis),
    ],
    indirect=True,
)


@shared
def test_a_worker_whose_clock_is_fast_takes_nothing_away(make_rig: MakeRig, place: Any) -> None:
    """A minute ahead, it takes a fresh lease for what it is: the broker's clock tells. It works all the same."""
    rig = make_rig(place, lease=LONG)
    rig.jobs.include(*TASKS)
    gate.clear()
    rig.work(threads=1)
    held = rig.jobs.enqueue(gated.call())
    rig.until(lambda: rig.state(held.id) == "running")
    with spawn(work_by_another_clock, place.database_url, place.broker_url, 60.0) as child:
        assert child.line() == "up"
        rig.jobs.enqueue(bystander.call()).wait(30)
        assert child.line() == "bystander"
    gate.set()
    assert held.result(30) == 1


@shared
def test_a_worker_whose_clock_is_slow_keeps_what_it_has(make_rig: MakeRig, place: Any) -> None:
    """A minute behind, its leases are no shorter."""
    rig = make_rig(place, lease=LONG)
    rig.jobs.include(*TASKS)
    with spawn(work_by_another_clock, place.database_url, place.broker_url, -60.0) as child:
        assert child.line() == "up"
        held = rig.jobs.enqueue(slow.call(2.0))
        assert child.line() == "started 1"
        rig.work(threads=1)
        rig.jobs.enqueue(bystander.call()).wait(30)
        assert held.wait(30).attempts == 1


def test_a_delayed_job_outlives_the_workers_that_saw_it_wait(rig: Rig, workers: Workers) -> None:
    """Killed before it was due: another runs it then, once and not before."""
    child = workers.up()
    job = rig.jobs.enqueue(small.call(1), delay=4.0)  # longer than a busy machine takes for the rest
    due = job.status().due_at
    rig.jobs.enqueue(bystander.call())
    assert child.line() == "bystander"  # it has looked, and left the other alone
    child.kill()
    assert job.status().state == "queued"
    rig.work()
    status = job.wait(30)
    assert (status.state, status.attempts) == ("succeeded", 1)
    assert status.started_at >= due
    assert rig.effects().count("1") == 1


def enqueue_small(rig: Rig, tx: Any, number: int) -> None:
    rig.jobs.enqueue(small.call(number), tx=tx)


@pytest.mark.soak
def test_nothing_is_lost_and_nothing_done_twice_under_random_kills(rig: Rig, workers: Workers) -> None:
    """200 jobs; three worker processes are killed at random moments of their work, a fourth worker does the rest."""
    history, chance = History(), random.Random(7)
    for ten in range(20):
        with rig.db.write() as tx:
            for number in range(10 * ten, 10 * ten + 10):
                history.run(0, "enqueue", number, partial(enqueue_small, rig, tx, number))
    for child in [workers.start() for _ in range(3)]:
        assert child.line() == "up"
        time.sleep(chance.uniform(0.05, 0.2))
        child.kill()
    rig.work()
    rig.until(lambda: not rig.jobs.counts(), timeout=40)
    for value in rig.effects():
        history.run(1, "dequeue", int(value), lambda: None)
        history.run(1, "generate", int(value), lambda: None)
    assert total_queue(history.ops), total_queue(history.ops).found
    assert unique_ids(history.ops), unique_ids(history.ops).found


def enqueue_and_die(database_url: str, broker_url: str, when: str) -> None:
    """An application process that is killed around its commit."""
    with queue(database_url, broker_url) as jobs, jobs.database.write() as tx:
        tx.after_commit(lambda: os._exit(9))
        jobs.enqueue(small.call(1), tx=tx)
        if when == "before":
            os._exit(9)


@pytest.mark.parametrize(
    ("place", "when", "done"),
    [
        ("sqlite", "before", []),
        ("sqlite", "after", ["1"]),
        pytest.param("mariadb", "after", ["1"], marks=pytest.mark.mysql),
        pytest.param("redis", "after", ["1"], marks=pytest.mark.redis),
    ],
    indirect=["place"],
)
def test_a_job_survives_its_application_from_the_commit_on(rig: Rig, place: Any, when: str, done: list[str]) -> None:
    """Killed before the commit there is no job; killed right after it, before anything was sent, it runs."""
    with spawn(enqueue_and_die, place.database_url, place.broker_url, when) as child:
        assert child.wait() == 9
    rig.work()
    rig.ends(rig.jobs.enqueue(bystander.call()).id)
    rig.until(lambda: len(rig.effects()) > len(done) and not rig.jobs.counts())
    assert sorted(rig.effects()) == [*done, "bystander"]

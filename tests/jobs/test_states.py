"""States: from queued to the end, the dead letters and back, in which order, and how long what has ended is known."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from postrmagic_core._retry import RetryPolicy
from postrmagic_core.errors import JobFailed, UsageError
from postrmagic_core.jobs import Unique, task
from postrmagic_core.jobs.interface import DEAD, SupportsUpkeep

Rig = Any
QUICK = RetryPolicy(attempts=10, base=0.05, cap=0.05)


class Undone(Exception):
    """Rolls a unit back."""


class World:
    """What the tasks here wait for, fail by and tell."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.broken = True
        self.seen: list[str] = []


@task(name="gated")
def gated(ctx: Any) -> None:
    ctx.world.gate.wait(10)


@task(name="tell")
def tell(ctx: Any, word: str) -> str:
    ctx.world.seen.append(word)
    return word


@task(name="brief", keep=0.05)
def brief(ctx: Any) -> None: ...


@task(name="fragile", retries=0, keep=0.05)
def fragile(ctx: Any) -> int:
    if ctx.world.broken:
        raise ValueError
    return int(ctx.attempt)


@task(name="brittle", queue="other", retries=0)
def brittle(ctx: Any) -> None:
    raise KeyError


@task(name="picky", retries=3, backoff=QUICK, retry_for=(OSError,), give_up_on=(FileNotFoundError,))
def picky(ctx: Any, error: str) -> int:
    if ctx.attempt == 1:
        raise {"missing": FileNotFoundError, "other": ValueError, "busy": BlockingIOError}[error]
    return int(ctx.attempt)


TASKS = (gated, tell, brief, fragile, brittle, picky)


def furnished(rig: Rig) -> Rig:
    rig.jobs.include(*TASKS)
    rig.world = rig.services["world"] = World()
    return rig


@pytest.fixture
def rig(rig: Rig) -> Rig:
    return furnished(rig)


@pytest.fixture
def sqlite_rig(sqlite_rig: Rig) -> Rig:
    return furnished(sqlite_rig)


def swept(rig: Rig) -> bool:
    if isinstance(rig.jobs.adapter, SupportsUpkeep):
        rig.jobs.adapter.sweep()
    return True


def test_a_job_is_queued_then_running_then_succeeded(rig: Rig) -> None:
    """With its times, its attempts, and the worker while it has one."""
    job = rig.jobs.enqueue(gated.call())
    waits = job.status()
    assert (waits.state, waits.attempts, waits.started_at, waits.ended_at, waits.worker) == (
        "queued",
        0,
        None,
        None,
        None,
    )
    assert abs((waits.created_at - datetime.now(UTC)).total_seconds()) < 5
    worker = rig.work()
    rig.until(lambda: rig.state(job.id) == "running")
    runs = job.status()
    assert (runs.attempts, runs.worker, runs.due_at) == (1, worker.id, None)
    rig.world.gate.set()
    assert job.wait().state == "succeeded"
    ended = job.status()
    assert ended.created_at <= ended.started_at <= ended.ended_at
    assert (ended.attempts, ended.worker, ended.due_at, ended.error) == (1, None, None, None)


@pytest.mark.parametrize(
    ("error", "end", "attempts"),
    [("missing", "failed: given_up", 1), ("other", "failed: given_up", 1), ("busy", "succeeded", 2)],
)
def test_only_an_error_that_another_try_may_cure_is_tried_again(
    sqlite_rig: Rig, error: str, end: str, attempts: int
) -> None:
    """retry_for names its classes, give_up_on exceptions to them; what is given up keeps its error and fingerprint."""
    sqlite_rig.work()
    job = sqlite_rig.jobs.enqueue(picky.call(error))
    assert sqlite_rig.ends(job.id) == end
    status = job.status()
    assert status.attempts == attempts
    assert (status.error is None) == (end == "succeeded")


def test_dead_letters_are_listed_and_replayed_in_bulk(rig: Rig) -> None:
    """By queue, by task, by id: they get all their tries again; what was not named stays."""
    rig.work()
    dead = [rig.jobs.enqueue(fragile.call()).id for _ in range(3)]
    others = [rig.jobs.enqueue(brittle.call()).id for _ in range(2)]
    rig.until(lambda: len(rig.jobs.find(DEAD)) == 5)
    assert {job.id for job in rig.jobs.find(DEAD, queue="other")} == set(others)
    assert {job.id for job in rig.jobs.find(DEAD, task="fragile")} == set(dead)
    newest = rig.jobs.find(DEAD, task="fragile", limit=1)[0]
    assert (newest.id, newest.reason, newest.error, newest.attempts) == (
        dead[-1],
        "failed",
        "builtins.ValueError",
        1,
    )
    assert len(newest.fingerprint) == 16
    assert {queue: counts.dead for queue, counts in rig.jobs.counts().items()} == {"default": 3, "other": 2}
    rig.world.broken = False
    assert rig.jobs.replay(dead[0]) == 1
    assert rig.jobs.result(dead[0]) == 1
    assert rig.jobs.replay(queue="default") == 2
    assert [rig.jobs.result(job_id) for job_id in dead] == [1, 1, 1]
    assert rig.jobs.replay(task="fragile") == 0
    assert rig.jobs.replay("nonsense") == 0
    assert {job.id for job in rig.jobs.find(DEAD)} == set(others)


@pytest.mark.parametrize(
    ("ids", "asked"),
    [
        ([], {}),
        (["x"], {"everything": True}),
        (["x"], {"queue": "default"}),
        ([], {"task": "fragile", "everything": True}),
    ],
    ids=str,
)
def test_replay_is_told_which_jobs(sqlite_rig: Rig, ids: list[str], asked: dict[str, Any]) -> None:
    """By id, by queue or task, or everything, and one of these ways only: no ids are not all of them."""
    jobs = sqlite_rig.jobs
    letter = jobs.enqueue(fragile.call())
    with jobs.worker(threads=1):
        assert sqlite_rig.ends(letter.id) == "failed"
    for replay in (jobs.replay, lambda *ids, **asked: asyncio.run(jobs.aio.replay(*ids, **asked))):
        with pytest.raises(UsageError, match="everything=True"):
            replay(*ids, **asked)
    assert [found.id for found in jobs.find(DEAD)] == [letter.id]
    assert asyncio.run(jobs.aio.replay(everything=True)) == 1
    assert jobs.replay(everything=True) == 0


def test_a_replayed_job_has_forgotten_how_it_ended(sqlite_rig: Rig) -> None:
    """Neither error nor times of its former life are shown."""
    job = sqlite_rig.jobs.enqueue(fragile.call())
    with sqlite_rig.jobs.worker(threads=1):
        assert sqlite_rig.ends(job.id) == "failed"
    assert sqlite_rig.jobs.replay(job.id) == 1
    status = job.status()
    assert (status.state, status.attempts, status.error, status.reason) == ("queued", 0, None, None)
    assert (status.started_at, status.ended_at, status.fingerprint) == (None, None, None)


def test_what_is_done_is_known_for_as_long_as_its_task_says(rig: Rig) -> None:
    """Then it is forgotten; a dead letter never is by itself, and what waits is not touched."""
    waits = rig.jobs.enqueue(brief.call(), delay=3600)
    letter = rig.jobs.enqueue(fragile.call())
    done = rig.jobs.enqueue(brief.call())
    kept = rig.jobs.enqueue(tell.call("kept"))
    cancelled = rig.jobs.enqueue(brief.call(), delay=3600)
    cancelled.cancel()
    with rig.jobs.worker(threads=1):
        assert [rig.ends(job.id) for job in (letter, kept)] == ["failed", "succeeded"]
        rig.until(lambda: swept(rig) and done.status() is None and cancelled.status() is None)
    swept(rig)
    assert [rig.state(job.id) for job in (waits, letter, kept)] == ["queued", "failed", "succeeded"]


def test_what_has_ended_can_be_forgotten_up_to_an_instant(rig: Rig) -> None:
    """Dead letters only where they are named; what waits never."""
    rig.work()
    done, letter = rig.jobs.enqueue(tell.call("x")), rig.jobs.enqueue(brittle.call())
    waits = rig.jobs.enqueue(tell.call("y"), delay=60)
    assert [rig.ends(job.id) for job in (done, letter)] == ["succeeded", "failed"]
    now = datetime.now(UTC)
    assert rig.jobs.purge(now - timedelta(minutes=1)) == 0
    assert rig.jobs.purge(now + timedelta(minutes=1)) == 1
    assert done.status() is None
    assert [rig.state(job.id) for job in (letter, waits)] == ["failed", "queued"]
    assert rig.jobs.purge(now + timedelta(minutes=1), states={"failed", "dead"}) == 1
    assert letter.status() is None
    assert rig.state(waits.id) == "queued"


def test_jobs_are_found_by_state_queue_and_task(rig: Rig) -> None:
    """The newest first, and no more than asked for."""
    first, second = [rig.jobs.enqueue(tell.call(word)).id for word in ("a", "b")]
    third = rig.jobs.enqueue(brittle.call(), delay=60).id
    assert [status.id for status in rig.jobs.find({"queued"})] == [third, second, first]
    assert [status.id for status in rig.jobs.find({"queued"}, limit=1)] == [third]
    assert [status.id for status in rig.jobs.find({"queued"}, queue="default")] == [second, first]
    assert [status.id for status in rig.jobs.find({"queued", "running"}, task="brittle")] == [third]
    assert rig.jobs.find({"succeeded"}) == []


def test_priorities_order_the_queue(rig: Rig) -> None:
    """Whatever waits, the high ones go first, also one that comes when others have waited for long."""
    blocker = rig.jobs.enqueue(gated.call())
    rig.work(threads=1)
    rig.until(lambda: rig.state(blocker.id) == "running")
    for priority in ("low", "normal", "high"):
        for number in (1, 2):
            rig.jobs.enqueue(tell.call(f"{priority} {number}"), priority=priority)
    rig.world.gate.set()
    rig.until(lambda: len(rig.world.seen) == 6)
    assert rig.world.seen == ["high 1", "high 2", "normal 1", "normal 2", "low 1", "low 2"]


def test_a_task_has_a_priority_of_its_own(sqlite_rig: Rig) -> None:
    """Shown in its status; the enqueuer's word goes first."""
    urgent = task(name="urgent", priority="high")(lambda ctx: None)
    jobs = [sqlite_rig.jobs.enqueue(urgent.call()), sqlite_rig.jobs.enqueue(urgent.call(), priority="low")]
    assert [job.status().priority for job in jobs] == ["high", "low"]
    with pytest.raises(ValueError, match="high, normal, low"):
        sqlite_rig.jobs.enqueue(urgent.call(), priority="asap")


def test_a_busy_queue_does_not_starve_another(sqlite_rig: Rig) -> None:
    """Two jobs of the second queue, enqueued last, do not wait for all of the first."""
    aside = task(name="aside", queue="aside")(tell.function)
    sqlite_rig.jobs.include(aside)
    sqlite_rig.jobs.enqueue_many([tell.call("first") for _ in range(20)])
    sqlite_rig.jobs.enqueue_many([aside.call("second") for _ in range(2)])
    sqlite_rig.work(threads=1)
    sqlite_rig.until(lambda: len(sqlite_rig.world.seen) == 22)
    assert sqlite_rig.world.seen[-1] == "first"
    assert "second" in sqlite_rig.world.seen[:10]


def test_many_are_enqueued_all_or_none(rig: Rig) -> None:
    """In one unit, with handles in their order."""
    calls = [tell.call(str(number)) for number in range(50)]
    with suppress(Undone), rig.db.write() as tx:
        rig.jobs.enqueue_many(calls, tx=tx)
        raise Undone
    with rig.db.write() as tx:
        handles = rig.jobs.enqueue_many(calls, tx=tx)
    assert rig.jobs.enqueue_many([]) == []
    rig.work()
    assert [rig.result(handle) for handle in handles] == [str(number) for number in range(50)]
    assert len(rig.world.seen) == 50


def test_many_may_wait_or_be_unique_too(rig: Rig) -> None:
    """A delay holds for all of them; one that is there already is told."""
    single = task(name="single", unique=Unique())(tell.function)
    rig.jobs.include(single)
    first, again, other = rig.jobs.enqueue_many([single.call(word) for word in ("a", "a", "b")], delay=60)
    assert (again.id, again.existing, first.existing) == (first.id, True, False)
    assert other.id != first.id
    assert rig.jobs.counts()["default"].later == 2


def test_a_waiting_job_is_cancelled_at_once_and_never_runs(rig: Rig) -> None:
    """Its result says so; named by id it can be replayed."""
    job, other = rig.jobs.enqueue(tell.call("no")), rig.jobs.enqueue(tell.call("yes"))
    assert job.cancel()
    assert job.status().state == "cancelled"
    assert not job.cancel()
    assert not rig.jobs.cancel("nonsense")
    rig.work()
    other.wait()
    with pytest.raises(JobFailed, match="cancelled"):
        job.result()
    assert rig.world.seen == ["yes"]
    assert rig.jobs.find(DEAD) == []
    assert rig.jobs.replay(job.id) == 1
    assert job.result() == "no"

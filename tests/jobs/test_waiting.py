"""Waiting for a job: its end, its result, its progress, from threads and from asyncio."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest

from postrmagic_core.errors import JobFailed, ResultTimeout, UsageError
from postrmagic_core.jobs import Progress, task

Rig = Any
TOLD = [Progress(1, 3, "one"), Progress(2, 3, "two"), Progress(3, 3)]


class Steps:
    """Lets a task go on step by step."""

    def __init__(self) -> None:
        self.go = threading.Semaphore(0)


@task(name="stepwise")
def stepwise(ctx: Any) -> str:
    for progress in TOLD:
        ctx.progress(progress.done, progress.total, progress.note)
        ctx.steps.go.acquire(timeout=10)
    return "there"


@task(name="hasty")
def hasty(ctx: Any) -> None:
    ctx.progress(5)


@task(name="fail", retries=0)
def fail(ctx: Any) -> None:
    raise ValueError


def furnished(rig: Rig) -> Rig:
    rig.jobs.include(stepwise, hasty, fail)
    rig.steps = rig.services["steps"] = Steps()
    return rig


@pytest.fixture
def rig(rig: Rig) -> Rig:
    return furnished(rig)


@pytest.fixture
def sqlite_rig(sqlite_rig: Rig) -> Rig:
    return furnished(sqlite_rig)


def seen_of(rig: Rig, status: Any, seen: list[Any]) -> None:
    """Note what is seen, and let the task go on when its progress is among it."""
    seen.append((status.state, status.progress))
    if status.progress is not None and status.state == "running":
        rig.steps.go.release()


WATCHED = [("running", each) for each in TOLD] + [("succeeded", TOLD[-1])]


def test_a_job_is_watched_until_it_has_ended(rig: Rig) -> None:
    """Its state now and after each change, what it tells on the way included."""
    seen: list[Any] = []
    job = rig.jobs.enqueue(stepwise.call())
    for status in job.watch(timeout=20):
        if not seen:
            rig.work(threads=1)
        seen_of(rig, status, seen)
    assert seen[0] == ("queued", None)
    assert [each for each in seen if each[1] is not None] == WATCHED
    assert job.result() == "there"


def test_what_was_told_last_is_known_after_the_end(rig: Rig) -> None:
    """Though it was told too late for a sign of life; of a total nobody knows nothing is said."""
    rig.work()
    status = rig.jobs.enqueue(hasty.call()).wait()
    assert status.progress == Progress(5, None, "")


def test_a_wait_ends_in_time_with_a_typed_error(sqlite_rig: Rig) -> None:
    """Nobody works: of end, result and change each."""
    job = sqlite_rig.jobs.enqueue(hasty.call())
    began = time.monotonic()
    for wait in (job.wait, job.result):
        with pytest.raises(ResultTimeout, match="did not end"):
            wait(timeout=0.1)
    with pytest.raises(ResultTimeout, match="did not change"):
        list(job.watch(timeout=0.1))
    assert time.monotonic() - began < 10
    for call in (sqlite_rig.jobs.wait, sqlite_rig.jobs.result, lambda job_id: list(sqlite_rig.jobs.watch(job_id))):
        with pytest.raises(UsageError, match="no job"):
            call("nonsense")


def test_a_job_without_a_result_says_why(rig: Rig) -> None:
    """Failed with its error's code, or cancelled."""
    rig.work()
    with pytest.raises(JobFailed, match=r"failed.*ValueError"):
        rig.jobs.enqueue(fail.call()).result()
    unwanted = rig.jobs.enqueue(hasty.call(), delay=60)
    assert unwanted.cancel()
    with pytest.raises(JobFailed, match="cancelled"):
        unwanted.result()


async def wait_for_all(rig: Rig) -> None:
    seen: list[Any] = []
    job = await rig.jobs.aio.enqueue(stepwise.call())
    async for status in job.watch(timeout=20):
        seen_of(rig, status, seen)
    assert [each for each in seen if each[1] is not None] == WATCHED
    assert (await job.status()).state == (await job.wait()).state == "succeeded"
    assert await job.result() == "there"
    with pytest.raises(JobFailed, match="ValueError"):
        await (await rig.jobs.aio.enqueue(fail.call())).result()
    late, other = await rig.jobs.aio.enqueue_many([hasty.call(), hasty.call()], delay=60)
    with pytest.raises(ResultTimeout):
        await late.wait(timeout=0.1)
    assert await late.cancel()
    assert await rig.jobs.aio.cancel(other.id)
    assert {status.id for status in await rig.jobs.aio.find({"cancelled"})} == {late.id, other.id}
    assert (await rig.jobs.aio.record(job.id)).result is not None
    assert len(await rig.jobs.aio.workers()) == 1


def test_asyncio_waits_by_the_same_names(rig: Rig) -> None:
    """Handle and queue, awaited."""
    rig.work()
    asyncio.run(wait_for_all(rig))


async def wait_beside(rig: Rig) -> int:
    job = await rig.jobs.aio.enqueue(hasty.call(), delay=60)
    waits = [asyncio.ensure_future(rig.jobs.aio.wait(job.id, timeout=20)) for _ in range(100)]
    await asyncio.sleep(0)
    assert await job.cancel()
    ends = await asyncio.gather(*waits)
    return sum(status.state == "cancelled" for status in ends)


def test_a_hundred_tasks_wait_without_a_thread_each(sqlite_rig: Rig) -> None:
    """All of them see the end."""
    before = threading.active_count()
    assert asyncio.run(wait_beside(sqlite_rig)) == 100
    assert threading.active_count() - before < 40

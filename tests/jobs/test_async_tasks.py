"""Async tasks: on one loop for all threads of a worker, with limits, units and context of their own."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import text

from postrmagic_core._retry import RetryPolicy
from postrmagic_core.errors import UsageError
from postrmagic_core.jobs import task

Rig = Any
QUICK = RetryPolicy(attempts=10, base=0.05, cap=0.05)
asked: contextvars.ContextVar[str] = contextvars.ContextVar("asked", default="nobody")


def test_async_jobs_run_side_by_side_on_one_loop(rig: Rig) -> None:
    """Three that wait for each other, one to a thread."""
    meeting: list[asyncio.Barrier] = []
    loops = set()

    @task(name="guest", retries=0, time_limit=20)
    async def guest(ctx: Any, number: int) -> int:
        loops.add((id(asyncio.get_running_loop()), threading.get_ident()))
        if not meeting:
            meeting.append(asyncio.Barrier(3))
        await meeting[0].wait()
        return number

    rig.jobs.include(guest)
    rig.work(threads=3)
    handles = rig.jobs.enqueue_many([guest.call(number) for number in range(3)])
    assert [handle.result(20) for handle in handles] == [0, 1, 2]
    assert len(loops) == 1


def test_an_async_job_that_overstays_is_cancelled(sqlite_rig: Rig) -> None:
    """Its finally runs, and it failed; a time-out of its own is an error like others."""
    seen = []

    @task(name="endless", retries=0, time_limit=0.2)
    async def endless(ctx: Any) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            seen.append("cleaned up")

    @task(name="impatient", retries=0, time_limit=60)
    async def impatient(ctx: Any) -> None:
        async with asyncio.timeout(0.01):
            await asyncio.sleep(60)

    sqlite_rig.jobs.include(endless, impatient)
    sqlite_rig.work(threads=1)
    over, own = sqlite_rig.jobs.enqueue(endless.call()), sqlite_rig.jobs.enqueue(impatient.call())
    assert [sqlite_rig.ends(job.id) for job in (over, own)] == ["failed", "failed"]
    assert "TimeLimitExceeded" in over.status().error
    assert own.status().error == "builtins.TimeoutError"
    assert seen == ["cleaned up"]


def test_an_async_effect_happens_once(rig: Rig) -> None:
    """The try after the commit fails; the next is refused by the unit, which counts as success."""
    starts = []

    @task(name="half", retries=3, backoff=QUICK)
    async def half(ctx: Any) -> None:
        starts.append(ctx.attempt)
        async with ctx.aio.write() as tx:
            await tx.execute(text("INSERT INTO effects (value) VALUES ('once')"))
        raise ValueError("after the commit")

    rig.jobs.include(half)
    rig.work()
    assert rig.ends(rig.jobs.enqueue(half.call()).id) == "succeeded"
    assert starts == [1, 2]
    assert rig.effects() == ["once"]


def test_an_async_job_reads_enqueues_and_writes_once_only(rig: Rig) -> None:
    """The next job commits with the unit; a second unit in one delivery is refused."""

    @task(name="next")
    async def following(ctx: Any) -> str:
        return "followed"

    @task(name="first", retries=0)
    async def first(ctx: Any) -> str:
        async with ctx.aio.read() as tx:
            assert await tx.scalar(text("SELECT 1")) == 1
        async with ctx.aio.write() as tx:
            handle = await ctx.jobs.aio.enqueue(following.call(), tx=tx)
        with pytest.raises(UsageError, match="twice"):
            async with ctx.aio.write():
                pass
        return str(handle.id)

    rig.jobs.include(first, following)
    rig.work()
    follower = rig.jobs.enqueue(first.call()).result()
    rig.until(lambda: rig.jobs.status(follower) is not None)
    assert rig.jobs.result(follower) == "followed"


def test_an_async_job_has_the_context_put_around_it(sqlite_rig: Rig) -> None:
    """Variables set around it hold inside, and of one job do not reach the next."""

    @contextmanager
    def around(ctx: Any) -> Iterator[None]:
        before = asked.get()
        asked.set(f"{before}, {ctx.attempt}")
        yield

    @task(name="inner")
    async def inner(ctx: Any) -> str:
        await asyncio.sleep(0)
        return asked.get()

    sqlite_rig.jobs.include(inner)
    sqlite_rig.work(threads=1, around=around)
    assert [sqlite_rig.jobs.enqueue(inner.call()).result() for _ in range(2)] == ["nobody, 1"] * 2


def test_an_async_job_that_outlasts_its_worker_is_delivered_again(make_rig: Callable[..., Rig], place: Any) -> None:
    """The worker's grace is over: the loop cancels it, and another worker gets it when the lease ends."""
    rig, seen = make_rig(place, lease=1.0), []

    @task(name="lasting", retries=1)
    async def lasting(ctx: Any) -> int:
        seen.append(ctx.attempt)
        if ctx.attempt == 1:
            await asyncio.sleep(60)
        return int(ctx.attempt)

    rig.jobs.include(lasting)
    began = time.monotonic()
    with rig.jobs.worker(threads=1, grace=0.1):
        job = rig.jobs.enqueue(lasting.call())
        rig.until(lambda: seen == [1])
    assert time.monotonic() - began < 20
    rig.work()
    assert job.result() == 2

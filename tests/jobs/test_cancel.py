"""Cancelling what runs: it is asked, and ends where it can."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from postrmagic_core._retry import RetryPolicy
from postrmagic_core.errors import JobCancelled
from postrmagic_core.jobs import task
from postrmagic_core.jobs.interface import Renewal

Rig = Any
QUICK = RetryPolicy(attempts=10, base=0.05, cap=0.05)


class Scene:
    """Where a task says how far it is."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.may_end = threading.Event()


@task(name="heedful", retries=3, backoff=QUICK)
def heedful(ctx: Any) -> None:
    ctx.scene.seen.append("started")
    try:
        while True:
            ctx.check()
            time.sleep(0.01)
    except JobCancelled as error:
        ctx.scene.seen.append(str(error))
        raise


@task(name="telling", retries=3, backoff=QUICK)
def telling(ctx: Any) -> None:
    ctx.scene.seen.append("started")
    for step in range(100_000):
        ctx.progress(step)
        time.sleep(0.01)


@task(name="deaf", retries=3, backoff=QUICK)
def deaf(ctx: Any, fails: bool) -> str:
    ctx.scene.seen.append("started")
    ctx.scene.may_end.wait(10)
    if fails:
        raise ValueError
    return "done all the same"


@task(name="dreamer", retries=3, backoff=QUICK)
async def dreamer(ctx: Any) -> None:
    ctx.scene.seen.append("started")
    try:
        await asyncio.sleep(60)
    finally:
        ctx.scene.seen.append("cleaned up")


@task(name="fine")
def fine(ctx: Any) -> int:
    return 1


def furnished(rig: Rig) -> Rig:
    rig.jobs.include(heedful, telling, deaf, dreamer, fine)
    rig.scene = rig.services["scene"] = Scene()
    rig.work(threads=1)
    return rig


@pytest.fixture
def rig(make_rig: Callable[..., Rig], place: Any) -> Rig:
    return furnished(make_rig(place, lease=1.0))


@pytest.fixture
def sqlite_rig(make_rig: Callable[..., Rig], sqlite_place: Any) -> Rig:
    return furnished(make_rig(sqlite_place, lease=1.0))


def started(rig: Rig, call: Any) -> Any:
    job = rig.jobs.enqueue(call)
    rig.until(lambda: rig.scene.seen == ["started"])
    return job


@pytest.mark.parametrize("call", [heedful.call(), telling.call(), dreamer.call()], ids=["check", "progress", "async"])
def test_a_running_job_ends_where_it_can(rig: Rig, call: Any) -> None:
    """At ctx.check(), at ctx.progress(), at an await: it is cancelled, not tried again, and its thread goes on."""
    job = started(rig, call)
    assert job.cancel()
    assert job.wait().state == "cancelled"
    assert job.status().attempts == 1
    assert rig.jobs.enqueue(fine.call()).result() == 1
    assert rig.scene.seen.count("started") == 1


def test_an_async_job_may_clean_up(sqlite_rig: Rig) -> None:
    """Its finally runs before it is over."""
    job = started(sqlite_rig, dreamer.call())
    job.cancel()
    assert job.wait().state == "cancelled"
    assert sqlite_rig.scene.seen == ["started", "cleaned up"]


@pytest.mark.parametrize(("fails", "end"), [(False, "succeeded"), (True, "cancelled")])
def test_a_job_that_does_not_look_is_not_torn_off(rig: Rig, fails: bool, end: str) -> None:
    """What it did is kept; if it fails, that was its last try. Meanwhile it shows that it was asked."""
    job = started(rig, deaf.call(fails))
    assert job.cancel()
    status = job.status()
    assert (status.state, status.cancelling) == ("running", True)
    rig.scene.may_end.set()
    ended = job.wait()
    assert (ended.state, ended.cancelling, ended.attempts) == (end, False, 1)


def test_what_has_ended_cannot_be_cancelled(rig: Rig) -> None:
    """Its end stays."""
    job = rig.jobs.enqueue(fine.call())
    assert job.result() == 1
    assert not job.cancel()
    assert rig.state(job.id) == "succeeded"


@pytest.mark.parametrize("call", [heedful.call(), dreamer.call()], ids=["check", "async"])
def test_a_job_that_another_worker_has_is_told_to_end(
    sqlite_rig: Rig, monkeypatch: pytest.MonkeyPatch, call: Any
) -> None:
    """Its lease was lost: what it does from there on counts for nothing."""
    job = started(sqlite_rig, call)
    monkeypatch.setattr(sqlite_rig.jobs.adapter, "renew", lambda beats: Renewal(lost=[job.id]))
    sqlite_rig.until(lambda: len(sqlite_rig.scene.seen) >= 2)
    assert "lost" in sqlite_rig.scene.seen[1] or sqlite_rig.scene.seen[1] == "cleaned up"
    monkeypatch.undo()
    job.cancel()
    assert job.wait().state == "cancelled"

"""What people do with schedules, on both faces: look, pause, resume, run now, forget."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from postrmagic_core.errors import UsageError
from postrmagic_core.jobs import cron, every, task
from postrmagic_core.jobs.schedules import rows
from tests.jobs.schedules.conftest import fired, row_of, set_back, told_of

Rig = Any


@task(name="note")
def note(ctx: Any) -> str | None:
    return None if ctx.scheduled_for is None else str(ctx.scheduled_for.isoformat())


HOURLY = every(3600, note.call(), name="hourly")
NIGHTLY = cron("30 3 * * *", note.call(), timezone="Europe/Zurich", name="nightly")


class Face:
    """The queue on one of its faces, called the same way."""

    def __init__(self, rig: Rig, kind: str) -> None:
        self._jobs, self._kind = rig.jobs, kind

    def __getattr__(self, name: str) -> Any:
        if self._kind == "sync":
            return getattr(self._jobs, name)

        def call(*arguments: object) -> Any:
            async def awaited() -> Any:
                return await getattr(self._jobs.aio, name)(*arguments)

            return asyncio.run(awaited())

        return call


@pytest.fixture
def scheduled(rig: Rig) -> Rig:
    rig.jobs.include(HOURLY, NIGHTLY)
    return rig


@pytest.fixture(params=["sync", "async"])
def face(request: pytest.FixtureRequest, scheduled: Rig) -> Face:
    return Face(scheduled, request.param)


def test_schedules_are_told_before_anybody_has_seen_them(scheduled: Rig, face: Face) -> None:
    """As they are declared; when they come a scheduler decides."""
    hourly, nightly = face.schedules()
    assert (hourly.name, hourly.spec, hourly.timezone, hourly.task) == ("hourly", "every 3600 s", None, "note")
    assert (nightly.spec, nightly.timezone, nightly.declared) == ("30 3 * * *", "Europe/Zurich", True)
    assert [hourly.next_at, hourly.last_at, hourly.last_job, hourly.paused] == [None, None, None, False]


def test_a_paused_schedule_is_not_fired_and_makes_up_for_nothing(scheduled: Rig, face: Face) -> None:
    """Its ticks of that time do not come, and it goes on with its grid."""
    made = scheduled.jobs.scheduler()
    made.run_once()
    face.pause_schedule("hourly")
    tick = set_back(scheduled.jobs, "hourly", 5 * 3600 + 1)
    assert made.run_once() == 0
    told = told_of(scheduled.jobs, "hourly")
    assert (told.paused, told.next_at) == (True, None)
    face.resume_schedule("hourly")
    assert made.run_once() == 0
    assert told_of(scheduled.jobs, "hourly").next_at == tick + timedelta(hours=6)
    assert fired(scheduled.jobs) == []


def test_what_nobody_has_seen_can_be_paused(scheduled: Rig, face: Face) -> None:
    """Before the first scheduler starts, and it heeds it."""
    face.pause_schedule("nightly")
    scheduled.jobs.scheduler().run_once()
    assert told_of(scheduled.jobs, "nightly").paused
    assert not told_of(scheduled.jobs, "hourly").paused


def test_pausing_twice_and_resuming_what_runs_changes_nothing(scheduled: Rig, face: Face) -> None:
    """Whoever repeats a command means the same."""
    scheduled.jobs.scheduler().run_once()
    before = row_of(scheduled.jobs, "hourly")
    face.resume_schedule("hourly")
    assert row_of(scheduled.jobs, "hourly") == before
    for _ in range(2):
        face.pause_schedule("hourly")
    assert row_of(scheduled.jobs, "hourly").next_at == before.next_at


def test_a_schedule_is_run_now(scheduled: Rig, face: Face) -> None:
    """Its job is told that instant; its next tick comes as it would have, and a pause does not hinder."""
    scheduled.jobs.scheduler().run_once()
    face.pause_schedule("hourly")
    before, began = row_of(scheduled.jobs, "hourly"), rows.look(scheduled.db)[0]
    job = face.run_schedule("hourly")
    scheduled.work(threads=1)
    scheduled.until(lambda: scheduled.jobs.status(job.id) is not None)
    after = row_of(scheduled.jobs, "hourly")
    assert after.last_at is not None
    assert scheduled.jobs.result(job.id) == after.last_at.isoformat()
    assert began <= after.last_at <= rows.look(scheduled.db)[0]
    assert (after.last_job, after.next_at, after.paused) == (job.id, before.next_at, True)


def test_what_is_declared_is_not_forgotten(scheduled: Rig, face: Face) -> None:
    """It would come back by itself; what is not declared any more goes for good."""
    scheduled.jobs.scheduler().run_once()
    with pytest.raises(UsageError, match=r"schedule hourly is declared here"):
        face.forget_schedule("hourly")
    del scheduled.jobs.scheduled["hourly"]
    face.forget_schedule("hourly")
    assert [told.name for told in face.schedules()] == ["nightly"]


@pytest.mark.parametrize("what", ["pause_schedule", "resume_schedule", "run_schedule", "forget_schedule"])
def test_an_unknown_schedule_is_refused(face: Face, what: str) -> None:
    """With the names there are."""
    with pytest.raises(UsageError, match=r"there is no schedule weekly here; declared are: hourly, nightly"):
        getattr(face, what)("weekly")


def test_the_async_face_opens_a_scheduler(sqlite_rig: Rig) -> None:
    """With ``async with``."""
    sqlite_rig.jobs.include(every(0.1, note.call(), name="often"))

    async def fires() -> None:
        async with sqlite_rig.jobs.aio.scheduler():
            await asyncio.to_thread(sqlite_rig.until, lambda: sqlite_rig.jobs.schedules()[0].last_at)

    asyncio.run(fires())

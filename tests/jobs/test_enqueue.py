"""Enqueueing: with the transaction, after it, later, and from asyncio."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from postrmagic_core._codec import encode
from postrmagic_core.database import DatabaseManager
from postrmagic_core.errors import OutsideUnit, ResultTimeout, UnknownTask, UsageError
from postrmagic_core.jobs import JobQueue, task
from postrmagic_core.jobs.interface import DEAD

Rig = Any
MakeRig = Callable[..., Any]


@task(name="note", retries=0)
def note(ctx: Any, value: str) -> str:
    with ctx.write() as tx:
        ctx.rig.effect(tx, value)
    return value.upper()


@task(name="fail", retries=0)
def fail(ctx: Any) -> None:
    raise ValueError("no")


class Undone(Exception):
    """Rolls a unit back."""


@pytest.fixture
def rig(rig: Rig) -> Rig:
    rig.jobs.include(note, fail)
    rig.services["rig"] = rig
    return rig


@pytest.fixture
def sqlite_rig(sqlite_rig: Rig) -> Rig:
    sqlite_rig.jobs.include(note, fail)
    sqlite_rig.services["rig"] = sqlite_rig
    return sqlite_rig


def test_a_job_runs_if_and_only_if_its_unit_commits(rig: Rig) -> None:
    """Of two units one rolls back: its job is never seen, the other's runs."""
    rig.work()
    with suppress(Undone), rig.db.write() as tx:
        rig.jobs.enqueue(note.call("rolled back"), tx=tx)
        raise Undone
    with rig.db.write() as tx:
        kept = rig.jobs.enqueue(note.call("committed"), tx=tx)
    assert rig.result(kept) == "COMMITTED"
    assert rig.jobs.counts() == {}
    assert rig.effects() == ["committed"]


def test_a_rolled_back_savepoint_takes_its_job_along(rig: Rig) -> None:
    """The unit around it commits."""
    rig.work()
    with rig.db.write() as tx:
        with suppress(Undone), tx.savepoint():
            rig.jobs.enqueue(note.call("gone"), tx=tx)
            raise Undone
        kept = rig.jobs.enqueue(note.call("kept"), tx=tx)
    rig.result(kept)
    assert rig.effects() == ["kept"]


def test_inside_a_unit_tx_is_needed(sqlite_rig: Rig) -> None:
    """Without it the job would survive a rollback."""
    with sqlite_rig.db.write(), pytest.raises(OutsideUnit, match="tx=tx"):
        sqlite_rig.jobs.enqueue(note.call("x"))


@pytest.mark.parametrize("commits", [True, False])
def test_a_detached_job_is_enqueued_whatever_becomes_of_the_unit(sqlite_rig: Rig, commits: bool) -> None:
    """It waits for the unit's end: on SQLite nobody else can write before."""
    sqlite_rig.work()
    with suppress(Undone), sqlite_rig.db.write():
        sqlite_rig.jobs.enqueue(note.call("detached"), detached=True)
        assert sqlite_rig.jobs.counts() == {}
        if not commits:
            raise Undone
    sqlite_rig.until(lambda: sqlite_rig.effects() == ["detached"])


def test_detached_in_a_savepoint_it_waits_for_the_whole_unit(sqlite_rig: Rig) -> None:
    """The savepoint's rollback is not the end of the unit that holds the only writer."""
    with sqlite_rig.db.write() as tx:
        with suppress(Undone), tx.savepoint():
            sqlite_rig.jobs.enqueue(note.call("x"), detached=True)
            raise Undone
        assert sqlite_rig.jobs.counts() == {}
    assert sqlite_rig.jobs.counts()["default"].queued == 1


def test_a_job_waits_until_it_is_due(rig: Rig) -> None:
    """It waits in the database, and starts no earlier."""
    rig.work()
    asked = datetime.now(UTC)
    later = rig.jobs.enqueue(note.call("later"), delay=0.6)
    due = rig.jobs.status(later.id).due_at
    assert asked <= due - timedelta(seconds=0.6) <= datetime.now(UTC)
    rig.jobs.result(rig.jobs.enqueue(note.call("now")).id)
    assert rig.jobs.wait(later.id).started_at >= due
    assert sorted(rig.effects()) == ["later", "now"]


def test_a_job_can_be_given_an_instant(sqlite_rig: Rig) -> None:
    """An aware one; a naive one could mean anything."""
    instant = datetime.now(UTC).replace(microsecond=0) + timedelta(days=30)
    assert sqlite_rig.jobs.status(sqlite_rig.jobs.enqueue(note.call("x"), at=instant).id).due_at == instant
    with pytest.raises(ValueError, match="aware"):
        sqlite_rig.jobs.enqueue(note.call("x"), at=datetime(2030, 1, 1))  # noqa: DTZ001 - the mistake under test
    with pytest.raises(ValueError, match="not both"):
        sqlite_rig.jobs.enqueue(note.call("x"), at=instant, delay=1)


def test_a_unit_of_another_database_carries_a_job_too(rig: Rig, tmp_path: Path) -> None:
    """It is staged there, and the relay of that database hands it over once, however often it tries."""
    rig.work()
    with DatabaseManager(f"sqlite:///{tmp_path / 'other.db'}") as other:
        other.upgrade()
        relay = other.relay({"jobs": rig.jobs.deliver})
        with other.write() as tx:
            job = rig.jobs.enqueue(note.call("elsewhere"), tx=tx)
        assert rig.jobs.status(job.id) is None
        with other.read() as tx:
            staged = tx.execute(text("SELECT payload FROM pm_outbox")).first()
        with other.write() as tx:
            rig.jobs.deliver(tx, staged)  # a relay that dies before it marks the row does this
        assert relay.run_once() == 1
        assert rig.jobs.result(job.id) == "ELSEWHERE"
    assert rig.effects() == ["elsewhere"]


def test_what_was_not_staged_by_jobs_is_refused_by_their_route(sqlite_rig: Rig) -> None:
    """The row stays in the outbox, and is shown."""
    with sqlite_rig.db.write() as tx:
        tx.stage("jobs", encode("nonsense"))
    relay = sqlite_rig.db.relay({"jobs": sqlite_rig.jobs.deliver})
    assert relay.run_once() == 0
    assert sqlite_rig.db.outbox_counts()["jobs"].waiting == 1


def test_a_broker_in_another_database_keeps_the_rows_there(
    make_rig: MakeRig, sqlite_place: Any, tmp_path: Path
) -> None:
    """The queue opens and migrates it; a unit of the application's database stages its jobs."""
    broker_url = f"sqlite:///{tmp_path / 'jobs.db'}"
    with DatabaseManager(sqlite_place.database_url) as db, JobQueue(broker_url, database=db) as jobs:
        jobs.include(note, fail)
        relay = db.relay({"jobs": jobs.deliver})
        with db.write() as tx:
            job = jobs.enqueue(note.call("x"), tx=tx)
        assert jobs.status(job.id) is None
        relay.run_once()
        status = jobs.status(job.id)
        assert status is not None
        assert status.state == "queued"


def test_a_task_can_be_enqueued_by_name(sqlite_rig: Rig) -> None:
    """As events do; a name that was not included is an error here, not later."""
    sqlite_rig.work()
    assert sqlite_rig.jobs.result(sqlite_rig.jobs.enqueue_raw("note", {"value": "raw"})) == "RAW"
    with pytest.raises(UnknownTask, match="nothing"):
        sqlite_rig.jobs.enqueue_raw("nothing", {})


def test_a_result_is_waited_for_only_so_long(sqlite_rig: Rig) -> None:
    """Nobody works: the wait ends with a typed error."""
    job = sqlite_rig.jobs.enqueue(note.call("x"))
    with pytest.raises(ResultTimeout):
        sqlite_rig.jobs.result(job.id, timeout=0.1)
    with pytest.raises(UsageError, match="no job"):
        sqlite_rig.jobs.result("nonsense")


async def both(rig: Rig) -> list[Any]:
    async with rig.db.aio.write() as tx:
        with pytest.raises(OutsideUnit):
            await rig.jobs.aio.enqueue(note.call("x"))
        first = await rig.jobs.aio.enqueue(note.call("in the unit"), tx=tx)
    status = await rig.jobs.aio.status(first.id)
    assert status.task == "note"
    second = (await rig.jobs.aio.enqueue(note.call("alone"))).id
    await rig.jobs.aio.enqueue(note.call("later"), delay=60)
    results = [await rig.jobs.aio.result(first.id), await rig.jobs.aio.result(second)]
    counts = await rig.jobs.aio.counts()
    assert (counts["default"].queued, counts["default"].later) == (0, 1)
    assert await rig.jobs.aio.find(DEAD) == []
    assert await rig.jobs.aio.replay(second) == 0
    assert await rig.jobs.aio.purge(datetime(2020, 1, 1, tzinfo=UTC)) == 0
    return results


def test_the_async_face_does_the_same(sqlite_rig: Rig) -> None:
    """Enqueue in an async unit and outside one, wait for the results."""
    import asyncio

    sqlite_rig.work()
    assert asyncio.run(both(sqlite_rig)) == ["IN THE UNIT", "ALONE"]


def test_two_tasks_of_one_name_are_refused(sqlite_rig: Rig) -> None:
    """A message could mean either; the same task twice is fine."""
    sqlite_rig.jobs.include(note)
    with pytest.raises(UsageError, match="two tasks"):
        sqlite_rig.jobs.include(task(name="note")(lambda ctx: None))


def test_a_module_is_included_with_every_task_in_it(sqlite_rig: Rig) -> None:
    """Given itself or by name; anything else is refused."""
    import types

    module = types.ModuleType("shop")
    module.__dict__["more"] = task(name="more")(lambda ctx: None)
    sqlite_rig.jobs.include(module)
    assert "more" in sqlite_rig.jobs.tasks
    with pytest.raises(UsageError, match="include"):
        sqlite_rig.jobs.include(7)

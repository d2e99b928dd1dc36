"""Unique jobs: one at a time for a key, and a key that no crash leaves behind."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from postrmagic_core._retry import RetryPolicy
from postrmagic_core.database import DatabaseManager
from postrmagic_core.jobs import JobQueue, Unique, task
from postrmagic_core.testing import spawn

Rig = Any
HOUR = RetryPolicy(attempts=10, base=3600.0, cap=3600.0)
gate = threading.Event()


class Undone(Exception):
    """Rolls a unit back."""


@task(name="report", retries=1, backoff=HOUR, unique=Unique())
def report(ctx: Any, month: int, fails: bool = False) -> None:
    gate.wait(10)
    if fails:
        raise ValueError


@task(name="other", unique=Unique())
def other(ctx: Any, month: int) -> None: ...


@pytest.fixture(autouse=True)
def closed_gate() -> Iterator[None]:
    gate.clear()
    yield
    gate.set()


@pytest.fixture
def rig(rig: Rig) -> Rig:
    rig.jobs.include(report, other)
    return rig


def test_equal_arguments_are_one_job(rig: Rig) -> None:
    """The second caller is told the first one's; other arguments and other tasks are other jobs."""
    first, again = [rig.jobs.enqueue(report.call(1)) for _ in range(2)]
    assert (again.id, again.existing, first.existing) == (first.id, True, False)
    assert rig.jobs.enqueue(report.call(2)).id != first.id
    assert not rig.jobs.enqueue(other.call(1)).existing
    assert rig.jobs.counts()["default"].queued == 3


def test_a_key_of_one_s_own_takes_the_place_of_the_arguments(rig: Rig) -> None:
    """Each task's own: another task may use the same word."""
    key = Unique("user 7")
    first, again = rig.jobs.enqueue(report.call(1), unique=key), rig.jobs.enqueue(report.call(2), unique=key)
    assert (again.id, again.existing) == (first.id, True)
    assert not rig.jobs.enqueue(other.call(1), unique=key).existing


@pytest.mark.parametrize("end", ["succeeded", "failed", "cancelled", "forgotten"])
def test_until_done_the_key_is_held_whatever_the_job_does(rig: Rig, end: str) -> None:
    """Waiting, running, between two tries; free with its end, whichever way."""
    task_ = task(name="ending", retries=0, unique=Unique())(report.function)
    rig.jobs.include(task_)
    call = task_.call(1, fails=end == "failed")
    first = rig.jobs.enqueue(call)
    if end == "cancelled":
        first.cancel()
    else:
        with rig.jobs.worker(threads=1):
            rig.until(lambda: rig.state(first.id) == "running")
            assert rig.jobs.enqueue(call).id == first.id
            gate.set()
            first.wait()
    if end == "forgotten":
        assert rig.jobs.purge(datetime.now(UTC) + timedelta(minutes=1)) == 1
    second = rig.jobs.enqueue(call)
    assert (second.existing, second.id != first.id) == (False, True)
    assert rig.jobs.enqueue(call).id == second.id


def test_between_two_tries_the_key_is_held(rig: Rig) -> None:
    """The job will come again."""
    gate.set()
    first = rig.jobs.enqueue(report.call(1, fails=True))
    with rig.jobs.worker(threads=1):
        rig.until(lambda: rig.state(first.id) == "retrying")
    assert rig.jobs.enqueue(report.call(1, fails=True)).id == first.id


def test_until_start_the_key_is_free_once_the_job_was_delivered(rig: Rig) -> None:
    """What changed since it began needs another run: one, however many ask."""
    unique = Unique(scope="until_start")
    first = rig.jobs.enqueue(report.call(1), unique=unique)
    assert rig.jobs.enqueue(report.call(1), unique=unique).id == first.id
    with rig.jobs.worker(threads=1):
        rig.until(lambda: rig.state(first.id) == "running")
        second = rig.jobs.enqueue(report.call(1), unique=unique)
        third = rig.jobs.enqueue(report.call(1), unique=unique)
        gate.set()
    assert second.id != first.id
    assert (third.id, third.existing) == (second.id, True)


def test_a_window_is_held_for_its_time_alone(rig: Rig) -> None:
    """Also when its job has long ended, and no longer."""
    gate.set()
    unique = Unique(scope="window", seconds=1.0)
    first = rig.jobs.enqueue(report.call(1), unique=unique)
    with rig.jobs.worker(threads=1):
        first.wait()
        assert rig.jobs.enqueue(report.call(1), unique=unique).id == first.id
        rig.until(lambda: not rig.jobs.enqueue(report.call(1), unique=unique).existing)
    assert (datetime.now(UTC) - first.status().created_at).total_seconds() > 0.9


def test_a_key_is_taken_by_the_unit_that_commits(sql_rig: Rig) -> None:
    """Rolled back it was never taken; a savepoint gives it back too."""
    sql_rig.jobs.include(report)
    with suppress(Undone), sql_rig.db.write() as tx:
        sql_rig.jobs.enqueue(report.call(1), tx=tx)
        raise Undone
    with sql_rig.db.write() as tx:
        with suppress(Undone), tx.savepoint():
            sql_rig.jobs.enqueue(report.call(1), tx=tx)
            raise Undone
        first = sql_rig.jobs.enqueue(report.call(1), tx=tx)
        again = sql_rig.jobs.enqueue(report.call(1), tx=tx)
    assert (first.existing, again.existing, again.id) == (False, True, first.id)
    assert sql_rig.jobs.enqueue(report.call(1)).id == first.id


def enqueue_in_child(database_url: str, broker_url: str, begin: float) -> None:
    """Forty jobs of ten keys, as fast as it goes; prints whose each is."""
    with DatabaseManager(database_url) as db, JobQueue(broker_url, database=db) as jobs:
        jobs.include(other)
        while time.time() < begin:  # imports take unequally long
            time.sleep(0.001)
        for number in range(40):
            print(number % 10, jobs.enqueue(other.call(number % 10)).id, flush=True)  # noqa: T201 - a child speaks so


@pytest.mark.fault
def test_of_two_processes_one_gets_the_key(rig: Rig, place: Any) -> None:
    """Both ask for the same ten keys at once: ten jobs, and everybody is told the same ones."""
    with ExitStack() as stack:
        where = (place.database_url, place.broker_url, time.time() + 2)
        children = [stack.enter_context(spawn(enqueue_in_child, *where)) for _ in range(2)]
        told = [line.partition(" ") for child in children for line in child.lines()]
    assert len(told) == 80
    assert len({key for key, _, _ in told}) == len(set(told)) == 10
    assert rig.jobs.counts()["default"].queued == 10

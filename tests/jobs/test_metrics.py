"""What is counted of jobs: how they ended, for how long they ran and waited, what waits, and who is busy."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from sqlalchemy import text

from postrmagic_core._metrics import Histogram
from postrmagic_core._retry import RetryPolicy
from postrmagic_core.jobs import task
from postrmagic_core.jobs.interface import NewJob

Rig = Any
QUICK = RetryPolicy(attempts=10, base=0.05, cap=0.05)


def ended(rig: Rig) -> dict[tuple[str, str, str], int]:
    """Deliveries by task, queue and how they ended."""
    return {
        (of["task"], of["queue"], of["outcome"]): number
        for name, labels, number in rig.jobs.metrics.counters()
        if name == "jobs_processed_total" and (of := dict(labels))
    }


def found(rig: Rig, name: str) -> dict[str, Histogram]:
    """The histograms of that name, by queue."""
    return {dict(labels)["queue"]: each for known, labels, each in rig.jobs.metrics.histograms() if known == name}


def shared(rig: Rig) -> dict[tuple[str, ...], float]:
    """What every process would tell alike, by name and labels' values."""
    return {(name, *(value for _, value in labels)): value for name, labels, value in rig.jobs.metrics.shared()}


def test_each_delivery_counts_as_what_became_of_it(rig: Rig) -> None:
    """Succeeded, tried again, given up; and for how long it ran and, first, waited."""

    @task(name="fine", queue="q")
    def fine(ctx: Any) -> None:
        pass

    @task(name="hopeless", queue="q", retries=1, backoff=QUICK)
    def hopeless(ctx: Any) -> None:
        raise ValueError

    rig.jobs.include(fine, hopeless)
    rig.work()
    done, lost = rig.jobs.enqueue(fine.call()), rig.jobs.enqueue(hopeless.call())
    rig.ends(done.id)
    rig.ends(lost.id)
    expected = {("fine", "q", "succeeded"): 1, ("hopeless", "q", "retrying"): 1, ("hopeless", "q", "failed"): 1}
    assert ended(rig) == expected
    durations = [each for name, _, each in rig.jobs.metrics.histograms() if name == "jobs_duration_seconds"]
    assert sum(each.count for each in durations) == 3
    waits = found(rig, "jobs_wait_seconds")["q"]
    assert waits.count == 3
    assert 0 <= waits.sum < 60


def test_a_delay_is_no_waiting_and_a_backlog_is(rig: Rig) -> None:
    """From when a job was due, by the broker's clock, until a thread began it: behind one that takes long."""
    gate = threading.Event()

    @task(name="slow", queue="slow")
    def slow(ctx: Any) -> None:
        gate.wait(20)

    @task(name="late", queue="late")
    def late(ctx: Any) -> None:
        pass

    rig.jobs.include(slow, late)
    first = rig.jobs.enqueue(slow.call())
    delayed = rig.jobs.enqueue(late.call(), delay=1.0)
    behind = rig.jobs.enqueue(slow.call())
    rig.work(threads=1)
    rig.until(lambda: dict(_gauges(rig)).get("jobs_in_flight") == 1)
    assert dict(_gauges(rig))["jobs_threads"] == 1
    timer = threading.Timer(1.5, gate.set)
    timer.start()
    for job in (first, delayed, behind):
        rig.ends(job.id)
    timer.join()
    assert found(rig, "jobs_wait_seconds")["slow"].sum >= 1.4
    # Due after a second, begun after a second and a half: it waited for the rest.
    assert 0.3 <= found(rig, "jobs_wait_seconds")["late"].sum < 10
    rig.until(lambda: dict(_gauges(rig)).get("jobs_in_flight") == 0)


def _gauges(rig: Rig) -> list[tuple[str, float]]:
    return [(name, value) for name, labels, value in rig.jobs.metrics.gauges() if not labels]


def test_queues_tell_what_waits_and_since_when(rig: Rig) -> None:
    """Depth by state, and how long ago the first was due; of a queue with nothing in it 0."""

    @task(name="fine", queue="q")
    def fine(ctx: Any) -> None:
        pass

    @task(name="empty", queue="empty")
    def empty(ctx: Any) -> None:
        pass

    rig.jobs.include(fine, empty)
    rig.jobs.enqueue(fine.call())
    rig.jobs.enqueue(fine.call(), delay=3600)
    rig.until(lambda: shared(rig).get(("jobs_oldest_due_seconds", "q"), 0) > 0.2)
    told = shared(rig)
    assert {state: told["jobs_queue_depth", "q", state] for state in ("queued", "later", "running", "dead")} == {
        "queued": 1,
        "later": 1,
        "running": 0,
        "dead": 0,
    }
    assert told["jobs_oldest_due_seconds", "q"] < 60
    assert told["jobs_queue_depth", "empty", "queued"] == told["jobs_oldest_due_seconds", "empty"] == 0


def test_names_that_others_chose_make_no_series(sqlite_rig: Rig) -> None:
    """Whoever can write into the broker could invent as many tasks as they like: they are one."""

    @task(name="fine", queue="q")
    def fine(ctx: Any) -> None:
        pass

    sqlite_rig.jobs.include(fine)
    jobs = [NewJob(f"job-{number}", "q", f"invented-{number}", 0, b"") for number in range(5)]
    sqlite_rig.jobs.adapter.put(jobs)
    sqlite_rig.work()
    for job in jobs:
        sqlite_rig.ends(job.id)
    assert ended(sqlite_rig) == {("unknown", "q", "dead"): 5}


def test_a_worker_that_is_closed_tells_nothing(sqlite_rig: Rig) -> None:
    """And neither does a queue."""

    @task(name="fine", queue="q")
    def fine(ctx: Any) -> None:
        pass

    sqlite_rig.jobs.include(fine)
    worker = sqlite_rig.work()
    assert ("jobs_threads", 2) in _gauges(sqlite_rig)
    worker.close()
    assert _gauges(sqlite_rig) == []
    sqlite_rig.jobs.close()
    assert shared(sqlite_rig) == {}


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
def test_what_was_abandoned_waited_for_nobody_knows_how_long(rig: Rig) -> None:
    """A delivery whose worker was lost tells no waiting: it was due all the time."""

    @task(name="fine", queue="q")
    def fine(ctx: Any) -> None:
        pass

    rig.jobs.include(fine)
    job = rig.jobs.enqueue(fine.call())
    with rig.db.write() as tx:
        tx.execute(text("UPDATE pm_jobs SET state = 'running', due_us = 1, deliveries = 1, fence = 1"))
    rig.work()
    rig.ends(job.id)
    assert found(rig, "jobs_wait_seconds") == {}
    assert ended(rig) == {("fine", "q", "succeeded"): 1}

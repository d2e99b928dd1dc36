"""Running jobs: tries, limits, contexts, and what nobody can run."""

from __future__ import annotations

import logging
import os
import threading
import time
from functools import partial
from typing import Any

import pytest
from sqlalchemy import select, update

from postrmagic_core._codec import encode
from postrmagic_core._ids import uuid7
from postrmagic_core._retry import RetryPolicy
from postrmagic_core._work import current_work
from postrmagic_core.errors import JobFailed, UsageError
from postrmagic_core.jobs import policy, task
from postrmagic_core.jobs import worker as worker_module
from postrmagic_core.jobs.interface import NewJob
from postrmagic_core.jobs.tables import workers as rows
from postrmagic_core.jobs.worker import Worker
from postrmagic_core.jobs.workers import Registration

Rig = Any
QUICK = RetryPolicy(attempts=10, base=0.05, cap=0.05)


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.DEBUG)
    return caplog


@pytest.fixture
def fetching_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short jobs are fetched ahead, however slow the machine is that runs them."""
    monkeypatch.setattr(policy, "appetite", lambda threads, mean: 4 if mean is not None and mean < 0.5 else 0)


def test_a_failed_job_is_tried_again_until_it_succeeds(rig: Rig) -> None:
    """Two failures, then success: three attempts, one result."""

    @task(name="flaky", retries=3, backoff=QUICK)
    def flaky(ctx: Any) -> int:
        if ctx.attempt < 3:
            raise ValueError("not yet")
        return int(ctx.attempt)

    rig.jobs.include(flaky)
    rig.work()
    job = rig.jobs.enqueue(flaky.call())
    assert rig.jobs.result(job.id) == 3
    assert rig.jobs.status(job.id).attempts == 3


def test_a_job_is_the_work_that_everything_beneath_it_is_done_for(sqlite_rig: Rig) -> None:
    """Named by its task and id, so that a held connection or a repeated statement is told of it."""

    @task(name="named")
    def named(ctx: Any) -> str:
        return str(current_work())

    sqlite_rig.jobs.include(named)
    sqlite_rig.work()
    job = sqlite_rig.jobs.enqueue(named.call())
    assert sqlite_rig.jobs.result(job.id) == f"job named {job.id}"


def test_after_its_tries_it_is_a_dead_letter(sqlite_rig: Rig) -> None:
    """retries=2: three attempts and no more."""
    starts = []

    @task(name="hopeless", retries=2, backoff=QUICK)
    def hopeless(ctx: Any) -> None:
        starts.append(ctx.attempt)
        raise ValueError

    sqlite_rig.jobs.include(hopeless)
    sqlite_rig.work()
    assert sqlite_rig.ends(sqlite_rig.jobs.enqueue(hopeless.call()).id) == "failed"
    assert starts == [1, 2, 3]


def test_a_retry_waits_in_the_database(sqlite_rig: Rig) -> None:
    """Not in the worker's memory: the row says when it is due."""

    @task(name="slow_retry", retries=1, backoff=RetryPolicy(attempts=2, base=3600.0, cap=3600.0))
    def slow_retry(ctx: Any) -> None:
        raise ValueError

    sqlite_rig.jobs.include(slow_retry)
    sqlite_rig.work()
    job = sqlite_rig.jobs.enqueue(slow_retry.call())
    sqlite_rig.until(lambda: sqlite_rig.jobs.status(job.id).error is not None)
    assert sqlite_rig.state(job.id) == "retrying"
    assert sqlite_rig.jobs.status(job.id).due_at > sqlite_rig.jobs.status(job.id).created_at


def test_a_job_that_overstays_is_interrupted(sqlite_rig: Rig) -> None:
    """And the thread goes on to the next job unharmed."""

    @task(name="endless", retries=0, time_limit=0.3)
    def endless(ctx: Any) -> None:
        while True:
            time.sleep(0.01)

    @task(name="fine")
    def fine(ctx: Any) -> int:
        return 1

    sqlite_rig.jobs.include(endless, fine)
    sqlite_rig.work(threads=1)
    over = sqlite_rig.jobs.enqueue(endless.call())
    after = sqlite_rig.jobs.enqueue(fine.call())
    assert sqlite_rig.ends(over.id) == "failed"
    assert "TimeLimitExceeded" in sqlite_rig.jobs.status(over.id).error
    assert sqlite_rig.jobs.result(after.id) == 1


@pytest.mark.parametrize("end", [SystemExit(1), KeyboardInterrupt()])
def test_a_job_cannot_end_its_thread(sqlite_rig: Rig, end: BaseException) -> None:
    """sys.exit() in a job is a failure of the job."""

    @task(name="leaver", retries=0)
    def leaver(ctx: Any) -> None:
        raise end

    @task(name="fine")
    def fine(ctx: Any) -> int:
        return 1

    sqlite_rig.jobs.include(leaver, fine)
    sqlite_rig.work(threads=1)
    assert sqlite_rig.ends(sqlite_rig.jobs.enqueue(leaver.call()).id) == "failed"
    assert sqlite_rig.jobs.result(sqlite_rig.jobs.enqueue(fine.call()).id) == 1


def test_what_nobody_can_run_is_a_dead_letter_and_the_worker_goes_on(rig: Rig) -> None:
    """An unknown task, bytes that are no arguments, arguments that do not fit: three reasons."""

    @task(name="fine")
    def fine(ctx: Any, number: int) -> int:
        return number

    @task(name="unknown")
    def unknown(ctx: Any) -> None: ...

    rig.jobs.include(fine)
    payloads = (b"\xc1", encode({"number": "seven"}), encode({"nombre": 7}))
    broken = [NewJob(str(uuid7()), "default", "unknown", 3, unknown.call().payload)]
    broken += [NewJob(str(uuid7()), "default", "fine", 3, payload) for payload in payloads]
    rig.jobs.adapter.put(broken)
    rig.work()
    ends = [rig.ends(job.id) for job in broken]
    assert ends == ["dead: unknown_task", "dead: undecodable", "dead: invalid", "dead: invalid"]
    assert rig.jobs.result(rig.jobs.enqueue(fine.call(7)).id) == 7


def test_a_result_that_cannot_be_stored_does_not_run_the_job_again(sqlite_rig: Rig) -> None:
    """The job is done; asking for its result says why there is none."""

    @task(name="odd")
    def odd(ctx: Any) -> object:
        return object()

    sqlite_rig.jobs.include(odd)
    sqlite_rig.work()
    job = sqlite_rig.jobs.enqueue(odd.call())
    assert sqlite_rig.ends(job.id) == "succeeded"
    assert sqlite_rig.jobs.status(job.id).attempts == 1
    with pytest.raises(JobFailed, match="stored"):
        sqlite_rig.jobs.result(job.id)


def test_arguments_reach_no_log(rig: Rig, logged: pytest.LogCaptureFixture) -> None:
    """At no level, of a job that fails and of one that does not."""

    @task(name="secretive", retries=1, backoff=QUICK)
    def secretive(ctx: Any, password: str) -> None:
        if ctx.attempt == 1:
            raise ValueError

    rig.jobs.include(secretive)
    rig.work()
    rig.ends(rig.jobs.enqueue(secretive.call("canary-7f3a")).id)
    assert logged.records
    assert "canary-7f3a" not in logged.text


@pytest.mark.usefixtures("fetching_ahead")
def test_a_closing_worker_ends_what_runs_and_hands_back_what_does_not(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was fetched and never begun waits again at once, and no delivery is counted."""
    started, gate, seen = threading.Event(), threading.Event(), []
    monkeypatch.setattr(worker_module, "_PATIENCE", 60.0)

    @task(name="short")
    def short(ctx: Any) -> None:
        seen.append(ctx.attempt)

    @task(name="long")
    def long(ctx: Any) -> None:
        started.set()
        gate.wait(10)

    rig.jobs.include(short, long)
    with rig.jobs.worker(threads=1):
        rig.jobs.enqueue_many([short.call() for _ in range(50)])
        rig.until(lambda: len(seen) == 50)
        running, *behind = rig.jobs.enqueue_many([long.call(), *(short.call() for _ in range(3))])
        assert started.wait(20)
        rig.until(lambda: rig.jobs.counts()["default"].running == 4)
        threading.Timer(0.2, gate.set).start()
    assert rig.state(running.id) == "succeeded"
    assert [rig.state(job.id) for job in behind] == ["queued"] * 3
    assert [job.status().attempts for job in behind] == [0, 0, 0]


def test_a_closing_worker_waits_only_so_long(rig: Rig) -> None:
    """What still runs after its grace stays leased, and is delivered again when the lease ends."""
    started, gate = threading.Event(), threading.Event()

    @task(name="stubborn")
    def stubborn(ctx: Any) -> None:
        started.set()
        gate.wait(10)

    rig.jobs.include(stubborn)
    with rig.jobs.worker(threads=1, grace=0.1):
        job = rig.jobs.enqueue(stubborn.call())
        assert started.wait(10)
        began = time.monotonic()
    assert time.monotonic() - began < 8
    assert rig.state(job.id) == "running"
    gate.set()


def test_a_worker_takes_only_the_queues_it_was_given(sqlite_rig: Rig) -> None:
    """The other queue waits for another worker."""

    @task(name="here", queue="here")
    def here(ctx: Any) -> int:
        return 1

    @task(name="there", queue="there")
    def there(ctx: Any) -> None: ...

    sqlite_rig.jobs.include(here, there)
    other = sqlite_rig.jobs.enqueue(there.call())
    sqlite_rig.work(queues=["here"])
    assert sqlite_rig.jobs.result(sqlite_rig.jobs.enqueue(here.call()).id) == 1
    assert sqlite_rig.state(other.id) == "queued"


def test_a_worker_without_tasks_is_refused(sqlite_rig: Rig) -> None:
    """It would run for ever and do nothing."""
    with pytest.raises(UsageError, match="include"), sqlite_rig.jobs.worker():
        pass


def test_a_worker_is_listed_while_it_lives(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who it is and what it does, told every few seconds; closed it is gone at once."""
    gate = threading.Event()

    @task(name="gated", queue="mail")
    def gated(ctx: Any) -> None:
        gate.wait(10)

    monkeypatch.setattr(worker_module, "_HEARTBEAT", 0.1)
    rig.jobs.include(gated)
    assert rig.jobs.workers() == []
    with rig.jobs.worker(threads=3) as worker:
        rig.jobs.enqueue(gated.call())
        rig.until(lambda: [each.running for each in rig.jobs.workers()] == [1])
        (info,) = rig.jobs.workers()
        assert (info.id, info.pid, info.queues, info.threads) == (worker.id, os.getpid(), ("mail",), 3)
        assert info.rss > 1_000_000
        assert info.started_at <= info.last_seen_at
        gate.set()
    assert rig.jobs.workers() == []


def test_a_worker_that_is_heard_of_no_more_is_not_listed(sql_rig: Rig) -> None:
    """After a minute; who starts next removes its row, and if it lives all the same it tells of itself anew."""

    def registration(worker_id: str) -> Registration:
        return Registration(sql_rig.db, worker_id, queues=["mail"], threads=1, port=None, running=lambda: 0)

    with registration("old") as old:
        assert [each.id for each in sql_rig.jobs.workers()] == ["old"]
        with sql_rig.db.write() as tx:
            tx.execute(update(rows).values(seen_us=rows.c.seen_us - 61_000_000))
        assert sql_rig.jobs.workers() == []
        with registration("new"):
            with sql_rig.db.read() as tx:
                assert tx.scalars(select(rows.c.id)).all() == ["new"]
            old.beat()
            assert {each.id for each in sql_rig.jobs.workers()} == {"old", "new"}
    assert sql_rig.jobs.workers() == []


def test_a_worker_says_when_its_process_has_grown_too_big(sqlite_rig: Rig) -> None:
    """A process always has a few megabytes, and never a million gigabytes."""
    assert sqlite_rig.jobs.worker(max_memory_mib=1).spent
    assert not sqlite_rig.jobs.worker(max_memory_mib=10**9).spent
    assert not sqlite_rig.jobs.worker().spent


def test_a_worker_without_memory_is_refused(sqlite_rig: Rig) -> None:
    """None is no bound; less than a mebibyte would replace a process after each job, for ever."""
    for worker in (sqlite_rig.jobs.worker, sqlite_rig.jobs.aio.worker, partial(Worker, sqlite_rig.jobs)):
        for wrong in (0, -1):
            with pytest.raises(ValueError, match=f"at least 1 MiB.*got {wrong}"):
                worker(max_memory_mib=wrong)


@pytest.mark.usefixtures("fetching_ahead")
def test_what_waits_in_a_busy_process_goes_back(rig: Rig) -> None:
    """Fetched ahead because jobs were short, held up by a long one: after a second others may have it."""
    started, gate, seen = threading.Event(), threading.Event(), []

    @task(name="short")
    def short(ctx: Any) -> None:
        seen.append(ctx.attempt)

    @task(name="long")
    def long(ctx: Any) -> None:
        started.set()
        gate.wait(20)

    rig.jobs.include(short, long)
    rig.work(threads=1)
    rig.jobs.enqueue_many([short.call() for _ in range(50)])
    rig.until(lambda: len(seen) == 50)
    held_up, *behind = rig.jobs.enqueue_many([long.call(), *(short.call() for _ in range(3))])
    assert started.wait(20)
    rig.until(lambda: all((job.status().state, job.status().attempts) == ("queued", 0) for job in behind))
    rig.work(threads=1)
    assert [rig.ends(job.id) for job in behind] == ["succeeded"] * 3
    assert rig.state(held_up.id) == "running"
    gate.set()
    assert set(seen) == {1}


def test_workers_leave_no_thread_behind(sqlite_rig: Rig) -> None:
    """Three workers opened and closed, after a first one that had the database start what it keeps."""

    @task(name="fine")
    def fine(ctx: Any) -> None: ...

    sqlite_rig.jobs.include(fine)
    with sqlite_rig.jobs.worker(threads=2):
        pass
    before = threading.active_count()
    for _ in range(3):
        with sqlite_rig.jobs.worker(threads=2):
            pass
    assert threading.active_count() <= before

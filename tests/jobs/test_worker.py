"""Running jobs: tries, limits, contexts, and what nobody can run."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import text, update

from postrmagic_core._codec import encode
from postrmagic_core._retry import RetryPolicy
from postrmagic_core._work import current_work
from postrmagic_core.errors import JobFailed, UsageError
from postrmagic_core.jobs import task
from postrmagic_core.jobs.tables import jobs as rows

Rig = Any
QUICK = RetryPolicy(attempts=10, base=0.05, cap=0.05)


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.DEBUG)
    return caplog


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
    assert sqlite_rig.ends(sqlite_rig.jobs.enqueue(hopeless.call()).id) == "dead: failed"
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
    assert sqlite_rig.state(job.id) == "waiting"
    assert sqlite_rig.jobs.status(job.id).due > sqlite_rig.jobs.status(job.id).created


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
    assert sqlite_rig.ends(over.id) == "dead: failed"
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
    assert sqlite_rig.ends(sqlite_rig.jobs.enqueue(leaver.call()).id) == "dead: failed"
    assert sqlite_rig.jobs.result(sqlite_rig.jobs.enqueue(fine.call()).id) == 1


def test_what_nobody_can_run_is_a_dead_letter_and_the_worker_goes_on(rig: Rig) -> None:
    """An unknown task, bytes that are no arguments, arguments that do not fit: three reasons."""

    @task(name="fine")
    def fine(ctx: Any, number: int) -> int:
        return number

    @task(name="unknown")
    def unknown(ctx: Any) -> None: ...

    rig.jobs.include(fine)
    broken = [rig.jobs.enqueue(unknown.call(), delay=0.5)]
    for payload in (b"\xc1", encode({"number": "seven"}), encode({"nombre": 7})):
        broken.append(rig.jobs.enqueue(fine.call(1), delay=0.5))
        with rig.db.write() as tx:
            tx.execute(update(rows).where(rows.c.id == broken[-1].id).values(payload=payload))
    rig.work()
    ends = [rig.ends(job.id) for job in broken]
    assert ends == ["dead: unknown_task", "dead: undecodable", "dead: invalid", "dead: invalid"]
    assert rig.jobs.result(rig.jobs.enqueue(fine.call(7)).id) == 7


def test_an_effect_in_the_context_s_unit_happens_once(rig: Rig) -> None:
    """The try after the commit fails, so the job runs again: the unit refuses, and that counts as success."""
    starts = []

    @task(name="half", retries=3, backoff=QUICK)
    def half(ctx: Any) -> None:
        starts.append(ctx.attempt)
        with ctx.write() as tx:
            rig.effect(tx, "once")
        raise ValueError("after the commit")

    rig.jobs.include(half)
    rig.work()
    assert rig.ends(rig.jobs.enqueue(half.call()).id) == "done"
    assert starts == [1, 2]
    assert rig.effects() == ["once"]


def test_a_second_unit_in_one_delivery_is_refused(sqlite_rig: Rig) -> None:
    """After a crash between the two nobody could tell which was done."""

    @task(name="twice", retries=0)
    def twice(ctx: Any) -> None:
        with ctx.write():
            pass
        with pytest.raises(UsageError, match="twice"), ctx.write():
            pass

    sqlite_rig.jobs.include(twice)
    sqlite_rig.work()
    assert sqlite_rig.ends(sqlite_rig.jobs.enqueue(twice.call()).id) == "done"


def test_a_unit_that_rolled_back_may_be_tried_again(sqlite_rig: Rig) -> None:
    """Its mark was rolled back with it."""

    @task(name="second", retries=2, backoff=QUICK)
    def second(ctx: Any) -> None:
        with ctx.write() as tx:
            sqlite_rig.effect(tx, f"try {ctx.attempt}")
            if ctx.attempt == 1:
                raise ValueError

    sqlite_rig.jobs.include(second)
    sqlite_rig.work()
    assert sqlite_rig.ends(sqlite_rig.jobs.enqueue(second.call()).id) == "done"
    assert sqlite_rig.effects() == ["try 2"]


def test_the_context_says_who_it_is_and_offers_the_services(sqlite_rig: Rig) -> None:
    """A name that was not given is an error that lists those that were."""
    seen: dict[str, Any] = {}

    @task(name="curious", queue="special")
    def curious(ctx: Any) -> None:
        seen.update(ctx.fields)
        seen["mailer"] = ctx.mailer
        with ctx.read() as tx:
            seen["one"] = tx.scalar(text("SELECT 1"))
        with ctx.write() as tx:
            seen["next"] = ctx.jobs.enqueue(curious.call(), tx=tx, delay=3600).id
        with pytest.raises(AttributeError, match="mailer"):
            _ = ctx.printer

    sqlite_rig.services["mailer"] = "the mailer"
    sqlite_rig.jobs.include(curious)
    sqlite_rig.work()
    job = sqlite_rig.jobs.enqueue(curious.call())
    assert sqlite_rig.ends(job.id) == "done"
    assert sqlite_rig.state(seen.pop("next")) == "waiting"
    assert seen == {
        "job_id": job.id,
        "task": "curious",
        "queue": "special",
        "attempt": 1,
        "mailer": "the mailer",
        "one": 1,
    }


def test_something_may_be_put_around_every_job(sqlite_rig: Rig) -> None:
    """To bind log fields or a trace; each job has a context of variables of its own."""
    seen = []

    @contextmanager
    def around(ctx: Any) -> Iterator[None]:
        seen.append(f"before {ctx.task}")
        yield
        seen.append("after")

    @task(name="inner")
    def inner(ctx: Any) -> None:
        seen.append("inner")

    sqlite_rig.jobs.include(inner)
    sqlite_rig.work(around=around)
    sqlite_rig.ends(sqlite_rig.jobs.enqueue(inner.call()).id)
    assert seen == ["before inner", "inner", "after"]


def test_a_result_that_cannot_be_stored_does_not_run_the_job_again(sqlite_rig: Rig) -> None:
    """The job is done; asking for its result says why there is none."""

    @task(name="odd")
    def odd(ctx: Any) -> object:
        return object()

    sqlite_rig.jobs.include(odd)
    sqlite_rig.work()
    job = sqlite_rig.jobs.enqueue(odd.call())
    assert sqlite_rig.ends(job.id) == "done"
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


def test_a_closing_worker_ends_what_runs_and_hands_back_what_does_not(rig: Rig) -> None:
    """The second job was never started: it waits, and no delivery is counted."""
    started, may_end = threading.Event(), threading.Event()

    @task(name="long")
    def long(ctx: Any) -> None:
        started.set()
        may_end.wait(10)

    rig.jobs.include(long)
    with rig.jobs.worker(threads=1):
        first = rig.jobs.enqueue(long.call())
        assert started.wait(10)
        second = rig.jobs.enqueue(long.call())
        threading.Timer(0.2, may_end.set).start()
    assert rig.state(first.id) == "done"
    assert rig.state(second.id) == "waiting"
    assert rig.jobs.status(second.id).attempts == 0


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
    assert sqlite_rig.state(other.id) == "waiting"


def test_a_worker_without_tasks_is_refused(sqlite_rig: Rig) -> None:
    """It would run for ever and do nothing."""
    with pytest.raises(UsageError, match="include"), sqlite_rig.jobs.worker():
        pass


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

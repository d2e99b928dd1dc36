"""A job's context: who it is, what it carries, its services, and the unit whose effect happens once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import text

from postrmagic_core._ids import uuid7
from postrmagic_core._retry import RetryPolicy
from postrmagic_core.errors import UsageError
from postrmagic_core.jobs import task
from postrmagic_core.jobs.interface import NewJob
from postrmagic_core.log import bind, carried

Rig = Any
QUICK = RetryPolicy(attempts=10, base=0.05, cap=0.05)


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
    assert rig.ends(rig.jobs.enqueue(half.call()).id) == "succeeded"
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
    assert sqlite_rig.ends(sqlite_rig.jobs.enqueue(twice.call()).id) == "succeeded"


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
    assert sqlite_rig.ends(sqlite_rig.jobs.enqueue(second.call()).id) == "succeeded"
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
    assert sqlite_rig.ends(job.id) == "succeeded"
    assert sqlite_rig.state(seen.pop("next")) == "queued"
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


def test_what_the_context_holds_where_a_job_is_enqueued_arrives_with_it(rig: Rig) -> None:
    """Also with a job that this job enqueues, in its unit or after a delay; nothing where nothing was bound."""
    seen: dict[str, Any] = {}

    @task(name="inner")
    def inner(ctx: Any, name: str) -> None:
        seen[name] = ctx.carried

    @task(name="outer")
    def outer(ctx: Any) -> None:
        with ctx.write() as tx:
            ctx.jobs.enqueue(inner.call("in the unit"), tx=tx)
        ctx.jobs.enqueue(inner.call("later"), delay=0.05)

    rig.jobs.include(inner, outer)
    rig.jobs.carry = carried
    rig.work(around=lambda ctx: bind(**ctx.fields))
    rig.jobs.enqueue(inner.call("bare")).wait()
    with bind(request_id="r-7", user="ada", size=7):
        rig.jobs.enqueue(outer.call()).wait()
    rig.until(lambda: len(seen) == 3)
    assert seen["bare"] == {}
    for name in ("in the unit", "later"):
        assert (seen[name]["request_id"], seen[name]["user"]) == ("r-7", "ada")
        assert "size" not in seen[name]  # texts only


def test_log_lines_of_a_job_say_where_it_was_asked_for(sqlite_rig: Rig) -> None:
    """The fields it carries and its own, which win: a job enqueued by another is not taken for that one."""
    fields: list[dict[str, Any]] = []

    @task(name="inner")
    def inner(ctx: Any) -> None:
        fields.append(ctx.fields)

    @task(name="outer")
    def outer(ctx: Any) -> str:
        return str(ctx.jobs.enqueue(inner.call()).id)

    sqlite_rig.jobs.include(inner, outer)
    sqlite_rig.jobs.carry = carried
    sqlite_rig.work(around=lambda ctx: bind(**ctx.fields))
    with bind(request_id="r-7"):
        inner_id = sqlite_rig.jobs.enqueue(outer.call()).result()
    sqlite_rig.jobs.wait(inner_id)
    told = {"request_id": "r-7", "job_id": inner_id, "task": "inner", "queue": "default", "attempt": 1}
    assert fields == [told]


@pytest.mark.parametrize("headers", [b"\xc1", b"\x93\x01\x02\x03"])
def test_a_job_runs_without_what_it_carries_if_that_cannot_be_read(sqlite_rig: Rig, headers: bytes) -> None:
    """It is no part of what the job does."""
    seen = []

    @task(name="plain")
    def plain(ctx: Any) -> None:
        seen.append(ctx.carried)

    sqlite_rig.jobs.include(plain)
    job = NewJob(str(uuid7()), "default", "plain", 0, plain.call().payload, headers=headers)
    sqlite_rig.jobs.adapter.put([job])
    sqlite_rig.work()
    assert sqlite_rig.ends(job.id) == "succeeded"
    assert seen == [{}]

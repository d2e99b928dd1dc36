"""Redis as the broker: the ledger in the database makes up for what a message queue loses, repeats or garbles."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import redis
from sqlalchemy import update

from postrmagic_core.errors import BackendUnavailable
from postrmagic_core.jobs import JobQueue, ledger, task
from postrmagic_core.jobs.interface import Claim
from postrmagic_core.jobs.sqltime import now_us
from postrmagic_core.jobs.tables import jobs as rows

pytestmark = pytest.mark.redis

Rig = Any
starts: list[str] = []


@task(name="counted", retries=1)
def counted(ctx: Any) -> int:
    starts.append(ctx.job_id)
    return int(ctx.attempt)


@pytest.fixture
def rig(make_rig: Callable[..., Rig], redis_place: Any) -> Rig:
    starts.clear()
    made = make_rig(redis_place, lease=1.0)
    made.jobs.include(counted)
    return made


@pytest.fixture
def server(redis_url: str) -> redis.Redis:
    return redis.Redis.from_url(redis_url)


def queued(server: redis.Redis) -> int:
    return int(server.llen("app:default"))


def test_a_message_sent_twice_runs_once(rig: Rig) -> None:
    """A relay that dies before it marks the row sends again: the ledger refuses the repeat."""
    job = rig.jobs.enqueue(counted.call())
    for _ in range(3):
        rig.jobs.adapter.send(job.id, "default", "counted")
    rig.work(threads=4)
    assert rig.jobs.result(job.id) == 1
    last = rig.jobs.enqueue(counted.call())
    assert rig.jobs.result(last.id) == 1
    assert starts == [job.id, last.id]


def test_garbage_in_the_queue_is_passed_over(rig: Rig, server: redis.Redis) -> None:
    """Bytes that are no message, a message of nobody, and one that lies about its task: the worker goes on."""
    lie = {"queue_name": "elsewhere", "actor_name": "other", "args": [], "kwargs": {}, "message_timestamp": 1}
    for number, (message_id, data) in enumerate([("x", b"\xff"), ([1], None), ("unknown", None)]):
        options = {"redis_message_id": str(number)}
        body = data or json.dumps({**lie, "options": options, "message_id": message_id}).encode()
        server.hset("app:default.msgs", str(number), body)
        server.rpush("app:default", str(number))
    rig.work()
    job = rig.jobs.enqueue(counted.call())
    rig.jobs.adapter.send(job.id, "default", "no such task")
    assert rig.jobs.result(job.id) == 1


def test_messages_that_redis_lost_are_sent_again(
    rig: Rig, server: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redis forgot everything: what has been due for long is sent anew from its row."""
    monkeypatch.setattr(ledger, "_UNHEARD_US", 200_000)
    job = rig.jobs.enqueue(counted.call())
    rig.until(lambda: queued(server) == 1)
    server.flushdb()
    rig.work()
    assert rig.jobs.result(job.id) == 1


def vanish(rig: Rig, job_id: str) -> Claim:
    """A worker claims the job and is never heard of again."""
    claim = rig.jobs.ledger.claim_one(job_id, "gone")
    with rig.db.write() as tx:
        tx.execute(update(rows).where(rows.c.id == job_id).values(due_us=now_us() - 1))
    assert claim is not None
    return claim  # type: ignore[no-any-return]  # the rig is untyped here


def test_what_a_vanished_worker_held_is_sent_again_then_buried(rig: Rig) -> None:
    """retries=1: two deliveries vanish, and the third is not made."""
    job = rig.jobs.enqueue(counted.call())
    sent: list[tuple[str, str, str]] = []

    def reap() -> None:
        rig.jobs.ledger.reap(lambda *message: sent.append(message))

    first = vanish(rig, job.id)
    reap()
    assert sent == [(job.id, "default", "counted")]
    second = vanish(rig, job.id)
    assert (first.attempt, second.attempt) == (1, 2)
    reap()
    assert rig.state(job.id) == "dead: poison"
    assert len(sent) == 1


def test_an_unreachable_redis_is_an_error_in_bounded_time(sqlite_place: Any) -> None:
    """Typed, so that the relay keeps the row; enqueueing itself needs only the database."""
    from postrmagic_core.database import DatabaseManager
    from postrmagic_core.testing.servers import free_port

    url = f"redis://127.0.0.1:{free_port()}/0"
    with DatabaseManager(sqlite_place.database_url) as db, JobQueue(url, database=db) as jobs:
        jobs.include(counted)
        job = jobs.enqueue(counted.call())
        with pytest.raises(BackendUnavailable):
            jobs.adapter.send(job.id, "default", "counted")
        relay = db.relay({"jobs": jobs.deliver})
        assert relay.run_once() == 0
        assert relay.outbox_counts()["jobs"].waiting == 1


def test_a_namespace_that_redis_would_read_as_a_pattern_is_refused(sqlite_rig: Rig) -> None:
    """With app[1] dramatiq's recovery lost a job for good."""
    with pytest.raises(ValueError, match="namespace"):
        JobQueue("redis://localhost/0", database=sqlite_rig.db, namespace="app[1]")

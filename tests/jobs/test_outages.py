"""The database or Redis goes away under a worker and comes back: it goes on by itself."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from postrmagic_core.jobs import task
from postrmagic_core.testing.servers import MariaDBServer, RedisServer

pytestmark = pytest.mark.fault

Rig = Any
started, may_end = threading.Event(), threading.Event()


@task(name="held", retries=5)
def held(ctx: Any) -> int:
    started.set()
    may_end.wait(20)
    return int(ctx.attempt)


@task(name="plain")
def plain(ctx: Any) -> int:
    return 1


@pytest.fixture(autouse=True)
def reset() -> None:
    started.clear()
    may_end.clear()


@pytest.mark.mysql
def test_a_worker_outlives_its_database(
    make_rig: Callable[..., Rig], own_mariadb_server: Callable[..., MariaDBServer], sqlite_place: Any
) -> None:
    """kill -9 while a job runs; back again, its end is recorded once, and further jobs run."""
    server = own_mariadb_server()
    url = server.create_database()
    place = type(sqlite_place)(url, url)
    rig = make_rig(place)
    rig.db.upgrade()
    rig.jobs.include(held, plain)
    rig.work()
    job = rig.jobs.enqueue(held.call())
    assert started.wait(10)
    server.kill()
    may_end.set()
    server.start()
    assert rig.jobs.result(job.id, timeout=30) == 1
    assert rig.jobs.result(rig.jobs.enqueue(plain.call()).id, timeout=30) == 1


@pytest.mark.redis
def test_a_worker_outlives_its_redis(
    make_rig: Callable[..., Rig], own_redis_server: Callable[..., RedisServer], sqlite_place: Any
) -> None:
    """kill -9 while a job runs: its end is recorded in the database, and further jobs run."""
    server = own_redis_server()
    place = type(sqlite_place)(sqlite_place.database_url, server.url)
    rig = make_rig(place)
    rig.jobs.include(held, plain)
    rig.work()
    job = rig.jobs.enqueue(held.call())
    assert started.wait(10)
    server.kill()
    may_end.set()
    assert rig.jobs.result(job.id, timeout=30) == 1
    late = rig.jobs.enqueue(plain.call())
    server.start()
    assert rig.jobs.result(late.id, timeout=30) == 1

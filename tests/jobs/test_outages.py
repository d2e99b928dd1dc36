"""The database or Redis goes away under a worker and comes back: it goes on by itself."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from postrmagic_core.errors import BackendError
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


def answers(rig: Rig) -> bool:
    """Whether this process asks the broker again: for a moment after many failures nobody does."""
    with suppress(BackendError):
        rig.jobs.counts()
        return True
    return False


def outlive(rig: Rig, server: MariaDBServer | RedisServer) -> None:
    """kill -9 while a job runs and another waits: back again, both have run once; who asked meanwhile got an error."""
    rig.jobs.include(held, plain)
    rig.work(threads=1)
    job = rig.jobs.enqueue(held.call())
    assert started.wait(10)
    late = rig.jobs.enqueue(plain.call())
    server.kill()
    may_end.set()
    for asked in (job.status, job.result, job.cancel, lambda: rig.jobs.enqueue(plain.call()), rig.jobs.counts):
        with pytest.raises(BackendError):
            asked()
    server.start()
    rig.until(lambda: answers(rig))
    assert [job.result(timeout=30), late.result(timeout=30)] == [1, 1]
    assert rig.jobs.enqueue(plain.call()).result(timeout=30) == 1


@pytest.mark.mysql
def test_a_worker_outlives_its_database(
    make_rig: Callable[..., Rig], own_mariadb_server: Callable[..., MariaDBServer], sqlite_place: Any
) -> None:
    """It goes on by itself."""
    server = own_mariadb_server()
    url = server.create_database()
    rig = make_rig(type(sqlite_place)(url, url), lease=1.0)
    rig.db.upgrade()
    outlive(rig, server)


@pytest.mark.redis
def test_a_worker_outlives_its_redis(
    make_rig: Callable[..., Rig], own_redis_server: Callable[..., RedisServer], sqlite_place: Any
) -> None:
    """One that keeps what it acknowledged."""
    server = own_redis_server(appendonly="always")
    outlive(make_rig(type(sqlite_place)(sqlite_place.database_url, server.create_database()), lease=1.0), server)

"""Redis brokers for tests: on a server that keeps what it acknowledges, each test with a database of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any

import pytest
import redis

from postrmagic_core.jobs.adapters.redis import RedisBroker
from postrmagic_core.testing.servers import RedisServer, require
from tests.jobs.redis.rig import Opener, options


@pytest.fixture(scope="session")
def durable_server() -> Iterator[RedisServer]:
    """One that writes every command before it answers."""
    require(RedisServer.binary(), "no redis-server: install it")
    with RedisServer(appendonly="always") as server:
        yield server


@pytest.fixture
def durable_url(durable_server: RedisServer) -> str:
    """The test's own database there."""
    return durable_server.create_database()


@pytest.fixture
def open_broker() -> Iterator[Opener]:
    """Opens adapters as other processes would have them; closed after the test."""
    with ExitStack() as opened:

        def open_one(url: str, *, lease: float = 30.0, broker_class: type[RedisBroker] = RedisBroker) -> RedisBroker:
            broker = opened.enter_context(closing(broker_class.from_url(url, options(lease))))
            broker.open()
            return broker

        yield open_one


@pytest.fixture
def broker(open_broker: Opener, durable_url: str) -> RedisBroker:
    """One of them."""
    return open_broker(durable_url)


@pytest.fixture
def raw(durable_url: str) -> Iterator[redis.Redis]:
    """The server, as somebody else sees it."""
    with closing(redis.Redis.from_url(durable_url)) as client:
        yield client


@pytest.fixture
def replicated(own_redis_server: Callable[..., RedisServer]) -> tuple[RedisServer, RedisServer]:
    """A primary and its replica, in step."""
    delay = ("--repl-diskless-sync-delay", "0")
    settings: dict[str, Any] = {"appendonly": "always"}
    primary = own_redis_server(options=delay, **settings)
    replica = own_redis_server(options=[*delay, "--replicaof", primary.host, str(primary.port)], **settings)
    with closing(redis.Redis.from_url(primary.url)) as client:
        client.set("in-step", 1)
        assert client.wait(1, 10_000) == 1, "the replica does not follow"
    return primary, replica

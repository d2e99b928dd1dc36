"""A server that forgets, everything at once or what it has no room for: misses, and never an older value."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from typing import Any

import pytest
import redis

from postrmagic_core.cache import CacheManager
from postrmagic_core.stores import open_store
from postrmagic_core.testing.servers import RedisServer

pytestmark = [pytest.mark.redis, pytest.mark.fault]

OwnRedis = Callable[..., RedisServer]
TIMEOUT = 5.0
GROUPS, KEYS = 4, 60
# Sixty of them do not fit into the server.
WEIGHT = "x" * 40_000


class Truth:
    """What is true of each group, and since which version every reader must know it."""

    def __init__(self) -> None:
        self.now = [0] * GROUPS
        self.acknowledged = [0] * GROUPS
        self.reads = 0
        self.lock = threading.Lock()

    def load(self, key: int) -> tuple[int, int, str]:
        """The key, the version of its group, and something heavy."""
        return key, self.now[key % GROUPS], WEIGHT

    def check(self, key: int, floor: int, found: Any) -> None:
        """A value of this very key, no older than what was acknowledged before it was asked for."""
        assert found[0] == key
        assert found[1] >= floor, f"version {found[1]} was served after the invalidation to {floor} had returned"
        with self.lock:
            self.reads += 1

    def read(self, cache: CacheManager, stop: threading.Event) -> None:
        """A thread that reads, until told to stop."""
        key = 0
        while not stop.is_set():
            key = (key + 7) % KEYS
            group, floor = f"group {key % GROUPS}", self.acknowledged[key % GROUPS]
            found = cache.get_or_set(f"k{key}", lambda key=key: self.load(key), fresh=600, tags=[group])  # type: ignore[misc]  # bound in the loop
            self.check(key, floor, found)

    async def read_async(self, cache: CacheManager, stop: threading.Event) -> None:
        """The same in a task."""
        key = 3
        while not stop.is_set():
            key = (key + 11) % KEYS
            group, floor = f"group {key % GROUPS}", self.acknowledged[key % GROUPS]

            async def load(key: int = key) -> tuple[int, int, str]:
                return self.load(key)

            found = await cache.aio.get_or_set(f"k{key}", load, fresh=600, tags=[group])
            self.check(key, floor, found)

    def change(self, cache: CacheManager, group: int) -> None:
        """Make something else true, and say so to the cache."""
        self.now[group] += 1
        cache.invalidate(f"group {group}")
        self.acknowledged[group] = self.now[group]


@contextmanager
def opened(url: str, **options: Any) -> Iterator[CacheManager]:
    """A cache that raises whatever goes wrong."""
    given = {"unavailable": "closed", **options}
    with closing(open_store(url, timeout=TIMEOUT)) as store, CacheManager(store, **given) as cache:
        yield cache


@pytest.mark.parametrize("scheme", ["", "tiered+"], ids=["redis", "tiered"])
def test_what_is_forgotten_under_load_is_a_miss_and_never_older(own_redis_server: OwnRedis, scheme: str) -> None:
    """Three threads and three tasks of two caches read; tags are invalidated, FLUSHALL strikes, and room is short."""
    server = own_redis_server(maxmemory="3mb", policy="allkeys-lru")
    truth, stop = Truth(), threading.Event()
    with ExitStack() as stack:
        caches = [stack.enter_context(opened(scheme + server.url)) for _ in range(2)]
        raw = stack.enter_context(closing(redis.Redis.from_url(server.url)))

        async def tasks() -> None:
            await asyncio.gather(*(truth.read_async(cache, stop) for cache in [*caches, caches[0]]))

        with ThreadPoolExecutor(4) as pool:
            readers = [pool.submit(truth.read, cache, stop) for cache in [*caches, caches[1]]]
            readers.append(pool.submit(asyncio.run, tasks()))
            try:
                for turn in range(30):
                    truth.change(caches[turn % 2], turn % GROUPS)
                    if turn % 6 == 5:
                        # Valkey's plain one frees later: meanwhile it is full, and has nothing to evict.
                        raw.execute_command("FLUSHALL", "SYNC")  # type: ignore[no-untyped-call]  # redis-py's own
                    seen, deadline = truth.reads, time.monotonic() + 20
                    while truth.reads < seen + 20 and not any(reader.done() for reader in readers):
                        assert time.monotonic() < deadline, "the readers hang"
                        time.sleep(0.001)
            finally:
                stop.set()
            for reader in readers:
                reader.result(30)
        told: Any = raw.info("stats")
        assert told["evicted_keys"] > 0, "nothing was evicted"
        assert sum(cache.stats().hits for cache in caches) > 0
        assert sum(cache.stats().errors for cache in caches) == 0


@pytest.mark.parametrize("face", ["sync", "async"])
def test_a_computation_whose_lease_was_lost_stores_nothing(own_redis_server: OwnRedis, face: str) -> None:
    """Another computed meanwhile: the first returns its value to its caller, and what is stored stays the other's."""
    server, begun, go = own_redis_server(), threading.Event(), threading.Event()

    def slow() -> str:
        begun.set()
        assert go.wait(30)
        return "overtaken"

    def call(cache: CacheManager) -> Any:
        if face == "sync":
            return cache.get_or_set("k", slow, fresh=60)
        return asyncio.run(cache.aio.get_or_set("k", slow, fresh=60))

    with opened(server.url, lease=0.6) as first, opened(server.url) as second, ThreadPoolExecutor(1) as pool:
        try:
            with closing(redis.Redis.from_url(server.url)) as raw:
                slowly = pool.submit(call, first)
                assert begun.wait(30)
                raw.flushall()
            assert second.get_or_set("k", lambda: "newer", fresh=60) == "newer"
            # The lease is renewed every third of its time, and found to be lost.
            [kept] = first._keeper._kept or [None]
            deadline = time.monotonic() + 2 * first.lease
            while kept is not None and kept.held and time.monotonic() < deadline:
                time.sleep(0.01)
        finally:
            go.set()
        assert slowly.result(30) == "overtaken"
        assert second.get("k") == "newer"

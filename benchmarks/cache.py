"""What a hit costs in memory, on Redis and in both tiers, how often a cold key is computed, how soon an end is seen.

On a private Redis (or the database of `--url`, in which keys are written). Hits take turns with cachetools, cashews,
aiocache, dogpile.cache, Django and diskcache, and on Redis with the bare client and our codec: everybody gets the same
value by its key. What is awaited is awaited one after the other on one event loop.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from typing import Any

import redis
from redis.asyncio import Redis as AsyncRedis

from postrmagic_core._codec import decode, encode
from postrmagic_core.cache import CacheManager
from postrmagic_core.errors import ConfigurationError
from postrmagic_core.stores import Store, acquire, open_store
from postrmagic_core.stores.adapters.memory import MemoryStore
from postrmagic_core.testing.servers import RedisServer

from . import _cache_cold, _cache_invalidation, _cache_peers
from ._cache_commands import watched
from ._cache_peers import CACHETOOLS, CASHEWS
from ._cache_timing import Awaited, fastest, pair
from ._harness import Bench, Case

TAKES = frozenset({"url", "duration"})

HOUR = 3600.0
TIERED = "tiered+"
TEXT = "x" * 1024
FIELDS = {f"field {number}": f"value {number}" if number % 2 else number for number in range(20)}
OURS, AWAITED, RAW, RAW_AWAITED = "cache.get", "cache.aio.get", "redis.Redis.get, decoded", "redis.asyncio, decoded"
_THREADS = 8
# What is measured is what a call costs, not what becomes of it on a busy machine.
_TIMEOUT = 10.0


def run(bench: Bench) -> None:
    """Report every figure."""
    with tempfile.TemporaryDirectory() as folder, asyncio.Runner() as runner, _server(bench) as url:
        in_memory(bench, runner, folder)
        on_redis(bench, url)
        on_redis_awaited(bench, runner, url)
        many(bench, url)
        commands(bench, url)
        tiered = in_tiers(bench, url)
        zipf(bench)
        for name, where in (("redis", url), ("tiered", tiered)):
            invalidations(bench, name, where)
        cold(bench, url)


@contextmanager
def _server(bench: Bench) -> Iterator[str]:
    if bench.options.url:
        yield bench.options.url
        return
    with RedisServer() as server:
        yield server.create_database()


@contextmanager
def _cache(url: str) -> Iterator[CacheManager]:
    """A cache whose keys ``k`` and ``tagged`` hold the text and ``dict`` the fields."""
    with closing(open_store(url, timeout=_TIMEOUT)) as store, CacheManager(store, namespace="benchmark") as cache:
        cache.set("k", TEXT, HOUR)
        cache.set("dict", FIELDS, HOUR)
        cache.get_or_set("tagged", lambda: TEXT, fresh=HOUR, tags=["a", "b"])
        yield cache


def _kinds(cache: CacheManager) -> list[Case]:
    """The ways to ask for what is there."""
    return [
        Case(OURS, lambda: cache.get("k")),
        Case("get_or_set", lambda: cache.get_or_set("k", _never, fresh=HOUR)),
        Case("get_or_set, 2 tags", lambda: cache.get_or_set("tagged", _never, fresh=HOUR, tags=("a", "b"))),
        Case("get, stored under 2 tags", lambda: cache.get("tagged")),
        Case("get, a dict of 20 fields", lambda: cache.get("dict")),
    ]


def _never() -> str:
    raise AssertionError("a hit was expected")


def in_memory(bench: Bench, runner: asyncio.Runner, folder: str) -> None:
    """``memory_hit_time_ratio``: over the faster of cachetools under a lock and cashews."""
    rounds, calls = bench.repeats(60, 8), bench.repeats(20, 10)
    with ExitStack() as opened:
        cache = opened.enter_context(_cache("memory://"))
        ours: list[Case] = [Case(OURS, lambda: cache.get("k")), Awaited(AWAITED, lambda: cache.aio.get("k"))]
        peers = _cache_peers.in_memory(bench, runner, opened, folder, TEXT)
        cases: list[Case] = [*ours, *peers]
        found = pair(bench, runner, "a hit in memory, 1 KB of text", cases, rounds=rounds, calls=calls, batch=200)
        if rivals := [case.name for case in peers if case.name in {CACHETOOLS, CASHEWS}]:
            bench.figure("memory_hit_time_ratio", found.time_ratio(OURS, fastest(found, rivals)))
        bench.pair("ways to hit in memory", _kinds(cache), rounds=rounds, calls=calls, batch=100)
        _threaded(bench, "a hit in memory", [case for case in cases if not isinstance(case, Awaited)])
    with ExitStack() as opened:
        cache = opened.enter_context(_cache("memory://"))
        fields: list[Case] = [Case("ours: each caller gets its own", lambda: cache.get("dict"))]
        fields += _cache_peers.in_memory(bench, runner, opened, f"{folder}/dict", FIELDS)
        pair(bench, runner, "a hit in memory, a dict of 20 fields", fields, rounds=rounds, calls=calls, batch=100)


def _threaded(bench: Bench, title: str, cases: list[Case]) -> None:
    """The same under load, each case for as long."""
    for threads in (1, _THREADS):
        name = f"{title}, {threads} thread{'s' * (threads > 1)}"
        bench.load(name, cases, duration=bench.repeats(12, 1) / 4, rounds=bench.repeats(4, 2), threads=threads)


def on_redis(bench: Bench, url: str) -> None:
    """``redis_hit_time_ratio`` over the bare client and our codec; ``tagged_hit_time_ratio`` over untagged."""
    rounds, calls = bench.repeats(40, 6), bench.repeats(300, 60)
    with _cache(url) as cache, redis.Redis.from_url(url) as client:
        client.set("raw", encode(TEXT))
        bare = Case(RAW, lambda: decode(_bytes(client.get("raw"))))
        cases = [Case(OURS, lambda: cache.get("k")), bare, *_cache_peers.on_redis(bench, url, TEXT)]
        found = bench.pair("a hit on Redis, 1 KB of text", cases, rounds=rounds, calls=calls)
        bench.figure("redis_hit_time_ratio", found.time_ratio(OURS, RAW))
        found = bench.pair("ways to hit on Redis", _kinds(cache), rounds=rounds, calls=calls)
        bench.figure("tagged_hit_time_ratio", found.time_ratio("get_or_set, 2 tags", "get_or_set"))
        _threaded(bench, "a hit on Redis", cases)


def on_redis_awaited(bench: Bench, runner: asyncio.Runner, url: str) -> None:
    """``redis_hit_aio_time_ratio``: over redis.asyncio and our codec."""
    with ExitStack() as opened:
        cache = opened.enter_context(_cache(url))
        client = AsyncRedis.from_url(url)
        opened.callback(lambda: runner.run(client.aclose()))
        runner.run(_stored(client, TEXT))

        async def bare() -> object:
            return decode(_bytes(await client.get("raw")))

        cases = [Awaited(AWAITED, lambda: cache.aio.get("k")), Awaited(RAW_AWAITED, bare)]
        cases += _cache_peers.on_redis_awaited(bench, runner, opened, url, TEXT)
        title, rounds = "a hit on Redis, 1 KB of text, awaited", bench.repeats(40, 6)
        found = pair(bench, runner, title, cases, rounds=rounds, calls=bench.repeats(300, 60))
        bench.figure("redis_hit_aio_time_ratio", found.time_ratio(AWAITED, RAW_AWAITED))


async def _stored(client: AsyncRedis, text: str) -> None:
    await client.set("raw", encode(text))


def _bytes(found: object) -> bytes:
    if not isinstance(found, bytes):
        raise AssertionError("a hit was expected")
    return found


def many(bench: Bench, url: str) -> None:
    """``set_us`` and ``get_many_100_us``, of 1 KB texts on Redis."""
    with _cache(url) as cache:
        keys = [f"many {number}" for number in range(100)]
        for key in keys:
            cache.set(key, TEXT, HOUR)
        cases = [
            Case("set", lambda: cache.set("set", TEXT, HOUR)),
            Case("get_many, 100 keys", lambda: cache.get_many(keys)),
        ]
        found = bench.pair("writing, and many keys, on Redis", cases, rounds=bench.repeats(30, 6), calls=100)
        bench.figure("set_us", found["set"].median * 1e6)
        bench.figure("get_many_100_us", found["get_many, 100 keys"].median * 1e6)


def commands(bench: Bench, url: str) -> None:
    """``commands_per_hit``, ``commands_per_set`` and ``commands_per_waiter_s``, as the server sees them.

    A hit under tags must be one command, and so one round trip: :class:`AssertionError` if it is not.
    """
    if bench.options.url:
        for name in ("commands_per_hit", "commands_per_set", "commands_per_waiter_s"):
            bench.missing[name] = "not measured: it needs a private server, on which nobody else sends commands"
        return
    with _cache(url) as cache:
        hit, _, tagged, plain_tagged, _ = _kinds(cache)
        bench.figure("commands_per_hit", _sent(url, hit.call))
        bench.figure("commands_per_hit.tagged", _sent(url, tagged.call))
        bench.figure("commands_per_hit.tagged_get", _sent(url, plain_tagged.call))
        if bench.figures["commands_per_hit.tagged"] != 1:
            raise AssertionError("a hit under tags took more than one round trip")
        bench.figure("commands_per_set", _sent(url, lambda: cache.set("k", TEXT, HOUR)))
        bench.figure("commands_per_set.tagged", _sent(url, lambda: cache.set("tagged", TEXT, HOUR, tags=["a", "b"])))
    bench.figure("commands_per_waiter_s", _waiting(url, seconds=bench.repeats(6, 2)))


def _sent(url: str, call: Callable[[], object], times: int = 20) -> float:
    call()
    with watched(url) as seen:
        for _ in range(times):
            call()
    return len(seen) / times


def _waiting(url: str, seconds: float) -> float:
    """Commands a second that a caller sends who waits for a computation elsewhere."""
    given: dict[str, Any] = {"namespace": "waiter", "lease": seconds / 2, "wait": seconds}
    with closing(open_store(url, timeout=_TIMEOUT)) as store, CacheManager(store, **given) as cache:
        cache.get("warm")
        if acquire(store, cache.access.keys.lease("k"), ttl=10 * seconds) is None:
            raise AssertionError("the lease was expected to be free")
        with watched(url) as seen:
            cache.get_or_set("k", lambda: TEXT, fresh=HOUR)
    return len(seen) / seconds


def in_tiers(bench: Bench, url: str) -> str | None:
    """``tiered_hit_speedup`` over a hit on Redis alone; the tiered store's URL, or ``None`` where there is none."""
    where = TIERED + url
    try:
        open_store(where, timeout=_TIMEOUT).close()
    except ConfigurationError as error:
        bench.missing["tiered_hit_speedup"] = f"not measured: {error}"
        return None
    with _cache(where) as near, _cache(url) as far:
        cases = [
            Case("tiered", lambda: near.get("k")),
            Case("redis", lambda: far.get("k")),
            Case("tiered, get_or_set, 2 tags", _kinds(near)[2].call),
            Case("redis, get_or_set, 2 tags", _kinds(far)[2].call),
        ]
        rounds, calls = bench.repeats(40, 8), bench.repeats(300, 100)
        found = bench.pair("a hit in both tiers", cases, rounds=rounds, calls=calls)
        bench.figure("tiered_hit_speedup", found.rate_ratio("tiered", "redis"))
        _threaded(bench, "a hit in both tiers", cases[:2])
    return where


def zipf(bench: Bench) -> None:
    """``zipf_hit_rate``: keys by Zipf's law (exponent 1.0), of which the memory store holds a tenth."""
    universe = bench.scaled(100_000, 20_000)
    order = random.Random(bench.options.seed)
    weights = itertools.accumulate(1 / rank for rank in range(1, universe + 1))
    keys = order.choices([str(rank) for rank in range(universe)], cum_weights=list(weights), k=2 * universe)
    store: Store = MemoryStore(max_entries=universe // 10)
    with CacheManager(store) as cache:
        hits = 0
        for number, key in enumerate(keys):
            found = cache.get(key)
            hits += found is not None and number >= universe
            if found is None:
                cache.set(key, number, HOUR)
    bench.figure("zipf_hit_rate", hits / universe)


def invalidations(bench: Bench, name: str, url: str | None) -> None:
    """``invalidation_ms``, and ``older_after_ack``: what was read after an invalidation had returned, and was older."""
    if url is None:
        bench.missing[f"invalidation_ms.{name}"] = "not measured: the store is not there"
        return
    found = _cache_invalidation.measure(url, bench.repeats(400, 60), bench.options.seed)
    bench.figure(f"invalidation_ms.{name}", found.median_ms)
    bench.figure(f"older_after_ack.{name}", found.older_after_ack)


def cold(bench: Bench, url: str) -> None:
    """``cold_computations`` of five processes of fifty callers; ``cold_computations_killed``: its holder is killed."""
    threads, tasks = (partial(_cache_cold.computations, url, face) for face in ("threads", "asyncio"))
    rounds = bench.repeats(10, 2)
    bench.figure("cold_computations", threads(rounds))
    bench.figure("cold_computations.asyncio", tasks(rounds))
    bench.figure("cold_computations_killed", _cache_cold.killed(url))


if __name__ == "__main__":
    from .__main__ import main

    raise SystemExit(main(["run", "cache", *sys.argv[1:]]))

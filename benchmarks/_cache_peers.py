"""The peers of the cache benchmark: one hit of one value, in memory and on Redis, as their documentation shows it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from importlib import import_module
from typing import Any, TypeAlias

from ._cache_timing import Awaited
from ._harness import Bench, Case

HOUR = 3600
CACHETOOLS, CASHEWS, AIOCACHE = "cachetools.TTLCache under a lock", "cashews, awaited", "aiocache, awaited"
DOGPILE, DJANGO, DISKCACHE = "dogpile.cache", "Django", "diskcache"

_Call: TypeAlias = Callable[[], object]
_Coroutine: TypeAlias = Callable[[], Awaitable[object]]


def in_memory(bench: Bench, runner: asyncio.Runner, opened: ExitStack, folder: str, value: object) -> list[Case]:
    """A case for each peer that is installed: a hit in this process, or in a file for diskcache."""
    calls: dict[str, Callable[[], _Call]] = {
        CACHETOOLS: lambda: _cachetools(value),
        DOGPILE: lambda: _dogpile("memory", {}, value),
        DJANGO: lambda: _django("locmem", "LocMemCache", "benchmark", value),
        DISKCACHE: lambda: _diskcache(folder, opened, value),
    }
    coroutines: dict[str, Callable[[], _Coroutine]] = {
        CASHEWS: lambda: _cashews("mem://", runner, opened, value),
        AIOCACHE: lambda: _aiocache("memory://", runner, opened, value),
    }
    return [*_cases(bench, calls), *_awaited(bench, coroutines)]


def on_redis(bench: Bench, url: str, value: object) -> list[Case]:
    """A case for each peer that is installed and has a sync face."""
    return _cases(
        bench,
        {
            DOGPILE: lambda: _dogpile("redis", {"url": url, "redis_expiration_time": HOUR}, value),
            DJANGO: lambda: _django("redis", "RedisCache", url, value),
        },
    )


def on_redis_awaited(bench: Bench, runner: asyncio.Runner, opened: ExitStack, url: str, value: object) -> list[Awaited]:
    """A case for each peer that is installed and is awaited."""
    return _awaited(
        bench,
        {
            CASHEWS: lambda: _cashews(url, runner, opened, value),
            AIOCACHE: lambda: _aiocache(url, runner, opened, value),
        },
    )


def _cases(bench: Bench, makers: dict[str, Callable[[], _Call]]) -> list[Case]:
    made = {name: bench.peer(name, make) for name, make in makers.items()}
    return [Case(name, call) for name, call in made.items() if call is not None]


def _awaited(bench: Bench, makers: dict[str, Callable[[], _Coroutine]]) -> list[Awaited]:
    made = {name: bench.peer(name, make) for name, make in makers.items()}
    return [Awaited(name, call) for name, call in made.items() if call is not None]


def _cachetools(value: object) -> _Call:
    kept, lock = import_module("cachetools").TTLCache(1000, HOUR), threading.Lock()
    kept["k"] = value

    def call() -> object:
        with lock:
            return kept.get("k")

    return _proved(call, value)


def _dogpile(backend: str, arguments: dict[str, Any], value: object) -> _Call:
    region = import_module("dogpile.cache").make_region()
    region.configure(f"dogpile.cache.{backend}", expiration_time=HOUR, arguments=arguments)
    region.set("dogpile", value)
    return _proved(lambda: region.get("dogpile"), value)


def _django(module: str, name: str, server: str, value: object) -> _Call:
    cache = getattr(import_module(f"django.core.cache.backends.{module}"), name)(server, {"TIMEOUT": HOUR})
    cache.set("django", value)
    return _proved(lambda: cache.get("django"), value)


def _diskcache(folder: str, opened: ExitStack, value: object) -> _Call:
    cache = import_module("diskcache").Cache(f"{folder}/diskcache")
    opened.callback(cache.close)
    cache.set("k", value, expire=HOUR)
    return _proved(lambda: cache.get("k"), value)


def _cashews(url: str, runner: asyncio.Runner, opened: ExitStack, value: object) -> _Coroutine:
    cache: Any = import_module("cashews").Cache()
    cache.setup(url)
    opened.callback(lambda: runner.run(cache.close()))
    runner.run(cache.set("cashews", value, expire=HOUR))
    return _proved_awaited(runner, lambda: cache.get("cashews"), value)


def _aiocache(url: str, runner: asyncio.Runner, opened: ExitStack, value: object) -> _Coroutine:
    cache: Any = import_module("aiocache").Cache.from_url(url)
    opened.callback(lambda: runner.run(cache.close()))
    runner.run(cache.set("aiocache", value, ttl=HOUR))
    return _proved_awaited(runner, lambda: cache.get("aiocache"), value)


def _proved(call: _Call, value: object) -> _Call:
    if call() != value:
        raise AssertionError("a peer was set up so that it misses")
    return call


def _proved_awaited(runner: asyncio.Runner, call: _Coroutine, value: object) -> _Coroutine:
    async def once() -> object:
        return await call()

    if runner.run(once()) != value:
        raise AssertionError("a peer was set up so that it misses")
    return call

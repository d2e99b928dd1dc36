"""One call whose answer is lost on its way back, and one to a server that is there and does not answer."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress
from functools import partial
from importlib import import_module
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import redis

from postrmagic_core.limits import Limit, RateLimiter
from postrmagic_core.stores import open_store
from postrmagic_core.testing.proxy import FaultProxy
from postrmagic_core.testing.servers import RedisServer

from .._harness import Bench

_LIMIT = 10
_Count: TypeAlias = Callable[[str, str], object]
_Counts: TypeAlias = tuple[_Count, Callable[[str], int], bytes]


def lost_reply(bench: Bench, server: RedisServer) -> None:
    """``incr_with_lost_reply``: how often one call counted whose answer a proxy cut after the server had counted.

    Ours is one hit of a rate limit, which is what the package counts on Redis; redis-py's is ``incr``, of a client that
    was made of host and port, which tries again by default, and of one that was made of a URL.
    """
    sides: dict[str, Callable[[], _Counts]] = {
        "ours": _ours,
        "redis_py": partial(_redis_py, _by_host),
        "redis_py_by_url": partial(_redis_py, redis.Redis.from_url),
        "limits": _limits,
    }
    for name, load in sides.items():
        side = bench.peer(name, load)
        if side is not None:
            end = "" if name == "ours" else f"_peer.{name}"
            bench.figure(f"incr_with_lost_reply{end}", _counted(server.create_database(), *side))


def _counted(url: str, count: _Count, counted: Callable[[str], int], command: bytes) -> int:
    with FaultProxy(url) as proxy:
        count(proxy.url, "warm")
        proxy.cut(on=command)
        with suppress(redis.RedisError):  # that it is told so is right; what counts is what was counted
            count(proxy.url, "one")
        if proxy.hits != 1:
            raise AssertionError(f"expected one lost answer, got {proxy.hits}")
    return counted(url)


def _ours() -> _Counts:
    limit = Limit.parse(f"{_LIMIT}/hour")

    def count(url: str, key: str) -> None:
        with closing(open_store(url, timeout=5.0)) as store, RateLimiter(store, unavailable="closed") as limiter:
            limiter.hit(limit.of(key))

    def counted(url: str) -> int:
        with closing(open_store(url)) as store, RateLimiter(store) as limiter:
            return _LIMIT - limiter.peek(limit.of("one")).remaining

    return count, counted, b"EVALSHA"


def _by_host(url: str) -> redis.Redis:
    place = urlsplit(url)
    return redis.Redis(place.hostname or "", place.port or 6379, int(place.path[1:] or 0))


def _redis_py(connect: Callable[[str], redis.Redis]) -> _Counts:
    def count(url: str, key: str) -> None:
        with connect(url) as client:
            client.incr(key)

    def counted(url: str) -> int:
        with redis.Redis.from_url(url) as client:
            return int(client.get("one") or 0)

    return count, counted, b"INCR"


def _limits() -> _Counts:
    package, storages = import_module("limits"), import_module("limits.storage")
    limit = package.parse(f"{_LIMIT}/hour")

    def limiter(url: str) -> Any:
        return package.strategies.FixedWindowRateLimiter(storages.storage_from_string(url))

    def count(url: str, key: str) -> None:
        limiter(url).hit(limit, key)

    def counted(url: str) -> int:
        return int(_LIMIT - limiter(url).get_window_stats(limit, "one").remaining)

    return count, counted, b"EVALSHA"


def blackholed(bench: Bench) -> None:
    """``blackholed_redis_error_s``: from a read to its error, on a server that was stopped after it had answered.

    Each has its defaults. Who has none is given up on after a while, and said to be.
    """
    patience = bench.repeats(150, 8)
    sides: dict[str, Callable[[], Callable[[str], Callable[[], object]]]] = {
        "ours": lambda: _our_store,
        "redis_py": lambda: partial(_bare, _by_host),
        "redis_py_by_url": lambda: partial(_bare, redis.Redis.from_url),
        "django": partial(_named, "django", _django),
        "dogpile": partial(_named, "dogpile.cache", _dogpile),
    }
    with RedisServer() as server:
        calls = {
            name: side(server.create_database()) for name, load in sides.items() if (side := bench.peer(name, load))
        }
        for call in calls.values():
            call()
        server.pause()
        try:
            found = _until_error(calls, patience)
        finally:
            server.resume()
    for name, seconds in found.items():
        figure = f"blackholed_redis_error_s{'' if name == 'ours' else f'_peer.{name}'}"
        if seconds is None:
            bench.missing[figure] = f"no error within {patience} s"
        else:
            bench.figure(figure, seconds)


def _until_error(calls: dict[str, Callable[[], object]], patience: float) -> dict[str, float | None]:
    found: dict[str, float | None] = dict.fromkeys(calls)

    def ask(name: str, call: Callable[[], object], began: float) -> None:
        try:
            call()
        except Exception:  # whatever it is called there
            found[name] = time.monotonic() - began

    asked = [
        threading.Thread(target=ask, args=(name, call, time.monotonic()), daemon=True) for name, call in calls.items()
    ]
    for thread in asked:
        thread.start()
    until = time.monotonic() + patience
    for thread in asked:
        thread.join(max(0.0, until - time.monotonic()))
    return dict(found)


def _named(package: str, side: Callable[[str], Callable[[], object]]) -> Callable[[str], Callable[[], object]]:
    import_module(package)
    return side


def _our_store(url: str) -> Callable[[], object]:
    store = open_store(url)
    return lambda: store.get([b"key"])


def _bare(connect: Callable[[str], redis.Redis], url: str) -> Callable[[], object]:
    client = connect(url)
    return lambda: client.get("key")


def _django(url: str) -> Callable[[], object]:
    cache = import_module("django.core.cache.backends.redis").RedisCache(url, {})
    return lambda: cache.get("key")


def _dogpile(url: str) -> Callable[[], object]:
    region = import_module("dogpile.cache").make_region()
    region.configure("dogpile.cache.redis", arguments={"url": url})
    return lambda: region.get("key")

"""Eighty callers in four processes that ask at once at a limit of ten."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib import import_module
from multiprocessing.synchronize import Barrier
from typing import Any

from .. import _limits
from .._harness import Bench

THREADS, LIMIT = _limits.THREADS, _limits.LIMIT


def admitted(bench: Bench, url: str) -> None:
    """``admitted_at_limit_10``: how many were let in, on Redis; of several rounds the one furthest from ten.

    ``slowapi`` counts in each process, which is its default; ``limits`` has its moving window on Redis.
    """
    rounds = bench.repeats(5, 2)
    bench.figure("admitted_at_limit_10", _furthest([_limits.admitted_at_once(url, f"ours {n}") for n in range(rounds)]))
    for name, (package, ask) in _PEERS.items():
        if bench.peer(name, partial(import_module, package)) is not None:
            found = [_limits.admitted_at_once(url, f"{name} {number}", ask) for number in range(rounds)]
            bench.figure(f"admitted_at_limit_10_peer.{name}", _furthest(found))


def _furthest(counts: list[int]) -> int:
    return max(counts, key=lambda count: abs(count - LIMIT))


def on_limits(url: str, key: str, barrier: Barrier, results: Any) -> None:
    """A process of threads."""
    package, storages = import_module("limits"), import_module("limits.storage")
    limiter = package.strategies.MovingWindowRateLimiter(storages.storage_from_string(url))
    limit = package.parse(f"{LIMIT}/hour")
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(lambda n: limiter.hit(limit, f"warm {n}"), range(THREADS)))
        barrier.wait()
        results.put(sum(pool.map(lambda _: limiter.hit(limit, key), range(THREADS))))


def on_throttled(url: str, key: str, barrier: Barrier, results: Any) -> None:
    """A process of threads, by GCRA."""
    package = import_module("throttled")
    quota = package.rate_limiter.per_hour(LIMIT, burst=LIMIT)
    throttle = package.Throttled(using="gcra", quota=quota, store=package.RedisStore(server=url))
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(lambda n: throttle.limit(f"warm {n}"), range(THREADS)))
        barrier.wait()
        results.put(sum(pool.map(lambda _: not throttle.limit(key).limited, range(THREADS))))


def on_litestar(url: str, key: str, barrier: Barrier, results: Any) -> None:
    """A process with an application under its middleware, whose store is on Redis: requests at once on one loop."""
    from redis.asyncio import Redis

    litestar = import_module("litestar")
    config = import_module("litestar.middleware.rate_limit").RateLimitConfig
    store = import_module("litestar.stores.redis").RedisStore

    async def answer() -> str:
        return "ok"

    answer.__annotations__ = {"return": str}
    limited = config(rate_limit=("hour", LIMIT), exclude=["/warm"], identifier_for_request=lambda _: key)
    app = litestar.Litestar(
        [litestar.get(["/", "/warm"])(answer)],
        middleware=[limited.middleware],
        stores={"rate_limit": store(Redis.from_url(url))},
        openapi_config=None,
        logging_config=None,
    )
    _by_asgi(app, barrier, results)


def on_slowapi(url: str, key: str, barrier: Barrier, results: Any) -> None:
    """A process with an application as slowapi's guide begins: it counts in memory."""
    slowapi, applications = import_module("slowapi"), import_module("starlette.applications")
    routing, text = import_module("starlette.routing"), import_module("starlette.responses").PlainTextResponse
    limiter = slowapi.Limiter(key_func=lambda: key)

    async def answer(request: Any) -> Any:
        return text("ok")

    async def warm(request: Any) -> Any:
        return text("ok")

    limited = limiter.limit(f"{LIMIT}/hour")(answer)
    app = applications.Starlette(routes=[routing.Route("/", limited), routing.Route("/warm", warm)])
    app.state.limiter = limiter
    app.add_exception_handler(slowapi.errors.RateLimitExceeded, slowapi._rate_limit_exceeded_handler)
    _by_asgi(app, barrier, results)


def _by_asgi(app: Any, barrier: Barrier, results: Any) -> None:
    import httpx

    async def ask() -> int:
        transport = httpx.ASGITransport(app, client=("198.51.100.7", 40_000))
        async with httpx.AsyncClient(transport=transport, base_url="http://library.example.org") as client:
            await client.get("/warm")
            await asyncio.to_thread(barrier.wait)
            found = await asyncio.gather(*(client.get("/") for _ in range(THREADS)))
        statuses = {response.status_code for response in found}
        if not statuses <= {200, 429}:
            raise AssertionError(f"expected 200 or 429, got {statuses}")
        return sum(response.status_code == 200 for response in found)

    results.put(asyncio.run(ask()))


_PEERS = {
    "limits": ("limits", on_limits),
    "throttled": ("throttled", on_throttled),
    "litestar": ("litestar", on_litestar),
    "slowapi": ("slowapi", on_slowapi),
}

"""The peers of the limits' benchmark: one call against one limit, admitted, as their documentation shows it."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, TypeAlias

from ._harness import Bench, Case

AMOUNT = 1_000_000  # an hour: more than any round asks for

_Call: TypeAlias = Callable[[], Any]


def in_memory(bench: Bench) -> list[Case]:
    """A case for each peer that is installed, in this process."""
    return _cases(bench, {"limits": lambda: _limits("memory://"), "throttled-py": lambda: _throttled(None)})


def on_redis(bench: Bench, url: str) -> list[Case]:
    """A case for each peer that is installed, on the same server."""
    return _cases(bench, {"limits": lambda: _limits(url), "throttled-py": lambda: _throttled(url)})


def _cases(bench: Bench, makers: dict[str, Callable[[], _Call]]) -> list[Case]:
    made = {name: bench.peer(name, make) for name, make in makers.items()}
    return [Case(name, call) for name, call in made.items() if call is not None]


def _limits(url: str) -> _Call:
    # Of its strategies the one that is neither a log of every call nor lets twice the amount pass at an edge.
    package = import_module("limits")
    storage = import_module("limits.storage").storage_from_string(url)
    limiter = package.strategies.SlidingWindowCounterRateLimiter(storage)
    limit = package.parse(f"{AMOUNT}/hour")
    return _proved(lambda: limiter.hit(limit, "benchmark"), lambda found: bool(found))


def _throttled(url: str | None) -> _Call:
    package = import_module("throttled")
    store = package.MemoryStore() if url is None else package.RedisStore(server=url)
    quota = package.rate_limiter.per_hour(AMOUNT, burst=AMOUNT)
    throttle = package.Throttled(using="gcra", quota=quota, store=store)
    return _proved(lambda: throttle.limit("benchmark"), lambda found: not found.limited)


def _proved(call: _Call, admitted: Callable[[Any], bool]) -> _Call:
    if not admitted(call()):
        raise AssertionError("a peer was set up so that it refuses")
    return call

"""Five processes of fifty callers that all ask for one cold key on Redis, which takes 0.3 s to compute."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from importlib import import_module
from multiprocessing.synchronize import Barrier
from typing import Any, TypeAlias

from .. import _cache_cold
from .._harness import Bench

_SECONDS = 600
_PATIENCE = 60.0
_Target: TypeAlias = Callable[[str, str, Any, Barrier], None]


def computations(bench: Bench, url: str) -> None:
    """``cold_computations``: how often the value was computed; 1 is enough.

    ``_locked``: with the lock that the peer's documentation offers and does not use by default.
    """
    rounds = bench.repeats(3, 1)
    bench.figure("cold_computations", _cache_cold.computations(url, "threads", rounds))
    for name, (package, target) in _PEERS.items():
        if bench.peer(name, partial(import_module, package)) is not None:
            bench.figure(f"cold_computations_peer.{name}", _cache_cold.counted(target, url, rounds))


def _threads(make: Callable[[str], Callable[[str, Callable[[], str]], object]]) -> _Target:
    return partial(_asked, make)


def _asked(
    make: Callable[[str], Callable[[str, Callable[[], str]], object]],
    url: str,
    namespace: str,
    counts: Any,
    barrier: Barrier,
) -> None:
    """A process: its threads ask for the value of each key."""
    ask = make(url)
    for turn in range(len(counts)):
        compute = partial(_cache_cold.computed, counts, turn)
        _cache_cold.ask_at_once(partial(ask, f"{namespace}-{turn}", compute), barrier)


def dogpile(distributed: bool, url: str) -> Callable[[str, Callable[[], str]], object]:
    """A region on Redis; ``distributed``: its lock is one there too, and not a mutex of each process."""
    region = import_module("dogpile.cache").make_region()
    given = {
        "url": url,
        "redis_expiration_time": 2 * _SECONDS,
        "distributed_lock": distributed,
        "thread_local_lock": False,
    }
    region.configure("dogpile.cache.redis", expiration_time=_SECONDS, arguments=given)
    return lambda key, compute: region.get_or_create(key, compute)


def django(url: str) -> Callable[[str, Callable[[], str]], object]:
    """``cache.get_or_set`` of its Redis backend."""
    backend = import_module("django.core.cache.backends.redis").RedisCache
    settings = import_module("django.conf").settings
    settings.configure()
    cache = backend(url, {})
    return lambda key, compute: cache.get_or_set(key, compute, _SECONDS)


def cashews(lock: bool, url: str, namespace: str, counts: Any, barrier: Barrier) -> None:
    """A process: tasks call a decorated coroutine; ``lock``: the decorator's option."""
    cache: Any = import_module("cashews").Cache()
    cache.setup(url)

    async def ask(turn: int) -> None:
        @cache(ttl=_SECONDS, key=f"{namespace}-{turn}", lock=lock)  # type: ignore[untyped-decorator]  # cashews' own
        async def value() -> str:
            with counts.get_lock():
                counts[turn] += 1
            await asyncio.sleep(_cache_cold.WORK)
            return "value"

        if await asyncio.gather(*(value() for _ in range(_cache_cold.CALLERS))) != ["value"] * _cache_cold.CALLERS:
            raise AssertionError("a caller got something else")

    with asyncio.Runner() as runner:
        for turn in range(len(counts)):
            barrier.wait(_PATIENCE)
            runner.run(ask(turn))
        runner.run(cache.close())


_PEERS: dict[str, tuple[str, _Target]] = {
    "dogpile": ("dogpile.cache", _threads(partial(dogpile, False))),
    "dogpile_locked": ("dogpile.cache", _threads(partial(dogpile, True))),
    "cashews": ("cashews", partial(cashews, False)),
    "cashews_locked": ("cashews", partial(cashews, True)),
    "django": ("django", _threads(django)),
}

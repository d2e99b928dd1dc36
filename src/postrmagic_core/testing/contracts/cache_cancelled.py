"""The cache contract on cancellation: a caller may go at any moment, and takes nothing along."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from postrmagic_core._bridge import Bridge
from postrmagic_core.stores import AsyncStoreFace, Store
from postrmagic_core.stores.aio import acquire

from .cache_rig import SOON, CancelledAt, Opener, Slow, awaiting, on_loop

Call = Callable[[Any, str], Any]

# More suspensions than any call has: a bound, should one never come to its end.
_MOST = 200

CALLS: dict[str, Call] = {
    "get": lambda aio, key: aio.get(key),
    "get_many": lambda aio, key: aio.get_many([key, "other"]),
    "set": lambda aio, key: aio.set(key, key, 60, tags=["t"]),
    "delete": lambda aio, key: aio.delete(key),
    "capture": lambda aio, key: aio.capture([key]),
    "invalidate": lambda aio, key: aio.invalidate("t", key),
}


async def _outcome(call: CancelledAt) -> object:
    """What the call gave in a task of its own, or the cancellation."""
    task = asyncio.ensure_future(awaiting(call))
    await asyncio.wait([task])
    return asyncio.CancelledError() if task.cancelled() else task.result()


class CancelledPromises:
    """Mixed into :class:`~postrmagic_core.testing.contracts.cache.CacheContract`."""

    @pytest.mark.parametrize("tags", [[], ["a", "b"]], ids=["plain", "tagged"])
    def test_a_computing_caller_cancelled_anywhere_leaves_nothing(
        self, open_cache: Opener, store: Store, bridge: Bridge, tags: list[str]
    ) -> None:
        """At each of its awaits in turn: the lease is free at once, the next caller computes and gets its own value."""
        cache = open_cache(clock=None)

        async def load(key: str) -> str:
            await asyncio.sleep(0)
            return key

        async def cancelled_at(nth: int) -> bool:
            key = f"k{nth}"
            call = CancelledAt(cache.aio.get_or_set(key, partial(load, key), fresh=60, tags=tags), nth)
            outcome = await _outcome(call)
            lease = await acquire(AsyncStoreFace(store, bridge), cache.access.keys.lease(key), ttl=5.0)
            assert lease is not None, f"cancelled at await {nth}, it left its lease behind"
            await lease.release()
            async with asyncio.timeout(SOON):
                assert await cache.aio.get_or_set(key, partial(load, key), fresh=60, tags=tags) == key
            return outcome == key

        assert on_loop(store, _until_one_is_through(cancelled_at)) >= 1
        assert cache.stats().alone == 0

    def test_a_waiting_caller_cancelled_anywhere_takes_nobody_along(self, open_cache: Opener, store: Store) -> None:
        """At each of its awaits in turn: who computes and who else waits get the value."""
        cache = open_cache(clock=None)

        async def cancelled_at(nth: int) -> bool:
            key, slow = f"k{nth}", Slow(lambda: "value")
            leader = asyncio.ensure_future(cache.aio.get_or_set(key, slow.awaited, fresh=60))
            while not slow.runs.is_set():  # noqa: ASYNC110 - a threading.Event cannot be awaited
                await asyncio.sleep(0.001)
            call = CancelledAt(cache.aio.get_or_set(key, slow.awaited, fresh=60), nth)
            goes = asyncio.ensure_future(_outcome(call))
            stays = asyncio.ensure_future(cache.aio.get_or_set(key, slow.awaited, fresh=60))
            await asyncio.wait([goes], timeout=0.05)
            slow.end.set()
            async with asyncio.timeout(SOON):
                assert [await leader, await stays] == ["value"] * 2
                assert slow.calls == 1
                return await goes == "value"

        assert on_loop(store, _until_one_is_through(cancelled_at)) >= 1

    def test_a_caller_served_a_stale_value_may_be_cancelled(
        self, open_cache: Opener, store: Store, frozen_clock: Any
    ) -> None:
        """At each of its awaits in turn: somebody computes it anew, and callers are served meanwhile."""
        cache = open_cache()

        async def cancelled_at(nth: int) -> bool:
            key = f"k{nth}"
            options: dict[str, Any] = {"fresh": 60, "stale": 600}
            await cache.aio.get_or_set(key, lambda: "old", **options)
            frozen_clock.advance(60)
            outcome = await _outcome(CancelledAt(cache.aio.get_or_set(key, lambda: "new", **options), nth))
            async with asyncio.timeout(SOON):
                while await cache.aio.get_or_set(key, lambda: "new", **options) != "new":  # noqa: ASYNC110 - see below
                    await asyncio.sleep(0.001)  # the refresh is a task of its own
            return outcome == "old"

        on_loop(store, _until_one_is_through(cancelled_at))

    @pytest.mark.parametrize("name", CALLS)
    def test_a_call_cancelled_anywhere_crosses_no_answers(self, open_cache: Opener, store: Store, name: str) -> None:
        """At each of its awaits in turn: the next call gets its own answer, never the lost one."""
        cache = open_cache()

        async def cancelled_at(nth: int) -> bool:
            outcome = await _outcome(CancelledAt(CALLS[name](cache.aio, f"k{nth}"), nth))
            for mark in (f"a{nth}", f"b{nth}"):
                await cache.aio.set(mark, mark, 60)
                assert await cache.aio.get(mark) == mark
            return not isinstance(outcome, asyncio.CancelledError)

        assert on_loop(store, _until_one_is_through(cancelled_at)) >= store.blocking

    def test_many_callers_cancelled_at_will_leave_the_cache_working(self, open_cache: Opener, store: Store) -> None:
        """Half of those who ask for a few keys go away; the others get the values of their own keys, and soon.

        A lease left behind would hold them up longer than they have time.
        """
        cache = open_cache(clock=None, lease=3 * SOON, wait=4 * SOON)

        async def load(key: str) -> str:
            await asyncio.sleep(0.001)
            return key

        async def main() -> None:
            for turn in range(12):
                keys = [f"{turn}-{n % 3}" for n in range(12)]
                tasks = [asyncio.ensure_future(cache.aio.get_or_set(key, partial(load, key), fresh=60)) for key in keys]
                await asyncio.sleep(0.0005 * (turn % 6))
                for task in tasks[::2]:
                    task.cancel()
                async with asyncio.timeout(SOON):
                    values = await asyncio.gather(*tasks, return_exceptions=True)
                for key, value in zip(keys, values, strict=True):
                    assert value == key or isinstance(value, asyncio.CancelledError)
                assert values[1::2] == keys[1::2]

        on_loop(store, main())
        stats = cache.stats()
        assert (stats.alone, stats.errors) == (0, 0)


async def _until_one_is_through(cancelled_at: Callable[[int], Any]) -> int:
    """Cancel a call at its 1st, 2nd, … await, until one is over before that; returns at how many it was cancelled."""
    for nth in range(1, _MOST):
        if await cancelled_at(nth):
            return nth - 1
    raise AssertionError(f"a call was not over after {_MOST} awaits")

"""The cache contract on computations: one however many ask, in threads, tasks and caches; anew before anybody waits."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from postrmagic_core.cache import CacheManager
from postrmagic_core.cache.policy import EARLY, JITTER
from postrmagic_core.stores import Store, acquire
from postrmagic_core.testing import FakeClock

from .cache_rig import SOON, Face, Opener, Slow, numbers, on_loop


class FlightPromises:
    """Mixed into :class:`~postrmagic_core.testing.contracts.cache.CacheContract`."""

    def test_threads_and_tasks_share_one_computation(self, cache: CacheManager, store: Store) -> None:
        """Five threads and ten tasks of one process: one call, and every caller has an object of its own."""
        slow = Slow(lambda: ["value"])

        async def main() -> list[Any]:
            loop = asyncio.get_running_loop()
            with ThreadPoolExecutor(5) as pool:
                threads = [loop.run_in_executor(pool, lambda: cache.get_or_set("k", slow, fresh=60)) for _ in range(5)]
                tasks = [asyncio.create_task(cache.aio.get_or_set("k", slow.awaited, fresh=60)) for _ in range(10)]
                assert await asyncio.to_thread(slow.runs.wait, SOON)
                slow.end.set()
                return await asyncio.gather(*threads, *tasks)

        values = on_loop(store, main())
        assert slow.calls == 1
        assert values == [["value"]] * 15
        assert len({id(value) for value in values}) == 15

    def test_many_caches_on_one_store_compute_once(self, face: Face, open_cache: Opener) -> None:
        """As many processes would: by the lease, which one of them has; the others are given what it stored."""
        caches = [open_cache(clock=None) for _ in range(6)]
        barrier, calls = threading.Barrier(6), []

        def load(key: str) -> str:
            calls.append(key)
            time.sleep(0.02)
            return key

        def ask(key: str, cache: Any) -> Any:
            if not inspect.iscoroutinefunction(cache.get_or_set):
                barrier.wait(SOON)
            return cache.get_or_set(key, lambda: load(key), fresh=60, tags=["t"])

        for key in ("a", "b", "c"):
            assert face.together(caches, lambda cache, key=key: ask(key, cache)) == [key] * 6  # type: ignore[misc]  # the default binds the name
        assert calls == ["a", "b", "c"]
        assert [cache.stats().alone for cache in caches] == [0] * 6

    def test_the_lease_of_one_who_died_ends(self, face: Face, open_cache: Opener, store: Store) -> None:
        """Nobody gives it back; it ends by itself, and then one computes as ever."""
        cache = open_cache(clock=None, lease=0.2, wait=3.0)
        assert acquire(store, cache.access.keys.lease("k"), ttl=0.2) is not None
        assert face.of(cache).get_or_set("k", numbers(), fresh=60) == 1
        assert cache.stats().alone == 0

    def test_whatever_ends_a_computation_the_next_caller_computes(self, cache: CacheManager, store: Store) -> None:
        """A thread that is made to leave takes no lease along."""

        def leave() -> None:
            raise SystemExit

        with contextlib.suppress(SystemExit):
            cache.get_or_set("k", leave, fresh=60)
        assert acquire(store, cache.access.keys.lease("k"), ttl=0.001) is not None
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(cache.get_or_set, "k", lambda: "next", fresh=60).result(SOON) == "next"

    def test_a_stale_value_is_served_while_one_computes_anew(self, face: Face, frozen_clock: FakeClock) -> None:
        """Callers get the old value without waiting; one computation runs; then they get the new one."""
        slow = Slow(lambda: "new")
        face.get_or_set("k", lambda: "old", fresh=60, stale=600)
        frozen_clock.advance(60)
        assert [face.get_or_set("k", slow, fresh=60, stale=600) for _ in range(3)] == ["old"] * 3
        assert face.get("k") is None
        slow.end.set()
        face.until(lambda: face.get("k") == "new")
        assert face.get_or_set("k", slow, fresh=60, stale=600) == "new"
        assert (slow.calls, face.stats().stale) == (1, 3)

    def test_past_its_stale_time_a_value_is_served_to_nobody(self, face: Face, frozen_clock: FakeClock) -> None:
        """The caller waits for a new one."""
        face.get_or_set("k", lambda: "old", fresh=60, stale=600)
        frozen_clock.advance(660)
        assert face.get_or_set("k", lambda: "new", fresh=60, stale=600) == "new"

    def test_an_entry_is_computed_anew_shortly_before_it_is_stale(self, face: Face, frozen_clock: FakeClock) -> None:
        """In its last moments it is served as fresh, and one computes already; not long before."""
        keys = [f"k{n}" for n in range(8)]
        options = {"fresh": 60, "stale": 600}
        for key in keys:
            face.get_or_set(key, lambda: "old", **options)
        too_early, nearly = 60 * (1 - JITTER) * (1 - EARLY) - 0.01, 60 * (1 - JITTER) - 0.01
        frozen_clock.advance(too_early)
        assert [face.get_or_set(key, lambda: "too early", **options) for key in keys] == ["old"] * 8
        frozen_clock.advance(nearly - too_early)
        assert [face.get_or_set(key, lambda: "new", **options) for key in keys] == ["old"] * 8
        face.until(lambda: "new" in face.get_many(keys).values())
        assert set(face.get_many(keys).values()) <= {"old", "new"}
        assert face.stats().stale == 0

    def test_a_failed_refresh_leaves_the_stale_value(self, face: Face, frozen_clock: FakeClock) -> None:
        """It is served until its time ends, and then the error is the caller's."""
        failed = threading.Event()

        def fail() -> None:
            failed.set()
            raise LookupError("no")

        face.get_or_set("k", lambda: "old", fresh=60, stale=600)
        frozen_clock.advance(60)
        assert face.get_or_set("k", fail, fresh=60, stale=600) == "old"
        face.until(failed.is_set)
        assert face.get_or_set("k", fail, fresh=60, stale=600) == "old"
        frozen_clock.advance(600)
        with pytest.raises(LookupError):
            face.get_or_set("k", fail, fresh=60, stale=600)

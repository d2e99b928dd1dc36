"""Stale while one computes anew: callers are served at once, and one refresh runs in the background."""

from __future__ import annotations

import asyncio
import logging
import threading

import pytest

from postrmagic_core.cache import CacheManager
from postrmagic_core.cache.flights import Flight
from postrmagic_core.stores import acquire
from postrmagic_core.stores.adapters.memory import MemoryStore
from postrmagic_core.testing import FakeClock


@pytest.fixture
def landed(monkeypatch: pytest.MonkeyPatch) -> threading.Semaphore:
    """Counts the flights that have ended."""
    ended, leave = threading.Semaphore(0), Flight.leave

    def counted(flight: Flight, outcome: object) -> None:
        first = not flight.future.done()
        leave(flight, outcome)  # type: ignore[arg-type]  # handed on unchanged
        if first:
            ended.release()

    monkeypatch.setattr(Flight, "leave", counted)
    return ended


def test_a_stale_value_is_served_while_one_computes_anew(landed: threading.Semaphore) -> None:
    """The callers get the old value without waiting; one computation runs; the next callers get the new value."""
    clock, go = FakeClock(), threading.Event()
    computed = []

    def load() -> str:
        assert go.wait(10)
        computed.append(threading.current_thread())
        return "new"

    with CacheManager(MemoryStore(), clock=clock) as cache:
        cache.get_or_set("k", lambda: "old", fresh=60, stale=600)
        assert landed.acquire(timeout=10)
        clock.advance(60)
        assert [cache.get_or_set("k", load, fresh=60, stale=600) for _ in range(5)] == ["old"] * 5
        go.set()
        assert landed.acquire(timeout=10)
        assert cache.get_or_set("k", load, fresh=60, stale=600) == "new"
        assert len(computed) == 1
        assert computed[0] is not threading.current_thread()
        assert cache.stats().stale == 5


def test_the_async_face_refreshes_in_a_task_of_its_loop(landed: threading.Semaphore) -> None:
    """No thread computes, and the caller does not wait."""
    clock = FakeClock()
    threads: list[threading.Thread] = []

    async def load() -> str:
        threads.append(threading.current_thread())
        return "new"

    async def main(cache: CacheManager) -> None:
        assert await cache.aio.get_or_set("k", lambda: "old", fresh=60, stale=600) == "old"
        assert landed.acquire(timeout=10)
        clock.advance(60)
        assert await cache.aio.get_or_set("k", load, fresh=60, stale=600) == "old"
        assert await asyncio.to_thread(landed.acquire, timeout=10)
        assert await cache.aio.get_or_set("k", load, fresh=60, stale=600) == "new"

    with CacheManager(MemoryStore(), clock=clock) as cache:
        asyncio.run(main(cache))
        assert threads == [threading.current_thread()]


def test_a_failed_refresh_leaves_the_stale_value(landed: threading.Semaphore, caplog: pytest.LogCaptureFixture) -> None:
    """It is logged, the old value is served until its time ends, and then the error is the caller's."""
    clock = FakeClock()

    def fail() -> str:
        raise LookupError("no")

    with CacheManager(MemoryStore(), clock=clock) as cache, caplog.at_level(logging.WARNING, "postrmagic_core.cache"):
        cache.get_or_set("k", lambda: "old", fresh=60, stale=600)
        assert landed.acquire(timeout=10)
        clock.advance(60)
        assert cache.get_or_set("k", fail, fresh=60, stale=600) == "old"
        assert landed.acquire(timeout=10)
        assert "could not be computed anew" in caplog.text
        clock.advance(600)
        with pytest.raises(LookupError):
            cache.get_or_set("k", fail, fresh=60, stale=600)


def test_nobody_refreshes_what_another_process_does(landed: threading.Semaphore) -> None:
    """While the lease is another's, the stale value is served and nothing computed."""
    clock, store = FakeClock(), MemoryStore()
    with CacheManager(store, clock=clock) as cache:
        cache.get_or_set("k", lambda: "old", fresh=60, stale=600)
        assert landed.acquire(timeout=10)
        clock.advance(60)
        assert acquire(store, cache.access.keys.lease("k"), ttl=60) is not None
        assert cache.get_or_set("k", lambda: "new", fresh=60, stale=600) == "old"
        assert landed.acquire(timeout=10)
        assert cache.stats().computes == 1


def test_a_stale_value_is_not_served_past_an_invalidation() -> None:
    """Stale means old, never invalid."""
    clock = FakeClock()
    with CacheManager(MemoryStore(), clock=clock) as cache:
        cache.get_or_set("k", lambda: "old", fresh=60, stale=600, tags=["t"])
        clock.advance(60)
        cache.invalidate("t")
        assert cache.get_or_set("k", lambda: "new", fresh=60, stale=600, tags=["t"]) == "new"

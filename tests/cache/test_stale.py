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


@pytest.fixture
def full_length(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chance takes nothing away from fresh times."""
    monkeypatch.setattr("postrmagic_core.cache.filling.random.random", lambda: 0.0)


@pytest.mark.usefixtures("full_length")
def test_an_entry_that_may_become_stale_is_computed_anew_before(landed: threading.Semaphore) -> None:
    """In the last tenth of its fresh time: whoever asks then is served, and nobody gets a stale value."""
    clock, values = FakeClock(), iter(["old", "new"])
    with CacheManager(MemoryStore(clock=clock), clock=clock) as cache:

        def ask() -> str:
            return cache.get_or_set("k", lambda: next(values), fresh=100, stale=600)

        assert ask() == "old"
        assert landed.acquire(timeout=10)
        clock.advance(89.9)
        assert [ask(), ask()] == ["old"] * 2
        assert not landed.acquire(blocking=False)
        clock.advance(0.2)
        assert cache.get("k") == "old"
        assert ask() == "old"
        assert landed.acquire(timeout=10)
        assert ask() == "new"
        assert (cache.stats().computes, cache.stats().stale) == (2, 0)


@pytest.mark.usefixtures("full_length")
def test_an_entry_that_never_becomes_stale_is_not_computed_ahead() -> None:
    """Its callers compute themselves, when it has ended."""
    clock, computed = FakeClock(), []
    with CacheManager(MemoryStore(clock=clock), clock=clock) as cache:
        began = clock.monotonic()
        for _ in range(150):
            cache.get_or_set("k", lambda: computed.append(clock.monotonic() - began), fresh=100)
            clock.advance(1)
    assert computed == [0, 100]


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

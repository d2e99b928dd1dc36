"""The store is away: the namespace's policy decides, every time, and the cache heals by itself."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import pytest

from postrmagic_core.cache import CacheManager
from postrmagic_core.errors import BackendError, BackendTimeout, BackendUnavailable, ConfigurationError
from postrmagic_core.stores import acquire
from postrmagic_core.stores.adapters.memory import MemoryStore
from postrmagic_core.testing import FakeClock
from tests.backends import Flaky

# Seconds that a busy machine may add to a promised time.
SLACK = 2.0


@pytest.fixture
def store() -> Flaky:
    """A store that can be away."""
    return Flaky()


def test_open_computes_and_counts(store: Flaky, caplog: pytest.LogCaptureFixture) -> None:
    """Reads are misses, writes do nothing, values are computed; logged once, counted every time; then it heals."""
    with CacheManager(store) as cache, caplog.at_level(logging.INFO, "postrmagic_core.cache"):
        cache.set("k", "stored", 60)
        store.away = True
        assert cache.get("k") is None
        cache.set("k", "dropped", 60)
        assert cache.get_or_set("k", lambda: "computed", fresh=60) == "computed"
        assert cache.get_or_set("k", lambda: "again", fresh=60) == "again"
        stats = cache.stats()
        assert (stats.computes, stats.alone) == (2, 2)
        assert stats.errors >= 4
        store.away = False
        assert cache.get("k") == "stored"
        texts = [record.getMessage() for record in caplog.records]
        assert texts == ["the cache's store is away (backend.unavailable); policy: open", "the cache's store is back"]


def test_a_store_that_comes_and_goes_fills_no_log(store: Flaky, caplog: pytest.LogCaptureFixture) -> None:
    """It is said that it is away, at most once a minute; each failure is counted."""
    clock = FakeClock()
    with CacheManager(store, clock=clock) as cache:
        for _ in range(61):
            for store.away in (True, False):
                cache.get("k")
            clock.advance(1.0)
        assert cache.stats().errors == 61
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]


def test_stale_serves_what_this_process_saw_last(store: Flaky) -> None:
    """Until the entry's stale time ends; what it never saw is computed; its own invalidations hold."""
    clock = FakeClock()
    with CacheManager(store, unavailable="stale", clock=clock) as cache:
        cache.get_or_set("k", lambda: "seen", fresh=60, stale=600, tags=["t"])
        store.away = True
        clock.advance(600)
        assert cache.get_or_set("k", lambda: "computed", fresh=60, stale=600, tags=["t"]) == "seen"
        assert cache.get("k") == "seen"
        assert cache.get_or_set("other", lambda: "computed", fresh=60) == "computed"
        with pytest.raises(BackendUnavailable):
            cache.invalidate("t")
        assert cache.get_or_set("k", lambda: "anew", fresh=60, stale=600, tags=["t"]) == "anew"


def test_closed_raises(store: Flaky) -> None:
    """Nothing is computed without the promise to be the only one."""
    with CacheManager(store, unavailable="closed") as cache:
        store.away = True
        for call in (
            lambda: cache.get("k"),
            lambda: cache.get_many(["k"]),
            lambda: cache.set("k", 1, 60),
            lambda: cache.set("k", 1, 60, tags=["t"]),
            lambda: cache.get_or_set("k", lambda: 1, fresh=60),
        ):
            with pytest.raises(BackendUnavailable):
                call()
        assert cache.stats().computes == 0


@pytest.mark.parametrize("policy", ["open", "stale", "closed"])
def test_an_invalidation_is_never_dropped_silently(store: Flaky, policy: Literal["open", "stale", "closed"]) -> None:
    """Deleting and invalidating raise under every policy: the old value would be back with the store."""
    with CacheManager(store, unavailable=policy) as cache:
        store.away = True
        with pytest.raises(BackendUnavailable):
            cache.invalidate("t")
        with pytest.raises(BackendUnavailable):
            cache.delete("k")


def test_closed_does_not_compute_beside_another_process(store: Flaky) -> None:
    """Whose lease outlasts the wait: the error says so, and nothing was computed."""
    with CacheManager(store, unavailable="closed", lease=0.05, wait=0.2) as cache:
        assert acquire(store, cache.access.keys.lease("k"), ttl=60) is not None
        with pytest.raises(BackendTimeout, match="computed elsewhere"):
            cache.get_or_set("k", lambda: 1, fresh=60)
        assert cache.stats().computes == 0


def test_a_waiter_looks_at_most_twenty_times_a_second(store: Flaky, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten seconds of another's lease cost two hundred looks at most."""
    looks, get = [], MemoryStore.get

    def counted(self: MemoryStore, keys: Sequence[bytes]) -> list[bytes | None]:
        looks.append(keys)
        return get(self, keys)

    monkeypatch.setattr(MemoryStore, "get", counted)
    with CacheManager(store, wait=10, clock=FakeClock()) as cache:
        assert acquire(store, cache.access.keys.lease("k"), ttl=60) is not None
        cache.get_or_set("k", lambda: 1, fresh=60)
    assert 50 <= len(looks) <= 202


def test_open_computes_beside_another_process_and_counts_it(store: Flaky) -> None:
    """Whose lease outlasts the wait."""
    with CacheManager(store, lease=0.05, wait=0.2) as cache:
        assert acquire(store, cache.access.keys.lease("k"), ttl=60) is not None
        assert cache.get_or_set("k", lambda: 1, fresh=60) == 1
        assert cache.stats().alone == 1


def test_what_a_cache_cannot_work_with_is_refused() -> None:
    """A store without scripts over several keys, an unknown policy, a wait shorter than a lease."""

    class OneKey(MemoryStore):
        atomic: ClassVar[Literal["keys", "key"]] = "key"

    with pytest.raises(ConfigurationError, match="several keys"):
        CacheManager(OneKey())
    with pytest.raises(ValueError, match="'open', 'stale' or 'closed'"):
        CacheManager(MemoryStore(), unavailable="never")  # type: ignore[arg-type]  # the point of the test
    with pytest.raises(ValueError, match="lease < wait"):
        CacheManager(MemoryStore(), lease=5, wait=5)


@pytest.mark.redis
@pytest.mark.fault
def test_a_killed_redis_is_a_miss_and_back_it_is_used_again(own_redis_server: Any) -> None:
    """A real server, killed and started again: no call fails, and the cache works without a restart of its own."""
    from postrmagic_core.stores import open_store

    server = own_redis_server()
    opened = open_store(server.create_database(), timeout=0.5)
    with CacheManager(opened) as cache:
        assert cache.get_or_set("k", lambda: 1, fresh=60) == 1
        server.kill()
        assert cache.get_or_set("k", lambda: 2, fresh=60) == 2
        with pytest.raises(BackendError):
            cache.invalidate("t")
        server.start()
        healed_by = time.monotonic() + 5 + SLACK
        while cache.get_or_set("k", lambda: 3, fresh=60) == 3 and cache.get("k") != 3:
            assert time.monotonic() < healed_by
            time.sleep(0.05)
    opened.close()

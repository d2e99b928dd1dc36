"""Somebody sets the clock of a host: no entry is served longer than its time for it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from postrmagic_core.cache import CacheManager
from postrmagic_core.stores import open_store
from postrmagic_core.testing import FakeClock
from tests.backends import KINDS, TIERED, TIMEOUT

pytestmark = pytest.mark.fault

LIFE = 0.5


@pytest.fixture(params=[*KINDS, TIERED])
def cache(
    request: pytest.FixtureRequest, url_of: Callable[[str], str], frozen_clock: FakeClock
) -> Iterator[CacheManager]:
    """On a store of each kind; the host's clock is the test's, a server's own is not."""
    opened = open_store(url_of(request.param), timeout=TIMEOUT, clock=frozen_clock)
    with closing(opened) as store, CacheManager(store, clock=frozen_clock) as cache:
        yield cache


def passes(cache: CacheManager, clock: FakeClock, seconds: float) -> None:
    """Let so much time pass, and a little, for the store as for the host."""
    if cache.store.clock == "store":
        time.sleep(seconds * 1.2)
    clock.advance(seconds * 1.2)


def test_a_clock_set_back_prolongs_no_entry(cache: CacheManager, frozen_clock: FakeClock) -> None:
    """What was stored an hour ahead is gone when its time is over, with tags and without."""
    cache.set("plain", "v", LIFE)
    cache.get_or_set("tagged", lambda: "v", fresh=LIFE, tags=["t"])
    frozen_clock.jump(-3600)
    passes(cache, frozen_clock, LIFE)
    assert cache.get("plain") is None
    assert cache.get("tagged") is None
    assert cache.get_or_set("tagged", lambda: "anew", fresh=LIFE, tags=["t"]) == "anew"


def test_a_clock_set_forth_costs_a_computation_and_no_more(cache: CacheManager, frozen_clock: FakeClock) -> None:
    """What is there may look over, and is computed anew; from then on it is served again."""
    cache.get_or_set("k", lambda: "before", fresh=60, tags=["t"])
    frozen_clock.jump(3600)
    assert cache.get_or_set("k", lambda: "after", fresh=60, tags=["t"]) in {"before", "after"}
    there = cache.get("k")
    assert there in {"before", "after"}
    assert cache.get_or_set("k", lambda: "again", fresh=60, tags=["t"]) == there
    cache.invalidate("t")
    assert cache.get("k") is None

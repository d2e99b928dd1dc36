"""What was read lately is served from this process's memory, as long as the store still holds just that."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from pydantic import BaseModel

from postrmagic_core.cache import CacheManager, near
from postrmagic_core.database import DatabaseManager
from postrmagic_core.errors import NotOpen
from postrmagic_core.stores.adapters.memory import MemoryStore
from postrmagic_core.testing import FakeClock


class CountingStore(MemoryStore):
    """Notes each read."""

    reads = 0

    def get(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Count it."""
        self.reads += 1
        return super().get(keys)


class Poster(BaseModel):
    """A value of a type of its own."""

    title: str


@pytest.fixture
def store(frozen_clock: FakeClock) -> CountingStore:
    """A store whose time moves with the cache's."""
    return CountingStore(clock=frozen_clock)


@pytest.fixture
def cache(store: CountingStore, frozen_clock: FakeClock) -> Iterator[CacheManager]:
    """A cache that has stored, and read once, ``k`` under the tags ``x`` and ``y``."""
    with CacheManager(store, clock=frozen_clock) as opened:
        opened.set("k", "v", 60, tags=["x", "y"])
        opened.get("k")
        store.reads = 0
        yield opened


def test_what_was_read_lately_costs_no_operation(cache: CacheManager, store: CountingStore) -> None:
    """On either face, and it counts as a hit."""

    async def main() -> None:
        assert await cache.aio.get("k") == "v"
        assert await cache.aio.get_or_set("k", lambda: "other", fresh=60, tags=["y", "x"]) == "v"

    before = cache.stats().hits
    assert cache.get("k") == "v"
    assert cache.get_or_set("k", lambda: "other", fresh=60, tags=("x", "y", "x")) == "v"
    asyncio.run(main())
    assert (store.reads, cache.stats().hits - before) == (0, 4)


@pytest.mark.parametrize(
    "value", [["a", {"b": 1}], ({"a"},), {"at": dt.datetime(2026, 1, 2, tzinfo=dt.UTC)}, bytearray(b"x")]
)
def test_what_can_be_changed_is_given_to_nobody_twice(cache: CacheManager, value: Any) -> None:
    """Changing what one got changes nobody else's."""
    if isinstance(value, bytearray):
        kind: Any = list[int]
        value = [1, 2]
    else:
        kind = None
    cache.set("k", value, 60, kind=kind)
    first, second, third = (cache.get("k", kind=kind) for _ in range(3))
    assert first == second == third == value
    assert first is not second is not third


@pytest.mark.parametrize("value", ["text", b"bytes", 7, 1.5, None, True, (1, ("a", b"b")), frozenset({1}), dt.date.max])
def test_what_cannot_be_changed_is_given_as_it_is(cache: CacheManager, value: Any) -> None:
    """The same object each time."""
    cache.set("k", value, 60)
    cache.get("k")
    assert cache.get("k") == value
    assert cache.get("k") is cache.get("k")


def test_models_are_made_anew_and_other_types_are_misses(cache: CacheManager) -> None:
    """As from any store."""
    cache.set("k", Poster(title="a"), 60, kind=Poster)
    first, second = cache.get("k", kind=Poster), cache.get("k", kind=Poster)
    assert first == second == Poster(title="a")
    assert first is not second
    assert cache.get("k", "other type") == "other type"
    assert cache.get("k", "other type", kind=list[Poster]) == "other type"
    assert cache.get("k", kind=Poster) == first


def test_every_end_of_an_entry_is_seen_at_once(
    cache: CacheManager, store: CountingStore, frozen_clock: FakeClock
) -> None:
    """Whoever ends it: this cache, another one on the store, time, or the store's own bound."""
    with CacheManager(store, clock=frozen_clock) as other:
        ends: dict[str, Callable[[], object]] = {
            "deleted": lambda: other.delete("k"),
            "invalidated": lambda: other.invalidate("y"),
            "cleared": other.clear,
            "expired": lambda: frozen_clock.advance(60),
            "evicted": lambda: store.set({b"%d" % number: b"x" for number in range(100_000)}, None),
        }
        for name, end in ends.items():
            cache.set("k", name, 60, tags=["x", "y"])
            assert (cache.get("k"), cache.get("k")) == (name, name)
            end()
            assert cache.get("k", "gone") == "gone", name
        other.set("k", "theirs", 60)
        assert cache.get("k") == "theirs"


def test_a_wall_clock_that_is_set_back_prolongs_nothing(store: CountingStore, frozen_clock: FakeClock) -> None:
    """How long a value is at hand follows the clock that nobody sets."""
    with CacheManager(store, clock=frozen_clock) as cache:
        cache.set("k", "v", 60)
        assert (cache.get("k"), cache.get("k")) == ("v", "v")
        frozen_clock.jump(-3600)
        frozen_clock.advance(60)
        assert cache.get("k") is None


def test_other_tags_than_asked_for_are_a_miss(cache: CacheManager) -> None:
    """A computation under other tags would be invalidated by other writes."""
    assert cache.get_or_set("k", lambda: "new", fresh=60, tags=["x"]) == "new"
    assert cache.get_or_set("k", lambda: "newer", fresh=60) == "newer"


def test_inside_a_write_unit_nothing_at_hand_is_served(tmp_path: Any, store: CountingStore) -> None:
    """What the unit changed would be missing from it."""
    with DatabaseManager(f"sqlite:///{tmp_path / 'app.db'}") as db, CacheManager(store, database=db) as cache:
        for _ in range(2):
            assert cache.get_or_set("k", lambda: "old", fresh=60) == "old"
        with db.write():
            assert cache.get_or_set("k", lambda: "seen by the unit", fresh=60) == "seen by the unit"
        assert cache.get_or_set("k", lambda: "other", fresh=60) == "old"


def test_a_closed_cache_serves_nothing(cache: CacheManager) -> None:
    """It says so, as it does without anything at hand."""
    cache.close()
    with pytest.raises(NotOpen):
        cache.get("k")
    with pytest.raises(NotOpen):
        cache.get_or_set("k", lambda: 1, fresh=60)


def test_what_is_at_hand_has_a_bound(store: CountingStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of bytes: the oldest goes first; a large value is read from the store each time."""
    monkeypatch.setattr(near, "_MOST", 3000)
    monkeypatch.setattr(near, "_LARGEST", 2000)
    with CacheManager(store) as cache:
        for key in "abcde":
            cache.set(key, "x" * 900, 60)
            cache.get(key)
        cache.set("large", "x" * 2000, 60)
        cache.get("large")
        store.reads = 0
        assert [len(cache.get(key)) for key in ("c", "d", "e")] == [900] * 3
        assert store.reads == 0
        assert [len(cache.get(key)) for key in ("a", "b", "large", "large")] == [900, 900, 2000, 2000]
        assert store.reads == 4


def test_a_hot_entry_at_hand_is_not_the_first_to_be_evicted() -> None:
    """A look counts as use."""
    store = MemoryStore(max_entries=3)
    with CacheManager(store) as cache:
        for key in ("hot", "b", "c"):
            cache.set(key, key, 60)
            cache.get(key)
        cache.get("hot")
        cache.set("d", "d", 60)
        assert cache.get("hot") == "hot"
        assert cache.get("b") is None

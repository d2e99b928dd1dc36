"""What a cache promises, the same on every store and either face."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from itertools import count
from typing import Any

import pytest
from pydantic import BaseModel

from postrmagic_core.cache import CacheManager
from postrmagic_core.errors import EncodeError, NotOpen, RecursiveCompute
from postrmagic_core.stores import Store
from postrmagic_core.testing import FakeClock


@pytest.fixture
def load() -> Callable[[], int]:
    """A computation that answers how often it ran."""
    numbers = count(1)
    return lambda: next(numbers)


class Poster(BaseModel):
    """A value of a type of its own."""

    title: str
    at: dt.datetime


class PosterWithVenue(Poster):
    """The same after a deploy."""

    venue: str = ""


def test_a_value_comes_back_with_its_types(face: Any) -> None:
    """Stored is what was given, to the type; deleted is gone."""
    value = {"price": Decimal("9.90"), "at": dt.datetime(2026, 1, 2, tzinfo=dt.UTC), "ids": (1, 2), 3: {b"x"}}
    face.set("k", value, 60)
    assert face.get("k") == value
    assert face.get_many(["k", "other"]) == {"k": value}
    assert face.delete("k", "other") == 1
    assert face.get("k", "nothing") == "nothing"


def test_none_is_a_value(face: Any, load: Callable[[], int]) -> None:
    """A computation that found nothing is not made again."""
    assert face.get_or_set("k", lambda: None, fresh=60) is None
    assert face.get_or_set("k", load, fresh=60) is None
    assert face.get("k", "nothing") is None


def test_a_value_is_computed_once_while_it_is_fresh(
    face: Any, load: Callable[[], int], frozen_clock: FakeClock
) -> None:
    """Fresh: served. Past it: computed anew."""
    assert [face.get_or_set("k", load, fresh=60) for _ in range(3)] == [1, 1, 1]
    frozen_clock.advance(60)
    assert face.get("k") is None
    assert face.get_or_set("k", load, fresh=60) == 2


def test_invalidating_a_tag_ends_every_entry_under_it(face: Any, load: Callable[[], int]) -> None:
    """In one operation, whatever the number of entries, and no others."""
    for key, tags in (("a", ["x"]), ("b", ["x", "y"]), ("c", ["y"]), ("d", [])):
        face.get_or_set(key, load, fresh=60, tags=tags)
    face.invalidate("x")
    assert face.get_many(["a", "b", "c", "d"]) == {"c": 3, "d": 4}
    assert face.get_or_set("a", load, fresh=60, tags=["x"]) == 5
    assert face.get_or_set("a", load, fresh=60, tags=["x"]) == 5


def test_a_value_computed_before_an_invalidation_is_never_served(face: Any, cache: CacheManager) -> None:
    """Read, then invalidated by another, then stored: the next caller computes from what is true now."""
    truth = ["old"]

    def read_then_overtaken() -> str:
        read = truth[0]
        truth[0] = "new"
        cache.invalidate("t")
        return read

    assert face.get_or_set("k", read_then_overtaken, fresh=60, tags=["t"]) == "old"
    assert face.get("k") is None
    assert face.get_or_set("k", lambda: truth[0], fresh=60, tags=["t"]) == "new"


def test_a_set_under_captured_tags_is_void_after_an_invalidation(face: Any) -> None:
    """capture(), read, invalidated by another, set(): nothing of it is served."""
    tags = face.capture(["t"])
    face.invalidate("t")
    face.set("k", "old", 60, tags=tags)
    assert face.get("k") is None
    face.set("k", "new", 60, tags=face.capture(["t"]))
    assert face.get("k") == "new"


def test_tags_given_in_another_order_are_the_same_tags(face: Any, load: Callable[[], int]) -> None:
    """As names or as captured."""
    backwards = dict(reversed(face.capture(["a", "b"]).items()))
    calls = [["a", "b"], ["b", "a"], backwards]
    assert [face.get_or_set("k", load, fresh=60, tags=tags) for tags in reversed(calls)] == [1, 1, 1]


def test_an_evicted_tag_is_a_miss_and_never_a_match(face: Any, store: Store, load: Callable[[], int]) -> None:
    """A generation that was lost never comes back, so what was stored under it is never served again."""
    [tag] = face.cache.access.keys.tags(["t"])
    assert face.get_or_set("k", load, fresh=60, tags=["t"]) == 1
    store.delete([tag])
    assert face.get("k") is None
    assert face.get_or_set("k", load, fresh=60, tags=["t"]) == 2
    store.delete([tag])
    face.invalidate("t")
    assert face.get("k") is None


def test_a_call_with_other_tags_computes(face: Any, load: Callable[[], int]) -> None:
    """An entry was stored under the tags it was asked with: others would not end it."""
    face.get_or_set("k", load, fresh=60, tags=["a"])
    assert face.get_or_set("k", load, fresh=60, tags=["a", "b"]) == 2


def test_an_exception_is_the_callers_and_is_not_stored(face: Any, load: Callable[[], int]) -> None:
    """The next caller computes."""
    with pytest.raises(ZeroDivisionError):
        face.get_or_set("k", lambda: 1 // 0, fresh=60)
    assert face.get_or_set("k", load, fresh=60) == 1


def test_ones_own_key_inside_its_computation_is_refused(face: Any, cache: CacheManager) -> None:
    """Waiting for oneself would never end; another key is fine."""
    assert face.get_or_set("a", lambda: cache.get_or_set("b", lambda: 1, fresh=60), fresh=60) == 1
    with pytest.raises(RecursiveCompute):
        face.get_or_set("k", lambda: cache.get_or_set("k", lambda: 1, fresh=60), fresh=60)


def test_clear_keeps_to_its_namespace(face: Any, store: Store) -> None:
    """Another namespace, though its name begins alike, keeps its entries; so does a lease under way."""
    store.set({b"foreign": b"1"}, None)
    with CacheManager(store, namespace="app2") as other:
        other.set("k", 1, 60)
        face.set("a", 1, 60)
        face.set("b", 2, 60)
        assert face.clear() == 2
        assert face.get_many(["a", "b"]) == {}
        assert other.get("k") == 1
    assert store.get([b"foreign"]) == [b"1"]


def test_values_of_a_type_come_back_as_that_type(face: Any) -> None:
    """And an entry of the type as it was before a deploy is a miss, though its bytes would fit."""
    poster = Poster(title="Gala", at=dt.datetime(2026, 1, 2, tzinfo=dt.UTC))
    assert face.get_or_set("k", lambda: poster, fresh=60, kind=Poster) == poster
    found = face.get("k", kind=Poster)
    assert type(found) is Poster
    assert found == poster
    assert face.get("k", kind=PosterWithVenue) is None
    assert face.get("k") is None


def test_a_value_without_a_lossless_encoding_is_refused(face: Any) -> None:
    """The caller learns it at once, and nothing is stored."""
    with pytest.raises(EncodeError, match="object"):
        face.set("k", object(), 60)
    with pytest.raises(EncodeError, match="object"):
        face.get_or_set("k", object, fresh=60)
    assert face.get("k") is None


def test_unreadable_entries_are_misses_and_counted(face: Any, store: Store, load: Callable[[], int]) -> None:
    """Bytes of anything else are computed over, and what would run code in another library is inert."""
    canary = b"cos\nsystem\n(S'touch canary'\ntR."
    name = face.cache.access.keys.entry("k")
    store.set({name: canary}, None)
    assert face.get("k") is None
    assert face.get_or_set("k", load, fresh=60) == 1
    assert face.get("k") == 1
    assert face.stats().unreadable == 3


def test_what_is_counted(face: Any, load: Callable[[], int], frozen_clock: FakeClock) -> None:
    """Hits, misses and computations, by namespace."""
    face.get_or_set("k", load, fresh=60)
    face.get_or_set("k", load, fresh=60)
    face.get("k")
    face.get("other")
    stats = face.stats()
    assert (stats.hits, stats.misses, stats.computes, stats.alone, stats.errors) == (2, 2, 1, 0, 0)


def test_a_closed_cache_says_so(store: Store) -> None:
    """Before open() and after close()."""
    with pytest.raises(NotOpen):
        CacheManager(store).get("k")

"""The cache contract on tags: nothing is served past an invalidation, whatever was under way; and on units."""

from __future__ import annotations

from typing import Any

import pytest

from postrmagic_core._unit import entered
from postrmagic_core.cache import CacheManager
from postrmagic_core.errors import DecodeError, OutsideUnit
from postrmagic_core.stores import Store
from postrmagic_core.testing import FakeClock

from .cache_rig import Face, Opener, Row, Transaction, numbers


class TagPromises:
    """Mixed into :class:`~postrmagic_core.testing.contracts.cache.CacheContract`."""

    def test_invalidating_a_tag_ends_every_entry_under_it(self, face: Face) -> None:
        """In one operation, whatever the number of entries, and no others."""
        load = numbers()
        for key, tags in (("a", ["x"]), ("b", ["x", "y"]), ("c", ["y"]), ("d", [])):
            face.get_or_set(key, load, fresh=60, tags=tags)
        face.invalidate("x")
        assert face.get_many(["a", "b", "c", "d"]) == {"c": 3, "d": 4}
        assert face.get_or_set("a", load, fresh=60, tags=["x"]) == 5
        assert face.get_or_set("a", load, fresh=60, tags=["x"]) == 5

    def test_an_invalidation_is_seen_by_every_cache(self, face: Face, open_cache: Opener) -> None:
        """Another one on the same store, which served the value a moment ago, serves it no more."""
        other = face.of(open_cache())
        face.get_or_set("k", lambda: "old", fresh=60, tags=["t"])
        assert [other.get_or_set("k", lambda: "new", fresh=60, tags=["t"]) for _ in range(2)] == ["old", "old"]
        face.invalidate("t")
        assert other.get("k") is None
        assert other.get_or_set("k", lambda: "new", fresh=60, tags=["t"]) == "new"
        assert face.get("k") == "new"

    def test_a_value_computed_before_an_invalidation_is_never_served(self, face: Face, cache: CacheManager) -> None:
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

    def test_a_set_under_captured_tags_is_void_after_an_invalidation(self, face: Face) -> None:
        """capture(), read, invalidated by another, set(): nothing of it is served."""
        tags = face.capture(["t"])
        face.invalidate("t")
        face.set("k", "old", 60, tags=tags)
        assert face.get("k") is None
        face.set("k", "new", 60, tags=face.capture(["t"]))
        assert face.get("k") == "new"

    def test_tags_given_in_another_order_are_the_same_tags(self, face: Face) -> None:
        """As names or as captured."""
        load = numbers()
        backwards = dict(reversed(face.capture(["a", "b"]).items()))
        calls: list[Any] = [["a", "b"], ["b", "a"], backwards]
        assert [face.get_or_set("k", load, fresh=60, tags=tags) for tags in reversed(calls)] == [1, 1, 1]

    def test_an_evicted_tag_is_a_miss_and_never_a_match(self, face: Face, store: Store) -> None:
        """A generation that was lost never comes back, so what was stored under it is never served again."""
        load = numbers()
        [tag] = face.cache.access.keys.tags(["t"])
        assert face.get_or_set("k", load, fresh=60, tags=["t"]) == 1
        store.delete([tag])
        assert face.get("k") is None
        assert face.get_or_set("k", load, fresh=60, tags=["t"]) == 2
        store.delete([tag])
        face.invalidate("t")
        assert face.get("k") is None

    def test_a_call_with_other_tags_computes(self, face: Face) -> None:
        """An entry was stored under the tags it was asked with: others would not end it."""
        load = numbers()
        face.get_or_set("k", load, fresh=60, tags=["a"])
        assert face.get_or_set("k", load, fresh=60, tags=["a", "b"]) == 2

    def test_a_stale_value_is_not_served_past_an_invalidation(self, face: Face, frozen_clock: FakeClock) -> None:
        """Stale means old, never invalid."""
        face.get_or_set("k", lambda: "old", fresh=60, stale=600, tags=["t"])
        frozen_clock.advance(60)
        face.invalidate("t")
        assert face.get_or_set("k", lambda: "new", fresh=60, stale=600, tags=["t"]) == "new"

    def test_a_lone_string_is_no_collection_of_tags(self, face: Face) -> None:
        """Its letters are hardly meant."""
        with pytest.raises(TypeError, match=r"\['posters'\]"):
            face.get_or_set("k", lambda: 1, fresh=60, tags="posters")

    def test_an_invalidation_in_a_unit_waits_for_its_commit(self, face: Face) -> None:
        """Before: served as ever. After a commit: gone. After a rollback: untouched."""
        face.set("k", 1, 60, tags=["t"])
        rolled_back, committed = Transaction(), Transaction()
        with entered(rolled_back):
            face.invalidate("t", tx=rolled_back)
        assert face.get("k") == 1
        with entered(committed):
            face.invalidate("t", tx=committed)
            assert face.get("k") == 1
        committed.commit()
        assert face.get("k") is None

    def test_what_was_staged_invalidates_when_it_is_delivered(self, face: Face) -> None:
        """The backup should the process die after the commit; delivered twice it does no harm."""
        face.set("k", 1, 60, tags=["t"])
        unit = Transaction()
        face.invalidate("t", tx=unit)
        [(topic, payload)] = unit.staged
        assert topic == "cache"
        for _ in range(2):
            face.cache.deliver(unit, Row(payload))
            assert face.get("k") is None
        with pytest.raises(DecodeError):
            face.cache.deliver(unit, Row(b"?"))

    def test_a_delivery_reaches_the_namespace_that_staged_it(self, face: Face, open_cache: Opener) -> None:
        """One route serves all namespaces of a store."""
        a, b = (face.of(open_cache(namespace=name)) for name in ("a", "b"))
        for one in (a, b):
            one.set("k", 1, 60, tags=["t"])
        unit = Transaction()
        a.invalidate("t", tx=unit)
        b.cache.deliver(unit, Row(unit.staged[0][1]))
        assert (a.get("k"), b.get("k")) == (None, 1)

    def test_inside_a_unit_values_are_computed_neither_read_nor_stored(self, cache: CacheManager) -> None:
        """What the unit sees may never commit, and what is cached may be older than what it wrote."""
        cache.get_or_set("k", lambda: "committed", fresh=60)
        with entered(Transaction()):
            assert cache.get_or_set("k", lambda: "uncommitted", fresh=60) == "uncommitted"
        assert cache.get_or_set("k", lambda: "anew", fresh=60) == "committed"

    def test_invalidating_inside_a_unit_without_it_is_refused(self, cache: CacheManager) -> None:
        """The unit may still roll back: say which is meant."""
        cache.set("k", 1, 60, tags=["t"])
        with entered(Transaction()):
            with pytest.raises(OutsideUnit, match="tx="):
                cache.invalidate("t")
            assert cache.get("k") == 1
            cache.invalidate("t", detached=True)
        assert cache.get("k") is None

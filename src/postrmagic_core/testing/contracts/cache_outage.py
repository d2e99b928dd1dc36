"""The cache contract while the store is away, and on ``clear()``: what is not the cache's own stays as it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from postrmagic_core.errors import BackendUnavailable, Unsupported
from postrmagic_core.stores import Store, SupportsScan, acquire
from postrmagic_core.testing import FakeClock

from .cache_rig import Face, Opener, Watched, numbers


def _foreign(prefix: bytes) -> list[bytes]:
    """Keys like those of the entries that begin with ``prefix``, and none of them one."""
    alike = [prefix[:-1], prefix[:-1] + b"0:k", prefix[:-2] + b":k", b"x" + prefix + b"k", prefix.swapcase() + b"k"]
    return [*alike, b"k", b"{app}", b"{app}:", b"{app}:session:k", b"{app2}:k", b"*", b"\x00", b"\xff"]


class OutagePromises:
    """Mixed into :class:`~postrmagic_core.testing.contracts.cache.CacheContract`."""

    def test_open_computes_and_heals(self, face: Face, open_cache: Opener, watched: Watched) -> None:
        """Reads are misses, writes do nothing, values are computed and all of it counted; back, it is used again."""
        load, face = numbers(), face.of(open_cache(watched))
        face.set("k", "stored", 60)
        watched.away = True
        assert face.get("k") is None
        assert face.get_many(["k"]) == {}
        face.set("k", "dropped", 60)
        assert [face.get_or_set("k", load, fresh=60, tags=tags) for tags in ([], ["t"])] == [1, 2]
        stats = face.stats()
        assert (stats.computes, stats.alone) == (2, 2)
        assert stats.errors >= 5
        watched.away = False
        assert face.get("k") == "stored"
        assert face.get_or_set("k", load, fresh=60) == "stored"

    def test_stale_serves_what_was_seen(
        self, face: Face, open_cache: Opener, watched: Watched, frozen_clock: FakeClock
    ) -> None:
        """Until its stale time ends, and never what this process itself invalidated since; written by whomever."""
        face.set("by get", "seen", 601)
        face.set("by get_many", "seen", 601, tags=["other"])
        face = face.of(open_cache(watched, unavailable="stale"))
        options: dict[str, Any] = {"fresh": 60, "stale": 600, "tags": ["t"]}
        for key in ("k", "invalidated"):
            face.get_or_set(key, lambda: "seen", **options)
        assert face.get("by get") == "seen"
        assert face.get_many(["by get_many"]) == {"by get_many": "seen"}
        watched.away = True
        frozen_clock.advance(600)
        assert face.get_or_set("k", lambda: "computed", **options) == "seen"
        assert face.get("k") == "seen"
        assert face.get_many(["by get", "by get_many"]) == {"by get": "seen", "by get_many": "seen"}
        assert face.get_or_set("other", lambda: "computed", fresh=60) == "computed"
        with pytest.raises(BackendUnavailable):
            face.invalidate("t")
        assert face.get_or_set("invalidated", lambda: "computed", **options) == "computed"
        frozen_clock.advance(61)
        assert face.get_or_set("k", lambda: "computed", **options) == "computed"

    def test_closed_raises_and_computes_nothing(self, face: Face, open_cache: Opener, watched: Watched) -> None:
        """Nobody computes who cannot know to be the only one."""
        face = face.of(open_cache(watched, unavailable="closed"))
        face.set("k", "stored", 60)
        watched.away = True
        calls: list[Callable[[], object]] = [
            lambda: face.get("k"),
            lambda: face.get_many(["k"]),
            lambda: face.set("k", 1, 60),
            lambda: face.set("k", 1, 60, tags=["t"]),
            lambda: face.get_or_set("k", lambda: 1, fresh=60),
            lambda: face.get_or_set("other", lambda: 1, fresh=60, tags=["t"]),
        ]
        for call in calls:
            with pytest.raises(BackendUnavailable):
                call()
        assert face.stats().computes == 0
        watched.away = False
        assert face.get("k") == "stored"

    @pytest.mark.parametrize("policy", ["open", "stale", "closed"])
    def test_an_invalidation_is_never_dropped_silently(
        self, face: Face, open_cache: Opener, watched: Watched, policy: str
    ) -> None:
        """Deleting and invalidating raise under every policy: the old value would be back with the store."""
        face = face.of(open_cache(watched, unavailable=policy))
        watched.away = True
        with pytest.raises(BackendUnavailable):
            face.invalidate("t")
        with pytest.raises(BackendUnavailable):
            face.delete("k")

    def test_clear_deletes_the_namespaces_entries_and_nothing_else(
        self, face: Face, store: Store, scanning: SupportsScan
    ) -> None:
        """Whatever others keep in the same store, however alike its name; tags and leases stay too."""
        foreign = _foreign(face.cache.access.keys.prefix)
        store.set(dict.fromkeys(foreign, b"foreign"), None)
        lease = acquire(store, face.cache.access.keys.lease("computed"), ttl=60)
        assert lease is not None
        for key in ("a", "*", "b\x00"):
            face.set(key, 1, 60, tags=["t"])
        assert face.clear() == 3
        assert face.get_many(["a", "*", "b\x00"]) == {}
        assert store.get(foreign) == [b"foreign"] * len(foreign)
        assert acquire(store, face.cache.access.keys.lease("computed"), ttl=60) is None
        assert store.get(face.cache.access.keys.tags(["t"])) != [None]
        assert face.clear() == 0

    @pytest.mark.parametrize("namespace", ["a.b", "a_b", "a-b", "a:b", "ab"])
    def test_clear_takes_a_namespace_by_its_letters(
        self, face: Face, open_cache: Opener, scanning: SupportsScan, namespace: str
    ) -> None:
        """No letter of it stands for any other, as in patterns of SQL, globs or regular expressions."""
        others = [face.of(open_cache(namespace=name)) for name in ("axb", "A.B", "a.bc", "a", "b", "AB")]
        for other in others:
            other.set("k", 1, 60)
        own = face.of(open_cache(namespace=namespace))
        own.set("k", 1, 60)
        assert own.clear() == 1
        assert [other.get("k") for other in others] == [1] * len(others)

    def test_clear_is_refused_where_the_store_cannot_scan(self, face: Face, store: Store) -> None:
        """It is not forgotten silently; where the store can, an empty namespace has nothing to delete."""
        if isinstance(store, SupportsScan):
            assert face.clear() == 0
        else:
            with pytest.raises(Unsupported):
                face.clear()

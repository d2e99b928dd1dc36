"""What a cache tells of itself: what computing took, and what it saved, whoever computed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from postrmagic_core.cache import CacheManager
from postrmagic_core.cache.interface import CacheStats
from postrmagic_core.stores import Store
from postrmagic_core.testing import FakeClock


def slow(clock: FakeClock, value: object = b"v") -> Callable[[], Any]:
    """A computation of two seconds; an exception is raised."""

    def compute() -> object:
        clock.advance(2)
        if isinstance(value, Exception):
            raise value
        return value

    return compute


def figures(stats: CacheStats) -> tuple[int, float, float]:
    """Hits of either kind, seconds spent, seconds saved."""
    return stats.hits + stats.stale, stats.compute_seconds, stats.seconds_saved


def test_each_hit_saves_what_computing_took(face: Any, frozen_clock: FakeClock) -> None:
    """By whatever name it is read, and as often; a value stored by hand saved nobody anything."""
    for _ in range(4):
        face.get_or_set("k", slow(frozen_clock), fresh=60, stale=60, tags=["t"])
    assert figures(face.stats()) == (3, 2.0, 6.0)
    assert face.get("k") == b"v"
    assert face.get("k") == b"v"
    face.set("by hand", 1, 60)
    face.get_many(["k", "by hand", "nothing"])
    face.get("by hand")
    assert figures(face.stats()) == (8, 2.0, 12.0)


def test_a_plain_hit_counts_as_well(face: Any, frozen_clock: FakeClock) -> None:
    """The short way to the value of an entry without tags."""
    face.get_or_set("k", slow(frozen_clock), fresh=60)
    for _ in range(3):
        face.get("k")
    assert figures(face.stats()) == (3, 2.0, 6.0)


def test_who_did_not_compute_saves_too(store: Store, frozen_clock: FakeClock) -> None:
    """The cost travels with the entry: another process knows it."""
    with CacheManager(store, clock=frozen_clock) as one, CacheManager(store, clock=frozen_clock) as other:
        one.get_or_set("k", slow(frozen_clock), fresh=60)
        other.get_or_set("k", slow(frozen_clock), fresh=60)
        assert figures(one.stats()) == (0, 2.0, 0.0)
        assert figures(other.stats()) == (1, 0.0, 2.0)


def test_errors_and_nothing_save_as_values_do(face: Any, frozen_clock: FakeClock) -> None:
    """Where they are stored; a computation that fails took its time all the same."""
    for _ in range(3):
        with pytest.raises(LookupError):
            face.get_or_set("e", slow(frozen_clock, LookupError("gone")), fresh=60, negative=60, errors=(LookupError,))
        face.get_or_set("n", slow(frozen_clock, None), fresh=60, negative=60)
    assert figures(face.stats()) == (4, 4.0, 8.0)
    with pytest.raises(ValueError, match="wrong"):
        face.get_or_set("f", slow(frozen_clock, ValueError("wrong")), fresh=60)
    assert face.stats().compute_seconds == 6.0


def test_bytes_are_those_of_the_entries_stored(face: Any) -> None:
    """What invalidated, deleted or refused values took is not taken back."""
    assert face.stats().bytes == 0
    face.set("k", b"x" * 1000, 60)
    once = face.stats().bytes
    assert 1000 < once < 1100
    face.set("k", b"x" * 1000, 60)
    face.delete("k")
    assert face.stats().bytes == 2 * once
    assert face.stats().hit_rate == 0.0

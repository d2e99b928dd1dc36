"""The cache contract on values: they come back as themselves, computed once, in few trips to the store."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from pydantic import BaseModel

from postrmagic_core.cache import CacheManager
from postrmagic_core.errors import EncodeError, NotOpen, RecursiveCompute
from postrmagic_core.stores import Store
from postrmagic_core.testing import FakeClock

from .cache_rig import Face, Opener, Watched, numbers

VALUE: dict[Any, Any] = {
    "price": Decimal("9.90"),
    "at": dt.datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=dt.UTC),
    "day": dt.date(2026, 1, 2),
    "took": dt.timedelta(seconds=1.5),
    "id": UUID(int=7),
    "pair": (1, (2, None)),
    "set": {b"x", "x", 1.5},
    "frozen": frozenset({1}),
    "large": -(2**90),
    "text": "\x00ä€😀\U0010ffff",
    "nested": [[], {}, [{"": False}]],
    3: {b"": b"\x00\xff"},
}


class Colour(enum.Enum):
    """A value of a type of its own."""

    RED = "red"


@dataclasses.dataclass(frozen=True)
class Place:
    """A value of a type of its own."""

    hall: str
    seats: tuple[int, ...]


class Poster(BaseModel):
    """A value of a type of its own."""

    title: str
    at: dt.datetime
    place: Place = Place("", ())
    colour: Colour = Colour.RED


class PosterWithVenue(Poster):
    """The same after a deploy."""

    venue: str = ""


class ValuePromises:
    """Mixed into :class:`~postrmagic_core.testing.contracts.cache.CacheContract`."""

    def test_a_value_comes_back_with_its_types(self, face: Face) -> None:
        """Stored is what was given, to the type; deleted is gone."""
        face.set("k", VALUE, 60)
        found = face.get("k")
        assert found == VALUE
        assert [type(found[name]) for name in VALUE] == [type(value) for value in VALUE.values()]
        assert face.get_many(["k", "other"]) == {"k": VALUE}
        assert face.delete("k", "other") == 1
        assert face.get("k", "nothing") == "nothing"

    def test_every_caller_has_a_value_of_its_own(self, face: Face) -> None:
        """Who changes what it got changes nobody else's."""
        face.get_or_set("k", lambda: [1], fresh=60).append(2)
        face.get("k").append(3)
        face.get_or_set("k", list, fresh=60).append(4)
        assert face.get("k") == [1]

    def test_values_of_a_type_come_back_as_that_type(self, face: Face) -> None:
        """And an entry of the type as it was before a deploy is a miss, though its bytes would fit."""
        poster = Poster(title="Gala", at=dt.datetime(2026, 1, 2, tzinfo=dt.UTC), place=Place("Hall", (1, 2)))
        assert face.get_or_set("k", lambda: poster, fresh=60, kind=Poster) == poster
        found = face.get("k", kind=Poster)
        assert (type(found), found) == (Poster, poster)
        assert face.get("k", kind=PosterWithVenue) is None
        assert face.get("k") is None
        face.set("c", Colour.RED, 60, kind=Colour)
        assert face.get("c", kind=Colour) is Colour.RED

    def test_a_value_without_a_lossless_encoding_is_refused(self, face: Face) -> None:
        """The caller learns it at once, and nothing is stored."""
        with pytest.raises(EncodeError, match="object"):
            face.set("k", object(), 60)
        with pytest.raises(EncodeError, match="object"):
            face.get_or_set("k", object, fresh=60)
        assert face.get("k") is None

    def test_a_value_is_computed_once_while_it_is_fresh(self, face: Face, frozen_clock: FakeClock) -> None:
        """Fresh: served. Past it: computed anew."""
        load = numbers()
        assert [face.get_or_set("k", load, fresh=60) for _ in range(3)] == [1, 1, 1]
        frozen_clock.advance(60)
        assert face.get("k") is None
        assert face.get_or_set("k", load, fresh=60) == 2

    def test_what_was_set_is_served_as_long_as_told(self, face: Face, frozen_clock: FakeClock) -> None:
        """To its last moment, and not past it; a later value brings a later end."""
        face.set("k", 1, 60)
        frozen_clock.advance(59.9)
        assert face.get("k") == 1
        face.set("k", 2, 60)
        frozen_clock.advance(59.9)
        assert face.get("k") == 2
        frozen_clock.advance(0.2)
        assert face.get("k") is None

    def test_none_is_a_value(self, face: Face) -> None:
        """A computation that found nothing is not made again."""
        load = numbers()
        assert face.get_or_set("k", lambda: None, fresh=60) is None
        assert face.get_or_set("k", load, fresh=60) is None
        assert face.get("k", "nothing") is None
        assert face.get_many(["k"]) == {"k": None}

    def test_none_is_fresh_for_its_own_time(self, face: Face, frozen_clock: FakeClock) -> None:
        """``negative=`` seconds; 0: it is not stored; other values keep their time."""
        load = numbers()
        for key in ("short", "value"):
            face.get_or_set(key, lambda key=key: None if key == "short" else 0, fresh=600, negative=10)
        frozen_clock.advance(8)
        assert face.get_or_set("short", load, fresh=600, negative=10) is None
        frozen_clock.advance(2)
        assert face.get_or_set("short", load, fresh=600, negative=10) == 1
        assert face.get_or_set("value", load, fresh=600, negative=10) == 0
        assert face.get_or_set("never", lambda: None, fresh=600, negative=0) is None
        assert face.get_or_set("never", load, fresh=600, negative=0) == 2

    def test_an_exception_is_the_callers_and_is_not_stored(self, face: Face) -> None:
        """The next caller computes."""
        with pytest.raises(ZeroDivisionError):
            face.get_or_set("k", lambda: 1 // 0, fresh=60)
        assert face.get_or_set("k", numbers(), fresh=60) == 1

    def test_an_exception_is_stored_where_the_caller_asks(self, face: Face, frozen_clock: FakeClock) -> None:
        """Of the types named, for ``negative=`` seconds, with its text; it is nobody's value."""
        load, options = numbers(), {"fresh": 600, "negative": 10, "errors": (LookupError,)}

        def fail() -> None:
            raise KeyError("poster 7")

        for compute in (fail, load):
            with pytest.raises(LookupError, match="poster 7"):
                face.get_or_set("k", compute, **options)
        assert face.get("k", "nothing") == "nothing"
        frozen_clock.advance(10)
        assert face.get_or_set("k", load, **options) == 1
        with pytest.raises(ZeroDivisionError):
            face.get_or_set("other", lambda: 1 // 0, **options)
        assert face.get_or_set("other", load, **options) == 2

    def test_a_stored_exception_is_only_for_those_who_asked(self, face: Face) -> None:
        """A caller that names other types, or none, computes."""

        def fail() -> None:
            raise LookupError("no")

        with pytest.raises(LookupError):
            face.get_or_set("k", fail, fresh=60, negative=60, errors=(LookupError,))
        assert face.get_or_set("k", lambda: "computed", fresh=60) == "computed"

    def test_ones_own_key_inside_its_computation_is_refused(self, face: Face, cache: CacheManager) -> None:
        """Waiting for oneself would never end; another key is fine."""
        assert face.get_or_set("a", lambda: cache.get_or_set("b", lambda: 1, fresh=60), fresh=60) == 1
        with pytest.raises(RecursiveCompute):
            face.get_or_set("k", lambda: cache.get_or_set("k", lambda: 1, fresh=60), fresh=60)

    def test_what_is_counted(self, face: Face) -> None:
        """Hits, misses and computations, by namespace."""
        load = numbers()
        face.get_or_set("k", load, fresh=60)
        face.get_or_set("k", load, fresh=60)
        face.get("k")
        face.get("other")
        stats = face.stats()
        assert (stats.hits, stats.misses, stats.computes, stats.alone, stats.errors) == (2, 2, 1, 0, 0)

    def test_many_keys_are_read_in_one_trip(self, face: Face, open_cache: Opener, watched: Watched) -> None:
        """And in one more where entries have tags, however many of both."""
        face = face.of(open_cache(watched))
        plain = {f"plain-{n}": n for n in range(100)}
        tagged = {f"tagged-{n}": n for n in range(20)}
        for key, value in plain.items():
            face.set(key, value, 60)
        for key, value in tagged.items():
            face.set(key, value, 60, tags=["all", key])
        watched.trips.clear()
        assert face.get_many(plain) == plain
        assert len(watched.trips) <= 1
        watched.trips.clear()
        assert face.get_many([*plain, *tagged]) == plain | tagged
        assert len(watched.trips) <= 2

    def test_a_hit_is_one_trip_and_a_computation_five(self, face: Face, open_cache: Opener, watched: Watched) -> None:
        """Tags cost none of their own: they are read with the entry, and captured in the trip that looks again."""
        face = face.of(open_cache(watched))
        options: dict[str, Any] = {"fresh": 60, "tags": ["a", "b"]}
        face.get_or_set("k", lambda: 1, **options)
        assert len(watched.trips) <= 5
        watched.trips.clear()
        assert face.get_or_set("k", lambda: 2, **options) == 1
        assert len(watched.trips) <= 1

    def test_a_closed_cache_says_so(self, store: Store, cache_class: type[CacheManager]) -> None:
        """Before open() and after close()."""
        cache = cache_class(store)
        with pytest.raises(NotOpen):
            cache.get("k")
        with cache:
            assert cache.get("k") is None
        with pytest.raises(NotOpen):
            cache.get_or_set("k", lambda: 1, fresh=60)

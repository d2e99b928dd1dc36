"""What a computation that found nothing, or failed, leaves behind: only what the caller asked for."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

import pytest

from postrmagic_core._codec import encode
from postrmagic_core.cache import CacheManager, policy
from postrmagic_core.cache.failures import FAILED
from postrmagic_core.cache.names import CacheKeys
from postrmagic_core.testing import FakeClock


class NotThere(LookupError):
    """An application's own error, which wants more than a text to be made."""

    def __init__(self, kind: str, number: int) -> None:
        super().__init__(f"no {kind} {number}")


class Elsewhere(Exception):
    """Another."""


@pytest.fixture
def find() -> Callable[[], Any]:
    """Finds nothing twice, then a number."""
    numbers = count(1)
    return lambda: number if (number := next(numbers)) > 2 else None


def failing(errors: list[Exception]) -> Callable[[], Any]:
    """Raises one after the other."""

    def compute() -> Any:
        raise errors.pop(0)

    return compute


def test_nothing_is_fresh_for_a_time_of_its_own(face: Any, find: Callable[[], Any], frozen_clock: FakeClock) -> None:
    """Shorter than a value's, and never stale."""
    for _ in range(3):
        assert face.get_or_set("k", find, fresh=60, stale=600, negative=5) is None
    frozen_clock.advance(5)
    assert face.get_or_set("k", find, fresh=60, stale=600, negative=5) is None
    frozen_clock.advance(5)
    assert [face.get_or_set("k", find, fresh=60, stale=600, negative=5) for _ in range(2)] == [3, 3]
    frozen_clock.advance(50)
    assert face.get("k") == 3


def test_nothing_is_not_stored_where_that_is_asked_for(face: Any, find: Callable[[], Any]) -> None:
    """With ``negative=0``; a value is."""
    assert [face.get_or_set("k", find, fresh=60, negative=0) for _ in range(4)] == [None, None, 3, 3]


def test_an_error_is_stored_only_if_it_was_named(face: Any, frozen_clock: FakeClock) -> None:
    """It comes back as the type that was named, with its text, until its time is over."""
    errors: list[Exception] = [Elsewhere("not named"), NotThere("poster", 7), NotThere("poster", 8)]
    compute = failing(errors)
    with pytest.raises(Elsewhere, match="not named"):
        face.get_or_set("k", compute, fresh=60, negative=5, errors=(NotThere,))
    for _ in range(3):
        with pytest.raises(NotThere, match="no poster 7"):
            face.get_or_set("k", compute, fresh=60, negative=5, errors=(NotThere,))
    assert len(errors) == 1
    assert face.get("k", "no value") == "no value"
    frozen_clock.advance(5)
    with pytest.raises(NotThere, match="no poster 8"):
        face.get_or_set("k", compute, fresh=60, negative=5, errors=(NotThere,))


def test_a_stored_error_is_nothing_to_those_who_did_not_name_it(face: Any) -> None:
    """They compute, and what they get takes its place."""
    with pytest.raises(NotThere):
        face.get_or_set("k", failing([NotThere("poster", 7)]), fresh=60, negative=5, errors=(NotThere,))
    assert face.get_or_set("k", lambda: "found", fresh=60, negative=5, errors=(Elsewhere,)) == "found"
    assert face.get_or_set("k", failing([]), fresh=60, negative=5, errors=(NotThere,)) == "found"


def test_an_invalidation_ends_a_stored_error(face: Any) -> None:
    """It was computed from what has changed since."""
    with pytest.raises(NotThere):
        face.get_or_set("k", failing([NotThere("poster", 7)]), fresh=60, tags=["x"], negative=5, errors=(NotThere,))
    face.invalidate("x")
    assert face.get_or_set("k", lambda: "there", fresh=60, tags=["x"], negative=5, errors=(NotThere,)) == "there"


def test_a_forged_error_is_never_looked_up(cache: CacheManager) -> None:
    """Names in a store lead nowhere: only types that the caller named are made."""
    now = cache.clock.now_us()
    for payload in (None, ["a"], [1, 2], ["builtins:SystemExit", "x"], ["os:system", "x"]):
        entry = policy.Entry(now, now + 10**9, now + 10**9, FAILED, (), (), encode(payload))
        cache.store.set({CacheKeys("app").entry("k"): policy.pack(entry)}, 60_000)
        found = cache.get_or_set("k", lambda: "computed", fresh=60, negative=5, errors=(NotThere,))
        assert found == "computed", payload


def test_what_makes_no_sense_is_refused(face: Any) -> None:
    """With what to give instead."""
    with pytest.raises(ValueError, match="give both"):
        face.get_or_set("k", lambda: 1, fresh=60, errors=(NotThere,))
    with pytest.raises(ValueError, match="negative is seconds"):
        face.get_or_set("k", lambda: 1, fresh=60, negative=-1)
    with pytest.raises(ValueError, match="ttl is a positive number of seconds"):
        face.set("k", 1, 0)
    with pytest.raises(TypeError, match=r"write get_many\(\['key'\]\)"):
        face.get_many("key")

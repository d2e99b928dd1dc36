"""The cache and database units: nothing uncommitted is cached, and an invalidation happens if the unit commits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import pytest

from postrmagic_core._unit import entered
from postrmagic_core.cache import CacheManager
from postrmagic_core.errors import DecodeError, OutsideUnit
from postrmagic_core.stores.adapters.memory import MemoryStore


@dataclass
class Row:
    """An outbox row."""

    payload: bytes


class NoUnits:
    """A database with no unit open here."""

    database_id = "mine"

    def read(self) -> AbstractContextManager[Any]:
        """Nothing here asks for it."""
        raise NotImplementedError

    def write(self) -> AbstractContextManager[Any]:
        """Nothing here asks for it."""
        raise NotImplementedError

    def current(self) -> None:
        """None is open."""


class Unit:
    """A unit that keeps what it was given until told how it ended."""

    database_id = "test"
    tables_written: frozenset[str] = frozenset()

    def __init__(self) -> None:
        self.staged: list[tuple[str, bytes]] = []
        self.hooks: list[Callable[[], None]] = []

    def stage(self, topic: str, payload: bytes, *, key: str | None = None, due_us: int = 0) -> None:
        """Keep the row."""
        self.staged.append((topic, payload))

    def after_commit(self, hook: Callable[[], None]) -> None:
        """Keep the hook."""
        self.hooks.append(hook)

    def before_commit(self, hook: Callable[[], None]) -> None:
        """Nothing here asks for it."""
        raise NotImplementedError

    def execute(self, statement: Any, parameters: Any = None) -> Any:
        """Nothing here asks for it."""
        raise NotImplementedError

    def commit(self) -> None:
        """What the database does after COMMIT."""
        for hook in self.hooks:
            hook()


def test_inside_a_unit_values_are_computed_neither_read_nor_stored() -> None:
    """What the unit sees may never commit, and what is cached may be older than what it wrote."""
    with CacheManager(MemoryStore()) as cache:
        cache.get_or_set("k", lambda: "committed", fresh=60)
        with entered(Unit()):
            assert cache.get_or_set("k", lambda: "uncommitted", fresh=60) == "uncommitted"
        assert cache.get_or_set("k", lambda: "anew", fresh=60) == "committed"


def test_an_invalidation_in_a_unit_waits_for_its_commit(face: Any) -> None:
    """Before: served as ever. After a commit: gone. After a rollback: untouched."""
    face.set("k", 1, 60, tags=["t"])
    rolled_back, committed = Unit(), Unit()
    with entered(rolled_back):
        face.invalidate("t", tx=rolled_back)
    assert face.get("k") == 1
    with entered(committed):
        face.invalidate("t", tx=committed)
        assert face.get("k") == 1
    committed.commit()
    assert face.get("k") is None


def test_what_was_staged_invalidates_when_it_is_delivered(face: Any) -> None:
    """The backup should the process die after the commit; delivered twice it does no harm."""
    face.set("k", 1, 60, tags=["t"])
    unit = Unit()
    face.invalidate("t", tx=unit)
    [(topic, payload)] = unit.staged
    assert topic == "cache"
    for _ in range(2):
        face.deliver(unit, Row(payload))
        assert face.get("k") is None
    with pytest.raises(DecodeError):
        face.deliver(unit, Row(b"?"))


def test_a_delivery_reaches_the_namespace_that_staged_it() -> None:
    """One route serves all namespaces of a store."""
    store = MemoryStore()
    with CacheManager(store, namespace="a") as a, CacheManager(store, namespace="b") as b:
        for cache in (a, b):
            cache.set("k", 1, 60, tags=["t"])
        unit = Unit()
        a.invalidate("t", tx=unit)
        b.deliver(unit, Row(unit.staged[0][1]))
        assert (a.get("k"), b.get("k")) == (None, 1)


def test_invalidating_inside_a_unit_without_it_is_refused(cache: CacheManager) -> None:
    """The unit may still roll back: say which is meant."""
    cache.set("k", 1, 60, tags=["t"])
    with entered(Unit()):
        with pytest.raises(OutsideUnit, match="tx="):
            cache.invalidate("t")
        assert cache.get("k") == 1
        cache.invalidate("t", detached=True)
        assert cache.get("k") is None

    async def main() -> None:
        with entered(Unit()), pytest.raises(OutsideUnit, match="tx="):
            await cache.aio.invalidate("t")

    asyncio.run(main())


def test_only_the_units_of_its_own_database_concern_a_cache() -> None:
    """A cache that was told its database ignores other units."""
    with CacheManager(MemoryStore(), units=NoUnits()) as cache, entered(Unit()):
        cache.get_or_set("k", lambda: 1, fresh=60)
        assert cache.get_or_set("k", lambda: 2, fresh=60) == 1

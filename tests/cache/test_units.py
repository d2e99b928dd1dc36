"""The cache and database units, beside what its contract says of them: both faces refuse, other databases are none."""

from __future__ import annotations

import asyncio
from contextlib import AbstractContextManager
from typing import Any

import pytest

from postrmagic_core._unit import entered
from postrmagic_core.cache import CacheManager
from postrmagic_core.errors import OutsideUnit
from postrmagic_core.stores.adapters.memory import MemoryStore
from postrmagic_core.testing.contracts.cache_rig import Transaction


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


def test_the_async_face_refuses_to_invalidate_inside_a_unit_without_it(cache: CacheManager) -> None:
    """As the sync face does: the unit may still roll back."""

    async def main() -> None:
        with entered(Transaction()), pytest.raises(OutsideUnit, match="tx="):
            await cache.aio.invalidate("t")

    asyncio.run(main())


def test_only_the_units_of_its_own_database_concern_a_cache() -> None:
    """A cache that was told its database ignores other units."""
    with CacheManager(MemoryStore(), database=NoUnits()) as cache, entered(Transaction()):
        cache.get_or_set("k", lambda: 1, fresh=60)
        assert cache.get_or_set("k", lambda: 2, fresh=60) == 1

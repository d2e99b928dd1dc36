"""A store without room: the cache keeps nothing new, serves what is there, and each policy does what it says."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack, closing
from typing import Any

import pytest

from postrmagic_core.cache import CacheManager
from postrmagic_core.cache.interface import Unavailable
from postrmagic_core.errors import OutOfSpace
from tests.disks import Room

pytestmark = pytest.mark.fault

POLICIES: tuple[Unavailable, ...] = ("open", "stale", "closed")
# It does not fit into what a file may have left in its last page.
COMPUTED = "computed" * 5000
TAGS = [f"tag {number}" for number in range(500)]


@pytest.mark.parametrize("face", ["sync", "async"])
def test_a_store_without_room_keeps_nothing_and_the_application_goes_on(room: Room, face: str) -> None:
    """Open and stale compute, and serve what is there; closed says that there is no room; then there is."""
    with ExitStack() as opened, asyncio.Runner() as runner:
        stores = {policy: opened.enter_context(closing(room.open())) for policy in POLICIES}
        caches = {
            policy: opened.enter_context(CacheManager(stores[policy], namespace=policy, unavailable=policy))
            for policy in POLICIES
        }

        def ask(policy: Unavailable, key: str) -> Any:
            cache = caches[policy]
            if face == "sync":
                return cache.get_or_set(key, lambda: COMPUTED, fresh=60, tags=TAGS[:1])
            return runner.run(cache.aio.get_or_set(key, lambda: COMPUTED, fresh=60, tags=TAGS[:1]))

        assert [ask(policy, "before") for policy in POLICIES] == [COMPUTED] * 3
        room.use_up()
        for policy in POLICIES[:2]:
            assert ask(policy, "new") == ask(policy, "new") == COMPUTED
            assert caches[policy].stats().computes == 3
            assert caches[policy].stats().errors > 0
        with pytest.raises(OutOfSpace):
            ask("closed", "new")
        for policy in POLICIES:
            assert caches[policy].get("new") is None
            assert caches[policy].get("before") == ask(policy, "before") == COMPUTED
            with pytest.raises(OutOfSpace):
                caches[policy].invalidate(*TAGS)
            assert caches[policy].get("before") == COMPUTED
        room.make()
        assert [ask(policy, "new") for policy in POLICIES] == [COMPUTED] * 3
        assert [cache.get("new") for cache in caches.values()] == [COMPUTED] * 3
        caches["open"].invalidate(*TAGS)
        assert caches["open"].get("before") is None

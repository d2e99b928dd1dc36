"""The reliability promises of a cache told not to look away (policy ``closed``), on a Redis that is broken."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import ClassVar

import pytest

from postrmagic_core.cache import CacheManager
from postrmagic_core.stores import open_store
from postrmagic_core.testing.contracts.reliability import ReliabilityContract
from postrmagic_core.testing.contracts.rig import Budget
from postrmagic_core.testing.servers import ValkeyServer
from tests.backends import OnOwnRedis

pytestmark = [pytest.mark.redis, pytest.mark.fault]


class TestCache(OnOwnRedis, ReliabilityContract[CacheManager]):
    """A stored entry is the effect. Stored twice it would not show: P3 and P4 look for what was lost or denied."""

    effect_bytes: ClassVar[bytes] = b"\r\nSET\r\n"
    budget: ClassVar[Budget] = Budget(call=1.0)
    not_applicable: ClassVar[Mapping[str, str]] = {"P6": "a cache decides nothing"}

    def prepare(self, url: str) -> None:
        """Remember which tokens were used."""
        self.tokens: list[str] = []

    def make(self, url: str) -> CacheManager:
        """Impatient, and honest about outages."""
        return CacheManager(open_store(url, timeout=0.25), unavailable="closed").open()

    def close(self, subject: CacheManager) -> None:
        """And the store beneath."""
        subject.close()
        subject.store.close()

    def operation(self, subject: CacheManager) -> object:
        """Read an entry."""
        return subject.get("k")

    def effect(self, subject: CacheManager, token: str) -> None:
        """Store an entry."""
        self.tokens.append(token)
        subject.set(token, token, 600)

    def effects(self, subject: CacheManager) -> Counter[str]:
        """The entries that are there."""
        return Counter(subject.get_many(self.tokens).values())

    def tagged(self, subject: CacheManager, tag: str) -> str:
        """Store the tag and read it."""
        subject.set(tag, tag, 60)
        return str(subject.get(tag))

    async def tagged_async(self, subject: CacheManager, tag: str) -> str:
        """The same, awaited."""
        await subject.aio.set(tag, tag, 60)
        return str(await subject.aio.get(tag))


@pytest.mark.soak
class TestCacheOnValkey(TestCache):
    """The same on the other Redis."""

    kind = ValkeyServer

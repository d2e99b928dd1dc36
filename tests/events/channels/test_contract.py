"""Memory, Redis and Valkey keep the published contract of channels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar
from uuid import uuid4

import pytest

from postrmagic_core.events.adapters.memory import MemoryChannel
from postrmagic_core.events.adapters.redis import RedisChannel
from postrmagic_core.testing.contracts.channel import ChannelContract


class TestMemory(ChannelContract):
    """Within a process."""

    channel_class: ClassVar[type[Any]] = MemoryChannel
    not_applicable: ClassVar[Mapping[str, str]] = {"processes": "what is published is heard in this process alone"}

    @pytest.fixture
    def channel_url(self) -> str:
        """The test's own."""
        return f"memory://{uuid4()}"


@pytest.mark.redis
class TestRedis(ChannelContract):
    """On Redis."""

    channel_class: ClassVar[type[Any]] = RedisChannel

    @pytest.fixture
    def channel_url(self, redis_url: str) -> str:
        """The test's own database."""
        return redis_url


@pytest.mark.redis
class TestValkey(ChannelContract):
    """On Valkey."""

    channel_class: ClassVar[type[Any]] = RedisChannel

    @pytest.fixture
    def channel_url(self, valkey_url: str) -> str:
        """The test's own database."""
        return valkey_url

"""What the Redis broker promises when its server is refused, silent, stopped or killed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

from postrmagic_core.jobs.adapters.redis import RedisBroker
from postrmagic_core.testing.contracts.broker_reliability import BrokerReliabilityContract
from postrmagic_core.testing.servers import RedisServer

pytestmark = [pytest.mark.redis, pytest.mark.fault]


class TestRedisReliability(BrokerReliabilityContract):
    """The reliability contract."""

    broker_class: ClassVar[type[Any]] = RedisBroker
    effect_bytes = b"EVALSHA"

    @pytest.fixture(scope="class")
    @classmethod
    def server(cls) -> Iterator[RedisServer]:
        """One to be broken."""
        with RedisServer(appendonly="always") as server:
            yield server

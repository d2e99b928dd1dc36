"""Every shipped store keeps the published contract."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import ClassVar

import pytest

from postrmagic_core.stores import Store, open_store
from postrmagic_core.stores.adapters.memory import MemoryStore
from postrmagic_core.testing.contracts.rig import Budget
from postrmagic_core.testing.contracts.store import StoreContract
from postrmagic_core.testing.contracts.store_reliability import StoreReliabilityContract
from postrmagic_core.testing.servers import MariaDBServer, require
from standalone.store import DictStore
from tests.backends import OnOwnRedis


class TestMemory(StoreContract):
    """In this process."""

    @pytest.fixture
    def open_store(self) -> Callable[[], Store]:
        """A new one each time."""
        return MemoryStore


class TestSmallest(StoreContract):
    """Three functions over a dictionary, as the documentation shows them: the base does the rest."""

    @pytest.fixture
    def open_store(self) -> Callable[[], Store]:
        """A new one each time."""
        return DictStore


class TestSqlite(StoreContract):
    """In a file."""

    @pytest.fixture
    def open_store(self, url_of: Callable[[str], str]) -> Callable[[], Store]:
        """On the test's own file."""
        return lambda: open_store(url_of("sqlite"), timeout=5.0)


@pytest.mark.mysql
class TestMysql(StoreContract):
    """On a real server."""

    @pytest.fixture
    def open_store(self, mariadb_url: str) -> Callable[[], Store]:
        """In the test's own database."""
        return lambda: open_store(mariadb_url, timeout=5.0)


@pytest.mark.mysql
@pytest.mark.soak
class TestMysqld(StoreContract):
    """On MySQL itself, which is none of MariaDB's."""

    @pytest.fixture
    def open_store(self, mysql_url: str) -> Callable[[], Store]:
        """In the test's own database."""
        return lambda: open_store(mysql_url, timeout=5.0)


@pytest.mark.redis
class TestRedis(StoreContract):
    """On a real server."""

    @pytest.fixture
    def open_store(self, redis_url: str) -> Callable[[], Store]:
        """In the test's own database."""
        return lambda: open_store(redis_url, timeout=5.0)


@pytest.mark.redis
@pytest.mark.fault
class TestRedisReliability(OnOwnRedis, StoreReliabilityContract):
    """What happens when Redis is refused, silent, stopped or killed."""

    def open(self, url: str) -> Store:
        """Impatient."""
        return open_store(url, timeout=0.25)


@pytest.mark.mysql
@pytest.mark.fault
class TestMysqlReliability(StoreReliabilityContract):
    """What happens when MariaDB is refused, silent, stopped or killed."""

    effect_bytes: ClassVar[bytes] = b"COMMIT"
    budget: ClassVar[Budget] = Budget(call=2.0)

    @pytest.fixture(scope="class")
    @classmethod
    def server(cls) -> Iterator[MariaDBServer]:
        """A private one."""
        require(MariaDBServer.binary(), "no mariadbd")
        with MariaDBServer() as server:
            yield server

    def open(self, url: str) -> Store:
        """Impatient."""
        return open_store(url, timeout=0.25)

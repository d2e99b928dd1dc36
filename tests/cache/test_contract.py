"""Every shipped store carries a cache that keeps the published contract."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from postrmagic_core.stores import Store, open_store
from postrmagic_core.stores.adapters.memory import MemoryStore
from postrmagic_core.stores.interface import SupportsPeek
from postrmagic_core.testing.contracts.cache import CacheContract
from standalone.store import DictStore

# A busy machine may need longer than the half second that production promises.
TIMEOUT = 5.0


class TestMemory(CacheContract):
    """In this process."""

    @pytest.fixture
    def open_store(self) -> Callable[[], Store]:
        """A new one each time."""
        return MemoryStore


class TestSmallest(CacheContract):
    """On the store of the documentation: it finds no keys by prefix, and no values without a call."""

    @pytest.fixture
    def open_store(self) -> Callable[[], Store]:
        """A new one each time."""
        return DictStore


class TestSqlite(CacheContract):
    """In a file."""

    @pytest.fixture
    def open_store(self, tmp_path: Path) -> Callable[[], Store]:
        """On the test's own file."""
        return lambda: open_store(f"sqlite:///{tmp_path / 'kv.db'}", timeout=TIMEOUT)


@pytest.mark.mysql
class TestMysql(CacheContract):
    """On a real server."""

    @pytest.fixture
    def open_store(self, mariadb_url: str) -> Callable[[], Store]:
        """In the test's own database."""
        return lambda: open_store(mariadb_url, timeout=TIMEOUT)


@pytest.mark.mysql
@pytest.mark.soak
class TestMysqld(CacheContract):
    """On MySQL itself, which is none of MariaDB's."""

    @pytest.fixture
    def open_store(self, mysql_url: str) -> Callable[[], Store]:
        """In the test's own database."""
        return lambda: open_store(mysql_url, timeout=TIMEOUT)


@pytest.mark.redis
class TestRedis(CacheContract):
    """On a real server."""

    @pytest.fixture
    def open_store(self, redis_url: str) -> Callable[[], Store]:
        """In the test's own database."""
        return lambda: open_store(redis_url, timeout=TIMEOUT)


@pytest.mark.redis
class TestTiered(CacheContract):
    """Copies in this process over a real server."""

    @pytest.fixture
    def open_store(self, redis_url: str) -> Callable[[], Store]:
        """In the test's own database, once copies are served."""

        def open_served() -> Store:
            store = open_store(f"tiered+{redis_url}", timeout=TIMEOUT)
            assert isinstance(store, SupportsPeek)
            store.set({b"mark": b"1"}, 60_000)
            deadline = time.monotonic() + 15
            while store.peek(b"mark") is None:
                assert time.monotonic() < deadline, "no copy was kept"
                store.get([b"mark"])
            store.delete([b"mark"])
            return store

        return open_served


@pytest.mark.redis
@pytest.mark.soak
class TestValkey(CacheContract):
    """On the other Redis."""

    @pytest.fixture
    def open_store(self, valkey_url: str) -> Callable[[], Store]:
        """In the test's own database."""
        return lambda: open_store(valkey_url, timeout=TIMEOUT)

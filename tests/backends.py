"""The stores that tests run on: of each kind, as parameters of fixtures; one that can fail; a server to break."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import pytest

from postrmagic_core.errors import BackendUnavailable
from postrmagic_core.stores.adapters.memory import MemoryStore
from postrmagic_core.testing.servers import RedisServer, require

KINDS = [
    "memory",
    "sqlite",
    pytest.param("mariadb", marks=pytest.mark.mysql),
    pytest.param("redis", marks=pytest.mark.redis),
]
TIERED = pytest.param("tiered", marks=pytest.mark.redis)
VALKEY = pytest.param("valkey", marks=[pytest.mark.redis, pytest.mark.soak])
MYSQL = pytest.param("mysql", marks=[pytest.mark.mysql, pytest.mark.soak])

# Seconds: a busy machine may need longer than the half second that production promises.
TIMEOUT = 5.0


class Flaky(MemoryStore):
    """A store that can be away, and counts what it is asked."""

    away = False
    asked = 0

    def get(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """See :meth:`Store.get`."""
        self._answer()
        return super().get(keys)

    def set(self, items: Mapping[bytes, bytes], ttl_ms: int | None) -> None:
        """See :meth:`Store.set`."""
        self._answer()
        super().set(items, ttl_ms)

    def delete(self, keys: Sequence[bytes]) -> int:
        """See :meth:`Store.delete`."""
        self._answer()
        return super().delete(keys)

    def run(self, *args: Any, **options: Any) -> Any:
        """See :meth:`Store.run`."""
        self._answer()
        return super().run(*args, **options)

    def _answer(self) -> None:
        self.asked += 1
        if self.away:
            raise BackendUnavailable("away")


class OnOwnRedis:
    """Mixed into the reliability promises of what rests on Redis, or on another of its ``kind``."""

    kind: ClassVar[type[RedisServer]] = RedisServer

    @pytest.fixture(scope="class")
    @classmethod
    def server(cls) -> Iterator[RedisServer]:
        """One that writes what it acknowledges."""
        require(cls.kind.binary(), f"faults need a private server: no {cls.kind.name}-server is installed")
        with cls.kind(appendonly="always") as server:
            yield server

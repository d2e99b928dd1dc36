"""The stores that tests run on: of each kind, as parameters of fixtures; one that can fail; a server to break."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

from postrmagic_core.errors import BackendUnavailable
from postrmagic_core.stores.adapters.memory import MemoryStore
from postrmagic_core.testing.servers import RedisServer, require

KINDS = [
    "memory",
    "sqlite",
    pytest.param("mysql", marks=pytest.mark.mysql),
    pytest.param("redis", marks=pytest.mark.redis),
]
TIERED = pytest.param("tiered", marks=pytest.mark.redis)
VALKEY = pytest.param("valkey", marks=[pytest.mark.redis, pytest.mark.soak])
MYSQLD = pytest.param("mysqld", marks=[pytest.mark.mysql, pytest.mark.soak])

# Seconds: a busy machine may need longer than the half second that production promises.
TIMEOUT = 5.0


class Flaky(MemoryStore):
    """A store whose Scripts can fail."""

    away = False

    def run(self, *args: Any, **options: Any) -> Any:
        """See :meth:`Store.run`."""
        if self.away:
            raise BackendUnavailable("away")
        return super().run(*args, **options)


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

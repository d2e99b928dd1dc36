"""A store on a Redis (or Valkey) server, 7.0 or later: Scripts run as Lua, time is the server's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, Self, TypeVar

from postrmagic_core._clock import Clock
from postrmagic_core._metrics import Metrics
from postrmagic_core._steps import adrive, drive
from postrmagic_core.errors import BackendRejected
from postrmagic_core.stores.adapters import _redis_steps as steps
from postrmagic_core.stores.adapters._redis_async import AsyncWires
from postrmagic_core.stores.adapters._redis_client import Wires
from postrmagic_core.stores.adapters._redis_place import Place
from postrmagic_core.stores.circuit import Circuit
from postrmagic_core.stores.interface import Script, Usage

R = TypeVar("R")


class RedisStore:
    """``timeout``: seconds an operation may take, connecting included. ``place``: where its URL leads now.

    After three failures in a row a circuit breaker answers ``BackendUnavailable`` at once and probes every two seconds
    or more often. A write whose answer was lost is ``OutcomeUnknown``, and nothing is ever sent twice.
    """

    blocking: ClassVar[bool] = True
    atomic: ClassVar[Literal["keys", "key"]] = "keys"
    clock: ClassVar[Literal["store", "process"]] = "store"

    def __init__(
        self, url: str, *, timeout: float = 0.5, clock: Clock | None = None, metrics: Metrics | None = None
    ) -> None:
        if not timeout > 0:
            raise ValueError(f"timeout is a positive number of seconds, got {timeout}")
        place, circuit = Place(url), Circuit("redis", timeout, clock=clock, metrics=metrics)
        self.place = place
        self._wires = Wires(place, timeout, circuit)
        self._native = AsyncRedisStore(AsyncWires(place, timeout, circuit))

    @classmethod
    def from_url(
        cls, url: str, *, timeout: float = 0.5, clock: Clock | None = None, metrics: Metrics | None = None
    ) -> Self:
        """A server or its Sentinels; no I/O yet.

        ``redis://user:password@host:6379/0``, ``redis+sentinel://user:password@host1:26379,host2:26379/name/0``, and
        both as ``rediss…?ssl_ca=/path`` over verified TLS.
        """
        return cls(url, timeout=timeout, clock=clock, metrics=metrics)

    @property
    def native(self) -> AsyncRedisStore:
        """The same store for asyncio, with connections of its own."""
        return self._native

    def get(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """See :meth:`Store.get`."""
        command = steps.reading(keys)
        values: list[bytes | None] = [] if command is None else self._wires.exchange((command,), writes=False)[0]
        return values

    def set(self, items: Mapping[bytes, bytes], ttl_ms: int | None) -> None:
        """See :meth:`Store.set`."""
        drive(steps.put(items, ttl_ms), self._wires)

    def delete(self, keys: Sequence[bytes]) -> int:
        """See :meth:`Store.delete`."""
        return drive(steps.delete(keys), self._wires)

    def touch(self, keys: Sequence[bytes], ttl_ms: int | None) -> int:
        """See :meth:`Store.touch`."""
        return drive(steps.touch(keys, ttl_ms), self._wires)

    def run(
        self, script: Script[R], keys: Sequence[bytes], args: Sequence[bytes | int], *, now_us: int | None = None
    ) -> R:
        """See :meth:`Store.run`."""
        result: R = self._wires.call(steps.calling(script, keys, args, now_us))
        return result

    def clear(self, prefix: bytes) -> int:
        """See :meth:`SupportsScan.clear`."""
        return drive(steps.clear(prefix), self._wires)

    def usage(self, prefix: bytes) -> Usage:
        """See :meth:`SupportsUsage.usage`."""
        return drive(steps.usage(prefix), self._wires)

    def close(self) -> None:
        """Close the threads' connections; those of an event loop close with it, or by ``native.close()``."""
        self._wires.close()


class AsyncRedisStore:
    """:attr:`RedisStore.native`. A cancelled operation closes its connection, so that no reply meets another caller."""

    def __init__(self, wires: AsyncWires) -> None:
        self._wires = wires

    async def get(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """See :meth:`Store.get`."""
        command = steps.reading(keys)
        if command is None:
            return []
        values: list[bytes | None] = (await self._wires.exchange((command,), writes=False))[0]
        return values

    async def set(self, items: Mapping[bytes, bytes], ttl_ms: int | None) -> None:
        """See :meth:`Store.set`."""
        await adrive(steps.put(items, ttl_ms), self._wires)

    async def delete(self, keys: Sequence[bytes]) -> int:
        """See :meth:`Store.delete`."""
        return await adrive(steps.delete(keys), self._wires)

    async def touch(self, keys: Sequence[bytes], ttl_ms: int | None) -> int:
        """See :meth:`Store.touch`."""
        return await adrive(steps.touch(keys, ttl_ms), self._wires)

    async def run(
        self, script: Script[R], keys: Sequence[bytes], args: Sequence[bytes | int], *, now_us: int | None = None
    ) -> R:
        """See :meth:`Store.run`."""
        result: R = await self._wires.call(steps.calling(script, keys, args, now_us))
        return result

    async def clear(self, prefix: bytes) -> int:
        """See :meth:`SupportsScan.clear`."""
        return await adrive(steps.clear(prefix), self._wires)

    async def close(self) -> None:
        """Close the running event loop's connections."""
        await self._wires.close()


def durability(url: str, timeout: float) -> list[str]:
    """See :func:`postrmagic_core.stores.durability.durability_check`."""
    wires = Wires(Place(url), timeout, Circuit("redis", timeout))
    try:
        info = _fields(wires.exchange([("INFO", "memory"), ("INFO", "persistence")], writes=False))
        try:
            settings = wires.exchange([("CONFIG", "GET", "appendfsync")], writes=False)[0]
        except BackendRejected:
            settings = None
    finally:
        wires.close()
    found = []
    policy = info.get("maxmemory_policy", "unknown")
    if policy != "noeviction" and info.get("maxmemory") != "0":
        found.append(f"maxmemory-policy is {policy}: a full server drops keys; set noeviction")
    if info.get("aof_enabled") != "1":
        found.append("appendonly is off: a crash loses every write since the last snapshot; set appendonly yes")
    elif settings is None:
        found.append("CONFIG GET is not allowed, so appendfsync is unknown: make sure that it is everysec or always")
    elif b"no" in settings:
        found.append("appendfsync is no: a crash loses what the system had not yet written; set everysec or always")
    return found


def _fields(replies: list[Any]) -> dict[str, str]:
    lines = b"\n".join(replies).decode().splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line)

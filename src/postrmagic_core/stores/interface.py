"""What a Store is: six operations on bytes with a time to live, and Scripts, named atomic operations on them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Generic, Literal, Protocol, TypeVar, runtime_checkable

R = TypeVar("R")


class View(Protocol):
    """What a Script's Python body may touch: the declared keys, already loaded. Another key raises ``KeyError``."""

    def get(self, key: bytes) -> bytes | None:
        """The live value of ``key``, as left by this body so far."""
        ...

    def put(self, key: bytes, value: bytes, ttl_ms: int | None) -> None:
        """Store ``value`` for ``ttl_ms`` milliseconds; ``None`` keeps it until dropped."""
        ...

    def drop(self, key: bytes) -> None:
        """Delete ``key``."""
        ...


@dataclass(frozen=True, slots=True)
class Script(Generic[R]):
    """A named atomic operation, written twice: ``body`` in Python, ``lua`` for servers that run Lua.

    ``body(view, keys, args, now_us)`` is pure and may be run again. Its result is built from ``bytes``, ``int``,
    ``None`` and lists of those, and is the same from both texts (a property test proves it). ``lua`` is the body's
    source without the shared prelude, which offers ``now``, ``arg(i)``, ``get(i)``, ``put(i, value, ttl_ms)`` and
    ``drop(i)`` on declared keys (``i`` from 1), and ``text(number)``.
    """

    name: str
    body: Callable[[View, Sequence[bytes], Sequence[bytes], int], R]
    lua: str
    read_only: bool = False


class Store(Protocol):
    """A small key to bytes-with-TTL backend; every key and value is opaque bytes.

    ``blocking``: whether operations wait for I/O (the async face then lifts them into a thread).
    ``atomic``: whether :meth:`run` is atomic over all its keys, or over one only.
    ``clock``: whether time to live follows the store's own clock, or each process's.
    Every operation raises the errors of ``BackendError`` and ends within the store's time-out.
    """

    blocking: ClassVar[bool]
    atomic: ClassVar[Literal["keys", "key"]]
    clock: ClassVar[Literal["store", "process"]]

    def get(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """The value of each key, in order; ``None`` where there is none or it has expired."""
        ...

    def set(self, items: Mapping[bytes, bytes], ttl_ms: int | None) -> None:
        """Store all items for ``ttl_ms`` > 0 milliseconds; ``None``, written out, keeps them until deleted."""
        ...

    def delete(self, keys: Sequence[bytes]) -> int:
        """Delete the keys; returns how many were there."""
        ...

    def touch(self, keys: Sequence[bytes], ttl_ms: int | None) -> int:
        """Give the keys that are there a new time to live; returns how many were."""
        ...

    def run(
        self, script: Script[R], keys: Sequence[bytes], args: Sequence[bytes | int], *, now_us: int | None = None
    ) -> R:
        """Run ``script`` atomically on the declared ``keys``; ``now_us`` replaces the store's clock (tests)."""
        ...

    def close(self) -> None:
        """Release connections; the store is not used again."""
        ...


@runtime_checkable
class SupportsScan(Protocol):
    """A Store that can find keys by prefix."""

    def clear(self, prefix: bytes) -> int:
        """Delete every key that starts with exactly these bytes (no glob); returns how many."""
        ...


@dataclass(frozen=True, slots=True)
class Usage:
    """What a prefix takes: its live keys, and the bytes of keys and values.

    ``evicted``: keys, whosesoever, dropped for want of room since the store was made or its server started.
    """

    entries: int
    bytes: int
    evicted: int


@runtime_checkable
class SupportsUsage(Protocol):
    """A Store that can find keys by prefix and tell how much they take."""

    def usage(self, prefix: bytes) -> Usage:
        """What the keys that start with exactly these bytes take: roughly, while others write. It reads all of them."""
        ...


@runtime_checkable
class SupportsPeek(Protocol):
    """A Store that keeps values in this process, where a look costs less than a call."""

    def peek(self, key: bytes) -> bytes | None:
        """The value of ``key`` without waiting: the very same object as long as nobody changed it.

        It may have expired: who looks knows until when it may be used. ``None``: it is not here, or not surely what
        the store holds; :meth:`Store.get` knows.
        """
        ...


@runtime_checkable
class SupportsAsync(Protocol):
    """A Store with operations of its own for asyncio: the async face uses them instead of a thread."""

    @property
    def native(self) -> AsyncStore:
        """The same store, awaitable."""
        ...


class AsyncStore(Protocol):
    """The operations of :class:`Store`, awaitable."""

    async def get(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """See :meth:`Store.get`."""
        ...

    async def set(self, items: Mapping[bytes, bytes], ttl_ms: int | None) -> None:
        """See :meth:`Store.set`."""
        ...

    async def delete(self, keys: Sequence[bytes]) -> int:
        """See :meth:`Store.delete`."""
        ...

    async def touch(self, keys: Sequence[bytes], ttl_ms: int | None) -> int:
        """See :meth:`Store.touch`."""
        ...

    async def run(
        self, script: Script[R], keys: Sequence[bytes], args: Sequence[bytes | int], *, now_us: int | None = None
    ) -> R:
        """See :meth:`Store.run`."""
        ...

    async def clear(self, prefix: bytes) -> int:
        """See :meth:`SupportsScan.clear`."""
        ...

"""A store before a store: every operation is handed on, on both faces, and may be watched, refused or renamed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, TypeVar

from postrmagic_core.errors import BackendUnavailable
from postrmagic_core.stores import AsyncStore, Script, Store, SupportsScan
from postrmagic_core.stores.interface import SupportsAsync, SupportsPeek

R = TypeVar("R")
T = TypeVar("T", bound="Through")


class Through:
    """Hands every operation on to ``store``; make one with :func:`through`, which gives it that store's capabilities.

    A subclass overrides :meth:`asked`, :meth:`key` or :meth:`prefix`.
    """

    blocking: ClassVar[bool]
    atomic: ClassVar[Literal["keys", "key"]]
    clock: ClassVar[Literal["store", "process"]]

    def __init__(self, store: Any) -> None:
        self.store = store

    def asked(self, operation: str, keys: Sequence[bytes]) -> None:
        """Called before each operation, with the keys as the caller named them; what it raises is the answer."""

    def key(self, key: bytes) -> bytes:
        """The key in the store beneath."""
        return key

    def prefix(self, prefix: bytes) -> bytes:
        """The prefix of keys in the store beneath."""
        return prefix

    def keys(self, operation: str, keys: Sequence[bytes]) -> list[bytes]:
        """Tell :meth:`asked`, and give every key the name it has beneath."""
        self.asked(operation, keys)
        return [self.key(key) for key in keys]

    def items(self, items: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
        """:meth:`keys` for a ``set``."""
        return dict(zip(self.keys("set", list(items)), items.values(), strict=True))

    def get(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """See :meth:`Store.get`."""
        return self.store.get(self.keys("get", keys))  # type: ignore[no-any-return]  # any store

    def set(self, items: Mapping[bytes, bytes], ttl_ms: int | None) -> None:
        """See :meth:`Store.set`."""
        self.store.set(self.items(items), ttl_ms)

    def delete(self, keys: Sequence[bytes]) -> int:
        """See :meth:`Store.delete`."""
        return self.store.delete(self.keys("delete", keys))  # type: ignore[no-any-return]  # any store

    def touch(self, keys: Sequence[bytes], ttl_ms: int | None) -> int:
        """See :meth:`Store.touch`."""
        return self.store.touch(self.keys("touch", keys), ttl_ms)  # type: ignore[no-any-return]  # any store

    def run(
        self, script: Script[R], keys: Sequence[bytes], args: Sequence[bytes | int], *, now_us: int | None = None
    ) -> R:
        """See :meth:`Store.run`."""
        return self.store.run(script, self.keys("run", keys), args, now_us=now_us)  # type: ignore[no-any-return]  # any store

    def close(self) -> None:
        """See :meth:`Store.close`."""
        self.store.close()


class _Scanning(Through):
    def clear(self, prefix: bytes) -> int:
        self.asked("clear", [prefix])
        return self.store.clear(self.prefix(prefix))  # type: ignore[no-any-return]  # any store


class _Peeking(Through):
    def peek(self, key: bytes) -> bytes | None:
        try:
            self.asked("peek", [key])
        except BackendUnavailable:  # peek() raises nothing: the store's own get() will
            return None
        return self.store.peek(self.key(key))  # type: ignore[no-any-return]  # any store


class _Awaitable(Through):
    @property
    def native(self) -> AsyncStore:
        return _Native(self, self.store.native)


class _Native:
    """The native async face of the store beneath, watched and renamed as the sync one is."""

    def __init__(self, through: Through, store: AsyncStore) -> None:
        self._through = through
        self._store = store

    async def get(self, keys: Sequence[bytes]) -> list[bytes | None]:
        return await self._store.get(self._through.keys("get", keys))

    async def set(self, items: Mapping[bytes, bytes], ttl_ms: int | None) -> None:
        await self._store.set(self._through.items(items), ttl_ms)

    async def delete(self, keys: Sequence[bytes]) -> int:
        return await self._store.delete(self._through.keys("delete", keys))

    async def touch(self, keys: Sequence[bytes], ttl_ms: int | None) -> int:
        return await self._store.touch(self._through.keys("touch", keys), ttl_ms)

    async def run(
        self, script: Script[R], keys: Sequence[bytes], args: Sequence[bytes | int], *, now_us: int | None = None
    ) -> R:
        return await self._store.run(script, self._through.keys("run", keys), args, now_us=now_us)

    async def clear(self, prefix: bytes) -> int:
        self._through.asked("clear", [prefix])
        return await self._store.clear(self._through.prefix(prefix))

    async def close(self) -> None:
        await close_native(self._through.store)


_CAPABILITIES: tuple[tuple[type[Any], type[Through]], ...] = (
    (SupportsScan, _Scanning),
    (SupportsPeek, _Peeking),
    (SupportsAsync, _Awaitable),
)


def through(kind: type[T], store: Store, *args: Any) -> T:
    """A ``kind(store, *args)`` that can do exactly what ``store`` can: scan, peek, answer asyncio."""
    able = [mixin for protocol, mixin in _CAPABILITIES if isinstance(store, protocol)]
    said = {name: getattr(store, name) for name in ("blocking", "atomic", "clock")}
    made: Any = type(kind.__name__, (kind, *able), said)
    whole: T = made(store, *args)
    return whole


async def close_native(store: object) -> None:
    """Close what a store holds for the running event loop, where it has such."""
    if isinstance(store, SupportsAsync):
        close = getattr(store.native, "close", None)
        if close is not None:
            await close()

"""The async face of any store, and leases on it: the names of ``stores`` and ``stores.lease``, awaitable."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar

from postrmagic_core._bridge import Bridge, to_the_end
from postrmagic_core._clock import Clock, SystemClock
from postrmagic_core._steps import adrive
from postrmagic_core.errors import BackendError, Unsupported

from .interface import AsyncStore, Script, Store, SupportsAsync, SupportsScan
from .lease import Grant, Holding, Patience, asking, granted, let_go_failed, request
from .scripts import LEASE_RELEASE, LEASE_RENEW

R = TypeVar("R")
T = TypeVar("T")


class AsyncStoreFace:
    """One store's operations, awaitable: its native ones, else inline if they do not block, else on ``bridge``.

    It owns neither the store nor the bridge. Cancelled, a lifted operation runs to its end before the error is raised;
    a native one closes its connection.
    """

    __slots__ = ("_bridge", "_native", "store")

    store: Store

    def __init__(self, store: Store, bridge: Bridge) -> None:
        self.store = store
        self._bridge = bridge
        self._native: AsyncStore | None = store.native if isinstance(store, SupportsAsync) else None

    async def get(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """See :meth:`Store.get`."""
        if self._native is not None:
            return await self._native.get(keys)
        return await self._lifted(lambda: self.store.get(keys))

    async def set(self, items: Mapping[bytes, bytes], ttl_ms: int | None) -> None:
        """See :meth:`Store.set`."""
        if self._native is not None:
            return await self._native.set(items, ttl_ms)
        return await self._lifted(lambda: self.store.set(items, ttl_ms))

    async def delete(self, keys: Sequence[bytes]) -> int:
        """See :meth:`Store.delete`."""
        if self._native is not None:
            return await self._native.delete(keys)
        return await self._lifted(lambda: self.store.delete(keys))

    async def touch(self, keys: Sequence[bytes], ttl_ms: int | None) -> int:
        """See :meth:`Store.touch`."""
        if self._native is not None:
            return await self._native.touch(keys, ttl_ms)
        return await self._lifted(lambda: self.store.touch(keys, ttl_ms))

    async def run(
        self, script: Script[R], keys: Sequence[bytes], args: Sequence[bytes | int], *, now_us: int | None = None
    ) -> R:
        """See :meth:`Store.run`."""
        if self._native is not None:
            return await self._native.run(script, keys, args, now_us=now_us)
        return await self._lifted(lambda: self.store.run(script, keys, args, now_us=now_us))

    async def clear(self, prefix: bytes) -> int:
        """See :meth:`SupportsScan.clear`; :class:`Unsupported` where the store cannot scan."""
        if self._native is not None:
            return await self._native.clear(prefix)
        store = self.store
        if not isinstance(store, SupportsScan):
            raise Unsupported(f"{type(store).__name__} cannot find keys by prefix: it has no clear()")
        return await self._lifted(lambda: store.clear(prefix))

    async def _lifted(self, call: Callable[[], T]) -> T:
        return await self._bridge.lift(call) if self.store.blocking else call()


class AsyncLease(Holding):
    """:class:`~postrmagic_core.stores.lease.Lease`, awaitable."""

    __slots__ = ("_store",)

    def __init__(self, store: AsyncStore, grant: Grant, asked_at: float, clock: Clock) -> None:
        super().__init__(grant, asked_at, clock)
        self._store = store

    async def renew(self) -> bool:
        """See :meth:`Lease.renew`."""
        grant, asked_at = self.grant, self._clock.monotonic()
        return self._renewed(asked_at, await self._store.run(LEASE_RENEW, [grant.key], [grant.owner, grant.ttl_ms]))

    async def release(self) -> bool:
        """Give it back; ``False``: it was this owner's no more. Another's lease is never touched.

        Cancelled meanwhile, it is given back all the same.
        """
        self._until = self._clock.monotonic()
        return await _released(self._store, self.grant)


async def acquire(store: AsyncStore, key: bytes, *, ttl: float, clock: Clock | None = None) -> AsyncLease | None:
    """See :func:`postrmagic_core.stores.lease.acquire`; cancelled while asking, it gives back what it may have got."""
    lease, _ = await _try(store, request(key, ttl), clock or SystemClock())
    return lease


@asynccontextmanager
async def leased(
    store: AsyncStore, key: bytes, *, ttl: float, wait: float = 0.0, clock: Clock | None = None
) -> AsyncIterator[AsyncLease]:
    """See :func:`postrmagic_core.stores.lease.leased`."""
    lease = await _wait(store, request(key, ttl), wait, clock or SystemClock())
    try:
        yield lease
    finally:
        await _let_go(store, lease.grant)


async def _try(store: AsyncStore, asked: Grant, clock: Clock) -> tuple[AsyncLease | None, int]:
    asked_at = clock.monotonic()
    try:
        answer = await adrive(asking(asked), store)
    except asyncio.CancelledError:
        await _let_go(store, asked)
        raise
    grant = granted(asked, answer)
    return (None if grant is None else AsyncLease(store, grant, asked_at, clock)), answer[1]


async def _wait(store: AsyncStore, asked: Grant, wait: float, clock: Clock) -> AsyncLease:
    patience = Patience(wait, clock)
    while True:
        lease, remaining_ms = await _try(store, asked, clock)
        if lease is not None:
            return lease
        await asyncio.sleep(patience.pause(remaining_ms))


async def _released(store: AsyncStore, grant: Grant) -> bool:
    """Release to the end: one operation, within its time-out."""
    try:
        answer = await to_the_end(store.run(LEASE_RELEASE, [grant.key], [grant.owner]))
    except asyncio.CancelledError as cancelled:
        if isinstance(cancelled.__cause__, BackendError):
            let_go_failed(grant, cancelled.__cause__)
        raise
    return answer[0] == 1


async def _let_go(store: AsyncStore, grant: Grant) -> None:
    """:func:`_released`, where a store that is away is only told of: the lease ends by itself."""
    try:
        await _released(store, grant)
    except BackendError as error:
        let_go_failed(grant, error)

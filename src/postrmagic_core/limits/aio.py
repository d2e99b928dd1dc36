"""AsyncRateLimiter: the same limits for asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from .._bridge import to_the_end
from .._steps import adrive
from ..errors import BackendError
from ..stores.aio import AsyncStoreFace
from ..stores.scripts import GCRA, GCRA_PEEK
from .deciding import full
from .interface import Concurrency, Decision, Slot, Take, Unavailable

if TYPE_CHECKING:
    from .manager import RateLimiter


class AsyncRateLimiter:
    """The async face of a :class:`RateLimiter`."""

    def __init__(self, limiter: RateLimiter) -> None:
        self._limiter = limiter
        self._deciding = limiter.deciding
        self.store = AsyncStoreFace(limiter.store, limiter.bridge)

    async def hit(self, *takes: Take, unavailable: Unavailable | None = None) -> Decision:
        """See :meth:`RateLimiter.hit`."""
        self._limiter.ensure_open()
        call = self._deciding.asked(takes)
        try:
            answer = await self.store.run(GCRA, call.keys, call.args)
        except BackendError as error:
            return self._deciding.undecided(call, error, unavailable)
        return self._deciding.decided(call, answer)

    async def peek(self, *takes: Take, unavailable: Unavailable | None = None) -> Decision:
        """See :meth:`RateLimiter.peek`."""
        self._limiter.ensure_open()
        call = self._deciding.asked(takes, look=True)
        try:
            answer = await self.store.run(GCRA_PEEK, call.keys, call.args)
        except BackendError as error:
            return self._deciding.unlooked(call, error, unavailable)
        return self._deciding.looked(call, answer)

    async def acquire(
        self, concurrency: Concurrency, key: str | bytes, *, unavailable: Unavailable | None = None
    ) -> Slot:
        """See :meth:`RateLimiter.acquire`; cancelled while asking, it gives back what it may have got."""
        self._limiter.ensure_open()
        wanted = self._deciding.slot(concurrency, key)
        try:
            return await adrive(self._deciding.acquire(wanted, unavailable), self)
        except asyncio.CancelledError:
            await self.release(wanted)
            raise

    async def renew(self, slot: Slot) -> bool:
        """See :meth:`RateLimiter.renew`."""
        self._limiter.ensure_open()
        return await adrive(self._deciding.renew(slot), self)

    async def release(self, slot: Slot) -> bool:
        """See :meth:`RateLimiter.release`; cancelled meanwhile, it is given back all the same."""
        self._limiter.ensure_open()
        return await to_the_end(adrive(self._deciding.release(slot), self))

    @asynccontextmanager
    async def holding(
        self, concurrency: Concurrency, key: str | bytes, *, unavailable: Unavailable | None = None
    ) -> AsyncIterator[Slot]:
        """See :meth:`RateLimiter.holding`."""
        slot = await self.acquire(concurrency, key, unavailable=unavailable)
        if not slot.allowed:
            raise full(slot)
        try:
            yield slot
        finally:
            await self.release(slot)

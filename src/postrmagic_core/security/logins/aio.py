"""AsyncLoginThrottle and AsyncLoginTokens: the same for asyncio."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from ..._steps import adrive
from ..units import lifted
from .interface import Admission, Detail, Redeemed
from .throttling import Address

if TYPE_CHECKING:
    from ..._protocols import AwaitableUnitLike
    from .manager import LoginThrottle, LoginTokens

R = TypeVar("R")


class AsyncLoginThrottle:
    """The async face of a :class:`LoginThrottle`."""

    def __init__(self, throttle: LoginThrottle) -> None:
        self._limiter = throttle.limiter
        self._throttling = throttle.throttling

    async def admit(self, account: str, address: Address, *, device: str | None = None) -> Admission:
        """See :meth:`LoginThrottle.admit`."""
        return await adrive(self._throttling.admit(account, address, device), self._limiter.aio)

    async def failed(self, account: str, address: Address) -> None:
        """See :meth:`LoginThrottle.failed`."""
        self._throttling.failed(account, address)

    async def succeeded(self, account: str, address: Address, *, device: str | None = None) -> None:
        """See :meth:`LoginThrottle.succeeded`."""
        await adrive(self._throttling.succeeded(account, address, device), self._limiter.aio)

    def remember(self, account: str) -> str:
        """See :meth:`LoginThrottle.remember`: no I/O."""
        return self._throttling.remember(account)


class AsyncLoginTokens:
    """The async face of :class:`LoginTokens`; ``tx`` is what ``async with db.aio.write()`` gave."""

    def __init__(self, tokens: LoginTokens) -> None:
        self._tokens = tokens

    async def issue(
        self, user_id: str, *, purpose: str, lifetime: float, detail: Detail = None, tx: AwaitableUnitLike | None = None
    ) -> str:
        """See :meth:`LoginTokens.issue`."""
        issue = partial(self._tokens.issue, user_id, purpose=purpose, lifetime=lifetime, detail=detail)
        return await self._run(tx, lambda unit: issue(tx=unit))

    async def peek(self, token: str, *, purpose: str) -> Redeemed | None:
        """See :meth:`LoginTokens.peek`."""
        return await self._tokens.bridge.lift(lambda: self._tokens.peek(token, purpose=purpose))

    async def redeem(self, token: str, *, purpose: str, tx: AwaitableUnitLike | None = None) -> Redeemed | None:
        """See :meth:`LoginTokens.redeem`."""
        return await self._run(tx, lambda unit: self._tokens.redeem(token, purpose=purpose, tx=unit))

    async def revoke(self, user_id: str, *, purpose: str | None = None, tx: AwaitableUnitLike | None = None) -> int:
        """See :meth:`LoginTokens.revoke`."""
        return await self._run(tx, lambda unit: self._tokens.revoke(user_id, purpose=purpose, tx=unit))

    async def sweep(self) -> int:
        """See :meth:`LoginTokens.sweep`."""
        return await self._tokens.bridge.lift(self._tokens.sweep)

    async def _run(self, tx: AwaitableUnitLike | None, call: Callable[[Any], R]) -> R:
        return await lifted(self._tokens.bridge, self._tokens.database, tx, call)

"""AsyncAccessTokens: the same names for asyncio, awaitable."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from ..units import lifted
from .interface import IssuedToken, TokenInfo, VerifiedToken

if TYPE_CHECKING:
    from ..._protocols import AwaitableUnitLike
    from .manager import AccessTokens

R = TypeVar("R")


class AsyncAccessTokens:
    """The async face of :class:`AccessTokens`; ``tx`` is what ``async with db.aio.write()`` gave."""

    def __init__(self, tokens: AccessTokens) -> None:
        self._tokens = tokens

    async def issue(
        self,
        user_id: str,
        name: str,
        *,
        permissions: Iterable[str] | None = None,
        lifetime: float | None = None,
        actor: str | None = None,
        tx: AwaitableUnitLike | None = None,
    ) -> IssuedToken:
        """See :meth:`AccessTokens.issue`."""
        issue = partial(self._tokens.issue, user_id, name, permissions=permissions, lifetime=lifetime, actor=actor)
        return await self._run(tx, lambda unit: issue(tx=unit))

    async def verify(self, token: object) -> VerifiedToken | None:
        """See :meth:`AccessTokens.verify`."""
        return await self._tokens.bridge.lift(lambda: self._tokens.verify(token))

    async def tokens_of(self, user_id: str, *, ended: bool = False) -> list[TokenInfo]:
        """See :meth:`AccessTokens.tokens_of`."""
        return await self._tokens.bridge.lift(lambda: self._tokens.tokens_of(user_id, ended=ended))

    async def revoke(
        self, user_id: str, token_id: str, *, actor: str | None = None, tx: AwaitableUnitLike | None = None
    ) -> bool:
        """See :meth:`AccessTokens.revoke`."""
        return await self._run(tx, lambda unit: self._tokens.revoke(user_id, token_id, actor=actor, tx=unit))

    async def revoke_all(self, user_id: str, *, actor: str | None = None, tx: AwaitableUnitLike | None = None) -> int:
        """See :meth:`AccessTokens.revoke_all`."""
        return await self._run(tx, lambda unit: self._tokens.revoke_all(user_id, actor=actor, tx=unit))

    async def flush(self) -> None:
        """See :meth:`AccessTokens.flush`."""
        await self._tokens.bridge.lift(self._tokens.flush)

    async def sweep(self) -> int:
        """See :meth:`AccessTokens.sweep`."""
        return await self._tokens.bridge.lift(self._tokens.sweep)

    async def _run(self, tx: AwaitableUnitLike | None, call: Callable[[Any], R]) -> R:
        return await lifted(self._tokens.bridge, self._tokens.database, tx, call)

"""Second factors for asyncio: the same names, awaitable."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from ..units import lifted
from .interface import Enrolment, FactorDecision, FactorStatus

if TYPE_CHECKING:
    from ..._protocols import AwaitableUnitLike, UnitLike
    from .manager import SecondFactors
    from .totp import Totp

R = TypeVar("R")


class AsyncSecondFactors:
    """The async face of :class:`SecondFactors`; a ``tx`` is what ``async with db.aio.write()`` gave."""

    def __init__(self, factors: SecondFactors) -> None:
        self._factors = factors

    async def enrol(self, user_id: str, account: str, *, tx: AwaitableUnitLike | None = None) -> Enrolment:
        """See :meth:`SecondFactors.enrol`."""
        return await self._put(tx, lambda unit: self._factors.enrol(user_id, account, tx=unit))

    async def confirm(self, user_id: str, code: object, *, tx: AwaitableUnitLike | None = None) -> list[str] | None:
        """See :meth:`SecondFactors.confirm`."""
        return await self._put(tx, lambda unit: self._factors.confirm(user_id, code, tx=unit))

    async def verify(
        self, user_id: str, code: object, *, challenge: str = "", tx: AwaitableUnitLike | None = None
    ) -> FactorDecision:
        """See :meth:`SecondFactors.verify`."""
        return await self._put(tx, lambda unit: self._factors.verify(user_id, code, challenge=challenge, tx=unit))

    async def recover(self, user_id: str, code: object, *, tx: AwaitableUnitLike | None = None) -> bool:
        """See :meth:`SecondFactors.recover`."""
        return await self._put(tx, lambda unit: self._factors.recover(user_id, code, tx=unit))

    async def recovery_left(self, user_id: str) -> int:
        """See :meth:`SecondFactors.recovery_left`."""
        return await self._factors.bridge.lift(lambda: self._factors.recovery_left(user_id))

    async def renew_recovery(self, user_id: str, *, tx: AwaitableUnitLike | None = None) -> list[str] | None:
        """See :meth:`SecondFactors.renew_recovery`."""
        return await self._put(tx, lambda unit: self._factors.renew_recovery(user_id, tx=unit))

    async def disable(self, user_id: str, *, tx: AwaitableUnitLike | None = None) -> bool:
        """See :meth:`SecondFactors.disable`."""
        return await self._put(tx, lambda unit: self._factors.disable(user_id, tx=unit))

    async def status(self, user_id: str) -> FactorStatus:
        """See :meth:`SecondFactors.status`."""
        return await self._factors.bridge.lift(lambda: self._factors.status(user_id))

    async def _put(self, tx: AwaitableUnitLike | None, call: Callable[[UnitLike | None], R]) -> R:
        return await lifted(self._factors.bridge, self._factors.database, tx, call)


class AsyncTotp:
    """The async face of :class:`Totp`."""

    def __init__(self, totp: Totp) -> None:
        self._totp = totp

    async def verify(self, user_id: str, secret: str, code: object) -> FactorDecision:
        """See :meth:`Totp.verify`."""
        return await self._totp.bridge.lift(lambda: self._totp.verify(user_id, secret, code))

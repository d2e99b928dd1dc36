"""AsyncSessionStore: the same sessions for asyncio."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Generic, TypeVar

from .._steps import Steps, adrive
from ..stores.aio import AsyncStoreFace
from .binding import Client
from .devices import Device
from .session import Session

if TYPE_CHECKING:
    from .manager import SessionStore

M = TypeVar("M")
R = TypeVar("R")


class AsyncSessionStore(Generic[M]):
    """The async face of a :class:`SessionStore`."""

    def __init__(self, sessions: SessionStore[M]) -> None:
        self._sessions = sessions
        self._port = _Port(AsyncStoreFace(sessions.store, sessions.bridge))

    async def load(self, cookie_value: str | None, client: Client | None = None) -> Session[M]:
        """See :meth:`SessionStore.load`."""
        return await self._run(self._sessions.loading.load(cookie_value, client))

    async def save(self, session: Session[M]) -> str | None:
        """See :meth:`SessionStore.save`."""
        return await self._run(self._sessions.saving.save(session))

    async def delete(self, session: Session[M]) -> None:
        """See :meth:`SessionStore.delete`."""
        await self._run(self._sessions.saving.delete(session))

    async def devices(self, user_id: str, current: Session[M] | None = None) -> list[Device]:
        """See :meth:`SessionStore.devices`."""
        return await self._run(self._sessions.roster.devices(user_id, current))

    async def revoke(self, user_id: str, device_id: str) -> bool:
        """See :meth:`SessionStore.revoke`."""
        return await self._run(self._sessions.roster.revoke(user_id, device_id))

    async def revoke_others(self, session: Session[M]) -> None:
        """See :meth:`SessionStore.revoke_others`."""
        await self._run(self._sessions.roster.revoke_others(session))

    async def revoke_all(self, user_id: str) -> None:
        """See :meth:`SessionStore.revoke_all`."""
        await self._run(self._sessions.roster.revoke_all(user_id))

    async def revoke_everyone(self) -> int:
        """See :meth:`SessionStore.revoke_everyone`."""
        return await self._run(self._sessions.roster.revoke_everyone())

    async def _run(self, steps: Steps[R]) -> R:
        self._sessions.ensure_open()
        return await adrive(steps, self._port)


class _Port:
    """The operations of the async face."""

    def __init__(self, store: AsyncStoreFace) -> None:
        self.store = store

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

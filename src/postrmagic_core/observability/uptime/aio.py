"""AsyncUptime: the same names for asyncio, awaitable."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

from .interface import Check, Hour, Outage, ProbeStatus

if TYPE_CHECKING:
    from .manager import Uptime

R = TypeVar("R")


class AsyncUptime:
    """The async face of :class:`Uptime`."""

    def __init__(self, uptime: Uptime) -> None:
        self._uptime = uptime

    async def run_due(self) -> int:
        """See :meth:`Uptime.run_due`."""
        return await self._lift(self._uptime.run_due)

    async def check(self, name: str) -> Check:
        """See :meth:`Uptime.check`."""
        return await self._lift(lambda: self._uptime.check(name))

    async def status(self) -> list[ProbeStatus]:
        """See :meth:`Uptime.status`."""
        return await self._lift(self._uptime.status)

    async def history(self, name: str, since: datetime, until: datetime) -> list[Hour]:
        """See :meth:`Uptime.history`."""
        return await self._lift(lambda: self._uptime.history(name, since, until))

    async def checks(self, name: str, since: datetime, until: datetime, *, limit: int = 500) -> list[Check]:
        """See :meth:`Uptime.checks`."""
        return await self._lift(lambda: self._uptime.checks(name, since, until, limit=limit))

    async def outages(self, name: str | None = None, limit: int = 50) -> list[Outage]:
        """See :meth:`Uptime.outages`."""
        return await self._lift(lambda: self._uptime.outages(name, limit))

    async def sweep(self) -> int:
        """See :meth:`Uptime.sweep`."""
        return await self._lift(self._uptime.sweep)

    async def close(self) -> None:
        """See :meth:`Uptime.close`."""
        self._uptime.close()

    async def _lift(self, call: Callable[[], R]) -> R:
        return await self._uptime.bridge.lift(call)

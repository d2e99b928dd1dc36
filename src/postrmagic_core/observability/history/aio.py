"""AsyncHistory: the same names for asyncio, awaitable."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from .interface import Route

if TYPE_CHECKING:
    from .manager import History


class AsyncHistory:
    """The async face of :class:`History`."""

    def __init__(self, history: History) -> None:
        self._history = history

    async def sample(self) -> bool:
        """See :meth:`History.sample`."""
        return await self._history.bridge.lift(self._history.sample)

    async def range(
        self, names: Iterable[str], since: datetime, until: datetime, points: int = 240
    ) -> dict[str, list[tuple[datetime, float | None]]]:
        """See :meth:`History.range`."""
        return await self._history.bridge.lift(lambda: self._history.range(names, since, until, points))

    async def latest(self) -> dict[str, float]:
        """See :meth:`History.latest`."""
        return await self._history.bridge.lift(self._history.latest)

    async def routes(self, since: datetime, until: datetime) -> list[Route]:
        """See :meth:`History.routes`."""
        return await self._history.bridge.lift(lambda: self._history.routes(since, until))

    async def close(self) -> None:
        """See :meth:`History.close`."""
        self._history.close()

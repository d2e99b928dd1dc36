"""AsyncAlerts: the same names for asyncio, awaitable."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from .interface import Alert, Change, Evaluated, Silence, State, Undelivered

if TYPE_CHECKING:
    from .manager import Alerts
    from .rules import Rule

R = TypeVar("R")


class AsyncAlerts:
    """The async face of :class:`Alerts`."""

    def __init__(self, alerts: Alerts) -> None:
        self._alerts = alerts

    @property
    def rules(self) -> tuple[Rule, ...]:
        """See :attr:`Alerts.rules`."""
        return self._alerts.rules

    async def evaluate(self) -> Evaluated:
        """See :meth:`Alerts.evaluate`."""
        return await self._lift(self._alerts.evaluate)

    async def send(self) -> int:
        """See :meth:`Alerts.send`."""
        return await self._lift(self._alerts.send)

    async def current(self, state: State | None = None) -> list[Alert]:
        """See :meth:`Alerts.current`."""
        return await self._lift(lambda: self._alerts.current(state))

    async def get(self, name: str) -> Alert | None:
        """See :meth:`Alerts.get`."""
        return await self._lift(lambda: self._alerts.get(name))

    async def history(self, limit: int = 100, after: str | None = None) -> list[Change]:
        """See :meth:`Alerts.history`."""
        return await self._lift(lambda: self._alerts.history(limit, after))

    async def silence(
        self,
        rule: str = "",
        labels: Mapping[str, str] | None = None,
        *,
        until: datetime,
        by: str = "",
        comment: str = "",
    ) -> Silence:
        """See :meth:`Alerts.silence`."""
        return await self._lift(partial(self._alerts.silence, rule, labels, until=until, by=by, comment=comment))

    async def unsilence(self, name: str) -> bool:
        """See :meth:`Alerts.unsilence`."""
        return await self._lift(lambda: self._alerts.unsilence(name))

    async def silences(self) -> list[Silence]:
        """See :meth:`Alerts.silences`."""
        return await self._lift(self._alerts.silences)

    async def acknowledge(self, name: str, by: str = "") -> bool:
        """See :meth:`Alerts.acknowledge`."""
        return await self._lift(lambda: self._alerts.acknowledge(name, by))

    async def undelivered(self, limit: int = 100) -> list[Undelivered]:
        """See :meth:`Alerts.undelivered`."""
        return await self._lift(lambda: self._alerts.undelivered(limit))

    async def test(self, channel: str) -> str:
        """See :meth:`Alerts.test`."""
        return await self._lift(lambda: self._alerts.test(channel))

    async def sweep(self) -> int:
        """See :meth:`Alerts.sweep`."""
        return await self._lift(self._alerts.sweep)

    async def _lift(self, call: Callable[[], R]) -> R:
        return await self._alerts.bridge.lift(call)

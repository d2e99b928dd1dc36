"""Events for asyncio: the same names, awaitable."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from .._bridge import Bridge
from .._unit import any_unit
from .interface import Event, EventRecord
from .listener import Listener

if TYPE_CHECKING:
    from .._protocols import UnitLike
    from .durable import JobLike
    from .manager import EventManager, Staged


R = TypeVar("R")


class AwaitableUnitLike(Protocol):
    """What ``async with db.aio.write()`` gives."""

    async def run(self, fn: Callable[[Any], R], /) -> R:
        """``fn(tx)`` with the sync unit, on the unit's own thread."""
        ...


class AsyncEventManager:
    """:attr:`EventManager.aio`."""

    def __init__(self, events: EventManager, bridge: Bridge) -> None:
        self._events = events
        self._bridge = bridge

    def include(self, *sources: ModuleType | str | Listener[Any]) -> None:
        """See :meth:`EventManager.include`."""
        self._events.include(*sources)

    async def emit(self, event: Event, *, tx: AwaitableUnitLike | None = None, detached: bool = False) -> str:
        """See :meth:`EventManager.emit`; ``tx`` is what ``async with db.aio.write()`` gave. A thread does the work."""

        def put(unit: UnitLike | None = None) -> str:
            return self._events.emit(event, tx=unit, detached=detached)

        if tx is not None:
            return await tx.run(put)
        if any_unit() is not None:  # refused, or left to the unit's end: neither waits
            return put()
        return await self._bridge.lift(put)

    async def log(
        self, event_type: type[Event] | None = None, since: datetime | None = None, limit: int = 100
    ) -> list[EventRecord]:
        """See :meth:`EventManager.log`."""
        return await self._bridge.lift(lambda: self._events.log(event_type, since, limit))

    async def record(self, event_id: str) -> EventRecord | None:
        """See :meth:`EventManager.record`."""
        return await self._bridge.lift(lambda: self._events.record(event_id))

    async def replay(
        self,
        event_id: str | None = None,
        *,
        event_type: type[Event] | None = None,
        since: datetime | None = None,
        listener: str | None = None,
    ) -> int:
        """See :meth:`EventManager.replay`."""

        def again() -> int:
            return self._events.replay(event_id, event_type=event_type, since=since, listener=listener)

        return await self._bridge.lift(again)

    async def purge(self, before: datetime) -> int:
        """See :meth:`EventManager.purge`."""
        return await self._bridge.lift(lambda: self._events.purge(before))

    def deliver(self, tx: UnitLike, row: Staged) -> None:
        """See :meth:`EventManager.deliver`: relays run in threads."""
        self._events.deliver(tx, row)

    def run_delivery(self, ctx: JobLike, event_id: str, listener: str) -> None:
        """See :meth:`EventManager.run_delivery`: jobs run in threads."""
        self._events.run_delivery(ctx, event_id, listener)

"""Events for asyncio: the same names, awaitable."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from functools import partial
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

from .._bridge import Bridge
from .._unit import any_unit
from .interface import Event, EventContext, EventRecord
from .listener import Listener
from .recording import Recording

if TYPE_CHECKING:
    from .._protocols import AwaitableUnitLike, UnitLike
    from .emitting import Emitter
    from .manager import EventManager


R = TypeVar("R")


class AsyncEventManager:
    """:attr:`EventManager.aio`."""

    def __init__(self, events: EventManager, emitter: Emitter, bridge: Bridge) -> None:
        self._events = events
        self._emitter = emitter
        self._bridge = bridge

    @property
    def listeners(self) -> Mapping[str, Listener[Any]]:
        """See :attr:`EventManager.listeners`."""
        return self._events.listeners

    def include(self, *sources: ModuleType | str | Listener[Any]) -> None:
        """See :meth:`EventManager.include`."""
        self._events.include(*sources)

    def include_installed(self) -> None:
        """See :meth:`EventManager.include_installed`."""
        self._events.include_installed()

    async def emit(self, event: Event, *, tx: AwaitableUnitLike | None = None, detached: bool = False) -> EventContext:
        """See :meth:`EventManager.emit`; ``tx`` is what ``async with db.aio.write()`` gave. A thread does the work.

        Async listeners of the phase ``now`` are awaited here; their ``ctx.tx`` is ``tx``.
        """
        self._events.ensure_open()

        def put(unit: UnitLike | None = None) -> EventContext:
            return self._emitter.emit(event, unit, detached)

        if tx is None and any_unit() is not None:  # refused, or left to the unit's end: neither waits
            return put()
        if self._emitter.awaits(event):
            return await self._emitter.aemit(event, tx, partial(self._in_thread, tx))
        return await self._in_thread(tx, put)

    async def _in_thread(self, tx: AwaitableUnitLike | None, call: Callable[[Any], R]) -> R:
        return await (self._bridge.lift(lambda: call(None)) if tx is None else tx.run(call))

    def recording(self) -> AbstractContextManager[Recording]:
        """See :meth:`EventManager.recording`."""
        return self._events.recording()

    async def drain(self, timeout: float = 10.0) -> None:  # noqa: ASYNC109 - the sync face has it too
        """See :meth:`EventManager.drain`."""
        await self._bridge.lift(lambda: self._events.drain(timeout))

    async def chain(self, event_id: str) -> list[EventRecord]:
        """See :meth:`EventManager.chain`."""
        return await self._bridge.lift(lambda: self._events.chain(event_id))

    async def find(
        self,
        event_type: type[Event] | str | None = None,
        *,
        since: datetime | None = None,
        dead: bool = False,
        limit: int = 100,
    ) -> list[EventRecord]:
        """See :meth:`EventManager.find`."""
        return await self._bridge.lift(lambda: self._events.find(event_type, since=since, dead=dead, limit=limit))

    async def record(self, event_id: str) -> EventRecord | None:
        """See :meth:`EventManager.record`."""
        return await self._bridge.lift(lambda: self._events.record(event_id))

    async def fields(self, event_id: str) -> Mapping[str, object] | None:
        """See :meth:`EventManager.fields`."""
        return await self._bridge.lift(lambda: self._events.fields(event_id))

    async def replay(
        self,
        event_id: str | None = None,
        *,
        event_type: type[Event] | str | None = None,
        since: datetime | None = None,
        listener: str | None = None,
        dead: bool = False,
    ) -> int:
        """See :meth:`EventManager.replay`."""

        def again() -> int:
            return self._events.replay(event_id, event_type=event_type, since=since, listener=listener, dead=dead)

        return await self._bridge.lift(again)

    async def purge(self, before: datetime) -> int:
        """See :meth:`EventManager.purge`."""
        return await self._bridge.lift(lambda: self._events.purge(before))

    async def sweep(self) -> None:
        """See :meth:`EventManager.sweep`."""
        await self._bridge.lift(self._events.sweep)

"""Emitting: an event is noted, heard now, and bound to the unit with which it happens."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from .. import _codec
from .._spans import carried, spans
from .._unit import any_unit, when_ended
from ..errors import OutsideUnit
from .background import Background
from .broadcast import Broadcast
from .calling import Caller
from .dispatch import Dispatch, Heard
from .durable import TOPIC, Durable, order_of
from .interface import STOP, Event, EventContext, type_name
from .listener import Listener
from .recording import Recordings
from .traced import emitting

if TYPE_CHECKING:
    from .._protocols import UnitLike


class Emitter:
    """Emits events of one manager. ``carry()`` is what the jobs of durable deliveries carry from here."""

    def __init__(
        self,
        dispatch: Dispatch,
        caller: Caller,
        durable: Durable,
        background: Background,
        *,
        broadcast: Broadcast,
        carry: Callable[[], Mapping[str, str]],
    ) -> None:
        self.recordings = Recordings()
        self._dispatch = dispatch
        self._caller = caller
        self._durable = durable
        self._background = background
        self._broadcast = broadcast
        self._carry = carry

    def emit(self, event: Event, tx: UnitLike | None, detached: bool) -> EventContext:
        """See :meth:`EventManager.emit`."""
        heard = self._dispatch.heard(type(event))
        unit = any_unit() if tx is None else None
        if unit is not None and not detached:
            raise OutsideUnit(
                f"{type_name(type(event))} was emitted inside an open unit without tx=: pass tx=tx, so that it happens "
                "if and only if the unit commits, or detached=True to emit it whatever becomes of the unit"
            )
        ctx = self._dispatch.context(event)
        if spans.recorder is not None:
            with emitting(event, heard):
                self._emit(ctx, heard, tx, unit)
        elif heard.simple and unit is tx is None:
            self._at_once(ctx, heard)
        else:
            self._emit(ctx, heard, tx, unit)
        return ctx

    def _emit(self, ctx: EventContext, heard: Heard, tx: UnitLike | None, unit: UnitLike | None) -> None:
        if heard.later:
            self._background.check()
        if unit is None:
            self._happen(ctx, heard, tx)
        else:
            when_ended(unit, partial(self._happen, ctx, heard, None))

    def awaits(self, event: Event) -> bool:
        """Whether an async listener hears it now, for which an emitter in asyncio can wait without a thread."""
        return any(listener.is_async for listener in self._dispatch.heard(type(event)).now)

    async def aemit(
        self, event: Event, tx: Any, in_thread: Callable[[Callable[[Any], object]], Awaitable[Any]]
    ) -> EventContext:
        """:meth:`emit` where :meth:`awaits` holds; ``in_thread`` calls with the sync unit, or without one.

        An async listener gets ``tx``, the async unit.
        """
        heard = self._dispatch.heard(type(event))
        ctx = self._dispatch.context(event)
        with emitting(event, heard):
            await self._aemit(ctx, heard, tx, in_thread)
        return ctx

    async def _aemit(
        self, ctx: EventContext, heard: Heard, tx: Any, in_thread: Callable[[Callable[[Any], object]], Awaitable[Any]]
    ) -> None:
        if heard.later:
            self._background.check()
        for listener in heard.now:
            if not self._caller.may(listener):
                continue
            if listener.is_async:
                stopped = await self._caller.awaited_now(listener, ctx.within(tx))
            else:
                stopped = await in_thread(partial(self._called_now, listener, ctx))
            if stopped is STOP:
                break
        await in_thread(partial(self._happen, ctx, replace(heard, now=())))

    def _called_now(self, listener: Listener[Any], ctx: EventContext, tx: UnitLike | None) -> object:
        return self._caller.called_now(listener, ctx.within(tx))

    def _happen(self, ctx: EventContext, heard: Heard, tx: UnitLike | None) -> None:
        if heard.now:
            self._caller.now(heard.now, ctx if tx is None else ctx.within(tx))
        if tx is not None:
            self._with(tx, ctx, heard)
        elif heard.in_unit:
            self._durable.in_unit(lambda own: self._with(own, ctx, heard))
        else:
            message = self._broadcast.message(ctx) if heard.broadcast else None
            self._at_once(ctx, heard)
            if message is not None:
                self._broadcast.publish(message)

    def _at_once(self, ctx: EventContext, heard: Heard) -> None:
        heard.count.value += 1
        if self.recordings.open:
            self.recordings.note(ctx)
        if heard.after:
            self._caller.after(heard.after, ctx)

    def _with(self, tx: UnitLike, ctx: EventContext, heard: Heard) -> None:
        if heard.before:
            tx.before_commit(partial(self._caller.before, heard.before, ctx, tx))
        if heard.durable:
            told = [type_name(type(ctx.event)), ctx.encode(), {**self._carry(), **carried()}]
            tx.stage(TOPIC, _codec.encode(told), key=order_of(ctx.event))
        if self.recordings.open:
            tx.after_commit(partial(self.recordings.note, ctx))
        if heard.after:
            tx.after_commit(partial(self._caller.after, heard.after, ctx))
        if heard.broadcast:
            tx.after_commit(partial(self._broadcast.publish, self._broadcast.message(ctx)))
        heard.count.value += 1

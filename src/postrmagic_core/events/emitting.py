"""Emitting: an event is noted, heard now, and bound to the unit with which it happens."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from .. import _codec
from .._unit import any_unit, when_ended
from ..errors import OutsideUnit
from .background import Background
from .calling import Caller
from .dispatch import Dispatch, Heard
from .durable import TOPIC, Durable, order_of
from .interface import STOP, Envelope, Event, type_name
from .recording import Recordings

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
        carry: Callable[[], Mapping[str, str]],
    ) -> None:
        self.recordings = Recordings()
        self._dispatch = dispatch
        self._caller = caller
        self._durable = durable
        self._background = background
        self._carry = carry

    def emit(self, event: Event, tx: UnitLike | None, detached: bool) -> str:
        """See :meth:`EventManager.emit`."""
        heard = self._dispatch.heard(type(event))
        unit = any_unit() if tx is None else None
        if unit is not None and not detached:
            raise OutsideUnit(
                f"{type_name(type(event))} was emitted inside an open unit without tx=: pass tx=tx, so that it happens "
                "if and only if the unit commits, or detached=True to emit it whatever becomes of the unit"
            )
        envelope = self._dispatch.envelope(event)
        if heard.later:
            self._background.check()
        if unit is None:
            self._happen(envelope, heard, tx)
        else:
            when_ended(unit, partial(self._happen, envelope, heard, None))
        return envelope.id

    def awaits(self, event: Event) -> bool:
        """Whether an async listener hears it now, for which an emitter in asyncio can wait without a thread."""
        return any(listener.is_async for listener in self._dispatch.heard(type(event)).now)

    async def aemit(self, event: Event, tx: Any, in_thread: Callable[[Callable[[Any], object]], Awaitable[Any]]) -> str:
        """:meth:`emit` where :meth:`awaits` holds; ``in_thread`` calls with the sync unit, or without one.

        An async listener gets ``tx``, the async unit.
        """
        heard = self._dispatch.heard(type(event))
        envelope = self._dispatch.envelope(event)
        if heard.later:
            self._background.check()
        for listener in heard.now:
            if not self._caller.may(listener):
                continue
            if listener.is_async:
                stopped = await self._caller.awaited_now(listener, envelope, tx)
            else:
                stopped = await in_thread(partial(self._caller.called_now, listener, envelope))
            if stopped is STOP:
                break
        await in_thread(partial(self._happen, envelope, replace(heard, now=())))
        return envelope.id

    def _happen(self, envelope: Envelope, heard: Heard, tx: UnitLike | None) -> None:
        if heard.now:
            self._caller.now(heard.now, envelope, tx)
        if tx is not None:
            self._with(tx, envelope, heard)
        elif heard.in_unit:
            self._durable.in_unit(lambda own: self._with(own, envelope, heard))
        else:
            heard.count.value += 1
            if self.recordings:
                self.recordings.note(envelope)
            if heard.after:
                self._caller.after(heard.after, envelope)

    def _with(self, tx: UnitLike, envelope: Envelope, heard: Heard) -> None:
        if heard.before:
            tx.before_commit(partial(self._caller.before, heard.before, envelope, tx))
        if heard.durable:
            told = [type_name(type(envelope.event)), envelope.encode(), dict(self._carry())]
            tx.stage(TOPIC, _codec.encode(told), key=order_of(envelope.event))
        if self.recordings:
            tx.after_commit(partial(self.recordings.note, envelope))
        if heard.after:
            tx.after_commit(partial(self._caller.after, heard.after, envelope))
        heard.count.value += 1

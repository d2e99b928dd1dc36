"""The calling of listeners: what causes what, what an error does, who is called only once."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from .._metrics import Metrics
from .._spans import spans
from ..errors import Unsupported, UsageError
from .background import Background
from .interface import STOP, EventContext
from .listener import Listener
from .traced import delivering, hearing

if TYPE_CHECKING:
    from .._protocols import UnitLike

logger = logging.getLogger("postrmagic_core.events")

Heard = Sequence[Listener[Any]]

cause: ContextVar[EventContext | None] = ContextVar("postrmagic_event", default=None)
"""The event whose listener runs here."""


@runtime_checkable
class HasSavepoints(Protocol):
    """A unit of which a part may fail alone."""

    def savepoint(self) -> AbstractContextManager[Any]:
        """That part."""
        ...


class Caller:
    """Calls listeners; ``ctx`` is what is noted of the event."""

    def __init__(self, background: Background, metrics: Metrics) -> None:
        self._background = background
        self._metrics = metrics
        self._lock = threading.Lock()
        self._heard_once: set[str] = set()

    def now(self, heard: Heard, ctx: EventContext) -> None:
        """Call the listeners of the phase ``now``; an async one is waited for."""
        for listener in heard:
            if self.may(listener) and self.called_now(listener, ctx) is STOP:
                return

    def called_now(self, listener: Listener[Any], ctx: EventContext) -> object:
        """What one of them returns; ``None`` for an error that is only logged."""
        try:
            with hearing(listener):
                return self._awaited(listener, ctx) if listener.is_async else self.call(listener, ctx, ctx)
        except Exception as error:
            self.failed(listener, ctx.event_id, error)
            return None

    async def awaited_now(self, listener: Listener[Any], ctx: EventContext) -> object:
        """:meth:`called_now` for an async listener, on the emitter's own loop."""
        try:
            with hearing(listener):
                return await self.acall(listener, ctx, ctx)
        except Exception as error:
            self.failed(listener, ctx.event_id, error)
            return None

    def before(self, heard: Heard, ctx: EventContext, tx: UnitLike) -> None:
        """Call the listeners inside the transaction; where an error is only logged, what was done is undone."""
        ctx = ctx.within(tx)
        for listener in heard:
            if not self.may(listener):
                continue
            try:
                with hearing(listener), _part(tx) if listener.on_error == "log" else nullcontext():
                    stopped = self.call(listener, ctx, ctx)
            except Exception as error:
                self.failed(listener, ctx.event_id, error)
            else:
                if stopped is STOP:
                    return

    def after(self, heard: Heard, ctx: EventContext) -> None:
        """Call the plain listeners after the commit, and hand the async ones to the background."""
        token = cause.set(ctx)
        try:
            for listener in heard:
                if listener.once and not self.may(listener):
                    continue
                if listener.is_async:
                    self._background.submit(partial(self._alone, listener, ctx))
                    continue
                try:
                    if spans.recorder is None:
                        stopped = listener.function(ctx.event, ctx)
                    else:
                        with hearing(listener):
                            stopped = listener.function(ctx.event, ctx)
                    if stopped is STOP:
                        return
                except Exception as error:
                    self.failed(listener, ctx.event_id, error)
        finally:
            cause.reset(token)

    def deliver(self, listener: Listener[Any], because: EventContext, ctx: Any) -> None:
        """Call a durable listener with its job's context, and wait for it."""
        with delivering(listener, because.event):
            if listener.is_async:
                self._wait(listener, because, ctx)
            else:
                self.call(listener, because, ctx)

    def may(self, listener: Listener[Any]) -> bool:
        """Whether it is to be called; of one that hears once, the first time."""
        if not listener.once:
            return True
        with self._lock:
            first = listener.name not in self._heard_once
            self._heard_once.add(listener.name)
        return first

    def call(self, listener: Listener[Any], because: EventContext, ctx: Any) -> object:
        """What the listener returns; what it emits is caused by the event."""
        token = cause.set(because)
        try:
            return listener.function(because.event, ctx)
        finally:
            cause.reset(token)

    async def acall(self, listener: Listener[Any], because: EventContext, ctx: Any) -> object:
        """:meth:`call` for an async listener."""
        token = cause.set(because)
        try:
            async with asyncio.timeout(listener.time_limit):
                return await listener.function(because.event, ctx)  # type: ignore[misc]  # is_async says so
        finally:
            cause.reset(token)

    def failed(self, listener: Listener[Any], event_id: str, error: Exception) -> None:
        """Raise the error where the listener says so; else log and count it."""
        if listener.on_error == "raise":
            raise error
        self._metrics.counter("events_listener_failures_total", listener=listener.name).add()
        logger.error("listener %s failed on event %s", listener.name, event_id, exc_info=error)

    async def _alone(self, listener: Listener[Any], ctx: EventContext) -> None:
        try:
            with hearing(listener):
                await self.acall(listener, ctx, ctx)
        except Exception as error:
            self.failed(listener, ctx.event_id, error)

    def _awaited(self, listener: Listener[Any], ctx: EventContext) -> object:
        if self._background.loop.is_here:
            raise UsageError(
                f"{listener.name} is async and is to be awaited, but events.emit() blocks the loop that it needs: use "
                "await events.aio.emit() here"
            )
        return self._wait(listener, ctx, ctx.within(None))  # the unit is this thread's

    def _wait(self, listener: Listener[Any], because: EventContext, ctx: Any) -> object:
        running = self._background.loop.start(lambda: self.acall(listener, because, ctx))
        try:
            return running.future.result()
        except BaseException:
            running.cancel()  # where it is the wait that was interrupted
            raise


def _part(tx: UnitLike) -> AbstractContextManager[Any]:
    if not isinstance(tx, HasSavepoints):
        raise Unsupported("on_error='log' before the commit needs a unit with savepoints: db.write() gives one")
    return tx.savepoint()

"""Who is known to listen, and the calling of listeners with their causes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from functools import partial
from types import ModuleType
from typing import TYPE_CHECKING, Any

from .._clock import Clock
from .._ids import uuid7
from .._metrics import Metrics
from ..errors import ConfigurationError, UsageError
from . import policy
from .including import sources_of
from .interface import Envelope, Event, Phase, context_of, type_name
from .listener import Listener

if TYPE_CHECKING:
    from .._protocols import UnitLike

logger = logging.getLogger("postrmagic_core.events")

_cause: ContextVar[tuple[Envelope, int] | None] = ContextVar("postrmagic_event", default=None)


class Dispatch:
    """The listeners and event classes of one application."""

    def __init__(self, services: Mapping[str, object], clock: Clock, metrics: Metrics) -> None:
        self._services = services
        self._clock = clock
        self._metrics = metrics
        self.listeners: dict[str, Listener[Any]] = {}
        self._types: dict[str, type[Event]] = {}

    def include(self, sources: Iterable[ModuleType | str | Listener[Any]]) -> None:
        """See :meth:`EventManager.include`."""
        listeners, types = sources_of(sources)
        for listener in listeners:
            if self.listeners.get(listener.name, listener) is not listener:
                raise UsageError(f"two listeners are named {listener.name}: give one of them name= in @on")
            self.listeners[listener.name] = listener
        for event_type in [*types, *(listener.event_type for listener in listeners)]:
            self._types[type_name(event_type)] = event_type

    def heard(self, event_type: type[Event], phase: Phase) -> list[Listener[Any]]:
        """The listeners that hear events of the class in ``phase``, in order."""
        return policy.heard_by(self.listeners.values(), event_type, phase)

    def known(self, name: str) -> type[Event]:
        """The included class that stored events call ``name``; else :class:`ConfigurationError`."""
        found = policy.find_type(self._types.values(), name)
        if found is None:
            raise ConfigurationError(f"event type {name} is not included in this process: include its module")
        return found

    def envelope(self, event: Event) -> Envelope:
        """``event`` with a new id, the time, and what caused it."""
        cause, now = _cause.get(), self._clock.now_us()
        own = str(uuid7(now))
        if cause is None:
            return Envelope(own, now, own, None, event)
        return Envelope(own, now, cause[0].correlation_id, cause[0].id, event)

    def before(self, envelope: Envelope, tx: UnitLike) -> list[Callable[[], None]]:
        """One call for each before-commit listener; an error in it is raised."""
        depth, ctx = self._depth(envelope.event), context_of(envelope, tx, self._services)
        heard = self.heard(type(envelope.event), "before_commit")
        return [partial(self.call, listener, envelope, ctx, depth) for listener in heard]

    def after(self, envelope: Envelope) -> list[Callable[[], None]]:
        """One call for each after-commit listener; an error in it is logged and counted."""
        depth = self._depth(envelope.event)
        return [
            partial(self._after, each, envelope, depth) for each in self.heard(type(envelope.event), "after_commit")
        ]

    def call(self, listener: Listener[Any], envelope: Envelope, ctx: Any, depth: int = 0) -> None:
        """Call ``listener``; what it emits is caused by the event."""
        token = _cause.set((envelope, depth))
        try:
            listener.function(envelope.event, ctx)
        finally:
            _cause.reset(token)

    def _after(self, listener: Listener[Any], envelope: Envelope, depth: int) -> None:
        try:
            self.call(listener, envelope, context_of(envelope, None, self._services), depth)
        except Exception:
            self._metrics.counter("events_listener_failures_total", listener=listener.name).add()
            logger.exception("listener %s failed on event %s", listener.name, envelope.id)

    def _depth(self, event: Event) -> int:
        cause = _cause.get()
        return policy.checked_depth(0 if cause is None else cause[1] + 1, event)

"""Who is known to listen, and what is noted of an event as it is emitted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from .._clock import Clock
from .._ids import uuid7_text
from .._metrics import Counter, Metrics
from ..errors import ConfigurationError, UsageError
from . import policy
from .calling import cause
from .including import sources_of
from .interface import Envelope, Event, type_name
from .listener import Listener


@dataclass(slots=True)
class Heard:
    """The listeners of one class of events, by phase; ``count`` counts what is emitted."""

    now: tuple[Listener[Any], ...]
    before: tuple[Listener[Any], ...]
    after: tuple[Listener[Any], ...]
    durable: tuple[Listener[Any], ...]
    count: Counter
    in_unit: bool
    later: bool


class Dispatch:
    """The listeners and event classes of one application."""

    def __init__(self, clock: Clock, metrics: Metrics) -> None:
        self._clock = clock
        self._metrics = metrics
        self._now_us = clock.now_us
        self.listeners: dict[str, Listener[Any]] = {}
        self._types: dict[str, type[Event]] = {}
        self._heard: dict[type[Event], Heard] = {}

    def include(self, sources: Iterable[ModuleType | str | Listener[Any]]) -> None:
        """See :meth:`EventManager.include`."""
        listeners, types = sources_of(sources)
        for listener in listeners:
            if self.listeners.get(listener.name, listener) is not listener:
                raise UsageError(f"two listeners are named {listener.name}: give one of them name= in @on")
            self.listeners[listener.name] = listener
        for event_type in [*types, *(listener.event_type for listener in listeners)]:
            self._types[type_name(event_type)] = event_type
        self._heard = {}

    def heard(self, event_type: type[Event]) -> Heard:
        """Who hears events of the class, in order."""
        found = self._heard.get(event_type)
        return self._look_up(event_type) if found is None else found

    def _look_up(self, event_type: type[Event]) -> Heard:
        table, everybody = self._heard, list(self.listeners.values())
        now, before, after, durable = (
            policy.heard_by(everybody, event_type, phase)
            for phase in ("now", "before_commit", "after_commit", "durable")
        )
        count = self._metrics.counter("events_emitted_total", type=type_name(event_type))
        later = any(listener.is_async for listener in after)
        table[event_type] = Heard(now, before, after, durable, count, bool(before or durable), later)
        return table[event_type]

    def known(self, name: str) -> type[Event]:
        """The included class that stored events call ``name``; else :class:`ConfigurationError`."""
        found = policy.find_type(self._types.values(), name)
        if found is None:
            raise ConfigurationError(f"event type {name} is not included in this process: include its module")
        return found

    def envelope(self, event: Event) -> Envelope:
        """``event`` with a new id, the time, and what caused it."""
        because, now = cause.get(), self._now_us()
        own = uuid7_text(now)
        if because is None:
            return Envelope(own, now, own, None, event)
        depth = policy.checked_depth(because.depth + 1, event)
        return Envelope(own, now, because.correlation_id, because.id, event, depth)

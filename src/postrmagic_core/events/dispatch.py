"""Who is known to listen, and what is noted of an event as it is emitted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from .._clock import Clock
from .._metrics import Counter, Metrics
from ..errors import ConfigurationError, UsageError
from . import policy
from .calling import cause
from .including import sources_of
from .interface import Event, EventContext, type_name
from .listener import ON_ERROR, Listener


@dataclass(slots=True)
class Heard:
    """The listeners of one class of events, by phase; ``count`` counts what is emitted.

    ``in_unit``: some hear it in a transaction; ``later``: some in the background; ``simple``: all after the commit.
    """

    now: tuple[Listener[Any], ...]
    before: tuple[Listener[Any], ...]
    after: tuple[Listener[Any], ...]
    durable: tuple[Listener[Any], ...]
    broadcast: tuple[Listener[Any], ...]
    count: Counter
    in_unit: bool
    later: bool
    simple: bool


class Dispatch:
    """The listeners and event classes of one application."""

    def __init__(self, services: Mapping[str, object], clock: Clock, metrics: Metrics) -> None:
        self.services = services
        self._metrics = metrics
        self._now_us = clock.now_us
        self.listeners: dict[str, Listener[Any]] = {}
        self._types: dict[str, type[Event]] = {}
        self._table: dict[type[Event], Heard] = {}

    def include(self, sources: Iterable[ModuleType | str | Listener[Any]]) -> None:
        """See :meth:`EventManager.include`."""
        listeners, types = sources_of(sources)
        for listener in listeners:
            if self.listeners.get(listener.name, listener) is not listener:
                raise UsageError(f"two listeners are named {listener.name}: give one of them name= in @on")
            self.listeners[listener.name] = listener
        for event_type in [*types, *(listener.event_type for listener in listeners)]:
            self._types[type_name(event_type)] = event_type
        self._table = {}

    def heard(self, event_type: type[Event]) -> Heard:
        """Who hears events of the class, in order."""
        return self._table.get(event_type) or self._look_up(event_type)

    def _look_up(self, event_type: type[Event]) -> Heard:
        table, everybody = self._table, list(self.listeners.values())
        now, before, after, durable, broadcast = (policy.heard_by(everybody, event_type, phase) for phase in ON_ERROR)
        count = self._metrics.counter("events_emitted_total", type=type_name(event_type))
        in_unit, later = bool(before or durable), any(listener.is_async for listener in after)
        simple = not (now or in_unit or later or broadcast)
        table[event_type] = Heard(now, before, after, durable, broadcast, count, in_unit, later, simple)
        return table[event_type]

    def known(self, name: str) -> type[Event]:
        """The included class that stored events call ``name``; else :class:`ConfigurationError`."""
        found = policy.find_type(self._types.values(), name)
        if found is None:
            raise ConfigurationError(f"event type {name} is not included in this process: include its module")
        return found

    def context(self, event: Event) -> EventContext:
        """What is noted of ``event``: the time, and what caused it."""
        because = cause.get()
        if because is not None:
            policy.checked_depth(because.depth + 1, event)
        return EventContext(event, self._now_us(), self.services, because)

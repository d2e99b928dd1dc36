"""Listeners: functions declared without a Stack, bound to one by ``events.include``."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from ..errors import UsageError
from .interface import Event, Phase

E = TypeVar("E", bound=Event)


class Listener(Generic[E]):
    """A function that hears events of ``event_type`` and its subclasses; made by :func:`on`, and still callable."""

    def __init__(
        self, function: Callable[[E, Any], object], event_type: type[E], phase: Phase, name: str | None, priority: int
    ) -> None:
        if inspect.iscoroutinefunction(function):
            raise UsageError(f"{function.__qualname__}() is async: a listener is a plain function")
        if phase not in ("before_commit", "after_commit", "durable"):
            raise ValueError(f"expected the phase before_commit, after_commit or durable, got {phase!r}")
        self.function = function
        self.event_type = event_type
        self.phase = phase
        self.name = name or f"{function.__module__}.{function.__qualname__}"
        self.priority = priority

    def __call__(self, event: E, ctx: Any) -> object:
        return self.function(event, ctx)

    def __repr__(self) -> str:
        return f"<Listener {self.name} on {self.event_type.__qualname__}, {self.phase}>"


def on(
    event_type: type[E], *, phase: Phase = "after_commit", name: str | None = None, priority: int = 0
) -> Callable[[Callable[[E, Any], object]], Listener[E]]:
    """Declare ``listener(event, ctx)`` for events of a class and its subclasses.

    ``before_commit`` runs in the transaction (``ctx.tx``), and an error rolls it back. ``after_commit`` runs in the
    process that committed and is lost with it; its errors are logged and counted. ``durable`` runs as a job of its own
    (``ctx`` is the job's context), at least once, and what it does in ``ctx.write()`` once. A higher ``priority`` is
    called earlier, equal ones in the order of inclusion. ``name``: what deliveries call it; give one before you move
    the function.
    """

    def declare(function: Callable[[E, Any], object]) -> Listener[E]:
        return Listener(function, event_type, phase, name, priority)

    return declare

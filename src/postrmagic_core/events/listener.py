"""Listeners: functions declared without a Stack, bound to one by ``events.include``."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any, Generic, TypeVar, overload

from ..errors import UsageError
from .interface import Event, OnError, Phase, type_name

E = TypeVar("E", bound=Event)

ON_ERROR: dict[Phase, tuple[OnError, ...]] = {
    "now": ("raise", "log"),
    "before_commit": ("raise", "log"),
    "after_commit": ("log",),
    "durable": ("retry", "log"),
    "broadcast": ("log",),
}
"""What may become of an error in each phase; the first is the default."""


class Listener(Generic[E]):
    """A function that hears events of ``event_type`` and its subclasses; made by :func:`on`, and still callable.

    ``pattern``: of those, only the ones whose stored name matches it. ``is_async``: its function is a coroutine's.
    """

    def __init__(
        self,
        function: Callable[[E, Any], object],
        event_type: type[E] | str,
        phase: Phase,
        name: str | None = None,
        priority: int = 0,
        *,
        once: bool = False,
        on_error: OnError | None = None,
        time_limit: float | None = None,
    ) -> None:
        if phase not in ON_ERROR:
            raise ValueError(f"expected one of the phases {', '.join(ON_ERROR)}, got {phase!r}")
        allowed = ON_ERROR[phase]
        if on_error is not None and on_error not in allowed:
            raise ValueError(f"in the phase {phase} on_error is {' or '.join(allowed)}, got {on_error!r}")
        self.is_async = inspect.iscoroutinefunction(function)
        if self.is_async and phase == "before_commit":
            raise UsageError(
                f"{function.__qualname__}() is async: before the commit a listener is a plain function, since the unit "
                "belongs to one thread; take the phase now, after_commit or durable"
            )
        if time_limit is not None and not self.is_async:
            raise UsageError(
                f"{function.__qualname__}() has a time_limit, but a plain function cannot be ended: make it async, or "
                "durable, where the job's time limit holds"
            )
        if once and phase == "durable":
            raise UsageError(
                f"{function.__qualname__}() is durable and once: a durable listener hears in every process"
            )
        self.function = function
        self.event_type: type[Any] = Event if isinstance(event_type, str) else event_type
        self.pattern = event_type if isinstance(event_type, str) else None
        self.phase = phase
        self.name = name or f"{function.__module__}.{function.__qualname__}"
        self.priority = priority
        self.once = once
        self.time_limit = time_limit
        self.on_error: OnError = on_error or allowed[0]

    def hears(self, event_type: type[Event]) -> bool:
        """Whether events of the class are for it."""
        return issubclass(event_type, self.event_type) and (
            self.pattern is None or fnmatchcase(type_name(event_type), self.pattern)
        )

    def __call__(self, event: E, ctx: Any) -> object:
        return self.function(event, ctx)

    def __repr__(self) -> str:
        return f"<Listener {self.name} on {self.pattern or self.event_type.__qualname__}, {self.phase}>"


@overload
def on(
    event_type: type[E],
    *,
    phase: Phase = ...,
    name: str | None = ...,
    priority: int = ...,
    once: bool = ...,
    on_error: OnError | None = ...,
    time_limit: float | None = ...,
) -> Callable[[Callable[[E, Any], object]], Listener[E]]: ...


@overload
def on(
    event_type: str,
    *,
    phase: Phase = ...,
    name: str | None = ...,
    priority: int = ...,
    once: bool = ...,
    on_error: OnError | None = ...,
    time_limit: float | None = ...,
) -> Callable[[Callable[[Event, Any], object]], Listener[Event]]: ...


def on(
    event_type: type[E] | str,
    *,
    phase: Phase = "after_commit",
    name: str | None = None,
    priority: int = 0,
    once: bool = False,
    on_error: OnError | None = None,
    time_limit: float | None = None,
) -> Callable[[Callable[[Any, Any], object]], Listener[Any]]:
    """Declare ``listener(event, ctx)``, plain or async, for events of a class and its subclasses.

    A text with wildcards takes the classes whose stored name it matches: ``@on("poster.*")``.

    ``now`` runs while the event is emitted (``ctx.tx`` is the unit, if there is one), ``before_commit`` inside the
    transaction as it commits; an error is raised to the emitter, or rolls the unit back, unless ``on_error="log"``.
    ``after_commit`` runs in the process that committed and is lost with it; its errors are logged and counted; an async
    one runs behind the emitter's back. ``durable`` runs as a job of its own (``ctx`` is the job's context), at least
    once, and what it does in ``ctx.write()`` once; it is tried again after an error, or with ``on_error="log"`` not.
    ``broadcast`` runs in every process that includes it, once each at most, soon after the commit.

    A higher ``priority`` is called earlier, equal ones in the order of inclusion; what returns :data:`STOP` is the last
    to hear the event in its phase. ``once``: only the first event in each process. ``name``: what deliveries call it;
    give one before you move the function. ``time_limit``: seconds after which an async one is cancelled: an error.
    """

    def declare(function: Callable[[Any, Any], object]) -> Listener[Any]:
        return Listener(
            function, event_type, phase, name, priority, once=once, on_error=on_error, time_limit=time_limit
        )

    return declare

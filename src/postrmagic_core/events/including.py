"""From what ``include`` is given to the listeners and event classes in it."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from types import ModuleType
from typing import Any

from ..errors import UsageError
from .interface import Event
from .listener import Listener


def sources_of(sources: Iterable[ModuleType | str | Listener[Any]]) -> tuple[list[Listener[Any]], list[type[Event]]]:
    """Every listener, and every event class, among ``sources``: listeners, modules, dotted names of modules."""
    listeners: list[Listener[Any]] = []
    types: list[type[Event]] = []
    for source in sources:
        if isinstance(source, Listener):
            listeners.append(source)
        elif isinstance(source, ModuleType | str):
            module = import_module(source) if isinstance(source, str) else source
            values = list(vars(module).values())
            listeners += [value for value in values if isinstance(value, Listener)]
            types += [
                value for value in values if isinstance(value, type) and issubclass(value, Event) and value is not Event
            ]
        else:
            raise UsageError(
                f"expected a listener, a module or a module's name to include, got {type(source).__name__}"
            )
    return listeners, types

"""From what ``include`` is given to the tasks in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib import import_module
from types import ModuleType
from typing import Any

from ..errors import UsageError
from .declaration import Task


def tasks_of(sources: Iterable[ModuleType | str | Task[..., Any]]) -> Iterator[Task[..., Any]]:
    """Every task among ``sources``: tasks, modules that hold tasks, dotted names of such modules."""
    for source in sources:
        if isinstance(source, Task):
            yield source
        elif isinstance(source, ModuleType | str):
            module = import_module(source) if isinstance(source, str) else source
            yield from (value for value in vars(module).values() if isinstance(value, Task))
        else:
            raise UsageError(f"expected a task, a module or a module's name to include, got {type(source).__name__}")


def distinct(known: Task[..., Any] | None, task: Task[..., Any]) -> Task[..., Any]:
    """``task``; :class:`UsageError` when another task is known by its name already."""
    if known is not None and known is not task:
        raise UsageError(f"two tasks are named {task.name}: give one of them name= in @task")
    return task

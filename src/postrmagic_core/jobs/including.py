"""From what ``include`` is given to the tasks and schedules in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib import import_module
from types import ModuleType
from typing import Any, TypeAlias

from ..errors import UsageError
from .declaration import Task
from .schedules.declaration import Schedule

Source: TypeAlias = ModuleType | str | Task[..., Any] | Schedule


def declared_in(sources: Iterable[Source]) -> Iterator[Task[..., Any] | Schedule]:
    """What ``sources`` declare: tasks and schedules, modules that hold some, dotted names of such modules."""
    for source in sources:
        if isinstance(source, Task | Schedule):
            yield source
        elif isinstance(source, ModuleType | str):
            module = import_module(source) if isinstance(source, str) else source
            yield from (value for value in vars(module).values() if isinstance(value, Task | Schedule))
        else:
            raise UsageError(
                f"expected a task, a schedule, a module or a module's name to include, got {type(source).__name__}"
            )


def distinct(known: Task[..., Any] | None, task: Task[..., Any]) -> Task[..., Any]:
    """``task``; :class:`UsageError` when another task is known by its name already."""
    if known is not None and known is not task:
        raise UsageError(f"two tasks are named {task.name}: give one of them name= in @task")
    return task


def distinct_schedule(known: Schedule | None, schedule: Schedule) -> Schedule:
    """``schedule``; :class:`UsageError` when another schedule is known by its name already."""
    if known is not None and known is not schedule:
        raise UsageError(f"two schedules are named {schedule.name}: give one of them name=")
    return schedule

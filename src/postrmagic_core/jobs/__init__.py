"""Jobs: tasks declared without a Stack, enqueued with the transaction, run by workers that may die."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .declaration import Call, Task, task
from .handle import JobHandle
from .interface import JobStatus, Progress, Unique

if TYPE_CHECKING:
    from .aio import AsyncJobQueue
    from .context import JobContext
    from .manager import JobQueue
    from .schedules.declaration import cron, every

__all__ = [
    "task",
    "Task",
    "Call",
    "cron",
    "every",
    "JobContext",
    "JobQueue",
    "AsyncJobQueue",
    "JobHandle",
    "JobStatus",
    "Unique",
    "Progress",
]

# A module of tasks is imported by every process: declaring loads neither SQLAlchemy nor dramatiq.
_LAZY = {
    "JobContext": "context",
    "JobQueue": "manager",
    "AsyncJobQueue": "aio",
    "cron": "schedules.declaration",
    "every": "schedules.declaration",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(f".{_LAZY[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

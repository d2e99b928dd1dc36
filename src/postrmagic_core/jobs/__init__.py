"""Jobs: tasks declared without a Stack, enqueued with the transaction, run by workers that may die."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._lazy import lazily
from .declaration import Call, Task, task
from .handle import JobHandle
from .interface import JobStatus, Progress, Unique

if TYPE_CHECKING:
    from .aio import AsyncJobQueue
    from .context import JobContext
    from .manager import JobQueue
    from .schedules.declaration import cron, every
else:  # a module of tasks is imported by every process: declaring loads neither SQLAlchemy nor dramatiq
    __getattr__ = lazily(
        __name__,
        {
            "JobContext": "context",
            "JobQueue": "manager",
            "AsyncJobQueue": "aio",
            "cron": "schedules.declaration",
            "every": "schedules.declaration",
        },
    )

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

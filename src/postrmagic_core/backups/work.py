"""Backups and drills by workers: the tasks, and the schedules that settings ask for."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..errors import ConfigurationError
from ..jobs import JobContext, Unique, cron, task
from .drill import drill

if TYPE_CHECKING:
    from ..jobs.declaration import Task
    from ..jobs.schedules.declaration import Schedule
    from .interface import Report
    from .manager import Backups

_log = logging.getLogger("postrmagic_core.backups")

# Seconds. Longer than either takes where it makes sense at all; the thread is free again then.
_LIMIT = 12 * 3600.0


def scheduled(
    backups: Callable[[], Backups], *, take: str | None = None, drills: str | None = None
) -> list[Task[..., Any] | Schedule]:
    """What ``jobs.include(*…)`` is given so that workers back up, and try what they backed up.

    ``take`` and ``drills`` are cron expressions in UTC; without one there is the task alone. ``backups`` gives the
    manager, open, when a job runs. A job that dies with its worker is not tried again: the next tick comes, and a
    backup that kills its worker would do so for ever. Raises :class:`ConfigurationError` for an expression that is
    none.
    """

    @task(name="postrmagic.backups.take", retries=0, time_limit=_LIMIT, priority="low", unique=Unique())
    def take_backup(ctx: JobContext) -> None:
        """Take a backup, and remove those that are not kept."""
        manager = backups()
        taken = manager.take(_told(ctx))
        removed = manager.prune()
        _log.info("backup taken by a job", extra={"backup_id": taken.id, "size": taken.size, "removed": len(removed)})

    @task(name="postrmagic.backups.drill", retries=0, time_limit=_LIMIT, priority="low", unique=Unique())
    def try_backup(ctx: JobContext) -> None:
        """Restore the newest backup beside everything, and see whether it is whole."""
        done = drill(backups(), _told(ctx))
        _log.info("drill done by a job", extra={"backup": done.backup, "seconds": round(done.seconds, 3)})

    found: list[Task[..., Any] | Schedule] = [take_backup, try_backup]
    for setting, expression, each in (("schedule", take, take_backup), ("drill_schedule", drills, try_backup)):
        if expression is not None:
            found.append(_cron(setting, expression, each))
    return found


def _cron(setting: str, expression: str, each: Task[..., Any]) -> Schedule:
    try:
        return cron(expression, each.call(), name=each.name)
    except ValueError as error:
        raise ConfigurationError(f"POSTRMAGIC_BACKUPS__{setting.upper()}: {error}") from None


def _told(ctx: JobContext) -> Report:
    """The job's progress; a job that was cancelled, or is another worker's by now, ends here."""

    def report(what: str, done: int, total: int | None) -> None:
        ctx.progress(done, total, what)

    return report

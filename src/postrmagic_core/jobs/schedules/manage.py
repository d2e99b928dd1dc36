"""What people do with schedules: look at them, pause and resume them, run one now, forget one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from ..._unit import in_own_unit
from ...errors import UniqueViolation, UsageError
from . import rows
from .scheduler import enqueue

if TYPE_CHECKING:
    from ..._protocols import UnitLike
    from ..handle import JobHandle
    from ..manager import JobQueue
    from .declaration import Schedule
    from .rows import Row


@dataclass(frozen=True, slots=True)
class ScheduleInfo:
    """A schedule: ``spec`` as it was written, in ``timezone`` (``None`` for an interval); instants are aware, UTC.

    ``task``: what it enqueues, ``None`` where it is not ``declared`` here. ``next_at``: the tick that comes next,
    ``None`` while it is paused or no scheduler has seen it. ``last_at``: the tick fired last, and ``last_job`` what it
    became.
    """

    name: str
    spec: str
    timezone: str | None
    task: str | None
    next_at: datetime | None
    last_at: datetime | None
    last_job: str | None
    paused: bool
    declared: bool


def listed(jobs: JobQueue) -> list[ScheduleInfo]:
    """Those that are declared here, and those that the database knows."""
    _, found = rows.look(jobs.database)
    names = sorted(found.keys() | jobs.scheduled.keys())
    return [_told(name, found.get(name), jobs.scheduled.get(name)) for name in names]


def _told(name: str, row: Row | None, schedule: Schedule | None) -> ScheduleInfo:
    told = schedule.timing if row is None and schedule is not None else row
    return ScheduleInfo(
        name=name,
        spec="" if told is None else told.spec,
        timezone=None if told is None else told.zone or None,
        task=None if schedule is None else schedule.call.task.name,
        next_at=None if row is None or row.paused else row.next_at,
        last_at=None if row is None else row.last_at,
        last_job=None if row is None else row.last_job,
        paused=row is not None and row.paused,
        declared=schedule is not None,
    )


def pause(jobs: JobQueue, name: str) -> None:
    """Until :func:`resume`; one that no scheduler has seen yet is written down as paused."""

    def work(tx: UnitLike) -> None:
        if not rows.set_paused(tx, name, True):
            rows.add(tx, name, _declared(jobs.scheduled, name).timing, paused=True)

    try:
        in_own_unit(jobs.database, work)
    except UniqueViolation:  # a scheduler has seen it meanwhile
        in_own_unit(jobs.database, work)


def resume(jobs: JobQueue, name: str) -> None:
    """From the next tick on."""
    schedule = _declared(jobs.scheduled, name)

    def work(tx: UnitLike) -> None:
        row = rows.found(tx, [name]).get(name)
        if row is not None and row.paused:
            rows.plan(tx, row, schedule.timing)
            rows.set_paused(tx, name, False)

    in_own_unit(jobs.database, work)


def run(jobs: JobQueue, name: str) -> JobHandle:
    """Now, by the database's clock."""
    schedule = _declared(jobs.scheduled, name)

    def work(tx: UnitLike) -> JobHandle:
        instant = rows.now(tx)
        job = enqueue(jobs, tx, schedule, instant)
        rows.note_run(tx, name, instant, job.id)
        return job

    return in_own_unit(jobs.database, work)


def forget(jobs: JobQueue, name: str) -> None:
    """Only what nobody here declares: it would come back by itself."""
    if name in jobs.scheduled:
        raise UsageError(f"schedule {name} is declared here: take its declaration away first, or pause it")
    if not in_own_unit(jobs.database, lambda tx: rows.forget(tx, name)):
        raise _unknown(name, jobs.scheduled)


def _declared(scheduled: Mapping[str, Schedule], name: str) -> Schedule:
    schedule = scheduled.get(name)
    if schedule is None:
        raise _unknown(name, scheduled)
    return schedule


def _unknown(name: str, scheduled: Mapping[str, Schedule]) -> UsageError:
    return UsageError(f"there is no schedule {name} here; declared are: {', '.join(sorted(scheduled)) or 'none'}")

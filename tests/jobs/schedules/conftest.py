"""What the tests of schedules share: a task that tells its tick, and ways to look at rows and jobs."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import update

from postrmagic_core import _codec
from postrmagic_core.jobs import JobQueue
from postrmagic_core.jobs.interface import ENDED, LIVE, Selection
from postrmagic_core.jobs.schedules import rows
from postrmagic_core.jobs.schedules.manage import ScheduleInfo
from postrmagic_core.jobs.tables import schedules


def row_of(jobs: JobQueue, name: str) -> rows.Row:
    """The schedule's row."""
    return rows.look(jobs.database)[1][name]


def told_of(jobs: JobQueue, name: str) -> ScheduleInfo:
    """What is told of the schedule."""
    return next(told for told in jobs.schedules() if told.name == name)


def set_back(jobs: JobQueue, name: str, seconds: float) -> datetime:
    """Let the schedule's next tick have come so many seconds ago; that tick."""
    instant = rows.look(jobs.database)[0] - timedelta(seconds=seconds)
    with jobs.database.write() as tx:
        us = round(instant.timestamp() * 1e6)
        tx.execute(update(schedules).where(schedules.c.name == name).values(next_us=us))
    return row_of(jobs, name).next_at


def fired(jobs: JobQueue) -> list[tuple[str, str]]:
    """(schedule, tick) of each job that a schedule has made, in order; each is a job of its own."""
    found = jobs.adapter.records(Selection(None, LIVE | ENDED, limit=10_000))
    headers: list[Any] = [_codec.decode(record.headers) for record in found if record.headers]
    return sorted((one["schedule"], one["scheduled_for"]) for one in headers if "schedule" in one)

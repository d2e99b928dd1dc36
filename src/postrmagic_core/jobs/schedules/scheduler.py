"""The scheduler: fires the ticks that have come. Any number of them may run; each tick is fired by one.

A tick is fired by moving its schedule's row on and enqueueing the job in one transaction, if the row is as it was read.
Nobody is the leader: one that is paused, killed or late loses nothing, for the others go on, and finds nothing to fire
again, for the row has moved.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from ..._lifecycle import Lifecycle, after_fork
from ..._retry import RetryPolicy
from ..._unit import in_own_unit
from ...errors import NotOpen, PostrMagicError, UniqueViolation
from ..context import SCHEDULED
from . import policy, rows

if TYPE_CHECKING:
    from ..._protocols import UnitLike
    from ..handle import JobHandle
    from ..manager import JobQueue
    from .declaration import Schedule
    from .policy import Firing
    from .rows import Row

logger = logging.getLogger("postrmagic_core.jobs")

# Ticks of one schedule that a pass fires at most, so that the others have their turn.
MOST = 100
_BACK_OFF = RetryPolicy(attempts=1_000_000, base=0.1, cap=5.0)
_JOIN = 10.0


class Scheduler(Lifecycle):
    """Fires the ticks of the schedules that ``jobs`` includes, in a thread while open; :meth:`run_once` needs none.

    Time is the database's. A scheduler that starts takes what it declares for what holds; one that runs already, with
    another declaration of a schedule, leaves that one alone from then on.
    """

    def __init__(self, jobs: JobQueue) -> None:
        super().__init__()
        self._jobs = jobs
        self._settled: set[str] = set()
        self._replaced: set[str] = set()
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        after_fork(self._forget)

    def run_once(self) -> int:
        """Fire what is due, of each schedule at most 100 ticks; returns how many jobs were enqueued."""
        return self._pass()[0]

    def _pass(self) -> tuple[int, timedelta | None]:
        """How many ticks were fired, and the time until the next one."""
        schedules = list(self._jobs.scheduled.values())
        if not schedules:
            return 0, None
        began = time.monotonic()
        now, found = self._settle(schedules)
        fired, left = 0, []
        for schedule in schedules:
            row = found.get(schedule.name)
            if row is not None and self._mine(schedule, row) and not row.paused:
                count, following = self._work_off(schedule, row, now)
                fired += count
                left.append(following - now)
        spent = timedelta(seconds=time.monotonic() - began)
        return fired, min(left) - spent if left else None

    def _settle(self, schedules: list[Schedule]) -> tuple[datetime, dict[str, Row]]:
        """The database's time and the rows, once each schedule has one and a new declaration is written down."""
        names = [schedule.name for schedule in schedules]
        now, found = rows.look(self._jobs.database, names)
        changed = [schedule for schedule in schedules if self._unsettled(schedule, found.get(schedule.name))]
        for schedule in changed:
            write_down(self._jobs, schedule, found.get(schedule.name))
        self._settled.update(names)
        return rows.look(self._jobs.database, names) if changed else (now, found)

    def _unsettled(self, schedule: Schedule, row: Row | None) -> bool:
        return row is None or (schedule.name not in self._settled and not row.tells(schedule.timing))

    def _mine(self, schedule: Schedule, row: Row) -> bool:
        """Whether the row is of this declaration; the first time that it is not, say so."""
        mine = row.tells(schedule.timing)
        if not mine and schedule.name not in self._replaced:
            logger.warning(
                "schedule %s is %s %s now, by a process that started later: this one leaves it alone",
                *(schedule.name, row.spec, row.zone),
            )
        (self._replaced.discard if mine else self._replaced.add)(schedule.name)
        return mine

    def _work_off(self, schedule: Schedule, row: Row, now: datetime) -> tuple[int, datetime]:
        """Fire the schedule's ticks until ``now``: how many, and when to look again."""
        fired = 0
        for _ in range(MOST):
            if row.next_at > now:
                break
            firing = policy.due(schedule.timing, schedule.misfire, schedule.grace, row.next_at, now)
            if not self._fire(schedule, row, firing):
                return fired, now + policy.BEATEN  # another has it, or it was paused
            fired += firing.tick is not None
            row = replace(row, next_at=firing.next)
        return fired, row.next_at

    def _fire(self, schedule: Schedule, row: Row, firing: Firing) -> bool:
        if not in_own_unit(self._jobs.database, lambda tx: fire(self._jobs, tx, schedule, row, firing)):
            return False
        if firing.tick != row.next_at:
            told = "none of them is fired" if firing.tick is None else f"the one of {firing.tick} is fired"
            logger.warning("schedule %s missed its tick of %s, perhaps others: %s", schedule.name, row.next_at, told)
        name = "schedule_ticks_missed_total" if firing.tick is None else "schedule_ticks_fired_total"
        self._jobs.metrics.counter(name, schedule=schedule.name).add()
        return True

    def _loop(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            try:
                pause = policy.pause(self._pass()[1])
            except NotOpen:
                return  # the queue or its database was closed: nothing is left to do
            except Exception as error:
                failures += 1
                pause = _BACK_OFF.delay(failures, random.random()) or 0.0  # noqa: S311 - spreads load
                if failures == 1:
                    level = logging.WARNING if isinstance(error, PostrMagicError) else logging.ERROR
                    logger.log(level, "the scheduler failed and tries again until it can", exc_info=error)
            else:
                if failures:
                    logger.info("the scheduler goes on, after %d failed tries", failures)
                failures = 0
            self._stopping.wait(pause)

    def _open(self) -> None:
        self._jobs.ensure_open()
        if self._thread is None:
            self._stopping.clear()
            self._thread = threading.Thread(target=self._loop, name="postrmagic-scheduler", daemon=True)
            self._thread.start()

    def _close(self) -> None:
        thread, self._thread = self._thread, None
        self._stopping.set()
        if thread is not None and thread is not threading.current_thread():
            thread.join(_JOIN)

    def _forget(self) -> None:
        self._thread = None
        self._stopping = threading.Event()


def fire(jobs: JobQueue, tx: UnitLike, schedule: Schedule, row: Row, firing: Firing) -> bool:
    """Take the tick and enqueue its job, both in ``tx``; whether it was there to be taken."""
    if not rows.take(tx, row, firing):
        return False
    if firing.tick is not None:
        rows.note_job(tx, schedule.name, enqueue(jobs, tx, schedule, firing.tick).id)
    return True


def enqueue(jobs: JobQueue, tx: UnitLike, schedule: Schedule, tick: datetime) -> JobHandle:
    """The schedule's job, which is told its tick."""
    return jobs.enqueue(schedule.call, tx=tx, carried={"schedule": schedule.name, SCHEDULED: tick.isoformat()})


def write_down(jobs: JobQueue, schedule: Schedule, row: Row | None) -> None:
    """Make the schedule's row, or have it tell what is declared now."""

    def work(tx: UnitLike) -> None:
        if row is None:
            rows.add(tx, schedule.name, schedule.timing)
        else:
            rows.plan(tx, row, schedule.timing)

    try:
        in_own_unit(jobs.database, work)
    except UniqueViolation:
        logger.debug("schedule %s was written down by another process just now", schedule.name)

"""What takes the place of the schedules' guards when faults.toml is tried: each does the job without guarding it."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any

from cronsim import CronSim
from sqlalchemy import update

from postrmagic_core._clock import to_us
from postrmagic_core._unit import in_own_unit
from postrmagic_core.jobs.schedules import policy, rows
from postrmagic_core.jobs.schedules.policy import Firing, Timing
from postrmagic_core.jobs.schedules.scheduler import enqueue
from postrmagic_core.jobs.tables import schedules


def whatever_was_read(tx: Any, row: rows.Row, firing: Firing) -> bool:
    """Moved on from where it was read, whoever has moved it meanwhile."""
    values = {"next_us": to_us(firing.next)} | ({} if firing.tick is None else {"last_us": to_us(firing.tick)})
    tx.execute(update(schedules).where(schedules.c.name == row.name).values(values))
    return True


def moved_on_first(self: Any, schedule: Any, row: rows.Row, firing: Firing) -> bool:
    """Committed first, enqueued then."""
    database, tick = self._jobs.database, firing.tick
    if not in_own_unit(database, lambda tx: rows.take(tx, row, firing)):
        return False
    if tick is not None:
        in_own_unit(database, lambda tx: enqueue(self._jobs, tx, schedule, tick))
    return True


def one_by_one(timing: Timing, first: datetime, now: datetime) -> Firing:
    """Of many missed ticks the first, and the next one is missed as well."""
    return Firing(first, timing.after(first, first))


def as_cronsim_says(self: Any, instant: datetime) -> datetime:
    """The library's next tick, which may be the first of two that look the same, and past."""
    return next(CronSim(self.spec, instant.astimezone(self.clock))).astimezone(UTC)


def until_it_fails(self: Any) -> None:
    """A scheduler's thread that ends with the first error."""
    try:
        while not self._stopping.wait(policy.pause(self._pass()[1])):
            pass
    except Exception as error:
        logging.getLogger("postrmagic_core.jobs").warning("the scheduler failed", exc_info=error)

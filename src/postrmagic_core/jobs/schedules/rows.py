"""The row of each schedule. Instants are the database's: no scheduler's own clock decides."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert, select, update

from ..._clock import from_us, to_us
from ..sqltime import now_us
from ..tables import schedules

if TYPE_CHECKING:
    from ..._protocols import UnitLike, Units
    from .policy import Firing, Timing

c = schedules.c


@dataclass(frozen=True, slots=True)
class Row:
    """A schedule as the database knows it: ``next_at`` is the tick to be fired, ``last_at`` the one that was."""

    name: str
    spec: str
    zone: str
    next_at: datetime
    last_at: datetime | None
    last_job: str | None
    paused: bool

    def tells(self, timing: Timing) -> bool:
        """Whether ``next_at`` is a tick of this timing, and not of one that another release declares."""
        return (self.spec, self.zone) == (timing.spec, timing.zone)


def look(database: Units, names: Collection[str] | None = None) -> tuple[datetime, dict[str, Row]]:
    """The database's time, and the rows by name: all, or those of ``names``."""
    with database.read() as tx:
        return now(tx), found(tx, names)


def now(tx: UnitLike) -> datetime:
    """The database's time."""
    return from_us(tx.execute(select(now_us())).scalar_one())


def found(tx: UnitLike, names: Collection[str] | None = None) -> dict[str, Row]:
    """The rows by name: all, or those of ``names``."""
    wanted = select(schedules).order_by(c.name)
    if names is not None:
        wanted = wanted.where(c.name.in_(list(names)))
    return {
        row.name: Row(
            name=row.name,
            spec=row.spec,
            zone=row.zone,
            next_at=from_us(row.next_us),
            last_at=None if row.last_us is None else from_us(row.last_us),
            last_job=row.last_job,
            paused=bool(row.paused),
        )
        for row in tx.execute(wanted)
    }


def add(tx: UnitLike, name: str, timing: Timing, *, paused: bool = False) -> None:
    """Know a schedule from now on; :class:`UniqueViolation` where another has been faster."""
    instant = now(tx)
    first = to_us(timing.after(instant, instant))
    row = {"name": name, "spec": timing.spec, "zone": timing.zone, "next_us": first, "paused": int(paused)}
    tx.execute(insert(schedules).values(row))


def plan(tx: UnitLike, row: Row, timing: Timing) -> None:
    """Have ``timing`` tell when the schedule comes next, counted from now; nothing where ``row`` has changed."""
    instant = now(tx)
    # An interval that is the same keeps its grid, through a pause for example.
    first = timing.after(instant, row.next_at if row.tells(timing) else instant)
    values = {"spec": timing.spec, "zone": timing.zone, "next_us": to_us(first)}
    tx.execute(update(schedules).where(*_unchanged(row)).values(values))


def take(tx: UnitLike, row: Row, firing: Firing) -> bool:
    """Move the schedule on to its next tick, unless another has or does, or it was paused: whether the tick is ours."""
    mine = (*_unchanged(row), c.paused == 0)
    # Not waited for: who holds the row may be stopped, and other schedules are due too. SQLite has one writer anyway.
    if tx.execute(select(c.name).where(*mine).with_for_update(skip_locked=True)).first() is None:
        return False
    values: dict[str, Any] = {"next_us": to_us(firing.next)}
    if firing.tick is not None:
        values["last_us"] = to_us(firing.tick)
    return bool(tx.execute(update(schedules).where(*mine).values(values)).rowcount)


def note_job(tx: UnitLike, name: str, job_id: str) -> None:
    """The job that the tick taken in this unit has become."""
    tx.execute(update(schedules).where(c.name == name).values(last_job=job_id))


def note_run(tx: UnitLike, name: str, instant: datetime, job_id: str) -> None:
    """The job of a run that somebody asked for; when the next tick comes is left as it is."""
    tx.execute(update(schedules).where(c.name == name).values(last_us=to_us(instant), last_job=job_id))


def set_paused(tx: UnitLike, name: str, paused: bool) -> bool:
    """Whether there is such a row."""
    return bool(tx.execute(update(schedules).where(c.name == name).values(paused=int(paused))).rowcount)


def forget(tx: UnitLike, name: str) -> bool:
    """Whether there was such a row."""
    return bool(tx.execute(delete(schedules).where(c.name == name)).rowcount)


def _unchanged(row: Row) -> list[Any]:
    return [c.name == row.name, c.spec == row.spec, c.zone == row.zone, c.next_us == to_us(row.next_at)]

"""Unique keys: who has one is a row, whether he still holds it is his job's state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sqlalchemy import Insert, case, null, select, update

from .. import policy
from ..interface import NewJob, Unique
from ..sqltime import now_us
from ..tables import jobs, keys

if TYPE_CHECKING:
    from ..._protocols import UnitLike

k = keys.c


def unless_there(insert: Insert) -> Insert:
    """An INSERT that leaves rows alone whose primary key is there."""
    for dialect, prefix in (("sqlite", "OR IGNORE"), ("mysql", "IGNORE"), ("mariadb", "IGNORE")):
        insert = insert.prefix_with(prefix, dialect=dialect)
    return insert


def taken(tx: UnitLike, new: Sequence[NewJob]) -> dict[str, str]:
    """Give the jobs their keys; for those that cannot have theirs, who holds it, by their ids."""
    holders: dict[str, str] = {}
    given: dict[str, str] = {}
    keyed = [job.id for job in new if job.unique is not None]
    known = set(tx.execute(select(jobs.c.id).where(jobs.c.id.in_(keyed))).scalars()) if keyed else set()
    # In the order of the keys: two units that want the same ones wait for each other, and none for ever.
    for job in sorted(new, key=lambda each: each.unique.key if each.unique else ""):
        if job.unique is None or job.id in known:
            continue
        # Who got it just now has no row yet, by which to be known as alive.
        holder = given.get(job.unique.key) or _take(tx, job.id, job.unique)
        if holder is None or holder == job.id:
            given[job.unique.key] = job.id
        else:
            holders[job.id] = holder
    return holders


def _take(tx: UnitLike, job_id: str, unique: Unique) -> str | None:
    ours = {"job_id": job_id, "scope": unique.scope, "until_us": null()}
    if unique.seconds is not None:
        ours["until_us"] = now_us() + round(unique.seconds * 1e6)
    # The row is locked whether it is new or not; a SELECT alone would lock no row that is yet to come.
    if tx.execute(unless_there(keys.insert()).values(name=unique.key, **ours)).rowcount:
        return None
    over = case((k.until_us <= now_us(), 1), else_=0).label("over")
    held = select(k.job_id, k.scope, over).where(k.name == unique.key).with_for_update()
    row = tx.execute(held).one()
    of = select(jobs.c.state, jobs.c.started_us).where(jobs.c.id == row.job_id).with_for_update()
    job = tx.execute(of).first()
    state, started = (None, False) if job is None else (job.state, job.started_us is not None)
    if not policy.is_free(state, row.scope, started=started, over=bool(row.over)):
        return str(row.job_id)
    tx.execute(update(keys).where(k.name == unique.key).values(**ours))
    return None

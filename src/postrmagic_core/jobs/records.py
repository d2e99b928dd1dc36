"""What is known of jobs: their status, their results, the dead letters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, select, update

from .. import _codec
from .._clock import from_us
from ..errors import JobFailed, UsageError
from .interface import Counts, JobStatus
from .sqltime import now_us
from .tables import jobs

if TYPE_CHECKING:
    from datetime import datetime

    from .._protocols import UnitLike
    from .ledger import Ledger

c = jobs.c
_SHOWN = (c.id, c.queue, c.task, c.state, c.deliveries, c.retries, c.created_us, c.due_us, c.started_us, c.ended_us)
_WHY = (c.reason, c.error, c.fingerprint)


def status(ledger: Ledger, job_id: str) -> JobStatus | None:
    """The job's status; ``None`` for an unknown id."""
    with ledger.units.read() as tx:
        row = tx.execute(select(*_SHOWN, *_WHY).where(c.id == job_id)).first()
    return None if row is None else _status(row)


def dead(ledger: Ledger, queue: str | None, limit: int) -> list[JobStatus]:
    """The dead letters, newest first."""
    chosen = select(*_SHOWN, *_WHY).where(c.state == "dead").order_by(c.ended_us.desc(), c.id).limit(limit)
    if queue is not None:
        chosen = chosen.where(c.queue == queue)
    with ledger.units.read() as tx:
        return [_status(row) for row in tx.execute(chosen)]


def counts(ledger: Ledger) -> Mapping[str, Counts]:
    """Jobs that wait, run or are dead, by queue; finished ones are not counted."""
    live = select(c.queue, c.state, func.count()).where(c.state.in_(["waiting", "running", "dead"]))
    found: dict[str, dict[str, int]] = {}
    with ledger.units.read() as tx:
        for queue, state, number in tx.execute(live.group_by(c.queue, c.state)):
            found.setdefault(queue, {})[state] = number
    return {queue: Counts(**numbers) for queue, numbers in found.items()}


def ended(ledger: Ledger, job_id: str) -> tuple[bool, Any]:
    """Whether the job has ended, and what it returned.

    Raises :class:`JobFailed` when it is a dead letter or returned what cannot be stored, and :class:`UsageError` for
    an unknown id.
    """
    with ledger.units.read() as tx:
        row = tx.execute(select(c.state, c.result, c.reason, c.error).where(c.id == job_id)).first()
    if row is None:
        raise UsageError(f"there is no job {job_id}")
    if row.state == "dead":
        raise JobFailed(f"job {job_id} is a dead letter: {row.reason} ({row.error or 'its worker died'})")
    if row.state != "done":
        return False, None
    if row.error is not None:
        raise JobFailed(f"job {job_id} is done, but what it returned could not be stored ({row.error})")
    return True, None if row.result is None else _codec.decode(row.result)


def revive(ledger: Ledger, job_id: str) -> bool:
    """Let a dead letter wait again with all its tries; ``False`` when the job is none."""

    def work(tx: UnitLike) -> bool:
        row = tx.execute(select(c.queue, c.task).where(c.id == job_id, c.state == "dead").with_for_update()).first()
        if row is None:
            return False
        fresh = {"state": "waiting", "due_us": now_us(), "deliveries": 0, "ended_us": None}
        why = {"reason": None, "error": None, "fingerprint": None}
        tx.execute(update(jobs).where(c.id == job_id).values(**fresh, **why))
        if ledger.sends:
            ledger.stage_sending(tx, job_id, row.queue, row.task)
        return True

    return ledger.retrying(work)


def purge(ledger: Ledger, before_us: int, limit: int = 1000) -> int:
    """Delete up to ``limit`` jobs that were done before an instant; returns how many."""

    def work(tx: UnitLike) -> int:
        old = select(c.id).where(c.state == "done", c.ended_us < before_us).limit(limit)
        ids = [row.id for row in tx.execute(old)]
        if ids:
            tx.execute(delete(jobs).where(c.id.in_(ids)))
        return len(ids)

    return ledger.retrying(work)


def _status(row: Any) -> JobStatus:
    def instant(us: int | None) -> datetime | None:
        return None if us is None else from_us(us)

    return JobStatus(
        id=row.id,
        queue=row.queue,
        task=row.task,
        state=row.state,
        attempts=row.deliveries,
        retries=row.retries,
        created=from_us(row.created_us),
        due=instant(row.due_us) if row.state == "waiting" else None,
        started=instant(row.started_us),
        ended=instant(row.ended_us),
        reason=row.reason,
        error=row.error,
        fingerprint=row.fingerprint,
    )

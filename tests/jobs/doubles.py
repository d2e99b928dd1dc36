"""What takes the place of the jobs' guards when faults.toml is tried: each does the job without guarding it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import select, update

from postrmagic_core.jobs.interface import Claim
from postrmagic_core.jobs.policy import Candidate, Choice
from postrmagic_core.jobs.sqltime import now_us
from postrmagic_core.jobs.tables import jobs

c = jobs.c


def only_waiting(queue: str, limit: int) -> Any:
    """Due rows, but never those of a worker that vanished."""
    due = select(c.id).where(c.queue == queue, c.state == "waiting", c.due_us <= now_us())
    return due.order_by(c.due_us).limit(limit)


def unfenced(self: Any, tx: Any, claim: Claim, values: dict[str, Any]) -> bool:
    """Whoever reports last is believed."""
    tx.execute(update(jobs).where(c.id == claim.id).values(**values))
    return True


def take_all(candidates: Sequence[Candidate], *, free: int, busy: bool) -> Choice:
    """However often its worker vanished, a job is delivered again."""
    return Choice(tuple(row.id for row in candidates[:free]))


def claim_blindly(self: Any, job_id: str, owner: str) -> Claim | None:
    """Every message is a delivery."""

    def work(tx: Any) -> Claim | None:
        row = tx.execute(select(jobs).where(c.id == job_id)).first()
        return None if row is None else Claim(row.id, row.queue, row.task, row.retries, row.payload, row.fence, 1)

    found: Claim | None = self.retrying(work)
    return found


@contextmanager
def unmarked(self: Any) -> Iterator[Any]:
    """A unit that does not remember for which job it was."""
    with self._units.write() as tx:
        yield tx

"""What takes the place of the jobs' guards when faults.toml is tried: each does the job without guarding it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from sqlalchemy import BigInteger, bindparam, literal, select, update

from postrmagic_core.jobs.interface import NewJob, Outcome, Settlement
from postrmagic_core.jobs.policy import Candidate, Choice
from postrmagic_core.jobs.sqltime import now_us
from postrmagic_core.jobs.tables import jobs

c = jobs.c


def only_waiting(queues: Sequence[str]) -> Any:
    """What is due, but never what a worker held that vanished."""
    due = select(c.id, c.queue).where(c.queue.in_(queues), c.state != "running", c.due_us <= now_us())
    return due.order_by(c.priority, c.due_us).limit(bindparam("most"))


def believing(tx: Any, settlements: Sequence[Settlement]) -> list[bool]:
    """Whoever reports last is believed."""
    for claim, outcome in settlements:
        ended = {"state": outcome.state, "due_us": None, "worker": None, "ended_us": now_us()}
        tx.execute(update(jobs).where(c.id == claim.id).values(ended))
    return [True] * len(settlements)


def take_all(candidates: Sequence[Candidate], *, free: int, busy: bool) -> Choice:
    """However often its worker vanished, a job is delivered again."""
    return Choice(tuple(row.id for row in candidates[:free]))


def trusting(self: Any, delivery: Any) -> Outcome:
    """Every task is known, and every payload fits it."""
    task = self._jobs.tasks[delivery.claim.task]
    outcome: Outcome = self._tried(delivery, task, task.arguments.decode(delivery.claim.payload))
    return outcome


def sent_afterwards(self: Any, tx: Any, new: Sequence[NewJob]) -> dict[str, str]:
    """Committed first, enqueued then."""
    tx.after_commit(lambda: self.put(new))
    return {}


def sent_by_the_queue_afterwards(self: Any, tx: Any, new: Sequence[NewJob]) -> dict[str, str]:
    """Committed first, sent to another server then."""
    return sent_afterwards(self.adapter, tx, new)


def at_once(job: NewJob) -> dict[str, Any]:
    """A row whose delay was kept by a process that is gone."""
    columns = {"id": job.id, "queue": job.queue, "task": job.task, "payload": job.payload, "headers": job.headers}
    zeros = dict.fromkeys(("due_us", "deliveries", "fence", "cancelling"), 0)
    return {**columns, **zeros, "state": "queued", "priority": 1, "retries": job.retries, "keep_us": 60_000_000}


def process_time() -> Any:
    """Each process's own clock in the place of the database's."""
    return literal(0, BigInteger()) + bindparam(None, callable_=lambda: round(time.time() * 1e6), type_=BigInteger())


def all_held(self: Any) -> None:
    """A stop that keeps what has not begun."""
    self._draining = True


@contextmanager
def unmarked(self: Any) -> Iterator[Any]:
    """A unit that does not remember for which job it was."""
    with self._database.write() as tx:
        yield tx


@asynccontextmanager
async def unmarked_async(self: Any) -> AsyncIterator[Any]:
    """The same, awaited."""
    async with self._database.write() as tx:
        yield tx


def never_looks(idle_sweeps: int, next_due: float | None = None) -> float:
    """Who is not woken looks for nothing."""
    return 3600.0


NOBODY_AWAY: tuple[type[Exception], ...] = ()
"""No error means that a server is away."""

"""What the broker contract works with: jobs to enqueue, workers that take turns, and a wait that polls the broker."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import count
from typing import Any, Literal, ParamSpec, Protocol, TypeVar

from postrmagic_core._clock import to_us
from postrmagic_core._ids import uuid7
from postrmagic_core.database import DatabaseManager
from postrmagic_core.errors import PostrMagicError
from postrmagic_core.jobs.interface import (
    ENDED,
    LIVE,
    BrokerAdapter,
    Change,
    Claim,
    Counts,
    JobRecord,
    JobStatus,
    NewJob,
    Outcome,
    Selection,
    Settlement,
    State,
    SupportsUpkeep,
    Turn,
    Want,
)

from ..waiting import until

P = ParamSpec("P")
R = TypeVar("R")

SOON = 20.0
"""Seconds after which what must happen soon counts as never happening: far more than a busy machine needs."""
LONG = 30.0
"""A lease in seconds that no test outlives."""
BRIEF = 0.3
"""A lease in seconds that a test waits for."""
DELAYS = (0.2, 2.0, 20.0)
"""Seconds after which something is due that a test looks for before it is: the next ones, where it came too late."""

_numbers = count(time.time_ns() // 1000)

End = Literal["succeeded", "failed", "retrying", "cancelled", "dead", "queued"]


class Opener(Protocol):
    """Opens an adapter; see :meth:`__call__`."""

    def __call__(
        self, *, lease: float = ..., namespace: str = ..., database: DatabaseManager | None = ...
    ) -> BrokerAdapter:
        """An open adapter on the test's broker, as another process would have it; closed after the test."""
        ...


class Listening(Protocol):
    """Listens as a worker does; see :meth:`__call__`."""

    def __call__(
        self, broker: BrokerAdapter, queues: Sequence[str], ring: Callable[[], None]
    ) -> AbstractContextManager[object]:
        """``broker.listen``, and where its bell has a ``port``, told in the table of workers."""
        ...


def new(queue: str = "q", **options: Any) -> NewJob:
    """A job; each has a greater id than the one before."""
    defaults: dict[str, Any] = {"task": "t", "retries": 3, "payload": b"p"}
    return NewJob(id=str(uuid7(next(_numbers))), queue=queue, **{**defaults, **options})


@dataclass(frozen=True)
class Worker:
    """Takes turns at a broker under one id."""

    broker: BrokerAdapter
    name: str = "worker-1"

    def turn(
        self,
        settlements: Sequence[Settlement] = (),
        *,
        free: int = 100,
        queues: Sequence[str] = ("q",),
        idle: bool = True,
        held: Collection[str] = (),
    ) -> Turn:
        """One turn that also claims."""
        return self.broker.turn(settlements, Want(self.name, queues, free, idle, held))

    def claim(self, free: int = 100, **want: Any) -> list[Claim]:
        """What one turn brings."""
        return list(self.turn(free=free, **want).claims)

    def claim_one(self) -> Claim:
        """The one claim that there is now."""
        (claim,) = self.claim()
        return claim

    def await_claims(self, free: int = 100, **want: Any) -> list[Claim]:
        """The claims of the first turn that brings any."""
        return until(lambda: self.claim(free, **want), "a due job was not handed out")

    def await_one(self) -> Claim:
        """The one claim of the first turn that brings any."""
        (claim,) = self.await_claims()
        return claim

    def look(self) -> None:
        """What a worker does from time to time where there is nothing to do."""
        self.claim(queues=["nothing"])
        if isinstance(self.broker, SupportsUpkeep):
            self.broker.sweep()

    def settle(self, claim: Claim, state: End = "succeeded", **outcome: Any) -> bool:
        """Record an end, claiming nothing; whether the claim held."""
        (owned,) = self.broker.turn([Settlement(claim, Outcome(state, **outcome))], None).owned
        return owned


def ended(claim: Claim, state: End = "succeeded", **outcome: Any) -> Settlement:
    """A delivery that ended so."""
    return Settlement(claim, Outcome(state, **outcome))


def early(broker: BrokerAdapter, worker: Worker, how: str = "put") -> tuple[NewJob, Turn]:
    """A job that was ``put`` or ``retried`` with a delay, and a look at it before that is over."""
    for delay in DELAYS:
        job = new(due_us=now_us(broker) + round(delay * 1e6) if how == "put" else 0)
        broker.put([job])
        if how == "retried":
            worker.settle(worker.await_one(), "retrying", delay=delay)
        turn = worker.turn()
        if not turn.claims:
            return job, turn
    raise AssertionError("whenever it was looked for, it was due")


def persist(call: Callable[P, R], *args: P.args, **options: P.kwargs) -> R:
    """Ask again where a broker says that nothing happened and another try may do."""
    deadline = time.monotonic() + SOON
    while True:
        try:
            return call(*args, **options)
        except PostrMagicError as error:
            if not error.retryable or time.monotonic() > deadline:
                raise


def together(works: Sequence[Callable[[], R]]) -> list[R]:
    """What each gives, all begun at one moment in a thread each."""
    barrier = threading.Barrier(len(works))

    def run(work: Callable[[], R]) -> R:
        barrier.wait(SOON)
        return work()

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(run, works))


def record_of(broker: BrokerAdapter, job_id: str) -> JobRecord | None:
    """The job, if it is known."""
    found = broker.records(Selection(ids=[job_id]))
    return found[0] if found else None


def status_of(broker: BrokerAdapter, job_id: str) -> JobStatus:
    """The job, which must be known."""
    record = record_of(broker, job_id)
    assert record is not None, f"{job_id} is not known"
    return record.status


def state_of(broker: BrokerAdapter, job_id: str) -> State | None:
    """The job's state; ``None`` where it is not known."""
    record = record_of(broker, job_id)
    return None if record is None else record.status.state


def known(broker: BrokerAdapter) -> set[str]:
    """The ids of all jobs."""
    return {record.status.id for record in broker.records(Selection(states=LIVE | ENDED, limit=100_000))}


def change(broker: BrokerAdapter, what: Change, *job_ids: str) -> set[str]:
    """Which of the jobs were changed so."""
    changed = broker.alter(what, Selection(ids=job_ids, limit=len(job_ids)))
    assert len(set(changed)) == len(changed)
    return set(changed)


def counts_of(broker: BrokerAdapter, queue: str) -> Counts:
    """The queue's figures."""
    return broker.counts().get(queue, Counts())


def now_us(broker: BrokerAdapter) -> int:
    """The broker's own time in microseconds, told by a job made for it, which waits in another queue."""
    job = new("clock")
    broker.put([job])
    return to_us(status_of(broker, job.id).created_at)

"""The job queue: enqueue with the transaction, look after jobs, make workers."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from datetime import datetime
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol

from .. import _codec
from .._bridge import Bridge
from .._clock import Clock, SystemClock, to_us
from .._ids import uuid7
from .._lifecycle import Lifecycle
from .._metrics import Metrics
from .._unit import any_unit, when_ended
from ..database import DatabaseManager
from ..errors import DecodeError, OutsideUnit, ResultTimeout, UnknownTask
from ..registry import BROKERS, Registry
from . import policy, records
from .declaration import Call, Task
from .including import distinct, tasks_of
from .interface import BrokerAdapter, Counts, JobHandle, JobStatus, NewJob
from .ledger import TOPIC, Ledger
from .wake import Chimes
from .worker import Worker

if TYPE_CHECKING:
    from .._protocols import UnitLike, Units
    from .aio import AsyncJobQueue


class Staged(Protocol):
    """A row of the outbox, as far as jobs need it."""

    @property
    def payload(self) -> bytes:
        """What was staged."""
        ...


class JobQueue(Lifecycle):
    """Jobs of one application.

    ``url`` chooses the broker: the database's own URL, or ``redis://…``. ``database`` is where tasks write; each job's
    row lives there too, or in the broker's database where ``url`` names another. ``lease``: seconds after which a
    silent worker's job is delivered to another. ``services`` become attributes of every job's context.
    """

    def __init__(
        self,
        url: str,
        *,
        database: Units,
        namespace: str = "app",
        lease: float = 15.0,
        clock: Clock | None = None,
        metrics: Metrics | None = None,
        registry: Registry | None = None,
        services: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__()
        if lease < 1:
            raise ValueError(f"a lease needs at least 1 second to be renewed in time, got {lease}")
        adapter = (registry or Registry()).load(BROKERS, url)
        self.adapter: BrokerAdapter = adapter.from_url(url, namespace=policy.checked_namespace(namespace))
        self.database = database
        self.tasks: dict[str, Task[..., Any]] = {}
        self.services: Mapping[str, object] = {} if services is None else services
        self.metrics = metrics or Metrics()
        self._clock = clock or SystemClock()
        elsewhere = self.adapter.database_id not in (None, database.database_id)
        self._own = DatabaseManager(url) if elsewhere else None
        self.ledger = Ledger(self._own or database, lease=lease, random=random.SystemRandom().random)
        self.ledger.sends = self.adapter.database_id is None
        self._bridge = Bridge(name="postrmagic-jobs")
        self._chimes = Chimes(self.ledger)

    @property
    def aio(self) -> AsyncJobQueue:
        """The same queue for asyncio."""
        from .aio import AsyncJobQueue

        return AsyncJobQueue(self, self._bridge)

    def include(self, *sources: ModuleType | str | Task[..., Any]) -> None:
        """Make tasks known: tasks themselves, or modules (or their dotted names) with every task in them."""
        for task in tasks_of(sources):
            self.tasks[task.name] = distinct(self.tasks.get(task.name), task)

    def enqueue(
        self,
        call: Call,
        *,
        tx: UnitLike | None = None,
        delay: float | None = None,
        at: datetime | None = None,
        detached: bool = False,
    ) -> JobHandle:
        """Have ``call`` run by a worker, if and only if the unit ``tx`` commits; without one, in a unit of its own.

        ``delay``: seconds to wait at least; ``at``: an aware datetime instead. Inside an open unit ``tx=`` is needed,
        else :class:`OutsideUnit`; ``detached=True`` means it: the job is enqueued when the unit has ended either way
        (at once where the unit is of another database).
        """
        job = self._new(call.task, call.payload, self._due_us(delay, at))
        self._put(job, tx, detached)
        return JobHandle(job.id, job.task)

    def enqueue_raw(
        self, task: str, arguments: Mapping[str, object], *, tx: UnitLike | None = None, detached: bool = False
    ) -> str:
        """Enqueue an included task by its name; returns the job's id. Raises :class:`UnknownTask`."""
        found = self.tasks.get(task)
        if found is None:
            raise UnknownTask(f"task {task} is not included here: jobs.include() the module that declares it")
        return self.enqueue(found.call(**arguments), tx=tx, detached=detached).id

    def status(self, job_id: str) -> JobStatus | None:
        """What is known of a job; ``None`` for an unknown id."""
        self.ensure_open()
        return records.status(self.ledger, job_id)

    def result(self, job_id: str, timeout: float = 10.0) -> Any:
        """What the task returned, waited for ``timeout`` seconds at most; then :class:`ResultTimeout`.

        Raises :class:`JobFailed` when the job is a dead letter.
        """
        self.ensure_open()
        until = time.monotonic() + timeout
        for pause in policy.polls():
            ended, value = records.ended(self.ledger, job_id)
            if ended:
                return value
            if time.monotonic() + pause > until:
                break
            time.sleep(pause)
        raise ResultTimeout(f"job {job_id} did not end within {timeout:g} s")

    def counts(self) -> Mapping[str, Counts]:
        """Jobs that wait, run or are dead, by queue."""
        self.ensure_open()
        return records.counts(self.ledger)

    def dead(self, queue: str | None = None, limit: int = 100) -> list[JobStatus]:
        """The dead letters, newest first: every queue's, or one's."""
        self.ensure_open()
        return records.dead(self.ledger, queue, limit)

    def retry(self, job_id: str) -> bool:
        """Let a dead letter wait again with all its tries; ``False`` when the job is none."""
        self.ensure_open()
        revived = records.revive(self.ledger, job_id)
        self._wake()
        return revived

    def purge(self, before: datetime) -> int:
        """Forget the jobs that were done before an instant; dead letters stay. Returns how many."""
        self.ensure_open()
        count = 0
        while deleted := records.purge(self.ledger, to_us(before)):
            count += deleted
        return count

    def worker(self, threads: int = 4, queues: list[str] | None = None, **options: Any) -> Worker:
        """A worker for this process, to be opened; ``options`` are those of :class:`Worker`."""
        return Worker(self, threads=threads, queues=queues, **options)

    def deliver(self, tx: UnitLike, row: Staged) -> None:
        """The outbox's route for topic ``jobs``: tell the broker, or put the row where the broker looks."""
        self.ensure_open()
        fields = _codec.decode(row.payload)
        if not isinstance(fields, list) or len(fields) not in (3, 6):
            raise DecodeError("a staged job has 3 fields (its row exists) or 6 (it does not yet)")
        if len(fields) == 3:
            self.adapter.send(*fields)
        elif tx.database_id == self.ledger.database_id:
            self._insert_missing(tx, NewJob(*fields))
        else:
            self.ledger.retrying(lambda own: self._insert_missing(own, NewJob(*fields)))

    def _insert_missing(self, tx: UnitLike, job: NewJob) -> None:
        if not self.ledger.exists(tx, job.id):
            self.ledger.insert(tx, job)
            tx.after_commit(self._wake)

    def _new(self, task: Task[..., Any], payload: bytes, due_us: int) -> NewJob:
        return NewJob(str(uuid7(self._clock.now_us())), task.queue, task.name, task.retries, payload, due_us)

    def _due_us(self, delay: float | None, at: datetime | None) -> int:
        if delay is not None and at is not None:
            raise ValueError("give delay= or at=, not both")
        if at is not None:
            return to_us(at)
        return 0 if delay is None else self._clock.now_us() + round(delay * 1e6)

    def _put(self, job: NewJob, tx: UnitLike | None, detached: bool) -> None:
        self.ensure_open()
        unit = any_unit() if tx is None else None
        if tx is not None:
            self._insert(tx, job)
        elif unit is None:
            self.ledger.retrying(lambda own: self._insert(own, job))
        elif detached:
            self._detach(unit, job)
        else:
            raise OutsideUnit(
                f"{job.task} was enqueued inside an open unit without tx=: pass tx=tx, so that the job runs if and "
                "only if the unit commits, or detached=True to enqueue it whatever becomes of the unit"
            )

    def _detach(self, unit: UnitLike, job: NewJob) -> None:
        def put() -> None:
            self.ledger.retrying(lambda own: self._insert(own, job))

        if unit.database_id != self.ledger.database_id:
            put()
        else:  # its connection may be the only one that can write
            when_ended(unit, put)

    def _insert(self, tx: UnitLike, job: NewJob) -> None:
        if tx.database_id == self.ledger.database_id:
            self.ledger.insert(tx, job)
            tx.after_commit(self._wake)
        else:
            fields = [job.id, job.queue, job.task, job.retries, job.payload, job.due_us]
            tx.stage(TOPIC, _codec.encode(fields))
        self.metrics.counter("jobs_enqueued_total", queue=job.queue).add()

    def _wake(self) -> None:
        self.adapter.wake()
        if not self.ledger.sends:
            self._chimes.call()

    def _open(self) -> None:
        if self._own is not None:
            self._own.open()
            self._own.upgrade()

    def _close(self) -> None:
        self._chimes.close()
        self._bridge.close()
        self.adapter.close()
        if self._own is not None:
            self._own.close()

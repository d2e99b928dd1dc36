"""The job queue: enqueue with the transaction, look after jobs, make workers."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from .. import _codec
from .._bridge import Bridge
from .._clock import Clock, SystemClock, to_us
from .._ids import uuid7
from .._lifecycle import Lifecycle
from .._metrics import Metrics
from .._spans import carried as traced
from .._steps import drive
from .._unit import any_unit, when_ended
from ..errors import OutsideUnit, UnknownTask
from ..registry import BROKERS, Registry
from . import policy, staged, tally, waiting, workers
from .context import OWN_FIELDS
from .declaration import Call, Task
from .handle import JobHandle
from .including import Source, declared_in, distinct, distinct_schedule
from .interface import (
    DEAD,
    ENDED,
    BrokerAdapter,
    BrokerOptions,
    Counts,
    JobRecord,
    JobStatus,
    NewJob,
    Selection,
    State,
    SupportsUnits,
    Unique,
)
from .schedules import manage
from .schedules.declaration import Schedule
from .schedules.scheduler import Scheduler
from .traced import sending
from .worker import Worker

if TYPE_CHECKING:
    from .._metrics import Told
    from .._protocols import StagedRow, UnitLike, Units
    from .aio import AsyncJobQueue
    from .interface import Priority
    from .runner import Around
    from .schedules.manage import ScheduleInfo
    from .workers import WorkerInfo


class JobQueue(Lifecycle):
    """Jobs of one application.

    ``url`` chooses the broker, which keeps the jobs: the database's own, ``redis://…`` or ``amqp://…``. ``database`` is
    where tasks write. ``lease``: seconds after which a silent worker's job is delivered to another. ``services`` become
    attributes of every job's context. ``carry``, an attribute to be set, tells what a job carries from where it is
    enqueued to its context: request id, trace, user. What is in ``upkeep`` each worker calls every few seconds.
    """

    metrics: Metrics

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
        self.random = random.SystemRandom().random
        options = BrokerOptions(policy.checked_namespace(namespace), database, lease, self.random)
        self.adapter: BrokerAdapter = (registry or Registry()).load(BROKERS, url).from_url(url, options)
        self.database = database
        self.lease = lease
        self.tasks: dict[str, Task[..., Any]] = {}
        self.scheduled: dict[str, Schedule] = {}
        self.services: Mapping[str, object] = {} if services is None else services
        self.metrics = metrics or Metrics()
        self.carry: Callable[[], Mapping[str, str]] = dict
        self.upkeep: list[Callable[[], object]] = []
        self._clock = clock or SystemClock()
        self._bridge = Bridge(name="postrmagic-jobs")
        self.metrics.report(self._told, shared=True)

    @property
    def aio(self) -> AsyncJobQueue:
        """The same queue for asyncio."""
        from .aio import AsyncJobQueue

        return AsyncJobQueue(self, self._bridge)

    def include(self, *sources: Source) -> None:
        """Make tasks and schedules known: themselves, or modules (or their dotted names) with all that are in them."""
        for found in declared_in(sources):
            task = found.call.task if isinstance(found, Schedule) else found
            self.tasks[task.name] = distinct(self.tasks.get(task.name), task)
            if isinstance(found, Schedule):
                self.scheduled[found.name] = distinct_schedule(self.scheduled.get(found.name), found)

    def enqueue(
        self,
        call: Call,
        *,
        tx: UnitLike | None = None,
        delay: float | None = None,
        at: datetime | None = None,
        priority: Priority | None = None,
        unique: Unique | None = None,
        detached: bool = False,
        carried: Mapping[str, str] | None = None,
    ) -> JobHandle:
        """Have ``call`` run by a worker, if and only if the unit ``tx`` commits; without one, from now on.

        ``delay``: seconds to wait at least; ``at``: an aware datetime instead. ``priority`` and ``unique`` take the
        place of the task's own. Inside an open unit ``tx=`` is needed, else :class:`OutsideUnit`; ``detached=True``
        means it: the job is enqueued when the unit has ended either way (at once where the unit is of another
        database). A unique job that is there already is what is returned; with ``tx=`` and a broker outside its
        database, whether it is shows only later, and the job returned is then unknown. ``carried``, for whoever
        enqueues on behalf of another context, takes the place of what ``carry`` tells.
        """
        due_us = self._due_us(delay, at)
        with sending([call], carried) as sent:
            job = self._new(call, due_us, priority, unique, carried)
            holders = self._put([job], tx, detached)
            sent.tell({"messaging.message.id": job.id})
        return JobHandle(holders.get(job.id, job.id), job.task, self, existing=job.id in holders)

    def enqueue_many(
        self, calls: Sequence[Call], *, tx: UnitLike | None = None, delay: float | None = None, detached: bool = False
    ) -> list[JobHandle]:
        """:meth:`enqueue` for many, all of them or none, in one round trip."""
        due_us = self._due_us(delay, None)
        with sending(calls, None):
            jobs = [self._new(call, due_us, None, None) for call in calls]
            holders = self._put(jobs, tx, detached) if jobs else {}
        return [JobHandle(holders.get(job.id, job.id), job.task, self, existing=job.id in holders) for job in jobs]

    def enqueue_raw(
        self,
        task: str,
        arguments: Mapping[str, object],
        *,
        tx: UnitLike | None = None,
        detached: bool = False,
        carried: Mapping[str, str] | None = None,
    ) -> str:
        """Enqueue an included task by its name; returns the job's id. Raises :class:`UnknownTask`.

        ``carried`` is as in :meth:`enqueue`.
        """
        found = self.tasks.get(task)
        if found is None:
            raise UnknownTask(f"task {task} is not included here: jobs.include() the module that declares it")
        call = found.call(**arguments)
        with sending([call], carried):
            job = self._new(call, 0, None, None, carried)
            return self._put([job], tx, detached).get(job.id, job.id)

    def status(self, job_id: str) -> JobStatus | None:
        """What is known of a job; ``None`` for an unknown id."""
        record = self.record(job_id)
        return None if record is None else record.status

    def record(self, job_id: str) -> JobRecord | None:
        """:meth:`status` with the encoded arguments and result."""
        self.ensure_open()
        return next(iter(self.adapter.records(Selection([job_id]))), None)

    def given_up(self, job_ids: Sequence[str]) -> Mapping[str, str]:
        """Those of the jobs that have ended without success, with the error or the reason."""
        self.ensure_open()
        found = [record.status for record in self.adapter.records(Selection(job_ids, limit=len(job_ids)))]
        lost = [status for status in found if status.state in ENDED and status.state != "succeeded"]
        return {status.id: status.error or status.reason or status.state for status in lost}

    def find(
        self, states: Collection[State], *, queue: str | None = None, task: str | None = None, limit: int = 100
    ) -> list[JobStatus]:
        """Jobs in one of ``states``, the newest first: every queue's and task's, or one's.

        Those that are given up are ``{"failed", "dead"}``. :class:`UsageError` names a state that there is not.
        """
        self.ensure_open()
        asked = policy.checked_states(states)
        selection = Selection(None, asked, queue, task, None, limit)
        return [record.status for record in self.adapter.records(selection)]

    def wait(self, job_id: str, timeout: float = 10.0) -> JobStatus:
        """The job's status once it has ended, waited for ``timeout`` seconds at most; then :class:`ResultTimeout`."""
        self.ensure_open()
        status: JobStatus = drive(waiting.end(job_id, timeout), waiting.SyncPort(self)).status
        return status

    def result(self, job_id: str, timeout: float = 10.0) -> Any:
        """What the task returned, waited for ``timeout`` seconds at most; then :class:`ResultTimeout`.

        Raises :class:`JobFailed` when the job has ended otherwise.
        """
        self.ensure_open()
        return drive(waiting.result(job_id, timeout), waiting.SyncPort(self))

    def watch(self, job_id: str, timeout: float | None = None) -> Iterator[JobStatus]:
        """The job's status now and after each change, progress included, until it has ended.

        Raises :class:`ResultTimeout` when nothing changes for ``timeout`` seconds.
        """
        self.ensure_open()
        seen, port = None, waiting.SyncPort(self)
        while seen is None or seen.state not in ENDED:
            seen = drive(waiting.change(job_id, seen, timeout), port).status
            yield seen

    def cancel(self, *job_ids: str) -> int:
        """Cancel jobs: one that waits ends at once, one that runs is asked to. Returns how many."""
        self.ensure_open()
        return len(self.adapter.alter("cancel", Selection(job_ids)))

    def counts(self) -> Mapping[str, Counts]:
        """Jobs that wait, run or are dead, by queue."""
        self.ensure_open()
        return self.adapter.counts()

    def replay(
        self,
        *job_ids: str,
        queue: str | None = None,
        task: str | None = None,
        everything: bool = False,
        limit: int = 1000,
    ) -> int:
        """Let dead letters (or cancelled jobs named by id) wait again with all their tries; returns how many.

        Instead of ids: the dead letters of a queue, of a task, or with ``everything`` all, ``limit`` at most. Raises
        :class:`UsageError` unless it is one of these: a list of ids that turns out empty replays nothing.
        """
        self.ensure_open()
        chosen = policy.replayed(job_ids, queue, task, limit, everything=everything)
        return len(self.adapter.alter("replay", chosen))

    def purge(self, before: datetime, *, states: Collection[State] = ENDED - DEAD) -> int:
        """Forget jobs that ended before an instant; dead letters only where ``states`` names them. Returns how many."""
        self.ensure_open()
        count, selection = 0, Selection(None, frozenset(states), before_us=to_us(before), limit=1000)
        while forgotten := len(self.adapter.alter("forget", selection)):
            count += forgotten
        return count

    def workers(self) -> Sequence[WorkerInfo]:
        """The workers that live, with what they do."""
        self.ensure_open()
        return workers.alive(self.database)

    def schedules(self) -> list[ScheduleInfo]:
        """Every schedule that is declared here or that the database knows, by name."""
        self.ensure_open()
        return manage.listed(self)

    def pause_schedule(self, name: str) -> None:
        """Fire nothing of a schedule until it is resumed; :class:`UsageError` for an unknown one."""
        self.ensure_open()
        manage.pause(self, name)

    def resume_schedule(self, name: str) -> None:
        """Go on with a schedule declared here, from its next tick on; those of the pause do not count as missed."""
        self.ensure_open()
        manage.resume(self, name)

    def run_schedule(self, name: str) -> JobHandle:
        """Enqueue the call of a schedule declared here, now, paused or not; its ticks come as they would have."""
        self.ensure_open()
        return manage.run(self, name)

    def forget_schedule(self, name: str) -> None:
        """Be rid of the row of a schedule that is not declared any more."""
        self.ensure_open()
        manage.forget(self, name)

    def scheduler(self) -> Scheduler:
        """A scheduler for the schedules included; it runs while it is open. There may be any number of them."""
        return Scheduler(self)

    def worker(
        self,
        *,
        threads: int = 4,
        queues: Collection[str] | None = None,
        grace: float = 30.0,
        max_memory_mib: int | None = None,
        around: Around | None = None,
    ) -> Worker:
        """A worker for this process, to be opened; see :class:`Worker`."""
        return Worker(self, threads=threads, queues=queues, grace=grace, max_memory_mib=max_memory_mib, around=around)

    def deliver(self, tx: UnitLike, row: StagedRow) -> None:
        """The outbox's route for topic ``jobs``: hand what was staged to the broker. Doing it again does no harm."""
        self.ensure_open()
        job, rows = staged.unpacked(row.payload), self._rows_of(tx)
        if rows is not None:
            rows.put_in(tx, [job])
        else:
            self.adapter.put([job])

    def _new(
        self,
        call: Call,
        due_us: int,
        priority: Priority | None,
        unique: Unique | None,
        carried: Mapping[str, str] | None = None,
    ) -> NewJob:
        task, unique = call.task, unique or call.task.unique
        carried = {**self.carry(), **traced()} if carried is None else carried
        carried = {name: value for name, value in carried.items() if name not in OWN_FIELDS}
        if unique is not None:
            unique = Unique(policy.unique_key(task.name, unique.key, call.payload), unique.scope, unique.seconds)
        return NewJob(
            id=str(uuid7(self._clock.now_us())),
            queue=task.queue,
            task=task.name,
            retries=task.retries,
            payload=call.payload,
            due_us=due_us,
            priority=task.priority if priority is None else policy.checked_priority(priority),
            headers=_codec.encode(carried) if carried else b"",
            unique=unique,
            keep=task.keep,
        )

    def _due_us(self, delay: float | None, at: datetime | None) -> int:
        if delay is not None and at is not None:
            raise ValueError("give delay= or at=, not both")
        if at is not None:
            return to_us(at)
        return 0 if delay is None else self._clock.now_us() + round(delay * 1e6)

    def _put(self, jobs: Sequence[NewJob], tx: UnitLike | None, detached: bool) -> Mapping[str, str]:
        self.ensure_open()
        unit = any_unit() if tx is None else None
        if tx is not None:
            holders = self._put_in(tx, jobs)
        elif unit is None:
            holders = self.adapter.put(jobs)
        elif detached:
            holders = self._detach(unit, jobs)
        else:
            raise OutsideUnit(
                f"{jobs[0].task} was enqueued inside an open unit without tx=: pass tx=tx, so that the job runs if and "
                "only if the unit commits, or detached=True to enqueue it whatever becomes of the unit"
            )
        for job in jobs:
            self.metrics.counter("jobs_enqueued_total", queue=job.queue).add()
        return holders

    def _put_in(self, tx: UnitLike, jobs: Sequence[NewJob]) -> Mapping[str, str]:
        rows = self._rows_of(tx)
        if rows is not None:
            return rows.put_in(tx, jobs)
        for job in jobs:
            tx.stage(staged.TOPIC, staged.packed(job))
        return {}

    def _detach(self, unit: UnitLike, jobs: Sequence[NewJob]) -> Mapping[str, str]:
        if self._rows_of(unit) is None:
            return self.adapter.put(jobs)

        def put() -> None:
            self.adapter.put(jobs)

        # Its connection may be the only one that can write.
        when_ended(unit, put)
        return {}

    def _rows_of(self, unit: UnitLike) -> SupportsUnits | None:
        """The adapter, where its jobs are rows of the unit's database."""
        adapter = self.adapter
        return adapter if isinstance(adapter, SupportsUnits) and adapter.database_id == unit.database_id else None

    def _told(self) -> Iterator[Told]:
        return tally.of_queues(self.counts(), {task.queue for task in self.tasks.values()})

    def _open(self) -> None:
        self.adapter.open()

    def _close(self) -> None:
        self._bridge.close()
        self.adapter.close()

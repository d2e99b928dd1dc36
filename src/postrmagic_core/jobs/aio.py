"""The job queue for asyncio: the same names, awaitable."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from .._bridge import Bridge
from .._steps import adrive
from .._unit import any_unit
from . import waiting
from .declaration import Call
from .handle import AsyncJobHandle, JobHandle
from .interface import DEAD, ENDED, Counts, JobRecord, JobStatus, State, Unique

if TYPE_CHECKING:
    from .._protocols import AwaitableUnitLike, UnitLike
    from .including import Source
    from .interface import Priority
    from .manager import JobQueue
    from .runner import Around
    from .schedules.manage import ScheduleInfo
    from .schedules.scheduler import Scheduler
    from .worker import Worker
    from .workers import WorkerInfo

R = TypeVar("R")


class AsyncJobQueue:
    """:attr:`JobQueue.aio`."""

    def __init__(self, queue: JobQueue, bridge: Bridge) -> None:
        self._queue = queue
        self._bridge = bridge

    def include(self, *sources: Source) -> None:
        """See :meth:`JobQueue.include`."""
        self._queue.include(*sources)

    async def enqueue(
        self,
        call: Call,
        *,
        tx: AwaitableUnitLike | None = None,
        delay: float | None = None,
        at: datetime | None = None,
        priority: Priority | None = None,
        unique: Unique | None = None,
        detached: bool = False,
        carried: Mapping[str, str] | None = None,
    ) -> AsyncJobHandle:
        """See :meth:`JobQueue.enqueue`; ``tx`` is what ``async with db.aio.write()`` gave."""

        def put(unit: UnitLike | None = None) -> JobHandle:
            options: dict[str, Any] = {
                "priority": priority,
                "unique": unique,
                "detached": detached,
                "carried": carried,
            }
            return self._queue.enqueue(call, tx=unit, delay=delay, at=at, **options)

        return self._handle(await self._putting(put, tx))

    async def enqueue_many(
        self,
        calls: Sequence[Call],
        *,
        tx: AwaitableUnitLike | None = None,
        delay: float | None = None,
        detached: bool = False,
    ) -> list[AsyncJobHandle]:
        """See :meth:`JobQueue.enqueue_many`."""

        def put(unit: UnitLike | None = None) -> list[JobHandle]:
            return self._queue.enqueue_many(calls, tx=unit, delay=delay, detached=detached)

        return [self._handle(handle) for handle in await self._putting(put, tx)]

    async def status(self, job_id: str) -> JobStatus | None:
        """See :meth:`JobQueue.status`."""
        return await self._bridge.lift(lambda: self._queue.status(job_id))

    async def record(self, job_id: str) -> JobRecord | None:
        """See :meth:`JobQueue.record`."""
        return await self._bridge.lift(lambda: self._queue.record(job_id))

    async def find(
        self, states: Collection[State], *, queue: str | None = None, task: str | None = None, limit: int = 100
    ) -> list[JobStatus]:
        """See :meth:`JobQueue.find`."""
        return await self._bridge.lift(lambda: self._queue.find(states, queue=queue, task=task, limit=limit))

    async def wait(self, job_id: str, timeout: float = 10.0) -> JobStatus:  # noqa: ASYNC109 - the same name on both faces
        """See :meth:`JobQueue.wait`; no thread is kept while waiting."""
        self._queue.ensure_open()
        status: JobStatus = (await adrive(waiting.end(job_id, timeout), self._port())).status
        return status

    async def result(self, job_id: str, timeout: float = 10.0) -> Any:  # noqa: ASYNC109 - the same name on both faces
        """See :meth:`JobQueue.result`; no thread is kept while waiting."""
        self._queue.ensure_open()
        return await adrive(waiting.result(job_id, timeout), self._port())

    async def watch(self, job_id: str, timeout: float | None = None) -> AsyncIterator[JobStatus]:  # noqa: ASYNC109 - the same name on both faces
        """See :meth:`JobQueue.watch`."""
        self._queue.ensure_open()
        seen, port = None, self._port()
        while seen is None or seen.state not in ENDED:
            seen = (await adrive(waiting.change(job_id, seen, timeout), port)).status
            yield seen

    async def cancel(self, *job_ids: str) -> int:
        """See :meth:`JobQueue.cancel`."""
        return await self._bridge.lift(lambda: self._queue.cancel(*job_ids))

    async def counts(self) -> Mapping[str, Counts]:
        """See :meth:`JobQueue.counts`."""
        return await self._bridge.lift(self._queue.counts)

    async def replay(
        self,
        *job_ids: str,
        queue: str | None = None,
        task: str | None = None,
        everything: bool = False,
        limit: int = 1000,
    ) -> int:
        """See :meth:`JobQueue.replay`."""
        return await self._bridge.lift(
            lambda: self._queue.replay(*job_ids, queue=queue, task=task, everything=everything, limit=limit)
        )

    async def purge(self, before: datetime, *, states: Collection[State] = ENDED - DEAD) -> int:
        """See :meth:`JobQueue.purge`."""
        return await self._bridge.lift(lambda: self._queue.purge(before, states=states))

    async def workers(self) -> Sequence[WorkerInfo]:
        """See :meth:`JobQueue.workers`."""
        return await self._bridge.lift(self._queue.workers)

    async def schedules(self) -> list[ScheduleInfo]:
        """See :meth:`JobQueue.schedules`."""
        return await self._bridge.lift(self._queue.schedules)

    async def pause_schedule(self, name: str) -> None:
        """See :meth:`JobQueue.pause_schedule`."""
        await self._bridge.lift(lambda: self._queue.pause_schedule(name))

    async def resume_schedule(self, name: str) -> None:
        """See :meth:`JobQueue.resume_schedule`."""
        await self._bridge.lift(lambda: self._queue.resume_schedule(name))

    async def run_schedule(self, name: str) -> AsyncJobHandle:
        """See :meth:`JobQueue.run_schedule`."""
        return self._handle(await self._bridge.lift(lambda: self._queue.run_schedule(name)))

    async def forget_schedule(self, name: str) -> None:
        """See :meth:`JobQueue.forget_schedule`."""
        await self._bridge.lift(lambda: self._queue.forget_schedule(name))

    def scheduler(self) -> Scheduler:
        """See :meth:`JobQueue.scheduler`: ``async with`` opens it."""
        return self._queue.scheduler()

    def worker(
        self,
        *,
        threads: int = 4,
        queues: Collection[str] | None = None,
        grace: float = 30.0,
        max_memory_mib: int | None = None,
        around: Around | None = None,
    ) -> Worker:
        """See :meth:`JobQueue.worker`: ``async with`` opens it."""
        return self._queue.worker(
            threads=threads, queues=queues, grace=grace, max_memory_mib=max_memory_mib, around=around
        )

    def _port(self) -> waiting.AsyncPort:
        return waiting.AsyncPort(self, self._queue)

    async def _putting(self, put: Callable[..., R], tx: AwaitableUnitLike | None) -> R:
        if tx is not None:
            return await tx.run(put)
        if any_unit() is not None:  # refused, or left to the unit's end: neither waits
            return put()
        return await self._bridge.lift(put)

    def _handle(self, handle: JobHandle) -> AsyncJobHandle:
        return AsyncJobHandle(handle.id, handle.task, self, handle.existing)

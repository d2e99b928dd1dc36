"""The job queue for asyncio: the same names, awaitable."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from .._bridge import Bridge
from .._unit import any_unit
from ..errors import ResultTimeout
from . import policy, records
from .declaration import Call, Task
from .interface import Counts, JobHandle, JobStatus

if TYPE_CHECKING:
    from .._protocols import UnitLike
    from .manager import JobQueue, Staged
    from .worker import Worker


R = TypeVar("R")


class AwaitableUnitLike(Protocol):
    """What ``async with db.aio.write()`` gives."""

    async def run(self, fn: Callable[[Any], R], /) -> R:
        """``fn(tx)`` with the sync unit, on the unit's own thread."""
        ...


class AsyncJobQueue:
    """:attr:`JobQueue.aio`."""

    def __init__(self, queue: JobQueue, bridge: Bridge) -> None:
        self._queue = queue
        self._bridge = bridge

    def include(self, *sources: ModuleType | str | Task[..., Any]) -> None:
        """See :meth:`JobQueue.include`."""
        self._queue.include(*sources)

    async def enqueue(
        self,
        call: Call,
        *,
        tx: AwaitableUnitLike | None = None,
        delay: float | None = None,
        at: datetime | None = None,
        detached: bool = False,
    ) -> JobHandle:
        """See :meth:`JobQueue.enqueue`; ``tx`` is what ``async with db.aio.write()`` gave."""

        def put(unit: UnitLike | None = None) -> JobHandle:
            return self._queue.enqueue(call, tx=unit, delay=delay, at=at, detached=detached)

        return await self._putting(put, tx)

    async def enqueue_raw(
        self,
        task: str,
        arguments: Mapping[str, object],
        *,
        tx: AwaitableUnitLike | None = None,
        detached: bool = False,
    ) -> str:
        """See :meth:`JobQueue.enqueue_raw`."""

        def put(unit: UnitLike | None = None) -> str:
            return self._queue.enqueue_raw(task, arguments, tx=unit, detached=detached)

        return await self._putting(put, tx)

    async def _putting(self, put: Callable[..., R], tx: AwaitableUnitLike | None) -> R:
        if tx is not None:
            return await tx.run(put)
        if any_unit() is not None:  # refused, or left to the unit's end: neither waits
            return put()
        return await self._bridge.lift(put)

    async def status(self, job_id: str) -> JobStatus | None:
        """See :meth:`JobQueue.status`."""
        return await self._bridge.lift(lambda: self._queue.status(job_id))

    async def result(self, job_id: str, timeout: float = 10.0) -> Any:  # noqa: ASYNC109 - the same name on both faces
        """See :meth:`JobQueue.result`; no thread is kept while waiting."""
        self._queue.ensure_open()
        until = time.monotonic() + timeout
        for pause in policy.polls():
            ended, value = await self._bridge.lift(lambda: records.ended(self._queue.ledger, job_id))
            if ended:
                return value
            if time.monotonic() + pause > until:
                break
            await asyncio.sleep(pause)
        raise ResultTimeout(f"job {job_id} did not end within {timeout:g} s")

    async def counts(self) -> Mapping[str, Counts]:
        """See :meth:`JobQueue.counts`."""
        return await self._bridge.lift(self._queue.counts)

    async def dead(self, queue: str | None = None, limit: int = 100) -> list[JobStatus]:
        """See :meth:`JobQueue.dead`."""
        return await self._bridge.lift(lambda: self._queue.dead(queue, limit))

    async def retry(self, job_id: str) -> bool:
        """See :meth:`JobQueue.retry`."""
        return await self._bridge.lift(lambda: self._queue.retry(job_id))

    async def purge(self, before: datetime) -> int:
        """See :meth:`JobQueue.purge`."""
        return await self._bridge.lift(lambda: self._queue.purge(before))

    def worker(self, threads: int = 4, queues: list[str] | None = None, **options: Any) -> Worker:
        """See :meth:`JobQueue.worker`: ``async with`` opens it."""
        return self._queue.worker(threads, queues, **options)

    def deliver(self, tx: UnitLike, row: Staged) -> None:
        """See :meth:`JobQueue.deliver`: relays run in threads."""
        self._queue.deliver(tx, row)

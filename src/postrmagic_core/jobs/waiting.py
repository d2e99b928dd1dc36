"""Waiting for a job's end, written once for both faces."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from .. import _codec
from .._steps import Steps
from ..errors import JobFailed, ResultTimeout, UsageError
from . import policy
from .interface import ENDED, JobRecord, JobStatus

if TYPE_CHECKING:
    from .aio import AsyncJobQueue
    from .manager import JobQueue


class Port(Protocol):
    """What the procedures yield their steps to; on the async face its answers are awaited."""

    def record(self, job_id: str) -> Any:
        """The job's record, or ``None``."""
        ...

    def may_come(self) -> Any:
        """Whether an unknown job may be on its way."""
        ...

    def sleep(self, seconds: float) -> Any:
        """Wait."""
        ...

    def now(self) -> Any:
        """Monotonic seconds."""
        ...


class SyncPort:
    """Asks ``jobs`` in the caller's thread."""

    def __init__(self, jobs: JobQueue) -> None:
        self._jobs = jobs

    def record(self, job_id: str) -> JobRecord | None:
        """See :class:`Port`."""
        return self._jobs.record(job_id)

    def may_come(self) -> bool:
        """See :class:`Port`."""
        return may_come(self._jobs)

    def sleep(self, seconds: float) -> None:
        """See :class:`Port`."""
        time.sleep(seconds)

    def now(self) -> float:
        """See :class:`Port`."""
        return time.monotonic()


class AsyncPort:
    """Asks ``jobs``; no thread is kept in between."""

    def __init__(self, jobs: AsyncJobQueue, queue: JobQueue) -> None:
        self._jobs = jobs
        self._queue = queue

    async def record(self, job_id: str) -> JobRecord | None:
        """See :class:`Port`."""
        return await self._jobs.record(job_id)

    async def may_come(self) -> bool:
        """See :class:`Port`."""
        return may_come(self._queue)

    async def sleep(self, seconds: float) -> None:
        """See :class:`Port`."""
        await asyncio.sleep(seconds)

    async def now(self) -> float:
        """See :class:`Port`."""
        return time.monotonic()


def may_come(jobs: JobQueue) -> bool:
    """Whether a job that is not known may be on its way through the outbox."""
    return getattr(jobs.adapter, "database_id", None) != jobs.database.database_id


def _sleep(seconds: float, port: Port) -> Any:
    return port.sleep(seconds)


def change(job_id: str, seen: JobStatus | None, timeout: float | None) -> Steps[JobRecord]:
    """The job once it is another than ``seen``, waited for ``timeout`` seconds at most; then :class:`ResultTimeout`.

    A job that is not known may be on its way to the broker, by the outbox: it is waited for, where the port says so.
    """
    until = None if timeout is None else (yield lambda port: port.now()) + timeout
    record: JobRecord | None = None
    for pause in policy.polls():
        record = yield lambda port: port.record(job_id)
        if record is None and (seen is not None or not (yield lambda port: port.may_come())):
            raise UsageError(f"there is no job {job_id}")
        if record is not None and record.status != seen:
            return record
        if until is not None and (yield lambda port: port.now()) + pause > until:
            break
        yield partial(_sleep, pause)
    if record is None:
        raise ResultTimeout(
            f"job {job_id} was not known within {timeout:g} s: has the unit that enqueued it committed, and does a "
            "relay run?"
        )
    raise ResultTimeout(f"job {job_id} did not change within {timeout:g} s")


def end(job_id: str, timeout: float) -> Steps[JobRecord]:
    """The job once it has ended, waited for ``timeout`` seconds at most; then :class:`ResultTimeout`."""
    until = (yield lambda port: port.now()) + timeout
    seen: JobStatus | None = None
    try:
        while True:
            left = until - (yield lambda port: port.now())
            record: JobRecord = yield from change(job_id, seen, left)
            if record.status.state in ENDED:
                return record
            seen = record.status
    except ResultTimeout:
        if seen is None:
            raise
        raise ResultTimeout(f"job {job_id} did not end within {timeout:g} s") from None


def result(job_id: str, timeout: float) -> Steps[Any]:
    """What the task returned; :class:`JobFailed` when it ended otherwise, or returned what cannot be stored."""
    record: JobRecord = yield from end(job_id, timeout)
    status = record.status
    if status.state != "succeeded":
        why = f"{status.reason} ({status.error or 'its worker died'})" if status.reason else "nobody wants it any more"
        raise JobFailed(f"job {job_id} is {status.state}: {why}")
    if status.error is not None:
        raise JobFailed(f"job {job_id} has succeeded, but what it returned could not be stored ({status.error})")
    return None if record.result is None else _codec.decode(record.result)

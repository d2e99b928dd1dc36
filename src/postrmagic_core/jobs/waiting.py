"""Waiting for a job's end, written once for both faces."""

from __future__ import annotations

from functools import partial
from typing import Any, Protocol

from .. import _codec
from .._steps import Steps
from ..errors import JobFailed, ResultTimeout, UsageError
from . import policy
from .interface import ENDED, JobRecord, JobStatus


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

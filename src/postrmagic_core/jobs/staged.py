"""Jobs as they wait in the outbox, until a relay hands them to the broker."""

from __future__ import annotations

from .. import _codec
from ..errors import DecodeError
from .interface import NewJob, Unique

TOPIC = "jobs"
"""Of outbox rows."""


def packed(job: NewJob) -> bytes:
    """The payload of an outbox row."""
    unique = None if job.unique is None else [job.unique.key, job.unique.scope, job.unique.seconds]
    what = [job.id, job.queue, job.task, job.retries, job.payload, job.due_us]
    return _codec.encode([*what, job.priority, job.headers, unique, job.keep])


def unpacked(payload: bytes) -> NewJob:
    """The job in an outbox row; :class:`DecodeError` where there is none."""
    try:
        # Six fields were staged before jobs had a priority: such rows may still wait when a new version starts.
        job_id, queue, task, retries, arguments, due_us, *more = _codec.decode(payload)
        if not more:
            return NewJob(job_id, queue, task, retries, arguments, due_us)
        priority, headers, unique, keep = more
        unique = None if unique is None else Unique(*unique)
        return NewJob(job_id, queue, task, retries, arguments, due_us, priority, headers, unique, keep)
    except (TypeError, ValueError) as error:
        raise DecodeError("a staged job has six fields or ten") from error

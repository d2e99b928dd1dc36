"""Jobs as the words that scripts are given, and as the replies that they make: by position, which costs least."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from ..._clock import from_us
from .. import progress
from ..interface import PRIORITIES, Beat, Claim, JobRecord, JobStatus, NewJob, Outcome, Settlement, State, Want

if TYPE_CHECKING:
    from datetime import datetime

    from ...stores.redis_client import Argument

_PLACES = {priority: place for place, priority in enumerate(PRIORITIES)}
_SCOPES = {"until_start": "s", "until_done": "d", "window": "w"}
_TOLD = ("result", "reason", "error", "fingerprint", "progress")
_STATES = frozenset({"queued", "running", "retrying", "succeeded", "failed", "cancelled", "dead"})
_WIDTH = 10

FIELDS = (
    *("queue", "task", "state", "deliveries", "retries", "created", "due", "started", "ended"),
    *("reason", "error", "fingerprint", "priority", "worker", "progress", "cancelling"),
    *("payload", "headers", "result"),
)
"""What :func:`record` takes, in this order."""


def micros(seconds: float) -> int:
    """Whole microseconds."""
    return round(seconds * 1e6)


def of_jobs(jobs: Sequence[NewJob]) -> list[Argument]:
    """For put.lua."""
    words: list[Argument] = []
    for job in jobs:
        unique, window = b"", 0
        if job.unique is not None:
            unique = f"{_SCOPES[job.unique.scope]}{job.unique.key}".encode()
            window = math.ceil((job.unique.seconds or 0) * 1000)
        words += (job.id, job.queue, _PLACES[job.priority], job.task, job.retries, job.due_us)
        words += (math.ceil(job.keep * 1000), job.payload, job.headers, unique, window)
    return words


def of_settlements(settlements: Sequence[Settlement]) -> list[Argument]:
    """For turn.lua, their number first."""
    words: list[Argument] = [len(settlements)]
    for claim, outcome in settlements:
        told = _told(outcome)
        words += (claim.id, claim.fence, outcome.state, micros(outcome.delay), len(told), *told)
    return words


def _told(outcome: Outcome) -> list[Argument]:
    told: list[Argument] = []
    for name in _TOLD:
        value = getattr(outcome, name)
        if value is not None:
            told += (name, value)
    return told


def of_want(want: Want, queues: Sequence[str]) -> list[Argument]:
    """For turn.lua, after the settlements; ``queues`` are those wanted, in the order in which they have their share."""
    return [want.worker, int(want.idle), want.free, len(queues), *queues, *want.held]


def of_beats(beats: Sequence[Beat]) -> list[Argument]:
    """For renew.lua."""
    words: list[Argument] = []
    for claim, come in beats:
        words += (claim.id, claim.fence, int(come is not None), come or b"")
    return words


def claims(reply: Sequence[Any]) -> list[Claim]:
    """Out of turn.lua's answer; it has looked at ids, names and numbers already."""
    found = []
    for at in range(0, len(reply), _WIDTH):
        job_id, queue, task, retries, payload, fence, attempt, headers, alone, waited = reply[at : at + _WIDTH]
        found.append(
            Claim(
                job_id.decode(),
                queue.decode(),
                task.decode(),
                int(retries),
                payload,
                int(fence),
                int(attempt),
                headers,
                alone == 1,
                waited / 1e6 if waited >= 0 else None,
            )
        )
    return found


def record(job_id: str, values: Sequence[bytes | None]) -> JobRecord | None:
    """The job whose :data:`FIELDS` are these; ``None`` where there is none, or what is there was not put."""
    (queue, task, state, deliveries, retries, created, due, started, ended, *rest) = values
    (reason, error, fingerprint, priority, worker, come, cancelling, payload, headers, result) = rest
    told = _word(state)
    born = _instant(created)
    if told not in _STATES or born is None:
        return None
    running = told == "running"
    place = _number(priority)
    status = JobStatus(
        id=job_id,
        queue=_word(queue) or "",
        task=_word(task) or "",
        state=cast("State", told),
        attempts=_number(deliveries),
        retries=_number(retries),
        created_at=born,
        due_at=_instant(due) if told in ("queued", "retrying") else None,
        started_at=_instant(started),
        ended_at=_instant(ended),
        reason=_word(reason),
        error=_word(error),
        fingerprint=_word(fingerprint),
        priority=PRIORITIES[place] if place < len(PRIORITIES) else "normal",
        worker=_word(worker) if running else None,
        progress=progress.told(come),
        cancelling=running and cancelling is not None,
    )
    return JobRecord(status, payload or b"", headers or b"", result)


def _word(value: bytes | None) -> str | None:
    return None if value is None else value.decode(errors="replace")


def _number(value: bytes | None) -> int:
    return int(value) if value is not None and value.isdigit() and len(value) <= 19 else 0


def _instant(value: bytes | None) -> datetime | None:
    try:
        return None if value is None or not value.isdigit() else from_us(int(value))
    except (OverflowError, ValueError):
        return None

"""Jobs as spans, where somebody records them: sent by whoever enqueues, run by a worker, in one trace.

By the conventions for messaging; the queue is the destination. No argument and no result is in any of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from .._spans import NO_SPAN, Span, span, spans

if TYPE_CHECKING:
    from .context import JobContext
    from .declaration import Call

_SYSTEM = {"messaging.system": "postrmagic"}


def sending(calls: Sequence[Call], carried: Mapping[str, str] | None) -> Span:
    """The span that the jobs' own continue; none where they continue what is ``carried``."""
    if spans.recorder is None or carried is not None or not calls:
        return NO_SPAN
    task = calls[0].task
    told = _SYSTEM | {"messaging.operation.name": "enqueue", "messaging.operation.type": "send"}
    more = {"messaging.destination.name": task.queue, "postrmagic.task": task.name}
    if len(calls) == 1:
        return span(f"enqueue {task.name}", "producer", told | more)
    return span("enqueue", "producer", told | more | {"messaging.batch.message_count": len(calls)})


def running(context: JobContext) -> Span:
    """One delivery: a child of whatever enqueued the job, each time it is tried."""
    if spans.recorder is None:
        return NO_SPAN
    told = {"messaging.operation.name": "run", "messaging.operation.type": "process"}
    told |= {"messaging.destination.name": context.queue, "messaging.message.id": context.job_id}
    more: dict[str, str | int] = {"postrmagic.task": context.task, "postrmagic.attempt": context.attempt}
    return span(f"run {context.task}", "consumer", {**_SYSTEM, **told, **more}, context.carried)

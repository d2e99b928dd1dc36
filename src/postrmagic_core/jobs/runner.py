"""One delivery: the task is found, its arguments are checked, it runs, and how it ended is told as a value."""

from __future__ import annotations

import contextvars
import logging
import os
import traceback
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from .. import _codec
from .._work import working
from ..errors import AlreadyDone, DecodeError, EncodeError, JobCancelled, PostrMagicError, ValidationFailed
from . import policy
from .arguments import Bound
from .context import JobContext
from .deadlines import Deadlines
from .declaration import Task
from .held import Delivery, Held
from .interface import Claim, Outcome
from .loop import TaskLoop
from .tally import JobTally
from .traced import running

if TYPE_CHECKING:
    from .manager import JobQueue

logger = logging.getLogger("postrmagic_core.jobs")

Around = Callable[[JobContext], AbstractContextManager[Any]]
_IDS = ("request_id", "trace_id", "user_id")


class Runner:
    """What each worker thread calls with a job's id. ``around`` wraps the task, to bind log fields or a trace."""

    def __init__(self, jobs: JobQueue, held: Held, deadlines: Deadlines, loop: TaskLoop, around: Around | None) -> None:
        self._jobs = jobs
        self._held = held
        self._deadlines = deadlines
        self._loop = loop
        self._around = around or (lambda context: nullcontext())
        self._tally = JobTally(jobs.metrics, jobs.tasks)

    def __call__(self, job_id: str) -> None:
        delivery = self._held.start(job_id)
        if delivery is not None:
            self._tally.began(delivery)
            outcome = self._outcome(delivery)
            self._tally.ended(delivery, outcome)
            self._held.end(delivery, outcome)

    def _outcome(self, delivery: Delivery) -> Outcome:
        claim = delivery.claim
        if delivery.cancelled or delivery.lost:  # while it waited for a thread; of a lost one this is not recorded
            return Outcome("cancelled")
        task = self._jobs.tasks.get(claim.task)
        if task is None:
            logger.error("job %s names task %s, which is not included here: it is dead now", claim.id, claim.task)
            return Outcome("dead", reason="unknown_task", error="job.unknown_task")
        try:
            bound = task.arguments.decode(claim.payload)
        except (DecodeError, ValidationFailed) as error:
            logger.error("the arguments of job %s do not fit task %s (%s)", claim.id, claim.task, error.code)
            reason = "undecodable" if isinstance(error, DecodeError) else "invalid"
            return Outcome("dead", reason=reason, error=error.code)
        return self._tried(delivery, task, bound)

    def _tried(self, delivery: Delivery, task: Task[..., Any], bound: Bound) -> Outcome:
        claim, jobs = delivery.claim, self._jobs
        context = JobContext(delivery, jobs.database, jobs, jobs.services, carried(claim))
        try:
            if task.is_async:
                result = contextvars.copy_context().run(self._await, task, context, bound, delivery)
            else:
                with self._deadlines.limit(task.time_limit):
                    result = contextvars.copy_context().run(self._call, task, context, bound)
            outcome = _done(claim, result)
        except AlreadyDone:
            outcome = Outcome("succeeded")
        except (JobCancelled, CancelledError) as error:
            outcome = Outcome("cancelled") if delivery.cancelled else self._failed(claim, task, error)
        except BaseException as error:  # what a job raises, SystemExit and time limits too, must not end the thread
            outcome = self._failed(claim, task, error)
        return outcome if delivery.progress is delivery.told else replace(outcome, progress=delivery.progress)

    def _call(self, task: Task[..., Any], context: JobContext, bound: Bound) -> Any:
        with working(f"job {task.name} {context.job_id}"), self._around(context), running(context):
            return task.function(context, *bound[0], **bound[1])

    def _await(self, task: Task[..., Any], context: JobContext, bound: Bound, delivery: Delivery) -> Any:
        with working(f"job {task.name} {context.job_id}"), self._around(context), running(context):
            return self._loop.run(
                lambda: task.function(context, *bound[0], **bound[1]), task.time_limit, delivery.on_cancel
            )

    def _failed(self, claim: Claim, task: Task[..., Any], error: BaseException) -> Outcome:
        name = f"{type(error).__module__}.{type(error).__qualname__}"
        code = error.code if isinstance(error, PostrMagicError) else name
        frames = [(os.path.basename(f.filename), f.name) for f in traceback.extract_tb(error.__traceback__)]  # noqa: PTH119 - a name, not a file to open
        told = (code[:200], policy.fingerprint_of(name, frames))
        if policy.worth_a_try(error, task.retry_for, task.give_up_on):
            outcome = policy.after_failure(claim.attempt, task.retries, task.backoff, self._jobs.random(), told)
        else:
            outcome = Outcome("failed", reason="given_up", error=told[0], fingerprint=told[1])
        logger.error(
            "job %s of task %s failed in delivery %d (%s), now %s",
            *(claim.id, claim.task, claim.attempt, code, outcome.state),
            exc_info=error,
            extra={**_story(claim), "task": claim.task, "attempt": claim.attempt, "fingerprint": told[1]},
        )
        return outcome


def carried(claim: Claim) -> Mapping[str, str]:
    """What the context held where the job was enqueued; nothing, if it cannot be read."""
    if not claim.headers:
        return {}
    try:
        found = _codec.decode(claim.headers)
    except DecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _story(claim: Claim) -> Mapping[str, str]:
    """The ids by which a record of this delivery leads to what caused it: it is made outside of the task's context."""
    found = carried(claim)
    return {name: found[name] for name in _IDS if name in found} | {"job_id": claim.id, "queue": claim.queue}


def _done(claim: Claim, result: Any) -> Outcome:
    if result is None:
        return Outcome("succeeded")
    try:
        return Outcome("succeeded", result=_codec.encode(result))
    except EncodeError as error:
        logger.error(
            "job %s of task %s is done, but what it returned cannot be stored: %s", claim.id, claim.task, error
        )
        return Outcome("succeeded", error=error.code)

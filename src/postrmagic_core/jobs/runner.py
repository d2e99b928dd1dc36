"""One delivery: the task is found, its arguments are checked, it runs, and how it ended is told as a value."""

from __future__ import annotations

import contextvars
import logging
import os
import traceback
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from .. import _codec
from .._work import working
from ..errors import AlreadyDone, DecodeError, EncodeError, PostrMagicError, ValidationFailed
from . import policy
from .arguments import Bound
from .context import JobContext
from .declaration import Task
from .held import HeldClaims
from .interface import Claim, Outcome
from .limits import Deadlines

if TYPE_CHECKING:
    from .manager import JobQueue

logger = logging.getLogger("postrmagic_core.jobs")

Around = Callable[[JobContext], AbstractContextManager[Any]]


class Runner:
    """What each worker thread calls with a job's id. ``around`` wraps the task, to bind log fields or a trace."""

    def __init__(self, jobs: JobQueue, held: HeldClaims, deadlines: Deadlines, around: Around | None) -> None:
        self._jobs = jobs
        self._held = held
        self._deadlines = deadlines
        self._around = around or (lambda context: nullcontext())

    def __call__(self, job_id: str) -> None:
        claim = self._held.get(job_id)
        if claim is not None:
            self._held.ended(job_id, self._outcome(claim))

    def _outcome(self, claim: Claim) -> Outcome:
        task = self._jobs.tasks.get(claim.task)
        if task is None:
            return Outcome("dead", reason="unknown_task", error="job.unknown_task")
        try:
            bound = task.arguments.decode(claim.payload)
        except (DecodeError, ValidationFailed) as error:
            logger.error("the arguments of job %s do not fit task %s (%s)", claim.id, claim.task, error.code)
            reason = "undecodable" if isinstance(error, DecodeError) else "invalid"
            return Outcome("dead", reason=reason, error=error.code)
        return self._tried(claim, task, bound)

    def _tried(self, claim: Claim, task: Task[..., Any], bound: Bound) -> Outcome:
        context = JobContext(claim, self._jobs.database, self._jobs, self._jobs.services)
        try:
            with self._deadlines.limit(task.time_limit):
                result = contextvars.copy_context().run(self._call, task, context, bound)
            return _done(claim, result)
        except AlreadyDone:
            return Outcome("done")
        except BaseException as error:  # what a job raises, SystemExit and time limits too, must not end the thread
            return self._failed(claim, task, error)

    def _call(self, task: Task[..., Any], context: JobContext, bound: Bound) -> Any:
        with working(f"job {task.name} {context.job_id}"), self._around(context):
            return task.function(context, *bound[0], **bound[1])

    def _failed(self, claim: Claim, task: Task[..., Any], error: BaseException) -> Outcome:
        name = f"{type(error).__module__}.{type(error).__qualname__}"
        code = error.code if isinstance(error, PostrMagicError) else name
        frames = [(os.path.basename(f.filename), f.name) for f in traceback.extract_tb(error.__traceback__)]  # noqa: PTH119 - a name, not a file to open
        told = (code[:200], policy.fingerprint_of(name, frames))
        outcome = policy.after_failure(claim.attempt, task.retries, task.backoff, self._jobs.ledger.random(), told)
        logger.error(
            "job %s of task %s failed in delivery %d (%s), now %s",
            *(claim.id, claim.task, claim.attempt, code, outcome.state),
            exc_info=error,
            extra={"job_id": claim.id, "task": claim.task, "attempt": claim.attempt, "fingerprint": told[1]},
        )
        return outcome


def _done(claim: Claim, result: Any) -> Outcome:
    if result is None:
        return Outcome("done")
    try:
        return Outcome("done", result=_codec.encode(result))
    except EncodeError as error:
        logger.error(
            "job %s of task %s is done, but what it returned cannot be stored: %s", claim.id, claim.task, error
        )
        return Outcome("done", error=error.code)

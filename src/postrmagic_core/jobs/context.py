"""What a task is given: who it is, how to end early, how to tell its progress, and a unit whose effect happens once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

from .._spans import STATE
from ..database.tables import once
from ..errors import AlreadyDone, JobCancelled, UniqueViolation, UsageError
from . import progress
from .interface import Progress
from .sqltime import now_us

if TYPE_CHECKING:
    from .._protocols import Units
    from .held import Delivery
    from .manager import JobQueue

# Longer than any job is retried or replayed by hand: forgetting it would let the effect happen again.
_KEPT_US = 90 * 86_400 * 1_000_000

OWN_FIELDS = frozenset({"job_id", "task", "queue", "attempt"})
"""Of :attr:`JobContext.fields`, what each job has of its own: it is not carried on to the jobs that it enqueues."""

SCHEDULED = "scheduled_for"
"""The header, beside what is carried, in which a schedule's tick travels; jobs enqueued by that job have none."""


class JobContext:
    """The first argument of every task.

    ``job_id``, ``task``, ``queue``; ``attempt`` counts deliveries from 1, and after ``last_try`` there is no other;
    ``carried`` is what the context held where the job was enqueued (request id, trace, user); ``jobs`` is the queue
    itself. ``scheduled_for`` is the tick of the schedule that enqueued the job, ``None`` for other jobs; it may be long
    ago. Whatever the application put among the queue's ``services`` (events, cache, …) is an attribute too.
    """

    job_id: str
    task: str
    queue: str
    attempt: int
    last_try: bool
    carried: Mapping[str, str]
    scheduled_for: datetime | None
    jobs: JobQueue
    services: Mapping[str, object]

    def __init__(
        self,
        delivery: Delivery,
        database: Units,
        jobs: JobQueue,
        services: Mapping[str, object],
        carried: Mapping[str, str],
    ) -> None:
        claim = delivery.claim
        self.job_id = claim.id
        self.task = claim.task
        self.queue = claim.queue
        self.attempt = claim.attempt
        self.last_try = claim.attempt > claim.retries
        self.carried = {name: value for name, value in carried.items() if name != SCHEDULED}
        self.scheduled_for = _instant(carried.get(SCHEDULED))
        self.jobs = jobs
        self.services = services
        self._delivery = delivery
        self._database = database
        self._wrote = False

    @property
    def fields(self) -> dict[str, str | int]:
        """What log lines of this delivery should carry."""
        told: dict[str, str | int] = {name: value for name, value in self.carried.items() if name != STATE}
        return told | {"job_id": self.job_id, "task": self.task, "queue": self.queue, "attempt": self.attempt}

    @property
    def cancelled(self) -> bool:
        """Whether the job should end: somebody cancelled it, or another worker has taken it over."""
        return self._delivery.cancelled or self._delivery.lost

    def check(self) -> None:
        """Raise :class:`JobCancelled` if the job should end; call it where the task can stop without harm."""
        if self._delivery.cancelled:
            raise JobCancelled(f"job {self.job_id} was cancelled")
        if self._delivery.lost:
            raise JobCancelled(f"the lease on job {self.job_id} was lost: another worker has taken it over")

    def progress(self, done: float, total: float | None = None, note: str = "") -> None:
        """Tell how far the job has come; others see it within a second or so. Costs no round trip, and checks."""
        self._delivery.progress = progress.written(Progress(done, total, note))
        self.check()

    @contextmanager
    def write(self) -> Iterator[Any]:
        """A write unit that commits at most once for this job, however often it is delivered.

        The job's id goes into ``pm_once`` in the same transaction. When it is there already it raises
        :class:`AlreadyDone`, which the worker takes for success. A second ``write()`` in one delivery raises
        :class:`UsageError`: it could not be told from the first after a crash between the two.
        """
        self._only_once()
        with self._database.write() as tx:
            try:
                tx.execute(self._mark())
            except UniqueViolation:
                raise self._done_already() from None
            yield tx

    def read(self) -> AbstractContextManager[Any]:
        """A unit that reads the application's database."""
        return self._database.read()

    @property
    def aio(self) -> AsyncJobContext:
        """The same units for an async task."""
        return AsyncJobContext(self)

    def _only_once(self) -> None:
        if self._wrote:
            raise UsageError("ctx.write() was called twice in one delivery: do all of the job's writing in one unit")
        self._wrote = True

    def _mark(self) -> Any:
        times = {"created_us": now_us(), "expires_us": now_us() + _KEPT_US}
        return once.insert().values(id=self.job_id, kind="job", **times)

    def _done_already(self) -> AlreadyDone:
        return AlreadyDone(f"the effect of job {self.job_id} is already committed")

    def __getattr__(self, name: str) -> Any:
        services = self.__dict__.get("services", {})
        if name in services:
            return services[name]
        known = ", ".join(sorted(services)) or "none"
        raise AttributeError(f"the job's context has no {name!r}; services given to this queue: {known}")


def _instant(told: str | None) -> datetime | None:
    try:
        return None if told is None else datetime.fromisoformat(told)
    except ValueError:  # somebody carries something else under that name
        return None


class AsyncJobContext:
    """:attr:`JobContext.aio`."""

    def __init__(self, context: JobContext) -> None:
        self._context = context

    @asynccontextmanager
    async def write(self) -> AsyncIterator[Any]:
        """See :meth:`JobContext.write`."""
        context = self._context
        context._only_once()
        async with self._database.write() as tx:
            try:
                await tx.execute(context._mark())
            except UniqueViolation:
                raise context._done_already() from None
            yield tx

    def read(self) -> Any:
        """See :meth:`JobContext.read`; ``async with``."""
        return self._database.read()

    @property
    def _database(self) -> Any:
        database = getattr(self._context._database, "aio", None)
        if database is None:
            raise UsageError("this queue's database has no async face: async tasks write through a DatabaseManager's")
        return database

"""What a task is given: who it is, and a unit whose effect happens once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

from ..database.tables import once
from ..errors import AlreadyDone, UniqueViolation, UsageError
from .interface import Claim
from .sqltime import now_us

if TYPE_CHECKING:
    from .._protocols import Units
    from .manager import JobQueue

# Longer than any job is retried or replayed by hand: forgetting it would let the effect happen again.
_KEPT_US = 90 * 86_400 * 1_000_000


class JobContext:
    """The first argument of every task.

    ``job_id``, ``task``, ``queue``; ``attempt`` counts deliveries from 1; ``jobs`` is the queue itself. Whatever the
    application put among the queue's ``services`` (events, cache, …) is an attribute too.
    """

    def __init__(self, claim: Claim, units: Units, jobs: JobQueue, services: Mapping[str, object]) -> None:
        self.job_id = claim.id
        self.task = claim.task
        self.queue = claim.queue
        self.attempt = claim.attempt
        self.jobs = jobs
        self.services = services
        self._units = units
        self._wrote = False

    @property
    def fields(self) -> dict[str, str | int]:
        """What log lines of this delivery should carry."""
        return {"job_id": self.job_id, "task": self.task, "queue": self.queue, "attempt": self.attempt}

    @contextmanager
    def write(self) -> Iterator[Any]:
        """A write unit that commits at most once for this job, however often it is delivered.

        The job's id goes into ``pm_once`` in the same transaction. When it is there already it raises
        :class:`AlreadyDone`, which the worker takes for success. A second ``write()`` in one delivery raises
        :class:`UsageError`: it could not be told from the first after a crash between the two.
        """
        if self._wrote:
            raise UsageError("ctx.write() was called twice in one delivery: do all of the job's writing in one unit")
        self._wrote = True
        with self._units.write() as tx:
            try:
                tx.execute(
                    once.insert().values(
                        id=self.job_id, kind="job", created_us=now_us(), expires_us=now_us() + _KEPT_US
                    )
                )
            except UniqueViolation:
                raise AlreadyDone(f"the effect of job {self.job_id} is already committed") from None
            yield tx

    def read(self) -> AbstractContextManager[Any]:
        """A unit that reads the application's database."""
        return self._units.read()

    def __getattr__(self, name: str) -> Any:
        services = self.__dict__.get("services", {})
        if name in services:
            return services[name]
        known = ", ".join(sorted(services)) or "none"
        raise AttributeError(f"the job's context has no {name!r}; services given to this queue: {known}")

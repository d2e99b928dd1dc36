"""What ``enqueue`` returns: the job's id, and ways to wait for it on either face."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .aio import AsyncJobQueue
    from .interface import JobStatus
    from .manager import JobQueue


@dataclass(frozen=True, slots=True)
class JobHandle:
    """A job: its id (UUIDv7) and its task's name. ``existing``: a unique job was there already, and this is it."""

    id: str
    task: str
    jobs: JobQueue = field(repr=False, compare=False)
    existing: bool = False

    def status(self) -> JobStatus | None:
        """See :meth:`JobQueue.status`."""
        return self.jobs.status(self.id)

    def wait(self, timeout: float = 10.0) -> JobStatus:
        """See :meth:`JobQueue.wait`."""
        return self.jobs.wait(self.id, timeout)

    def result(self, timeout: float = 10.0) -> Any:
        """See :meth:`JobQueue.result`."""
        return self.jobs.result(self.id, timeout)

    def watch(self, timeout: float | None = None) -> Iterator[JobStatus]:
        """See :meth:`JobQueue.watch`."""
        return self.jobs.watch(self.id, timeout)

    def cancel(self) -> bool:
        """Whether it could be cancelled: see :meth:`JobQueue.cancel`."""
        return bool(self.jobs.cancel(self.id))


@dataclass(frozen=True, slots=True)
class AsyncJobHandle:
    """:class:`JobHandle` of ``jobs.aio``: the same names, awaitable."""

    id: str
    task: str
    jobs: AsyncJobQueue = field(repr=False, compare=False)
    existing: bool = False

    async def status(self) -> JobStatus | None:
        """See :meth:`JobQueue.status`."""
        return await self.jobs.status(self.id)

    async def wait(self, timeout: float = 10.0) -> JobStatus:  # noqa: ASYNC109 - the same name on both faces
        """See :meth:`JobQueue.wait`."""
        return await self.jobs.wait(self.id, timeout)

    async def result(self, timeout: float = 10.0) -> Any:  # noqa: ASYNC109 - the same name on both faces
        """See :meth:`JobQueue.result`."""
        return await self.jobs.result(self.id, timeout)

    def watch(self, timeout: float | None = None) -> AsyncIterator[JobStatus]:
        """See :meth:`JobQueue.watch`."""
        return self.jobs.watch(self.id, timeout)

    async def cancel(self) -> bool:
        """Whether it could be cancelled: see :meth:`JobQueue.cancel`."""
        return bool(await self.jobs.cancel(self.id))

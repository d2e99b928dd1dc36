"""The small Protocols by which sibling components meet without importing each other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from sqlalchemy import CursorResult
    from sqlalchemy.sql import Executable

R = TypeVar("R")


class UnitLike(Protocol):
    """An open database transaction, as events, jobs and cache see it."""

    @property
    def database_id(self) -> str:
        """Names the database: units and brokers of one database share it."""
        ...

    @property
    def tables_written(self) -> frozenset[str]:
        """Names of the tables this unit has inserted into, updated or deleted from."""
        ...

    def execute(self, statement: Executable, parameters: Any = None) -> CursorResult[Any]:
        """Run a SQLAlchemy Core statement in the transaction."""
        ...

    def stage(self, topic: str, payload: bytes, *, key: str | None = None, due_us: int = 0) -> None:
        """Put a row into the outbox, to be delivered to ``topic``'s route if and only if the unit commits.

        Rows that share a ``key`` are delivered in the order they were staged; ``due_us`` delays (microseconds).
        """
        ...

    def after_commit(self, hook: Callable[[], None]) -> None:
        """Call ``hook`` once the unit has surely committed; an error in it is logged and counted, never raised."""
        ...

    def before_commit(self, hook: Callable[[], None]) -> None:
        """Call ``hook`` inside the transaction just before it commits; an error in it rolls the unit back."""
        ...


class Units(Protocol):
    """Where read and write units come from: the database, as its siblings above see it."""

    @property
    def database_id(self) -> str:
        """Names the database."""
        ...

    def read(self) -> AbstractContextManager[Any]:
        """A unit that reads."""
        ...

    def write(self) -> AbstractContextManager[Any]:
        """A unit that writes: all of it, or none."""
        ...

    def current(self) -> UnitLike | None:
        """The write unit this thread or task has open, if any."""
        ...


class AwaitableUnitLike(Protocol):
    """What ``async with db.aio.write()`` gives."""

    async def run(self, fn: Callable[[Any], R], /) -> R:
        """``fn(tx)`` with the sync unit, on the unit's own thread."""
        ...


class StagedRow(Protocol):
    """A row of the outbox, as a route needs it."""

    @property
    def payload(self) -> bytes:
        """What was staged."""
        ...


class TagCapture(Protocol):
    """Where a snapshot learns the generations of tags before it begins: the cache, as the database sees it."""

    def capture(self, tags: Iterable[str]) -> Mapping[str, int]:
        """The present generation of each tag."""
        ...


class JobSink(Protocol):
    """Where a durable event's deliveries go to be run."""

    def given_up(self, job_ids: Sequence[str]) -> Mapping[str, str]:
        """Those of the jobs that have ended without success, with the reason."""
        ...

    def enqueue_raw(
        self,
        task: str,
        arguments: Mapping[str, object],
        *,
        tx: UnitLike | None = None,
        carried: Mapping[str, str] | None = None,
    ) -> str:
        """Enqueue ``task`` by name, to carry what is given in place of the present context; returns the job's id."""
        ...


class Identity(Protocol):
    """Who asks, once that is proved: a user, a service, a token's owner."""

    @property
    def id(self) -> str:
        """Names it for good, and nobody else; not secret, as it stands in logs."""
        ...

    @property
    def roles(self) -> frozenset[str]:
        """The roles it has: what it may do follows from them."""
        ...

    @property
    def scopes(self) -> frozenset[str] | None:
        """What the credential is limited to (RFC 6749, section 3.3); ``None``: to nothing less than the roles allow."""
        ...

"""What a broker adapter is, and the values that jobs are told by."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal, Protocol, Self, TypeAlias

if TYPE_CHECKING:
    from dramatiq import Broker

    from .held import HeldClaims
    from .ledger import Ledger

State: TypeAlias = Literal["waiting", "running", "done", "dead"]


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job as it is enqueued. ``due_us`` 0 means at once; ``payload`` holds the encoded arguments."""

    id: str
    queue: str
    task: str
    retries: int
    payload: bytes
    due_us: int = 0


@dataclass(frozen=True, slots=True)
class Claim:
    """One delivery of a job to one worker; ``fence`` tells it from every other delivery of the job.

    ``attempt`` counts deliveries from 1. ``alone``: nothing else may run in the worker's process meanwhile.
    """

    id: str
    queue: str
    task: str
    retries: int
    payload: bytes
    fence: int
    attempt: int
    alone: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a delivery ended: done, dead, or waiting for another try after ``delay`` seconds.

    ``reason`` says why it is dead: ``failed``, ``poison``, ``unknown_task``, ``undecodable`` or ``invalid``. ``error``
    is the error's code, ``fingerprint`` the same for errors of one type raised at one place.
    """

    state: Literal["done", "waiting", "dead"]
    result: bytes | None = None
    reason: str | None = None
    error: str | None = None
    fingerprint: str | None = None
    delay: float = 0.0


@dataclass(frozen=True, slots=True)
class JobHandle:
    """What ``enqueue`` returns: the job's id (UUIDv7) and its task's name."""

    id: str
    task: str


@dataclass(frozen=True, slots=True)
class JobStatus:
    """A job's row: ``attempts`` counts deliveries to workers, lost ones included; instants are aware UTC datetimes.

    ``due`` is when a waiting job may run; ``reason``, ``error`` and ``fingerprint`` are those of :class:`Outcome`.
    """

    id: str
    queue: str
    task: str
    state: State
    attempts: int
    retries: int
    created: datetime
    due: datetime | None
    started: datetime | None
    ended: datetime | None
    reason: str | None
    error: str | None
    fingerprint: str | None


@dataclass(frozen=True, slots=True)
class Counts:
    """How many jobs of a queue wait, run, and lie among the dead letters."""

    waiting: int = 0
    running: int = 0
    dead: int = 0


class BrokerAdapter(Protocol):
    """How jobs reach workers. The job's row is the truth; a broker only says which row to run next.

    ``database_id`` names the database whose rows the broker itself hands out; ``None`` when each job must be sent.
    """

    @classmethod
    def from_url(cls, url: str, *, namespace: str) -> Self:
        """An adapter for ``url``, not connected."""
        ...

    @property
    def database_id(self) -> str | None:
        """The database whose rows are handed out, or ``None``."""
        ...

    def broker(self, ledger: Ledger, held: HeldClaims) -> Broker:
        """A dramatiq broker, new for each worker: its consumers put what they claim into ``held``."""
        ...

    def send(self, job_id: str, queue: str, task: str) -> None:
        """Tell workers of a job; a repeat is harmless. Raises ``BackendError``."""
        ...

    def wake(self) -> None:
        """Tell this process's consumers that a job was committed."""
        ...

    def close(self) -> None:
        """Release connections."""
        ...

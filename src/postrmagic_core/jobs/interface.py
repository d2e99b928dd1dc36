"""What a broker adapter is, and the values that jobs are told by."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol, Self, TypeAlias, runtime_checkable

if TYPE_CHECKING:
    from .._protocols import UnitLike, Units

State: TypeAlias = Literal["queued", "running", "retrying", "succeeded", "failed", "cancelled", "dead"]
Priority: TypeAlias = Literal["high", "normal", "low"]
Scope: TypeAlias = Literal["until_start", "until_done", "window"]
Change: TypeAlias = Literal["cancel", "replay", "forget"]

PRIORITIES: tuple[Priority, ...] = ("high", "normal", "low")
"""In the order in which a queue's jobs are delivered; an adapter may number them by it."""
LIVE: frozenset[State] = frozenset({"queued", "running", "retrying"})
ENDED: frozenset[State] = frozenset({"succeeded", "failed", "cancelled", "dead"})
DEAD: frozenset[State] = frozenset({"failed", "dead"})
"""Given up: ``failed`` (no try is left, or worth it) and ``dead`` (poison, or what no worker can run)."""


@dataclass(frozen=True, slots=True)
class Unique:
    """While a job holds ``key``, another one enqueued under it is not; its caller is told the holder.

    ``scope``: the key is free again when the job is first delivered, when it has ended (whichever way), or
    ``seconds`` after it was enqueued. Whether a key is held is its job's own state, so that no crash leaves one behind.
    An empty key stands for the task and its arguments; a key of one's own is each task's own too.
    """

    key: str = ""
    scope: Scope = "until_done"
    seconds: float | None = None

    def __post_init__(self) -> None:
        if (self.scope == "window") != (self.seconds is not None) or (self.seconds is not None and self.seconds <= 0):
            raise ValueError(f"seconds= (positive) belongs to scope='window' and to it alone, got {self.seconds}")


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job as it is enqueued. ``due_us`` 0 means at once; ``payload`` holds the encoded arguments.

    ``retries``: deliveries after the first. ``headers``: what its context carries, encoded. ``keep``: seconds for
    which the job is known after it succeeded or was cancelled; dead letters stay.
    """

    id: str
    queue: str
    task: str
    retries: int
    payload: bytes
    due_us: int = 0
    priority: Priority = "normal"
    headers: bytes = b""
    unique: Unique | None = None
    keep: float = 86_400.0


@dataclass(frozen=True, slots=True)
class Claim:
    """One delivery of a job to one worker; ``fence`` tells it from every other delivery of the job.

    ``attempt`` counts deliveries from 1. ``alone``: nothing else may run in the worker's process meanwhile. ``waited``:
    seconds from when it was due until it was claimed, by the broker's clock; ``None`` where that is not known.
    """

    id: str
    queue: str
    task: str
    retries: int
    payload: bytes
    fence: int
    attempt: int
    headers: bytes = b""
    alone: bool = False
    waited: float | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a delivery ended; ``retrying``: to be delivered again after ``delay`` seconds.

    ``queued``: handed back, not run, and not counted as a delivery. ``reason`` says why it is dead or failed:
    ``failed`` (no try left), ``given_up`` (an error not worth a try), ``poison``, ``unknown_task``, ``undecodable`` or
    ``invalid``. ``error`` is the error's code, ``fingerprint`` the same for errors of one type raised at one place.
    """

    state: Literal["succeeded", "failed", "retrying", "cancelled", "dead", "queued"]
    result: bytes | None = None
    reason: str | None = None
    error: str | None = None
    fingerprint: str | None = None
    delay: float = 0.0
    progress: bytes | None = None


class Settlement(NamedTuple):
    """A delivery and how it ended."""

    claim: Claim
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Want:
    """What a worker could take: at most ``free`` claims from ``queues``, for ``worker``, its id.

    ``idle``: nothing runs in its process, so that a job's last delivery may run there alone. ``held``: ids that it
    holds already, never to be claimed again.
    """

    worker: str
    queues: Sequence[str]
    free: int
    idle: bool = True
    held: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class Turn:
    """What a turn brought.

    ``owned``: for each settlement whether its claim still held; the others are not recorded. ``claims``, in the order
    in which to run. ``next_due``: where nothing was claimed, seconds until something may be, ``None`` if nothing waits.
    """

    owned: Sequence[bool] = ()
    claims: Sequence[Claim] = ()
    next_due: float | None = None


class Beat(NamedTuple):
    """A sign of life of one delivery, with the job's progress (encoded) if it has told any."""

    claim: Claim
    progress: bytes | None = None


@dataclass(frozen=True, slots=True)
class Renewal:
    """Which claims were ``lost`` to another worker, and which jobs somebody ``cancelled``; ids."""

    lost: Collection[str] = ()
    cancelled: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class Selection:
    """Some jobs: by ``ids``, or every one in one of ``states`` that fits what else is given.

    ``before``: ended before that instant (microseconds since the epoch). At most ``limit``, the newest first.
    """

    ids: Sequence[str] | None = None
    states: Collection[State] = ()
    queue: str | None = None
    task: str | None = None
    before_us: int | None = None
    limit: int = 100


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job says it has come: ``done`` of ``total``, which may be unknown, and a word for people."""

    done: float
    total: float | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class JobStatus:
    """A job: ``attempts`` counts deliveries to workers, lost ones included; instants are aware UTC datetimes.

    ``due_at`` is when a waiting job may run; ``reason``, ``error`` and ``fingerprint`` are those of :class:`Outcome`.
    ``progress``: what the task told last, as it told it. ``cancelling``: it runs, and was asked to end.
    """

    id: str
    queue: str
    task: str
    state: State
    attempts: int
    retries: int
    created_at: datetime
    due_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    reason: str | None = None
    error: str | None = None
    fingerprint: str | None = None
    priority: Priority = "normal"
    worker: str | None = None
    progress: Progress | None = None
    cancelling: bool = False


@dataclass(frozen=True, slots=True)
class JobRecord:
    """A job with what is not shown by default: its encoded arguments, headers and result."""

    status: JobStatus
    payload: bytes
    headers: bytes = b""
    result: bytes | None = None


@dataclass(frozen=True, slots=True)
class Counts:
    """How many jobs of a queue may run now (``queued``), wait for their time (``later``), run, are ``dead``.

    ``oldest``: seconds since the first of those that may run was due; 0 where none is, or the broker cannot tell.
    """

    queued: int = 0
    later: int = 0
    running: int = 0
    dead: int = 0
    oldest: float = field(default=0.0, compare=False)


@dataclass(frozen=True, slots=True)
class BrokerOptions:
    """What every adapter is made with.

    ``namespace`` keeps applications apart that share a server. ``database``: where units come from, for adapters that
    keep rows. ``lease``: seconds after which a silent worker's job goes to another. ``random``: uniform in [0, 1).
    """

    namespace: str
    database: Units
    lease: float
    random: Callable[[], float]


class Deliveries(Protocol):
    """The half of an adapter that applications and workers use: where jobs are kept, and how they reach workers."""

    @classmethod
    def from_url(cls, url: str, options: BrokerOptions) -> Self:
        """An adapter for ``url``; no I/O yet."""
        ...

    def open(self) -> object:
        """Make ready what the adapter owns; called once, before anything else."""
        ...

    def put(self, jobs: Sequence[NewJob]) -> Mapping[str, str]:
        """Enqueue jobs whose ids are not known yet; doing it again changes nothing.

        Returns, for those whose unique key is taken, its holder's id by theirs.
        """
        ...

    def turn(self, settlements: Sequence[Settlement], want: Want | None) -> Turn:
        """Record how deliveries ended, and claim what is due: one transaction, or one script.

        A claim is due by time or because its lease ran out; it counts a delivery, raises the fence and begins a lease.
        What was delivered ``retries + 1`` times and abandoned is dead (``poison``). High priority goes first.
        """
        ...

    def renew(self, beats: Sequence[Beat]) -> Renewal:
        """Prolong leases and keep the progress told."""
        ...

    def listen(self, queues: Sequence[str], ring: Callable[[], None]) -> AbstractContextManager[object]:
        """While open, call ``ring`` soon after something in ``queues`` may be due; if it is missed, workers sweep."""
        ...

    def close(self) -> None:
        """Release what was opened."""
        ...


class Inspection(Protocol):
    """The half that people use: jobs are asked for, and changed by hand."""

    def records(self, selection: Selection) -> Sequence[JobRecord]:
        """The jobs selected."""
        ...

    def alter(self, change: Change, selection: Selection) -> Sequence[str]:
        """Change the jobs selected that can be changed so; their ids.

        ``cancel``: one that waits ends at once, one that runs is asked to. ``replay``: one that ended unsuccessfully
        waits again with all its tries. ``forget``: one that has ended is unknown from now on.
        """
        ...

    def counts(self) -> Mapping[str, Counts]:
        """Jobs that have not ended, and dead ones, by queue."""
        ...


class BrokerAdapter(Deliveries, Inspection, Protocol):
    """What a broker is: seven operations, each atomic, each of which may raise ``BackendError``.

    Time is the broker's own. An adapter that can write within the application's units is :class:`SupportsUnits` too;
    what is enqueued with a unit reaches the others through the outbox.
    """


@runtime_checkable
class SupportsUnits(Protocol):
    """An adapter whose jobs are rows of the database ``database_id``: they are enqueued in the caller's own unit."""

    @property
    def database_id(self) -> str:
        """The database of the rows."""
        ...

    def put_in(self, tx: UnitLike, jobs: Sequence[NewJob]) -> Mapping[str, str]:
        """:meth:`Deliveries.put` if and only if ``tx`` commits."""
        ...


class Taker(Protocol):
    """A worker of this process, to which a unit that commits may give the job it has enqueued."""

    def offer(self, queue: str) -> str | None:
        """Its id, if it would begin a job of ``queue`` at once: it is not busy, and nothing can wait for it already.

        It keeps a thread free for as long as ``policy.OFFER``, or until :meth:`take`.
        """
        ...

    def take(self, claim: Claim) -> None:
        """Run ``claim``, which was made for it and has committed."""
        ...


@runtime_checkable
class SupportsHandover(Protocol):
    """An adapter that claims a job in the unit that enqueues it, for a worker of the same process that rests."""

    def serve(self, taker: Taker) -> AbstractContextManager[object]:
        """While open, ``taker`` may be given jobs."""
        ...


@runtime_checkable
class SupportsUpkeep(Protocol):
    """An adapter with something to tidy."""

    def sweep(self) -> None:
        """Tidy a bounded part; each worker calls it every few seconds."""
        ...

"""A broker in memory that keeps the contract, made of small parts for others to break."""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Self

from postrmagic_core._clock import from_us
from postrmagic_core.jobs.interface import (
    DEAD,
    ENDED,
    LIVE,
    PRIORITIES,
    Beat,
    BrokerOptions,
    Change,
    Claim,
    Counts,
    JobRecord,
    JobStatus,
    NewJob,
    Outcome,
    Renewal,
    Selection,
    Settlement,
    State,
    Turn,
    Want,
)
from postrmagic_core.jobs.progress import told

UNSUCCESSFUL: frozenset[State] = ENDED - {"succeeded"}
CHANGEABLE: dict[Change, frozenset[State]] = {"cancel": LIVE, "replay": UNSUCCESSFUL, "forget": ENDED}


@dataclass
class Job:
    """A job and all that is known of it."""

    new: NewJob
    created_us: int
    due_us: int
    state: State = "queued"
    attempts: int = 0
    fence: int = 0
    cancelling: bool = False
    worker: str | None = None
    started_us: int | None = None
    ended_us: int | None = None
    forget_us: int | None = None
    progress: bytes | None = None
    outcome: Outcome = Outcome("queued")  # noqa: RUF009 - frozen
    hidden: bool = False

    @property
    def id(self) -> str:
        """The job's."""
        return self.new.id


class Shelf:
    """What all adapters of one broker and namespace share."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.jobs: dict[str, Job] = {}
        self.keys: dict[str, tuple[str, int]] = {}
        self.bells: list[tuple[Collection[str], Callable[[], None]]] = []


SHELVES: defaultdict[tuple[str, str], Shelf] = defaultdict(Shelf)


class Good:
    """Everything under one lock. Its parts are methods, for others to break."""

    def __init__(self, url: str, options: BrokerOptions) -> None:
        self.url = url
        self.options = options
        self.shelf = SHELVES[url, self.space(options.namespace)]

    @classmethod
    def from_url(cls, url: str, options: BrokerOptions) -> Self:
        """On the shelf of that name."""
        return cls(url, options)

    def space(self, namespace: str) -> str:
        """What keeps applications apart."""
        return namespace

    def open(self) -> None:
        """Nothing to be made ready."""

    def close(self) -> None:
        """Nothing is held."""

    def now(self) -> int:
        """Microseconds."""
        return time.time_ns() // 1000

    def atomic(self) -> Any:
        """Nobody else acts meanwhile."""
        return self.shelf.lock

    # put

    def put(self, jobs: Sequence[NewJob]) -> Mapping[str, str]:
        """See the interface."""
        holders, _ = self.keep(jobs)
        return holders

    def keep(self, jobs: Sequence[NewJob]) -> tuple[dict[str, str], list[Job]]:
        """Who holds the keys of those that are not kept, and those that are."""
        holders: dict[str, str] = {}
        kept: list[Job] = []
        with self.atomic():
            for new in jobs:
                holder = self.holder(new)
                if self.is_known(new.id):
                    continue
                if holder is not None:
                    holders[new.id] = holder
                    continue
                now = self.now()
                job = Job(self.kept(new), now, self.due_of(new, now))
                self.shelf.jobs[new.id] = job
                kept.append(job)
                if new.unique is not None:
                    self.shelf.keys[new.unique.key] = (new.id, now + round((new.unique.seconds or 0) * 1e6))
                self.ring(new.queue)
        return holders, kept

    @property
    def database_id(self) -> str:
        """The application's, in whose units jobs are put."""
        return self.options.database.database_id

    def put_in(self, tx: Any, jobs: Sequence[NewJob]) -> Mapping[str, str]:
        """See the interface: hidden until the unit commits, gone if it does not."""
        with self.atomic():
            holders, kept = self.keep(jobs)
            for job in kept:
                self.hide(job, tx)
        return holders

    def hide(self, job: Job, tx: Any) -> None:
        """Nobody sees the job before its unit has committed."""

        def show() -> None:
            job.hidden = False
            self.ring(job.new.queue)

        job.hidden = True
        tx.after_commit(show)
        tx.on_rollback(lambda: self.forget(job))

    def seen(self) -> list[Job]:
        """All jobs but those of units that have not committed."""
        return [job for job in self.shelf.jobs.values() if not job.hidden]

    def is_known(self, job_id: str) -> bool:
        """Whether it was put before."""
        return job_id in self.shelf.jobs

    def kept(self, new: NewJob) -> NewJob:
        """As it is stored."""
        return new

    def due_of(self, new: NewJob, now: int) -> int:
        """When it may run."""
        return new.due_us or now

    def holder(self, new: NewJob) -> str | None:
        """Who has the key that the job wants."""
        if new.unique is None or self.key(new.unique.key) not in self.shelf.keys:
            return None
        holder_id, until = self.shelf.keys[self.key(new.unique.key)]
        return None if self.is_free(self.shelf.jobs.get(holder_id), until) else holder_id

    def key(self, key: str) -> str:
        """As keys are compared."""
        return key

    def is_free(self, job: Job | None, until: int) -> bool:
        """Whether the key may be taken from that holder."""
        if job is None or job.new.unique is None:
            return True
        if job.new.unique.scope == "window":
            return until <= self.now()
        return job.state in ENDED or (job.new.unique.scope == "until_start" and job.started_us is not None)

    # turn

    def turn(self, settlements: Sequence[Settlement], want: Want | None) -> Turn:
        """See the interface."""
        with self.atomic():
            owned = [self.settle(claim, outcome) for claim, outcome in settlements]
            claims = [] if want is None else self.claim(want)
            return Turn(owned, claims, None if want is None or claims else self.next_due(want))

    def owns(self, job: Job | None, claim: Claim) -> bool:
        """Whether a claim still holds."""
        return job is not None and job.state == "running" and job.fence == claim.fence

    def settle(self, claim: Claim, outcome: Outcome) -> bool:
        """Record an end, if it is the claim's to say."""
        job = self.shelf.jobs.get(claim.id)
        if job is None or not self.owns(job, claim):
            return False
        outcome = self.heeded(job, outcome)
        job.worker = None
        job.progress = outcome.progress or job.progress
        if outcome.state == "queued":
            self.hand_back(job)
        elif outcome.state == "retrying":
            job.state, job.outcome = "retrying", outcome
            job.due_us = self.now() + self.delay_us(outcome)
        else:
            self.end(job, outcome)
        return True

    def heeded(self, job: Job, outcome: Outcome) -> Outcome:
        """What somebody asked to end does not come again."""
        again = outcome.state in ("queued", "retrying")
        return Outcome("cancelled", progress=outcome.progress) if job.cancelling and again else outcome

    def hand_back(self, job: Job) -> None:
        """It waits as if it had not been delivered."""
        job.attempts -= 1
        job.state = "retrying" if job.attempts else "queued"
        job.due_us = self.now()
        self.ring(job.new.queue)

    def delay_us(self, outcome: Outcome) -> int:
        """How long a failed job waits."""
        return round(outcome.delay * 1e6)

    def end(self, job: Job, outcome: Outcome) -> None:
        """It will not run again."""
        assert outcome.state not in ("queued", "retrying")
        job.state, job.outcome, job.ended_us = outcome.state, outcome, self.now()
        job.forget_us = None if job.state in DEAD else job.ended_us + self.keep_us(job)

    def keep_us(self, job: Job) -> int:
        """How long an end is remembered."""
        return round(job.new.keep * 1e6)

    def claim(self, want: Want) -> list[Claim]:
        """What is due for the worker; poison on the way is buried."""
        claims: list[Claim] = []
        for job in self.candidates(want):
            abandoned = self.is_abandoned(job)
            if abandoned and self.is_unwanted(job):
                job.fence += 1
                self.end(job, Outcome("cancelled"))
                continue
            if abandoned and self.is_poison(job):
                job.fence += 1
                self.end(job, Outcome("dead", reason="poison"))
                continue
            alone = abandoned and job.attempts == job.new.retries
            if len(claims) == self.room(want) or (alone and self.in_company(want, claims)):
                break
            claims.append(self.take(job, want, alone=alone))
            if alone:
                break
        return claims

    def room(self, want: Want) -> int:
        """How many claims there may be."""
        return want.free

    def is_abandoned(self, job: Job) -> bool:
        """Whether a due job's worker was lost."""
        return job.state == "running"

    def is_unwanted(self, job: Job) -> bool:
        """Whether an abandoned job was asked to end."""
        return job.cancelling

    def is_poison(self, job: Job) -> bool:
        """Whether an abandoned job has had its deliveries."""
        return job.attempts > job.new.retries

    def in_company(self, want: Want, claims: Sequence[Claim]) -> bool:
        """Whether something else runs in the worker's process."""
        return not want.idle or bool(claims)

    def candidates(self, want: Want) -> list[Job]:
        """What is due, each queue in order, the queues by turns."""
        found = []
        for place in range(len(want.queues)):
            queue = want.queues[place]
            due = [job for job in self.seen() if self.is_in(job, queue) and self.is_due(job)]
            found.append(sorted((job for job in due if not self.is_held(job, want)), key=self.order))
        return self.mixed(found)

    def is_in(self, job: Job, queue: str) -> bool:
        """Whether it waits in the queue."""
        return job.new.queue == queue

    def mixed(self, found: list[list[Job]]) -> list[Job]:
        """One of each queue in turn."""
        most = max(map(len, found), default=0)
        return [jobs[place] for place in range(most) for jobs in found if place < len(jobs)]

    def is_due(self, job: Job) -> bool:
        """Whether it waits and its time has come, or its lease has run out."""
        return job.state in LIVE and job.due_us <= self.now()

    def is_held(self, job: Job, want: Want) -> bool:
        """Whether the worker has it already."""
        return job.id in want.held

    def order(self, job: Job) -> tuple[Any, ...]:
        """By which a queue's jobs are sorted."""
        return (PRIORITIES.index(job.new.priority), job.due_us, job.id)

    def take(self, job: Job, want: Want, *, alone: bool) -> Claim:
        """Begin a delivery."""
        job.state, job.worker, job.started_us = "running", want.worker, self.now()
        job.due_us = self.now() + round(self.options.lease * 1e6)
        self.count(job)
        new = job.new
        return Claim(
            new.id, new.queue, new.task, new.retries, new.payload, job.fence, job.attempts, new.headers, alone=alone
        )

    def count(self, job: Job) -> None:
        """Tell the delivery from the others."""
        job.attempts += 1
        job.fence += 1

    def next_due(self, want: Want) -> float | None:
        """Seconds."""
        due = [job.due_us for job in self.seen() if job.state in LIVE and self.matters(job, want)]
        return (min(due) - self.now()) / 1e6 if due else None

    def matters(self, job: Job, want: Want) -> bool:
        """Whether a worker waits for the job."""
        return job.new.queue in want.queues

    # the rest

    def renew(self, beats: Sequence[Beat]) -> Renewal:
        """See the interface."""
        lost: set[str] = set()
        cancelled: set[str] = set()
        with self.atomic():
            for claim, progress in beats:
                job = self.shelf.jobs.get(claim.id)
                if job is None or not self.owns(job, claim):
                    lost.add(claim.id)
                    continue
                self.prolong(job)
                job.progress = self.progress(job, progress)
                if job.cancelling:
                    cancelled.add(claim.id)
        return Renewal(lost, cancelled)

    def progress(self, job: Job, progress: bytes | None) -> bytes | None:
        """What the job told last."""
        return progress or job.progress

    def prolong(self, job: Job) -> None:
        """The lease begins anew."""
        job.due_us = self.now() + round(self.options.lease * 1e6)

    def records(self, selection: Selection) -> Sequence[JobRecord]:
        """See the interface."""
        with self.atomic():
            return [self.record(job) for job in self.selected(selection)]

    def selected(self, selection: Selection) -> list[Job]:
        """The newest first."""
        self.forget_old()
        jobs = sorted(self.seen(), key=lambda job: job.id, reverse=True)
        found = [job for job in jobs if self.fits(job, selection)]
        return found if selection.ids is not None else self.limited(found, selection.limit)

    def limited(self, jobs: list[Job], limit: int) -> list[Job]:
        """At most as many."""
        return jobs[:limit]

    def fits(self, job: Job, selection: Selection) -> bool:
        """Whether it is selected."""
        if selection.ids is not None:
            return job.id in selection.ids
        return (
            job.state in selection.states
            and selection.queue in (None, job.new.queue)
            and selection.task in (None, job.new.task)
            and (selection.before_us is None or self.ended_before(job, selection.before_us))
        )

    def ended_before(self, job: Job, instant: int) -> bool:
        """Whether it had ended."""
        return job.ended_us is not None and job.ended_us < instant

    def forget_old(self) -> None:
        """What was kept long enough."""
        for job in list(self.shelf.jobs.values()):
            if job.forget_us is not None and job.forget_us <= self.now():
                del self.shelf.jobs[job.id]

    def record(self, job: Job) -> JobRecord:
        """As it is told."""
        new, outcome = job.new, job.outcome
        status = JobStatus(
            new.id,
            new.queue,
            new.task,
            job.state,
            job.attempts,
            new.retries,
            from_us(job.created_us),
            from_us(job.due_us) if job.state in ("queued", "retrying") else None,
            None if job.started_us is None else from_us(job.started_us),
            None if job.ended_us is None else from_us(job.ended_us),
            outcome.reason,
            outcome.error,
            outcome.fingerprint,
            new.priority,
            job.worker,
            told(job.progress),
            job.cancelling and job.state == "running",
        )
        return JobRecord(status, new.payload, new.headers, outcome.result)

    def alter(self, change: Change, selection: Selection) -> Sequence[str]:
        """See the interface."""
        with self.atomic():
            if selection.ids is None:
                selection = replace(selection, states=self.changeable(change) & set(selection.states))
            jobs = [job for job in self.selected(selection) if job.state in self.changeable(change)]
            for job in jobs:
                {"cancel": self.cancel, "replay": self.replay, "forget": self.forget}[change](job)
            return [job.id for job in jobs]

    def changeable(self, change: Change) -> frozenset[State]:
        """In which states a job can be changed so."""
        return CHANGEABLE[change]

    def cancel(self, job: Job) -> None:
        """End it, or ask it to."""
        if job.state == "running":
            job.cancelling = True
        else:
            self.end(job, Outcome("cancelled"))

    def replay(self, job: Job) -> None:
        """It waits anew."""
        job.state, job.attempts, job.due_us, job.cancelling = "queued", 0, self.now(), False
        job.outcome, job.ended_us, job.forget_us = Outcome("queued"), None, None
        self.ring(job.new.queue)

    def forget(self, job: Job) -> None:
        """It is not known any more."""
        del self.shelf.jobs[job.id]

    def counts(self) -> Mapping[str, Counts]:
        """See the interface."""
        numbers: defaultdict[str, Counter[str]] = defaultdict(Counter)
        with self.atomic():
            for job in self.seen():
                kind = self.kind(job)
                if kind is not None:
                    numbers[job.new.queue][kind] += 1
        return {queue: Counts(**kinds) for queue, kinds in numbers.items()}

    def kind(self, job: Job) -> str | None:
        """As what it is counted."""
        if job.state in ("queued", "retrying"):
            return "queued" if job.due_us <= self.now() else "later"
        return "dead" if job.state in DEAD else "running" if job.state == "running" else None

    @contextmanager
    def listen(self, queues: Sequence[str], ring: Callable[[], None]) -> Iterator[None]:
        """See the interface."""
        bell = (queues, ring)
        self.shelf.bells.append(bell)
        try:
            yield
        finally:
            self.shelf.bells.remove(bell)

    def ring(self, queue: str) -> None:
        """There is something to do."""
        for queues, ring in list(self.shelf.bells):
            if queue in queues:
                ring()

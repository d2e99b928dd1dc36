"""The ledger of deliveries: rows are claimed under a fenced lease, renewed, and settled by their holder alone."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import and_, bindparam, func, select, update

from .. import _codec
from .._unit import in_own_unit
from . import policy
from .interface import Claim, NewJob, Outcome
from .sqltime import now_us
from .tables import jobs

if TYPE_CHECKING:
    from .._protocols import UnitLike, Units

R = TypeVar("R")
c = jobs.c

TOPIC = "jobs"
_REAP = 100
_UNHEARD_US = 30_000_000


class Ledger:
    """The rows of ``units``' database. ``lease`` is in seconds; ``sends``: a due row has to be sent to a broker."""

    def __init__(self, units: Units, *, lease: float, random: Callable[[], float]) -> None:
        self.units = units
        self.lease = lease
        self.random = random
        self.sends = False

    @property
    def database_id(self) -> str:
        """Names the database of the rows."""
        return self.units.database_id

    def insert(self, tx: UnitLike, job: NewJob) -> None:
        """Add a waiting row, and stage its sending where the broker needs that."""
        now = now_us()
        values = {"id": job.id, "queue": job.queue, "task": job.task, "retries": job.retries, "payload": job.payload}
        counts = {"state": "waiting", "deliveries": 0, "fence": 0, "created_us": now, "due_us": job.due_us or now}
        tx.execute(jobs.insert().values(**values, **counts))
        if self.sends:
            self.stage_sending(tx, job.id, job.queue, job.task, due_us=job.due_us)

    def exists(self, tx: UnitLike, job_id: str) -> bool:
        """Whether the job has a row."""
        return tx.execute(select(c.id).where(c.id == job_id)).first() is not None

    def stage_sending(self, tx: UnitLike, job_id: str, queue: str, task: str, *, due_us: int = 0) -> None:
        """Have the relay tell the broker of a row of this database, after the unit commits."""
        tx.stage(TOPIC, _codec.encode([job_id, queue, task]), due_us=due_us)

    def claim(self, queue: str, owner: str, *, free: int, busy: bool, held: Collection[str]) -> list[Claim]:
        """Up to ``free`` due rows of ``queue``, leased to ``owner``, oldest first; poison on the way is buried."""
        with self.units.read() as tx:  # an idle look takes no lock
            due = [row.id for row in tx.execute(_due(queue, free + len(held) + 1)) if row.id not in held]
        if not due:
            return []
        return self.retrying(lambda tx: self._claim(tx, due, owner, free=free, busy=busy))

    def next_due(self, queue: str) -> float | None:
        """Seconds until the queue's next row is due or its lease ends, negative if it is; ``None`` without one."""
        left = select((func.min(c.due_us) - now_us()).label("left")).where(c.queue == queue, c.due_us.is_not(None))
        with self.units.read() as tx:
            microseconds = tx.execute(left).scalar()
        return None if microseconds is None else float(microseconds) / 1e6

    def _claim(self, tx: UnitLike, due: Sequence[str], owner: str, *, free: int, busy: bool) -> list[Claim]:
        # By primary key: rows are locked, and no gap into which somebody else may want to insert.
        found = select(c.id, c.queue, c.task, c.retries, c.payload, c.fence, c.deliveries, c.state)
        locked = found.where(c.id.in_(due), c.due_us <= now_us()).with_for_update(skip_locked=True)
        rows = {row.id: row for row in tx.execute(locked)}
        candidates = [
            policy.Candidate(row.id, row.deliveries, row.retries, row.state == "running")
            for row in (rows[job_id] for job_id in due if job_id in rows)
        ]
        choice = policy.choose(candidates, free=free, busy=busy)
        self._bury(tx, choice.bury)
        if choice.take:
            self._take(tx, choice.take, owner)
        return [_claim_of(rows[job_id], alone=choice.alone) for job_id in choice.take]

    def claim_one(self, job_id: str, owner: str) -> Claim | None:
        """The job that a message names, leased to ``owner``; ``None`` if it has ended or another worker holds it."""

        def work(tx: UnitLike) -> Claim | None:
            row = tx.execute(select(jobs).where(c.id == job_id, c.state == "waiting").with_for_update()).first()
            if row is None:
                return None
            self._take(tx, [job_id], owner)
            return _claim_of(row, alone=False)

        return self.retrying(work)

    def _take(self, tx: UnitLike, ids: Sequence[str], owner: str) -> None:
        leased = {"state": "running", "lease_owner": owner, "due_us": now_us() + self._lease_us, "started_us": now_us()}
        counted = {"fence": c.fence + 1, "deliveries": c.deliveries + 1}
        tx.execute(update(jobs).where(c.id.in_(ids)).values(**leased, **counted))

    def _bury(self, tx: UnitLike, ids: Sequence[str]) -> None:
        if ids:
            dead = {"state": "dead", "reason": "poison", "due_us": None, "lease_owner": None, "ended_us": now_us()}
            tx.execute(update(jobs).where(c.id.in_(ids)).values(**dead, fence=c.fence + 1))

    def renew(self, owner: str, ids: Sequence[str]) -> None:
        """Prolong the leases on the jobs that ``owner`` still holds; rows it does not name run out."""
        if ids:
            mine = update(jobs).where(c.id.in_(ids), c.lease_owner == owner, c.state == "running")
            self.retrying(lambda tx: tx.execute(mine.values(due_us=now_us() + self._lease_us)))

    def settle(self, claim: Claim, outcome: Outcome) -> bool:
        """Record how a delivery ended; ``False`` when the lease was lost and another delivery owns the row."""
        ended = outcome.state != "waiting"
        due = None if ended else now_us() + round(outcome.delay * 1e6)
        told = {"result": outcome.result, "reason": outcome.reason, "error": outcome.error}
        values = {
            "state": outcome.state,
            "due_us": due,
            "lease_owner": None,
            "fingerprint": outcome.fingerprint,
            **told,
        }

        def work(tx: UnitLike) -> bool:
            if not self._owned(tx, claim, values | ({"ended_us": now_us()} if ended else {})):
                return False
            if not ended and self.sends:
                moment = tx.execute(select(c.due_us).where(c.id == claim.id)).scalar_one()
                self.stage_sending(tx, claim.id, claim.queue, claim.task, due_us=moment)
            return True

        return self.retrying(work)

    def release(self, claims: Iterable[Claim]) -> None:
        """Hand back what was claimed and never started: it does not count as a delivery."""
        back = {"state": "waiting", "due_us": now_us(), "lease_owner": None, "deliveries": c.deliveries - 1}
        listed = list(claims)
        self.retrying(lambda tx: [self._owned(tx, claim, back) for claim in listed])

    def _owned(self, tx: UnitLike, claim: Claim, values: dict[str, Any]) -> bool:
        mine = update(jobs).where(c.id == bindparam("job"), c.fence == bindparam("fenced"), c.state == "running")
        return tx.execute(mine.values(**values), {"job": claim.id, "fenced": claim.fence}).rowcount == 1

    def reap(self, send: Callable[[str, str, str], None]) -> None:
        """Where rows are sent: send again those whose worker vanished and those whose message did; bury poison.

        A row is taken for lost once it has been due for 30 seconds; in a long backlog that costs needless messages,
        100 a turn at most, which the ledger refuses.
        """

        lost = and_(c.state == "running", c.due_us <= now_us()) | and_(
            c.state == "waiting", c.due_us <= now_us() - _UNHEARD_US
        )
        with self.units.read() as tx:  # an idle look takes no lock
            ids = [row.id for row in tx.execute(select(c.id).where(lost).limit(_REAP))]
        again = self.retrying(lambda tx: self._reap(tx, ids, lost)) if ids else []
        for row in again:
            send(row.id, row.queue, row.task)

    def _reap(self, tx: UnitLike, ids: Sequence[str], lost: Any) -> list[Any]:
        found = select(c.id, c.queue, c.task, c.retries, c.deliveries, c.state).where(c.id.in_(ids), lost)
        rows = tx.execute(found.with_for_update(skip_locked=True)).all()
        poison = [row.id for row in rows if row.state == "running" and row.deliveries > row.retries]
        self._bury(tx, poison)
        again = [row for row in rows if row.id not in poison]
        if again:
            back = {"state": "waiting", "due_us": now_us(), "lease_owner": None, "fence": c.fence + 1}
            tx.execute(update(jobs).where(c.id.in_([row.id for row in again])).values(**back))
        return again

    def retrying(self, work: Callable[[UnitLike], R]) -> R:
        """``work`` in a write unit of its own, again after a conflict; raises ``BackendError``."""
        return in_own_unit(self.units, work, self.random)

    @property
    def _lease_us(self) -> int:
        return round(self.lease * 1e6)


def _due(queue: str, limit: int) -> Any:
    return select(c.id).where(c.queue == queue, c.due_us <= now_us()).order_by(c.due_us, c.id).limit(limit)


def _claim_of(row: Any, *, alone: bool) -> Claim:
    return Claim(row.id, row.queue, row.task, row.retries, row.payload, row.fence + 1, row.deliveries + 1, alone)

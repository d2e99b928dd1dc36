"""Jobs as rows: put, settled, claimed and renewed within a transaction. What is decided, ``policy`` decides."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, case, func, literal, select, union_all, update

from .. import policy
from ..interface import PRIORITIES, Claim, NewJob, Outcome, Renewal, Settlement, Want
from ..sqltime import now_us
from ..tables import jobs
from ._row_keys import taken, unless_there

if TYPE_CHECKING:
    from ..._protocols import UnitLike
    from ..interface import Beat

c = jobs.c

_IDS: Any = bindparam("ids", expanding=True)
# By primary key: rows are locked, and no gap into which somebody else may want to insert.
_HELD = select(c.id, c.fence, c.cancelling).where(c.id.in_(_IDS), c.state == "running").with_for_update()
_CLAIMABLE = (
    select(c.id, c.queue, c.task, c.retries, c.payload, c.headers, c.fence, c.deliveries, c.state, c.cancelling)
    .add_columns((now_us() - c.due_us).label("waited_us"))
    .where(c.id.in_(_IDS), c.due_us <= now_us())
    .with_for_update(skip_locked=True)
)
_INSERT = unless_there(jobs.insert())
_BEGIN = _INSERT.values(created_us=now_us(), started_us=now_us(), due_us=now_us() + bindparam("lease_us"))
_GONE: dict[str, Any] = {"due_us": None, "worker": None, "ended_us": now_us()}


def put(tx: UnitLike, new: Sequence[NewJob]) -> dict[str, str]:
    """Insert the jobs whose ids are not known; who holds the key of those that are not enqueued, by their ids."""
    holders = taken(tx, [job for job in new if job.unique is not None])
    rows = [_row(job) for job in new if job.id not in holders]
    if len(rows) == 1:
        tx.execute(_INSERT.values(created_us=now_us(), due_us=rows[0].pop("due_us") or now_us()), rows)
    elif rows:  # plain values: PyMySQL sends them as one statement
        now = tx.execute(select(now_us())).scalar_one()
        tx.execute(_INSERT, [row | {"created_us": now, "due_us": row["due_us"] or now} for row in rows])
    return holders


def put_running(tx: UnitLike, job: NewJob, worker: str, lease: float) -> Claim | None:
    """Insert a job that ``worker`` holds from the first; ``None`` if its id is known."""
    row = _row(job) | {"state": "running", "worker": worker, "deliveries": 1, "fence": 1}
    del row["due_us"]
    if not tx.execute(_BEGIN, row | {"lease_us": round(lease * 1e6)}).rowcount:
        return None
    return Claim(job.id, job.queue, job.task, job.retries, job.payload, 1, 1, job.headers, waited=0.0)


def _row(job: NewJob) -> dict[str, Any]:
    return {
        "id": job.id,
        "queue": job.queue,
        "priority": PRIORITIES.index(job.priority),
        "task": job.task,
        "state": "queued",
        "due_us": job.due_us,
        "retries": job.retries,
        "deliveries": 0,
        "fence": 0,
        "cancelling": 0,
        "payload": job.payload,
        "headers": job.headers,
        "keep_us": round(job.keep * 1e6),
    }


def settle(tx: UnitLike, settlements: Sequence[Settlement]) -> list[bool]:
    """Record how deliveries ended, where their claims still hold."""
    if not settlements:
        return []
    held = {row.id: row for row in tx.execute(_HELD, {"ids": [claim.id for claim, _ in settlements]})}
    owned: list[bool] = []
    alike: dict[Outcome, list[str]] = defaultdict(list)
    for claim, outcome in settlements:
        row = held.get(claim.id)
        owned.append(row is not None and row.fence == claim.fence)
        if row is not None and row.fence == claim.fence:
            del held[claim.id]  # a delivery ends once
            alike[policy.heeding(outcome, cancelled=bool(row.cancelling))].append(claim.id)
    for outcome, ids in alike.items():
        _end(tx, ids, outcome)
    return owned


def _end(tx: UnitLike, ids: Sequence[str], outcome: Outcome) -> None:
    told: dict[str, Any] = {"reason": outcome.reason, "error": outcome.error, "fingerprint": outcome.fingerprint}
    if outcome.progress is not None:
        told["progress"] = outcome.progress
    if outcome.state == "queued":
        again = case((c.deliveries > 1, "retrying"), else_="queued")
        values = {"state": again, "due_us": now_us(), "worker": None, "deliveries": c.deliveries - 1}
    elif outcome.state == "retrying":
        values = told | {"state": "retrying", "due_us": now_us() + round(outcome.delay * 1e6), "worker": None}
    else:
        forget = None if outcome.state in ("failed", "dead") else now_us() + c.keep_us
        values = told | _GONE | {"state": outcome.state, "result": outcome.result, "forget_us": forget}
    tx.execute(update(jobs).where(c.id.in_(_IDS)).values(values), {"ids": ids})


@lru_cache(maxsize=256)
def _due(queues: tuple[str, ...]) -> Any:
    """The ids of what is due, with its queue: ``most`` of each queue and priority, in the order of delivery."""
    parts = []
    for queue in queues:
        for priority in range(len(PRIORITIES)):
            here = select(c.id, c.queue, literal(priority).label("priority"), c.due_us).where(
                c.queue == queue, c.priority == priority, c.due_us > 0, c.due_us <= now_us()
            )
            first = here.order_by(c.due_us, c.id).limit(bindparam("most")).subquery()
            parts.append(select(first))
    found = union_all(*parts).subquery()
    return select(found.c.id, found.c.queue).order_by(found.c.priority, found.c.due_us, found.c.id)


@lru_cache(maxsize=256)
def _soonest(queues: tuple[str, ...]) -> Any:
    parts = [
        select(func.min(c.due_us).label("due")).where(c.queue == queue, c.priority == priority, c.due_us > 0)
        for queue in queues
        for priority in range(len(PRIORITIES))
    ]
    found = union_all(*parts).subquery()
    return select(func.min(found.c.due) - now_us())


def due(tx: UnitLike, want: Want) -> list[str]:
    """Ids that may be claimed, fairly over the queues; another worker may be quicker."""
    by_queue: dict[str, list[str]] = {queue: [] for queue in want.queues}
    for row in tx.execute(_due(tuple(sorted(want.queues))), {"most": want.free + len(want.held)}):
        if row.id not in want.held:
            by_queue[row.queue].append(row.id)
    # One more than is wanted: whether the next would run alone is to be known.
    return policy.shared(list(by_queue.values()), want.free + 1)


def next_due(tx: UnitLike, queues: Collection[str]) -> float | None:
    """Seconds until the first row is due or its lease ends, negative if it is; ``None`` without one."""
    left = tx.execute(_soonest(tuple(sorted(queues)))).scalar()
    return None if left is None else float(left) / 1e6


def claim(tx: UnitLike, ids: Sequence[str], want: Want, lease: float) -> list[Claim]:
    """Lease what is still due of ``ids``, in their order; poison on the way is buried."""
    rows = {row.id: row for row in tx.execute(_CLAIMABLE, {"ids": ids})} if ids else {}
    choice = policy.choose(
        [
            policy.Candidate(row.id, row.deliveries, row.retries, row.state == "running", bool(row.cancelling))
            for row in (rows[job_id] for job_id in ids if job_id in rows)
        ],
        free=want.free,
        busy=not want.idle,
    )
    if choice.bury:
        buried = _GONE | {"state": "dead", "reason": "poison", "fence": c.fence + 1}
        tx.execute(update(jobs).where(c.id.in_(_IDS)).values(buried), {"ids": choice.bury})
    if choice.drop:
        _end(tx, choice.drop, Outcome("cancelled"))
    if choice.take:
        values = {"ids": choice.take, "taker": want.worker, "lease_us": round(lease * 1e6)}
        tx.execute(_TAKE, values)
    return [_claim(rows[job_id], alone=choice.alone) for job_id in choice.take]


_TAKE = (
    update(jobs)
    .where(c.id.in_(_IDS))
    .values(
        state="running",
        worker=bindparam("taker", type_=c.worker.type),
        due_us=now_us() + bindparam("lease_us"),
        started_us=now_us(),
        fence=c.fence + 1,
        deliveries=c.deliveries + 1,
    )
)


def _claim(row: Any, *, alone: bool) -> Claim:
    fence, attempt = row.fence + 1, row.deliveries + 1
    # Of what was abandoned it is not known when it might have been taken over.
    waited = None if row.state == "running" else float(row.waited_us) / 1e6
    return Claim(row.id, row.queue, row.task, row.retries, row.payload, fence, attempt, row.headers, alone, waited)


def renew(tx: UnitLike, beats: Sequence[Beat], lease: float) -> Renewal:
    """Prolong the leases whose claims still hold."""
    held = {row.id: row for row in tx.execute(_HELD, {"ids": [beat.claim.id for beat in beats]})}
    mine = [beat for beat in beats if beat.claim.id in held and held[beat.claim.id].fence == beat.claim.fence]
    ids = [beat.claim.id for beat in mine]
    if ids:
        later = {"due_us": now_us() + round(lease * 1e6)}
        tx.execute(update(jobs).where(c.id.in_(_IDS)).values(later), {"ids": ids})
    for beat in mine:
        if beat.progress is not None:
            tx.execute(update(jobs).where(c.id == beat.claim.id).values(progress=beat.progress))
    lost = {beat.claim.id for beat in beats}.difference(ids)
    return Renewal(lost, frozenset(job_id for job_id in ids if held[job_id].cancelling))

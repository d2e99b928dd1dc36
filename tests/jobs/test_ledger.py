"""The ledger: fences, leases, hand-back, burying; two workers played step by step."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select, update

from postrmagic_core.jobs import task
from postrmagic_core.jobs.interface import Claim, Outcome
from postrmagic_core.jobs.ledger import Ledger
from postrmagic_core.jobs.sqltime import now_us
from postrmagic_core.jobs.tables import jobs as rows

Rig = Any
DONE = Outcome("done")


@task(name="job", retries=2)
def job(ctx: Any) -> None: ...


@pytest.fixture(params=["sqlite", pytest.param("mariadb", marks=pytest.mark.mysql)])
def rig(request: pytest.FixtureRequest, make_rig: Any) -> Rig:
    made = make_rig(request.getfixturevalue(f"{request.param}_place"))
    made.jobs.include(job)
    return made


def take(ledger: Ledger, owner: str, *, free: int = 1, held: tuple[str, ...] = (), busy: bool = False) -> list[Claim]:
    return ledger.claim("default", owner, free=free, busy=busy, held=held)


def let_lease_run_out(rig: Rig, *ids: str) -> None:
    with rig.db.write() as tx:
        tx.execute(update(rows).where(rows.c.id.in_(ids)).values(due_us=now_us() - 1))


def test_the_database_s_clock_is_right(rig: Rig) -> None:
    """In microseconds since the epoch, to within a second of this process on the same machine."""
    import time

    with rig.db.read() as tx:
        assert abs(tx.scalar(select(now_us())) / 1e6 - time.time()) < 1


def test_a_claimed_row_is_nobody_else_s(rig: Rig) -> None:
    """Until its lease runs out; then the next claim has another fence and counts another delivery."""
    ledger, made = rig.jobs.ledger, rig.jobs.enqueue(job.call())
    (first,) = take(ledger, "a")
    assert take(ledger, "b") == []
    let_lease_run_out(rig, made.id)
    (second,) = take(ledger, "b")
    assert (first.attempt, second.attempt) == (1, 2)
    assert second.fence > first.fence


def test_the_completion_of_a_stale_worker_is_refused(rig: Rig) -> None:
    """It was paused past its lease: whatever it reports, the row belongs to the other delivery."""
    ledger, made = rig.jobs.ledger, rig.jobs.enqueue(job.call())
    (stale,) = take(ledger, "a")
    let_lease_run_out(rig, made.id)
    (fresh,) = take(ledger, "b")
    assert ledger.settle(stale, Outcome("dead", reason="failed")) is False
    assert rig.state(made.id) == "running"
    assert ledger.settle(fresh, DONE) is True
    assert ledger.settle(stale, DONE) is False


def test_a_stale_worker_cannot_prolong_or_hand_back(rig: Rig) -> None:
    """Renewal names the owner, hand-back the fence."""
    ledger, made = rig.jobs.ledger, rig.jobs.enqueue(job.call())
    (stale,) = take(ledger, "a")
    let_lease_run_out(rig, made.id)
    take(ledger, "b")
    let_lease_run_out(rig, made.id)
    ledger.renew("a", [made.id])
    ledger.release([stale])
    assert rig.state(made.id) == "running"
    assert [claim.attempt for claim in take(ledger, "c")] == [3]


def test_a_renewed_lease_holds(rig: Rig) -> None:
    """Also when it had run out and nobody had noticed yet."""
    ledger, made = rig.jobs.ledger, rig.jobs.enqueue(job.call())
    take(ledger, "a")
    let_lease_run_out(rig, made.id)
    ledger.renew("a", [made.id])
    assert take(ledger, "b") == []


def test_what_is_handed_back_does_not_count_as_delivered(rig: Rig) -> None:
    """A graceful stop must not bring a job nearer to the dead letters."""
    ledger, made = rig.jobs.ledger, rig.jobs.enqueue(job.call())
    ledger.release(take(ledger, "a"))
    assert rig.state(made.id) == "waiting"
    assert [claim.attempt for claim in take(ledger, "b")] == [1]


def test_a_job_whose_workers_vanish_is_buried_after_its_last_delivery(rig: Rig) -> None:
    """retries=2: three deliveries, the last of them alone, then poison; the fence refuses a late survivor."""
    ledger, made = rig.jobs.ledger, rig.jobs.enqueue(job.call())
    claims = []
    for owner in "abc":
        claims += take(ledger, owner, free=4)
        let_lease_run_out(rig, made.id)
    assert [(claim.attempt, claim.alone) for claim in claims] == [(1, False), (2, False), (3, True)]
    assert take(ledger, "d") == []
    assert rig.state(made.id) == "dead: poison"
    assert ledger.settle(claims[-1], DONE) is False


def test_what_a_process_holds_it_does_not_claim_again(rig: Rig) -> None:
    """Its own lease ran out while the database was away: the job still runs here."""
    ledger, made = rig.jobs.ledger, rig.jobs.enqueue(job.call())
    take(ledger, "a")
    let_lease_run_out(rig, made.id)
    assert take(ledger, "a", held=(made.id,)) == []


def test_two_workers_share_what_is_due(rig: Rig) -> None:
    """Each row goes to one of them, the oldest first."""
    ledger = rig.jobs.ledger
    made = [rig.jobs.enqueue(job.call()).id for _ in range(5)]
    first, second = take(ledger, "a", free=3), take(ledger, "b", free=3)
    assert [claim.id for claim in first] + [claim.id for claim in second] == made


def test_the_next_due_row_is_foreseen(rig: Rig) -> None:
    """Also a lease that will run out; nothing without a row."""
    ledger = rig.jobs.ledger
    assert ledger.next_due("default") is None
    rig.jobs.enqueue(job.call(), delay=60)
    assert 50 < ledger.next_due("default") < 61
    rig.jobs.enqueue(job.call())
    assert ledger.next_due("default") <= 0
    take(ledger, "a")
    assert 5 < ledger.next_due("default") < 16

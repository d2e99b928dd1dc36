"""The broker contract on how deliveries end: what is recorded, by whom it may be, and for how long it is known."""

from __future__ import annotations

import pytest

from postrmagic_core._clock import to_us
from postrmagic_core.jobs.interface import DEAD, BrokerAdapter, Claim, Progress, Selection
from postrmagic_core.jobs.progress import written

from ..waiting import until
from .broker_rig import (
    BRIEF,
    End,
    Opener,
    Worker,
    change,
    counts_of,
    ended,
    new,
    now_us,
    record_of,
    state_of,
    status_of,
)

ENDS: list[End] = ["succeeded", "failed", "dead", "cancelled"]
HOWS: list[End] = [*ENDS, "retrying", "queued"]


class OutcomePromises:
    """Mixed into :class:`~postrmagic_core.testing.contracts.broker.BrokerContract`."""

    @pytest.mark.parametrize("end", ENDS)
    def test_an_end_is_recorded(self, broker: BrokerAdapter, other: BrokerAdapter, worker: Worker, end: End) -> None:
        """With everything that was told about it; nobody runs the job again."""
        job = new()
        broker.put([job])
        claim = worker.claim_one()
        told = {"reason": "given_up", "error": "backend.timeout", "fingerprint": "0123456789abcdef"}
        assert worker.settle(claim, end, result=b"\x00r", progress=written(Progress(0.5)), **told)
        record = record_of(other, job.id)
        assert record is not None
        status = record.status
        assert (status.state, status.attempts, record.result, status.progress) == (end, 1, b"\x00r", Progress(0.5))
        assert {"reason": status.reason, "error": status.error, "fingerprint": status.fingerprint} == told
        assert status.started_at is not None
        assert status.ended_at is not None
        assert status.created_at <= status.started_at <= status.ended_at
        assert worker.turn().next_due is None
        assert worker.claim() == []

    @pytest.mark.parametrize("result", [None, b"", b"\x00"])
    def test_no_result_is_not_an_empty_one(self, broker: BrokerAdapter, worker: Worker, result: bytes | None) -> None:
        """A task that returned nothing is told from one that returned no bytes."""
        job = new()
        broker.put([job])
        worker.settle(worker.claim_one(), result=result)
        record = record_of(broker, job.id)
        assert record is not None
        assert record.result == result

    def test_a_failed_try_is_tried_again_after_its_delay(self, broker: BrokerAdapter, worker: Worker) -> None:
        """By the broker's clock, not early, and with the error known meanwhile."""
        job = new()
        broker.put([job])
        claim, before = worker.claim_one(), now_us(broker)
        assert worker.settle(claim, "retrying", delay=0.3, error="backend.timeout", fingerprint="f" * 16)
        status = status_of(broker, job.id)
        assert (status.state, status.error, status.fingerprint) == ("retrying", "backend.timeout", "f" * 16)
        assert (status.ended_at, status.attempts) == (None, 1)
        assert status.due_at is not None
        assert to_us(status.due_at) >= before + 300_000
        again = worker.await_one()
        started = status_of(broker, job.id).started_at
        assert (again.id, again.attempt, again.alone) == (job.id, 2, False)
        assert started is not None
        assert started >= status.due_at

    def test_a_success_after_failures_shows_no_error(self, broker: BrokerAdapter, worker: Worker) -> None:
        """What was recorded for a try that failed is not the job's end."""
        job = new()
        broker.put([job])
        worker.settle(worker.claim_one(), "retrying", error="backend.timeout", fingerprint="f" * 16)
        worker.settle(worker.claim_one(), "succeeded")
        status = status_of(broker, job.id)
        assert (status.state, status.attempts, status.error, status.fingerprint) == ("succeeded", 2, None, None)

    def test_failing_is_no_poison(self, broker: BrokerAdapter, worker: Worker) -> None:
        """Whoever says that a try failed lives: how often to try is the worker's to say, and it runs with others."""
        job, beside = new(retries=1), new()
        broker.put([job])
        for attempt in range(1, 6):
            claim = worker.claim_one()
            assert (claim.attempt, claim.alone) == (attempt, False)
            worker.settle(claim, "retrying")
        broker.put([beside])
        assert {(claim.id, claim.alone) for claim in worker.claim()} == {(job.id, False), (beside.id, False)}

    def test_what_is_handed_back_does_not_count(self, broker: BrokerAdapter, worker: Worker, rival: Worker) -> None:
        """It waits as if it had never been delivered, at once, for anybody."""
        job = new()
        broker.put([job])
        assert worker.settle(worker.claim_one(), "queued")
        status = status_of(broker, job.id)
        assert (status.state, status.attempts, status.ended_at) == ("queued", 0, None)
        assert counts_of(broker, "q").queued == 1
        claim = rival.claim_one()
        assert (claim.id, claim.attempt) == (job.id, 1)

    def test_handing_back_wears_nothing_out(self, broker: BrokerAdapter, worker: Worker) -> None:
        """A job that every worker hands back at its stop is not poison, and does not run alone."""
        broker.put([new(retries=1)])
        for _ in range(4):
            claim = worker.claim_one()
            assert (claim.attempt, claim.alone) == (1, False)
            worker.settle(claim, "queued")

    def test_a_stale_settlement_is_refused(self, broker: BrokerAdapter, open_broker: Opener, rival: Worker) -> None:
        """Another worker has the job: nothing of what the former one says is recorded, that one's words are."""
        stale = Worker(open_broker(lease=BRIEF), "late")
        broker.put([new() for _ in HOWS])
        former = stale.claim()
        claims = {claim.id: claim for _ in HOWS for claim in rival.await_claims(1)}
        assert len(claims) == len(former) == len(HOWS)
        words = {"result": b"stale", "error": "e", "progress": written(Progress(1))}
        for end, claim in zip(HOWS, former, strict=True):
            before = record_of(broker, claim.id)
            assert stale.settle(claim, end, **words) is False
            assert record_of(broker, claim.id) == before
            assert rival.settle(claims[claim.id], result=b"true")
            after = record_of(broker, claim.id)
            assert after is not None
            assert (after.status.state, after.result) == ("succeeded", b"true")
            assert stale.settle(claim, end, **words) is False
            assert record_of(broker, claim.id) == after

    def test_a_delivery_ends_once(self, broker: BrokerAdapter, worker: Worker) -> None:
        """Told again, or told otherwise, also in one turn: the first word counts."""
        broker.put([new() for _ in HOWS])
        claims = worker.claim()
        first = [ended(claim, how, delay=60.0) for claim, how in zip(claims, HOWS, strict=True)]
        second = [ended(claim, "succeeded", result=b"second") for claim in claims]
        assert list(broker.turn([*first, *second], None).owned) == [True] * len(HOWS) + [False] * len(HOWS)
        for claim, how in zip(claims, HOWS, strict=True):
            before = record_of(broker, claim.id)
            assert before is not None
            assert (before.status.state, before.result) == (how, None)
            assert worker.settle(claim, "dead") is False
            assert record_of(broker, claim.id) == before

    def test_who_is_late_and_alone_still_owns_it(self, broker: BrokerAdapter, open_broker: Opener) -> None:
        """A lease that ran out while nobody else came for the job takes nothing away."""
        worker, job = Worker(open_broker(lease=0.01)), new()
        broker.put([job])
        claim = worker.claim_one()
        overdue = now_us(broker) + 50_000
        until(lambda: now_us(broker) > overdue, "time stood still")
        assert worker.settle(claim)
        assert state_of(broker, job.id) == "succeeded"

    @pytest.mark.parametrize("again", ["retrying", "queued"])
    def test_who_was_asked_to_end_does_not_come_again(
        self, broker: BrokerAdapter, other: BrokerAdapter, worker: Worker, again: End
    ) -> None:
        """A try that failed, or a stop of its worker, is its end."""
        broker.put([new()])
        claim = worker.claim_one()
        change(other, "cancel", claim.id)
        assert worker.settle(claim, again)
        assert state_of(broker, claim.id) == "cancelled"
        assert worker.turn().next_due is None

    def test_an_unknown_job_cannot_be_settled(self, broker: BrokerAdapter, worker: Worker) -> None:
        """Nor does settling make it known; the other settlements of the turn are recorded."""
        broker.put([new()])
        claim, never = worker.claim_one(), Claim(new().id, "q", "t", 1, b"", fence=1, attempt=1)
        assert list(broker.turn([ended(never), ended(claim), ended(never, "queued")], None).owned) == [
            False,
            True,
            False,
        ]
        assert record_of(broker, never.id) is None
        assert change(broker, "forget", claim.id) == {claim.id}
        assert worker.settle(claim, "queued") is False
        assert record_of(broker, claim.id) is None

    @pytest.mark.parametrize("end", ["succeeded", "cancelled"])
    def test_what_went_well_is_forgotten_in_time(
        self, broker: BrokerAdapter, other: BrokerAdapter, worker: Worker, end: End
    ) -> None:
        """After the seconds it was to be kept for, and not before; dead letters and what waits stay."""
        brief, kept, failed, dead, waits = [new(keep=keep) for keep in (0.1, 60.0, 0.1, 0.1, 0.1)]
        broker.put([brief, kept, failed, dead])
        ends: list[End] = [end, end, "failed", "dead"]
        worker.turn([ended(claim, how) for claim, how in zip(worker.claim(), ends, strict=True)], free=0)
        broker.put([waits])
        self.is_forgotten(other, brief.id)
        assert state_of(broker, kept.id) == end
        assert (state_of(broker, failed.id), state_of(broker, dead.id)) == ("failed", "dead")
        assert {record.status.id for record in broker.records(Selection(states=DEAD))} == {failed.id, dead.id}
        assert worker.claim_one().id == waits.id

    def test_a_job_cancelled_while_it_waited_is_forgotten_in_time(
        self, broker: BrokerAdapter, other: BrokerAdapter
    ) -> None:
        """As one that was cancelled while it ran."""
        brief, kept = new(keep=0.1), new(keep=60.0)
        broker.put([brief, kept])
        change(broker, "cancel", brief.id, kept.id)
        self.is_forgotten(other, brief.id)
        assert state_of(broker, kept.id) == "cancelled"

    def is_forgotten(self, broker: BrokerAdapter, job_id: str) -> None:
        """Whether the job is unknown in time, to a process whose worker has nothing to do but look."""
        idle = Worker(broker, "idle")

        def gone() -> bool:
            idle.look()
            return record_of(broker, job_id) is None

        until(gone, "it was not forgotten")

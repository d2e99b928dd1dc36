"""The broker contract on ``alter``: who may be cancelled, replayed and forgotten, and what that does to him."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import pytest

from postrmagic_core.jobs.interface import BrokerAdapter, Change, Progress, Selection, State
from postrmagic_core.jobs.progress import written

from ..waiting import until
from .broker_rig import BRIEF, Opener, Worker, change, counts_of, new, now_us, record_of, state_of, status_of

Start = Literal["queued", "later", "retrying", "running", "succeeded", "failed", "dead", "cancelled"]

# For each change the states in which a job is changed, and the one that it is in afterwards.
CHANGES: dict[Change, dict[Start, State | None]] = {
    "cancel": {"queued": "cancelled", "later": "cancelled", "retrying": "cancelled", "running": "running"},
    "replay": {"failed": "queued", "dead": "queued", "cancelled": "queued"},
    "forget": {"succeeded": None, "failed": None, "dead": None, "cancelled": None},
}
# "queued" is the last: what waits would be claimed for the next.
STARTS: tuple[Start, ...] = ("later", "retrying", "running", "succeeded", "failed", "dead", "cancelled", "queued")


def made(worker: Worker, start: Start) -> str:
    """The id of a new job in that state."""
    job = new(due_us=now_us(worker.broker) + 60_000_000 if start == "later" else 0)
    worker.broker.put([job])
    if start != "queued" and start != "later":  # noqa: PLR1714 - a type checker follows this alone
        (claim,) = worker.claim()
        if start != "running":
            worker.settle(
                claim, start, delay=60.0, result=b"r", error="e", reason="failed", progress=written(Progress(1))
            )
    return job.id


class AlterPromises:
    """Mixed into :class:`~postrmagic_core.testing.contracts.broker.BrokerContract`."""

    @pytest.mark.parametrize("what", CHANGES)
    def test_what_can_be_changed_is_and_what_cannot_is_not(
        self, broker: BrokerAdapter, other: BrokerAdapter, worker: Worker, what: Change
    ) -> None:
        """The caller is told which; another process sees it at once."""
        jobs = {made(worker, start): start for start in STARTS}
        before = {job_id: record_of(other, job_id) for job_id in jobs}
        expected = {job_id: CHANGES[what][start] for job_id, start in jobs.items() if start in CHANGES[what]}
        assert change(broker, what, *jobs) == set(expected)
        for job_id in jobs:
            if job_id in expected:
                assert state_of(other, job_id) == expected[job_id]
            else:
                assert record_of(other, job_id) == before[job_id]

    def test_a_selection_is_changed_at_once(self, broker: BrokerAdapter, worker: Worker) -> None:
        """By what it says, as far as each can be; no more than its limit; unknown ids are no error."""
        jobs = [new(queue, task=task) for queue in ("q", "r") for task in ("t", "u") for _ in range(3)]
        broker.put(jobs)
        worker.claim(2)
        assert set(broker.alter("cancel", Selection(states=["queued", "running"], queue="q", task="t"))) == {
            job.id for job in jobs[:3]
        }
        assert [state_of(broker, job.id) for job in jobs[:3]] == ["running", "running", "cancelled"]
        limited = broker.alter("cancel", Selection(states=["queued"], task="u", limit=4))
        assert len(set(limited)) == 4
        assert sum(state_of(broker, job.id) == "cancelled" for job in jobs) == 5
        assert change(broker, "forget", new().id) == set()

    def test_letters_are_changed_in_bulk_by_when_they_ended(self, broker: BrokerAdapter, worker: Worker) -> None:
        """Those before an instant are forgotten, the later ones are not."""
        early = made(worker, "dead")
        begun = now_us(broker)
        instant = until(lambda: (now := now_us(broker)) > begun and now, "time stood still")
        late = made(worker, "failed")
        assert list(broker.alter("forget", Selection(states=["failed", "dead"], before_us=instant))) == [early]
        assert list(broker.alter("replay", Selection(states=["failed", "dead"]))) == [late]

    @pytest.mark.parametrize("start", ["queued", "later", "retrying"])
    def test_a_cancelled_job_never_runs(
        self, broker: BrokerAdapter, worker: Worker, rival: Worker, start: Start
    ) -> None:
        """It has ended, nobody waits for it, and it is not counted."""
        job_id = made(worker, start)
        change(broker, "cancel", job_id)
        status = status_of(broker, job_id)
        assert (status.state, status.cancelling) == ("cancelled", False)
        assert status.ended_at is not None
        turn = rival.turn()
        assert (list(turn.claims), turn.next_due) == ([], None)
        figures = counts_of(broker, "q")
        assert (figures.queued, figures.later, figures.running, figures.dead) == (0, 0, 0, 0)

    def test_a_running_job_is_asked_to_end(self, broker: BrokerAdapter, other: BrokerAdapter, worker: Worker) -> None:
        """It still runs, everybody sees that it was asked, and it may also have been done before it heard of it."""
        broker.put([new(), new()])
        first, second = worker.claim()
        assert change(other, "cancel", first.id, second.id) == {first.id, second.id}
        for claim in (first, second):
            status = status_of(broker, claim.id)
            assert (status.state, status.cancelling, status.ended_at) == ("running", True, None)
        assert worker.settle(first, "cancelled")
        assert worker.settle(second, "succeeded")
        assert (state_of(other, first.id), state_of(other, second.id)) == ("cancelled", "succeeded")

    def test_a_running_job_whose_worker_is_gone_ends(
        self, broker: BrokerAdapter, open_broker: Opener, rival: Worker
    ) -> None:
        """Nobody is left to be asked, and nobody wants it: it does not run again."""
        broker.put([new()])
        claim = Worker(open_broker(lease=BRIEF), "lost").claim_one()
        change(broker, "cancel", claim.id)

        def ended() -> bool:
            assert not rival.claim()
            return state_of(broker, claim.id) == "cancelled"

        until(ended, "it neither ran again nor ended")

    @pytest.mark.parametrize("start", CHANGES["replay"])
    def test_a_replayed_job_has_all_its_tries(
        self, broker: BrokerAdapter, worker: Worker, rival: Worker, start: Start
    ) -> None:
        """It waits at once, as if it had never run; what its former deliveries say is still refused."""
        job = new(retries=2, payload=b"p", headers=b"h", priority="high")
        broker.put([job])
        worker.settle(worker.claim_one(), "retrying")
        former = worker.claim_one()
        worker.settle(former, start, reason="failed", error="e", fingerprint="f" * 16)  # type: ignore[arg-type]  # these starts are ends
        change(broker, "replay", job.id)
        status = status_of(broker, job.id)
        assert (status.state, status.attempts, status.retries, status.ended_at) == ("queued", 0, 2, None)
        assert (status.reason, status.error, status.priority) == (None, None, "high")
        assert counts_of(broker, "q").queued == 1
        claim = rival.claim_one()
        assert (claim.id, claim.payload, claim.headers, claim.attempt) == (job.id, b"p", b"h", 1)
        assert claim.fence > former.fence
        assert worker.settle(former) is False
        assert rival.settle(claim)
        assert status_of(broker, job.id).attempts == 1

    def test_a_replayed_job_is_not_asked_to_end_again(self, broker: BrokerAdapter, worker: Worker) -> None:
        """That it was cancelled while it ran is over with its replay."""
        broker.put([new()])
        claim = worker.claim_one()
        change(broker, "cancel", claim.id)
        worker.settle(claim, "cancelled")
        change(broker, "replay", claim.id)
        worker.claim_one()
        assert status_of(broker, claim.id).cancelling is False

    def test_a_replayed_job_is_not_forgotten_while_it_waits(self, broker: BrokerAdapter, worker: Worker) -> None:
        """That its former end was to be forgotten soon is no matter."""

        def replayed() -> str | None:
            job_id = self.cancelled(broker)
            return job_id if change(broker, "replay", job_id) else None

        job_id = until(replayed, "it was forgotten before it could be replayed")
        later = self.cancelled(broker)
        until(self.forgotten(worker, later), "it was not forgotten")
        assert state_of(broker, job_id) == "queued"

    def cancelled(self, broker: BrokerAdapter) -> str:
        """The id of a new job that will soon be forgotten."""
        job = new(keep=0.3)
        broker.put([job])
        change(broker, "cancel", job.id)
        return job.id

    def forgotten(self, worker: Worker, job_id: str) -> Callable[[], bool]:
        """Whether the job is, to an idle worker that looks now and then."""

        def look() -> bool:
            worker.look()
            return record_of(worker.broker, job_id) is None

        return look

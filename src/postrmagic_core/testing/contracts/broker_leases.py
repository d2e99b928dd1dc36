"""The broker contract on leases: who is silent loses his job, who is heard keeps it, and learns what he must know."""

from __future__ import annotations

import time

from postrmagic_core.jobs.interface import Beat, BrokerAdapter, Claim, Progress
from postrmagic_core.jobs.progress import written

from ..waiting import until
from .broker_rig import BRIEF, Opener, Worker, change, new, now_us, record_of, state_of, status_of


class LeasePromises:
    """Mixed into :class:`~postrmagic_core.testing.contracts.broker.BrokerContract`."""

    def test_a_silent_workers_job_is_delivered_to_another(
        self, broker: BrokerAdapter, open_broker: Opener, rival: Worker
    ) -> None:
        """Once its lease has run out and not before; counted, under a higher fence, in the other's name."""
        job = new()
        broker.put([job])
        began = time.monotonic()
        lost = Worker(open_broker(lease=BRIEF), "lost").claim_one()
        claim = rival.await_one()
        assert time.monotonic() - began >= BRIEF
        assert (claim.id, claim.payload, claim.attempt) == (job.id, job.payload, 2)
        assert claim.fence > lost.fence
        status = status_of(broker, job.id)
        assert (status.state, status.attempts, status.worker) == ("running", 2, rival.name)

    def test_a_worker_that_lost_everything_gets_its_own_jobs_back(
        self, broker: BrokerAdapter, open_broker: Opener
    ) -> None:
        """Claims whose reply never came are redelivered to the same worker too: it does not hold them."""
        worker = Worker(open_broker(lease=BRIEF))
        broker.put([new(), new()])
        lost = {claim.id: claim for claim in worker.claim()}
        for _ in range(2):
            (claim,) = worker.await_claims(1)
            assert claim.fence > lost.pop(claim.id).fence

    def test_leases_of_one_worker_end_each_for_itself(
        self, broker: BrokerAdapter, open_broker: Opener, rival: Worker
    ) -> None:
        """What is renewed is kept, what is not is another's."""
        worker = Worker(open_broker(lease=BRIEF))
        broker.put([new(), new()])
        kept, lost = worker.claim()

        def taken() -> list[Claim]:
            renewal = worker.broker.renew([Beat(kept)])
            assert not renewal.lost
            return rival.claim()

        assert [claim.id for claim in until(taken, "the lease did not run out")] == [lost.id]
        assert worker.settle(kept)

    def test_a_renewed_lease_lasts(self, broker: BrokerAdapter, open_broker: Opener, rival: Worker) -> None:
        """Over several of its lengths, as long as the worker is heard of; then it ends."""
        for lease in (0.3, 3.0):
            worker = Worker(open_broker(lease=lease))
            broker.put([new()])
            claim, stolen = worker.claim_one(), list[Claim]()
            end = (heard := time.monotonic()) + 2.4 * lease
            while not stolen and heard < end:
                heard = time.monotonic()
                worker.broker.renew([Beat(claim)])
                stolen = rival.claim()
                time.sleep(0.02)
            if not stolen:
                break
            assert time.monotonic() - heard >= lease  # the machine lost that time: once more, with more of it
        assert rival.await_one().attempt == 2

    def test_renewing_tells_what_is_lost(self, broker: BrokerAdapter, open_broker: Opener, rival: Worker) -> None:
        """Taken over, ended, forgotten or never known; and it changes nothing about that."""
        late = Worker(open_broker(lease=BRIEF), "late")
        broker.put([new() for _ in range(4)])
        taken, done, forgotten, kept = late.claim()
        late.settle(done)
        late.settle(forgotten)
        assert change(broker, "forget", forgotten.id) == {forgotten.id}
        never = Claim(new().id, "q", "t", 1, b"", fence=1, attempt=1)
        until(lambda: not late.broker.renew([Beat(kept)]).lost and rival.claim(), "the lease did not run out")
        before = [record_of(broker, claim.id) for claim in (taken, done)]
        stale = Progress(1.0, note="stale")
        beats = [Beat(claim, written(stale)) for claim in (taken, kept, done, forgotten, never)]
        renewal = late.broker.renew(beats)
        assert set(renewal.lost) == {taken.id, done.id, forgotten.id, never.id}
        assert not renewal.cancelled
        assert [record_of(broker, claim.id) for claim in (taken, done)] == before
        assert record_of(broker, never.id) is None
        assert status_of(broker, kept.id).progress == stale

    def test_progress_is_told_to_everybody(self, broker: BrokerAdapter, other: BrokerAdapter, worker: Worker) -> None:
        """The last that was told; a beat without any leaves it."""
        broker.put([new()])
        claim = worker.claim_one()
        assert status_of(other, claim.id).progress is None
        for told in (Progress(3, 10, "pages"), Progress(0.5, None, "ä€😀\x00"), Progress(0.75, 1.0)):
            assert not broker.renew([Beat(claim, written(told))]).lost
            broker.renew([Beat(claim)])
            assert status_of(other, claim.id).progress == told
        worker.settle(claim)
        assert status_of(other, claim.id).progress == Progress(0.75, 1.0)

    def test_renewing_tells_who_was_cancelled(
        self, broker: BrokerAdapter, other: BrokerAdapter, worker: Worker
    ) -> None:
        """To its worker, at each beat until it ends; the lease is prolonged nevertheless."""
        broker.put([new(), new()])
        first, second = worker.claim()
        assert change(other, "cancel", second.id) == {second.id}
        for _ in range(2):
            renewal = broker.renew([Beat(first), Beat(second)])
            assert (set(renewal.lost), set(renewal.cancelled)) == (set(), {second.id})
        assert worker.settle(second, "cancelled")
        assert state_of(other, second.id) == "cancelled"

    def test_nothing_renewed_is_nothing_told(self, broker: BrokerAdapter) -> None:
        """An empty request is answered without an error."""
        renewal = broker.renew([])
        assert (set(renewal.lost), set(renewal.cancelled)) == (set(), set())

    def test_many_leases_are_renewed_in_one_call(self, broker: BrokerAdapter, worker: Worker) -> None:
        """As many as a worker may have threads, and more."""
        broker.put([new() for _ in range(500)])
        claims = worker.claim(500)
        assert len(claims) == 500
        assert not broker.renew([Beat(claim, written(Progress(number))) for number, claim in enumerate(claims)]).lost
        assert [status_of(broker, claims[number].id).progress for number in (0, 499)] == [Progress(0), Progress(499)]

    def test_time_is_the_brokers(self, broker: BrokerAdapter, other: BrokerAdapter) -> None:
        """Two processes are told one time, which does not go back."""
        first, second, third = now_us(broker), now_us(other), now_us(broker)
        assert first <= second <= third

"""The broker contract on jobs that kill their worker: bounded, told from those that only were beside one."""

from __future__ import annotations

from postrmagic_core.jobs.interface import LIVE, BrokerAdapter, Claim, Counts, Selection

from ..waiting import until
from .broker_rig import BRIEF, Opener, Worker, counts_of, new, now_us, state_of, status_of


class PoisonPromises:
    """Mixed into :class:`~postrmagic_core.testing.contracts.broker.BrokerContract`."""

    def test_a_killer_is_delivered_as_often_as_it_may_be(self, broker: BrokerAdapter, open_broker: Opener) -> None:
        """``retries + 1`` deliveries, each abandoned; then it is a dead letter, and nobody waits for it."""
        lost = Worker(open_broker(lease=BRIEF), "lost")
        jobs = [new(f"q{retries}", retries=retries) for retries in range(3)]
        broker.put(jobs)
        claims: dict[str, list[Claim]] = {job.queue: [] for job in jobs}

        def dead() -> bool:
            for queue, seen in claims.items():
                seen.extend(lost.claim(queues=[queue]))
            return all(state_of(broker, job.id) == "dead" for job in jobs)

        until(dead, "they were not buried")
        for job in jobs:
            seen, status = claims[job.queue], status_of(broker, job.id)
            assert [claim.attempt for claim in seen] == list(range(1, job.retries + 2))
            assert [claim.alone for claim in seen] == [False] * max(1, job.retries) + [True] * (job.retries > 0)
            assert (status.reason, status.attempts) == ("poison", job.retries + 1)
            assert status.ended_at is not None
            assert counts_of(broker, job.queue) == Counts(dead=1)
            assert lost.settle(seen[-1]) is False
            assert state_of(broker, job.id) == "dead"
        assert lost.turn(queues=list(claims)).next_due is None

    def test_an_innocent_that_shared_a_process_survives(
        self, broker: BrokerAdapter, open_broker: Opener, rival: Worker
    ) -> None:
        """Both were lost with their worker; each then has a process to itself, and only the killer kills it."""
        lost = Worker(open_broker(lease=BRIEF), "lost")
        killer, innocent, waits = new(retries=1), new(retries=1), new()
        broker.put([killer, innocent])
        assert len(lost.claim()) == 2
        seen: list[tuple[str, int, bool]] = []

        def over() -> bool:
            claims = lost.claim()
            assert len(claims) <= 1
            for claim in claims:
                seen.append((claim.id, claim.attempt, claim.alone))
                if claim.id == innocent.id:
                    assert lost.settle(claim)
            return not broker.records(Selection(states=LIVE))

        until(over, "they did not end")
        assert sorted(seen) == sorted([(killer.id, 2, True), (innocent.id, 2, True)])
        assert (state_of(broker, killer.id), state_of(broker, innocent.id)) == ("dead", "succeeded")
        broker.put([waits])
        assert rival.claim_one().id == waits.id

    def test_a_last_delivery_has_its_process_to_itself(
        self, broker: BrokerAdapter, open_broker: Opener, rival: Worker
    ) -> None:
        """Nowhere but where nothing runs, and nothing with it, however many threads are free."""
        lost = Worker(open_broker(lease=BRIEF), "lost")
        job, beside = new(retries=1), new("r")
        broker.put([job])
        lost.claim_one()
        overdue = now_us(broker) + round(BRIEF * 1e6)
        until(lambda: now_us(broker) > overdue, "time stood still")
        assert rival.claim(idle=False) == []
        broker.put([beside])
        turns = [rival.claim(queues=["q", "r"]) for _ in range(2)]
        assert [(claim.id, claim.alone) for claims in turns for claim in claims if claim.id == job.id] == [
            (job.id, True)
        ]
        assert [len(claims) for claims in turns] == [1, 1]

    def test_a_settled_last_delivery_ends_like_any_other(
        self, broker: BrokerAdapter, open_broker: Opener, rival: Worker
    ) -> None:
        """Handed back it may run again, still its last; done it is done."""
        job = new(retries=1)
        broker.put([job])
        Worker(open_broker(lease=BRIEF), "lost").claim_one()
        claim = rival.await_one()
        assert (claim.attempt, claim.alone) == (2, True)
        assert rival.settle(claim, "queued")
        again = rival.claim_one()
        assert again.attempt == 2
        assert rival.settle(again)
        assert state_of(broker, job.id) == "succeeded"

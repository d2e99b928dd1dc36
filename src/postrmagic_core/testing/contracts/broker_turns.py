"""The broker contract on ``turn`` as far as it claims: in order, in fair shares, within bounds, each told apart."""

from __future__ import annotations

from collections import Counter
from time import sleep

import pytest

from postrmagic_core.jobs.interface import PRIORITIES, BrokerAdapter, Claim, Priority, Want

from ..waiting import until
from .broker_rig import BRIEF, Opener, Worker, early, ended, new, now_us, state_of, status_of


def ids(claims: list[Claim]) -> list[str]:
    """Which jobs were claimed, in order."""
    return [claim.id for claim in claims]


class TurnPromises:
    """Mixed into :class:`~postrmagic_core.testing.contracts.broker.BrokerContract`."""

    def test_a_queue_is_in_order(self, broker: BrokerAdapter, worker: Worker) -> None:
        """Strictly by priority; within one by due time; at one time by id; however they were put."""
        past = now_us(broker) - 1_000_000
        bands: list[Priority] = ["low", "high", "normal"]
        jobs = [new(priority=band, due_us=past + late) for late in (3, 500_000, 1, 1, 2) for band in bands]
        broker.put(jobs[::2][::-1])
        broker.put(jobs[1::2])
        expected = sorted(jobs, key=lambda job: (PRIORITIES.index(job.priority), job.due_us, job.id))
        assert ids(worker.claim()) == [job.id for job in expected]

    def test_the_first_put_is_the_first_claimed(
        self, broker: BrokerAdapter, other: BrokerAdapter, rival: Worker
    ) -> None:
        """From whichever process, and over any number of turns."""
        jobs = [new() for _ in range(12)]
        for number, job in enumerate(jobs):
            (other if number % 3 else broker).put([job])
        claimed = [job_id for _ in range(4) for job_id in ids(rival.claim(3))]
        assert claimed == [job.id for job in jobs]

    def test_what_is_urgent_goes_past_what_waits(self, broker: BrokerAdapter, worker: Worker) -> None:
        """A priority orders what is still in the queue, put before or after."""
        early, late = [new() for _ in range(5)], new(priority="high")
        broker.put(early)
        assert ids(worker.claim(1)) == [early[0].id]
        broker.put([late])
        assert ids(worker.claim(1)) == [late.id]

    @pytest.mark.parametrize("free", [1, 4])
    def test_every_queue_has_its_share(self, broker: BrokerAdapter, worker: Worker, free: int) -> None:
        """No queue waits for another one's end, where a worker names another one first in each turn."""
        broker.put([new(queue) for queue in ("a", "b") for _ in range(20)])
        wants = [["a", "b"], ["b", "a"]] * (10 // free)
        shares = Counter(claim.queue for queues in wants for claim in worker.claim(free, queues=queues))
        assert shares.total() == len(wants) * free
        assert abs(shares["a"] - shares["b"]) <= shares.total() // 3

    def test_one_turn_serves_every_queue(self, broker: BrokerAdapter, worker: Worker) -> None:
        """As far as there are threads: a full queue that is named first leaves room for the others."""
        broker.put([new(queue) for queue in ("a", "b", "c") for _ in range(9)])
        shares = Counter(claim.queue for claim in worker.claim(7, queues=["a", "b", "c"]))
        assert sorted(shares.values()) == [2, 2, 3]

    def test_a_share_that_is_not_used_is_the_others(self, broker: BrokerAdapter, worker: Worker) -> None:
        """A worker is filled as long as any of its queues has work."""
        broker.put([new("a"), *(new("b") for _ in range(9))])
        claims = worker.claim(6, queues=["empty", "a", "b", "none"])
        assert Counter(claim.queue for claim in claims) == {"a": 1, "b": 5}

    def test_only_the_queues_asked_for(self, broker: BrokerAdapter, worker: Worker) -> None:
        """Names are compared exactly."""
        broker.put([new(queue) for queue in ("q.", "Q", "q", "qq", "_q")])
        assert [claim.queue for claim in worker.claim()] == ["q"]
        assert worker.claim(queues=[]) == []
        assert sorted(claim.queue for claim in worker.claim(queues=["Q", "qq"])) == ["Q", "qq"]

    @pytest.mark.parametrize("free", [0, 1, 5])
    def test_no_more_than_is_free(self, broker: BrokerAdapter, worker: Worker, free: int) -> None:
        """What is not taken still waits for others."""
        jobs = [new() for _ in range(8)]
        broker.put(jobs)
        assert len(worker.claim(free)) == free
        states = [state_of(broker, job.id) for job in jobs]
        assert states == ["running"] * free + ["queued"] * (8 - free)

    def test_a_claim_is_recorded(self, broker: BrokerAdapter, other: BrokerAdapter, worker: Worker) -> None:
        """Who has it and since when, counted as a delivery."""
        job = new()
        broker.put([job])
        worker.claim()
        status = status_of(other, job.id)
        assert (status.state, status.attempts, status.worker) == ("running", 1, worker.name)
        assert status.started_at is not None
        assert status.created_at <= status.started_at
        assert status.ended_at is None

    def test_each_delivery_counts_and_has_a_higher_fence(self, broker: BrokerAdapter, worker: Worker) -> None:
        """After a failure, and after a hand-over that does not count."""
        broker.put([new()])
        first = worker.claim_one()
        assert first.attempt == 1
        worker.settle(first, "retrying")
        second = worker.claim_one()
        assert (second.attempt, second.fence > first.fence) == (2, True)
        worker.settle(second, "queued")
        third = worker.claim_one()
        assert (third.attempt, third.fence > second.fence) == (2, True)

    def test_a_claimed_job_is_nobody_elses(self, broker: BrokerAdapter, worker: Worker, rival: Worker) -> None:
        """As long as its lease lasts."""
        broker.put([new() for _ in range(4)])
        first, second = worker.claim(2), rival.claim(4)
        assert len({*ids(first), *ids(second)}) == 4
        assert (worker.claim(), rival.claim()) == ([], [])

    def test_a_turn_settles_and_claims(self, broker: BrokerAdapter, worker: Worker) -> None:
        """Both at once; each settlement has its answer, in order."""
        jobs = [new() for _ in range(5)]
        broker.put(jobs)
        one, two = worker.claim(2)
        worker.settle(two)
        turn = worker.turn([ended(one), ended(two, "dead")], free=2)
        assert list(turn.owned) == [True, False]
        assert ids(list(turn.claims)) == [jobs[2].id, jobs[3].id]
        assert [state_of(broker, job.id) for job in jobs] == [*["succeeded"] * 2, *["running"] * 2, "queued"]

    def test_a_turn_that_only_settles_claims_nothing(self, broker: BrokerAdapter, worker: Worker) -> None:
        """Without a wish, and with one that has no thread free."""
        broker.put([new() for _ in range(3)])
        one, two = worker.claim(2)
        assert broker.turn([ended(one)], None).claims in ((), [])
        assert not worker.turn([ended(two)], free=0).claims
        assert len(worker.claim()) == 1

    def test_nothing_to_do_is_nothing_done(self, broker: BrokerAdapter, worker: Worker) -> None:
        """An empty turn of either kind."""
        assert not broker.turn([], None).owned
        turn = worker.turn()
        assert (list(turn.owned), list(turn.claims)) == ([], [])

    def test_what_is_held_is_never_claimed_again(
        self, broker: BrokerAdapter, open_broker: Opener, rival: Worker
    ) -> None:
        """Not even when its lease has run out unnoticed: it runs here; for others it is free."""
        worker = Worker(open_broker(lease=BRIEF))
        jobs = [new() for _ in range(3)]
        broker.put(jobs)
        held = ids(worker.claim(2))
        assert ids(worker.claim(held=held)) == [jobs[2].id]
        every = [job.id for job in jobs]
        until(lambda: rival.claim(1), "no lease ran out")  # those of one turn end together
        assert worker.claim(held=every) == []
        assert ids(rival.await_claims(1))[0] in every

    def test_nothing_waits_without_end(self, worker: Worker) -> None:
        """Where nothing waits, there is nothing to wait for."""
        assert worker.turn().next_due is None

    def test_the_next_due_time_is_told(self, broker: BrokerAdapter, worker: Worker, rival: Worker) -> None:
        """The first of what is delayed, retried or leased in the queues asked for; others do not count."""
        now = now_us(broker)
        broker.put([new("else"), new("q", due_us=now + 20_000_000), new("q", due_us=now + 40_000_000)])
        self.is_within(worker.turn().next_due, 10, 20)
        job = new("r")
        broker.put([job])
        (claim,) = worker.claim(queues=["r"])
        self.is_within(rival.turn(queues=["r"]).next_due, 20, 30)
        worker.settle(claim, "retrying", delay=12.0)
        self.is_within(rival.turn(queues=["q", "r"]).next_due, 2, 12)

    def is_within(self, seconds: float | None, least: float, most: float) -> None:
        """Whether what was told is right, on a machine that may lose ten seconds."""
        assert seconds is not None
        assert least < seconds <= most

    def test_waiting_until_the_next_due_time_is_enough(self, broker: BrokerAdapter, worker: Worker) -> None:
        """A worker that looks again when it was told to finds the job."""
        (_, turn), looks = early(broker, worker), 1
        while not turn.claims:
            assert turn.next_due is not None
            assert looks < 10
            sleep(max(0.001, turn.next_due))
            looks += 1
            turn = worker.turn()
        assert len(turn.claims) == 1

    def test_one_worker_may_ask_as_another(self, broker: BrokerAdapter) -> None:
        """Who claims is told by the wish alone, not by the adapter."""
        jobs = [new(), new()]
        broker.put(jobs)
        for job, name in zip(jobs, ("one", "two"), strict=True):
            broker.turn([], Want(name, ["q"], 1))
            assert status_of(broker, job.id).worker == name

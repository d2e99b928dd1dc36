"""The broker contract on what is known of jobs: which are selected, in which order, and how many there are."""

from __future__ import annotations

import pytest

from postrmagic_core._clock import to_us
from postrmagic_core.jobs.interface import DEAD, ENDED, LIVE, BrokerAdapter, Counts, Selection, State

from ..waiting import until
from .broker_rig import BRIEF, End, Opener, Worker, change, counts_of, ended, new, now_us, status_of


def select(broker: BrokerAdapter, **selection: object) -> list[str]:
    """The ids of the jobs selected, in order."""
    return [record.status.id for record in broker.records(Selection(**selection))]  # type: ignore[arg-type]  # by name


class RecordPromises:
    """Mixed into :class:`~postrmagic_core.testing.contracts.broker.BrokerContract`."""

    def test_jobs_are_found_by_id(self, broker: BrokerAdapter, other: BrokerAdapter) -> None:
        """In whatever state, each once; who is not known is left out."""
        jobs = [new(), new(), new("r")]
        broker.put(jobs)
        change(broker, "cancel", jobs[1].id)
        asked = [jobs[2].id, new().id, jobs[1].id, jobs[2].id]
        assert sorted(select(other, ids=asked)) == sorted([jobs[1].id, jobs[2].id])
        assert select(other, ids=[]) == []

    def test_ids_are_compared_exactly(self, broker: BrokerAdapter) -> None:
        """No letter of one stands for others, and case matters."""
        job = new()
        broker.put([job])
        near = [job.id.upper(), job.id + " ", job.id[:-1], job.id[:-1] + "_", "%", "*", "", job.id + "\x00"]
        assert select(broker, ids=[other for other in near if other != job.id]) == []

    def test_jobs_are_found_by_state(self, broker: BrokerAdapter, worker: Worker) -> None:
        """Each state by itself, and several together."""
        ends: list[End] = ["succeeded", "failed", "dead", "cancelled", "retrying"]
        jobs = {name: new() for name in [*ends, "running", "queued"]}
        broker.put(list(jobs.values()))
        claims = {claim.id: claim for claim in worker.claim(6)}
        worker.turn([ended(claims[jobs[end].id], end, delay=60.0) for end in ends], free=0)
        for state, job in jobs.items():
            assert select(broker, states=[state]) == [job.id]
        assert set(select(broker, states=DEAD)) == {jobs["failed"].id, jobs["dead"].id}
        assert set(select(broker, states=LIVE)) == {jobs[name].id for name in ("retrying", "running", "queued")}
        assert len(select(broker, states=LIVE | ENDED)) == len(jobs)

    def test_what_else_is_given_must_fit_too(self, broker: BrokerAdapter) -> None:
        """Queue and task, compared exactly, each alone and both."""
        jobs = {(queue, task): new(queue, task=task) for queue in ("q", "Q", "q.") for task in ("t", "T", "t_", "tx")}
        broker.put(list(jobs.values()))
        states: list[State] = ["queued"]
        assert set(select(broker, states=states, queue="q")) == {jobs["q", task].id for task in ("t", "T", "t_", "tx")}
        assert set(select(broker, states=states, task="t_")) == {jobs[queue, "t_"].id for queue in ("q", "Q", "q.")}
        assert select(broker, states=states, queue="Q", task="t") == [jobs["Q", "t"].id]
        assert select(broker, states=states, queue="none") == []
        assert select(broker, states=["running"], queue="q") == []

    def test_no_state_and_no_id_is_no_job(self, broker: BrokerAdapter) -> None:
        """What selects nothing changes nothing."""
        broker.put([new()])
        assert select(broker) == []
        assert list(broker.alter("cancel", Selection())) == []
        assert list(broker.alter("cancel", Selection(queue="q", task="t"))) == []
        assert counts_of(broker, "q").queued == 1

    def test_the_newest_come_first(self, broker: BrokerAdapter, other: BrokerAdapter) -> None:
        """At most as many as asked for, across queues and states."""
        jobs = [new(queue) for queue in ("a", "b", "a", "b", "a")]
        for job in jobs:
            other.put([job])
        change(broker, "cancel", jobs[1].id, jobs[4].id)
        newest = [job.id for job in reversed(jobs)]
        assert select(broker, states=LIVE | ENDED) == newest
        assert select(broker, states=LIVE | ENDED, limit=2) == newest[:2]
        assert select(broker, states=LIVE, limit=1) == [jobs[3].id]
        assert select(broker, states=LIVE, queue="a", limit=1) == [jobs[2].id]

    @pytest.mark.parametrize("end", ["succeeded", "dead"])
    def test_jobs_are_found_by_when_they_ended(self, broker: BrokerAdapter, worker: Worker, end: End) -> None:
        """Before that very microsecond; what has not ended has not ended before."""
        broker.put([new() for _ in range(4)])
        claims, instants = worker.claim(3), list[int]()
        for claim in claims:
            until(lambda: now_us(broker) > max(instants, default=0), "time stood still")
            worker.settle(claim, end)
            at = status_of(broker, claim.id).ended_at
            assert at is not None
            instants.append(to_us(at))
        before = [set(select(broker, states=LIVE | ENDED, before_us=instant)) for instant in [*instants, 2**53 - 1]]
        assert before == [{claim.id for claim in claims[:number]} for number in range(4)]

    def test_jobs_are_counted_by_queue(self, broker: BrokerAdapter, worker: Worker) -> None:
        """What waits, now and for its time, what runs, and what nobody will try again; the rest is not counted."""
        assert broker.counts().keys() <= {"q", "r"}
        now = now_us(broker)
        broker.put(
            [*(new() for _ in range(10)), new(due_us=now + 60_000_000), new("r", due_us=now - 1, priority="high")]
        )
        claims = worker.claim(8)
        assert counts_of(broker, "q") == Counts(queued=2, later=1, running=8)
        ends: list[End] = ["failed", "dead", "succeeded", "cancelled", "retrying", "queued"]
        worker.turn([ended(claim, end, delay=60.0) for claim, end in zip(claims, ends, strict=False)], free=0)
        assert counts_of(broker, "q") == Counts(queued=3, later=2, running=2, dead=2)
        assert counts_of(broker, "r") == Counts(queued=1)
        change(broker, "cancel", *(claim.id for claim in claims))
        change(broker, "forget", claims[0].id)
        assert counts_of(broker, "q") == Counts(queued=2, later=1, running=2, dead=1)

    def test_what_became_due_is_counted_as_that(self, broker: BrokerAdapter, worker: Worker) -> None:
        """Without anybody having looked for it."""
        broker.put([new()])
        claim = worker.claim_one()
        broker.put([new(due_us=now_us(broker) + 100_000)])
        worker.settle(claim, "retrying", delay=0.1)
        until(lambda: counts_of(broker, "q") == Counts(queued=2), "what was due was counted for later")

    def test_what_was_abandoned_runs_until_it_is_taken(
        self, broker: BrokerAdapter, open_broker: Opener, worker: Worker
    ) -> None:
        """It is counted once, before and after."""
        broker.put([new()])
        Worker(open_broker(lease=BRIEF), "lost").claim_one()
        while not worker.claim():
            assert counts_of(broker, "q") == Counts(running=1)
        assert counts_of(broker, "q") == Counts(running=1)

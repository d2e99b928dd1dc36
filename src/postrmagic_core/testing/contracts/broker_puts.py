"""The broker contract on ``put``: known once, at once or at its time, however often it is said."""

from __future__ import annotations

from dataclasses import replace

import pytest

from postrmagic_core._clock import from_us, to_us
from postrmagic_core.jobs.interface import BrokerAdapter, Selection

from .broker_rig import End, Opener, Worker, change, counts_of, known, new, now_us, record_of, state_of, status_of


class PutPromises:
    """Mixed into :class:`~postrmagic_core.testing.contracts.broker.BrokerContract`."""

    def test_a_job_waits_as_it_was_put(self, broker: BrokerAdapter, other: BrokerAdapter) -> None:
        """Another process sees all of it; nothing has happened to it yet."""
        job = new("mail.out", task="send", retries=7, payload=b"\x00p", headers=b"h\xff", priority="low")
        assert broker.put([job]) == {}
        record = record_of(other, job.id)
        assert record is not None
        assert (record.payload, record.headers, record.result) == (b"\x00p", b"h\xff", None)
        status = record.status
        assert (status.id, status.queue, status.task, status.state) == (job.id, "mail.out", "send", "queued")
        assert (status.attempts, status.retries, status.priority) == (0, 7, "low")
        assert (status.started_at, status.ended_at, status.reason, status.error) == (None, None, None, None)
        assert (status.worker, status.progress, status.cancelling) == (None, None, False)
        assert status.created_at.utcoffset() is not None
        assert status.due_at is not None

    def test_a_job_is_claimed_as_it_was_put(self, broker: BrokerAdapter, rival: Worker) -> None:
        """Another process is given all that it needs to run it."""
        job = new(task="resize", retries=5, payload=b"\xffp", headers=b"\x00h")
        broker.put([job])
        claim = rival.claim_one()
        assert (claim.id, claim.queue, claim.task, claim.retries) == (job.id, "q", "resize", 5)
        assert (claim.payload, claim.headers, claim.attempt, claim.alone) == (b"\xffp", b"\x00h", 1, False)

    def test_nothing_put_is_nothing_done(self, broker: BrokerAdapter) -> None:
        """An empty request is answered without an error."""
        assert broker.put([]) == {}
        assert known(broker) == set()

    def test_put_again_changes_nothing(self, broker: BrokerAdapter, other: BrokerAdapter, worker: Worker) -> None:
        """While it waits: one job, as it was put first, also when its later copy comes with others."""
        job = new(payload=b"first")
        broker.put([job])
        later, beside = replace(job, payload=b"second", queue="else", task="u"), new()
        assert other.put([later, beside]) == {}
        record = record_of(broker, job.id)
        assert record is not None
        assert (record.payload, record.status.queue, record.status.task) == (b"first", "q", "t")
        assert known(broker) == {job.id, beside.id}
        assert [claim.id for claim in worker.claim()] == [job.id, beside.id]
        assert worker.claim(queues=["q", "else"]) == []

    def test_twice_in_one_call_is_one_job(self, broker: BrokerAdapter, worker: Worker) -> None:
        """The call is no different from two."""
        job = new()
        assert broker.put([job, new("else"), job]) == {}
        assert [claim.id for claim in worker.claim()] == [job.id]

    def test_put_again_while_it_runs_changes_nothing(
        self, broker: BrokerAdapter, other: BrokerAdapter, worker: Worker, rival: Worker
    ) -> None:
        """It is not delivered a second time, and its worker settles it."""
        job = new()
        broker.put([job])
        claim = worker.claim_one()
        assert other.put([job]) == {}
        assert rival.claim() == []
        assert worker.settle(claim)

    def test_put_again_after_its_end_changes_nothing(
        self, broker: BrokerAdapter, other: BrokerAdapter, worker: Worker
    ) -> None:
        """A message that comes late does not run the job again, however it ended."""
        ends: list[End] = ["succeeded", "failed", "dead", "cancelled"]
        jobs = [new() for _ in ends]
        broker.put(jobs)
        for claim, end in zip(worker.claim(), ends, strict=True):
            worker.settle(claim, end, result=b"r")
        before = [record_of(broker, job.id) for job in jobs]
        assert other.put(jobs) == {}
        assert [record_of(broker, job.id) for job in jobs] == before
        assert worker.claim() == []

    def test_put_again_after_it_was_forgotten_is_a_new_job(self, broker: BrokerAdapter, worker: Worker) -> None:
        """Who is not known is put."""
        job = new()
        broker.put([job])
        worker.settle(worker.claim_one())
        assert change(broker, "forget", job.id) == {job.id}
        broker.put([job])
        assert (worker.claim_one().id, state_of(broker, job.id)) == (job.id, "running")

    def test_many_jobs_in_one_call(self, broker: BrokerAdapter, worker: Worker) -> None:
        """More than one statement, packet or script call may take; they are selected, changed and settled as many."""
        jobs = [new(payload=b"%d" % number) for number in range(2_500)]
        assert broker.put(jobs) == {}
        assert counts_of(broker, "q").queued == 2_500
        ids = [job.id for job in jobs]
        assert len(broker.records(Selection(ids=ids, limit=2_500))) == 2_500
        assert change(broker, "cancel", *ids[1_000:]) == set(ids[1_000:])
        claims = worker.claim(1_000)
        assert {claim.id for claim in claims} == set(ids[:1_000])
        assert [claim.payload for claim in claims] == [b"%d" % number for number in range(1_000)]

    def test_a_delayed_job_is_not_early(self, broker: BrokerAdapter, rival: Worker) -> None:
        """It waits for its time by the broker's clock, to the microsecond, and then it runs."""
        due = now_us(broker) + 300_123
        job = new(due_us=due)
        broker.put([job])
        status = status_of(broker, job.id)
        assert (status.state, status.due_at) == ("queued", from_us(due))
        claim = rival.await_one()
        started = status_of(broker, claim.id).started_at
        assert started is not None
        assert to_us(started) >= due

    def test_delays_do_not_hold_up_the_others(self, broker: BrokerAdapter, worker: Worker) -> None:
        """What is due goes past what is not, also past what is more urgent."""
        now = now_us(broker)
        later = [new(due_us=now + 3_600_000_000, priority="high") for _ in range(20)]
        job = new(priority="low")
        broker.put([*later, job])
        assert [claim.id for claim in worker.claim()] == [job.id]

    @pytest.mark.promise("namespaces")
    def test_namespaces_share_nothing(self, open_broker: Opener, broker: BrokerAdapter) -> None:
        """The same ids, queues and names are other jobs to another application, however alike its name."""
        job = new()
        broker.put([job])
        for namespace in ("contract.", "contrac", "contract:q", "CONTRACT", "c"):
            apart = open_broker(namespace=namespace)
            assert known(apart) == set()
            assert Worker(apart).claim() == []
            assert apart.put([replace(job, payload=b"theirs")]) == {}
            assert apart.alter("cancel", Selection(states=["queued"])) == [job.id]
            assert counts_of(apart, "q").queued == 0
        assert (counts_of(broker, "q").queued, state_of(broker, job.id)) == (1, "queued")

    def test_a_closed_adapter_may_be_closed_again(self, open_broker: Opener, broker: BrokerAdapter) -> None:
        """Closing twice is no error, and takes nothing from the other processes."""
        closed, job = open_broker(), new()
        closed.put([job])
        closed.close()
        closed.close()
        assert Worker(broker).claim_one().id == job.id

"""The broker contract on what bites: odd bytes, long names, large numbers."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from postrmagic_core._clock import from_us
from postrmagic_core.jobs.interface import Beat, BrokerAdapter, Selection

from .broker_rig import Worker, change, counts_of, new, record_of, status_of
from .store_scripts import CANARY

BITES = {
    "empty": b"",
    "nul": b"\x00",
    "protocol": b"\r\n$-1\r\n",
    "sql": b"'; DROP TABLE pm_jobs; --\\",
    "not UTF-8": b"\xff\xfe\xc3(",
    "every byte": bytes(range(256)) * 16,
    "a megabyte": bytes(range(256)) * 4096,
}
FARTHEST_US = 2**53 - 1
"""In the year 2255: the last instant whose microseconds a double holds."""


class HostilePromises:
    """Mixed into :class:`~postrmagic_core.testing.contracts.broker.BrokerContract`."""

    @pytest.mark.parametrize("bite", BITES)
    def test_bytes_come_back_exactly(
        self, broker: BrokerAdapter, other: BrokerAdapter, rival: Worker, bite: str
    ) -> None:
        """Payload, headers and result, whatever is in them, up to a megabyte."""
        value = BITES[bite]
        job = new(payload=value, headers=value, task="other")
        broker.put([job, new(payload=b"beside")])
        claim = rival.claim(1)[0]
        assert (claim.payload, claim.headers) == (value, value)
        assert not other.renew([Beat(claim, value)]).lost
        assert status_of(broker, job.id).progress is None  # it cannot be read, which is nobody's fault
        assert rival.settle(claim, result=value)
        record = record_of(broker, job.id)
        assert record is not None
        assert (record.payload, record.headers, record.result) == (value, value, value)
        assert rival.claim_one().payload == b"beside"

    def test_a_pickle_stays_bytes(self, broker: BrokerAdapter, rival: Worker, tmp_path: Path) -> None:
        """A payload that would run a command if it were unpickled runs none."""
        proof = tmp_path / "ran"
        canary = CANARY % os.fsencode(proof)
        broker.put([new(payload=canary, headers=canary)])
        claim = rival.claim_one()
        assert claim.payload == canary
        rival.settle(claim, result=canary)
        record = record_of(broker, claim.id)
        assert record is not None
        assert record.result == canary
        assert not proof.exists()

    def test_the_longest_names(self, broker: BrokerAdapter, rival: Worker) -> None:
        """As long as a queue, a task, an error's code and a worker's id may be."""
        job = new("_" + "q" * 63, task="t" + ".<x>" * 49 + ":-9")
        broker.put([job])
        worker = Worker(rival.broker, "w" * 36)
        (claim,) = worker.claim(queues=[job.queue])
        assert (claim.queue, claim.task) == (job.queue, job.task)
        worker.settle(claim, "dead", reason="undecodable", error="e" * 200, fingerprint="f" * 16)
        status = status_of(broker, job.id)
        assert (status.queue, status.task, status.worker) == (job.queue, job.task, status.worker)
        assert (status.error, status.fingerprint) == ("e" * 200, "f" * 16)
        assert counts_of(broker, job.queue).dead == 1

    def test_large_numbers_stay_exact(self, broker: BrokerAdapter, worker: Worker) -> None:
        """A time in the far future to the microsecond, more tries than anybody waits for, and a time long ago."""
        far, old = new(due_us=FARTHEST_US, retries=1_000_000), new(due_us=1, retries=0)
        broker.put([far, old, new(due_us=FARTHEST_US - 1)])
        status = status_of(broker, far.id)
        assert (status.due_at, status.retries) == (from_us(FARTHEST_US), 1_000_000)
        assert counts_of(broker, "q").later == 2
        claim = worker.claim_one()
        assert (claim.id, claim.retries) == (old.id, 0)
        worker.settle(claim, "retrying", delay=100 * 366 * 86_400.0)
        turn = worker.turn()
        assert list(turn.claims) == []
        assert turn.next_due is not None
        assert turn.next_due > 99 * 365 * 86_400

    def test_a_job_kept_for_ever_is_kept(self, broker: BrokerAdapter, worker: Worker) -> None:
        """As far as one can tell."""
        job = new(keep=100 * 366 * 86_400.0)
        broker.put([job])
        worker.settle(worker.claim_one())
        worker.claim()
        assert status_of(broker, job.id).state == "succeeded"

    def test_hostile_selections_select_nothing(self, broker: BrokerAdapter) -> None:
        """A queue or task that is a pattern or a quote is only a name that nobody has."""
        broker.put([new(), new("r")])
        for name in ("*", "%", "_", "[a-z]", "' OR 1=1 --", "\x00", "", "q\x00", "ä"):
            assert list(broker.records(Selection(states=["queued"], queue=name))) == []
            assert list(broker.alter("cancel", Selection(states=["queued"], task=name))) == []
        assert change(broker, "cancel", "*", "%", "' OR 1=1 --") == set()
        assert counts_of(broker, "q").queued == 1

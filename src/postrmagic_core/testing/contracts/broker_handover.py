"""The broker contract on ``serve``: a job that its own unit gives to a worker of the same process."""

# ruff: noqa: PT012 - the error must leave a unit's whole block
from __future__ import annotations

import pytest

from postrmagic_core.database import DatabaseManager
from postrmagic_core.jobs.interface import BrokerAdapter, Claim, SupportsHandover, SupportsUnits

from .broker_rig import Worker, known, new, now_us, state_of

# Who rests keeps a thread free for a moment only: on a busy machine a unit may take longer, and the job waits for all.
_TRIES = 10


class Resting:
    """A worker that rests, or is ``busy``, and notes what it is given."""

    def __init__(self, name: str, *, busy: bool = False) -> None:
        self.given: list[Claim] = []
        self._name = None if busy else name

    def offer(self, queue: str) -> str | None:
        """Its id, unless it is busy."""
        return self._name

    def take(self, claim: Claim) -> None:
        """Note it."""
        self.given.append(claim)


class HandoverPromises:
    """Mixed into :class:`~postrmagic_core.testing.contracts.broker.BrokerContract`."""

    @pytest.fixture
    def handing(self, units: SupportsUnits) -> SupportsHandover:
        """The adapter, if it gives jobs to workers of its process."""
        if not isinstance(units, SupportsHandover):
            pytest.skip(f"{type(units).__name__} has no serve(): its workers look for jobs themselves")
        return units

    def test_who_rests_is_given_the_job_that_was_put(
        self,
        handing: SupportsHandover,
        units: SupportsUnits,
        database: DatabaseManager,
        other: BrokerAdapter,
        worker: Worker,
    ) -> None:
        """As it was put, once its unit has committed, as its first delivery; nobody else gets it, and it ends once."""
        resting, job = Resting(worker.name), new()
        with handing.serve(resting):
            for _ in range(_TRIES):
                job = new(payload=b"\x00p", headers=b"h")
                with database.write() as tx:
                    assert units.put_in(tx, [job]) == {}
                    assert resting.given == []
                if resting.given:
                    break
        [claim] = resting.given
        assert (claim.id, claim.payload, claim.headers, claim.attempt) == (job.id, b"\x00p", b"h", 1)
        assert (claim.queue, claim.task, claim.retries) == (job.queue, job.task, job.retries)
        assert state_of(other, job.id) == "running"
        assert job.id not in [each.id for each in Worker(other, "worker-2").claim()]
        assert worker.settle(claim)
        assert state_of(other, job.id) == "succeeded"

    def test_nobody_is_given_what_was_rolled_back(
        self, handing: SupportsHandover, units: SupportsUnits, database: DatabaseManager, other: BrokerAdapter
    ) -> None:
        """There is no such job."""
        resting = Resting("worker-1")
        with handing.serve(resting), pytest.raises(ZeroDivisionError), database.write() as tx:
            units.put_in(tx, [new()])
            raise ZeroDivisionError
        assert resting.given == []
        assert known(other) == set()

    def test_who_is_busy_is_given_nothing(
        self, handing: SupportsHandover, units: SupportsUnits, database: DatabaseManager, rival: Worker
    ) -> None:
        """Nor is who has stopped: their jobs wait for whoever comes."""
        busy, gone = Resting("worker-1", busy=True), Resting("worker-1")
        with handing.serve(gone):
            pass
        job = new()
        with handing.serve(busy), database.write() as tx:
            units.put_in(tx, [job])
        assert busy.given == gone.given == []
        assert rival.claim_one().id == job.id

    def test_what_is_not_due_is_given_to_nobody(
        self, handing: SupportsHandover, units: SupportsUnits, database: DatabaseManager, other: BrokerAdapter
    ) -> None:
        """It waits for its time, whoever rests."""
        resting, job = Resting("worker-1"), new(due_us=now_us(other) + 600_000_000)
        with handing.serve(resting), database.write() as tx:
            units.put_in(tx, [job])
        assert resting.given == []
        assert state_of(other, job.id) == "queued"

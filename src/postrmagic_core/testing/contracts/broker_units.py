"""The broker contract on ``put_in``: enqueued with the caller's own unit, if and only if that commits."""

# ruff: noqa: PT012 - the error must leave a unit's whole block
from __future__ import annotations

import pytest

from postrmagic_core.database import DatabaseManager
from postrmagic_core.jobs.interface import BrokerAdapter, SupportsUnits, Unique

from ..waiting import until
from .broker_rig import Worker, known, new, now_us, persist, record_of, state_of, status_of, together


class UnitPromises:
    """Mixed into :class:`~postrmagic_core.testing.contracts.broker.BrokerContract`."""

    def test_the_database_is_the_applications(self, units: SupportsUnits, database: DatabaseManager) -> None:
        """Or the caller's unit would not be the broker's."""
        assert units.database_id == database.database_id

    def test_a_job_is_there_with_its_units_commit(
        self, units: SupportsUnits, database: DatabaseManager, other: BrokerAdapter, rival: Worker
    ) -> None:
        """Not before, for nobody else; then like any other."""
        job = new(payload=b"\x00p", headers=b"h")
        with database.write() as tx:
            assert units.put_in(tx, [job, new("r")]) == {}
            # In another thread: this one has a unit open, and would see what is in it.
            assert together([lambda: record_of(other, job.id)]) == [None]
        claim = rival.claim_one()
        assert (claim.id, claim.payload, claim.headers, claim.attempt) == (job.id, b"\x00p", b"h", 1)

    def test_a_job_goes_with_its_units_rollback(
        self, units: SupportsUnits, database: DatabaseManager, other: BrokerAdapter, rival: Worker
    ) -> None:
        """As if it had never been put; its unique key is free, and it may be put later."""
        job, late = new(unique=Unique("key")), new(unique=Unique("key"))
        with pytest.raises(ZeroDivisionError), database.write() as tx:
            units.put_in(tx, [job, new()])
            raise ZeroDivisionError
        assert known(other) == set()
        assert rival.claim() == []
        assert other.put([late]) == {}
        with database.write() as tx:
            assert units.put_in(tx, [job]) == {job.id: late.id}
        assert known(other) == {late.id}

    def test_a_job_goes_with_its_savepoint(
        self, units: SupportsUnits, database: DatabaseManager, rival: Worker
    ) -> None:
        """What was put before and after it in the unit stays; its unique key is free for the rest."""
        before, inside, after = new(), new(unique=Unique("key")), new(unique=Unique("key"))
        with database.write() as tx:
            units.put_in(tx, [before])
            with pytest.raises(ZeroDivisionError), tx.savepoint():
                units.put_in(tx, [inside])
                raise ZeroDivisionError
            assert units.put_in(tx, [after]) == {}
        assert [claim.id for claim in rival.claim()] == [before.id, after.id]

    def test_putting_in_a_unit_is_idempotent(
        self, units: SupportsUnits, broker: BrokerAdapter, database: DatabaseManager, worker: Worker
    ) -> None:
        """In one unit, over two, and after its end; the unit goes on."""
        job, ended, beside = new(), new(), new()
        broker.put([ended])
        worker.settle(worker.claim_one())
        for _ in range(2):
            with database.write() as tx:
                assert units.put_in(tx, [job, ended]) == {}
                assert units.put_in(tx, [job, beside]) == {}
        assert known(broker) == {job.id, ended.id, beside.id}
        assert (state_of(broker, ended.id), state_of(broker, job.id)) == ("succeeded", "queued")

    def test_a_unit_sees_the_unique_jobs_it_put(self, units: SupportsUnits, database: DatabaseManager) -> None:
        """The holder is told before anything is committed."""
        first, second = new(unique=Unique("key")), new(unique=Unique("key"))
        with database.write() as tx:
            units.put_in(tx, [first])
            assert units.put_in(tx, [second]) == {second.id: first.id}

    def test_two_units_get_one_unique_job(
        self, units: SupportsUnits, broker: BrokerAdapter, database: DatabaseManager, other: BrokerAdapter
    ) -> None:
        """The later one learns the holder once the earlier has committed."""
        first, second = new(unique=Unique("key")), new(unique=Unique("key"))
        with database.write() as tx:
            units.put_in(tx, [first])
        assert persist(other.put, [second]) == {second.id: first.id}
        assert known(broker) == {first.id}

    def test_a_delayed_job_in_a_unit_waits_for_its_time(
        self, units: SupportsUnits, database: DatabaseManager, broker: BrokerAdapter, rival: Worker
    ) -> None:
        """Counted from the clock, not from the commit."""
        job = new(due_us=now_us(broker) + 200_000)
        with database.write() as tx:
            units.put_in(tx, [job])
        assert status_of(broker, job.id).due_at is not None
        assert until(rival.claim, "what was due was not handed out")[0].id == job.id

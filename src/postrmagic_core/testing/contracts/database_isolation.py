"""The database contract on concurrency: no update is lost, readers see what they should, conflicts are typed."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import pytest
from sqlalchemy import func, insert, select

from postrmagic_core.database import DatabaseManager, PoolLimits, Timeouts, Unit
from postrmagic_core.database.interface import Isolation
from postrmagic_core.errors import BackendRejected, Conflict, PoolExhausted

from .database_rows import ADD, GET, Opener, Value, counter, increment, set_to, together

_TOTAL = select(func.sum(counter.c.n))
_PATIENT = Timeouts(lock=60)


class IsolationPromises:
    """Mixed into :class:`~postrmagic_core.testing.contracts.database.DatabaseContract`."""

    def test_no_update_is_lost_between_threads(self, open_database: Opener, database: Any, value: Value) -> None:
        """More threads than connections: they queue for the pool and for the writer's turn, however slow."""
        patient = open_database(pool=PoolLimits(timeout=60), timeouts=_PATIENT)
        add = patient.transactional(retries=100)(increment)
        raised = together([lambda: [add() for _ in range(5)]] * 20)
        assert (raised, value()) == ([], 100)

    def test_no_update_is_lost_between_managers(self, open_database: Opener, database: Any, value: Value) -> None:
        """Four pools on one database know nothing of each other: the database itself keeps the promise."""
        managers = [open_database(timeouts=_PATIENT) for _ in range(4)]
        adds = [manager.transactional(retries=100)(increment) for manager in managers]

        def ten_times(add: Callable[[], int]) -> None:
            for _ in range(10):
                add()

        raised = together([partial(ten_times, add) for add in adds])
        assert (raised, value()) == ([], 40)

    def test_no_update_is_lost_between_tasks(self, open_database: Opener, database: Any, value: Value) -> None:
        """Awaited units that are tried again as a whole."""
        db = open_database(pool=PoolLimits(size=4, overflow=0), timeouts=_PATIENT)
        add = db.aio.transactional(retries=100)(increment)

        async def main() -> None:
            await asyncio.gather(*(add() for _ in range(40)))

        asyncio.run(main())
        assert value() == 40

    def test_a_stale_read_is_refused_before_it_loses_an_update(self, database: DatabaseManager, value: Value) -> None:
        """Without a retry: whoever was overtaken is told so, or had to wait; nobody overwrites."""
        outcomes: list[str] = []

        def rival() -> None:
            try:
                with database.write() as tx:
                    increment(tx)
                outcomes.append("ok")
            except Conflict:
                outcomes.append("conflict")

        thread = threading.Thread(target=rival)
        try:
            with database.write() as tx:
                n = tx.scalar(GET)
                thread.start()
                thread.join(0.2)  # it commits, waits, or is refused: each is allowed
                tx.execute(set_to(n + 1))
            outcomes.append("ok")
        except Conflict:
            outcomes.append("conflict")
        thread.join()
        assert value() == outcomes.count("ok") > 0

    def test_a_transfer_under_deadlock_keeps_the_total(self, open_database: Opener, two: DatabaseManager) -> None:
        """Two accounts, taken in opposite order: whole units run again until both are through."""
        both = threading.Barrier(2)

        def transfer(source: int, target: int) -> Callable[[], None]:
            @two.transactional(retries=50)
            def run(tx: Unit) -> None:
                tx.execute(counter.update().where(counter.c.id == source).values(n=counter.c.n - 1))
                tx.execute(counter.update().where(counter.c.id == target).values(n=counter.c.n + 1))

            def repeat() -> None:
                both.wait()
                for _ in range(20):
                    run()

            return repeat

        assert together([transfer(1, 2), transfer(2, 1)]) == []
        with two.read() as tx:
            assert tx.scalars(select(counter.c.n)).all() == [0, 0]

    def test_write_skew_is_excluded_where_asked(self, two: DatabaseManager) -> None:
        """Two units that each read what the other writes: `serializable` lets only one of them through."""
        both_have_read = threading.Barrier(2, timeout=0.2)
        outcomes: list[str] = []

        def take_if_free(mine: int) -> None:
            try:
                with two.write(isolation="serializable") as tx:
                    free = tx.scalar(_TOTAL) == 0
                    with suppress(threading.BrokenBarrierError):  # one writer at a time: the other waits for its turn
                        both_have_read.wait()
                    if free:
                        tx.execute(set_to(1, row=mine))
                outcomes.append("committed")
            except Conflict:
                outcomes.append("conflict")

        assert together([lambda: take_if_free(1), lambda: take_if_free(2)]) == []
        with two.read() as tx:
            assert tx.scalar(_TOTAL) == 1
        assert len(outcomes) == 2

    def test_a_serializable_unit_does_not_change_the_next(self, two: DatabaseManager, value: Value) -> None:
        """What was asked for one unit ends with it: its connection serves ordinary units again."""
        isolations: list[Isolation] = ["serializable", "default", "serializable"]
        for isolation in isolations:
            with two.write(isolation=isolation) as tx:
                increment(tx)
        assert value() == 3

    # reading

    def test_a_snapshot_is_of_one_instant(self, database: DatabaseManager, value: Value) -> None:
        """A snapshot does not see commits after it was opened, before its first read included; a plain read does."""
        with database.read(snapshot=True) as old, database.read() as fresh:
            for expected in (1, 2):
                assert together([lambda: database.transact(increment)]) == []
                assert (old.scalar(GET), fresh.scalar(GET)) == (0, expected)
        assert value() == 2

    def test_an_async_snapshot_is_of_one_instant(self, database: DatabaseManager) -> None:
        """The same, awaited."""

        async def main() -> None:
            async with database.aio.read(snapshot=True) as old, database.aio.read() as fresh:
                await asyncio.create_task(database.aio.transact(increment))
                assert (await old.scalar(GET), await fresh.scalar(GET)) == (0, 1)

        asyncio.run(main())

    def test_reading_takes_no_writes(self, database: DatabaseManager, value: Value) -> None:
        """What only reads cannot change anything, whatever the code tries, and reads on."""
        for snapshot in (False, True):
            with database.read(snapshot=snapshot) as tx:
                with pytest.raises(BackendRejected, match=r"db\.write"):
                    tx.execute(ADD)
                assert tx.scalar(GET) == 0
        assert value() == 0

    def test_reading_waits_for_no_writer(self, database: DatabaseManager) -> None:
        """While a write unit is open, reads in other tasks go on, and see nothing of it."""

        async def read() -> Any:
            async with database.aio.read() as tx:
                return await tx.scalar(GET)

        async def main() -> None:
            started, done = asyncio.Event(), asyncio.Event()

            async def hold() -> None:
                async with database.aio.write() as tx:
                    await tx.execute(ADD)
                    started.set()
                    await done.wait()

            holder = asyncio.create_task(hold())
            await started.wait()
            assert await asyncio.gather(*(read() for _ in range(10))) == [0] * 10
            done.set()
            await holder
            assert await read() == 1

        asyncio.run(asyncio.wait_for(main(), 20))

    # waiting ends

    def test_waiting_for_a_connection_ends(self, open_database: Opener) -> None:
        """An exhausted pool is its own error, within its time-out, retryable, and not mistaken for a dead server."""
        impatient = open_database(pool=PoolLimits(size=1, overflow=0, timeout=0.1))
        with impatient.read(), pytest.raises(PoolExhausted, match="all 1 are in use") as caught, impatient.read():
            pass
        assert caught.value.retryable
        with impatient.read():
            pass

    def test_a_writer_that_never_ends_gives_the_others_a_conflict(
        self, database: DatabaseManager, open_database: Opener, value: Value
    ) -> None:
        """The lock time-out bounds the wait, the conflict is retryable, and afterwards everything goes on."""
        other = open_database(timeouts=Timeouts(lock=0.2))

        def rival() -> None:
            with other.write() as tx:
                tx.execute(set_to(5))

        with database.write() as tx:
            tx.execute(set_to(1))
            (conflict,) = together([rival])
        assert isinstance(conflict, Conflict)
        assert (conflict.retryable, value()) == (True, 1)
        rival()
        assert value() == 5

    @pytest.fixture
    def two(self, database: DatabaseManager) -> DatabaseManager:
        """The database with a second counter at 0."""
        database.transact(lambda tx: tx.execute(insert(counter).values(id=2, n=0)))
        return database

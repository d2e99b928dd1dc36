"""The database contract on asyncio: the same promises, no thread starves another, a cancelled unit leaves nothing."""

# ruff: noqa: PT012 - the error must leave a unit's whole block
from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import select

from postrmagic_core.database import DatabaseManager, PoolLimits
from postrmagic_core.errors import BackendRejected

from .database_rows import ADD, GET, Opener, Value, counter, fail, increment, set_to

Step = Callable[[DatabaseManager], Awaitable[object]]


async def _in_parts(database: DatabaseManager) -> None:
    async with database.aio.write() as tx:
        await tx.execute(ADD)
        async with tx.savepoint():
            await tx.execute(ADD)
        await tx.execute(ADD)


async def _in_one_hop(database: DatabaseManager) -> None:
    await database.aio.transact(lambda tx: [tx.execute(ADD) for _ in range(3)])


async def _reading(database: DatabaseManager) -> None:
    async with database.aio.read(snapshot=True) as tx:
        assert await tx.scalar(GET) % 3 == 0
        await tx.scalars(GET)


class AsyncPromises:
    """Mixed into :class:`~postrmagic_core.testing.contracts.database.DatabaseContract`."""

    def test_async_units_commit_and_roll_back(self, database: DatabaseManager, value: Value) -> None:
        """All of the block, or none of it; results are complete when they arrive."""

        async def main() -> None:
            async with database.aio.write() as tx:
                result: Any = await tx.execute(ADD)
                assert result.rowcount == 1
                assert (await tx.execute(GET)).all() == [(1,)]
                assert await tx.run(increment) == 2
            with pytest.raises(ZeroDivisionError):
                async with database.aio.write() as tx:
                    await tx.execute(ADD)
                    fail()
            async with database.aio.read(snapshot=True) as tx:
                assert await tx.scalar(GET) == 2
                assert await tx.scalars(select(counter.c.id)) == [1]
                with pytest.raises(BackendRejected, match=r"db\.write"):
                    await tx.execute(ADD)

        asyncio.run(main())
        assert value() == 2

    def test_async_savepoints_fail_alone(self, outbox: DatabaseManager, value: Value) -> None:
        """A part is undone with what it staged."""
        called: list[str] = []

        async def main() -> None:
            async with outbox.aio.write() as tx:
                await tx.execute(ADD)
                tx.after_commit(lambda: called.append("committed"))
                with pytest.raises(ZeroDivisionError):
                    async with tx.savepoint():
                        await tx.execute(set_to(50))
                        tx.stage("dropped", b"")
                        tx.on_rollback(lambda: called.append("undone"))
                        fail()
                async with tx.savepoint():
                    await tx.execute(ADD)
                assert tx.tables_written == {"counter"}
            assert await outbox.aio.outbox_counts() == {}

        asyncio.run(main())
        assert (value(), called) == (2, ["undone", "committed"])

    def test_many_tasks_on_few_lanes_all_come_through(self, open_database: Opener, database: Any, value: Value) -> None:
        """24 tasks write through 4 lanes, some in one hop, some statement by statement: none fails or waits for ever.

        Each blind write locks what it writes, so there is nothing to conflict about.
        """
        db = open_database(pool=PoolLimits(size=4, overflow=0))

        async def in_parts() -> None:
            async with db.aio.write() as tx:
                await tx.execute(ADD)
                await asyncio.sleep(0)
                assert await tx.scalar(GET) > 0

        async def in_one_hop() -> None:
            await db.aio.transact(lambda tx: tx.execute(ADD).rowcount)

        async def main() -> list[BaseException | None]:
            work = [in_one_hop() if number % 2 else in_parts() for number in range(24)]
            return await asyncio.wait_for(asyncio.gather(*work, return_exceptions=True), 30)

        assert [result for result in asyncio.run(main()) if result is not None] == []
        assert value() == 24

    @pytest.mark.parametrize("step", [_in_parts, _in_one_hop, _reading], ids=["parts", "hop", "read"])
    def test_a_unit_cancelled_anywhere_leaves_a_clean_connection(
        self, open_database: Opener, database: Any, value: Value, step: Step
    ) -> None:
        """Cancelled at every await in turn: nothing or all is committed, and the one connection serves the next."""
        db = open_database(pool=PoolLimits(size=1, overflow=0, timeout=5.0))

        async def cancelled_after(turns: int) -> bool:
            task = asyncio.ensure_future(step(db))
            for _ in range(turns):
                await asyncio.sleep(0.0005)
                if task.done():
                    break
            task.cancel()
            (outcome,) = await asyncio.gather(task, return_exceptions=True)
            assert outcome is None or isinstance(outcome, asyncio.CancelledError)
            async with db.aio.read() as tx:
                assert await tx.scalar(GET) % 3 == 0
            await db.aio.transact(lambda tx: tx.execute(set_to(0)))
            return outcome is None

        async def main() -> list[bool]:
            return [await cancelled_after(turns) for turns in range(25)]

        assert not asyncio.run(main())[0], "the first task ran to its end before it could be cancelled"
        pools: list[Any] = [db.backend.engine("read").pool, db.backend.engine("write").pool]
        assert [pool.checkedout() for pool in pools] == [0, 0]
        assert value() == 0

    def test_a_waiting_task_that_is_cancelled_leaves_the_queue(self, open_database: Opener, database: Any) -> None:
        """Cancelled while another unit has the only lane, it takes no turn from those behind it."""
        db = open_database(pool=PoolLimits(size=1, overflow=0))

        async def main() -> Any:
            started, done = asyncio.Event(), asyncio.Event()

            async def hold() -> None:
                async with db.aio.write() as tx:
                    await tx.execute(ADD)
                    started.set()
                    await done.wait()

            holder = asyncio.ensure_future(hold())
            await started.wait()
            waiting = [asyncio.ensure_future(db.aio.transact(increment)) for _ in range(3)]
            await asyncio.sleep(0.01)
            waiting[0].cancel()
            await asyncio.gather(waiting[0], return_exceptions=True)
            done.set()
            await holder
            return await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), 20)

        results = asyncio.run(main())
        assert isinstance(results[0], asyncio.CancelledError)
        assert sorted(results[1:]) == [2, 3]

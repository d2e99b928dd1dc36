"""The async face: same promises, no thread starves another, and a cancelled unit leaves nothing behind."""

# ruff: noqa: PT012 - the error must leave a unit's whole block
from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import text

from postrmagic_core.database import DatabaseManager, PoolLimits, Unit
from postrmagic_core.errors import BackendRejected, NestedUnit, NotOpen

GET = text("SELECT n FROM counter WHERE id = 1")
ADD = text("UPDATE counter SET n = n + 1 WHERE id = 1")
SET = text("UPDATE counter SET n = :n WHERE id = 1")


def increment(tx: Unit) -> int:
    """Read, think, write."""
    n: int = tx.scalar(GET) + 1
    tx.execute(SET, {"n": n})
    return n


def test_async_units_commit_and_roll_back(database: DatabaseManager, value: Callable[[], Any]) -> None:
    """All of the block, or none of it; results are complete when they arrive."""

    async def main() -> None:
        async with database.aio.write() as tx:
            assert (await tx.execute(ADD)).rowcount == 1  # type: ignore[attr-defined]  # a CursorResult for DML
            assert (await tx.execute(GET)).all() == [(1,)]
            async with database.aio.read() as inner:
                assert inner is tx
            assert await tx.run(increment) == 2
        with pytest.raises(ZeroDivisionError):
            async with database.aio.write() as tx:
                await tx.execute(ADD)
                raise ZeroDivisionError
        async with database.aio.read(snapshot=True) as tx:
            assert await tx.scalar(GET) == 2
            assert await tx.scalars(text("SELECT id FROM counter")) == [1]
            with pytest.raises(BackendRejected):
                await tx.execute(ADD)

    asyncio.run(main())
    assert value() == 2


def test_async_savepoints_fail_alone(outbox: DatabaseManager, value: Callable[[], Any]) -> None:
    """A part is undone with what it staged."""

    async def main() -> None:
        async with outbox.aio.write() as tx:
            await tx.execute(ADD)
            with pytest.raises(ZeroDivisionError):
                async with tx.savepoint():
                    await tx.execute(SET, {"n": 50})
                    tx.stage("dropped", b"")
                    raise ZeroDivisionError
            async with tx.savepoint():
                await tx.execute(ADD)
        assert await outbox.aio.outbox_counts() == {}

    asyncio.run(main())
    assert value() == 2


def test_hooks_of_an_async_unit_may_use_the_database(database: DatabaseManager) -> None:
    """They run on the lane: before, the unit is theirs; after, it is gone and the way is free."""
    seen: list[object] = []

    def before() -> None:
        unit = database.current()
        seen.append(unit.scalar(GET) if unit else None)

    def after() -> None:
        with database.write() as tx:
            seen.append(increment(tx))

    async def main() -> None:
        async with database.aio.write() as tx:
            await tx.execute(ADD)
            tx.before_commit(before)
            tx.after_commit(after)
        assert database.aio.current() is None

    asyncio.run(main())
    assert seen == [1, 2]


@pytest.mark.parametrize("limits", [PoolLimits(size=4, overflow=0)])
def test_many_tasks_on_few_lanes_all_come_through(
    open_database: Callable[..., DatabaseManager], value: Callable[[], Any], limits: PoolLimits
) -> None:
    """24 tasks write through 4 lanes, some in one hop and some statement by statement: none fails or waits for ever."""
    db = open_database(pool=limits)

    async def in_parts() -> None:
        async with db.aio.write() as tx:
            await tx.execute(ADD)
            await asyncio.sleep(0)
            assert await tx.scalar(GET) > 0

    async def main() -> list[BaseException | int | None]:
        work = [db.aio.transact(lambda tx: tx.execute(ADD).rowcount) if i % 2 else in_parts() for i in range(24)]
        return await asyncio.wait_for(asyncio.gather(*work, return_exceptions=True), 30)

    results = asyncio.run(main())
    assert [result for result in results if isinstance(result, BaseException)] == []
    assert value() == 24


def test_an_async_transactional_retries_as_a_whole(
    open_database: Callable[..., DatabaseManager], value: Callable[[], Any]
) -> None:
    """Read-modify-write from many tasks loses nothing."""
    db = open_database(pool=PoolLimits(size=4, overflow=0))
    add = db.aio.transactional(retries=100)(increment)

    async def main() -> None:
        await asyncio.gather(*(add() for _ in range(40)))

    asyncio.run(main())
    assert value() == 40


def test_reading_waits_for_no_writer(database: DatabaseManager) -> None:
    """While a write unit is open, reads in other tasks go on."""

    async def read() -> Any:
        async with database.aio.read() as tx:
            return await tx.scalar(GET)

    async def main() -> None:
        started = asyncio.Event()
        done = asyncio.Event()

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


@pytest.mark.fault
def test_a_unit_cancelled_anywhere_leaves_a_clean_connection(
    open_database: Callable[..., DatabaseManager], value: Callable[[], Any]
) -> None:
    """Cancelled at every await in turn: nothing or all is committed, and the one connection serves the next."""
    db = open_database(pool=PoolLimits(size=1, overflow=0, timeout=2.0))

    async def unit(steps: list[int]) -> None:
        async with db.aio.write() as tx:
            await tx.execute(ADD)
            async with tx.savepoint():
                await tx.execute(ADD)
            await tx.execute(ADD)
        steps.append(1)

    async def cancelled_after(turns: int) -> bool:
        done: list[int] = []
        task = asyncio.create_task(unit(done))
        for _ in range(turns):
            await asyncio.sleep(0.0005)
            if task.done():
                break
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        async with db.aio.read() as tx:
            assert await tx.scalar(GET) % 3 == 0
        await db.aio.transact(lambda tx: tx.execute(SET, {"n": 0}))
        return bool(done)

    async def main() -> None:
        outcomes = [await cancelled_after(turns) for turns in range(40)]
        assert not outcomes[0]

    asyncio.run(main())
    assert db.backend.engine("write").pool.checkedout() == 0  # type: ignore[attr-defined]  # a QueuePool has it
    assert value() == 0


def test_an_async_unit_is_not_nested(database: DatabaseManager) -> None:
    """A second one in the task, or a hop that would wait for the task's own lane, is refused at once."""

    async def main() -> None:
        async with database.aio.write() as tx:
            with pytest.raises(NestedUnit):
                async with database.aio.write():
                    pass
            with pytest.raises(NestedUnit, match=r"tx\.run"):
                await database.aio.transact(increment)
            assert await tx.run(increment) == 1
        with database.write(), pytest.raises(NestedUnit):
            async with database.aio.read():
                pass

    asyncio.run(asyncio.wait_for(main(), 20))


def test_a_closed_database_refuses_async_units(database: DatabaseManager) -> None:
    """The face opens and closes with its manager."""

    async def main() -> None:
        async with database.aio.read() as tx:
            assert await tx.scalar(GET) == 0
        database.close()
        with pytest.raises(NotOpen):
            await database.aio.transact(increment)
        async with database:
            assert await database.aio.transact(increment) == 1
            await database.aio.upgrade()
            assert await database.aio.schema_current()

    asyncio.run(main())

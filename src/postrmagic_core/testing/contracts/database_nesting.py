"""The database contract on nesting: one unit at a time, owned by one thread or task."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from typing import Any

import pytest

from postrmagic_core.database import DatabaseManager, Unit
from postrmagic_core.errors import NestedUnit

from .database_rows import ADD, GET, Value, fail, increment, read_once, set_to, write_once


class NestingPromises:
    """Mixed into :class:`~postrmagic_core.testing.contracts.database.DatabaseContract`."""

    def test_a_second_write_unit_is_refused(self, database: DatabaseManager, value: Value) -> None:
        """Two transactions of one thread would wait for each other; the first one goes on."""
        with database.write() as tx:
            with pytest.raises(NestedUnit), database.write():
                pass
            tx.execute(ADD)
        assert value() == 1

    def test_reading_inside_a_write_sees_what_was_written(self, database: DatabaseManager) -> None:
        """`db.read()` in a write unit is that unit, and leaves it open."""
        with database.write() as tx:
            tx.execute(set_to(7))
            with database.read() as inner, database.read(snapshot=True) as snapshot:
                assert inner is snapshot is tx
                assert inner.scalar(GET) == 7
            tx.execute(ADD)
            assert tx.scalar(GET) == 8

    def test_a_called_transactional_joins_the_open_unit(self, database: DatabaseManager, value: Value) -> None:
        """Functions compose: the outermost one decides for all."""

        @database.transactional()
        def add(tx: Unit, times: int = 1) -> Unit:
            for _ in range(times):
                tx.execute(ADD)
            return tx

        with pytest.raises(ZeroDivisionError), database.write() as tx:  # noqa: PT012 - the unit fails as a block
            assert add(times=2) is tx
            assert database.transact(lambda inner: inner) is tx
            fail()
        assert value() == 0
        add(2)
        assert value() == 2

    def test_a_thread_may_not_join_an_inherited_unit(self, database: DatabaseManager) -> None:
        """A copied context carries the unit along; using its connection from two threads is refused."""
        found: list[type[BaseException]] = []

        def use() -> None:
            for call in (DatabaseManager.current, read_once, write_once, lambda db: db.transact(increment)):
                try:
                    call(database)
                except Exception as error:
                    found.append(type(error))

        with database.write():
            thread = threading.Thread(target=contextvars.copy_context().run, args=(use,))
            thread.start()
            thread.join()
        assert found == [NestedUnit] * 4

    def test_a_thread_of_its_own_context_is_free(self, database: DatabaseManager) -> None:
        """A thread that inherited nothing reads for itself, and nothing that is not committed."""
        seen: list[Any] = []

        def use() -> None:
            with database.read() as tx:
                seen.append(tx.scalar(GET))

        with database.write() as tx:
            tx.execute(ADD)
            thread = threading.Thread(target=use)
            thread.start()
            thread.join()
        assert seen == [0]

    def test_a_child_task_may_not_join_its_parents_unit(self, database: DatabaseManager) -> None:
        """asyncio tasks inherit context: the child is told, instead of sharing the connection."""

        async def main() -> None:
            async with database.aio.write() as tx:
                await tx.execute(ADD)

                async def child() -> None:
                    async with database.aio.write():
                        pass

                with pytest.raises(NestedUnit):
                    await asyncio.create_task(child())

        asyncio.run(main())

    def test_an_async_unit_is_not_nested(self, database: DatabaseManager) -> None:
        """A second one in the task, or a hop that would wait for the task's own lane, is refused at once."""

        async def main() -> None:
            async with database.aio.write() as tx:
                with pytest.raises(NestedUnit):
                    async with database.aio.write():
                        pass
                with pytest.raises(NestedUnit, match=r"tx\.run"):
                    await database.aio.transact(increment)
                async with database.aio.read() as inner:
                    assert inner is tx
                assert await tx.run(increment) == 1
            with database.write(), pytest.raises(NestedUnit):
                async with database.aio.read():
                    pass

        asyncio.run(asyncio.wait_for(main(), 20))

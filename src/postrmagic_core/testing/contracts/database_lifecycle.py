"""The database contract on opening and closing, on forks, and on what an adapter owes below the units."""

from __future__ import annotations

import asyncio
import os
import warnings

import pytest
from sqlalchemy import select

from postrmagic_core._sql import Backend
from postrmagic_core.database import DatabaseManager
from postrmagic_core.errors import NotOpen
from postrmagic_core.registry import conformance

from .database_rows import ADD, GET, Opener, Value, counter, increment, read_once, write_once


class LifecyclePromises:
    """Mixed into :class:`~postrmagic_core.testing.contracts.database.DatabaseContract`."""

    def test_the_adapter_fulfils_the_protocol(self, database: DatabaseManager) -> None:
        """As the registry checks at start; its name is that of a dialect this package writes SQL for."""
        assert conformance(type(database.backend), Backend) == []
        assert database.dialect in {"sqlite", "mysql", "mariadb"}
        assert database.backend.engine("write") is database.backend.engine("write")

    def test_a_closed_database_refuses_units(self, database: DatabaseManager) -> None:
        """After close() nothing half-works; opened again, it works."""
        database.close()
        for use in (read_once, write_once, lambda db: db.transact(increment)):
            with pytest.raises(NotOpen):
                use(database)
        with database, database.read() as tx:
            assert tx.scalar(GET) == 0
        with database:
            assert database.transact(increment) == 1

    def test_a_closed_database_refuses_async_units(self, database: DatabaseManager) -> None:
        """The face opens and closes with its manager."""

        async def main() -> None:
            async with database.aio.read() as tx:
                assert await tx.scalar(GET) == 0
            database.close()
            with pytest.raises(NotOpen):
                async with database.aio.read():
                    pass
            with pytest.raises(NotOpen):
                async with database.aio.write():
                    pass
            with pytest.raises(NotOpen):
                await database.aio.transact(increment)
            async with database:
                assert await database.aio.transact(increment) == 1

        asyncio.run(main())

    def test_the_packages_tables_are_made_and_known(self, open_database: Opener) -> None:
        """`upgrade()` brings an empty database to this version's schema, on either face, once or twice."""
        database = open_database()
        assert not database.schema_current()
        database.upgrade()
        asyncio.run(database.aio.upgrade())
        assert database.schema_current()

    def test_a_connection_given_back_inside_a_transaction_is_clean(self, database: DatabaseManager) -> None:
        """Below the units: the pool's next user finds nothing of what was not committed."""
        engine = database.backend.engine("write")
        with engine.connect() as connection:
            connection.execute(ADD)
        with engine.connect() as connection:
            assert connection.scalar(GET) == 0

    def test_a_forked_child_has_connections_of_its_own(self, database: DatabaseManager, value: Value) -> None:
        """Parent and child never speak over one connection; both go on, on both roles."""
        with database.read() as tx:
            mine = tx.connection.connection.dbapi_connection
        child = _fork()
        if child == 0:
            code = 1
            try:
                with database.read() as tx:
                    fresh = tx.connection.connection.dbapi_connection is not mine
                    code = 0 if fresh and tx.scalar(GET) == 0 else 2
                asyncio.run(database.aio.transact(increment))
            except BaseException:
                code = 3
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        with database.read() as tx:
            assert tx.connection.connection.dbapi_connection is mine
            assert tx.scalars(select(counter.c.id)).all() == [1]
        assert (value(), database.transact(increment)) == (1, 2)


def _fork() -> int:
    with warnings.catch_warnings():
        # Python 3.12 warns of forking with threads: that an adapter bears it is what is tested.
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()

"""``rows``: one statement that reads, in one call and, in asyncio, in one hop to another thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import bindparam, event, select, table, text
from sqlalchemy.sql import column

from postrmagic_core.database import DatabaseManager, PoolLimits
from postrmagic_core.errors import BackendRejected, NestedUnit, NotOpen
from postrmagic_core.middleware.pipeline_request import InlineFace

COUNTER = table("counter", column("id"), column("n"))
BY_ID = select(COUNTER.c.id, COUNTER.c.n).where(COUNTER.c.id == bindparam("id"))
ADD = text("UPDATE counter SET n = n + 1")


def now(face: Any, key: int = 1) -> Any:
    """The row of this id, asked of a face that is awaited."""
    return asyncio.run(face.rows(BY_ID, {"id": key}))


def pulled(database: DatabaseManager) -> int:
    """How many connections are held now."""
    return sum(pool.in_use for pool in database.pools())


@pytest.mark.parametrize("face", ["sync", "aio", "inline"])
def test_every_row_is_there_by_name_and_in_order(database: DatabaseManager, face: str) -> None:
    """On each face, with its parameters and without; what finds nothing is empty."""
    ask: Callable[[int], Any] = {
        "sync": lambda key: database.rows(BY_ID, {"id": key}),
        "aio": lambda key: now(database.aio, key),
        "inline": lambda key: now(InlineFace(database), key),
    }[face]
    (row,) = ask(1)
    assert (row.id, row.n, tuple(row)) == (1, 0, (1, 0))
    assert list(ask(2)) == []
    assert pulled(database) == 0


def test_it_sees_what_the_unit_around_it_has_written(database: DatabaseManager) -> None:
    """Inside a write unit it is that unit; afterwards what was committed."""

    async def main() -> list[int]:
        async with database.aio.write() as tx:
            await tx.execute(ADD)
            inside = await database.aio.rows(BY_ID, {"id": 1})
        return [inside[0].n, (await database.aio.rows(BY_ID, {"id": 1}))[0].n]

    with database.write() as tx:
        tx.execute(ADD)
        assert database.rows(BY_ID, {"id": 1})[0].n == 1
    assert asyncio.run(main()) == [2, 2]


def test_inside_a_sync_unit_the_async_face_refuses(database: DatabaseManager) -> None:
    """It has no lane to ask on: as ``read`` does."""

    async def main() -> None:
        with database.write(), pytest.raises(NestedUnit):
            await database.aio.rows(BY_ID, {"id": 1})

    asyncio.run(main())


def test_it_takes_one_hop(database: DatabaseManager, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a reading unit takes one to begin, one for each statement, and one to end."""
    hops: list[str] = []

    async def main() -> list[int]:
        loop = asyncio.get_running_loop()
        run = loop.run_in_executor

        def counted(*args: Any) -> Any:
            hops.append("hop")
            return run(*args)

        monkeypatch.setattr(loop, "run_in_executor", counted)
        await database.aio.rows(BY_ID, {"id": 1})
        once = len(hops)
        async with database.aio.read() as tx:
            await tx.execute(BY_ID, {"id": 1})
        return [once, len(hops) - once]

    assert asyncio.run(main()) == [1, 3]


def test_the_loop_runs_while_the_database_answers(database: DatabaseManager) -> None:
    """The statement, and the fetching of its rows, are another thread's."""
    threads: set[str] = set()
    event.listen(database.backend.engine("read"), "before_cursor_execute", lambda *_: threads.add(_here()))
    assert len(now(database.aio)) == 1
    assert threads
    assert _here() not in threads


def _here() -> str:
    return threading.current_thread().name


def test_cancelled_anywhere_it_leaves_no_connection_behind(open_database: Any, database: DatabaseManager) -> None:
    """Of one connection, which the next one gets."""
    db = open_database(pool=PoolLimits(size=1, overflow=0, timeout=10))

    async def main() -> None:
        for turns in range(12):
            task = asyncio.ensure_future(db.aio.rows(BY_ID, {"id": 1}))
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            outcomes = await asyncio.gather(task, return_exceptions=True)
            assert isinstance(outcomes[0], asyncio.CancelledError | list)
            assert pulled(db) == 0
            assert len(await db.aio.rows(BY_ID, {"id": 1})) == 1

    asyncio.run(main())


def test_more_tasks_than_connections_take_turns(open_database: Any, database: DatabaseManager) -> None:
    """Nobody waits in vain for a connection that another task needs to go on."""
    db = open_database(pool=PoolLimits(size=2, overflow=0, timeout=10))

    async def main() -> list[int]:
        found = await asyncio.gather(*(db.aio.rows(BY_ID, {"id": 1}) for _ in range(24)))
        return [len(rows) for rows in found]

    assert asyncio.run(main()) == [1] * 24


@pytest.mark.parametrize("face", ["sync", "aio"])
def test_a_statement_that_fails_gives_its_connection_back(database: DatabaseManager, face: str) -> None:
    """And the error is the one that a unit raises."""
    wrong = text("SELECT nothing FROM counter")

    def within() -> None:
        with database.read() as tx:
            tx.execute(wrong)

    def alone() -> None:
        if face == "sync":
            database.rows(wrong)
        else:
            asyncio.run(database.aio.rows(wrong))

    errors = []
    for ask in (within, alone):
        with pytest.raises(BackendRejected) as caught:
            ask()
        errors.append(type(caught.value))
    assert errors[0] is errors[1]
    assert pulled(database) == 0


def test_a_closed_database_says_so(tmp_path: Any) -> None:
    """On both faces."""
    database = DatabaseManager(f"sqlite:///{tmp_path / 'app.db'}")
    with pytest.raises(NotOpen):
        database.rows(BY_ID)
    with pytest.raises(NotOpen):
        now(database.aio)


def test_who_asked_is_told_of_a_connection_that_is_held(database: DatabaseManager) -> None:
    """The application's line, though another thread took the connection."""
    held: list[str] = []
    event.listen(
        database.backend.engine("read"),
        "before_cursor_execute",
        lambda *_: held.extend(str(pool) for pool in database.pools()),
    )
    now(database.aio)
    assert any("test_rows.py" in one for one in held)

"""A test says how many statements a piece of code may send."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest
from sqlalchemy import text

from postrmagic_core.database import DatabaseManager, Unit
from postrmagic_core.testing import assert_queries

BY_ID = text("SELECT n FROM counter WHERE id = :id")


def ask(db: DatabaseManager, times: int = 1) -> None:
    """Read as often."""
    for _ in range(times):
        with db.read() as tx:
            tx.scalar(BY_ID, {"id": 1})


def ask_and_change(db: DatabaseManager) -> None:
    """Three statements of one kind, and another."""
    ask(db, 3)
    with db.write() as tx:
        tx.execute(text("UPDATE counter SET n = 1 WHERE id = 1"))


def test_what_is_within_bounds_passes(database: DatabaseManager) -> None:
    """And what ran can be looked at; the manager's log stays off."""
    with assert_queries(database, max=2, repeated=3) as seen:
        ask(database, 2)
    assert [query.sql for query in seen] == ["SELECT n FROM counter WHERE id = ?"] * 2
    assert len(seen) == 2
    assert all(query.line.startswith(__file__) for query in seen)
    ask(database)
    assert len(seen) == 2
    assert database.queries is None


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        ({"max": 3}, "expected at most 3 statements, 4 ran"),
        ({"exactly": 5}, "expected exactly 5 statements, 4 ran"),
        ({"exactly": 3}, "expected exactly 3 statements, 4 ran"),
        ({"repeated": 3}, "a statement ran 3 times, 3 are too often"),
    ],
)
def test_what_is_not_fails_with_what_ran(database: DatabaseManager, bounds: dict[str, int], expected: str) -> None:
    """The error lists each statement, how often it ran, and from which lines."""
    with pytest.raises(AssertionError) as caught, assert_queries(database, **bounds):
        ask_and_change(database)
    told = str(caught.value)
    assert told.startswith(expected)
    assert "3 x SELECT n FROM counter WHERE id = ?\n" in told
    assert "1 x UPDATE counter SET n = ? WHERE id = ?\n" in told
    assert f"3 at {__file__}" in told


def test_lanes_tasks_and_threads_count(database: DatabaseManager) -> None:
    """Whoever sends a statement in the block, and from where."""

    def change(tx: Unit) -> None:
        tx.execute(text("UPDATE counter SET n = 2 WHERE id = 1"))

    async def from_a_task() -> None:
        async with database.aio.read() as tx:
            await tx.scalar(BY_ID, {"id": 1})
        await database.aio.transact(change)

    with assert_queries(database, exactly=3) as seen:
        asyncio.run(from_a_task())
        thread = threading.Thread(target=ask, args=(database,))
        thread.start()
        thread.join()
    assert all(query.line.startswith(__file__) for query in seen)


def test_a_log_that_is_on_is_used(open_database: Callable[..., DatabaseManager]) -> None:
    """The block's statements are in the log, too."""
    from postrmagic_core.database.analysis.options import QueryLogOptions

    db = open_database(queries=QueryLogOptions())
    with assert_queries(db, exactly=1), db.read() as tx:
        tx.execute(text("SELECT 1"))
    assert db.queries is not None
    assert [query.count for query in db.queries.stats()] == [1]


def test_an_error_of_the_block_goes_first(database: DatabaseManager) -> None:
    """It is not hidden by a count that is then wrong anyway, and the log is left."""
    with pytest.raises(KeyError), assert_queries(database, exactly=7):
        raise KeyError
    with assert_queries(database, exactly=0):
        pass


def test_something_must_be_expected(database: DatabaseManager) -> None:
    """A block without a bound would prove nothing."""
    with pytest.raises(ValueError, match="max=, exactly= or repeated="), assert_queries(database):
        pass

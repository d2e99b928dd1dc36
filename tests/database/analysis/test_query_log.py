"""The query log counts what both engines execute, and never knows a value."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

from postrmagic_core._clock import SystemClock
from postrmagic_core._metrics import LATENCY_BOUNDS
from postrmagic_core.database import DatabaseManager, QueryLogOptions
from postrmagic_core.database.analysis.interface import QueryStats
from postrmagic_core.database.analysis.log import QueryLog
from postrmagic_core.errors import BackendError, IntegrityViolation
from postrmagic_core.testing import FakeClock

Logged = Callable[..., DatabaseManager]
BY_ID = text("SELECT n FROM numbers WHERE id = :id")
LINE = f"{__file__}:"
_LATE = 0.05  # seconds


def stats(db: DatabaseManager) -> list[QueryStats]:
    """What the log of ``db`` knows."""
    assert db.queries is not None
    return db.queries.stats()


def test_it_is_off_unless_asked_for(database: DatabaseManager) -> None:
    """A manager of one's own keeps no log."""
    assert database.queries is None


def test_executions_of_one_statement_are_counted_together(logged: Logged) -> None:
    """Count, seconds, histogram and the line: one row for all values."""
    db = logged()
    with db.read() as tx:
        for number in range(200):
            assert tx.scalar(BY_ID, {"id": number % 10}) is not None
    (query,) = stats(db)
    assert (query.sql, query.count, query.errors) == ("SELECT n FROM numbers WHERE id = ?", 200, 0)
    assert 0 < query.slowest <= query.seconds
    assert (sum(query.buckets), len(query.buckets)) == (200, len(LATENCY_BOUNDS) + 1)
    (caller,) = query.callers
    assert caller.line.startswith(LINE)
    assert caller.line.endswith("(test_executions_of_one_statement_are_counted_together)")
    assert 0 < caller.count <= 200


def test_rows_are_counted_where_the_driver_tells(logged: Logged) -> None:
    """Changed rows exactly; read rows exactly on MySQL, and on SQLite where the first fetches are looked at."""
    db = logged()
    with db.write() as tx:
        tx.execute(text("UPDATE numbers SET n = 7 WHERE id < 4"))
        tx.execute(text("SELECT * FROM numbers WHERE id < 5")).all()
        tx.execute(text("INSERT INTO numbers (id, n) VALUES (:id, 1)"), [{"id": 50}, {"id": 51}])
    assert {query.sql.split()[0]: query.rows for query in stats(db)} == {"UPDATE": 4, "SELECT": 5, "INSERT": 2}


def test_errors_are_counted_with_their_statement(logged: Logged) -> None:
    """A refused row and a wrong statement each count as an execution that failed."""
    db = logged()
    with db.write() as tx, pytest.raises(IntegrityViolation):
        tx.execute(text("INSERT INTO numbers (id, n) VALUES (:id, 1)"), {"id": 1})
    with db.read() as tx, pytest.raises(BackendError):
        tx.execute(text("SELECT absent FROM numbers"))
    assert [(query.count, query.errors) for query in stats(db)] == [(1, 1), (1, 1)]


def test_transactions_are_no_queries(logged: Logged) -> None:
    """BEGIN, SAVEPOINT and what opening a connection takes are not counted."""
    db = logged()
    with db.write() as tx, tx.savepoint():
        tx.execute(text("DELETE FROM numbers WHERE id = 1"))
    with db.read(snapshot=True) as tx:
        tx.execute(text("SELECT id FROM numbers")).all()
    assert sorted(query.sql for query in stats(db)) == ["DELETE FROM numbers WHERE id = ?", "SELECT id FROM numbers"]


def test_further_statements_are_counted_as_others(logged: Logged) -> None:
    """The log keeps so many statements apart and no more."""
    db = logged(fingerprints=3)
    with db.read() as tx:
        for number in range(10):
            tx.execute(text(f"SELECT n AS n{chr(97 + number)} FROM numbers"))
    others = [query for query in stats(db) if query.fingerprint == "0" * 16]
    assert (len(stats(db)), [query.count for query in others]) == (4, [7])


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_texts_that_never_repeat_do_not_fill_the_memory(logged: Logged, monkeypatch: pytest.MonkeyPatch) -> None:
    """Values written into the text make new texts but one statement, and texts are forgotten."""
    monkeypatch.setattr("postrmagic_core.database.analysis.log._TEXTS", 200)
    db = logged()
    with db.read() as tx:
        for number in range(250):
            tx.connection.exec_driver_sql(f"SELECT n FROM numbers WHERE id = {number}")
        long = ", ".join(map(str, range(1500)))
        for _ in range(2):
            tx.connection.exec_driver_sql(f"SELECT n FROM numbers WHERE id IN ({long})")
    assert sorted(query.count for query in stats(db)) == [2, 250]
    assert db.queries is not None
    assert len(db.queries._texts) + len(db.queries._long) <= 200


def test_no_value_is_kept_anywhere(logged: Logged, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A value bound, listed, refused or written into the text is in no statistic, file, warning or plan."""
    db = logged(directory=tmp_path / "queries", slow=1e-9, budget=1e-9, repeated=2)
    canary = "hunter2-canary"
    with db.write() as tx:
        tx.execute(text("INSERT INTO numbers (id, n, name) VALUES (:id, 1, :name)"), {"id": 90, "name": canary})
        tx.execute(text("SELECT * FROM numbers WHERE name = :name OR n = :n"), {"name": canary, "n": 1}).all()
        tx.execute(text(f"SELECT * FROM numbers WHERE name = '{canary}' /* {canary} */")).all()
        tx.execute(text("DELETE FROM numbers WHERE name IN (:a, :b)"), {"a": canary, "b": canary})
        with pytest.raises(IntegrityViolation), tx.savepoint():
            tx.execute(text("INSERT INTO numbers (id, n, name) VALUES (1, 1, :name)"), {"name": canary})
    assert db.queries is not None
    db.queries.flush()
    told = [str(record.__dict__) + record.getMessage() for record in caplog.records]
    files = [path.read_text() for path in (tmp_path / "queries").iterdir()]
    assert len(files) == 1
    assert "took" in "".join(told)
    assert canary not in repr(stats(db)) + "".join(told) + "".join(files)


def test_reset_begins_anew(logged: Logged) -> None:
    """What was counted is gone, and counting goes on."""
    db = logged()
    assert db.queries is not None
    for _ in range(2):
        db.queries.reset()
        with db.read() as tx:
            tx.scalar(BY_ID, {"id": 1})
        assert [query.count for query in stats(db)] == [1]


def test_the_line_is_known_across_lanes(logged: Logged) -> None:
    """Awaited statements run in another thread, but for a line of the task."""
    db = logged()

    async def ask() -> None:
        async with db.aio.read() as tx:
            await tx.scalar(BY_ID, {"id": 1})

    asyncio.run(ask())
    (query,) = stats(db)
    assert [(caller.line.startswith(LINE), caller.count) for caller in query.callers] == [(True, 1)]


def test_threads_are_counted_together(logged: Logged) -> None:
    """All threads of a process share its log; the rare miss of an unlocked counter is not one in a hundred."""
    db = logged()

    def ask() -> None:
        for number in range(100):
            with db.read() as tx:
                tx.scalar(BY_ID, {"id": number % 10})

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (query,) = stats(db)
    assert 396 <= query.count <= 400


def test_a_forked_child_counts_for_itself(logged: Logged) -> None:
    """What the parent counted is not counted again by its child."""
    db = logged()
    with db.read() as tx:
        tx.scalar(BY_ID, {"id": 1})
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        with db.read() as tx:
            tx.scalar(BY_ID, {"id": 1})
            tx.scalar(BY_ID, {"id": 2})
        os.write(writing, repr([query.count for query in stats(db)]).encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reading, 100) == b"[2]"
    assert [query.count for query in stats(db)] == [1]
    os.close(reading)
    os.close(writing)


def test_an_engine_of_anybody_is_heard_by_its_events(tmp_path: Path) -> None:
    """An adapter with SQLAlchemy's own dialect is logged too: executions, errors, and nothing after it was left."""
    engine = create_engine(f"sqlite:///{tmp_path / 'plain.db'}")
    log = QueryLog(QueryLogOptions(), database_id="sqlite:plain", clock=SystemClock())
    log.listen(engine)
    log.listen(engine)
    with engine.connect() as connection:
        connection.execute(text("SELECT 1")).all()
        with pytest.raises(OperationalError):
            connection.execute(text("SELECT absent"))
    log.leave(engine)
    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))
    engine.dispose()
    counted = {query.sql: (query.count, query.errors, query.rows) for query in log.stats()}
    assert counted == {"SELECT ?": (1, 0, 1), "SELECT absent": (1, 1, 0)}


def test_what_fetching_costs_is_part_of_the_statement(tmp_path: Path) -> None:
    """SQLite looks for a further row when it is asked for it: that time, too, is the statement's."""
    with DatabaseManager(f"sqlite:///{tmp_path / 'app.db'}", queries=QueryLogOptions(slow=100)) as db, db.read() as tx:
        second_late = text(
            "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT late(x) FROM c WHERE x < 2) SELECT x FROM c"
        )
        driver: Any = tx.connection.connection.driver_connection
        driver.create_function("late", 1, _late)
        for fetch in (lambda found: found.all(), list, lambda found: [*found.partitions(1)]):
            before = stats(db)[0].seconds if stats(db) else 0.0
            assert fetch(tx.execute(second_late)) in ([(1,), (2,)], [[(1,)], [(2,)]])
            assert stats(db)[0].seconds - before > _LATE
    (query,) = stats(db)
    assert (query.count, sum(query.buckets), query.rows) == (3, 3, 6)
    assert query.buckets[0] == 0


def _late(number: int) -> int:
    time.sleep(_LATE)
    return number + 1


@pytest.mark.parametrize(
    "wrong", [{"slow": 0.0}, {"interval": -1.0}, {"budget": 0.0}, {"repeated": 1}, {"fingerprints": 0}]
)
def test_options_out_of_bounds_are_refused(wrong: dict[str, Any]) -> None:
    """What cannot be meant is said when it is set."""
    with pytest.raises(ValueError, match="expected"):
        QueryLogOptions(**wrong)


def test_its_failure_is_not_the_statements(
    logged: Logged, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """An error inside the log is logged, and the statement answers."""
    db = logged()

    def fail() -> str:
        raise RuntimeError("planted")

    monkeypatch.setattr("postrmagic_core.database.analysis.log.calling_line", fail)
    with db.read() as tx:
        assert tx.scalar(BY_ID, {"id": 4}) == 1
    assert "the query log failed" in caplog.text


def test_since_and_until_are_the_clocks(database_url: str, tmp_path: Path) -> None:
    """The file says from when to when was counted."""
    clock = FakeClock()
    options = QueryLogOptions(directory=tmp_path)
    log = QueryLog(options, database_id="x", clock=clock)
    begin = clock.now_us()
    engine = create_engine("sqlite://")
    log.listen(engine)
    clock.advance(5)
    assert (log._file().since_us, log._file().until_us) == (begin, begin + 5_000_000)
    engine.dispose()

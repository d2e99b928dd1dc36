"""A slow statement is told with its plan, and is none the worse for it."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest
from sqlalchemy import Column, Integer, MetaData, String, Table, insert, text, update

from postrmagic_core._work import working
from postrmagic_core.database import DatabaseManager, Timeouts
from postrmagic_core.database.analysis import slow
from postrmagic_core.errors import BackendTimeout
from postrmagic_core.testing import FakeClock

Logged = Callable[..., DatabaseManager]
NUMBERS = Table(
    "numbers", MetaData(), Column("id", Integer, primary_key=True), Column("n", Integer), Column("name", String(40))
)
SCAN = text("SELECT id FROM numbers WHERE name = :name ORDER BY n")
# Everything is slow.
EACH = 1e-9


def told(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    """The warnings so far."""
    return [record for record in caplog.records if record.levelno == logging.WARNING]


def test_it_is_told_with_its_plan(logged: Logged, caplog: pytest.LogCaptureFixture) -> None:
    """Fingerprint, text, seconds, line, what it was for, and how the database went about it."""
    db = logged(slow=EACH)
    caplog.clear()
    with working("GET /media/17"), db.read() as tx:
        assert tx.scalars(SCAN, {"name": "row 3"}).all() == [3]
    (warning,) = told(caplog)
    found = warning.__dict__
    assert found["sql"] == "SELECT id FROM numbers WHERE name = ? ORDER BY n"
    assert (found["work"], found["line"].startswith(__file__)) == ("GET /media/*", True)
    assert found["seconds"] > 0
    plan = " ".join(found["plan"])
    assert "numbers" in plan
    assert "SCAN" in plan or "ALL" in plan
    assert "TEMP B-TREE" in plan or "filesort" in plan
    assert db.queries is not None
    (query,) = db.queries.stats()
    assert (query.plan, query.fingerprint) == (found["plan"], found["fingerprint"])


def test_it_is_told_once_a_minute(
    open_database: Callable[..., DatabaseManager], logged: Logged, caplog: pytest.LogCaptureFixture
) -> None:
    """However often it is slow."""
    db = logged(slow=EACH)
    caplog.clear()
    for _ in range(3):
        with db.read() as tx:
            tx.scalars(SCAN, {"name": "x"}).all()
    assert len(told(caplog)) == 1


def test_the_minute_is_the_clocks(caplog: pytest.LogCaptureFixture) -> None:
    """After it, the statement may be told again."""
    from postrmagic_core.database.analysis.throttle import INTERVAL, Throttle

    clock, throttle = FakeClock(), Throttle()
    assert throttle.allows("x", "", clock.monotonic())
    clock.advance(INTERVAL - 1)
    assert not throttle.allows("x", "", clock.monotonic())
    clock.advance(1)
    assert throttle.allows("x", "", clock.monotonic())


def test_what_is_fast_is_not_told(logged: Logged, caplog: pytest.LogCaptureFixture) -> None:
    """Below the threshold nothing is said."""
    db = logged(slow=1000.0)
    with db.read() as tx:
        tx.scalars(SCAN, {"name": "x"}).all()
    assert told(caplog) == []


def test_results_are_as_without(logged: Logged) -> None:
    """Keys, row counts and rows are the statement's own, in an open write transaction, with a result half read."""
    db = logged(slow=EACH)
    with db.write() as tx:
        added = tx.execute(insert(NUMBERS).values(n=1, name="new"))
        assert added.inserted_primary_key is not None
        (key,) = added.inserted_primary_key
        assert key == tx.scalar(text("SELECT max(id) FROM numbers"))
        assert tx.execute(update(NUMBERS).where(NUMBERS.c.id < 4).values(n=9)).rowcount == 4
        half = tx.execute(text("SELECT id FROM numbers ORDER BY id"))
        assert half.fetchone() == (0,)
        assert tx.execute(text("SELECT id FROM numbers WHERE n = 9 ORDER BY id")).scalars().all() == [0, 1, 2, 3]
        assert half.scalars().all() == [*range(1, 10), key]
        copied = tx.execute(text("INSERT INTO numbers (id, n) SELECT id + 100, n FROM numbers WHERE id < 2"))
        assert copied.rowcount == 2
        many = [{"id": number, "name": "many"} for number in range(3)]
        assert tx.execute(text("UPDATE numbers SET name = :name WHERE id = :id"), many).rowcount == 3
    with db.read() as tx:
        assert tx.scalar(text("SELECT count(*) FROM numbers")) == 13


def test_a_streamed_result_stays_whole(logged: Logged) -> None:
    """While the server still sends rows nothing else is asked on that connection."""
    db = logged(slow=EACH)
    with db.read() as tx:
        streamed = tx.connection.execution_options(stream_results=True, yield_per=2).execute(
            text("SELECT id FROM numbers ORDER BY id")
        )
        assert streamed.scalars().all() == list(range(10))


def test_many_executions_at_once_are_explained_by_the_first(logged: Logged, caplog: pytest.LogCaptureFixture) -> None:
    """An UPDATE of many rows has the plan of one."""
    db = logged(slow=EACH)
    caplog.clear()
    with db.write() as tx:
        tx.execute(text("UPDATE numbers SET n = 1 WHERE id = :id"), [{"id": 1}, {"id": 2}])
    assert any("numbers" in " ".join(record.__dict__["plan"]) for record in told(caplog))


def test_only_data_has_a_plan(logged: Logged, caplog: pytest.LogCaptureFixture) -> None:
    """Definitions and plain inserts are told without one: there is nothing to look for."""
    db = logged(slow=EACH)
    caplog.clear()
    with db.write() as tx:
        tx.execute(text("CREATE TABLE other (id INTEGER)"))
        tx.execute(text("INSERT INTO other VALUES (1)"))
    assert [record.__dict__["plan"] for record in told(caplog)] == [(), ()]


def test_a_plan_that_cannot_be_had_is_left_out(
    logged: Logged, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When EXPLAIN fails the statement has its answer all the same, and is told."""

    def fail(*_: object) -> tuple[str, ...]:
        raise OSError("planted")

    monkeypatch.setattr(slow, "_asked", fail)
    db = logged(slow=EACH)
    caplog.clear()
    with db.read() as tx:
        assert tx.scalars(SCAN, {"name": "row 3"}).all() == [3]
    assert [record.__dict__["plan"] for record in told(caplog)] == [()]


def test_a_statement_with_percent_signs_is_explained(logged: Logged, caplog: pytest.LogCaptureFixture) -> None:
    """Parameters and percent signs reach EXPLAIN as they reached the statement."""
    db = logged(slow=EACH)
    caplog.clear()
    with db.read() as tx:
        tx.execute(text("SELECT id FROM numbers WHERE n % 2 = :n AND name LIKE '%3'"), {"n": 1}).all()
        tx.connection.exec_driver_sql(
            "SELECT id FROM numbers WHERE name LIKE 'a%'", execution_options={"no_parameters": True}
        ).all()
    assert [bool(record.__dict__["plan"]) for record in told(caplog)] == [True, True]


@pytest.mark.mysql
def test_one_that_timed_out_is_told_without_a_plan(mariadb_url: str, caplog: pytest.LogCaptureFixture) -> None:
    """It failed after so many seconds; nothing more is asked of a server in distress."""
    from postrmagic_core.database.analysis.options import QueryLogOptions

    options = QueryLogOptions(slow=0.05)
    timeouts = Timeouts(statement=0.2)
    endless = text("SELECT count(*) FROM seq_1_to_1000000 a, seq_1_to_1000000 b WHERE a.seq < b.seq")
    opened = DatabaseManager(mariadb_url, timeouts=timeouts, queries=options)
    with opened as db, db.read() as tx, pytest.raises(BackendTimeout):
        tx.scalar(endless)
    (warning,) = [record for record in told(caplog) if "sql" in record.__dict__]
    assert "failed after" in warning.getMessage()
    assert warning.__dict__["plan"] == ()

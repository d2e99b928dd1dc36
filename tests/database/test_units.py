"""Units: what is refused at once, and what other rooms see."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import event, text

from postrmagic_core._protocols import UnitLike, Units
from postrmagic_core._sql import Role
from postrmagic_core.database import DatabaseManager, Unit
from postrmagic_core.errors import Conflict, NotRepeatable, UniqueViolation, UsageError


@pytest.mark.parametrize(("topic", "key"), [("", None), ("t" * 65, None), ("t", ""), ("t", "ä" * 128)])
def test_a_topic_or_key_that_does_not_fit_is_refused_at_once(
    database: DatabaseManager, topic: str, key: str | None
) -> None:
    """Not at the commit, where the cause is hard to see."""
    with database.write() as tx, pytest.raises(ValueError, match="bytes"):
        tx.stage(topic, b"", key=key)


def test_the_room_meets_its_siblings_protocols(database: DatabaseManager) -> None:
    """Cache, jobs and events see the database as Units and its units as UnitLike: checked here by the type checkers."""
    units: Units = database
    with units.write() as tx:
        unit: UnitLike = tx
        assert units.current() is unit
        assert unit.database_id == units.database_id


def test_a_unit_that_acted_outside_the_database_is_not_run_again(database: DatabaseManager) -> None:
    """A conflict afterwards raises, and names what no rollback undoes; a conflict before it is retried."""
    runs: list[str] = []

    def charge(tx: Unit, *, first: bool) -> None:
        runs.append("run")
        if first and len(runs) == 1:
            raise Conflict("before anything was done")
        tx.side_effect("charged order 7")
        raise Conflict("afterwards")

    with pytest.raises(NotRepeatable, match="charged order 7") as raised:
        database.transact(charge, first=True)
    assert len(runs) == 2
    assert not raised.value.retryable
    assert isinstance(raised.value.__cause__, Conflict)


def test_a_side_effect_in_a_savepoint_that_was_undone_has_happened_all_the_same(database: DatabaseManager) -> None:
    """The database forgets it, the world does not."""

    def charge(tx: Unit) -> None:
        with contextlib.suppress(ZeroDivisionError), tx.savepoint():
            tx.side_effect("sent a letter")
            raise ZeroDivisionError
        raise Conflict("afterwards")

    with pytest.raises(NotRepeatable, match="sent a letter"):
        database.transact(charge)


def test_a_reading_unit_has_no_side_effects_to_tell(database: DatabaseManager) -> None:
    """It is never run again by itself."""
    with database.read() as tx, pytest.raises(UsageError, match=r"side_effect\(\) belongs to db.write"):
        tx.side_effect("anything")


@pytest.mark.parametrize("writing", [False, True])
def test_a_result_that_was_not_read_to_its_end_ends_with_its_unit(
    database: DatabaseManager, open_database: Callable[..., DatabaseManager], writing: bool
) -> None:
    """Kept by whoever forgot it, it would show the next unit an old snapshot, and on SQLite forbid it to write."""
    forgotten, other = [], open_database()
    unit = database.write if writing else database.read
    for number in range(1, 4):
        with unit() as tx:
            forgotten.append(tx.execute(text("SELECT n FROM counter UNION ALL SELECT 0")))
            forgotten[-1].fetchone()
        with other.write() as tx:
            tx.execute(text("UPDATE counter SET n = :n"), {"n": number})
        with unit() as tx:
            assert tx.scalar(text("SELECT n FROM counter")) == number
    assert len(forgotten) == 3


def test_rows_that_fail_together_are_undone_together_in_a_savepoint(database: DatabaseManager) -> None:
    """Those before the refused one are in the transaction otherwise, on SQLite surely."""
    rows = [{"id": number} for number in (2, 3, 1, 4)]
    with database.write() as tx:
        with contextlib.suppress(UniqueViolation), tx.savepoint():
            tx.execute(text("INSERT INTO counter VALUES (:id, 0)"), rows)
        tx.execute(text("INSERT INTO counter VALUES (5, 0)"))
    with database.read() as tx:
        assert tx.scalars(text("SELECT id FROM counter ORDER BY id")).all() == [1, 5]


def test_an_applications_own_engine_events_are_heard_in_every_unit(database: DatabaseManager) -> None:
    """Instrumentation of SQLAlchemy, tracing for one, listens there; before the first unit or after it."""
    heard: list[str] = []
    units: dict[Role, Callable[[], Any]] = {"read": database.read, "write": database.write}
    for role, unit in units.items():
        with unit() as tx:
            tx.scalar(text("SELECT 1"))
        engine = database.backend.engine(role)
        event.listen(engine, "before_cursor_execute", lambda *told: heard.append(told[2]))
        with unit() as tx:
            tx.scalar(text("SELECT 2"))
    assert heard == ["SELECT 2", "SELECT 2"]

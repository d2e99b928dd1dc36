"""Units: all or none, one at a time, and what belongs to them."""

# ruff: noqa: PT012 - the error must leave a unit's whole block
from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Column, Integer, MetaData, String, Table, insert, text, update
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from postrmagic_core._protocols import UnitLike, Units
from postrmagic_core.database import DatabaseManager, Unit
from postrmagic_core.errors import (
    BackendRejected,
    Conflict,
    NestedUnit,
    NotOpen,
    UniqueViolation,
    UsageError,
)

metadata = MetaData()
counter = Table("counter", metadata, Column("id", Integer, primary_key=True), Column("n", Integer))

SET = text("UPDATE counter SET n = :n WHERE id = 1")
ADD = text("UPDATE counter SET n = n + 1 WHERE id = 1")
GET = text("SELECT n FROM counter WHERE id = 1")


class Base(DeclarativeBase):
    """Of the mapped classes here."""


class Note(Base):
    """A row for the ORM."""

    __tablename__ = "note"
    id: Mapped[int] = mapped_column(primary_key=True)
    body: Mapped[str] = mapped_column(String(40), unique=True)


def fail() -> None:
    """A hook with a fault."""
    raise ZeroDivisionError


@pytest.fixture
def notes(database: DatabaseManager) -> DatabaseManager:
    """The database with the table of :class:`Note`."""
    with database.write() as tx:
        Base.metadata.create_all(tx.connection)
    return database


def test_a_unit_commits_as_a_whole(database: DatabaseManager, value: Callable[[], Any]) -> None:
    """Everything in the block is there after it."""
    with database.write() as tx:
        tx.execute(ADD)
        tx.execute(ADD)
    assert value() == 2


def test_a_failed_unit_leaves_nothing(database: DatabaseManager, value: Callable[[], Any]) -> None:
    """Any exception, even one that is not an error, undoes the block."""
    with pytest.raises(KeyboardInterrupt), database.write() as tx:
        tx.execute(ADD)
        raise KeyboardInterrupt
    assert value() == 0
    assert database.current() is None


def test_a_second_write_unit_is_refused(database: DatabaseManager, value: Callable[[], Any]) -> None:
    """Two transactions of one thread would wait for each other; the first one goes on."""
    with database.write() as tx:
        with pytest.raises(NestedUnit), database.write():
            pass
        tx.execute(ADD)
    assert value() == 1


def test_reading_inside_a_write_sees_what_was_written(database: DatabaseManager) -> None:
    """`db.read()` in a write unit is that unit."""
    with database.write() as tx:
        tx.execute(SET, {"n": 7})
        with database.read() as inner, database.read(snapshot=True) as snapshot:
            assert inner is snapshot is tx
            assert inner.scalar(GET) == 7
        tx.execute(ADD)
        assert tx.scalar(GET) == 8


def test_a_reading_unit_promises_nothing(database: DatabaseManager) -> None:
    """What belongs to a commit is refused where none will come."""
    with database.read() as tx:
        for call in (tx.before_commit, tx.after_commit, tx.on_rollback):
            with pytest.raises(UsageError, match=r"db\.write"):
                call(lambda: None)
        with pytest.raises(UsageError, match=r"db\.write"):
            tx.stage("topic", b"")
        with pytest.raises(BackendRejected, match=r"db\.write"):
            tx.execute(ADD)


def test_a_snapshot_is_of_one_instant(database: DatabaseManager, value: Callable[[], Any]) -> None:
    """A snapshot does not see commits after it was opened; a plain read does."""

    def commit() -> None:
        with database.write() as tx:
            tx.execute(ADD)

    with database.read(snapshot=True) as old, database.read() as fresh:
        thread = threading.Thread(target=commit)
        thread.start()
        thread.join()
        assert (old.scalar(GET), fresh.scalar(GET)) == (0, 1)
    assert value() == 1


def test_a_called_transactional_joins_the_open_unit(database: DatabaseManager, value: Callable[[], Any]) -> None:
    """Functions compose: the outermost one decides for all."""

    @database.transactional()
    def add(tx: Unit, times: int = 1) -> Unit:
        for _ in range(times):
            tx.execute(ADD)
        return tx

    with pytest.raises(ZeroDivisionError), database.write() as tx:
        assert add(times=2) is tx
        assert database.transact(lambda inner: inner) is tx
        raise ZeroDivisionError
    assert value() == 0
    add(2)
    assert value() == 2


def test_a_thread_may_not_join_an_inherited_unit(database: DatabaseManager) -> None:
    """A copied context carries the unit along; using its connection from two threads is refused."""
    found: list[type[BaseException]] = []

    def use() -> None:
        for call in (database.current, lambda: database.transact(lambda tx: None), lambda: database.read().__enter__()):
            try:
                call()
            except Exception as error:
                found.append(type(error))

    with database.write():
        thread = threading.Thread(target=contextvars.copy_context().run, args=(use,))
        thread.start()
        thread.join()
    assert found == [NestedUnit] * 3


def test_a_thread_of_its_own_context_is_free(database: DatabaseManager) -> None:
    """A thread that inherited nothing reads for itself."""
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


def test_a_child_task_may_not_join_its_parents_unit(database: DatabaseManager) -> None:
    """asyncio tasks inherit context: the child is told, instead of sharing the connection."""

    async def main() -> None:
        async with database.aio.write() as tx:
            await tx.execute(ADD)

            async def child() -> None:
                async with database.aio.write():
                    pass

            with pytest.raises(NestedUnit):
                await asyncio.create_task(child())
            with pytest.raises(NestedUnit):
                await database.aio.transact(lambda inner: None)

    asyncio.run(main())


def test_a_savepoint_fails_alone(database: DatabaseManager, value: Callable[[], Any]) -> None:
    """What a part did is undone, what came before and after it stays."""
    with database.write() as tx:
        tx.execute(ADD)
        with pytest.raises(ZeroDivisionError), tx.savepoint():
            tx.execute(SET, {"n": 99})
            raise ZeroDivisionError
        with tx.savepoint(), tx.savepoint():
            tx.execute(ADD)
    assert value() == 2


def test_a_rolled_back_savepoint_drops_what_it_staged(outbox: DatabaseManager) -> None:
    """Outbox rows and hooks of the part are gone; its rollback hooks are called."""
    called: list[str] = []
    with outbox.write() as tx:
        tx.stage("kept", b"")
        tx.after_commit(lambda: called.append("kept"))
        with pytest.raises(ZeroDivisionError), tx.savepoint() as part:
            part.stage("dropped", b"")
            part.before_commit(lambda: called.append("before"))
            part.after_commit(lambda: called.append("after"))
            part.on_rollback(lambda: called.append("undone"))
            raise ZeroDivisionError
    assert called == ["undone", "kept"]
    assert set(outbox.outbox_counts()) == {"kept"}


def test_a_refused_row_in_a_savepoint_leaves_the_unit_whole(notes: DatabaseManager, value: Callable[[], Any]) -> None:
    """ "Insert, or carry on if it exists" works with Core and with the ORM."""
    with notes.write() as tx:
        tx.session.add(Note(body="one"))
        tx.session.flush()
        with pytest.raises(UniqueViolation), tx.savepoint():
            tx.session.add(Note(body="one"))
        with pytest.raises(UniqueViolation), tx.savepoint():
            tx.execute(insert(Note.__table__).values(body="one"))  # type: ignore[arg-type]  # a Table at run time
        tx.session.add(Note(body="two"))
        tx.execute(ADD)
    with notes.read() as tx:
        assert tx.scalars(text("SELECT body FROM note ORDER BY id")).all() == ["one", "two"]
    assert value() == 1


def test_the_session_is_flushed_and_rolled_back_with_its_unit(notes: DatabaseManager) -> None:
    """ORM and Core share the connection and the fate."""
    with notes.write() as tx:
        tx.session.add(Note(body="kept"))
    with pytest.raises(ZeroDivisionError), notes.write() as tx:
        tx.session.add(Note(body="lost"))
        tx.session.flush()
        raise ZeroDivisionError
    with notes.read() as tx:
        assert [note.body for note in tx.session.query(Note)] == ["kept"]


def test_a_unit_that_was_ended_from_within_does_not_commit_the_rest(
    database: DatabaseManager, value: Callable[[], Any]
) -> None:
    """After a ROLLBACK inside, going on would commit half: it is refused."""
    with pytest.raises(UsageError, match="ended inside"), database.write() as tx:
        tx.execute(ADD)
        tx.session.execute(ADD)
        tx.session.rollback()
        tx.execute(ADD)
    assert value() == 0


def test_tables_written_knows_core_and_orm(notes: DatabaseManager) -> None:
    """The query cache learns which tables changed, and nothing of those only read."""
    with notes.write() as tx:
        tx.scalar(GET)
        assert tx.tables_written == frozenset()
        tx.execute(update(counter).values(n=1))
        assert tx.tables_written == {"counter"}
        tx.session.add(Note(body="x"))
        tx.session.flush()
        assert tx.tables_written == {"counter", "note"}


def test_hooks_run_around_the_commit(database: DatabaseManager) -> None:
    """Before: inside the transaction, those added late included. After: outside, free to open units."""
    seen: list[object] = []

    def before() -> None:
        seen.append(("before", database.current() is tx))
        tx.before_commit(late)

    def late() -> None:
        tx.execute(ADD)

    def after() -> None:
        with database.write() as next_one:
            seen.append(("after", next_one.scalar(GET)))

    with database.write() as tx:
        tx.before_commit(before)
        tx.after_commit(after)
        tx.on_rollback(lambda: seen.append("never"))
    assert seen == [("before", True), ("after", 1)]


def test_a_failing_before_commit_hook_rolls_back(database: DatabaseManager, value: Callable[[], Any]) -> None:
    """Its error leaves the unit; rollback hooks run, commit hooks do not."""
    seen: list[str] = []
    with pytest.raises(ZeroDivisionError), database.write() as tx:
        tx.execute(ADD)
        tx.before_commit(fail)
        tx.after_commit(lambda: seen.append("committed"))
        tx.on_rollback(lambda: seen.append("rolled back"))
    assert (value(), seen) == (0, ["rolled back"])


def test_a_failing_after_commit_hook_is_logged_and_counted(
    database: DatabaseManager, value: Callable[[], Any], caplog: pytest.LogCaptureFixture
) -> None:
    """What is committed stays committed, and the other hooks still run."""
    seen: list[str] = []
    with database.write() as tx:
        tx.execute(ADD)
        tx.after_commit(fail)
        tx.after_commit(lambda: seen.append("second"))
    assert (value(), seen) == (1, ["second"])
    assert [record.name for record in caplog.records] == ["postrmagic_core.database"]
    assert database.metrics.counter("db_hook_errors_total").value == 1


def test_a_caught_conflict_still_ends_the_unit(database: DatabaseManager, value: Callable[[], Any]) -> None:
    """The server has undone the transaction: what is done after it must not commit alone."""
    with pytest.raises(Conflict), database.write() as tx:
        tx.execute(ADD)
        tx.fail(Conflict("deadlock"))
        with pytest.raises(Conflict):
            tx.execute(ADD)
    assert value() == 0


def test_an_ended_unit_refuses_work(database: DatabaseManager) -> None:
    """A tx kept beyond its block says so."""
    with database.write() as tx:
        pass
    with pytest.raises(NotOpen):
        tx.execute(ADD)
    with pytest.raises(NotOpen):
        tx.stage("late", b"")


def test_a_closed_database_refuses_units(database: DatabaseManager) -> None:
    """Before open() and after close() nothing half-works."""
    database.close()
    with pytest.raises(NotOpen), database.write():
        pass
    with database, database.read() as tx:
        assert tx.scalar(GET) == 0


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

"""The database contract on units: all or none, and what belongs to them."""

# ruff: noqa: PT012 - the error must leave a unit's whole block
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import insert, select, text

from postrmagic_core.database import DatabaseManager, Unit
from postrmagic_core.database.transaction import Transaction
from postrmagic_core.errors import BackendRejected, Conflict, NotOpen, UniqueViolation, UsageError

from .database_rows import ADD, GET, Note, Value, Write, counter, fail, set_to


class UnitPromises:
    """Mixed into :class:`~postrmagic_core.testing.contracts.database.DatabaseContract`."""

    def test_a_unit_commits_as_a_whole(self, write: Write, value: Value) -> None:
        """Everything in the block is there after it, and its result is the caller's."""

        def work(tx: Unit) -> str:
            tx.execute(ADD)
            tx.execute(ADD)
            return "done"

        assert (write(work), value()) == ("done", 2)

    def test_a_failed_unit_leaves_nothing(self, write: Write, value: Value, database: DatabaseManager) -> None:
        """Its error comes out unchanged, and what came before it is undone."""

        def work(tx: Unit) -> None:
            tx.execute(ADD)
            fail()

        with pytest.raises(ZeroDivisionError):
            write(work)
        assert (value(), database.current()) == (0, None)

    def test_an_interrupted_unit_leaves_nothing(self, database: DatabaseManager, value: Value) -> None:
        """What is no Exception, Control-C for one, undoes the block too."""
        with pytest.raises(KeyboardInterrupt), database.write() as tx:
            tx.execute(ADD)
            raise KeyboardInterrupt
        assert value() == 0

    def test_a_refused_statement_leaves_its_unit_whole(self, write: Write, value: Value) -> None:
        """Who catches a refusal may go on: what came before it is not lost, nor committed alone."""

        def work(tx: Unit) -> None:
            tx.execute(ADD)
            with pytest.raises(UniqueViolation):
                tx.execute(insert(counter).values(id=1, n=5))
            with pytest.raises(BackendRejected):
                tx.execute(text("SELECT nothing FROM nowhere"))
            tx.execute(ADD)

        write(work)
        assert value() == 2

    def test_a_reading_unit_promises_nothing(self, database: DatabaseManager) -> None:
        """What belongs to a commit is refused where none will come."""
        with database.read() as tx:
            for call in (tx.before_commit, tx.after_commit, tx.on_rollback):
                with pytest.raises(UsageError, match=r"db\.write"):
                    call(lambda: None)
            with pytest.raises(UsageError, match=r"db\.write"):
                tx.stage("topic", b"")

    def test_a_unit_that_was_ended_from_within_does_not_commit_the_rest(
        self, database: DatabaseManager, value: Value
    ) -> None:
        """After a ROLLBACK inside, going on would commit half: it is refused."""
        with pytest.raises(UsageError, match="ended inside"), database.write() as tx:
            tx.execute(ADD)
            tx.session.execute(ADD)
            tx.session.rollback()
            tx.execute(ADD)
        assert value() == 0

    def test_a_caught_conflict_still_ends_the_unit(self, database: DatabaseManager, value: Value) -> None:
        """The server has undone the transaction: what is done after it must not commit alone."""
        with pytest.raises(Conflict), database.write() as tx:
            tx.execute(ADD)
            assert isinstance(tx, Transaction)
            tx.fail(Conflict("deadlock"))
            with pytest.raises(Conflict):
                tx.execute(ADD)
        assert value() == 0

    def test_an_ended_unit_refuses_work(self, write: Write) -> None:
        """A tx kept beyond its block says so."""
        tx = write(lambda tx: tx)
        with pytest.raises(NotOpen):
            tx.execute(ADD)
        with pytest.raises(NotOpen):
            tx.stage("late", b"")
        with pytest.raises(NotOpen), tx.savepoint():
            pass

    def test_tables_written_knows_core_and_orm(self, write: Write) -> None:
        """The query cache learns which tables changed, and nothing of those only read."""

        def work(tx: Unit) -> list[frozenset[str]]:
            tx.scalar(GET)
            seen = [tx.tables_written]
            tx.execute(set_to(1))
            seen.append(tx.tables_written)
            tx.session.add(Note(body="x"))
            tx.session.flush()
            return [*seen, tx.tables_written]

        assert write(work) == [frozenset(), {"counter"}, {"counter", "note"}]

    def test_the_session_shares_its_units_fate(self, write: Write, database: DatabaseManager) -> None:
        """ORM and Core are one transaction: flushed before the commit, undone with it."""

        def lose(tx: Unit) -> None:
            tx.session.add(Note(body="lost"))
            tx.session.flush()
            fail()

        write(lambda tx: tx.session.add(Note(body="kept")))
        with pytest.raises(ZeroDivisionError):
            write(lose)
        with database.read() as tx:
            assert [note.body for note in tx.session.query(Note)] == ["kept"]

    # savepoints

    def test_a_savepoint_fails_alone(self, write: Write, value: Value) -> None:
        """What a part did is undone, what came before and after it stays; parts may lie in parts."""

        def work(tx: Unit) -> None:
            tx.execute(ADD)
            with pytest.raises(ZeroDivisionError), tx.savepoint():
                tx.execute(set_to(99))
                with tx.savepoint():
                    tx.execute(ADD)
                fail()
            with tx.savepoint():
                tx.execute(ADD)
                with pytest.raises(ZeroDivisionError), tx.savepoint():
                    tx.execute(set_to(99))
                    fail()

        write(work)
        assert value() == 2

    def test_a_refused_row_in_a_savepoint_leaves_the_unit_whole(self, write: Write, database: DatabaseManager) -> None:
        """ "Insert, or carry on if it exists" works with Core and with the ORM."""

        def work(tx: Unit) -> None:
            tx.session.add(Note(body="one"))
            tx.session.flush()
            with pytest.raises(UniqueViolation), tx.savepoint():
                tx.session.add(Note(body="one"))
            with pytest.raises(UniqueViolation), tx.savepoint():
                tx.execute(insert(Note.__table__).values(body="one"))  # type: ignore[arg-type]  # a Table at run time
            tx.session.add(Note(body="two"))

        write(work)
        with database.read() as tx:
            assert tx.scalars(select(Note.body).order_by(Note.id)).all() == ["one", "two"]

    def test_a_rolled_back_savepoint_drops_what_it_staged(self, outbox: DatabaseManager, write: Write) -> None:
        """Outbox rows and hooks of the part are gone; its rollback hooks are called."""
        called: list[str] = []

        def work(tx: Unit) -> None:
            tx.stage("kept", b"")
            tx.after_commit(lambda: called.append("kept"))
            with pytest.raises(ZeroDivisionError), tx.savepoint() as part:
                part.stage("dropped", b"")
                part.stage("dropped", b"", key="k")
                part.before_commit(lambda: called.append("before"))
                part.after_commit(lambda: called.append("after"))
                part.on_rollback(lambda: called.append("undone"))
                fail()

        write(work)
        assert called == ["undone", "kept"]
        assert set(outbox.outbox_counts()) == {"kept"}

    # hooks

    def test_hooks_run_around_the_commit_in_order(self, write: Write, value: Value) -> None:
        """Before: inside the transaction, those added late included. After: what was done is there for others."""
        seen: list[object] = []

        def work(tx: Unit) -> None:
            def before() -> None:
                seen.append("before")
                tx.before_commit(late)

            def late() -> None:
                seen.append(("late", value(), tx.scalar(GET)))
                tx.execute(ADD)

            tx.before_commit(before)
            tx.before_commit(lambda: seen.append("second"))
            tx.after_commit(lambda: seen.append(("after", value())))
            tx.after_commit(lambda: seen.append("last"))
            tx.on_rollback(lambda: seen.append("never"))
            tx.execute(ADD)

        write(work)
        assert [seen[0], seen[1], seen[3:]] == ["before", "second", [("after", 2), "last"]]
        assert isinstance(seen[2], tuple)
        assert seen[2][2] == 1

    def test_hooks_find_their_unit_and_then_none(self, write: Write, database: DatabaseManager) -> None:
        """Before the commit the unit is the current one; after it a hook may open its own."""
        seen: list[object] = []

        def work(tx: Unit) -> None:
            tx.before_commit(lambda: seen.append(database.current() is tx))
            tx.after_commit(lambda: seen.append(database.transact(lambda own: own is not tx)))

        write(work)
        assert seen == [True, True]

    def test_a_failing_before_commit_hook_rolls_back(self, write: Write, value: Value) -> None:
        """Its error leaves the unit; rollback hooks run, commit hooks do not."""
        seen: list[str] = []

        def work(tx: Unit) -> None:
            tx.execute(ADD)
            tx.before_commit(fail)
            tx.after_commit(lambda: seen.append("committed"))
            tx.on_rollback(lambda: seen.append("rolled back"))

        with pytest.raises(ZeroDivisionError):
            write(work)
        assert (value(), seen) == (0, ["rolled back"])

    @pytest.mark.parametrize("committed", [True, False])
    def test_a_failing_late_hook_is_logged_and_counted(
        self, write: Write, database: DatabaseManager, caplog: pytest.LogCaptureFixture, committed: bool
    ) -> None:
        """What is settled stays settled, and the other hooks still run."""
        seen: list[str] = []

        def work(tx: Unit) -> None:
            register: Callable[[Callable[[], Any]], None] = tx.after_commit if committed else tx.on_rollback
            register(fail)
            register(lambda: seen.append("second"))
            if not committed:
                raise KeyError

        if committed:
            write(work)
        else:
            with pytest.raises(KeyError):
                write(work)
        assert seen == ["second"]
        assert [record.name for record in caplog.records] == ["postrmagic_core.database"]
        assert database.metrics.counter("db_hook_errors_total").value == 1

    # staging

    def test_staged_rows_share_their_units_fate(self, outbox: DatabaseManager, write: Write) -> None:
        """They wait for a relay if and only if the unit committed."""

        def stage(tx: Unit, *, then: Callable[[], None]) -> None:
            tx.stage("mail", b"\x00\xff", key="k")
            tx.stage("mail", b"")
            then()

        write(lambda tx: stage(tx, then=lambda: None))
        with pytest.raises(ZeroDivisionError):
            write(lambda tx: stage(tx, then=fail))
        counts = outbox.outbox_counts()
        assert {topic: count.waiting for topic, count in counts.items()} == {"mail": 2}

    def test_staged_rows_of_a_key_arrive_in_order(self, outbox: DatabaseManager, write: Write) -> None:
        """As they were staged, bytes unchanged, however many units they came from."""
        arrived: list[bytes] = []

        def stage(tx: Unit) -> None:
            tx.execute(ADD)
            for part in range(2):
                tx.stage("t", b"%d-%d" % (tx.scalar(GET), part), key="k")

        for _ in range(3):
            write(stage)
        relay = outbox.relay({"t": lambda tx, row: arrived.append(row.payload)})
        while relay.run_once():
            pass
        assert arrived == [b"1-0", b"1-1", b"2-0", b"2-1", b"3-0", b"3-1"]

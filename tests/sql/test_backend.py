"""What every backend promises, on each technology."""

from __future__ import annotations

import os
import threading
import traceback
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from sqlalchemy import (
    CheckConstraint,
    Column,
    Connection,
    DateTime,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    func,
    insert,
    select,
    text,
    update,
)

from postrmagic_core._sql import Backend, PoolLimits, Timeouts
from postrmagic_core.errors import (
    BackendRejected,
    Conflict,
    IntegrityViolation,
    PoolExhausted,
    PostrMagicError,
    UniqueViolation,
)

metadata = MetaData()
people = Table(
    "people",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(40), nullable=False),
    Column("city", String(40), nullable=False, server_default="Rome"),
    Column("age", Integer),
    Column("boss", ForeignKey("people.id")),
    Column("born", DateTime),
    CheckConstraint("age >= 0", name="ck_age"),
    UniqueConstraint("name", "city", name="uq_name_city"),
    mysql_engine="InnoDB",
    mysql_charset="utf8mb4",
)
SECRET = "canary-7f3a"


@pytest.fixture
def filled(backend: Backend) -> Backend:
    """The backend with one person in it."""
    with backend.engine("write").begin() as connection:
        metadata.create_all(connection)
        connection.execute(insert(people).values(id=1, name="Ann", age=30))
    return backend


def write(backend: Backend, statement: object, parameters: object = None) -> None:
    with backend.engine("write").begin() as connection:
        connection.execute(statement, parameters)  # type: ignore[call-overload]  # any statement of a test


def test_a_read_engine_takes_no_writes(filled: Backend) -> None:
    """What only reads cannot change anything, whatever the code tries."""
    with filled.engine("read").connect() as connection, pytest.raises(BackendRejected, match=r"db\.write"):
        connection.execute(update(people).values(age=1))
    with filled.engine("read").connect() as connection:
        assert connection.scalar(select(people.c.age)) == 30


def test_a_read_engine_sees_each_commit_at_once(filled: Backend) -> None:
    """Reading is autocommit: a connection kept open does not live in the past."""
    with filled.engine("read").connect() as connection:
        assert connection.scalar(select(people.c.age)) == 30
        write(filled, update(people).values(age=31))
        assert connection.scalar(select(people.c.age)) == 31


def test_a_snapshot_stays_as_it_was_when_opened(filled: Backend) -> None:
    """All reads of a snapshot see one instant, and its connection comes back without it."""
    with filled.engine("read").connect().execution_options(pm_snapshot=True) as connection:
        connection.begin()
        write(filled, update(people).values(age=31))
        assert connection.scalar(select(people.c.age)) == 30
    with filled.engine("read").connect() as connection:
        assert connection.scalar(select(people.c.age)) == 31


def test_a_write_that_is_not_committed_leaves_nothing(filled: Backend) -> None:
    """A connection returned with an open transaction is clean for the next user."""
    with filled.engine("write").connect() as connection:
        connection.execute(update(people).values(age=99))
    with filled.engine("write").connect() as connection:
        assert connection.scalar(select(people.c.age)) == 30


@pytest.mark.parametrize(
    ("values", "constraint", "columns"),
    [
        ({"id": 2, "name": "Ann"}, "uq_name_city", ("name", "city")),
        ({"id": 1, "name": "Bob"}, None, ("id",)),
    ],
)
def test_a_unique_violation_names_its_columns(
    filled: Backend, values: dict[str, object], constraint: str | None, columns: tuple[str, ...]
) -> None:
    """Core statements tell constraint and columns alike on every database."""
    with pytest.raises(UniqueViolation) as caught:
        write(filled, insert(people).values(**values))
    assert caught.value.columns == columns
    if constraint:
        assert caught.value.constraint == constraint


def test_a_unique_violation_of_textual_sql_names_its_columns(filled: Backend) -> None:
    """Without metadata the columns are still found."""
    with pytest.raises(UniqueViolation) as caught:
        write(filled, text("INSERT INTO people (id, name) VALUES (2, :name)"), {"name": "Ann"})
    assert caught.value.columns == ("name", "city")


@pytest.mark.parametrize(
    "values",
    [{"name": None}, {"name": "Bob", "age": -1}, {"name": "Bob", "boss": 77}],
    ids=["null", "check", "foreign key"],
)
def test_other_constraints_are_integrity_violations(filled: Backend, values: dict[str, object]) -> None:
    """NOT NULL, CHECK and foreign keys are enforced and typed on every database."""
    with pytest.raises(IntegrityViolation) as caught:
        write(filled, insert(people).values(id=2, **values))
    assert not isinstance(caught.value, UniqueViolation)


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO people (id, name) VALUES (1, :secret)",
        "UPDATE people SET id = id, nonsense = :secret",
        "SELECT FROM :secret",
        "INSERT INTO people (id, name, age) VALUES (2, 'x', :secret - 'x' - 4)",
    ],
)
def test_no_error_text_repeats_a_bound_value(filled: Backend, statement: str) -> None:
    """Neither the error nor its chain of causes shows what was bound."""
    write(filled, text("INSERT INTO people (id, name) VALUES (9, :secret)"), {"secret": SECRET})
    with pytest.raises(PostrMagicError) as caught:
        write(filled, text(statement), {"secret": SECRET})
    shown = "".join(traceback.format_exception(caught.value))
    assert SECRET not in shown


def test_a_driver_error_stays_as_the_cause(filled: Backend) -> None:
    """Who debugs finds the driver's exception behind ours."""
    with pytest.raises(BackendRejected) as caught:
        write(filled, text("SELECT * FROM missing_table"))
    assert "missing_table" in str(caught.value.__cause__)
    assert filled.map_error(ValueError()) is None
    assert filled.map_error(caught.value) is caught.value


def test_an_exhausted_pool_says_so(make_backend: Callable[..., Backend]) -> None:
    """Waiting for a connection is bounded, and its error is not mistaken for a dead server."""
    backend = make_backend(pool=PoolLimits(size=1, overflow=0, timeout=0.05))
    with backend.engine("read").connect(), pytest.raises(PoolExhausted, match="all 1 are in use"):
        backend.engine("read").connect()


def test_a_writer_waits_no_longer_than_the_lock_timeout(make_backend: Callable[..., Backend], filled: Backend) -> None:
    """Two writers of one row: the second gets a retryable conflict instead of waiting for ever."""
    other = make_backend(timeouts=Timeouts(lock=1.0))
    with filled.engine("write").begin() as connection:
        connection.execute(update(people).values(age=1))
        with pytest.raises(Conflict) as caught:
            write(other, update(people).values(age=2))
    assert caught.value.retryable
    write(other, update(people).values(age=3))


def test_a_stale_read_is_refused_before_it_loses_an_update(filled: Backend) -> None:
    """Read, think, write: whoever was overtaken is told so, or waits; nobody overwrites."""
    results: list[str] = []

    def increment(connection: Connection) -> None:
        age = connection.scalar(select(people.c.age)) or 0
        connection.execute(update(people).values(age=age + 1))

    def rival() -> None:
        try:
            with filled.engine("write").begin() as connection:
                increment(connection)
            results.append("ok")
        except Conflict:
            results.append("conflict")

    with filled.engine("write").begin() as connection:
        increment(connection)
        thread = threading.Thread(target=rival)
        thread.start()
    thread.join()
    with filled.engine("read").connect() as connection:
        assert connection.scalar(select(people.c.age)) == 31 + results.count("ok")


def test_a_forked_child_starts_with_an_empty_pool(filled: Backend) -> None:
    """Parent and child never speak over one connection."""
    with filled.engine("read").connect() as connection:
        mine = connection.connection.dbapi_connection
    child = os.fork()
    if child == 0:
        code = 1
        try:
            with filled.engine("read").connect() as connection:
                fresh = connection.connection.dbapi_connection is not mine
                code = 0 if fresh and connection.scalar(select(people.c.name)) == "Ann" else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    with filled.engine("read").connect() as connection:
        assert connection.connection.dbapi_connection is mine
        assert connection.scalar(select(func.count()).select_from(people)) == 1


def test_instants_do_not_shift(filled: Backend) -> None:
    """What is stored comes back, whatever the server's time zone."""
    instant = datetime(2026, 3, 29, 2, 30, tzinfo=UTC).replace(tzinfo=None)
    write(filled, update(people).values(born=instant))
    with filled.engine("read").connect() as connection:
        assert connection.scalar(select(people.c.born)) == instant

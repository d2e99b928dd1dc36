"""Many writers in processes of their own lose no update; what is tried again, and what is not."""

# ruff: noqa: T201 - a child process speaks by printing
from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest
from sqlalchemy import text

from postrmagic_core.database import DatabaseManager, Unit
from postrmagic_core.database.listeners import listen
from postrmagic_core.errors import AlreadyDone, BackendUnavailable, Conflict, OutcomeUnknown
from postrmagic_core.testing import FakeClock, spawn

PROCESSES, ROUNDS = 4, 100
GET = text("SELECT n FROM counter WHERE id = 1")
SET = text("UPDATE counter SET n = :n WHERE id = 1")


def increment(tx: Unit) -> None:
    """Read, think, write: the way updates get lost."""
    tx.execute(SET, {"n": tx.scalar(GET) + 1})


def increment_many(url: str) -> None:
    """In a process of its own; prints how many increments were acknowledged."""
    with DatabaseManager(url) as database:
        add = database.transactional(retries=100)(increment)
        for done in range(ROUNDS):
            add()
            print(done + 1, flush=True)


@pytest.mark.fault
def test_no_update_is_lost_between_processes(database_url: str, value: Callable[[], Any]) -> None:
    """4 processes, 100 read-modify-writes each: all of them count, and none fails."""
    with ExitStack() as stack:
        children = [stack.enter_context(spawn(increment_many, database_url)) for _ in range(PROCESSES)]
        acknowledged = sum(len(list(child.lines())) for child in children)
    assert (acknowledged, value()) == (PROCESSES * ROUNDS, PROCESSES * ROUNDS)


def test_a_conflict_runs_the_whole_function_again(
    database: DatabaseManager, open_database: Callable[..., DatabaseManager], value: Callable[[], Any]
) -> None:
    """Each attempt starts from fresh reads and fresh promises; pauses grow, then the conflict is raised."""
    clock = FakeClock()
    retrying, hooks, attempts = open_database(clock=clock), list[str](), list[int]()

    @retrying.transactional(retries=2)
    def stubborn(tx: Unit, until: int) -> None:
        attempts.append(tx.scalar(GET))
        tx.execute(SET, {"n": len(attempts)})
        tx.after_commit(lambda: hooks.append("committed"))
        if len(attempts) < until:
            raise Conflict("deadlock")

    stubborn(3)
    assert (attempts, hooks, value()) == ([0, 0, 0], ["committed"], 3)
    before = clock.monotonic()
    with pytest.raises(Conflict):
        stubborn(99)
    assert len(attempts) == 6
    assert 0 <= clock.monotonic() - before < 0.1
    assert retrying.metrics.counter("db_conflicts_total").value == 2 + 3


@pytest.mark.parametrize("error", [OutcomeUnknown("cut"), BackendUnavailable("another backend"), AlreadyDone("done")])
def test_only_a_conflict_is_tried_again(database: DatabaseManager, error: Exception) -> None:
    """Anything else, an unknown outcome first of all, goes to the caller at once."""
    calls: list[int] = []

    def once(tx: Unit) -> None:
        calls.append(1)
        raise error

    with pytest.raises(type(error)):
        database.transact(once)
    assert calls == [1]


def test_a_joined_function_is_not_tried_again_alone(database: DatabaseManager) -> None:
    """Half of a unit cannot be repeated: the conflict goes to the unit that is open."""
    calls: list[int] = []

    def conflicting(tx: Unit) -> None:
        calls.append(1)
        raise Conflict("deadlock")

    with pytest.raises(Conflict), database.write():
        database.transact(conflicting)
    assert calls == [1]


@pytest.mark.mysql
def test_each_retry_has_a_fresh_connection(mariadb_url: str) -> None:
    """What a session keeps over a rollback, variables for one, is not there when the function runs again."""
    found: list[Any] = []
    with DatabaseManager(mariadb_url) as database, DatabaseManager(mariadb_url) as other:
        with other.write() as tx:
            tx.execute(text("CREATE TABLE counter (id INT PRIMARY KEY, n INT NOT NULL) ENGINE=InnoDB"))
            tx.execute(text("INSERT INTO counter VALUES (1, 0)"))

        @database.transactional(retries=3)
        def add(tx: Unit) -> None:
            number = tx.scalar(GET)
            found.append(tx.scalar(text("SELECT @left_behind")))
            if len(found) == 1:
                tx.execute(text("SET @left_behind = 1"))
                with ThreadPoolExecutor(1) as pool:
                    pool.submit(other.transact, increment).result(30)
            tx.execute(SET, {"n": number + 1})

        add()
        with database.read() as tx:
            assert tx.scalar(GET) == 2
    assert found == [None, None]


def test_nobody_connects_while_an_engine_is_still_being_listened_to(
    open_database: Callable[..., DatabaseManager], monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLAlchemy's list of listeners must not grow while the connection of another thread walks it."""
    database = open_database()
    early = list[bool]()

    def listening(*arguments: Any) -> None:
        other = threading.Thread(target=database.rows, args=[text("SELECT 1")])
        other.start()
        other.join(0.5)
        early.append(not other.is_alive())
        others.append(other)
        listen(*arguments)

    others: list[threading.Thread] = []
    monkeypatch.setattr("postrmagic_core.database.runner.listen", listening)
    assert database.rows(text("SELECT 1")) == [(1,)]
    others[0].join(30)
    assert (early, others[0].is_alive()) == ([False], False)

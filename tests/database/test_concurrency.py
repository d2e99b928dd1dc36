"""Many writers, in threads and processes: no update is lost, nobody is locked out, conflicts are tried again whole."""

# ruff: noqa: T201 - a child process speaks by printing
from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import Any

import pytest
from sqlalchemy import text

from postrmagic_core.database import DatabaseManager, PoolLimits, Timeouts, Unit
from postrmagic_core.errors import AlreadyDone, BackendUnavailable, Conflict, OutcomeUnknown, PoolExhausted
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


def test_no_update_is_lost_between_threads(
    database: DatabaseManager, open_database: Callable[..., DatabaseManager], value: Callable[[], Any]
) -> None:
    """More threads than connections: they queue for the pool and for the writer's turn, however slow the machine."""
    patient = open_database(pool=PoolLimits(timeout=60), timeouts=Timeouts(lock=60))
    add = patient.transactional(retries=100)(increment)
    failures: list[BaseException] = []

    def run() -> None:
        try:
            for _ in range(5):
                add()
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (failures, value()) == ([], 100)


def test_a_transfer_under_deadlock_keeps_the_total(database: DatabaseManager) -> None:
    """Two accounts, taken in opposite order: whole units run again until both are through."""
    with database.write() as tx:
        tx.execute(text("INSERT INTO counter VALUES (2, 0)"))
    move = text("UPDATE counter SET n = n + :by WHERE id = :id")
    both = threading.Barrier(2)

    def transfer(source: int, target: int) -> None:
        @database.transactional(retries=20)
        def run(tx: Unit) -> None:
            tx.execute(move, {"by": -1, "id": source})
            tx.execute(move, {"by": 1, "id": target})

        both.wait()
        for _ in range(20):
            run()

    threads = [threading.Thread(target=transfer, args=pair) for pair in ((1, 2), (2, 1))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.read() as tx:
        assert tx.scalars(text("SELECT n FROM counter ORDER BY id")).all() == [0, 0]


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


def test_write_skew_is_excluded_where_asked(database: DatabaseManager) -> None:
    """Two units that each read what the other writes: `serializable` lets only one of them through."""
    with database.write() as tx:
        tx.execute(text("INSERT INTO counter VALUES (2, 0)"))
    both_have_read = threading.Barrier(2, timeout=0.5)
    outcomes: list[str] = []

    def take_if_free(mine: int) -> None:
        try:
            with database.write(isolation="serializable") as tx:
                free = tx.scalar(text("SELECT SUM(n) FROM counter")) == 0
                with suppress(threading.BrokenBarrierError):  # SQLite: the other one still waits for its turn
                    both_have_read.wait()
                if free:
                    tx.execute(text("UPDATE counter SET n = 1 WHERE id = :id"), {"id": mine})
            outcomes.append("committed")
        except Conflict:
            outcomes.append("conflict")

    threads = [threading.Thread(target=take_if_free, args=(number,)) for number in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.read() as tx:
        assert tx.scalar(text("SELECT SUM(n) FROM counter")) == 1
    assert len(outcomes) == 2


def test_waiting_for_a_connection_ends(open_database: Callable[..., DatabaseManager]) -> None:
    """An exhausted pool is its own error, within its time-out, and retryable."""
    database = open_database(pool=PoolLimits(size=1, overflow=0, timeout=0.1))
    with database.read(), pytest.raises(PoolExhausted) as caught, database.read():
        pass
    assert caught.value.retryable


def test_a_writer_that_never_ends_gives_the_others_a_conflict(
    database: DatabaseManager, open_database: Callable[..., DatabaseManager], value: Callable[[], Any]
) -> None:
    """The lock time-out bounds the wait; afterwards everything goes on."""
    other = open_database(timeouts=Timeouts(lock=1.0))
    outcome: list[type[BaseException]] = []

    def rival() -> None:
        try:
            with other.write() as tx:
                tx.execute(SET, {"n": 5})
        except Exception as error:
            outcome.append(type(error))

    with database.write() as tx:
        tx.execute(SET, {"n": 1})
        thread = threading.Thread(target=rival)
        thread.start()
        thread.join()
    assert (outcome, value()) == ([Conflict], 1)
    rival()
    assert value() == 5

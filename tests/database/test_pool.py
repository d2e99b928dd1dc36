"""The pool's ledger: who holds a connection, what an exhausted pool says, who overstays, what closing waits for."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from unittest import mock

import pymysql
import pytest
from sqlalchemy import text

from postrmagic_core._metrics import Metrics
from postrmagic_core._sql import PoolState, overstay
from postrmagic_core._work import working
from postrmagic_core.database import DatabaseManager, PoolLimits
from postrmagic_core.errors import PoolExhausted

ONE = text("SELECT 1")
OpenDatabase = Callable[..., DatabaseManager]


def state(database: DatabaseManager, role: str) -> PoolState:
    """One of its pools."""
    [found] = [pool for pool in database.pools() if pool.role == role]
    return found


def holders(database: DatabaseManager) -> list[Any]:
    """Everybody who holds a connection."""
    return [holder for pool in database.pools() for holder in pool.holders]


def test_the_ledger_names_request_line_and_thread_of_each_holder(database: DatabaseManager) -> None:
    """While a unit is open and no longer."""
    with working("GET /posters"), database.read():
        [holder] = holders(database)
    assert holder.work == "GET /posters"
    assert f"{Path(__file__).name}:" in holder.line
    assert "test_the_ledger_names" in holder.line
    assert holder.thread == threading.current_thread().name
    assert holders(database) == []


def test_units_of_the_async_face_are_held_by_the_line_that_awaits_them(database: DatabaseManager) -> None:
    """Though a lane's thread took the connection."""

    async def main() -> list[str]:
        lines = []
        async with database.aio.read():
            lines += [holder.line for holder in holders(database)]
        async with database.aio.write():
            lines += [holder.line for holder in holders(database)]
        lines.append(await database.aio.transact(lambda tx: holders(database)[0].line))
        return lines

    lines = asyncio.run(main())
    assert len(lines) == 3
    assert all(Path(__file__).name in line for line in lines), lines


def test_an_exhausted_pool_names_its_holders_longest_first(open_database: OpenDatabase) -> None:
    """So that the error itself says whom to look at."""
    database = open_database(pool=PoolLimits(size=2, overflow=0, timeout=0.1))
    held, done = threading.Barrier(3), threading.Event()

    def hold(name: str) -> None:
        with working(name), database.read() as tx:
            tx.execute(ONE)
            held.wait(10)
            done.wait(10)

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(hold, "GET /slow")
        while not holders(database):
            time.sleep(0.001)
        second = pool.submit(hold, "job thumbnails 7")
        held.wait(10)
        with pytest.raises(PoolExhausted) as raised, database.read():
            pass
        done.set()
        first.result(10)
        second.result(10)
    told = str(raised.value)
    assert told.index("GET /slow") < told.index("job thumbnails 7")
    assert Path(__file__).name in told
    [counted] = [value for name, _, value in database.metrics.counters() if name == "db_pool_exhausted_total" and value]
    assert counted == 1


def test_a_holder_past_its_budget_is_logged_once_with_its_stack(
    open_database: OpenDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    """The stack its thread has then: where it is stuck, not where it began."""
    database = open_database()

    def stuck_here() -> None:
        overstay.watch(database.backend._ledgers["read"], 0.05)  # type: ignore[attr-defined]  # only now, however slow the machine
        deadline = time.monotonic() + 60
        while not caplog.records and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.1)  # more looks

    with caplog.at_level(logging.WARNING, "postrmagic_core.database"), working("GET /stuck"), database.read() as tx:
        tx.execute(ONE)
        stuck_here()
    [record] = caplog.records
    told = record.getMessage()
    assert "GET /stuck" in told
    assert "in stuck_here" in told


def test_waits_holds_and_connects_are_measured(open_database: OpenDatabase) -> None:
    """In seconds, by pool; a wait counts without what it took to open the connection."""
    metrics = Metrics()
    database = open_database(pool=PoolLimits(size=1, overflow=0, timeout=60), metrics=metrics)
    started = threading.Event()

    def hold() -> None:
        with database.read() as tx:
            tx.execute(ONE)
            started.set()
            while not state(database, "read").waiting:
                time.sleep(0.001)
            time.sleep(0.05)

    with ThreadPoolExecutor(1) as pool:
        holding = pool.submit(hold)
        started.wait(10)
        with database.read() as tx:
            tx.execute(ONE)
        holding.result(10)
    found = {name: histogram for name, labels, histogram in metrics.histograms() if ("pool", "read") in labels}
    assert found["db_pool_connect_seconds"].count == 1
    assert found["db_pool_hold_seconds"].count == 2
    assert found["db_pool_hold_seconds"].sum >= 0.05
    assert found["db_pool_wait_seconds"].count == 2
    assert found["db_pool_wait_seconds"].sum >= 0.05


def test_those_who_wait_are_served_in_order_and_counted(open_database: OpenDatabase) -> None:
    """One connection, five threads that come one after the other."""
    database = open_database(pool=PoolLimits(size=1, overflow=0, timeout=30))
    served: list[int] = []

    def wait(number: int) -> None:
        with database.read():
            served.append(number)

    threads = [threading.Thread(target=wait, args=[number]) for number in range(5)]
    with database.read():
        for number, thread in enumerate(threads):
            thread.start()
            while state(database, "read").waiting <= number:
                time.sleep(0.001)
    for thread in threads:
        thread.join(30)
    assert served == [0, 1, 2, 3, 4]


def test_many_threads_on_few_connections_lose_none(open_database: OpenDatabase) -> None:
    """Nobody waits for ever, and at the end every connection is idle."""
    database = open_database(pool=PoolLimits(size=2, overflow=1, timeout=60))

    def use(_: int) -> int:
        with database.read() as tx:
            return int(tx.scalar(ONE))

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(use, range(800))) == 800
    pool_now = state(database, "read")
    assert (pool_now.in_use, pool_now.waiting, pool_now.holders) == (0, 0, ())
    assert 1 <= pool_now.open <= 3


def test_closing_waits_for_units_under_way_and_closes_what_comes_back_late(
    open_database: OpenDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    """In time: they end as they would have. Too late: it says who they are, and their connections end with them."""
    patient, impatient = open_database(pool=PoolLimits(timeout=60)), open_database(pool=PoolLimits(timeout=0.1))
    inside, leave = threading.Event(), threading.Event()
    released: list[Any] = []

    def hold(database: DatabaseManager, seconds: float) -> None:
        with working("GET /slow"), database.read() as tx:
            released.append(tx.connection.connection.dbapi_connection)
            inside.set()
            leave.wait(seconds)

    with ThreadPoolExecutor(1) as pool:
        quick = pool.submit(hold, patient, 0.05)
        assert inside.wait(60)
        patient.close()
        assert holders(patient) == []
        quick.result(60)
        assert not caplog.records
        inside.clear()
        slow = pool.submit(hold, impatient, 60)
        assert inside.wait(60)
        with caplog.at_level(logging.WARNING, "postrmagic_core.database"):
            impatient.close()
        assert "GET /slow" in caplog.records[0].getMessage()
        leave.set()
        slow.result(60)
    with pytest.raises((sqlite3.ProgrammingError, pymysql.err.InterfaceError)):
        released[-1].cursor().execute("SELECT 1")


@pytest.mark.mysql
def test_a_connection_that_was_idle_for_long_is_asked_before_it_is_used(
    mariadb_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that a firewall forgot gives no sign of its death: the question costs a round trip, seldom."""
    with DatabaseManager(mariadb_url, pool=PoolLimits(idle_check=600.0)) as database:
        with database.read() as tx:
            connection: Any = tx.connection.connection.dbapi_connection
        answers = connection.answers
        connection.answers = mock.Mock(side_effect=answers)
        for pause in (0.0, 601.0, 0.0):
            monkeypatch.setattr("postrmagic_core._sql.pool.monotonic", lambda pause=pause: time.monotonic() + pause)
            with database.read() as tx:
                assert tx.connection.connection.dbapi_connection is connection
    assert connection.answers.call_count == 1


@pytest.mark.mysql
def test_a_connection_past_its_age_is_replaced(mariadb_url: str) -> None:
    """Before a proxy's own limit cuts it in the middle of something."""
    with DatabaseManager(mariadb_url, pool=PoolLimits(max_age=0.05)) as database:
        numbers = []
        for _ in range(2):
            with database.read() as tx:
                numbers.append(tx.scalar(text("SELECT CONNECTION_ID()")))
            time.sleep(0.1)
    assert numbers[0] != numbers[1]


def test_a_closed_database_leaves_no_thread_behind(open_database: OpenDatabase) -> None:
    """Neither the one that looks for holders past their budget, nor the one that answers `postrmagic db pool`."""
    before = set(threading.enumerate())
    names = {"postrmagic-pool-watch", "postrmagic-pool-window"}
    database = open_database()
    for _ in range(2):
        database.open()
        with database.read() as tx:
            tx.execute(ONE)
        assert names <= {thread.name for thread in threading.enumerate()}
        database.close()
        assert set(threading.enumerate()) - before == set()

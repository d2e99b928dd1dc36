"""A server that is slow, and a wall clock that is set: the pool's promises hold."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from postrmagic_core.database import DatabaseManager, PoolLimits, Timeouts, Unit
from postrmagic_core.errors import BackendTimeout, BackendUnavailable, Conflict, PoolExhausted
from postrmagic_core.testing.proxy import FaultProxy

pytestmark = pytest.mark.fault

ONE = text("SELECT 1")
ADD = text("UPDATE counter SET n = n + 1 WHERE id = 1")
SESSION = text("SELECT CONNECTION_ID()")
HOUR = 3600.0
# Seconds that a busy machine may add to a promised time-out; what would not end, or ends by the clock, takes longer.
SLACK = 20.0


class Call:
    """A call in a thread of its own: what it raised, and how long it took."""

    def __init__(self, work: Callable[[], object]) -> None:
        self.error: Exception | None = None
        self.seconds = 0.0
        self._work = work
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        began = time.monotonic()
        try:
            self._work()
        except Exception as error:
            self.error = error
        self.seconds = time.monotonic() - began

    def ended(self, within: float) -> bool:
        """Whether it has come to its end, waited for."""
        self._thread.join(within)
        return not self._thread.is_alive()


def read_one(database: DatabaseManager) -> None:
    """The shortest unit."""
    with database.read() as tx:
        tx.scalar(ONE)


@contextmanager
def holding(database: DatabaseManager, number: int) -> Iterator[list[Unit]]:
    """So many connections of the reading pool, in use."""
    with ExitStack() as held:
        yield [held.enter_context(database.read()) for _ in range(number)]


@contextmanager
def wall_clock_set(seconds: float) -> Iterator[None]:
    """As if an operator had set the machine's clock; time that passes is not touched."""
    wall, wall_ns = time.time, time.time_ns
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("time.time", lambda: wall() + seconds)
        patch.setattr("time.time_ns", lambda: wall_ns() + int(seconds * 1e9))
        patch.setattr("sqlalchemy.util.queue._time", lambda: wall() + seconds)
        yield


# DB4: a slow server


@pytest.mark.mysql
def test_a_slow_server_serves_everybody_in_turn(mariadb_url: str) -> None:
    """150 ms for each answer, six busy threads on two connections: all get on, none waits beyond the time-out."""
    limits, latency = PoolLimits(size=2, overflow=0, timeout=20.0), 0.15
    with FaultProxy(mariadb_url) as proxy, DatabaseManager(proxy.url, pool=limits) as slow:
        with holding(slow, 2):
            pass
        proxy.latency(latency)
        served, healthy, going = [0] * 6, 0, threading.Event()

        def work(number: int) -> None:
            while not going.is_set():
                read_one(slow)
                served[number] += 1

        calls = [Call(partial(work, number)) for number in range(6)]
        with DatabaseManager(mariadb_url, pool=limits) as other:
            deadline = time.monotonic() + 10 * latency
            while time.monotonic() < deadline:
                read_one(other)
                healthy += 1
        going.set()
        assert all(call.ended(limits.timeout + SLACK) for call in calls)
        assert [call.error for call in calls] == [None] * 6
        assert proxy.hits > 0
        assert min(served) > 0, f"somebody starved: {served}"
        assert healthy > sum(served), "another pool was slowed down"


@pytest.mark.mysql
def test_waiting_for_a_pool_kept_by_slow_statements_ends(mariadb_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are stopped at the statement's time-out, who waits at the pool's; the other pools go on meanwhile."""
    monkeypatch.setattr("postrmagic_core._sql.mysql.silence", lambda _: SLACK)  # however late the server's word comes
    limits, timeouts = PoolLimits(size=2, overflow=0, timeout=0.5), Timeouts(statement=2.0)
    with DatabaseManager(mariadb_url, pool=limits, timeouts=timeouts) as database:
        with holding(database, 2) as units:
            sessions = {tx.scalar(SESSION) for tx in units}
            sleeping = [Call(partial(tx.scalar, text("SELECT SLEEP(60)"))) for tx in units]
            waiting = Call(lambda: read_one(database))
            with database.write() as tx, DatabaseManager(mariadb_url, pool=limits) as other:
                assert tx.scalar(ONE) == 1
                read_one(other)
            assert waiting.ended(limits.timeout + SLACK)
            assert isinstance(waiting.error, PoolExhausted)
            assert waiting.seconds >= limits.timeout
            assert all(call.ended(timeouts.statement + SLACK) for call in sleeping)
            assert all(isinstance(call.error, BackendTimeout) or call.error is None for call in sleeping)
            assert min(call.seconds for call in sleeping) < timeouts.statement + SLACK
        with holding(database, 2) as units:
            assert {tx.scalar(SESSION) for tx in units} == sessions, "a stopped statement cost its connection"


# DB17: a wall clock that is set by an hour


@pytest.mark.mysql
@pytest.mark.parametrize("jump", [-HOUR, HOUR])
def test_a_clock_that_is_set_while_waiting_changes_no_time_out(mariadb_url: str, jump: float) -> None:
    """Neither later nor earlier does the wait for a connection end."""
    limits = PoolLimits(size=1, overflow=0, timeout=0.4)
    with DatabaseManager(mariadb_url, pool=limits) as database, holding(database, 1):
        waiting = Call(lambda: read_one(database))
        while not database.backend.engine("read").pool._pool._waiting:  # type: ignore[attr-defined]  # our own pool's
            time.sleep(0.001)
        with wall_clock_set(jump):
            assert waiting.ended(limits.timeout + SLACK)
    assert isinstance(waiting.error, PoolExhausted)
    assert waiting.seconds >= limits.timeout


@pytest.mark.mysql
def test_a_clock_that_is_set_ages_no_connection(mariadb_url: str) -> None:
    """Connections are used on; they end when so much time has really passed."""
    with DatabaseManager(mariadb_url, pool=PoolLimits(size=1, overflow=0, max_age=1.5)) as database:

        def session() -> Any:
            with database.read() as tx:
                return tx.scalar(SESSION)

        first, opened = session(), time.monotonic()
        with wall_clock_set(HOUR):
            assert session() == first
        with wall_clock_set(-HOUR):
            assert session() == first
            while time.monotonic() - opened < 1.6:
                time.sleep(0.05)
            assert session() != first


@pytest.mark.mysql
def test_a_clock_that_is_set_back_after_an_outage_opens_no_connection_for_each_call(mariadb_url: str) -> None:
    """What was opened since the outage is good, whatever its wall time."""
    with FaultProxy(mariadb_url) as proxy, DatabaseManager(proxy.url, pool=PoolLimits(size=1, overflow=0)) as database:
        read_one(database)
        with database.read() as tx:
            proxy.cut(on=b"SELECT 1")
            with pytest.raises(BackendUnavailable):
                tx.scalar(ONE)
        assert proxy.hits > 0
        with wall_clock_set(-HOUR):
            read_one(database)
            opened = proxy.accepted
            for _ in range(5):
                read_one(database)
            assert proxy.accepted == opened


@pytest.mark.parametrize("jump", [-HOUR, HOUR])
def test_a_clock_that_is_set_changes_no_wait_for_a_lock(tmp_path: Path, jump: float) -> None:
    """The conflict comes at the time-out, and whole units are tried again as ever; servers have their own clocks."""
    timeouts, began = Timeouts(lock=0.3), threading.Event()
    with DatabaseManager(f"sqlite:///{tmp_path / 'app.db'}", timeouts=timeouts) as database:
        with database.write() as tx:
            tx.execute(text("CREATE TABLE counter (id INTEGER PRIMARY KEY, n INTEGER NOT NULL)"))
            tx.execute(text("INSERT INTO counter VALUES (1, 0)"))

        def rival() -> None:
            began.set()
            with database.write() as tx:
                tx.execute(ADD)

        with database.write() as tx:
            tx.execute(ADD)
            waiting = Call(rival)
            assert began.wait(10)
            with wall_clock_set(jump):
                assert waiting.ended(timeouts.lock + SLACK)
        assert isinstance(waiting.error, Conflict)
        attempts: list[int] = []

        def stubborn(tx: Unit) -> None:
            attempts.append(1)
            if len(attempts) < 3:
                raise Conflict("deadlock")
            tx.execute(ADD)

        with wall_clock_set(jump):
            retrying = Call(lambda: database.transact(stubborn))
            assert retrying.ended(SLACK)
        with database.read() as tx:
            assert tx.scalar(text("SELECT n FROM counter")) == 2

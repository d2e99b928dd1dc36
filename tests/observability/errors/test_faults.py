"""Errors are counted whatever happens meanwhile: other processes, a kill, a database that is away."""

from __future__ import annotations

import json
import logging
import os
import signal
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from postrmagic_core._metrics import Metrics
from postrmagic_core._sql import Timeouts
from postrmagic_core.database import DatabaseManager
from postrmagic_core.errors import Conflict, OutcomeUnknown
from postrmagic_core.observability.errors import Errors, ErrorTracker
from postrmagic_core.testing import FakeClock, spawn, until
from postrmagic_core.testing.servers import MariaDBServer
from tests.observability.errors.conftest import make_tables
from tests.observability.errors.rig import cleaned, noted, raised

SHORT = Timeouts(connect=1.0, statement=1.0, lock=1.0)
KINDS = 7


def counted(errors: Errors) -> int:
    """How many errors there are in all groups."""
    return sum(group.count for group in errors.find(limit=5000))


def log_errors(url: str, count: int, release: str) -> None:
    """What a process of the application does; it says when all is noted, and when all is written."""
    with DatabaseManager(url) as database, ErrorTracker(database, release=release) as tracker:
        events = [cleaned(f"failed {name}", fingerprint=f"f{name}") for name in range(KINDS)]
        for number in range(count):
            tracker(events[number % KINDS], None)
            if number % 50 == 0:
                time.sleep(0.01)
        print("noted", flush=True)  # noqa: T201 - the parent reads it
    print("written", flush=True)  # noqa: T201 - the parent reads it


@pytest.mark.fault
def test_processes_at_once_count_exactly(database_url: str, database: DatabaseManager) -> None:
    """Four of them, the same groups, while somebody resolves and ignores those: nothing is lost, nothing twice."""
    errors = Errors(database)
    children = [spawn(log_errors, database_url, 1000, f"1.{number}") for number in range(4)]
    said = 0
    while any(child.alive for child in children):
        for group in errors.find():
            said += errors.resolve(group.fingerprint, by="ann") + errors.ignore(group.fingerprint, more=1, by="bob")
        time.sleep(0.02)
    for child in children:
        with child:
            assert list(child.lines()) == ["noted", "written"]
    assert {group.fingerprint: group.count for group in errors.find()} == {
        f"f{name}": 4 * len(range(name, 1000, KINDS)) for name in range(KINDS)
    }
    assert sum(sum(hours) for hours in errors.hourly([f"f{n}" for n in range(KINDS)], hours=2).values()) == 4000
    assert said > 0


@pytest.mark.fault
def test_changes_at_once_are_all_kept(database: DatabaseManager) -> None:
    """Each says who and when; the last one holds."""
    with ErrorTracker(database) as tracker:
        noted(tracker, fingerprint="f")
    errors = Errors(database)
    threads = [threading.Thread(target=errors.resolve, args=["f"], kwargs={"by": f"{n}"}) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    group = errors.get("f")
    assert group is not None
    assert sorted(change.by for change in group.changes) == [f"{n}" for n in range(8)]


def log_on(url: str) -> None:
    """Notes one error each 10 ms, and says when, until it is killed."""
    with DatabaseManager(url) as database, ErrorTracker(database) as tracker:
        while True:
            tracker({"event": "x", "fingerprint": "f"}, None)
            print(time.monotonic(), flush=True)  # noqa: T201 - the parent reads it
            time.sleep(0.01)


@pytest.mark.fault
def test_a_kill_loses_the_last_second_at_most(database_url: str, database: DatabaseManager) -> None:
    """What was noted earlier is there, and nothing that was not."""
    with spawn(log_on, database_url) as child:
        began = float(child.line())
        times = [began]
        while times[-1] < began + 2.5:
            times.append(float(child.line()))
        child.kill()
        times += [float(line) for line in child.lines()]
    earlier = sum(at < times[-1] - 1.5 for at in times)  # a second, and a busy machine's half
    assert earlier <= counted(Errors(database)) <= len(times) + 1


@pytest.mark.fault
def test_an_outage_costs_callers_nothing_and_loses_nothing(house: Any, caplog: pytest.LogCaptureFixture) -> None:
    """It is told once, counted, tried again, and over within seconds of its end; memory is bounded meanwhile."""
    url, away, back = house
    metrics = Metrics()
    with DatabaseManager(url, timeouts=SHORT) as database:
        make_tables(database)
        with ErrorTracker(database, metrics=metrics) as tracker:
            noted(tracker, fingerprint="f0")
            assert tracker.flush()
            database.backend.dispose(timeout=1)  # an open file is read on, whatever stands in its place
            away()
            try:
                began = time.monotonic()
                for number in range(5000):
                    tracker({"event": "x", "fingerprint": f"f{number % 300}"}, None)
                assert time.monotonic() - began < 2.0
                until(lambda: metrics.counter("errors_write_failures_total").value >= 2)
                assert len(tracker._batches) <= 10
            finally:
                back()
            until(lambda: counted(Errors(database)) == 5001, timeout=10)
    assert metrics.counter("errors_lost_total").value == 0
    told = [record for record in caplog.records if "cannot be written" in record.message]
    assert [record.levelno for record in told] == [logging.WARNING]


@pytest.mark.fault
@pytest.mark.mysql
def test_closing_while_the_server_hangs_is_bounded_and_says_what_is_lost(server: MariaDBServer) -> None:
    """One try, as long as the database's time-outs."""
    url = server.create_database()
    metrics = Metrics()
    with DatabaseManager(url, timeouts=SHORT) as database:
        make_tables(database)
        tracker = ErrorTracker(database, metrics=metrics).open()
        server.pause()
        try:
            for number in range(500):
                tracker({"event": "x", "fingerprint": f"f{number}"}, None)
            began = time.monotonic()
            tracker.close()
            assert time.monotonic() - began < 15
        finally:
            server.resume()
    assert metrics.counter("errors_lost_total").value == 500


def hold_the_lock(file: str) -> None:
    """Begins to write to a SQLite file, says so, and does not end."""
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    print("held", flush=True)  # noqa: T201 - the parent reads it
    time.sleep(60)


def write_nothing(database: DatabaseManager) -> None:
    """Waits for the lock as the application does."""
    with suppress(Conflict), database.write():
        pass


@pytest.mark.fault
def test_closing_while_another_holds_the_lock_takes_seconds_at_most(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """With the default time-outs, also behind another who waits; what was told to be lost is not written later."""
    file, metrics = tmp_path / "app.db", Metrics()
    with DatabaseManager(f"sqlite:///{file}") as database:
        make_tables(database)
        tracker = ErrorTracker(database, metrics=metrics).open()
        with spawn(hold_the_lock, str(file)) as other:
            assert other.line() == "held"
            waiting = threading.Thread(target=write_nothing, args=[database])
            waiting.start()
            until(lambda: any(pool.in_use for pool in database.pools() if pool.role == "write"))
            time.sleep(0.5)  # so long before the tracker's its try ends: that one has two waits, one after the other
            noted(tracker, fingerprint="f")
            until(lambda: tracker._batches)  # a try is under way
            noted(tracker, fingerprint="g")
            began = time.monotonic()
            tracker.close()
            assert time.monotonic() - began < 6  # with a second or two for a busy machine
        waiting.join(30)
        with tracker:
            noted(tracker, fingerprint="g")
        assert {group.fingerprint: group.count for group in Errors(database).find()} == {"g": 1}
    assert metrics.counter("errors_lost_total").value == 2
    assert [record.levelno for record in caplog.records if "before the end" in record.message] == [logging.WARNING]


@pytest.mark.fault
def test_what_failed_as_it_closes_is_not_tried_again(tmp_path: Path) -> None:
    """Closing takes what is left of one try, not another one as well."""
    file, metrics = tmp_path / "app.db", Metrics()
    lock = 1.5
    with DatabaseManager(f"sqlite:///{file}", timeouts=Timeouts(lock=lock)) as database:
        make_tables(database)
        tracker = ErrorTracker(database, metrics=metrics).open()
        with spawn(hold_the_lock, str(file)) as other:
            assert other.line() == "held"
            noted(tracker, fingerprint="f")
            until(lambda: tracker._batches)
            tracker.close()
    assert metrics.counter("errors_write_failures_total").value == 1
    assert metrics.counter("errors_lost_total").value == 1


class CutOff:
    """A database whose answer to some commits does not arrive, although they are made."""

    def __init__(self, database: DatabaseManager, cuts: int) -> None:
        self._database = database
        self.cuts = cuts

    @property
    def database_id(self) -> str:
        """See :class:`DatabaseManager`."""
        return self._database.database_id

    def current(self) -> Any:
        """See :class:`DatabaseManager`."""
        return self._database.current()

    def read(self) -> AbstractContextManager[Any]:
        """See :class:`DatabaseManager`."""
        return self._database.read()

    @contextmanager
    def write(self) -> Iterator[Any]:
        """A unit that commits, and does not say so."""
        with self._database.write() as tx:
            yield tx
        if self.cuts:
            self.cuts -= 1
            raise OutcomeUnknown("cut off")


@pytest.mark.fault
def test_an_answer_that_was_cut_off_counts_nothing_twice(
    database: DatabaseManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The batch is tried again and found to be written; what was noted meanwhile is counted, too."""
    cut = CutOff(database, cuts=2)
    with ErrorTracker(cut) as tracker:
        monkeypatch.setattr(tracker._errand, "ask", lambda: None)  # it writes when told
        for _ in range(3):
            noted(tracker, fingerprint="f")
        assert not tracker._flush()
        noted(tracker, fingerprint="f")
        assert not tracker._flush(), "the second batch was cut off as well"
        assert tracker._flush()
        assert counted(Errors(database)) == 4


@pytest.mark.fault
def test_errors_of_the_writing_itself_are_not_written(
    database: DatabaseManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What fails there is logged as an error by whoever it is, and noted by nobody: it would never end."""
    seen = []

    class Tell(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append(record.name)
            noted(tracker, event=record.getMessage(), logger=record.name)

    handler = Tell(logging.ERROR)
    log = logging.getLogger("postrmagic_core.database.listeners")
    monkeypatch.setattr(log, "handlers", [handler])
    database.on_write(lambda tx: log.error("a listener failed") if "pm_errors" in tx.tables_written else None)
    with ErrorTracker(database) as tracker:
        noted(tracker, fingerprint="f")
        until(lambda: seen)
        time.sleep(0.7)  # longer than it gathers
        log.error("elsewhere")
    assert {group.message for group in Errors(database).find()} == {"request failed", "elsewhere"}
    assert seen.count("postrmagic_core.database.listeners") <= 4


def fork_and_log(url: str) -> None:
    """A child of a process that has errors waiting has none of them, and writes its own."""
    with DatabaseManager(url) as database, ErrorTracker(database) as tracker:
        tracker._errand.ask = lambda: None  # type: ignore[method-assign]  # it writes when told
        tracker({"event": "x", "fingerprint": "warm"}, None)
        tracker.flush()
        tracker({"event": "x", "fingerprint": "parent"}, None)
        child = os.fork()
        if child == 0:
            signal.alarm(20)
            tracker({"event": "x", "fingerprint": "child"}, None)
            os._exit(0 if tracker.flush() else 1)
        print(json.dumps(os.waitpid(child, 0)[1]), flush=True)  # noqa: T201 - the parent reads it


@pytest.mark.fault
def test_a_forked_child_writes_its_own_errors(database_url: str, database: DatabaseManager) -> None:
    """And those of its parent once, by the parent."""
    with spawn(fork_and_log, database_url) as child:
        assert child.line() == "0"
        child.wait()
    assert {group.fingerprint: group.count for group in Errors(database).find()} == {"warm": 1, "parent": 1, "child": 1}


def test_a_clock_set_back_changes_no_first_or_last(database: DatabaseManager) -> None:
    """What is noted after it was is neither the newest nor earlier than the first that is known."""
    clock = FakeClock()
    with ErrorTracker(database, clock=clock) as tracker:
        noted(tracker, raised(ValueError, "before"), fingerprint="f")
        clock.jump(-3600)
        noted(tracker, raised(ValueError, "after"), fingerprint="f")
        assert tracker.flush()
    group = Errors(database).get("f")
    assert group is not None
    assert group.last_seen_at - group.first_seen_at == timedelta(hours=1)
    assert (group.count, group.message) == (2, "before")


@pytest.mark.parametrize("written_ahead", [True, False], ids=["written", "waiting"])
def test_a_clock_that_was_far_ahead_pins_no_group(database: DatabaseManager, written_ahead: bool) -> None:
    """One error of a clock that jumps, and is set right again, is the newest until the next."""
    clock = FakeClock()
    now = clock.now
    with ErrorTracker(database, clock=clock, release="1.1") as tracker:
        clock.jump(9 * 365 * 86_400)
        noted(tracker, raised(ValueError, "ahead"), fingerprint="f")
        if written_ahead:
            assert tracker.flush()
        clock.jump(-9 * 365 * 86_400)
        noted(tracker, raised(ValueError, "now"), fingerprint="f")
        assert tracker.flush()
        group = Errors(database).get("f")
        assert group is not None
        assert group.sample is not None
        assert (group.count, group.message, group.last_seen_at) == (2, "now", now)
        assert group.sample["exception"]["message"] == "now"
        clock.jump(-12 * 3600)
        noted(tracker, raised(ValueError, "earlier"), fingerprint="f")
        assert tracker.flush()
    group = Errors(database).get("f")
    assert group is not None
    assert (group.count, group.message) == (3, "now"), "half a day is no such jump"

"""The SQL stores' own promises: a table that makes itself, ended rows that go, conflicts that are borne."""

from __future__ import annotations

import queue
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from postrmagic_core._sql import Link, open_backend
from postrmagic_core._sql.link import EngineLink
from postrmagic_core._sql.sqlite_link import FileLink
from postrmagic_core.errors import (
    BackendRejected,
    BackendTimeout,
    BackendUnavailable,
    Conflict,
    OutcomeUnknown,
    PoolExhausted,
    SchemaMismatch,
)
from postrmagic_core.stores import open_store
from postrmagic_core.stores.adapters._sweeper import Sweeper
from postrmagic_core.stores.adapters.sql import Held, SqlStore
from postrmagic_core.stores.scripts import GCRA, LEASE_RELEASE
from postrmagic_core.testing import FakeClock

SQL = ["sqlite", pytest.param("mariadb", marks=pytest.mark.mysql)]


@pytest.fixture(params=SQL)
def url(request: pytest.FixtureRequest, url_of: Callable[[str], str]) -> str:
    """An empty database of each dialect."""
    return url_of(request.param)


@pytest.fixture
def silent_port() -> Iterator[int]:
    """The port of something that takes connections and says nothing."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        yield server.getsockname()[1]


def opened(url: str, *, timeout: float) -> SqlStore:
    """The store of the URL's dialect."""
    store = open_store(url, timeout=timeout)
    assert isinstance(store, SqlStore)
    return store


@pytest.fixture
def sql(url: str) -> Iterator[SqlStore]:
    """The store on it."""
    with closing(opened(url, timeout=5.0)) as store:
        yield store


def rows(url: str) -> int:
    """How many rows the table has, ended ones included."""
    backend = open_backend(url)
    try:
        with backend.engine("read").connect() as connection:
            return int(connection.execute(text("SELECT COUNT(*) FROM pm_kv")).scalar_one())
    finally:
        backend.dispose()


def end_all(url: str) -> None:
    """Let every row that has an end end now."""
    backend = open_backend(url)
    try:
        with backend.engine("write").begin() as connection:
            connection.execute(text("UPDATE pm_kv SET e = 1 WHERE e IS NOT NULL"))
    finally:
        backend.dispose()


def test_the_first_read_finds_an_empty_store(sql: SqlStore) -> None:
    """Nobody has to make the table."""
    assert sql.get([b"k"]) == [None]


def test_ended_rows_are_swept_in_batches(sql: SqlStore, url: str) -> None:
    """What ended goes, what lives or has no end stays; a limit is kept to a batch."""
    sql.set({b"old-%d" % number: b"v" for number in range(1200)}, 3_600_000)
    end_all(url)
    sql.set({b"young": b"v"}, 3_600_000)
    sql.set({b"kept": b"v"}, None)
    assert sql.sweep(limit=1) == 500
    assert sql.sweep() == 700
    assert sql.sweep() == 0
    assert rows(url) == 2
    assert sql.get([b"young", b"kept", b"old-1"]) == [b"v", b"v", None]


def test_what_a_script_leaves_behind_is_swept(sql: SqlStore, url: str) -> None:
    """A Script on keys that do not exist may lock them by rows; none stays."""
    assert sql.run(LEASE_RELEASE, [b"missing"], [b"owner"]) == [0]
    assert sql.get([b"missing"]) == [None]
    sql.sweep()
    assert rows(url) == 0


def test_the_thread_starts_with_the_first_write_and_ends_with_the_store(url: str) -> None:
    """A store that is only read sweeps nothing, and a closed one has no thread left."""
    before = set(threading.enumerate())

    def sweepers() -> int:
        return sum(thread.name == "postrmagic-sweeper" for thread in set(threading.enumerate()) - before)

    with closing(opened(url, timeout=5.0)) as store:
        store.get([b"k"])
        assert sweepers() == 0
        store.set({b"k": b"v"}, None)
        assert sweepers() == 1
    assert set(threading.enumerate()) <= before  # nor is the one that watches the pool


class Swept:
    """Something to sweep, that may fail the first time."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.calls: queue.SimpleQueue[int] = queue.SimpleQueue()

    def sweep(self) -> None:
        """Once more."""
        self.calls.put(1)
        if self.error is not None:
            raise self.error


@pytest.mark.parametrize("error", [None, BackendUnavailable("away")])
def test_sweeping_goes_on(error: Exception | None) -> None:
    """Again and again, an outage of the database included."""
    swept = Swept(error)
    sweeper = Sweeper(swept.sweep, 0.001)
    sweeper.start()
    sweeper.start()
    for _ in range(3):
        swept.calls.get(timeout=10)
    sweeper.stop()
    sweeper.stop()


def test_a_forgotten_store_ends_its_thread() -> None:
    """The thread keeps nobody alive: without its object it ends by itself."""
    before = set(threading.enumerate())
    swept = Swept()
    sweeper = Sweeper(swept.sweep, 0.001)
    sweeper.start()
    swept.calls.get(timeout=10)
    thread = (set(threading.enumerate()) - before).pop()
    del swept
    thread.join(10)
    assert not thread.is_alive()


def test_reading_scripts_write_nothing(sql: SqlStore, url: str) -> None:
    """A bucket that denies is asked again without a lock, and admits as soon as it may."""
    then = 60 * 366 * 86_400 * 1_000_000
    assert sql.run(GCRA, [b"bucket"], [1_000_000, 1], now_us=then) == [1, 1_000_000]
    for _ in range(3):
        assert sql.run(GCRA, [b"bucket"], [1_000_000, 1], now_us=then) == [0, 1_000_000]
    assert sql.run(GCRA, [b"bucket"], [1_000_000, 1], now_us=then + 1_000_000) == [1, 1_000_000]
    assert sql.run(GCRA, [b"bucket"], [1_000_000, 1], now_us=then + 1_000_000) == [0, 1_000_000]


def test_a_denied_script_takes_no_lock(sql: SqlStore, url: str) -> None:
    """While another holds the writer's turn, a Script that only reads is answered."""
    sql.run(GCRA, [b"bucket"], [3_600_000_000, 1])
    sql.run(GCRA, [b"bucket"], [3_600_000_000, 1])
    other = open_backend(url)
    with other.engine("write").connect() as connection:
        connection.begin()
        connection.execute(text("UPDATE pm_kv SET e = e"))
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(sql.run, GCRA, [b"bucket"], [3_600_000_000, 1]).result(3)[0] == 0
    other.dispose()


def test_a_lost_commit_is_unknown(sql: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commit may have happened: the caller is told so, and it is not tried again."""
    sql.set({b"k": b"1"}, None)
    commits = []

    def cut(self: Link) -> None:
        commits.append(self)
        raise BackendUnavailable("cut")

    for link in (EngineLink, FileLink):
        monkeypatch.setattr(link, "commit", cut)
    with pytest.raises(OutcomeUnknown):
        sql.set({b"k": b"2"}, None)
    assert len(commits) == 1


def test_time_is_the_clock_given(tmp_path: Path) -> None:
    """On SQLite a test moves the time; nothing sleeps."""
    clock = FakeClock()
    with closing(open_store(f"sqlite:///{tmp_path}/kv.db", clock=clock)) as store:
        store.set({b"k": b"v"}, 10_000)
        clock.advance(9.9)
        assert store.get([b"k"]) == [b"v"]
        clock.advance(0.1)
        assert store.get([b"k"]) == [None]
        assert (store.touch([b"k"], 10_000), store.delete([b"k"])) == (0, 0)


def test_a_file_of_another_version_is_refused(tmp_path: Path) -> None:
    """Neither an application's file nor a later version's is touched."""
    path = tmp_path / "app.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 7")
    with closing(open_store(f"sqlite:///{path}")) as store, pytest.raises(SchemaMismatch, match="version 7"):
        store.get([b"k"])


def test_a_writer_that_stays_is_a_conflict_in_time(tmp_path: Path) -> None:
    """A store whose file is locked by another program says so within its time-out, and works again after."""
    path = tmp_path / "kv.db"
    with closing(open_store(f"sqlite:///{path}", timeout=0.2)) as store:
        store.set({b"k": b"1"}, None)
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(Conflict):
                store.set({b"k": b"2"}, None)
            assert store.get([b"k"]) == [b"1"]
            other.execute("ROLLBACK")
        store.set({b"k": b"3"}, None)
        assert store.get([b"k"]) == [b"3"]


def test_a_process_that_starts_waits_for_no_writer(tmp_path: Path) -> None:
    """What is there already is only read: of fifty processes that start at once none takes the writer's turn."""
    path = tmp_path / "kv.db"
    with closing(open_store(f"sqlite:///{path}")) as store:
        store.set({b"k": b"1"}, None)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with closing(open_store(f"sqlite:///{path}", timeout=0.2)) as store:
            assert store.get([b"k"]) == [b"1"]
        other.execute("ROLLBACK")


def test_making_the_table_may_take_longer_than_an_operation(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine the first operation is slow and not refused; the next one is bounded as ever."""
    with closing(opened(url, timeout=2.0)) as store:
        create = store.create

        def slowly(held: Held) -> None:
            held.until -= 2.5  # as if so much time had passed
            create(held)

        monkeypatch.setattr(store, "create", slowly)
        store.set({b"k": b"v"}, None)
        assert store.get([b"k"]) == [b"v"]


def test_the_first_use_outwaits_another_starter(tmp_path: Path) -> None:
    """Who makes the table has the writer's turn for longer than an operation may take: the others wait for it."""
    path = tmp_path / "kv.db"
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
        other.execute("PRAGMA journal_mode=WAL")
        other.execute("BEGIN IMMEDIATE")
        later = threading.Timer(0.5, other.execute, ["ROLLBACK"])
        later.start()
        with closing(open_store(f"sqlite:///{path}", timeout=0.1)) as store:
            assert store.get([b"k"]) == [None]
        later.join()


@pytest.mark.mysql
def test_callers_of_a_silent_server_do_not_wait_for_each_other(silent_port: int) -> None:
    """The table is not made yet: even so each of ten threads is told within its time-out, not one after the other."""
    url = f"mysql://user@127.0.0.1:{silent_port}/db"
    with closing(open_store(url, timeout=0.4)) as store, ThreadPoolExecutor(10) as pool:
        began = time.monotonic()
        errors = [each.exception() for each in [pool.submit(store.get, [b"k"]) for _ in range(10)]]
        assert time.monotonic() - began < 3.5
        assert {type(error) for error in errors} <= {BackendUnavailable, BackendTimeout, PoolExhausted}


@pytest.mark.mysql
def test_a_value_larger_than_the_servers_packet_is_refused(mariadb_url: str) -> None:
    """The server's limit is named, and the store goes on."""
    with closing(open_store(mariadb_url, timeout=5.0)) as store:
        for size in (8_400_000, 20_000_000):
            with pytest.raises(BackendRejected, match="max_allowed_packet"):
                store.set({b"k": b"x" * size}, None)
        value = b"x" * 8_380_000
        store.set({b"k": value}, None)
        assert store.get([b"k"]) == [value]

"""A move that is killed, cut off or out of room at any point goes on from there: every row once, and the same."""

# ruff: noqa: T201 - a child process speaks by printing
from __future__ import annotations

import os
import random
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from postrmagic_core.database.transfer.copying import snapshot
from postrmagic_core.database.transfer.copying.options import RunOptions
from postrmagic_core.database.transfer.copying.run import run
from postrmagic_core.database.transfer.interface import (
    CheckPlan,
    ForeignKeyPlan,
    IndexPart,
    IndexPlan,
    Plan,
    TablePlan,
)
from postrmagic_core.database.transfer.server import open_target
from postrmagic_core.database.transfer.session import Session
from postrmagic_core.errors import BackendUnavailable, OutOfSpace
from postrmagic_core.testing import spawn
from postrmagic_core.testing.servers import MariaDBServer
from tests.database.transfer.handmade import HIDDEN, column, plan, serial, table, words

pytestmark = [pytest.mark.fault, pytest.mark.mysql]

ROWS = 200
OPTIONS = RunOptions(batch_rows=40)
# No key at all: a batch that came twice would not be noticed by the server.
EXISTING = "CREATE TABLE events (what VARCHAR(99) COLLATE utf8mb4_bin)"


def fill(file: Path) -> None:
    """Four tables of some rows each."""
    numbers = range(-1, ROWS - 1)
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.executescript("""
            CREATE TABLE users (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT);
            CREATE TABLE posts (id INTEGER PRIMARY KEY, by INTEGER REFERENCES users (id));
            CREATE TABLE log (line TEXT);
            CREATE TABLE events (what TEXT);
        """)
        connection.executemany("INSERT INTO users VALUES (?, ?)", [(n, f"user {n} ä\t\\") for n in numbers])
        connection.executemany("INSERT INTO posts VALUES (?, ?)", [(n, n) for n in numbers])
        for name in ("log", "events"):
            connection.executemany(f"INSERT INTO {name} VALUES (?)", [(f"{n % 3}",) for n in numbers])


def planned(file: Path, url: str) -> Plan:
    """Two new tables of which one names the other, one without a key, and one without a key that is there already."""
    server = open_target(url).server
    tables: tuple[TablePlan, ...] = (
        table(
            "users",
            serial(),
            words("name", server=server),
            indexes=(IndexPlan("ux", "ux", (IndexPart("name"),), unique=True),),
            checks=(CheckPlan("ck", "name > ''", "`name` > ''"),),
            auto_increment=1000,
        ),
        table(
            "posts",
            serial(),
            column("by", declared="INTEGER"),
            foreign_keys=(ForeignKeyPlan("fk", ("by",), "users", ("id",)),),
        ),
        table("log", HIDDEN, words("line", server=server), primary_key=(HIDDEN.target,)),
        table("events", words("what", server=server), key=("rowid",), primary_key=(), existing=True),
    )
    return plan(file, url, *tables, server=server)


def execute(url: str, statement: str) -> list[tuple[Any, ...]]:
    """One statement, committed."""
    with closing(open_target(url).connect()) as session:
        found = list(session.rows(statement))
        session.commit()
        return found


def is_whole(file: Path, url: str) -> None:
    """Every row of every table is there once, with all that was planned around it."""
    with closing(sqlite3.connect(file)) as connection:
        for ours, theirs in (
            ("SELECT * FROM users ORDER BY id", "SELECT * FROM users ORDER BY id"),
            ("SELECT * FROM posts ORDER BY id", "SELECT * FROM posts ORDER BY id"),
            ("SELECT rowid, line FROM log ORDER BY rowid", "SELECT pm_rowid, line FROM log ORDER BY pm_rowid"),
            ("SELECT what FROM events ORDER BY what", "SELECT what FROM events ORDER BY what"),
        ):
            assert execute(url, theirs) == connection.execute(ours).fetchall()
    made = execute(
        url, "SELECT constraint_name FROM information_schema.table_constraints WHERE constraint_schema = DATABASE()"
    )
    assert {"ux", "ck", "fk"} <= {name.lower() for (name,) in made}


@pytest.fixture
def filled(file: Path) -> Path:
    """The source with its rows."""
    fill(file)
    return file


@pytest.fixture
def prepared_url(url: str) -> str:
    """A database with the one table that is there already."""
    execute(url, EXISTING)
    return url


def count_statements(then: Callable[[int], None]) -> None:
    """``then`` is told the number of each statement and commit, once before it is sent and once after its answer."""
    lock = threading.Lock()
    done = 0

    def counted(plain: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            nonlocal done
            with lock:
                done += 1
                then(done)
            found = plain(*arguments, **options)
            with lock:
                done += 1
                then(done)
            return found

        return call

    for name in ("query", "load", "commit"):
        setattr(Session, name, counted(getattr(Session, name)))


def die_at(file: str, url: str, point: int, workers: int) -> None:
    """Run the plan in this process, which ends by SIGKILL at the ``point``-th moment; prints how many there were."""
    moments = 0

    def then(number: int) -> None:
        nonlocal moments
        moments = number
        if number == point:
            os.kill(os.getpid(), signal.SIGKILL)

    made = planned(Path(file), url)
    count_statements(then)
    run(made, url, replace(OPTIONS, workers=workers))
    print(moments, flush=True)


@pytest.mark.parametrize("points", [8, pytest.param(50, marks=[pytest.mark.soak, pytest.mark.timeout(600)])])
def test_killed_anywhere_it_goes_on(filled: Path, prepared_url: str, points: int) -> None:
    """At moments drawn from all there are, each in a database of its own: two processes killed, the third ends it."""
    chance = random.Random(points)
    with spawn(die_at, str(filled), prepared_url, 0, 2) as child:
        moments = int(child.line())
    is_whole(filled, prepared_url)
    for part in range(points):
        with closing(open_target(prepared_url).connect()) as session:
            session.execute("SET foreign_key_checks=0")
            session.execute("DROP TABLE IF EXISTS users, posts, log, events, pm_transfer")
            session.execute(EXISTING)
        # One from each part of the whole, so that all stages come up.
        point = moments * part // points + chance.randrange(1, moments // points + 1)
        with spawn(die_at, str(filled), prepared_url, point, 1 + part % 2) as child:
            assert child.wait(60) == -signal.SIGKILL
        with spawn(die_at, str(filled), prepared_url, 5 + chance.randrange(30), 2) as child:
            child.wait(60)
        run(planned(filled, prepared_url), prepared_url, OPTIONS)
        is_whole(filled, prepared_url)


def die_in_snapshot(file: str, url: str) -> None:
    """SIGKILL while the snapshot is being copied."""

    def then(what: str, done: int, total: int | None) -> None:
        if what == "snapshot":
            os.kill(os.getpid(), signal.SIGKILL)

    run(planned(Path(file), url), url, OPTIONS, then)


def test_killed_while_the_snapshot_is_made(filled: Path, prepared_url: str) -> None:
    """Half a copy is never taken for one, and does not stay."""
    with spawn(die_in_snapshot, str(filled), prepared_url) as child:
        assert child.wait(60) == -signal.SIGKILL
    assert [path.suffix for path in filled.parent.glob(".*")] == [".partial"]
    run(planned(filled, prepared_url), prepared_url, OPTIONS)
    is_whole(filled, prepared_url)
    assert [path.suffix for path in filled.parent.glob(".*")] == [".snapshot"]


def interruptible(file: str, url: str, pause: str) -> None:
    """Run slowly, told by a line as soon as rows move; so many seconds pass between the beginnings of two tables."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    told = threading.Event()
    submit = ThreadPoolExecutor.submit

    def submit_and_pause(*given: Any, **more: Any) -> Any:
        begun = submit(*given, **more)
        time.sleep(float(pause) if threading.current_thread() is threading.main_thread() else 0)
        return begun

    def then(what: str, done: int, total: int | None) -> None:
        if what == "users" and not told.is_set():
            told.set()
            print("moving", flush=True)

    ThreadPoolExecutor.submit = submit_and_pause  # type: ignore[method-assign]  # in this process alone
    try:
        run(planned(Path(file), url), url, replace(OPTIONS, rows_per_second=20), then)
    except KeyboardInterrupt:
        print("interrupted", flush=True)


@pytest.mark.parametrize("pause", ["0", "2"], ids=["moving", "beginning"])
def test_interrupted_by_hand_it_ends_at_once_and_goes_on_later(filled: Path, prepared_url: str, pause: str) -> None:
    """Ctrl-C, although each worker waits for its turn, and while some tables have not begun."""
    with spawn(interruptible, str(filled), prepared_url, pause) as child:
        assert child.line() == "moving"
        began = time.monotonic()
        os.kill(child.pid, signal.SIGINT)
        assert child.line() == "interrupted"
        assert child.wait(10) == 0
        assert time.monotonic() - began < 8
    report = run(planned(filled, prepared_url), prepared_url, OPTIONS)
    assert report.resumed
    assert 0 < report.moved < 4 * ROWS
    is_whole(filled, prepared_url)


@pytest.fixture
def own_server(own_mariadb_server: Callable[..., MariaDBServer]) -> MariaDBServer:
    """A server that may be killed, with the one table that is there already."""
    started = own_mariadb_server()
    execute(started.url, EXISTING)
    return started


def test_a_server_that_dies_and_returns_is_waited_for(filled: Path, own_server: MariaDBServer) -> None:
    """Killed while rows move, away for a while, and started again: the run goes on by itself."""
    url, moving = own_server.url, threading.Event()

    def outage() -> None:
        moving.wait(30)
        own_server.kill()
        time.sleep(1)
        own_server.start()

    def told(what: str, done: int, total: int | None) -> None:
        if what == "users":
            moving.set()

    threading.Thread(target=outage).start()
    report = run(planned(filled, url), url, replace(OPTIONS, rows_per_second=400), told)
    assert report.moved == 4 * ROWS
    is_whole(filled, url)


def test_a_server_that_stays_away_is_given_up(filled: Path, own_server: MariaDBServer) -> None:
    """After the patience that was asked for, with an error that says so; what is there can be gone on with."""
    url = own_server.url

    def told(what: str, done: int, total: int | None) -> None:
        if what == "users" and own_server.running:
            own_server.kill()

    with pytest.raises(BackendUnavailable):
        run(planned(filled, url), url, replace(OPTIONS, patience=1.5), told)
    own_server.start()
    run(planned(filled, url), url, OPTIONS)
    is_whole(filled, url)


@contextmanager
def lost_commits(*, happened: bool) -> Iterator[list[int]]:
    """Every fourth commit has no answer: it happened if so told, or else not. One entry for each commit."""
    plain = Session.commit
    seen: list[int] = []

    def commit(self: Session) -> None:
        seen.append(1)
        lost = len(seen) % 4 == 0
        if happened or not lost:
            plain(self)
        if lost:
            self.cut()
            self.close()
            raise BackendUnavailable("the answer was cut off")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Session, "commit", commit)
        yield seen


@pytest.mark.parametrize("happened", [True, False], ids=["committed", "lost"])
def test_a_commit_without_an_answer_is_looked_up(filled: Path, prepared_url: str, happened: bool) -> None:
    """The checkpoint tells whether the rows are there; they neither come twice nor lack."""
    made = planned(filled, prepared_url)
    with lost_commits(happened=happened) as seen:
        report = run(made, prepared_url, OPTIONS)
    assert len(seen) > 20
    assert sum(each.rows for each in report.tables) == 4 * ROWS
    is_whole(filled, prepared_url)


def test_without_local_files_rows_are_inserted(filled: Path, own_mariadb_server: Callable[..., MariaDBServer]) -> None:
    """The same rows, by statements."""
    url = own_mariadb_server(options=["--local-infile=0"]).url
    execute(url, EXISTING)
    run(planned(filled, url), url, OPTIONS)
    is_whole(filled, url)
    loaded = execute(url, "SHOW GLOBAL STATUS LIKE 'Com_load'")
    assert loaded == [("Com_load", "0")]


def test_a_disk_that_fills_while_the_snapshot_is_made(
    filled: Path, prepared_url: str, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Although there was room when it was looked at: nothing stays there, and with room it goes on."""
    from tests.disks import Ballast  # not where child processes import this file

    with closing(sqlite3.connect(filled)) as connection, connection:
        connection.execute("CREATE TABLE ballast AS SELECT zeroblob(4000000) AS weight")
    options = replace(OPTIONS, directory=small_disk)
    ballast = Ballast(small_disk, 1_000_000)
    ballast.load()
    monkeypatch.setattr(snapshot, "_check_room", lambda *_: None)
    with pytest.raises(OutOfSpace):
        run(planned(filled, prepared_url), prepared_url, options)
    assert [path.name for path in small_disk.iterdir()] == ["ballast"]
    ballast.drop()
    run(planned(filled, prepared_url), prepared_url, options)
    is_whole(filled, prepared_url)

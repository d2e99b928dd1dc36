"""Faults between us and the database: each one bites first, then we see what is promised."""

# ruff: noqa: PT012, T201 - a unit fails as a block; a child process speaks by printing
from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from sqlalchemy import text

from postrmagic_core.database import DatabaseManager, OutboxRow, PoolLimits, Timeouts, Unit
from postrmagic_core.database.analysis import fingerprint
from postrmagic_core.errors import (
    BackendReadOnly,
    BackendRejected,
    BackendTimeout,
    BackendUnavailable,
    Conflict,
    OutcomeUnknown,
    OutOfSpace,
)
from postrmagic_core.testing import spawn
from postrmagic_core.testing.history import History, set_full
from postrmagic_core.testing.proxy import FaultProxy
from postrmagic_core.testing.servers import MariaDBServer, MySQLServer, require

pytestmark = pytest.mark.fault

ADD = text("UPDATE counter SET n = n + 1 WHERE id = 1")
GET = text("SELECT n FROM counter WHERE id = 1")
SESSION = text("SELECT CONNECTION_ID()")
INSERT = text("INSERT INTO counter VALUES (:id, 0)")
COUNTER = "CREATE TABLE counter (id INTEGER PRIMARY KEY, n INTEGER NOT NULL)"
NOT_DONE = (BackendUnavailable, BackendTimeout)
SHORT = Timeouts(connect=1.0, statement=1.0, lock=1.0)


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(MariaDBServer, id="mariadb"),
        pytest.param(MySQLServer, id="mysql", marks=pytest.mark.soak),
    ],
)
def server(request: pytest.FixtureRequest) -> Iterator[MariaDBServer]:
    """A server that these tests may break."""
    kind: type[MariaDBServer] = request.param
    require(kind.binary(), f"faults need a private server: there is no {kind.name}")
    with kind() as own:
        yield own


@pytest.fixture
def url(server: MariaDBServer) -> str:
    """A database on it, with a counter at 0."""
    fresh = server.create_database()
    with DatabaseManager(fresh) as database, database.write() as tx:
        tx.execute(text(COUNTER))
        tx.execute(INSERT, {"id": 1})
    return fresh


def read(url: str, statement: str = "SELECT n FROM counter WHERE id = 1") -> Any:
    """One value, over a fresh connection."""
    with DatabaseManager(url) as database, database.read() as tx:
        return tx.scalar(text(statement))


def insert(database: DatabaseManager, number: int) -> Callable[[], None]:
    """A call that commits one row."""
    return lambda: database.transact(insert_row, number)


def insert_row(tx: Unit, number: int) -> None:
    """One row, by its number."""
    tx.execute(INSERT, {"id": number})


@pytest.mark.mysql
def test_a_server_killed_during_commits_loses_nothing_it_acknowledged(server: MariaDBServer, url: str) -> None:
    """Four threads commit, the server dies and returns: acknowledged rows are there, others were attempted."""
    history, going = History(), threading.Event()
    ids = iter(range(10, 100_000))

    def work(process: int, database: DatabaseManager) -> None:
        while not going.is_set():
            number = next(ids)
            try:
                history.run(process, "add", number, insert(database, number), surely_not=NOT_DONE)
            except (*NOT_DONE, OutcomeUnknown):
                going.wait(0.01)

    with DatabaseManager(url, timeouts=SHORT) as database:
        threads = [threading.Thread(target=work, args=(number, database)) for number in range(4)]
        for thread in threads:
            thread.start()
        for _ in range(2):
            await_commit(history)
            server.kill()
            server.start()
        await_commit(history)
        going.set()
        for thread in threads:
            thread.join()
        with database.read() as tx:
            history.run(9, "read", None, lambda: set(tx.scalars(text("SELECT id FROM counter WHERE id > 1"))))
    assert any(op.type in {"fail", "info"} for op in history.ops), "the kill never bit"
    assert any(op.type == "ok" and op.f == "add" for op in history.ops)
    checked = set_full(history.ops)
    assert checked, checked.found


def await_commit(history: History) -> None:
    """Wait until one more unit was acknowledged."""
    known = len(history.ops)
    while not any(op.type == "ok" for op in history.ops[known:]):
        time.sleep(0.01)


@pytest.mark.mysql
def test_a_server_restarted_between_calls_is_not_noticed(server: MariaDBServer, url: str) -> None:
    """Connections that died while they lay in the pool are replaced before use, in both engines."""
    survive_restarts(server, url, 3)


@pytest.mark.mysql
@pytest.mark.soak
def test_a_hundred_restarts_are_not_noticed(server: MariaDBServer, url: str) -> None:
    """Every second one a kill: no error, no wrong row, nothing lost. MySQL, which takes seconds for each, does ten."""
    survive_restarts(server, url, 100 if server.name == "mariadb" else 10)


def survive_restarts(server: MariaDBServer, url: str, number: int) -> None:
    """Count up, once for each restart of the server."""
    with DatabaseManager(url) as database:
        for expected in range(1, number + 1):
            with database.write() as tx:
                tx.execute(ADD)
            with database.read() as tx:
                assert tx.scalar(GET) == expected
            if expected % 2:
                server.restart()
            else:
                server.kill()
                server.start()


@pytest.mark.mysql
def test_a_cut_commit_is_unknown_runs_no_hook_and_the_relay_decides(url: str) -> None:
    """Wherever the answer to COMMIT breaks off: it is said, nothing is run twice, and what committed is delivered."""
    called: list[str] = []
    delivered: list[OutboxRow] = []
    with FaultProxy(url) as proxy, DatabaseManager(proxy.url) as database, DatabaseManager(url) as direct:
        direct.upgrade()

        @database.transactional(retries=5)
        def work(tx: Unit) -> None:
            tx.execute(ADD)
            tx.stage("mail", b"")
            tx.after_commit(lambda: called.append("committed"))
            tx.on_rollback(lambda: called.append("rolled back"))

        work()
        assert called == ["committed"]
        cuts, whole, named = 0, False, ("", "")
        while not whole:
            proxy.cut(cuts, on=b"COMMIT", how="reset")
            try:
                work()
                whole = True
            except OutcomeUnknown as error:
                named = error.fingerprint, str(error)
                assert proxy.hits == 1
                cuts += 1
            proxy.heal()
        expected = fingerprint.read(str(ADD), "mysql").fingerprint
        assert named[0] == expected
        assert expected in named[1]
        assert cuts >= 7, "an OK packet has at least 11 bytes"
        assert called == ["committed"] * 2
        relay = direct.relay({"mail": lambda tx, row: delivered.append(row)})
        while relay.run_once():
            pass
        assert read(url) == len(delivered) == cuts + 2


@pytest.mark.mysql
def test_a_cut_answer_is_never_taken_for_a_whole_one(url: str) -> None:
    """A result set that breaks off anywhere raises; no shorter list is returned."""
    with FaultProxy(url) as proxy, DatabaseManager(proxy.url) as database:
        rows = text("SELECT 'some text' AS a UNION ALL SELECT 'some more' UNION ALL SELECT 'the end'")
        for after in range(400):
            with database.read() as tx:
                tx.scalar(text("SELECT 1"))
                proxy.cut(after, on=b"some text")
                try:
                    assert len(tx.execute(rows).all()) == 3
                    break
                except BackendUnavailable:
                    assert proxy.hits == 1
        else:
            pytest.fail("the answer was never let through")
        assert after > 50


def kill(url: str, session: int, inside: str = "") -> None:
    """An administrator ends that session, once it is at work on a statement that begins so, and sees it gone."""
    doing = text("SELECT COALESCE(info, '') FROM information_schema.processlist WHERE id = :id")
    with DatabaseManager(url) as administrator:

        def seen() -> Any:
            with administrator.read() as tx:
                return tx.scalar(doing, {"id": session})

        while not seen().startswith(inside):
            time.sleep(0.005)
        with administrator.read() as tx:
            tx.execute(text(f"KILL CONNECTION {session}"))
        while seen() is not None:
            time.sleep(0.005)


@pytest.mark.mysql
@pytest.mark.parametrize("inside", ["", "UPDATE"], ids=["between statements", "in a statement"])
def test_a_connection_killed_inside_a_unit_takes_the_whole_unit_along(url: str, inside: str) -> None:
    """Even if the caller goes on after the error, nothing of the unit is committed; it may be tried again."""
    slow = text("UPDATE counter SET n = n + 1 + SLEEP(60) WHERE id = 1")
    called: list[str] = []
    with DatabaseManager(url) as database:
        with pytest.raises(BackendUnavailable) as caught, database.write() as tx:
            tx.on_rollback(lambda: called.append("rolled back"))
            tx.execute(ADD)
            killer = threading.Thread(target=kill, args=(url, tx.scalar(SESSION), inside), daemon=True)
            killer.start()
            if not inside:
                killer.join()
            with pytest.raises(BackendUnavailable):
                tx.execute(slow)
            killer.join()
            with contextlib.suppress(BackendUnavailable):
                tx.execute(ADD)
        assert caught.value.retryable
        assert called == ["rolled back"]
        assert read(url) == 0
        assert [pool.in_use for pool in database.pools()] == [0]
        database.transact(lambda tx: tx.execute(ADD))
        assert read(url) == 1


@pytest.mark.mysql
def test_a_connection_killed_in_its_commit_is_unknown_and_not_run_again(url: str) -> None:
    """Here the server undid it, and there is no way to know: no hook is called, and the pool works on."""
    called, threads = list[str](), list[threading.Thread]()
    locked, killed = threading.Event(), threading.Event()
    with DatabaseManager(url) as database, DatabaseManager(url) as administrator:

        def hold_up_commits() -> None:
            with administrator.write() as tx:
                tx.execute(text("FLUSH TABLES WITH READ LOCK"))
                locked.set()
                killed.wait(30)
                tx.execute(text("UNLOCK TABLES"))

        def work(tx: Unit) -> None:
            called.append("begun")
            tx.after_commit(lambda: called.append("committed"))
            tx.on_rollback(lambda: called.append("rolled back"))
            tx.execute(ADD)
            threads.append(threading.Thread(target=hold_up_commits, daemon=True))
            threads.append(threading.Thread(target=end, args=(tx.scalar(SESSION),), daemon=True))
            for thread in threads:
                thread.start()
            assert locked.wait(30)

        def end(session: int) -> None:
            kill(url, session, "COMMIT")
            killed.set()

        with pytest.raises(OutcomeUnknown):
            database.transact(work)
        for thread in threads:
            thread.join()
        assert called == ["begun"]
        assert read(url) == 0
        assert [pool.in_use for pool in database.pools()] == [0]
        database.transact(lambda tx: tx.execute(ADD))
        assert read(url) == 1


@pytest.fixture
def plain(server: MariaDBServer, url: str) -> str:
    """The database's URL for a user without rights beyond it: root may write to a server that is read-only."""
    with DatabaseManager(server.url) as administrator, administrator.write() as tx:
        allow_plain(tx, url)
    return url.replace("root@", "plain:secret@")


def allow_plain(tx: Unit, url: str) -> None:
    """Give the database that the URL names to that user."""
    tx.execute(text("CREATE USER IF NOT EXISTS plain@'%' IDENTIFIED BY 'secret'"))
    tx.execute(text(f"GRANT ALL ON `{urlsplit(url).path[1:]}`.* TO plain@'%'"))


@contextlib.contextmanager
def demoted(server: MariaDBServer) -> Iterator[None]:
    """The server takes no writes meanwhile, and goes on answering."""
    with DatabaseManager(server.url) as administrator:

        def refuse_writes(refused: int) -> None:
            with administrator.write() as tx:
                tx.execute(text(f"SET GLOBAL read_only = {refused}"))

        refuse_writes(1)
        try:
            yield
        finally:
            refuse_writes(0)


def sessions(database: DatabaseManager) -> set[int]:
    """The server's numbers of two connections for writing, and two for reading."""
    engines = [database.backend.engine(role) for role in ("write", "write", "read", "read")]
    with contextlib.ExitStack() as stack:
        return {stack.enter_context(engine.connect()).scalar(SESSION) for engine in engines}


@pytest.mark.mysql
def test_a_demoted_server_is_left_and_found_again(server: MariaDBServer, plain: str) -> None:
    """A read-only answer evicts all pooled connections; once the server takes writes again, so do we."""
    with DatabaseManager(plain) as database:
        before = sessions(database)
        with demoted(server):
            with pytest.raises(BackendReadOnly) as caught:
                database.transact(lambda tx: tx.execute(ADD))
            assert caught.value.retryable
        began = time.monotonic()
        database.transact(lambda tx: tx.execute(ADD))
        assert time.monotonic() - began < 5
        assert not before & sessions(database)
    assert read(plain) == 1


@pytest.mark.mysql
def test_after_a_failover_writers_and_readers_follow_to_the_new_primary(
    server: MariaDBServer, plain: str, successor: MariaDBServer
) -> None:
    """The address leads there, the old primary goes on answering: nobody stays behind with it."""
    with DatabaseManager(successor.url) as administrator, administrator.write() as tx:
        tx.execute(text(f"CREATE DATABASE `{urlsplit(plain).path[1:]}`"))
        allow_plain(tx, plain)
    there = urlsplit(successor.url)._replace(path=urlsplit(plain).path).geturl()
    with DatabaseManager(there) as database, database.write() as tx:
        tx.execute(text(COUNTER))
        tx.execute(INSERT, {"id": 1})
    with FaultProxy(plain) as proxy, DatabaseManager(proxy.url) as database:
        sessions(database)
        with demoted(server):
            proxy.redirect(successor.url)
            with pytest.raises(BackendReadOnly):
                database.transact(lambda tx: tx.execute(ADD))
            began = time.monotonic()
            database.transact(lambda tx: tx.execute(ADD))
            assert time.monotonic() - began < 5
            with database.read() as first, database.read() as second:
                assert [first.scalar(GET), second.scalar(GET)] == [1, 1]
    assert [read(plain), read(there)] == [0, 1]


@pytest.fixture
def successor(server: MariaDBServer) -> Iterator[MariaDBServer]:
    """Another server of the same kind."""
    with type(server)() as another:
        yield another


@pytest.mark.mysql
def test_a_slow_statement_is_stopped_and_leaves_the_connection_whole(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server ends it at the statement's time-out; the pool keeps the connection."""
    # However late its word comes on a busy machine.
    monkeypatch.setattr("postrmagic_core._sql.mysql.silence", lambda _: 20.0)
    with DatabaseManager(url, pool=PoolLimits(size=1, overflow=0), timeouts=Timeouts(statement=0.3)) as database:
        with database.read() as tx:
            before = tx.scalar(SESSION)
            with pytest.raises(BackendTimeout):
                tx.execute(text("SELECT SLEEP(30) FROM counter"))
        with database.read() as tx:
            assert tx.scalar(SESSION) == before


@pytest.mark.mysql
@pytest.mark.parametrize("role", ["write", "read"])
def test_a_server_that_stops_reading_holds_nobody_up(server: MariaDBServer, url: str, role: str) -> None:
    """A statement larger than the sockets' buffers cannot even be sent: that is bounded as an answer is."""
    took = float("inf")
    with DatabaseManager(url, timeouts=SHORT) as database:
        with pytest.raises(NOT_DONE), getattr(database, role)() as tx:
            tx.execute(GET)
            server.pause()
            going_on = threading.Timer(15, server.resume)
            going_on.start()
            began = time.monotonic()
            try:
                tx.scalar(text("SELECT LENGTH(:value)"), {"value": "a" * 15_000_000})
            finally:
                took = time.monotonic() - began
                going_on.cancel()
                server.resume()
        assert took < SHORT.statement + 9
        database.transact(lambda tx: tx.execute(ADD))
    assert read(url) == 1


@pytest.fixture
def packet(server: MariaDBServer) -> Iterator[int]:
    """The server's `max_allowed_packet` in bytes, made small."""
    with DatabaseManager(server.url) as administrator:

        def allow(size: int) -> None:
            with administrator.write() as tx:
                tx.execute(text(f"SET GLOBAL max_allowed_packet = {size}"))

        with administrator.read() as tx:
            before = int(tx.scalar(text("SELECT @@GLOBAL.max_allowed_packet")))
        allow(1024 * 1024)
        yield 1024 * 1024
        allow(before)


@pytest.mark.mysql
@pytest.mark.parametrize("role", ["write", "read"])
@pytest.mark.parametrize(
    "value",
    [
        pytest.param(lambda packet: "a" * packet, id="text"),
        pytest.param(lambda packet: b"\x80" * packet, id="bytes"),
        pytest.param(lambda packet: "ä" * (packet // 2), id="fewer characters than bytes"),
        pytest.param(lambda packet: "'" * (packet // 2), id="larger when quoted"),
    ],
)
def test_a_value_too_large_for_the_server_is_refused_before_it_is_sent(
    url: str, packet: int, role: str, value: Callable[[int], Any]
) -> None:
    """The server would close the connection, which looks like an outage; so the unit fails alone, and says why."""
    length = text("SELECT LENGTH(:value)")
    fits = packet - 100
    with FaultProxy(url) as proxy, DatabaseManager(proxy.url) as database:
        unit = getattr(database, role)
        with unit() as tx:
            before = tx.scalar(SESSION)
        with pytest.raises(BackendRejected, match="max_allowed_packet"), unit() as tx:
            tx.execute(length, {"value": value(packet)})
        with unit() as tx:
            assert tx.scalar(SESSION) == before
            assert tx.scalar(length, {"value": "a" * fits}) == fits
        assert proxy.accepted == 1


@pytest.mark.mysql
def test_one_value_too_large_among_many_undoes_the_unit(url: str, packet: int) -> None:
    """The rows before it were sent; the pool keeps the connection, and none of them stays."""
    note = text("INSERT INTO note VALUES (:id, :body)")
    with DatabaseManager(url) as database:
        with database.write() as tx:
            tx.execute(text("CREATE TABLE note (id INTEGER PRIMARY KEY, body LONGTEXT NOT NULL)"))
            before = tx.scalar(SESSION)
        rows = [{"id": number, "body": "a" * (packet // 4)} for number in range(8)]
        with pytest.raises(BackendRejected, match="max_allowed_packet"), database.write() as tx:
            tx.execute(ADD)
            tx.execute(note, [*rows, {"id": 8, "body": "a" * packet}])
        with database.write() as tx:
            assert tx.scalar(SESSION) == before
            assert tx.scalar(text("SELECT COUNT(*) FROM note")) == tx.scalar(GET) == 0
            tx.execute(note, rows)
    assert read(url, "SELECT COUNT(*) FROM note") == 8


@pytest.mark.mysql
def test_a_real_deadlock_ends_the_unit_whoever_catches_it(url: str) -> None:
    """InnoDB undoes the victim: what it does afterwards must not commit."""
    with DatabaseManager(url) as database:
        with database.write() as tx:
            tx.execute(INSERT, {"id": 2})
        set_to = text("UPDATE counter SET n = :n WHERE id = :id")
        both, outcomes = threading.Barrier(2), list[str]()

        def take(number: int, first: int, second: int) -> None:
            try:
                with database.write() as tx:
                    tx.execute(set_to, {"n": number, "id": first})
                    both.wait()
                    try:
                        tx.execute(set_to, {"n": number, "id": second})
                    except Conflict:
                        outcomes.append("caught")
            except Conflict:
                outcomes.append("raised")

        threads = [threading.Thread(target=take, args=order) for order in ((7, 1, 2), (8, 2, 1))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert outcomes == ["caught", "raised"]
        with database.read() as tx:
            assert len(set(tx.scalars(text("SELECT n FROM counter")))) == 1


def test_a_full_disk_fails_one_unit_and_heals(tmp_path: Path) -> None:
    """OutOfSpace, the unit whole undone, reads go on, and with space so do writes."""
    with DatabaseManager(f"sqlite:///{tmp_path / 'app.db'}", pool=PoolLimits(size=1, overflow=0)) as database:
        with database.write() as tx:
            tx.execute(text("CREATE TABLE files (body BLOB)"))
            tx.execute(text("PRAGMA max_page_count = 20"))
        with pytest.raises(OutOfSpace), database.write() as tx:
            for _ in range(100):
                tx.execute(text("INSERT INTO files VALUES (zeroblob(4000))"))
        with database.read() as tx:
            assert tx.scalar(text("SELECT COUNT(*) FROM files")) == 0
            assert tx.scalar(text("PRAGMA integrity_check")) == "ok"
        with database.write() as tx:
            tx.execute(text("PRAGMA max_page_count = 100000"))
        database.transact(lambda tx: tx.execute(text("INSERT INTO files VALUES (zeroblob(400000))")))


def insert_until_killed(url: str) -> None:
    """In a process of its own: commit row after row, and say so after each."""
    with DatabaseManager(url) as database:
        for number in range(10, 1_000_000):
            database.transact(insert_row, number)
            print(number, flush=True)


def test_a_killed_sqlite_writer_loses_nothing_it_acknowledged(tmp_path: Path) -> None:
    """kill -9 of the process: its last acknowledged row is there, the file is whole, the lock is free."""
    url = f"sqlite:///{tmp_path / 'app.db'}"
    with DatabaseManager(url) as database:
        with database.write() as tx:
            tx.execute(text(COUNTER))
        with spawn(insert_until_killed, url) as child:
            for _ in range(20):
                child.line()
            child.kill()
            acknowledged = [int(line) for line in child.lines()]
        with database.write() as tx:
            last = tx.scalar(text("SELECT MAX(id) FROM counter"))
            assert tx.scalar(text("SELECT COUNT(*) FROM counter")) == last - 9
            assert tx.scalar(text("PRAGMA integrity_check")) == "ok"
        assert last >= max(acknowledged, default=29)


def test_another_programs_lock_is_a_conflict(tmp_path: Path, open_file: Callable[[], sqlite3.Connection]) -> None:
    """A backup tool that holds the file costs the lock's time-out, then a retryable error."""
    with DatabaseManager(f"sqlite:///{tmp_path / 'app.db'}", timeouts=Timeouts(lock=0.2)) as database:
        with database.write() as tx:
            tx.execute(text(COUNTER))
        foreign = open_file()
        foreign.execute("BEGIN IMMEDIATE")
        with pytest.raises(Conflict), database.write():
            pass
        foreign.execute("ROLLBACK")
        with database.write() as tx:
            tx.execute(INSERT, {"id": 1})


@pytest.fixture
def open_file(tmp_path: Path) -> Iterator[Callable[[], sqlite3.Connection]]:
    """Opens the SQLite file past the package."""
    opened: list[sqlite3.Connection] = []

    def connect() -> sqlite3.Connection:
        opened.append(sqlite3.connect(tmp_path / "app.db", isolation_level=None))
        return opened[-1]

    yield connect
    for connection in opened:
        connection.close()

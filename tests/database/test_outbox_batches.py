"""Batches of the relay: one transaction for many rows, and no row pays for another."""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis
from sqlalchemy import Column, Connection, Integer, MetaData, String, Table, insert, select, text

from postrmagic_core.database import DatabaseManager, OutboxRow, Timeouts, Unit, policy
from postrmagic_core.database.delivery import Batch
from postrmagic_core.database.tables import outbox as outbox_table
from postrmagic_core.database.tables import outbox_keys
from postrmagic_core.database.transaction import Transaction
from postrmagic_core.errors import BackendTimeout, Conflict
from postrmagic_core.testing import FakeClock

metadata = MetaData()
effects = Table(
    "effects",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("row_id", Integer),
    Column("okey", String(32)),
    Column("body", String(32)),
    mysql_engine="InnoDB",
)


def write_effect(tx: Unit, row: OutboxRow) -> None:
    """A route with a SQL target."""
    tx.execute(insert(effects).values(row_id=row.id, okey=row.key, body=row.payload.decode()))


def bodies(database: DatabaseManager) -> list[str]:
    """What has had its effect, in the order of the effects."""
    with database.read() as tx:
        return list(tx.scalars(select(effects.c.body).order_by(effects.c.id)))


def stage(database: DatabaseManager, *payloads: bytes, key: str | None = None) -> None:
    """Commit rows for the topic `mail`."""
    with database.write() as tx:
        for payload in payloads:
            tx.stage("mail", payload, key=key)


class Watched:
    """A route that writes its effect, in which some payloads meet an error; counts transactions."""

    def __init__(self, errors: dict[bytes, Callable[[Unit], object]] | None = None) -> None:
        self.errors = errors or {}
        self.units: list[Unit] = []
        self.handed: list[bytes] = []

    def __call__(self, tx: Unit, row: OutboxRow) -> None:
        """Write, then perhaps fail."""
        if tx not in self.units:
            self.units.append(tx)
        self.handed.append(row.payload)
        write_effect(tx, row)
        if row.payload in self.errors:
            self.errors[row.payload](tx)


def fail(tx: Unit) -> None:
    """An error of the route's own."""
    raise OSError


def refused(tx: Unit) -> None:
    """A statement that the database refuses."""
    tx.execute(text("INSERT INTO counter VALUES (1, 0)"))


def conflict(tx: Unit) -> None:
    """A deadlock that picked us: the server undid the transaction."""
    assert isinstance(tx, Transaction)
    tx.fail(Conflict("another transaction was in the way"))
    raise Conflict("another transaction was in the way")


@pytest.fixture
def clocked(
    open_database: Callable[..., DatabaseManager], outbox: DatabaseManager, frozen_clock: FakeClock
) -> DatabaseManager:
    """The database with a table of effects, under a clock that moves when told."""
    with outbox.write() as tx:
        metadata.create_all(tx.connection)
    return open_database(clock=frozen_clock)


@pytest.mark.parametrize("key", [None, "k"])
def test_many_rows_share_a_transaction(clocked: DatabaseManager, key: str | None) -> None:
    """Ten rows, `batch` of four: three transactions, in order."""
    stage(clocked, *(b"%d" % number for number in range(10)), key=key)
    route = Watched()
    relay = clocked.relay({"mail": route}, batch=4)
    while relay.run_once():
        pass
    assert bodies(clocked) == list("0123456789")
    assert len(route.units) == 3
    assert clocked.outbox_counts() == {}


@pytest.mark.parametrize("error", [fail, refused])
def test_a_failing_row_neither_undoes_nor_repeats_its_neighbours(
    clocked: DatabaseManager, frozen_clock: FakeClock, error: Callable[[Unit], object]
) -> None:
    """Its own effect is undone; those before and after it are kept, and made once."""
    stage(clocked, b"before", b"bad", b"after")
    route = Watched({b"bad": error})
    relay = clocked.relay({"mail": route})
    assert relay.run_once() == 2
    assert bodies(clocked) == ["before", "after"]
    assert len(route.units) == 1
    route.errors.clear()
    frozen_clock.advance(601)
    assert relay.run_once() == 1
    assert bodies(clocked) == ["before", "after", "bad"]
    assert Counter(route.handed) == {b"before": 1, b"bad": 2, b"after": 1}


def test_a_failing_row_of_a_key_holds_up_what_follows_it_in_the_same_batch(
    clocked: DatabaseManager, frozen_clock: FakeClock
) -> None:
    """What came before it in its key is delivered, what comes after waits, and other keys pass."""
    stage(clocked, b"a1", b"a2", b"a3", key="a")
    stage(clocked, b"b1", b"b2", key="b")
    route = Watched({b"a2": fail})
    relay = clocked.relay({"mail": route})
    assert relay.run_once() == 3
    assert bodies(clocked) == ["a1", "b1", "b2"]
    with clocked.read() as tx:
        assert tx.scalars(select(outbox_keys.c.okey)).all() == ["a"]
    route.errors.clear()
    frozen_clock.advance(601)
    assert relay.run_once() == 2
    assert bodies(clocked)[-2:] == ["a2", "a3"]
    with clocked.read() as tx:
        assert tx.scalars(select(outbox_keys.c.okey)).all() == []


def test_a_lost_transaction_puts_all_back_and_delivers_one_by_one(clocked: DatabaseManager) -> None:
    """A conflict is no fault of a row: nothing is counted against any, and SQL targets see each once."""
    stage(clocked, b"1", b"2", b"3")
    once = iter([conflict])
    route = Watched({b"2": lambda tx: next(once, lambda _: None)(tx)})
    relay = clocked.relay({"mail": route})
    assert relay.run_once() == 3
    assert bodies(clocked) == ["1", "2", "3"]
    assert Counter(route.handed) == {b"1": 2, b"2": 2, b"3": 1}
    assert len(route.units) == 3  # the lost one, row 1 alone, then 2 and 3: sizes grow again


def test_a_row_that_always_loses_its_transaction_stops_nobody_else(clocked: DatabaseManager) -> None:
    """It stays for the next look, without having been counted as failed."""
    stage(clocked, b"1", b"cursed", b"3", b"4")
    relay = clocked.relay({"mail": Watched({b"cursed": conflict})})
    assert relay.run_once() == 3
    assert bodies(clocked) == ["1", "3", "4"]
    with clocked.read() as tx:
        (left,) = tx.execute(select(outbox_table.c.payload, outbox_table.c.attempts))
    assert tuple(left) == (b"cursed", 0)


def time_out(tx: Unit) -> None:
    """A statement that took too long: the server undid the transaction."""
    assert isinstance(tx, Transaction)
    tx.fail(BackendTimeout("stopped"))
    raise BackendTimeout("stopped")


@pytest.mark.parametrize("key", [None, "k"])
def test_a_row_that_breaks_its_transaction_alone_is_to_blame(
    clocked: DatabaseManager, frozen_clock: FakeClock, key: str | None
) -> None:
    """Rows behind it do not wait for ever: it is put off, counted and in the end dead."""
    stage(clocked, b"slow", key=key)
    stage(clocked, b"other", key=None if key is None else "other")
    relay = clocked.relay({"mail": Watched({b"slow": time_out})})
    assert relay.run_once() == 1
    assert bodies(clocked) == ["other"]
    for _ in range(12):
        frozen_clock.advance(601)
        relay.run_once()
    assert clocked.outbox_counts()["mail"].dead == 1
    with clocked.read() as tx:
        assert tx.scalar(select(outbox_table.c.error)) == "backend.timeout"


def test_a_hook_that_breaks_the_commit_costs_its_own_row(clocked: DatabaseManager) -> None:
    """What a route left for the end of the transaction fails it whole; alone, it is known whose it was."""

    def route(tx: Unit, row: OutboxRow) -> None:
        write_effect(tx, row)
        if row.payload == b"bad":
            tx.before_commit(lambda: dict[int, None]()[1])

    stage(clocked, b"1", b"bad", b"3")
    assert clocked.relay({"mail": route}).run_once() == 2
    assert bodies(clocked) == ["1", "3"]
    with clocked.read() as tx:
        (left,) = tx.execute(select(outbox_table.c.payload, outbox_table.c.error))
    assert tuple(left) == (b"bad", "KeyError")


def test_a_route_that_ends_the_transaction_is_told_so(
    clocked: DatabaseManager, caplog: pytest.LogCaptureFixture
) -> None:
    """It belongs to the relay, and to other rows: only the one that took it is put off."""
    stage(clocked, b"1", b"rude", b"3")
    route = Watched({b"rude": lambda tx: tx.connection.get_transaction().rollback()})  # type: ignore[union-attr]  # there is one
    assert clocked.relay({"mail": route}).run_once() == 2
    assert bodies(clocked) == ["1", "3"]
    assert "the transaction was ended inside its unit" in caplog.text


@pytest.mark.parametrize("key", [None, "k"])
def test_slow_routes_end_the_transaction_early(
    clocked: DatabaseManager, frozen_clock: FakeClock, key: str | None
) -> None:
    """No further row is begun after 50 ms, or after 10 ms where others wait for the only writer."""
    stage(clocked, *(b"%d" % number for number in range(6)), key=key)
    sizes: Counter[Unit] = Counter()

    def route(tx: Unit, row: OutboxRow) -> None:
        write_effect(tx, row)
        sizes[tx] += 1
        frozen_clock.advance(0.02)

    relay = clocked.relay({"mail": route})
    while relay.run_once():
        pass
    assert bodies(clocked) == list("012345")
    assert list(sizes.values()) == ([1] * 6 if clocked.dialect == "sqlite" else [3, 3])


def test_keys_share_a_transaction_and_none_starves(clocked: DatabaseManager) -> None:
    """A key with many rows takes one transaction's worth; then others have theirs in the same look."""
    stage(clocked, *(b"a%d" % number for number in range(20)), key="a")
    for key in "bcd":
        stage(clocked, key.encode(), key=key)
    relay = clocked.relay({"mail": Watched()}, batch=5)
    assert relay.run_once() == 8
    assert bodies(clocked) == ["a0", "a1", "a2", "a3", "a4", "b", "c", "d"]


def test_a_batch_is_delivered_to_the_end_of_its_row_when_the_relay_stops(
    clocked: DatabaseManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was delivered so far is committed; the rest waits for another relay."""
    stage(clocked, b"1", b"2", b"3")
    begun, proceed = threading.Event(), threading.Event()

    def route(tx: Unit, row: OutboxRow) -> None:
        write_effect(tx, row)
        begun.set()
        assert proceed.wait(30)

    relay = clocked.relay({"mail": route})
    relay.start()
    assert begun.wait(30)
    monkeypatch.setattr(relay._stopping, "wait", lambda *_: True)
    relay._stopping.set()
    proceed.set()
    relay.stop()
    assert bodies(clocked) == ["1"]
    assert clocked.outbox_counts()["mail"].waiting == 2


@pytest.mark.redis
def test_a_batch_rolled_back_after_it_was_sent_is_sent_again_under_the_same_ids(
    clocked: DatabaseManager, redis_url: str
) -> None:
    """At least once where the target is no part of the transaction; the id tells the repeat."""
    queue = redis.Redis.from_url(redis_url)
    once = iter([conflict])

    def send(tx: Unit, row: OutboxRow) -> None:
        queue.rpush("sent", row.id)
        queue.hsetnx("messages", str(row.id), row.payload)
        if row.payload == b"3":
            next(once, lambda _: None)(tx)

    stage(clocked, b"1", b"2", b"3", b"4")
    assert clocked.relay({"mail": send}).run_once() == 4
    assert list(queue.hgetall("messages").values()) == [b"1", b"2", b"3", b"4"]
    sent = Counter(queue.lrange("sent", 0, -1))
    assert sorted(sent.values()) == [1, 2, 2, 2]
    assert sent.keys() == queue.hgetall("messages").keys()
    queue.close()


@pytest.mark.mysql
@pytest.mark.parametrize("database_url", ["mariadb"], indirect=True)
@pytest.mark.parametrize("keyed", [False, True])
@pytest.mark.parametrize("number", [1, 3, 20])
def test_a_batch_under_way_holds_up_no_commit(
    clocked: DatabaseManager,
    open_database: Callable[..., DatabaseManager],
    number: int,
    keyed: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Rows and keys are locked one by one, however few there are: others stage beside them meanwhile."""
    other = open_database(timeouts=Timeouts(lock=1.0))
    beside: list[str] = []

    def stage_beside(when: str) -> None:
        def work() -> None:
            for key in (None, f"0 {when}", f"key 1 {when}", f"z {when}"):
                stage(other, b"new", key=key)
            beside.append(when)

        with ThreadPoolExecutor(1) as thread:
            thread.submit(work).result()

    def settle(batch: Batch, connection: Connection) -> None:
        Batch_settle(batch, connection)
        stage_beside("settled")

    for index in range(number):
        stage(clocked, b"", key=f"key {index}" if keyed else None)
    Batch_settle = Batch.settle  # noqa: N806 - a method
    monkeypatch.setattr(Batch, "settle", settle)
    relay = clocked.relay({"mail": lambda tx, row: None if beside else stage_beside("claimed")})
    assert relay.run_once() == number
    assert beside == ["claimed", "settled"]


def test_relays_and_writers_over_shared_keys_meet_without_errors(
    clocked: DatabaseManager, open_database: Callable[..., DatabaseManager], caplog: pytest.LogCaptureFixture
) -> None:
    """2 relays, 4 writers, 20 keys: each row has its effect once, each key in its order, and nobody sees an error."""
    errors: list[BaseException] = []
    order, ready = defaultdict[str, list[int]](list), threading.Barrier(4)
    keys = [f"key {number}" for number in range(20)]

    def write(writer: int) -> None:
        database, numbers = open_databases[writer], iter(range(10_000))
        ready.wait()
        try:
            for turn in range(15):
                some = [keys[(writer * 7 + turn * 3 + step * step) % 20] for step in range(4)]

                def unit(tx: Unit, some: list[str] = some) -> None:
                    for key in some:
                        tx.stage("mail", f"{writer}:{next(numbers)}".encode(), key=key)

                # Under MySQL's SERIALIZABLE gaps are locked too, and units are run again; elsewhere nothing conflicts.
                database.transactional(retries=50 if database.dialect == "mysql" else 0)(unit)()
        except BaseException as error:
            errors.append(error)

    open_databases = [open_database() for _ in range(6)]
    handed: list[int] = []

    def route(tx: Unit, row: OutboxRow) -> None:
        handed.append(row.id)
        write_effect(tx, row)

    relays = [database.relay({"mail": route}, batch=10) for database in open_databases[4:]]
    writers = [threading.Thread(target=write, args=(writer,)) for writer in range(4)]
    for thread in writers:
        thread.start()
    for relay in relays:
        relay.start()
    for thread in writers:
        thread.join()
    while clocked.outbox_counts():
        for relay in relays:
            relay.wake()
        time.sleep(0.02)
    for relay in relays:
        relay.stop()
    assert errors == []
    assert [record for record in caplog.records if record.name == "postrmagic_core.database"] == []
    with clocked.read() as tx:
        found = tx.execute(select(effects.c.row_id, effects.c.okey).order_by(effects.c.id)).all()
        assert tx.scalars(select(outbox_keys.c.okey)).all() == []
    assert len({row.row_id for row in found}) == len(found) == 4 * 15 * 4
    assert len(handed) == len(found) or clocked.dialect == "mysql", "a transaction was undone and repeated"
    for row in found:
        order[row.okey].append(row.row_id)
    # Under a key's lock ids are taken in the order of the commits, and effects in that of the deliveries.
    assert all(ids == sorted(ids) for ids in order.values())


@pytest.mark.parametrize(
    ("size", "tried", "left", "expected"),
    [(100, 100, 0, 100), (1, 1, 0, 2), (64, 64, 0, 100), (100, 3, 97, 3), (2, 0, 2, 1), (100, 0, 0, 100)],
)
def test_the_next_transaction_asks_for_what_fits_its_time(size: int, tried: int, left: int, expected: int) -> None:
    """Twice as many after all were tried in time, as many as were tried otherwise, and always at least one."""
    assert policy.next_size(size, tried, left, 100) == expected


@pytest.mark.parametrize(
    ("error", "delivering", "blamed"),
    [
        (Conflict("deadlock"), True, False),
        (BackendTimeout("stopped"), True, True),
        (BackendTimeout("stopped"), False, False),
        (ZeroDivisionError(), False, True),
    ],
)
def test_a_row_is_blamed_for_what_its_route_did(error: Exception, delivering: bool, blamed: bool) -> None:
    """A conflict is nobody's fault, and an outage while no route was at work is the database's."""
    assert policy.blames_row(error, delivering=delivering) is blamed

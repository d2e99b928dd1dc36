"""The outbox and its relay: what committed is delivered, what did not is not, and keys keep their order."""

# ruff: noqa: PT012, T201 - a unit fails as a block; a child process speaks by printing
from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, insert, select, text, update

from postrmagic_core.database import DatabaseManager, OutboxRow, Unit
from postrmagic_core.database.tables import outbox as outbox_table
from postrmagic_core.database.tables import outbox_keys
from postrmagic_core.errors import BackendUnavailable, ConfigurationError
from postrmagic_core.testing import FakeClock, spawn
from tests.threads import restless

HOUR_US = 3_600_000_000
metadata = MetaData()
effects = Table("effects", metadata, Column("id", Integer, primary_key=True), Column("row_id", Integer))


class Inbox:
    """A route that remembers what it was given, and fails as often as told."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.payloads: list[bytes] = []
        self.rows: list[OutboxRow] = []
        self.arrived = threading.Event()

    def __call__(self, tx: Unit, row: OutboxRow) -> None:
        """Take the row."""
        if self.failures:
            self.failures -= 1
            raise BackendUnavailable("the target is away")
        self.rows.append(row)
        self.payloads.append(row.payload)
        self.arrived.set()


@pytest.fixture
def clocked(
    open_database: Callable[..., DatabaseManager], outbox: DatabaseManager, frozen_clock: FakeClock
) -> DatabaseManager:
    """The database under a clock that moves when told."""
    return open_database(clock=frozen_clock)


def stage(database: DatabaseManager, *payloads: bytes, key: str | None = None, due_us: int = 0) -> None:
    """Commit rows for the topic `mail`."""
    with database.write() as tx:
        for payload in payloads:
            tx.stage("mail", payload, key=key, due_us=due_us)


def test_what_committed_is_delivered_once_and_in_order(outbox: DatabaseManager) -> None:
    """A row reaches its route, then it is gone."""
    inbox = Inbox()
    relay = outbox.relay({"mail": inbox})
    stage(outbox, b"1", b"2\x00\xff")
    assert (relay.run_once(), relay.run_once()) == (2, 0)
    assert inbox.payloads == [b"1", b"2\x00\xff"]
    assert outbox.outbox_counts() == {}


def test_relays_may_be_made_while_others_commit(outbox: DatabaseManager) -> None:
    """Who has committed is not told that making a relay failed: nobody's commit minds how many there are."""
    done = threading.Event()

    def commit() -> None:
        try:
            for _ in range(300):
                stage(outbox, b"1")
        finally:
            done.set()

    with restless(), ThreadPoolExecutor(1) as pool:
        committing = pool.submit(commit)
        kept = []
        while not done.is_set():
            kept = [outbox.relay({}) for _ in range(200)]
        committing.result(60)
    assert kept
    assert outbox.outbox_counts()["mail"].waiting == 300


def test_what_rolled_back_is_never_delivered(outbox: DatabaseManager) -> None:
    """No commit, no row."""
    inbox = Inbox()
    with pytest.raises(ZeroDivisionError), outbox.write() as tx:
        tx.stage("mail", b"no")
        raise ZeroDivisionError
    assert outbox.relay({"mail": inbox}).run_once() == 0
    assert inbox.payloads == []


def test_an_effect_in_the_relays_unit_happens_exactly_once(outbox: DatabaseManager) -> None:
    """A route that fails after writing leaves nothing of that attempt."""
    attempts: list[int] = []

    def route(tx: Unit, row: OutboxRow) -> None:
        tx.execute(insert(effects).values(row_id=row.id))
        attempts.append(row.attempts)
        if len(attempts) == 1:
            raise OSError

    with outbox.write() as tx:
        metadata.create_all(tx.connection)
        tx.stage("mail", b"")
    relay = outbox.relay({"mail": route})
    assert relay.run_once() == 0
    with outbox.write() as tx:
        tx.execute(update(outbox_table).values(due_us=0))
    assert relay.run_once() == 1
    with outbox.read() as tx:
        assert len(tx.scalars(select(effects.c.row_id)).all()) == 1
    assert attempts == [0, 1]


def test_a_delayed_row_waits_until_it_is_due(clocked: DatabaseManager, frozen_clock: FakeClock) -> None:
    """`due_us` is an instant, and the relay's clock decides."""
    inbox = Inbox()
    relay = clocked.relay({"mail": inbox})
    stage(clocked, b"later", due_us=frozen_clock.now_us() + HOUR_US)
    stage(clocked, b"keyed", key="k", due_us=frozen_clock.now_us() + HOUR_US)
    assert relay.run_once() == 0
    frozen_clock.advance(3600)
    assert relay.run_once() == 2


def test_a_topic_without_a_route_waits_and_is_shown(outbox: DatabaseManager) -> None:
    """A relay of an older deployment does not lose what it cannot know."""
    with outbox.write() as tx:
        tx.stage("new", b"", key="k")
        tx.stage("mail", b"", key="k")
        tx.stage("new", b"")
    inbox = Inbox()
    assert outbox.relay({"mail": inbox}).run_once() == 0
    counts = outbox.outbox_counts()
    assert (counts["new"].waiting, counts["mail"].waiting) == (2, 1)
    relay = outbox.relay({"mail": inbox, "new": inbox})
    delivered = [relay.run_once() for _ in range(4)]  # a slow machine needs more than one pass
    assert sum(delivered) == 3


@pytest.mark.parametrize("key", [None, "k"])
def test_a_failing_row_is_tried_again_and_dies_visibly(
    clocked: DatabaseManager, frozen_clock: FakeClock, key: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    """Twelve attempts, then it is kept as dead with its error's code; nothing of the payload is logged."""
    inbox = Inbox(failures=99)
    relay = clocked.relay({"mail": inbox})
    stage(clocked, b"canary-payload", key=key)
    for _ in range(14):
        assert relay.run_once() == 0
        frozen_clock.advance(601)
    assert inbox.failures == 99 - 12
    count = clocked.outbox_counts()["mail"]
    assert (count.waiting, count.dead, count.oldest_at) == (0, 1, None)
    with clocked.read() as tx:
        assert tx.scalar(select(outbox_table.c.error)) == "backend.unavailable"
    assert "canary" not in caplog.text
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 11 + [logging.ERROR]


@pytest.mark.parametrize("key", [None, "k"])
def test_a_row_nobody_here_knows_waits_for_who_does(
    clocked: DatabaseManager, frozen_clock: FakeClock, key: str | None
) -> None:
    """A process that has not included an event's class is no reason to give the event up, for however long."""

    def unknowing(tx: Unit, row: OutboxRow) -> None:
        raise ConfigurationError("not included here")

    stage(clocked, b"later", key=key)
    old, inbox = clocked.relay({"mail": unknowing}), Inbox()
    for _ in range(14):
        assert old.run_once() == 0
        frozen_clock.advance(601)
    assert (clocked.outbox_counts()["mail"].waiting, clocked.outbox_counts()["mail"].dead) == (1, 0)
    assert clocked.relay({"mail": inbox}).run_once() == 1
    assert inbox.payloads == [b"later"]


def test_a_failing_row_blocks_only_its_key(clocked: DatabaseManager, frozen_clock: FakeClock) -> None:
    """The row's successors wait for it; other keys, and rows without one, pass."""
    inbox = Inbox()
    broken = Inbox(failures=1)

    def route(tx: Unit, row: OutboxRow) -> None:
        (broken if row.payload == b"a1" else inbox)(tx, row)

    relay = clocked.relay({"mail": route})
    stage(clocked, b"a1", b"a2", key="a")
    stage(clocked, b"b1", key="b")
    stage(clocked, b"free")
    relay.run_once()
    assert sorted(inbox.payloads) == [b"b1", b"free"]
    frozen_clock.advance(601)
    relay.run_once()
    assert (broken.payloads, inbox.payloads[-1]) == ([b"a1"], b"a2")


def test_a_key_goes_on_after_a_dead_row(clocked: DatabaseManager, monkeypatch: pytest.MonkeyPatch) -> None:
    """A dead row is set aside; its key is forgotten when empty, and numbers anew beside it."""
    inbox = Inbox(failures=1)
    relay = clocked.relay({"mail": inbox})
    stage(clocked, b"dead", key="k")
    monkeypatch.setattr("postrmagic_core.database.policy.next_due_us", lambda *_: None)
    relay.run_once()
    stage(clocked, b"1", b"2", key="k")
    relay.run_once()
    assert inbox.payloads == [b"1", b"2"]
    with clocked.read() as tx:
        assert tx.scalars(select(outbox_keys.c.okey)).all() == []


def test_keys_differ_by_every_character(outbox: DatabaseManager) -> None:
    """Case, accents and trailing spaces make another key on every database."""
    for key in ("a", "A", "a ", "á"):
        stage(outbox, key.encode(), key=key)
    with outbox.read() as tx:
        assert sorted(tx.scalars(select(outbox_keys.c.okey))) == ["A", "a", "a ", "á"]
        assert set(tx.scalars(select(outbox_table.c.seq))) == {1}


def test_two_relays_keep_the_order_of_keys(
    outbox: DatabaseManager, open_database: Callable[..., DatabaseManager], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four writers number concurrently, two relays deliver concurrently: each key in its order, and every row.

    A list in memory may see a row again whose transaction was put back; what it saw first counts.
    """
    monkeypatch.setattr("postrmagic_core.database.relay.SWEEP", 0.02)
    seen: dict[str, list[int]] = {"x": [], "y": []}
    total, ready = 4 * 10 * 2, threading.Barrier(4)
    lock, complete = threading.Lock(), threading.Event()

    def route(tx: Unit, row: OutboxRow) -> None:
        with lock:
            if row.id not in seen[str(row.key)]:
                seen[str(row.key)].append(row.id)
            if sum(map(len, seen.values())) == total:
                complete.set()

    @outbox.transactional(retries=50)
    def stage_both(tx: Unit) -> None:
        tx.stage("mail", b"", key="x")
        tx.stage("mail", b"", key="y")

    def write() -> None:
        ready.wait()
        for _ in range(10):
            stage_both()

    writers = [threading.Thread(target=write) for _ in range(4)]
    relays = [open_database().relay({"mail": route}) for _ in range(2)]
    for thread in writers:
        thread.start()
    for relay in relays:
        relay.start()
    for thread in writers:
        thread.join()
    assert complete.wait(60)
    for relay in relays:
        relay.stop()
    assert outbox.outbox_counts() == {}
    assert list(map(len, seen.values())) == [40, 40]
    # Under a key's lock ids are taken in the order of the commits.
    assert all(ids == sorted(ids) for ids in seen.values())


def test_a_commit_wakes_the_relay_of_its_process(outbox: DatabaseManager, monkeypatch: pytest.MonkeyPatch) -> None:
    """Delivery does not wait for the sweep."""
    monkeypatch.setattr("postrmagic_core.database.relay.SWEEP", 3600.0)
    inbox = Inbox()
    relay = outbox.relay({"mail": inbox})
    relay.start()
    for number in range(3):
        inbox.arrived.clear()
        stage(outbox, b"%d" % number)
        assert inbox.arrived.wait(10)
    relay.stop()
    assert inbox.payloads == [b"0", b"1", b"2"]


def test_the_sweep_finds_what_other_processes_committed(
    outbox: DatabaseManager, open_database: Callable[..., DatabaseManager], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody wakes this relay: it looks by itself."""
    monkeypatch.setattr("postrmagic_core.database.relay.SWEEP", 0.02)
    inbox = Inbox()
    with open_database().relay({"mail": inbox}):
        stage(outbox, b"from elsewhere")
        assert inbox.arrived.wait(10)


def test_a_relay_heals_when_its_database_does(
    outbox: DatabaseManager, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A failing database costs a pause and a line of log, not the thread."""
    monkeypatch.setattr("postrmagic_core.database.relay.SWEEP", 0.02)
    with outbox.write() as tx:
        tx.execute(text("ALTER TABLE pm_outbox RENAME TO pm_away"))
    inbox = Inbox()
    relay = outbox.relay({"mail": inbox})
    failing = threading.Event()
    monkeypatch.setattr("postrmagic_core.database.relay.logger.log", lambda *_, **__: failing.set())
    relay.start()
    assert failing.wait(10)
    with outbox.write() as tx:
        tx.execute(text("ALTER TABLE pm_away RENAME TO pm_outbox"))
    stage(outbox, b"after")
    assert inbox.arrived.wait(10)
    relay.stop()


def test_a_relay_does_not_run_in_a_forked_child(outbox: DatabaseManager, monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread stays with the parent; the child may start its own."""
    monkeypatch.setattr("postrmagic_core.database.relay.SWEEP", 3600.0)  # the parent leaves the child's row alone
    inbox, idle = Inbox(), threading.Event()
    relay = outbox.relay({"mail": inbox})
    wait = relay._woken.wait

    def wait_idle(timeout: float | None = None) -> bool:
        idle.set()
        return wait(timeout)

    monkeypatch.setattr(relay._woken, "wait", wait_idle)
    relay.start()
    assert idle.wait(10)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            if all(thread.name != "postrmagic-relay" for thread in threading.enumerate()):
                stage(outbox, b"from the child")
                relay.start()
                code = 0 if inbox.arrived.wait(10) else 2
                relay.stop()
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    relay.stop()


def commit_and_die(url: str) -> None:
    """In a process of its own: commit two rows, promise a third, die."""
    database = DatabaseManager(url).open()
    stage(database, b"committed", b"too", key="k")
    with database.write() as tx:
        tx.stage("mail", b"not committed")
        tx.execute(text("UPDATE counter SET n = 1"))
        print("committed", flush=True)
        threading.Event().wait()


@pytest.mark.fault
def test_what_a_killed_process_committed_is_delivered_by_another(outbox: DatabaseManager, database_url: str) -> None:
    """kill -9 between commit and delivery loses nothing, and nothing uncommitted comes through."""
    with spawn(commit_and_die, database_url) as child:
        assert child.line() == "committed"
        child.kill()
    inbox = Inbox()
    # Until there is nothing more: a slow machine leaves the second row of a key to the next look.
    assert sum(iter(outbox.relay({"mail": inbox}).run_once, 0)) == 2
    assert inbox.payloads == [b"committed", b"too"]

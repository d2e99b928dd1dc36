"""Relays that die or lose their database half-way through a batch: nothing is lost, no effect is made twice."""

# ruff: noqa: PT012, T201 - a unit fails as a block; a child process speaks by printing
from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, insert, select

from postrmagic_core.database import DatabaseManager, OutboxRow, Timeouts, Unit
from postrmagic_core.database import relay as relay_module
from postrmagic_core.errors import BackendError, BackendTimeout, BackendUnavailable
from postrmagic_core.testing import spawn
from postrmagic_core.testing.history import History, total_queue
from postrmagic_core.testing.proxy import FaultProxy
from postrmagic_core.testing.servers import MariaDBServer

pytestmark = pytest.mark.fault

metadata = MetaData()
effects = Table(
    "effects", metadata, Column("id", Integer, primary_key=True), Column("row_id", Integer), mysql_engine="InnoDB"
)
ROWS = 30
NOT_DONE = (BackendUnavailable, BackendTimeout)


def write_effect(tx: Unit, row: OutboxRow) -> None:
    """A route with a SQL target."""
    tx.execute(insert(effects).values(row_id=row.id))


def prepare(database: DatabaseManager, key: str | None) -> None:
    """Committed rows, and a rolled-back one."""
    with database.write() as tx:
        metadata.create_all(tx.connection)
        for _ in range(ROWS):
            tx.stage("mail", b"", key=key)
    with pytest.raises(ZeroDivisionError), database.write() as tx:
        tx.stage("mail", b"rolled back", key=key)
        raise ZeroDivisionError


def all_effects(database: DatabaseManager) -> list[int]:
    """Ids of the rows whose effect is there, in the order of the effects."""
    with database.read() as tx:
        return list(tx.scalars(select(effects.c.row_id).order_by(effects.c.id)))


def deliver_some_and_hang(url: str) -> None:
    """In a process of its own: deliver, and in the midst of the second transaction never go on."""
    count = 0

    def route(tx: Unit, row: OutboxRow) -> None:
        nonlocal count
        write_effect(tx, row)
        count += 1
        if count == 15:
            print("half-way", flush=True)
            threading.Event().wait()

    relay = DatabaseManager(url).open().relay({"mail": route}, batch=10)
    while relay.run_once():
        pass


@pytest.mark.parametrize("key", [None, "k"])
def test_a_relay_killed_half_way_through_a_batch_leaves_each_effect_to_happen_once(
    outbox: DatabaseManager, database_url: str, key: str | None
) -> None:
    """kill -9: of its open transaction nothing stays, the ones before hold, and the next relay does the rest."""
    prepare(outbox, key)
    with spawn(deliver_some_and_hang, database_url) as child:
        assert child.line() == "half-way"
        before = all_effects(outbox)
        child.kill()
    assert 0 < len(before) < 15, "the kill hit no open transaction"
    relay, deadline = outbox.relay({"mail": write_effect}), time.monotonic() + 30
    while outbox.outbox_counts():  # the server may need a moment to notice
        relay.run_once()
        assert time.monotonic() < deadline
    found = all_effects(outbox)
    assert found[: len(before)] == before
    assert len(set(found)) == len(found) == ROWS
    assert found == sorted(found)


@pytest.mark.mysql
@pytest.mark.parametrize("key", [None, "k"])
def test_a_silent_server_in_the_midst_of_a_batch_puts_all_of_it_back(
    own_mariadb_server: Callable[..., MariaDBServer], key: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The relay gives up in bounded time; when the server speaks again each effect is made once."""
    monkeypatch.setattr(relay_module, "BUDGET", 60.0)  # on a busy machine a batch would end before its fifth row
    url = own_mariadb_server().create_database()
    short = Timeouts(connect=1.0, statement=1.0, lock=1.0)
    with FaultProxy(url) as proxy, DatabaseManager(proxy.url, timeouts=short) as cut, DatabaseManager(url) as direct:
        direct.upgrade()
        prepare(direct, key)
        handed: list[int] = []

        def route(tx: Unit, row: OutboxRow) -> None:
            handed.append(row.id)
            if len(handed) == 5:
                proxy.blackhole()
            write_effect(tx, row)

        relay, begun = cut.relay({"mail": route}), time.monotonic()
        with pytest.raises(BackendError):
            relay.run_once()
        assert time.monotonic() - begun < 15
        assert len(handed) == 5
        assert all_effects(direct) == []
        proxy.heal()
        deadline = time.monotonic() + 30
        while direct.outbox_counts():
            try:
                relay.run_once()
            except BackendError:
                assert time.monotonic() < deadline
        found = all_effects(direct)
        assert len(set(found)) == len(found) == ROWS
        assert key is None or found == sorted(found)


@pytest.mark.mysql
def test_a_server_killed_under_writers_and_relays_loses_and_repeats_nothing(
    own_mariadb_server: Callable[..., MariaDBServer],
) -> None:
    """Rows of acknowledged units have their effect once, those of failed units none, those in doubt one or none."""
    server = own_mariadb_server()
    url, history, over = server.create_database(), History(), threading.Event()
    with DatabaseManager(url) as database:
        database.upgrade()
        with database.write() as tx:
            metadata.create_all(tx.connection)

        @database.transactional(retries=20)
        def put(tx: Unit, number: int) -> None:
            tx.stage("mail", str(number).encode(), key=f"k{number % 3}" if number % 2 else None)

        def write(process: int) -> None:
            number = process * 100_000
            while not over.is_set():
                number += 1
                history.run(process, "enqueue", number, partial(put, number), surely_not=NOT_DONE)
                over.wait(0.002)

        def route(tx: Unit, row: OutboxRow) -> None:
            tx.execute(insert(effects).values(row_id=int(row.payload)))

        relays = [DatabaseManager(url).open() for _ in range(2)]
        threads = [threading.Thread(target=write, args=(process,)) for process in (1, 2)]
        for each in relays:
            each.relay({"mail": route}, batch=10).start()
        for thread in threads:
            thread.start()
        for _ in range(2):
            over.wait(0.2)
            server.kill()
            server.start()
        over.wait(0.2)
        over.set()
        for thread in threads:
            thread.join()
        for each in relays:
            each.close()
        relay, deadline = database.relay({"mail": route}), time.monotonic() + 30
        while database.outbox_counts():
            relay.run_once()
            assert time.monotonic() < deadline
        found = all_effects(database)
    assert any(op.type != "ok" for op in history.ops if op.type != "invoke"), "the kill never bit"
    for number in found:
        history.run(9, "dequeue", number, lambda: None)
    checked = total_queue(history.ops, puts="enqueue", takes="dequeue")
    assert checked, checked.found
    assert len(set(found)) == len(found)

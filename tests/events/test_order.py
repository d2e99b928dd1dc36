"""Durable deliveries of one key, one after the other; dead ones, which are seen, and let the others go on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, ClassVar

import pytest

from postrmagic_core.errors import ResultTimeout
from postrmagic_core.events import Event, on
from postrmagic_core.jobs.interface import DEAD

Rig = Any


class Stock(Event):
    """Whatever happens to one product."""

    event_type: ClassVar[str] = "stock"
    event_key: ClassVar[str] = "product"
    product: str
    number: int


class Bought(Stock):
    event_type: ClassVar[str] = "stock.bought"


class Sold(Stock):
    event_type: ClassVar[str] = "stock.sold"


class Plain(Event):
    event_type: ClassVar[str] = "plain"


def noting(rig: Rig, name: str = "note", before: Callable[[Any, Any], object] = lambda event, ctx: None) -> Any:
    """A durable listener of stock that notes what it hears, once ``before`` is through."""

    @on(Stock, phase="durable", name=name)
    def note(event: Stock, ctx: Any) -> None:
        before(event, ctx)
        with ctx.write() as tx:
            rig.effect(tx, f"{name} {event.product} {event.number}")

    return note


def numbers(rig: Rig, product: str, name: str = "note") -> list[int]:
    return [int(value.split()[2]) for value in rig.effects() if value.startswith(f"{name} {product} ")]


def states(rig: Rig, *event_ids: str) -> list[str]:
    return [each.state for event_id in event_ids for each in rig.events.record(event_id).deliveries]


def test_of_one_key_each_waits_for_the_one_before_it(rig: Rig) -> None:
    """While the first is tried again, the second waits and has no job; another key's is delivered."""
    go = threading.Event()

    def before(event: Stock, ctx: Any) -> None:
        if (event.product, event.number) == ("a", 1):
            if ctx.attempt == 1:
                raise ValueError("not yet")
            assert go.wait(20)

    rig.events.include(noting(rig, before=before))
    first = rig.events.emit(Bought(product="a", number=1)).event_id
    second = rig.events.emit(Sold(product="a", number=2)).event_id
    third = rig.events.emit(Sold(product="b", number=3)).event_id
    rig.work()
    rig.until(lambda: rig.effects() == ["note b 3"] and rig.events.record(second) is not None)
    assert (states(rig, first), states(rig, second)) == (["queued"], ["waiting"])
    rig.until(lambda: states(rig, third) == ["done"])
    go.set()
    rig.events.drain()
    assert numbers(rig, "a") == [1, 2]
    assert states(rig, first, second) == ["done", "done"]


def test_listeners_do_not_wait_for_each_other(rig: Rig) -> None:
    """One that is slow holds up its own deliveries alone."""
    go = threading.Event()
    rig.events.include(noting(rig), noting(rig, "slow", lambda event, ctx: go.wait(20)))
    for number in range(3):
        rig.events.emit(Bought(product="a", number=number))
    rig.work()
    rig.until(lambda: numbers(rig, "a") == [0, 1, 2])
    assert numbers(rig, "a", "slow") == []
    go.set()
    rig.events.drain()
    assert numbers(rig, "a", "slow") == [0, 1, 2]


def test_many_of_many_keys_arrive_in_order(rig: Rig) -> None:
    """Emitted by four threads, delivered by eight, however the first tries end."""
    seen: set[tuple[str, int]] = set()

    def before(event: Stock, ctx: Any) -> None:
        this = (event.product, event.number)
        if event.number % 7 == 3 and this not in seen:
            seen.add(this)
            raise ValueError("once")

    rig.events.include(noting(rig, before=before))
    rig.work(threads=8)

    def emit(product: str) -> None:
        for number in range(20):
            with rig.db.write() as tx:
                rig.events.emit(Bought(product=product, number=number), tx=tx)

    emitters = [threading.Thread(target=emit, args=[product]) for product in "abcd"]
    for thread in emitters:
        thread.start()
    for thread in emitters:
        thread.join()
    rig.events.drain(60)
    for product in "abcd":
        assert numbers(rig, product) == list(range(20))


def test_a_dead_delivery_is_seen_and_lets_the_next_one_go(rig: Rig) -> None:
    """After its last try; it is replayed alone."""
    broken = threading.Event()
    broken.set()

    def before(event: Stock, ctx: Any) -> None:
        if event.number == 1 and broken.is_set():
            raise ValueError("never")

    rig.events.include(noting(rig, before=before), noting(rig, "other"))
    first = rig.events.emit(Bought(product="a", number=1)).event_id
    rig.events.emit(Bought(product="a", number=2))
    rig.work()
    rig.events.drain(30)
    assert numbers(rig, "a") == [2]
    (record,) = rig.events.find(dead=True)
    assert record.id == first
    assert {each.listener: (each.state, each.error) for each in record.deliveries} == {
        "note": ("dead", "builtins.ValueError"),
        "other": ("done", None),
    }
    assert rig.events.find(Sold, dead=True) == []
    broken.clear()
    assert rig.events.replay(dead=True) == 1
    rig.events.drain()
    assert (numbers(rig, "a"), numbers(rig, "a", "other")) == ([2, 1], [1, 2])
    assert (rig.events.find(dead=True), rig.events.replay(dead=True)) == ([], 0)


def test_a_cancelled_delivery_is_noted_by_a_sweep(rig: Rig) -> None:
    """Nobody ran it to an end: the sweep says so, and the one behind it goes on."""
    rig.events.include(noting(rig))
    first = rig.events.emit(Bought(product="a", number=1)).event_id
    second = rig.events.emit(Bought(product="a", number=2)).event_id
    while rig.relay.run_once():
        pass
    assert rig.jobs.cancel(rig.events.record(first).deliveries[0].job_id)
    rig.events.sweep()
    assert states(rig, first, second) == ["dead", "queued"]
    rig.work()
    rig.events.drain()
    assert numbers(rig, "a") == [2]
    assert rig.events.record(first).deliveries[0].error == "cancelled"


def test_a_sweep_gets_to_the_last_in_the_end(sqlite_rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many that are well stand before it: each pass goes on where the last one has ended."""
    monkeypatch.setattr("postrmagic_core.events.durable._SWEPT", 3)
    sqlite_rig.events.include(noting(sqlite_rig), noting(sqlite_rig, "other"))
    ids = [sqlite_rig.events.emit(Bought(product=f"{number}", number=number)).event_id for number in range(6)]
    while sqlite_rig.relay.run_once():
        pass
    last = {each.listener: each.job_id for each in sqlite_rig.events.record(ids[-1]).deliveries}
    sqlite_rig.jobs.cancel(last["other"])
    for _ in range(7):
        sqlite_rig.events.sweep()
    assert states(sqlite_rig, ids[-1]) == ["queued", "dead"]
    assert states(sqlite_rig, *ids[:-1]) == ["queued"] * 10


def test_workers_sweep(sqlite_rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is among the queue's upkeep, each worker does."""
    from postrmagic_core.jobs import worker

    monkeypatch.setattr(worker, "_HEARTBEAT", 0.1)
    sqlite_rig.jobs.upkeep.append(sqlite_rig.events.sweep)
    sqlite_rig.events.include(noting(sqlite_rig))
    first = sqlite_rig.events.emit(Bought(product="a", number=1)).event_id
    while sqlite_rig.relay.run_once():
        pass
    sqlite_rig.jobs.cancel(sqlite_rig.events.record(first).deliveries[0].job_id)
    sqlite_rig.work()
    sqlite_rig.until(lambda: states(sqlite_rig, first) == ["dead"])


def test_an_error_that_is_only_logged_is_the_end_of_a_delivery(rig: Rig) -> None:
    """on_error="log": one try, no dead letter among the jobs, dead among the deliveries."""
    tries = []

    @on(Plain, phase="durable", name="once", on_error="log")
    def listener(event: Plain, ctx: Any) -> None:
        tries.append(ctx.attempt)
        raise ValueError

    rig.events.include(listener)
    event_id = rig.events.emit(Plain()).event_id
    rig.work()
    rig.events.drain()
    assert (tries, states(rig, event_id), rig.jobs.find(DEAD)) == ([1], ["dead"], [])


def test_an_async_listener_is_delivered_to(rig: Rig) -> None:
    """It writes through ctx.aio, once."""

    @on(Plain, phase="durable", name="async")
    async def listener(event: Plain, ctx: Any) -> None:
        async with ctx.aio.write() as tx:
            await tx.run(lambda unit: rig.effect(unit, "async"))

    rig.events.include(listener)
    event_id = rig.events.emit(Plain()).event_id
    rig.work()
    rig.events.drain()
    assert (rig.effects(), states(rig, event_id)) == (["async"], ["done"])


def test_a_delivery_that_has_ended_is_not_made_again(rig: Rig) -> None:
    """The job comes once more, its worker having died after the end was noted: nobody hears it."""
    heard = []
    rig.events.include(on(Plain, phase="durable", name="count")(lambda event, ctx: heard.append(1)))
    event_id = rig.events.emit(Plain()).event_id
    while rig.relay.run_once():
        pass

    class Context:
        job_id = rig.events.record(event_id).deliveries[0].job_id
        last_try = False

    for _ in range(2):
        rig.events.run_delivery(Context(), event_id, "count")
    assert heard == [1]


def test_drain_tells_what_is_left(rig: Rig) -> None:
    """In the outbox, or with a listener."""
    rig.events.include(noting(rig))
    rig.events.emit(Bought(product="a", number=1))
    with pytest.raises(ResultTimeout, match="1 events in the outbox and 0 deliveries"):
        rig.events.drain(0.1)
    while rig.relay.run_once():
        pass
    with pytest.raises(ResultTimeout, match="0 events in the outbox and 1 deliveries"):
        rig.events.drain(0.1)


def test_a_chain_is_what_one_event_has_caused(rig: Rig) -> None:
    """In the order in which it happened, whichever of it is asked for."""

    @on(Bought, phase="durable", name="sells")
    def sells(event: Bought, ctx: Any) -> None:
        rig.events.emit(Sold(product=event.product, number=event.number + 1))

    @on(Sold, phase="durable", name="ends")
    def ends(event: Sold, ctx: Any) -> None: ...

    rig.events.include(sells, ends)
    first = rig.events.emit(Bought(product="a", number=1)).event_id
    time.sleep(0.002)
    other = rig.events.emit(Bought(product="b", number=1)).event_id
    rig.work()
    rig.events.drain()
    chain = rig.events.chain(first)
    assert [record.type for record in chain] == ["stock.bought", "stock.sold"]
    assert rig.events.chain(chain[1].id) == chain
    assert (rig.events.chain("no such"), rig.events.chain(other)[0].id) == ([], other)

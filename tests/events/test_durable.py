"""Durable events: one delivery for each listener, retried alone, replayed, alive after kill -9."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import pytest

from postrmagic_core._codec import encode
from postrmagic_core.database import DatabaseManager
from postrmagic_core.errors import DecodeError, UsageError
from postrmagic_core.events import Event, EventManager, on
from postrmagic_core.events.durable import DELIVERY_TASK, TOPIC
from postrmagic_core.events.interface import EventContext
from postrmagic_core.jobs import JobQueue, task
from postrmagic_core.log import bind, carried
from postrmagic_core.testing import spawn

Rig = Any


class Paid(Event):
    event_type: ClassVar[str] = "paid"  # the children of these tests load this file under another name
    order: int


class PaidByCard(Paid):
    pass


class Unheard(Event):
    pass


class Undone(Exception):
    """Rolls a unit back."""


@on(Paid, phase="durable", name="mail")
def mail(event: Paid, ctx: Any) -> None:
    with ctx.write() as tx:
        ctx.rig.effect(tx, f"mail {event.order}")


@on(Paid, phase="durable", name="ship")
def ship(event: Paid, ctx: Any) -> None:
    with ctx.write() as tx:
        ctx.rig.effect(tx, f"ship {event.order}")


def wired(rig: Rig, *listeners: Any) -> Rig:
    rig.services["rig"] = rig
    rig.events.include(*listeners)
    return rig


def test_every_durable_listener_gets_a_delivery_of_its_own(rig: Rig) -> None:
    """Both run as jobs, both are noted as done."""
    wired(rig, mail, ship).work()
    with rig.db.write() as tx:
        event_id = rig.events.emit(PaidByCard(order=7), tx=tx).event_id
    rig.until(lambda: rig.all_done(event_id))
    assert rig.delivered(event_id) == {"mail": True, "ship": True}
    assert sorted(rig.effects()) == ["mail 7", "ship 7"]


def test_an_event_of_a_rolled_back_unit_is_never_delivered(rig: Rig) -> None:
    """The next unit's is, so the relay has looked."""
    wired(rig, mail).work()
    with suppress(Undone), rig.db.write() as tx:
        gone = rig.events.emit(Paid(order=1), tx=tx).event_id
        rig.services["gone"] = gone
        raise Undone
    kept = rig.events.emit(Paid(order=2)).event_id
    rig.until(lambda: rig.all_done(kept))
    assert rig.events.record(rig.services["gone"]) is None
    assert rig.effects() == ["mail 2"]


def test_only_the_listener_that_failed_is_tried_again(rig: Rig) -> None:
    """The other one's effect and delivery are untouched by the retries."""
    attempts = []

    @on(Paid, phase="durable", name="flaky")
    def flaky(event: Paid, ctx: Any) -> None:
        attempts.append(ctx.attempt)
        if ctx.attempt < 3:
            raise ValueError
        with ctx.write() as tx:
            rig.effect(tx, "flaky")

    wired(rig, mail, flaky).work()
    event_id = rig.events.emit(Paid(order=1)).event_id
    rig.until(lambda: rig.all_done(event_id))
    assert attempts == [1, 2, 3]
    assert sorted(rig.effects()) == ["flaky", "mail 1"]


def test_a_delivery_whose_effect_is_committed_is_done(sqlite_rig: Rig) -> None:
    """The listener fails after its commit: tried again it finds its effect there, and is noted as done."""

    @on(Paid, phase="durable", name="half")
    def half(event: Paid, ctx: Any) -> None:
        with ctx.write() as tx:
            sqlite_rig.effect(tx, "half")
        raise ValueError

    wired(sqlite_rig, half).work()
    event_id = sqlite_rig.events.emit(Paid(order=1)).event_id
    sqlite_rig.until(lambda: sqlite_rig.all_done(event_id))
    assert sqlite_rig.effects() == ["half"]


def test_an_event_type_unknown_to_the_relay_waits_and_is_shown(sqlite_rig: Rig) -> None:
    """A process that did not load the application must not drop what it does not know."""
    wired(sqlite_rig, mail)
    event_id = sqlite_rig.events.emit(Paid(order=1)).event_id
    with EventManager(database=sqlite_rig.db, jobs=sqlite_rig.jobs) as empty:
        bare = sqlite_rig.db.relay({"events": empty.deliver})
        assert bare.run_once() == 0
        assert sqlite_rig.db.outbox_counts()["events"].waiting == 1
    assert sqlite_rig.events.record(event_id) is None


def test_what_the_context_holds_where_an_event_is_emitted_arrives_with_its_deliveries(rig: Rig) -> None:
    """And with the jobs they enqueue; of the relay's own context nothing does."""
    seen: dict[str, Any] = {}

    @task(name="next")
    def following(ctx: Any) -> None:
        seen["job"] = ctx.carried.get("request_id")

    @on(Paid, phase="durable", name="follow")
    def follow(event: Paid, ctx: Any) -> None:
        seen["delivery"] = ctx.carried
        with ctx.write() as tx:
            ctx.jobs.enqueue(following.call(), tx=tx)

    rig.jobs.include(following)
    wired(rig, follow)
    rig.jobs.carry = rig.events.carry = carried
    with bind(request_id="r-7", user="ada", size=7), rig.db.write() as tx:
        rig.events.emit(Paid(order=1), tx=tx)
    with bind(request_id="the relay's", relay="r"):
        assert rig.relay.run_once() == 1
    rig.work(around=lambda ctx: bind(**ctx.fields))
    rig.until(lambda: "job" in seen)
    assert seen == {"delivery": {"request_id": "r-7", "user": "ada"}, "job": "r-7"}


def test_an_event_staged_before_events_carried_anything_is_delivered(sqlite_rig: Rig) -> None:
    """Its row may wait while a new version starts; one of another shape is refused."""
    wired(sqlite_rig, mail).work()
    noted = EventContext(Paid(order=1), 1, {})
    with sqlite_rig.db.write() as tx:
        tx.stage(TOPIC, encode(["paid", noted.encode()]))
    sqlite_rig.until(lambda: sqlite_rig.all_done(noted.event_id))
    assert sqlite_rig.effects() == ["mail 1"]
    with pytest.raises(DecodeError, match="3 fields"), sqlite_rig.db.write() as tx:
        sqlite_rig.events._durable.fan_out(tx, encode(["paid"]))


def test_a_stored_event_outlives_a_field_of_its_class(sqlite_rig: Rig) -> None:
    """A field since removed is passed over; one since added without a default is named."""

    class Old(Event):
        order: int
        colour: str

    class New(Event):
        order: int
        size: int

    old = EventContext(Old(order=1, colour="red"), 1, {}).encode()
    assert EventContext.decode(old, Paid).event == Paid(order=1)
    with pytest.raises(DecodeError, match="size"):
        EventContext.decode(old, New)
    with pytest.raises(DecodeError, match="not an event"):
        EventContext.decode(encode([1, 2]), Paid)


def test_replay_delivers_again_under_a_new_job(rig: Rig) -> None:
    """One event, all since an instant, one listener only: effects happen again, each once a replay."""
    wired(rig, mail, ship).work()
    start = datetime.now(UTC) - timedelta(seconds=5)
    first, second = (rig.events.emit(event).event_id for event in (Paid(order=1), PaidByCard(order=2)))
    rig.until(lambda: rig.all_done(first) and rig.all_done(second))
    assert rig.events.replay(first) == 2
    rig.until(lambda: rig.all_done(first))
    assert rig.events.replay(event_type=PaidByCard, since=start, listener="ship") == 1
    rig.until(lambda: rig.all_done(second))
    assert sorted(rig.effects()) == ["mail 1", "mail 1", "mail 2", "ship 1", "ship 1", "ship 2", "ship 2"]
    assert rig.events.replay(since=datetime.now(UTC) + timedelta(days=1)) == 0
    with pytest.raises(UsageError, match="replay what"):
        rig.events.replay()


def test_the_log_tells_causes(sqlite_rig: Rig) -> None:
    """A durable listener emits another event: it is caused by the one heard."""

    @on(Paid, phase="durable", name="chain")
    def chain(event: Paid, ctx: Any) -> None:
        with ctx.write() as tx:
            ctx.rig.services["next"] = ctx.rig.events.emit(Unheard(), tx=tx).event_id

    heard = on(Unheard, phase="durable", name="heard")(lambda event, ctx: None)
    wired(sqlite_rig, chain, heard).work()
    event_id = sqlite_rig.events.emit(Paid(order=1)).event_id
    sqlite_rig.until(lambda: sqlite_rig.all_done(event_id))
    sqlite_rig.until(lambda: sqlite_rig.all_done(sqlite_rig.services["next"]))
    record = sqlite_rig.events.record(sqlite_rig.services["next"])
    assert (record.correlation_id, record.causation_id) == (event_id, event_id)
    assert [record.id for record in sqlite_rig.events.find(Paid)] == [event_id]
    assert len(sqlite_rig.events.find(limit=10)) == 2


def test_what_is_done_everywhere_can_be_purged(sqlite_rig: Rig) -> None:
    """An event that a listener still owes stays."""
    wired(sqlite_rig, mail)
    owed = sqlite_rig.events.emit(Paid(order=1)).event_id
    sqlite_rig.relay.run_once()
    later = datetime.now(UTC) + timedelta(days=1)
    assert sqlite_rig.events.purge(later) == 0
    sqlite_rig.work()
    sqlite_rig.until(lambda: sqlite_rig.all_done(owed))
    assert sqlite_rig.events.purge(datetime.now(UTC) - timedelta(days=1)) == 0
    assert sqlite_rig.events.purge(later) == 1
    assert sqlite_rig.events.record(owed) is None


async def looked_at(rig: Rig, event_id: str) -> tuple[Any, ...]:
    aio = rig.events.aio
    record, found = await aio.record(event_id), await aio.find()
    return record.id, len(found), await aio.replay(event_id), await aio.purge(datetime(2020, 1, 1, tzinfo=UTC))


def test_the_async_face_looks_after_events_too(sqlite_rig: Rig) -> None:
    """Record, find, replay and purge."""
    wired(sqlite_rig, mail)
    event_id = sqlite_rig.events.emit(Paid(order=1)).event_id
    sqlite_rig.relay.run_once()
    assert asyncio.run(looked_at(sqlite_rig, event_id)) == (event_id, 1, 1, 0)


def emit_and_die(url: str, when: str) -> None:
    """An application process killed around its commit."""
    with DatabaseManager(url) as db, EventManager(database=db) as events, db.write() as tx:
        events.include(mail)
        events.emit(Paid(order=1), tx=tx)
        if when == "before":
            os._exit(9)
        tx.after_commit(lambda: os._exit(9))


@pytest.mark.fault
@pytest.mark.parametrize(("when", "effects"), [("before", []), ("after", ["mail 1"])])
def test_an_event_survives_its_application_from_the_commit_on(sqlite_rig: Rig, when: str, effects: list[str]) -> None:
    """Killed before the commit nothing happened; killed right after it, the event is delivered."""
    wired(sqlite_rig, mail)
    with spawn(emit_and_die, sqlite_rig.url, when) as child:
        assert child.wait() == 9
    assert sqlite_rig.relay.run_once() == len(effects)
    sqlite_rig.work()
    sqlite_rig.until(lambda: sqlite_rig.effects() == effects)


def relay_and_die(url: str) -> None:
    """A relay killed between two listeners' jobs of one event."""
    with DatabaseManager(url) as db, JobQueue(url, database=db) as jobs, EventManager(database=db, jobs=jobs) as events:
        events.include(mail, ship)
        jobs.include(task(name=DELIVERY_TASK)(events.run_delivery))
        enqueue = jobs.enqueue_raw
        done: list[str] = []

        def enqueue_one(*args: Any, **options: Any) -> str:
            if done:
                os._exit(9)
            done.append(enqueue(*args, **options))
            return done[0]

        jobs.enqueue_raw = enqueue_one  # type: ignore[method-assign]  # where the process shall die
        db.relay({"events": events.deliver}).run_once()


@pytest.mark.fault
def test_a_relay_killed_half_way_leaves_no_half_delivery(rig: Rig) -> None:
    """The fan-out is one transaction: the next relay does all of it, and each listener hears the event once."""
    wired(rig, mail, ship)
    event_id = rig.events.emit(Paid(order=1)).event_id
    with spawn(relay_and_die, rig.url) as child:
        assert child.wait() == 9
    assert rig.jobs.counts() == {}
    rig.work()
    rig.until(lambda: rig.all_done(event_id))
    assert sorted(rig.effects()) == ["mail 1", "ship 1"]

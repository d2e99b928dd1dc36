"""Who hears an event, when, and in which order."""

from __future__ import annotations

import asyncio
import types
from contextlib import suppress
from datetime import UTC
from typing import Any

import pytest
from pydantic import ValidationError

from postrmagic_core.errors import OutsideUnit, Unsupported, UsageError
from postrmagic_core.events import Event, EventManager, on

Rig = Any


class Uploaded(Event):
    number: int


class PosterUploaded(Uploaded):
    pass


class Undone(Exception):
    """Rolls a unit back."""


def test_an_event_has_its_fields_and_no_others() -> None:
    """It is frozen; ids and times travel beside it."""
    with pytest.raises(ValidationError):
        Uploaded(number=1, extra=2)  # type: ignore[call-arg]  # the mistake under test
    with pytest.raises(ValidationError):
        Uploaded(number=1).number = 2


def test_before_commit_runs_inside_the_transaction(rig: Rig) -> None:
    """What it writes commits with the unit, and rolls back with it."""

    @on(Uploaded, phase="before_commit")
    def listener(event: Uploaded, ctx: Any) -> None:
        rig.effect(ctx.tx, f"number {event.number}")

    rig.events.include(listener)
    with rig.db.write() as tx:
        rig.events.emit(Uploaded(number=1), tx=tx)
    with suppress(Undone), rig.db.write() as tx:
        rig.events.emit(Uploaded(number=2), tx=tx)
        raise Undone
    assert rig.effects() == ["number 1"]


def test_an_error_before_the_commit_rolls_the_unit_back(rig: Rig) -> None:
    """The listener may veto."""

    @on(Uploaded, phase="before_commit")
    def veto(event: Uploaded, ctx: Any) -> None:
        raise Undone

    rig.events.include(veto)

    def upload() -> None:
        with rig.db.write() as tx:
            rig.effect(tx, "uploaded")
            rig.events.emit(Uploaded(number=1), tx=tx)

    with pytest.raises(Undone):
        upload()
    assert rig.effects() == []


def test_after_commit_runs_once_it_is_committed(rig: Rig) -> None:
    """It sees what was committed, and hears nothing of what was rolled back."""
    seen = []

    @on(Uploaded)
    def listener(event: Uploaded, ctx: Any) -> None:
        assert ctx.tx is None
        seen.append((event.number, rig.effects()))

    rig.events.include(listener)
    with rig.db.write() as tx:
        rig.effect(tx, "there")
        rig.events.emit(Uploaded(number=1), tx=tx)
        assert seen == []
    with suppress(Undone), rig.db.write() as tx:
        rig.events.emit(Uploaded(number=2), tx=tx)
        raise Undone
    assert seen == [(1, ["there"])]


def test_an_error_after_the_commit_stops_no_other_listener(sqlite_rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    """It is logged once and counted; the unit has committed all the same."""
    heard = []

    @on(Uploaded, name="broken", priority=1)
    def broken(event: Uploaded, ctx: Any) -> None:
        raise ValueError("no")

    @on(Uploaded)
    def fine(event: Uploaded, ctx: Any) -> None:
        heard.append(event.number)

    sqlite_rig.events.include(broken, fine)
    with sqlite_rig.db.write() as tx:
        sqlite_rig.events.emit(Uploaded(number=1), tx=tx)
    assert heard == [1]
    assert [record.levelname for record in caplog.records].count("ERROR") == 1
    assert sqlite_rig.events.metrics.counter("events_listener_failures_total", listener="broken").value == 1


def test_listeners_run_by_priority_then_in_the_order_of_inclusion() -> None:
    """The higher priority first; a listener of the base class hears the subclass, and not the reverse."""
    heard = []

    def listener(name: str, event_type: type[Event], priority: int = 0) -> Any:
        return on(event_type, name=name, priority=priority)(lambda event, ctx: heard.append(name))

    with EventManager() as events:
        events.include(
            listener("first", Uploaded),
            listener("second", PosterUploaded),
            listener("urgent", Event, 5),
            listener("last", Uploaded, -1),
        )
        events.emit(PosterUploaded(number=1))
        assert heard == ["urgent", "first", "second", "last"]
        heard.clear()
        events.emit(Uploaded(number=1))
        assert heard == ["urgent", "first", "last"]


def test_an_event_nobody_hears_is_fine() -> None:
    """Emitting is not the emitter's business with listeners."""
    with EventManager() as events:
        assert len(events.emit(Uploaded(number=1)).event_id) == 36


def test_inside_a_unit_tx_is_needed(sqlite_rig: Rig) -> None:
    """Otherwise the event would be heard though the unit rolls back."""
    with sqlite_rig.db.write(), pytest.raises(OutsideUnit, match="tx=tx"):
        sqlite_rig.events.emit(Uploaded(number=1))


@pytest.mark.parametrize("commits", [True, False])
def test_a_detached_event_is_heard_whatever_becomes_of_the_unit(rig: Rig, commits: bool) -> None:
    """After the unit's end, in a unit of its own where a listener needs one."""

    @on(Uploaded, phase="before_commit")
    def listener(event: Uploaded, ctx: Any) -> None:
        rig.effect(ctx.tx, "heard")

    rig.events.include(listener)
    with suppress(Undone), rig.db.write():
        rig.events.emit(Uploaded(number=1), detached=True)
        if not commits:
            raise Undone
    assert rig.effects() == ["heard"]


def test_without_a_unit_one_is_opened_where_it_is_needed(rig: Rig) -> None:
    """A before-commit listener has a transaction always."""

    @on(Uploaded, phase="before_commit")
    def listener(event: Uploaded, ctx: Any) -> None:
        rig.effect(ctx.tx, "alone")

    rig.events.include(listener)
    rig.events.emit(Uploaded(number=1))
    assert rig.effects() == ["alone"]


def test_without_a_database_only_the_memory_s_phase_is_offered() -> None:
    """A durable listener cannot be kept nowhere."""
    with EventManager() as events:
        events.include(on(Uploaded, phase="durable")(lambda event, ctx: None))
        with pytest.raises(Unsupported, match="database"):
            events.emit(Uploaded(number=1))


def test_an_event_knows_what_caused_it(sqlite_rig: Rig) -> None:
    """Emitted inside a listener: the same correlation, caused by the event heard."""
    seen = {}

    @on(Uploaded, name="first")
    def first(event: Uploaded, ctx: Any) -> None:
        seen["first"] = ctx
        if event.number == 1:
            sqlite_rig.events.emit(Uploaded(number=2))

    sqlite_rig.events.include(first)
    contexts = []
    sqlite_rig.events.include(on(Uploaded, name="second")(lambda event, ctx: contexts.append(ctx)))
    sqlite_rig.events.emit(Uploaded(number=1))
    inner, outer = contexts
    assert outer.causation_id is None
    assert outer.correlation_id == outer.event_id
    assert (inner.correlation_id, inner.causation_id) == (outer.event_id, outer.event_id)
    assert outer.occurred_at.tzinfo is UTC


def test_events_that_cause_each_other_end(sqlite_rig: Rig) -> None:
    """Each listener emits again inside the transaction: a cap, and the unit is rolled back."""

    @on(Uploaded, phase="before_commit")
    def again(event: Uploaded, ctx: Any) -> None:
        sqlite_rig.effect(ctx.tx, "again")
        sqlite_rig.events.emit(event, tx=ctx.tx)

    sqlite_rig.events.include(again)
    with pytest.raises(UsageError, match="cause each other"):
        sqlite_rig.events.emit(Uploaded(number=1))
    assert sqlite_rig.effects() == []


def test_a_listener_included_while_an_event_is_heard_hears_the_next_one() -> None:
    """The order of the event under way is fixed when it is emitted."""
    heard = []
    with EventManager() as events:
        late = on(Uploaded, name="late")(lambda event, ctx: heard.append("late"))

        @on(Uploaded, name="early")
        def early(event: Uploaded, ctx: Any) -> None:
            heard.append("early")
            events.include(late)

        events.include(early)
        events.emit(Uploaded(number=1))
        assert heard == ["early"]
        events.emit(Uploaded(number=1))
        assert heard == ["early", "early", "late"]


def test_services_are_attributes_of_the_context(sqlite_rig: Rig) -> None:
    """As in a job's context; an unknown one is named."""
    seen = []
    sqlite_rig.services["mailer"] = "the mailer"

    @on(Uploaded)
    def listener(event: Uploaded, ctx: Any) -> None:
        seen.append(ctx.mailer)
        with pytest.raises(AttributeError, match="printer"):
            _ = ctx.printer

    sqlite_rig.events.include(listener)
    sqlite_rig.events.emit(Uploaded(number=1))
    assert seen == ["the mailer"]


def test_what_cannot_listen_is_refused() -> None:
    """An async one in a transaction, an unknown phase, two of one name, and what is no listener at all."""
    with pytest.raises(UsageError, match="async"):

        @on(Uploaded, phase="before_commit")
        async def listener(event: Uploaded, ctx: Any) -> None: ...

    with pytest.raises(UsageError, match="durable and once"):
        on(Uploaded, phase="durable", once=True)(lambda event, ctx: None)
    with pytest.raises(ValueError, match="on_error is log, got 'raise'"):
        on(Uploaded, on_error="raise")(lambda event, ctx: None)
    with pytest.raises(ValueError, match="phase"):
        on(Uploaded, phase="later")(lambda event, ctx: None)  # type: ignore[call-overload]  # the mistake under test
    with EventManager() as events:
        events.include(on(Uploaded, name="a")(lambda event, ctx: None))
        with pytest.raises(UsageError, match="two listeners"):
            events.include(on(Uploaded, name="a")(lambda event, ctx: None))
        with pytest.raises(UsageError, match="include"):
            events.include(7)  # type: ignore[arg-type]  # the mistake under test


def test_a_module_is_included_with_its_listeners() -> None:
    """And called directly a listener is the function it was."""
    module = types.ModuleType("shop")
    listener = on(Uploaded)(lambda event, ctx: event.number)
    module.__dict__["listener"] = listener
    heard = []
    module.__dict__["other"] = on(Uploaded, name="other")(lambda event, ctx: heard.append(event))
    with EventManager() as events:
        events.include(module)
        events.emit(Uploaded(number=7))
    assert heard == [Uploaded(number=7)]
    assert listener(Uploaded(number=7), None) == 7


async def both_ways(rig: Rig) -> None:
    async with rig.db.aio.write() as tx:
        with pytest.raises(OutsideUnit):
            await rig.events.aio.emit(Uploaded(number=1))
        await rig.events.aio.emit(Uploaded(number=1), tx=tx)
    await rig.events.aio.emit(Uploaded(number=2))


def test_the_async_face_does_the_same(sqlite_rig: Rig) -> None:
    """In an async unit, and outside one."""

    @on(Uploaded, phase="before_commit")
    def listener(event: Uploaded, ctx: Any) -> None:
        sqlite_rig.effect(ctx.tx, str(event.number))

    sqlite_rig.events.include(listener)
    asyncio.run(both_ways(sqlite_rig))
    assert sqlite_rig.effects() == ["1", "2"]

"""Listeners of every sort: now, once, stopping, by pattern, async, and what becomes of their errors."""

from __future__ import annotations

import asyncio
import contextvars
import multiprocessing
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

import pytest

from postrmagic_core.errors import Overloaded, UsageError
from postrmagic_core.events import STOP, Event, EventManager, ListenerLimits, on
from postrmagic_core.testing import until

Rig = Any
user: contextvars.ContextVar[str] = contextvars.ContextVar("user", default="nobody")


class Changed(Event):
    event_type: ClassVar[str] = "poster.changed"
    number: int = 1


class Deleted(Event):
    event_type: ClassVar[str] = "poster.deleted"


class Undone(Exception):
    """Rolls a unit back."""


@pytest.fixture
def events() -> Iterator[EventManager]:
    """A manager without a database."""
    with EventManager() as opened:
        yield opened


def failures(events: EventManager, listener: str) -> int:
    return events.metrics.counter("events_listener_failures_total", listener=listener).value


def test_now_is_heard_while_it_is_emitted(rig: Rig) -> None:
    """In the unit, whether or not it commits; before what is heard as it commits."""
    heard = []

    @on(Changed, phase="now")
    def at_once(event: Changed, ctx: Any) -> None:
        heard.append("now")
        rig.effect(ctx.tx, "now")

    @on(Changed, phase="before_commit")
    def before(event: Changed, ctx: Any) -> None:
        heard.append("before")

    rig.events.include(at_once, before)
    with suppress(Undone), rig.db.write() as tx:
        rig.events.emit(Changed(), tx=tx)
        assert heard == ["now"]
        raise Undone
    assert (heard, rig.effects()) == (["now"], [])
    with rig.db.write() as tx:
        rig.events.emit(Changed(), tx=tx)
    assert (heard, rig.effects()) == (["now", "now", "before"], ["now"])


def test_an_error_now_is_the_emitter_s_unless_it_is_only_logged(events: EventManager) -> None:
    """Raised, nobody later hears the event; logged, everybody does."""
    heard = []

    @on(Changed, phase="now", name="careful", priority=1, on_error="log")
    def careful(event: Changed, ctx: Any) -> None:
        raise Undone

    @on(Changed, phase="now", name="strict", on_error="raise")
    def strict(event: Changed, ctx: Any) -> None:
        heard.append("strict")
        raise Undone

    @on(Changed)
    def after(event: Changed, ctx: Any) -> None:
        heard.append("after")

    events.include(careful, after)
    events.emit(Changed())
    events.include(strict)
    with pytest.raises(Undone):
        events.emit(Changed())
    assert heard == ["after", "strict"]
    assert failures(events, "careful") == 2


def test_before_the_commit_a_logged_error_undoes_its_own_part(rig: Rig) -> None:
    """What the listener had written is undone, the unit and the other listeners go on."""

    @on(Changed, phase="before_commit", name="unlucky", on_error="log")
    def unlucky(event: Changed, ctx: Any) -> None:
        rig.effect(ctx.tx, "half")
        raise Undone

    @on(Changed, phase="before_commit")
    def lucky(event: Changed, ctx: Any) -> None:
        rig.effect(ctx.tx, "whole")

    rig.events.include(unlucky, lucky)
    with rig.db.write() as tx:
        rig.effect(tx, "unit")
        rig.events.emit(Changed(), tx=tx)
    assert rig.effects() == ["unit", "whole"]
    assert failures(rig.events, "unlucky") == 1


@pytest.mark.parametrize("phase", ["now", "before_commit", "after_commit"])
def test_stop_keeps_the_event_from_the_others_of_the_phase(sqlite_rig: Rig, phase: Any) -> None:
    """Those of a lower priority; other phases hear it."""
    heard = []

    def listener(name: str, priority: int, answer: object, where: Any = phase) -> Any:
        def hear(event: Event, ctx: Any) -> object:
            heard.append(name)
            return answer

        return on(Changed, phase=where, name=name, priority=priority)(hear)

    other = "after_commit" if phase != "after_commit" else "before_commit"
    sqlite_rig.events.include(
        listener("last", 0, None),
        listener("stops", 1, STOP),
        listener("first", 2, None),
        listener("other", 0, 0, other),
    )
    sqlite_rig.events.emit(Changed())
    assert sorted(heard) == ["first", "other", "stops"]


def test_once_hears_the_first_event_only(events: EventManager) -> None:
    """However many threads emit."""
    heard = []

    @on(Changed, once=True)
    def listener(event: Changed, ctx: Any) -> None:
        heard.append(event.number)

    events.include(listener)
    threads = [threading.Thread(target=events.emit, args=[Changed(number=1)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert heard == [1]


def test_a_pattern_hears_by_name(events: EventManager) -> None:
    """And the base class hears everything."""
    heard: list[tuple[str, str]] = []

    def listener(name: str, what: Any) -> Any:
        def hear(event: Event, ctx: Any) -> None:
            heard.append((name, type(event).__name__))

        declare: Any = on(what, name=name)
        return declare(hear)

    events.include(listener("posters", "poster.*"), listener("deletions", "*.deleted"), listener("all", Event))
    events.emit(Changed())
    events.emit(Deleted())
    assert heard == [
        ("posters", "Changed"),
        ("all", "Changed"),
        ("posters", "Deleted"),
        ("deletions", "Deleted"),
        ("all", "Deleted"),
    ]


def test_a_lambda_without_a_name_elsewhere_is_heard(events: EventManager) -> None:
    """Listeners are held: nobody else needs to."""
    heard = []
    events.include(on(Changed, name="lambda")(lambda event, ctx: heard.append(event)))
    import gc

    gc.collect()
    events.emit(Changed())
    assert heard == [Changed()]


def test_an_async_listener_runs_behind_the_emitter(events: EventManager) -> None:
    """With the emitter's context variables; its errors are logged; drain() waits for it."""
    heard, go = [], threading.Event()

    @on(Changed)
    async def listener(event: Changed, ctx: Any) -> None:
        await asyncio.to_thread(go.wait)
        heard.append((user.get(), ctx.event_id, threading.current_thread().name))

    @on(Changed, name="broken")
    async def broken(event: Changed, ctx: Any) -> None:
        raise Undone

    events.include(listener, broken)
    user.set("ada")
    event_id = events.emit(Changed()).event_id
    user.set("nobody")
    assert heard == []
    go.set()
    events.drain()
    assert heard == [("ada", event_id, "postrmagic-events-loop")]
    assert failures(events, "broken") == 1


def test_after_a_rollback_no_async_listener_runs(rig: Rig) -> None:
    """It is an after-commit listener."""
    heard = []

    @on(Changed)
    async def listener(event: Changed, ctx: Any) -> None:
        heard.append(event.number)

    rig.events.include(listener)
    with suppress(Undone), rig.db.write() as tx:
        rig.events.emit(Changed(number=1), tx=tx)
        raise Undone
    with rig.db.write() as tx:
        rig.events.emit(Changed(number=2), tx=tx)
    rig.events.drain()
    assert heard == [2]


def test_async_and_plain_listeners_are_heard_in_order_now(sqlite_rig: Rig) -> None:
    """In asyncio an async one is awaited on the emitter's own loop, and given the async unit."""
    heard: list[tuple[str, Any]] = []

    @on(Changed, phase="now", priority=2)
    async def first(event: Changed, ctx: Any) -> None:
        heard.append(("first", asyncio.get_running_loop()))
        if ctx.tx is not None:
            await ctx.tx.run(lambda tx: sqlite_rig.effect(tx, "async"))

    @on(Changed, phase="now", priority=1)
    def second(event: Changed, ctx: Any) -> None:
        heard.append(("second", None))
        if ctx.tx is not None:
            sqlite_rig.effect(ctx.tx, "plain")

    @on(Changed, phase="now")
    async def third(event: Changed, ctx: Any) -> object:
        heard.append(("third", asyncio.get_running_loop()))
        return STOP

    @on(Changed, phase="now", priority=-1)
    def never(event: Changed, ctx: Any) -> None:
        heard.append(("never", None))

    sqlite_rig.events.include(first, second, third, never)

    async def emit() -> asyncio.AbstractEventLoop:
        async with sqlite_rig.db.aio.write() as tx:
            await sqlite_rig.events.aio.emit(Changed(), tx=tx)
        return asyncio.get_running_loop()

    loop = asyncio.run(emit())
    assert heard == [("first", loop), ("second", None), ("third", loop)]
    assert sqlite_rig.effects() == ["async", "plain"]
    sqlite_rig.events.emit(Changed())
    assert [name for name, _ in heard[3:]] == ["first", "second", "third"]


def test_an_async_listener_cannot_be_waited_for_on_the_loop_it_needs(events: EventManager) -> None:
    """emit() on the manager's own loop would wait for itself: the error says what to do."""
    seen: list[BaseException] = []

    @on(Deleted, phase="now")
    async def slow(event: Deleted, ctx: Any) -> None: ...

    @on(Changed)
    async def emits(event: Changed, ctx: Any) -> None:
        try:
            events.emit(Deleted())
        except UsageError as error:
            seen.append(error)
        await events.aio.emit(Deleted())

    events.include(slow, emits)
    events.emit(Changed())
    events.drain()
    assert "await events.aio.emit()" in str(seen[0])


class Gate:
    """Async listeners wait here."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.running = 0
        self.most = 0
        self.done: list[int] = []

    async def listen(self, event: Changed, ctx: Any) -> None:
        self.running += 1
        self.most = max(self.most, self.running)
        await asyncio.to_thread(self.open.wait)
        self.running -= 1
        self.done.append(event.number)


def behind(limits: ListenerLimits) -> tuple[EventManager, Gate]:
    gate, events = Gate(), EventManager(limits=limits)

    @on(Changed)
    async def listener(event: Changed, ctx: Any) -> None:
        await gate.listen(event, ctx)

    events.include(listener)
    return events, gate


def test_an_emitter_waits_for_room() -> None:
    """Two run, three wait, the sixth emitter blocks until one has ended; nobody is lost."""
    events, gate = behind(ListenerLimits(concurrency=2, backlog=3))
    with events:
        emitted: list[int] = []

        def emit() -> None:
            for number in range(10):
                events.emit(Changed(number=number))
                emitted.append(number)

        emitter = threading.Thread(target=emit)
        emitter.start()
        until(lambda: len(emitted) == 5)
        time.sleep(0.1)
        assert emitted == list(range(5))
        gate.open.set()
        emitter.join(10)
        events.drain()
    assert (sorted(gate.done), gate.most) == (list(range(10)), 2)


def test_the_oldest_is_dropped_and_counted() -> None:
    """overflow="drop_oldest": emitters never wait."""
    events, gate = behind(ListenerLimits(concurrency=1, backlog=2, overflow="drop_oldest"))
    with events:
        for number in range(6):
            events.emit(Changed(number=number))
        gate.open.set()
        events.drain()
        assert gate.done == [0, 4, 5]
        assert events.metrics.counter("events_dropped_total").value == 3


def test_emitting_is_refused_before_anything_has_happened(rig: Rig) -> None:
    """overflow="raise": the unit rolls back with it."""
    events, gate = behind(ListenerLimits(concurrency=1, backlog=1, overflow="raise"))
    with events:
        for number in range(2):
            events.emit(Changed(number=number))

        def upload() -> None:
            with rig.db.write() as tx:
                rig.effect(tx, "uploaded")
                events.emit(Changed(number=2), tx=tx)

        with pytest.raises(Overloaded, match="1 calls wait"):
            upload()
        gate.open.set()
        events.drain()
    assert (gate.done, rig.effects()) == ([0, 1], [])


def test_a_listener_of_the_loop_never_waits_for_itself() -> None:
    """An async listener emits more than may wait: it goes beyond the bound rather than for ever."""
    heard = []
    with EventManager(limits=ListenerLimits(concurrency=1, backlog=1)) as events:

        @on(Deleted)
        async def emits(event: Deleted, ctx: Any) -> None:
            for number in range(5):
                events.emit(Changed(number=number))

        @on(Changed)
        async def listener(event: Changed, ctx: Any) -> None:
            heard.append(event.number)

        events.include(emits, listener)
        events.emit(Deleted())
        events.drain()
    assert heard == [0, 1, 2, 3, 4]


def test_close_lets_async_listeners_end() -> None:
    """What was emitted before is heard; the thread is gone."""
    events, gate = behind(ListenerLimits())
    with events:
        events.emit(Changed(number=7))
        threading.Timer(0.2, gate.open.set).start()
    assert gate.done == [7]
    assert "postrmagic-events-loop" not in {thread.name for thread in threading.enumerate()}


def test_a_listener_that_hangs_holds_up_no_other() -> None:
    """It is cancelled after its time, logged and counted; the one behind it had to wait no longer."""
    heard = []
    with EventManager(limits=ListenerLimits(concurrency=1)) as events:

        @on(Changed, name="hangs", priority=1, time_limit=0.1)
        async def hangs(event: Changed, ctx: Any) -> None:
            await asyncio.sleep(3600)

        @on(Changed)
        async def listener(event: Changed, ctx: Any) -> None:
            heard.append(event.number)

        events.include(hangs, listener)
        events.emit(Changed(number=1))
        events.drain(20)
        assert (heard, failures(events, "hangs")) == ([1], 1)


def test_a_plain_listener_has_no_time_limit() -> None:
    """Nobody could end it: said where it is declared."""
    with pytest.raises(UsageError, match="cannot be ended"):
        on(Changed, time_limit=1.0)(lambda event, ctx: None)


def test_a_forked_child_has_a_background_of_its_own() -> None:
    """What the parent runs or has in line is not the child's, who takes calls anew."""
    events, gate = behind(ListenerLimits(concurrency=1))
    answers: Any = multiprocessing.get_context("fork").Queue()
    with events:
        for number in range(3):
            events.emit(Changed(number=number))
        until(lambda: gate.running == 1)

        def child() -> None:
            gate.open.set()
            events.emit(Changed(number=9))
            events.drain(10)
            answers.put(gate.done)

        process = multiprocessing.get_context("fork").Process(target=child)
        process.start()
        assert answers.get(timeout=20) == [9]
        process.join(20)
        gate.open.set()
    assert gate.done == [0, 1, 2]


def test_a_manager_that_is_opened_again_calls_again() -> None:
    """Nothing of the time before is left."""
    events, gate = behind(ListenerLimits())
    gate.open.set()
    for number in range(2):
        with events:
            events.emit(Changed(number=number))
    assert gate.done == [0, 1]


@pytest.mark.parametrize("limits", [{"concurrency": 0}, {"backlog": 0}, {"overflow": "explode"}])
def test_limits_say_what_they_take(limits: Any) -> None:
    """When they are made."""
    with pytest.raises(ValueError, match=r"concurrency|overflow"):
        ListenerLimits(**limits)


def test_a_recording_has_what_has_happened(rig: Rig) -> None:
    """Not what was rolled back; with ids and causes."""

    @on(Changed)
    def chain(event: Changed, ctx: Any) -> None:
        rig.events.emit(Deleted())

    rig.events.include(chain)
    with rig.events.recording() as seen:
        with suppress(Undone), rig.db.write() as tx:
            rig.events.emit(Changed(number=1), tx=tx)
            raise Undone
        with rig.db.write() as tx:
            event_id = rig.events.emit(Changed(number=2), tx=tx).event_id
            assert seen.events == []
    rig.events.emit(Changed(number=3))
    assert seen.events == [Changed(number=2), Deleted()]
    assert (seen.of(Deleted), seen.one(Changed)) == ([Deleted()], Changed(number=2))
    assert seen.contexts[1].causation_id == event_id
    with pytest.raises(AssertionError, match="expected one Event"):
        seen.one(Event)


def test_installed_packages_offer_listeners(
    events: EventManager, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By entry points: a module with every listener in it, or one listener."""
    (tmp_path / "my_mailer.py").write_text(MAILER)
    about = tmp_path / "my_mailer-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: my-mailer\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(
        "[postrmagic_core.listeners]\nall = my_mailer\nsame = my_mailer:mail\n", encoding="utf-8"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    events.include_installed()
    events.emit(Changed(number=7))
    import my_mailer  # type: ignore[import-not-found]  # written above

    assert my_mailer.sent == ["Changed"]


MAILER = """
from postrmagic_core.events import Event, on
from postrmagic_core.testing import until

sent = []


@on(Event)
def mail(event, ctx):
    sent.append(type(event).__name__)
"""


def test_an_event_key_names_a_field() -> None:
    """Or the class is refused."""
    with pytest.raises(UsageError, match="no field"):

        class Wrong(Event):
            event_key: ClassVar[str] = "media_id"

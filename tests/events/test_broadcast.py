"""Events that every process hears: after the commit, once each at most, and what was missed is told."""

from __future__ import annotations

import logging
import multiprocessing
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from typing import Any, ClassVar

import pytest

from postrmagic_core import _codec
from postrmagic_core.errors import UsageError
from postrmagic_core.events import BroadcastMissed, Event, EventManager, on, open_channel
from postrmagic_core.testing import spawn, until
from postrmagic_core.testing.servers import RedisServer

Rig = Any


class Renamed(Event):
    event_type: ClassVar[str] = "renamed"
    number: int
    text: str = ""


class Undone(Exception):
    """Rolls a unit back."""


class Node:
    """One process's events, as far as a test in one process can have them."""

    def __init__(self, stack: ExitStack, url: str) -> None:
        self.heard: list[int] = []
        self.missed: list[BroadcastMissed] = []
        self.causes: list[str | None] = []

        @on(Renamed, phase="broadcast", name="hear")
        def hear(event: Renamed, ctx: Any) -> None:
            self.heard.append(event.number)
            self.causes.append(ctx.correlation_id)

        @on(BroadcastMissed, phase="broadcast", name="miss")
        def miss(event: BroadcastMissed, ctx: Any) -> None:
            self.missed.append(event)

        self.events = EventManager(channel=open_channel(url))
        self.events.include(hear, miss)
        stack.enter_context(self.events)


@pytest.fixture
def node() -> Iterator[Callable[[str], Node]]:
    with ExitStack() as stack:
        yield lambda url: Node(stack, url)


@pytest.mark.redis
def test_every_process_hears_it_once(node: Callable[[str], Node], redis_url: str) -> None:
    """The emitter's own too; in the order of emission, with what caused it."""
    first, second = node(redis_url), node(redis_url)
    noted = [first.events.emit(Renamed(number=number)) for number in range(20)]
    until(lambda: len(first.heard) == len(second.heard) == 20)
    assert first.heard == second.heard == list(range(20))
    assert second.causes == [each.correlation_id for each in noted]
    assert (first.missed, second.missed) == ([], [])


def test_without_a_channel_this_process_hears_it(node: Callable[[str], Node]) -> None:
    """In a thread of the channel's: the emitter does not wait."""
    one = node("memory://")
    one.events.emit(Renamed(number=1))
    until(lambda: one.heard == [1])


def test_a_rolled_back_event_is_broadcast_by_nobody(rig: Rig) -> None:
    """It is published after the commit."""
    heard: list[int] = []
    rig.events.include(on(Renamed, phase="broadcast", name="hear")(lambda event, ctx: heard.append(event.number)))
    with suppress(Undone), rig.db.write() as tx:
        rig.events.emit(Renamed(number=1), tx=tx)
        raise Undone
    with rig.db.write() as tx:
        rig.events.emit(Renamed(number=2), tx=tx)
        assert heard == []
    until(lambda: heard == [2])


@pytest.mark.redis
def test_another_process_hears_it(node: Callable[[str], Node], redis_url: str) -> None:
    """Truly another one."""
    one = node(redis_url)
    with spawn(_emit, redis_url) as child:
        assert child.wait() == 0
    until(lambda: one.heard == [7])


def _emit(url: str) -> None:
    with EventManager(channel=open_channel(url)) as events:
        events.include(on(Renamed, phase="broadcast", name="hear")(lambda event, ctx: None))
        events.emit(Renamed(number=7))


def test_a_forked_child_listens_anew(node: Callable[[str], Node]) -> None:
    """From its first emission on; the parent's thread did not come along."""
    one = node("memory://")
    answers: Any = multiprocessing.get_context("fork").Queue()

    def child() -> None:
        one.events.emit(Renamed(number=3))
        with suppress(AssertionError):
            until(lambda: one.heard == [3], timeout=5)
        answers.put(one.heard)

    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    assert answers.get(timeout=20) == [3]
    process.join(20)


def test_what_is_too_much_is_refused_before_anything_has_happened(rig: Rig) -> None:
    """With the unit: a channel would not carry it."""
    rig.events.include(on(Renamed, phase="broadcast", name="hear")(lambda event, ctx: None))

    def rename() -> None:
        with rig.db.write() as tx:
            rig.effect(tx, "renamed")
            rig.events.emit(Renamed(number=1, text="x" * 300_000), tx=tx)

    with pytest.raises(UsageError, match="more than the"):
        rename()
    assert rig.effects() == []


@pytest.mark.redis
@pytest.mark.fault
def test_what_was_missed_is_told(node: Callable[[str], Node], own_redis_server: Callable[..., RedisServer]) -> None:
    """A server that has forgotten everything: a listener of BroadcastMissed hears so, and then what follows."""
    server = own_redis_server()
    one = node(server.url)
    one.events.emit(Renamed(number=1))
    until(lambda: one.heard == [1])
    server.kill()
    one.events.emit(Renamed(number=2))  # lost: logged and counted, never raised
    assert one.events.metrics.counter("events_broadcast_failures_total").value == 1
    server.start()

    def again() -> bool:
        one.events.emit(Renamed(number=3))
        return bool(one.missed) and one.heard[-1] == 3

    until(again, timeout=30)
    assert one.missed[0].reason == "forgotten"
    assert 2 not in one.heard


@pytest.mark.parametrize(
    "message", [b"", _codec.encode(["renamed"]), _codec.encode(["unknown", b""]), _codec.encode(7)]
)
def test_what_cannot_be_read_is_passed_over(
    node: Callable[[str], Node], caplog: pytest.LogCaptureFixture, message: bytes
) -> None:
    """Of another version, or of somebody else: logged and counted; the next one is heard."""
    one = node("memory://")
    with caplog.at_level(logging.WARNING):
        one.events._broadcast._channel.publish(message)
        one.events.emit(Renamed(number=1))
        until(lambda: one.heard == [1])
    assert "passed over" in caplog.text
    assert one.events.metrics.counter("events_broadcast_unread_total").value == 1


def test_an_async_listener_hears_broadcasts_too() -> None:
    """In the background, as after a commit."""
    heard = threading.Event()
    with EventManager() as events:

        @on(Renamed, phase="broadcast")
        async def hear(event: Renamed, ctx: Any) -> None:
            heard.set()

        events.include(hear)  # after it was opened
        events.emit(Renamed(number=1))
        assert heard.wait(10)

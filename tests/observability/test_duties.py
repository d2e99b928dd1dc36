"""Duties: of all processes one does them, whatever happens to it."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from postrmagic_core._metrics import Metrics
from postrmagic_core.errors import NotOpen
from postrmagic_core.observability.duties import Duties
from postrmagic_core.stores import Store, open_store
from postrmagic_core.testing import FakeClock, FaultProxy, spawn, until

TTL = 0.6


class Rig:
    """Several holders of duties on one store, each turned by hand; ``done`` says whose duty was done."""

    def __init__(self, store: Store, count: int, opened: ExitStack) -> None:
        self.clock = FakeClock()
        self.done: list[int] = []
        self.duties = [Duties(store, namespace="app", clock=self.clock, ttl=60.0) for _ in range(count)]
        for number, duties in enumerate(self.duties):
            duties.add("count", 10.0, partial(self.done.append, number))
            opened.callback(self._let_go, duties)

    def turn(self) -> list[int]:
        """Let each have its turn; whose duties were done."""
        before = len(self.done)
        for duties in self.duties:
            duties.turn()
            assert duties.settle(20)
        return self.done[before:]

    def _let_go(self, duties: Duties) -> None:
        duties._state = "open"  # as if its thread had run
        duties.close()


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    """What is closed after the test."""
    with ExitStack() as stack:
        yield stack


def test_one_of_several_does_them(store: Store, opened: ExitStack) -> None:
    """When it closes another one does, with a greater number; each duty in its own time, and not twice for a delay."""
    rig = Rig(store, 3, opened)
    assert rig.turn() == [0]
    assert [duties.held for duties in rig.duties] == [True, False, False]
    assert rig.turn() == []
    for seconds, expected in ((9, []), (1, [0]), (35, [0]), (9, []), (1, [0])):
        rig.clock.advance(seconds)
        assert rig.turn() == expected
    fence = rig.duties[0].fence
    rig._let_go(rig.duties.pop(0))
    rig.clock.advance(60)
    assert rig.turn() == [1]
    assert (fence or 0) < (rig.duties[0].fence or 0)
    assert rig.duties[1].fence is None


def test_a_duty_is_added_once_and_sensibly() -> None:
    """A name that is taken and an interval that is none are refused."""
    duties = Duties(open_store("memory://"), namespace="app")
    duties.add("a", 1.0, int)
    with pytest.raises(ValueError, match="named 'a' already"):
        duties.add("a", 1.0, int)
    for every in (0.0, -1.0, float("inf"), float("nan")):
        with pytest.raises(ValueError, match="positive number"):
            duties.add("b", every, int)
    with pytest.raises(ValueError, match="ttl= is a positive"):
        Duties(open_store("memory://"), namespace="app", ttl=0)


def test_who_is_over_soon_takes_them_from_nobody() -> None:
    """A command that opens a Stack for a second begins no duty and asks for no lease."""
    store, done = open_store("memory://"), list[int]()
    with Duties(store, namespace="app", ttl=60.0) as duties:
        duties.add("note", 0.01, lambda: done.append(1))
        time.sleep(0.3)
        began = time.monotonic()
    assert time.monotonic() - began < 2
    assert done == []
    other = Duties(store, namespace="app", ttl=60.0)
    other.turn()
    assert other.held


@pytest.mark.fault
def test_what_is_broken_off_by_closing_is_no_failure(caplog: pytest.LogCaptureFixture) -> None:
    """What it works with is closed after it, whether it has ended or not: nobody is to look after that."""
    begun, free, metrics = threading.Event(), threading.Event(), Metrics()

    def work() -> None:
        begun.set()
        free.wait(10)
        raise NotOpen("the database was closed")

    duties = Duties(open_store("memory://"), namespace="app", metrics=metrics, ttl=TTL).open()
    duties.add("work", 1.0, work)
    assert begun.wait(10)
    threading.Timer(0.1, free.set).start()
    duties.close()
    assert duties.settle(10)
    assert [record.message for record in caplog.records if record.levelno >= logging.WARNING] == []
    assert metrics.counter("duty_failures_total", duty="work").value == 0


@pytest.mark.fault
def test_a_duty_that_hangs_holds_up_no_other() -> None:
    """Nor is it begun again, nor does closing wait for it for ever."""
    done, hung, free = [], [], threading.Event()

    def hang() -> None:
        hung.append(1)
        free.wait(10)

    with Duties(open_store("memory://"), namespace="app", ttl=TTL) as duties:
        duties.add("hang", 0.01, hang)
        duties.add("go", 0.01, lambda: done.append(1))
        until(lambda: len(done) > 5)
        assert hung == [1]
        free.set()
        until(lambda: len(hung) > 1)


@pytest.mark.fault
def test_what_fails_is_told_once_counted_each_time_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    """Whatever else there is to do is done; when it is well again that is told too."""
    caplog.set_level(logging.INFO, "postrmagic_core.observability")
    clock, metrics = FakeClock(), Metrics()
    well: list[bool] = []

    def fail() -> None:
        if not well:
            raise OSError("no such luck")

    duties = Duties(open_store("memory://"), namespace="app", clock=clock, metrics=metrics, ttl=60.0)
    duties.add("fail", 1.0, fail)
    for _ in range(3):
        duties.turn()
        assert duties.settle(20)
        clock.advance(1)
    well.append(True)
    duties.turn()
    assert duties.settle(20)
    told = [(record.levelname, record.message, record.__dict__.get("duty")) for record in caplog.records]
    assert told[1:] == [
        ("ERROR", "a duty failed, and is tried again", "fail"),
        ("INFO", "a duty is done again", "fail"),
    ]
    assert metrics.counter("duty_failures_total", duty="fail").value == 3


def do_duties(url: str, ttl: float) -> None:
    """Says who it is and when, each time that the duty is done."""
    with Duties(open_store(url), namespace="app", ttl=ttl) as duties:
        # One write: another process says the same in the same file.
        duties.add("say", 0.05, lambda: os.write(1, b"%d %f\n" % (os.getpid(), time.monotonic())))
        while True:
            time.sleep(1)


@pytest.mark.fault
def test_after_a_kill_another_takes_over_within_the_lease(tmp_path: Path) -> None:
    """Nobody else does them before; nor do two at once."""
    url = f"sqlite:///{tmp_path}/kv.db"
    with spawn(do_duties, url, TTL) as one:
        one.line()
        with spawn(do_duties, url, TTL) as two:
            for _ in range(10):
                one.line()
            killed = time.monotonic()
            one.kill()
            last = max([killed - TTL, *(float(line.split()[1]) for line in one.lines())])
            began = float(two.line(timeout=10).split()[1])
    assert last < began
    assert began - killed < TTL + 2.0  # a busy machine's two seconds


@pytest.mark.fault
def test_one_that_slept_past_its_lease_does_nothing_before_it_asks(tmp_path: Path) -> None:
    """Another has them then; the sleeper goes on when that one ends."""
    url = f"sqlite:///{tmp_path}/kv.db"
    with spawn(do_duties, url, TTL) as one:
        one.line()
        one.pause()
        with spawn(do_duties, url, TTL) as two:
            two.line()
            resumed = time.monotonic()
            one.resume()
            for _ in range(20):
                two.line()
            two.kill()
            ended = time.monotonic()
        # What was said before the pause may be read only now.
        later = next(at for line in one.lines() if (at := float(line.split()[1])) > resumed)
        assert later > ended - TTL / 4


@pytest.mark.fault
def test_while_the_store_is_away_nobody_does_them(redis_url: str, caplog: pytest.LogCaptureFixture) -> None:
    """Rather than two; it is told once, and heals by itself."""
    caplog.set_level(logging.INFO, "postrmagic_core.observability")
    done: list[float] = []
    with (
        FaultProxy(redis_url) as proxy,
        closing(open_store(proxy.url, timeout=0.2)) as store,
        Duties(store, namespace="a", ttl=TTL) as duties,
    ):
        duties.add("note", 0.01, lambda: done.append(time.monotonic()))
        until(lambda: done)
        proxy.refuse()
        until(lambda: not duties.held)
        assert duties.settle(20)
        count = len(done)
        time.sleep(0.1)
        assert len(done) == count
        assert duties.fence is None
        proxy.heal()
        until(lambda: len(done) > count)
    told = [record.message for record in caplog.records if "store is" in record.message]
    assert told[0] == "the duties' store is away"
    assert told.count("the duties' store is away") == told.count("the duties' store is back") == 1


@pytest.mark.fault
def test_a_forked_child_begins_anew(tmp_path: Path) -> None:
    """The lease is its parent's, and so is what was under way: it asks for itself."""
    with spawn(fork_and_tell, f"sqlite:///{tmp_path}/kv.db") as child:
        assert list(child.lines()) == ["parent holds", "child has none", "child holds"]


def fork_and_tell(url: str) -> None:
    """Holds the duties, forks, and lets go."""
    duties = Duties(open_store(url), namespace="app", ttl=TTL).open()
    until(lambda: duties.held)
    say("parent holds")
    child = os.fork()
    if child == 0:
        say("child has none" if not duties.held and duties.fence is None else "child holds too")
        until(lambda: duties.held)
        say("child holds")
        os._exit(0)
    time.sleep(0.1)
    duties.close()
    os.waitpid(child, 0)


def say(text: Any) -> None:
    """To who spawned this process."""
    os.write(1, f"{text}\n".encode())


def test_a_gauge_tells_where_they_are_done() -> None:
    """Of all processes together it is 1."""
    metrics = Metrics()
    with Duties(open_store("memory://"), namespace="app", metrics=metrics, ttl=TTL) as duties:
        until(lambda: duties.held)
        assert list(metrics.gauges()) == [("duties_held", (), 1.0)]
    assert list(metrics.gauges()) == []

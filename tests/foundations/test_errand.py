"""An errand: done soon after somebody asks, whatever it raises, in whichever process asks."""

from __future__ import annotations

import contextvars
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from postrmagic_core._errand import Errand
from postrmagic_core.testing import until

NAME = "postrmagic-test-errand"
LONG = 10.0

asked_for = contextvars.ContextVar("asked_for", default="")


@contextmanager
def errand(work: Callable[[], float | None]) -> Iterator[Errand]:
    """One that is open for the block."""
    made = Errand(NAME, work, logging.getLogger("postrmagic_core"))
    made.open()
    try:
        yield made
    finally:
        made.close(finish=False)


class Held:
    """Work that begins, and is not done before it may go on."""

    def __init__(self) -> None:
        self.began, self.go = threading.Event(), threading.Event()
        self.done: list[int] = []

    def __call__(self) -> None:
        self.began.set()
        self.go.wait(LONG)
        self.done.append(1)


def runs() -> bool:
    """Whether an errand's thread is there."""
    return any(thread.name == NAME for thread in threading.enumerate())


def test_it_is_done_in_a_thread_that_the_first_to_ask_starts() -> None:
    """Which knows nothing of the caller's context."""
    seen: list[str] = []
    asked_for.set("a request")
    with errand(lambda: seen.append(asked_for.get())) as made:
        assert not runs()
        made.ask()
        until(lambda: seen)
    assert seen == [""]
    assert not runs()


def test_what_is_asked_while_it_is_under_way_is_done_once() -> None:
    """Afterwards, however often it was asked for."""
    work = Held()
    with errand(work) as made:
        made.ask()
        work.began.wait(LONG)
        for _ in range(5):
            made.ask()
        work.go.set()
        made.close()
        assert len(work.done) == 2


def test_it_is_done_again_unasked_when_it_says_so() -> None:
    """Until it says that it need not."""
    pauses: list[float | None] = [0.001, 0.001, None]
    left = iter(pauses)
    done = []

    def work() -> float | None:
        done.append(1)
        return next(left)

    with errand(work) as made:
        made.ask()
        until(lambda: len(done) == 3)
        time.sleep(0.05)
        assert len(done) == 3


def test_an_error_is_logged_and_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """The next to ask is served, and what was to be done again is."""
    done: list[int] = []

    def work() -> float:
        done.append(1)
        if len(done) == 2:
            raise OSError("away")
        return 0.001

    with errand(work) as made:
        made.ask()
        until(lambda: len(done) > 3)
    assert [record.getMessage() for record in caplog.records] == [f"{NAME} failed and goes on"]


@pytest.mark.parametrize(("finish", "times"), [(True, 2), (False, 1)])
def test_closing_waits_and_finishes_what_was_asked_for(finish: bool, times: int) -> None:
    """Or leaves it, where the caller does it; afterwards asking is nothing until it is opened again."""
    began, done = threading.Event(), []

    def work() -> None:
        began.set()
        time.sleep(0.05)
        done.append(1)

    with errand(work) as made:
        made.ask()
        began.wait(LONG)
        made.ask()
        made.close(finish=finish)
        assert (len(done), runs()) == (times, False)
        made.ask()
        assert not runs()
        made.open()
        made.ask()
        until(lambda: len(done) == times + 1)


def test_it_can_end_itself() -> None:
    """Closed by its own work it does not wait for itself."""
    with errand(lambda: made.close()) as made:
        made.ask()
        until(lambda: not runs())


def test_a_forked_child_has_a_thread_of_its_own() -> None:
    """What was asked for before is the parent's; nobody waits for a lock that a thread of the parent holds."""
    work = Held()
    with errand(work) as made:
        made.ask()
        work.began.wait(LONG)
        child = os.fork()
        if child == 0:
            work.go.set()
            made.ask()
            made.close()
            os._exit(0 if len(work.done) == 1 else 1)
        work.go.set()
        assert os.waitpid(child, 0)[1] == 0


def test_who_closes_it_waits_no_longer_than_said() -> None:
    """Given work that goes on, when it is closed with patience, then that is over before the work; then it ends."""
    held = Held()
    with errand(held) as made:
        made.ask()
        assert held.began.wait(LONG)
        made.close(patience=0.01)
        assert held.done == []
        held.go.set()
        until(lambda: not runs())
    assert held.done == [1]

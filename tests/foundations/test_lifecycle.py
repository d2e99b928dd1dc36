"""Opening and closing: idempotent, undone when opening fails, loud when forgotten, aware of fork."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from postrmagic_core._lifecycle import Lifecycle, Living, after_fork
from postrmagic_core.errors import NotOpen
from tests.threads import restless


class Door(Lifecycle):
    def __init__(self, fail: bool = False) -> None:
        super().__init__()
        self.fail = fail
        self.log: list[str] = []

    def _open(self) -> None:
        self.log.append("open")
        if self.fail:
            raise RuntimeError("stuck")

    def _close(self) -> None:
        self.log.append("close")


def test_opening_and_closing_twice_happens_once() -> None:
    """Both are idempotent, and a closed object may be opened again."""
    door = Door()
    door.open()
    door.open()
    door.close()
    door.close()
    door.open().close()
    assert door.log == ["open", "close", "open", "close"]


def test_a_failed_opening_is_undone_and_raised() -> None:
    """What was half acquired is released."""
    door = Door(fail=True)
    with pytest.raises(RuntimeError, match="stuck"):
        door.open()
    assert door.log == ["open", "close"]
    assert not door.is_open


def test_using_it_unopened_or_closed_says_which() -> None:
    """The error names the class, the moment and the cure."""
    door = Door()
    with pytest.raises(NotOpen, match=r"Door was used before it was opened.*with Door"):
        door.ensure_open()
    with door:
        door.ensure_open()
    with pytest.raises(NotOpen, match="after it was closed"):
        door.ensure_open()


def test_async_with_opens_and_closes_too() -> None:
    """One object, both grammars."""

    async def use() -> list[str]:
        async with Door() as door:
            assert door.is_open
        return door.log

    assert asyncio.run(use()) == ["open", "close"]


def test_forgetting_to_close_is_a_resource_warning() -> None:
    """The garbage collector says what was forgotten."""
    door: Door | None = Door().open()
    with pytest.warns(ResourceWarning, match="Door was never closed"):
        door = None
    gc.collect()
    assert door is None


class Child:
    def __init__(self) -> None:
        self.reset = False
        after_fork(self._reset)

    def _reset(self) -> None:
        self.reset = True


def test_a_forked_child_resets_living_objects_and_the_parent_none() -> None:
    """What the child inherited without its threads is dropped there, and only there."""
    kept = Child()
    Child()
    gc.collect()
    child = os.fork()
    if child == 0:
        os._exit(0 if kept.reset else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert not kept.reset


class One:
    """Somebody who is known and not kept alive."""


def test_the_living_are_gone_through_in_their_order_whoever_comes_meanwhile() -> None:
    """Who comes meanwhile is there the next time; who has died is left out, and soon forgotten."""
    living: Living[One] = Living()
    ones = [One() for _ in range(3)]
    for one in ones:
        living.add(one)
    seen = iter(living)
    assert next(seen) is ones[0]
    ones.append(One())
    living.add(ones[-1])
    assert list(seen) == ones[1:3]
    del ones[1]
    gc.collect()
    assert list(living) == ones
    for _ in range(10_000):
        living.add(One())
    assert len(living._references) < 200


def test_threads_that_add_at_once_lose_nobody() -> None:
    """Not even while the dead are taken out."""
    living: Living[One] = Living()
    began = threading.Barrier(4)

    def add() -> list[One]:
        kept = []
        began.wait()
        for _ in range(2000):
            living.add(One())
            kept.append(One())
            living.add(kept[-1])
        return kept

    with restless(), ThreadPoolExecutor(4) as pool:
        kept = [one for adding in [pool.submit(add) for _ in range(4)] for one in adding.result(60)]
    assert set(living) == set(kept)

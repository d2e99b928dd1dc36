"""One computation however many ask: threads and tasks of one process share it, and it always ends."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any

import pytest

from postrmagic_core.cache import CacheManager
from postrmagic_core.cache.flights import Caller, Flight, Flights
from postrmagic_core.stores.adapters.memory import MemoryStore
from postrmagic_core.stores.scripts import LEASE_ACQUIRE


class Loader:
    """A computation that says when it runs and ends when told."""

    def __init__(self, outcome: Callable[[int], object] = lambda number: number) -> None:
        self.calls = 0
        self.runs = threading.Event()
        self.end = threading.Event()
        self._outcome = outcome

    def __call__(self) -> object:
        self.calls += 1
        number = self.calls
        self.runs.set()
        assert self.end.wait(10)
        return self._outcome(number)

    async def aload(self) -> object:
        """The same, awaitable."""
        self.calls += 1
        number = self.calls
        self.runs.set()
        while not self.end.is_set():  # noqa: ASYNC110 - a threading.Event cannot be awaited
            await asyncio.sleep(0.001)
        return self._outcome(number)


@pytest.fixture
def cache() -> Iterator[CacheManager]:
    """A cache on a store in memory, by real time."""
    with CacheManager(MemoryStore(), wait=12.0) as opened:
        yield opened


def joined(cache: CacheManager, waiters: int, monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """An event that is set once so many callers wait for a flight."""
    everybody, seen, join = threading.Event(), [0], Flights.join

    def counted(table: Flights, key: bytes, caller: Caller) -> tuple[Flight, bool]:
        flight, leads = join(table, key, caller)
        if not leads:
            seen[0] += 1
            if seen[0] >= waiters:
                everybody.set()
        return flight, leads

    monkeypatch.setattr(Flights, "join", counted)
    return everybody


async def until(event: threading.Event) -> None:
    """Wait for an event of threads."""
    assert await asyncio.to_thread(event.wait, 10)


def test_threads_and_tasks_share_one_computation(cache: CacheManager, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten threads and twenty tasks: one call, and every caller has an object of its own."""
    load = Loader(lambda number: [number])
    everybody = joined(cache, 29, monkeypatch)

    async def main() -> list[object]:
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(10) as pool:
            threads = [loop.run_in_executor(pool, lambda: cache.get_or_set("k", load, fresh=60)) for _ in range(10)]
            tasks = [asyncio.create_task(cache.aio.get_or_set("k", load.aload, fresh=60)) for _ in range(20)]
            await until(everybody)
            load.end.set()
            return await asyncio.gather(*threads, *tasks)

    values = asyncio.run(main())
    assert load.calls == 1
    assert values == [[1]] * 30
    assert len({id(value) for value in values}) == 30


def test_a_cancelled_leader_is_replaced(cache: CacheManager, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its waiters elect another, and none of them sees the cancellation."""
    load = Loader()
    everybody = joined(cache, 5, monkeypatch)

    async def main() -> list[object]:
        leader = asyncio.create_task(cache.aio.get_or_set("k", load.aload, fresh=60))
        await until(load.runs)
        tasks = [asyncio.create_task(cache.aio.get_or_set("k", load.aload, fresh=60)) for _ in range(5)]
        await until(everybody)
        leader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leader
        load.end.set()
        return await asyncio.gather(*tasks)

    assert asyncio.run(main()) == [2] * 5
    assert load.calls == 2
    assert cache.stats().alone == 0


def test_a_cancelled_waiter_takes_nobody_with_it(cache: CacheManager, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leader and the other waiter get the value."""
    load = Loader()
    everybody = joined(cache, 2, monkeypatch)

    async def main() -> list[object]:
        tasks = [asyncio.create_task(cache.aio.get_or_set("k", load.aload, fresh=60)) for _ in range(3)]
        await until(everybody)
        tasks[1].cancel()
        with pytest.raises(asyncio.CancelledError):
            await tasks[1]
        load.end.set()
        return [await tasks[0], await tasks[2]]

    assert asyncio.run(main()) == [1, 1]


def test_waiters_get_the_leaders_error(cache: CacheManager, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of the computation is everybody's, and the next caller computes."""
    load = Loader(lambda number: 1 // 0)
    everybody = joined(cache, 3, monkeypatch)
    with ThreadPoolExecutor(4) as pool:
        calls = [pool.submit(cache.get_or_set, "k", load, fresh=60) for _ in range(4)]
        assert everybody.wait(10)
        load.end.set()
        for call in calls:
            with pytest.raises(ZeroDivisionError):
                call.result(10)
    assert load.calls == 1
    assert cache.get_or_set("k", lambda: 7, fresh=60) == 7


def test_whatever_ends_the_leader_ends_the_flight(cache: CacheManager, monkeypatch: pytest.MonkeyPatch) -> None:
    """A SystemExit is the leader's alone; a waiter computes."""

    def leave(number: int) -> int:
        if number == 1:
            raise SystemExit
        return number

    load = Loader(leave)
    everybody = joined(cache, 1, monkeypatch)

    def lead() -> None:
        with contextlib.suppress(SystemExit):
            cache.get_or_set("k", load, fresh=60)

    leader = threading.Thread(target=lead)
    leader.start()
    assert load.runs.wait(10)
    with ThreadPoolExecutor(1) as pool:
        waiter = pool.submit(cache.get_or_set, "k", load, fresh=60)
        assert everybody.wait(10)
        load.end.set()
        assert waiter.result(10) == 2
    leader.join()


def test_a_sync_call_on_the_leaders_own_loop_computes_itself(cache: CacheManager) -> None:
    """Waiting there would stop the loop that computes."""
    load = Loader()

    async def main() -> tuple[object, object]:
        leader = asyncio.create_task(cache.aio.get_or_set("k", load.aload, fresh=60))
        await until(load.runs)
        own = cache.get_or_set("k", lambda: "own", fresh=60)
        load.end.set()
        return own, await leader

    assert asyncio.run(main()) == ("own", 1)
    assert cache.stats().alone == 1


def test_the_wait_for_another_is_bounded() -> None:
    """Past it a caller computes itself, and that is counted."""
    load = Loader()
    with CacheManager(MemoryStore(), lease=0.05, wait=0.1) as cache, ThreadPoolExecutor(1) as pool:
        leader = pool.submit(cache.get_or_set, "k", load, fresh=60)
        assert load.runs.wait(10)
        assert cache.get_or_set("k", lambda: "own", fresh=60) == "own"
        assert cache.stats().alone == 1
        load.end.set()
        assert leader.result(10) == 1


def test_a_lambda_around_a_coroutine_is_awaited(cache: CacheManager) -> None:
    """The async face takes plain functions, coroutine functions, and what returns a coroutine."""

    async def load(number: int) -> int:
        return number

    async def main() -> list[object]:
        aio = cache.aio
        return [
            await aio.get_or_set("a", lambda: 1, fresh=60),
            await aio.get_or_set("b", lambda: load(2), fresh=60),
        ]

    assert asyncio.run(main()) == [1, 2]


def test_a_loop_that_closes_leaves_no_flight_behind(cache: CacheManager) -> None:
    """asyncio.run() cancels what is left; the next caller is not held up."""
    load = Loader()

    async def abandon() -> None:
        task = asyncio.create_task(cache.aio.get_or_set("k", load.aload, fresh=60))
        await until(load.runs)
        assert not task.done()

    asyncio.run(abandon())
    assert cache.get_or_set("k", lambda: "next", fresh=60) == "next"


@pytest.mark.parametrize("loop", [False, True], ids=["threads", "tasks"])
def test_who_comes_after_an_invalidation_does_not_join_a_computation_from_before(
    cache: CacheManager, loop: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those who wait for it get it, as they came before; who comes after gets what is computed after."""
    began, go, all_asked, asked = threading.Event(), threading.Event(), threading.Event(), count(1)
    join = Flights.join

    def counted(table: Flights, key: bytes, caller: Caller) -> tuple[Flight, bool]:
        found = join(table, key, caller)
        if next(asked) == 3:
            all_asked.set()
        return found

    monkeypatch.setattr(Flights, "join", counted)
    truth = ["old"]

    def load() -> str:
        seen = truth[0]
        began.set()
        assert go.wait(10)
        return seen

    def ask() -> str:
        if loop:
            return asyncio.run(cache.aio.get_or_set("k", load, fresh=60, tags=["x"]))
        return cache.get_or_set("k", load, fresh=60, tags=["x"])

    with ThreadPoolExecutor(3) as pool:
        leader = pool.submit(ask)
        assert began.wait(10)
        waiter = pool.submit(ask)
        truth[0] = "new"
        cache.invalidate("x")
        later = pool.submit(ask)
        assert all_asked.wait(10)
        go.set()
        assert (leader.result(10), later.result(10)) == ("old", "new")
        assert waiter.result(10) in {"old", "new"}
        assert ask() == "new"
    assert cache.stats().computes == 2


def test_a_coroutine_of_a_cancelled_caller_is_closed(cache: CacheManager) -> None:
    """One that a plain function made in a thread: left alone, Python would warn that nobody awaited it."""
    runs, end, ran = threading.Event(), threading.Event(), []

    async def load() -> None:
        ran.append(1)

    def start() -> object:
        runs.set()
        assert end.wait(10)
        return load()

    async def main() -> None:
        task = asyncio.ensure_future(cache.aio.get_or_set("k", start, fresh=60))
        await asyncio.to_thread(runs.wait, 10)
        task.cancel()
        asyncio.get_running_loop().call_later(0.01, end.set)
        with pytest.raises(asyncio.CancelledError):
            await task

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        asyncio.run(main())
        gc.collect()
    assert ran == []


class Late(MemoryStore):
    """Grants a lease, and answers when that is over."""

    def run(self, script: Any, *args: Any, **options: Any) -> Any:
        """See :meth:`Store.run`."""
        answer = super().run(script, *args, **options)
        if script is LEASE_ACQUIRE:
            time.sleep(0.15)
        return answer


def test_a_lease_is_held_from_when_it_was_asked_for() -> None:
    """Whoever hears of it after its end knows that it may be another's: the value is returned and not stored."""
    with CacheManager(Late(), lease=0.1) as cache:
        assert cache.get_or_set("k", lambda: "late", fresh=60) == "late"
        assert cache.get("k") is None

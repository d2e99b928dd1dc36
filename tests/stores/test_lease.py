"""Leases: one owner at a time, fenced, renewed, given back however the work ends."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from postrmagic_core._bridge import Bridge
from postrmagic_core.errors import Conflict, OutcomeUnknown
from postrmagic_core.stores import AsyncStoreFace, Keys, Script, Store, acquire, aio, leased
from postrmagic_core.stores.adapters.memory import MemoryStore
from postrmagic_core.testing import FakeClock
from tests.backends import Flaky

KEY = Keys("app").build("lease", "import")


@pytest.fixture
def bridge() -> Iterator[Bridge]:
    """Threads for the async face."""
    bridge = Bridge(4)
    yield bridge
    bridge.close()


class Counting(MemoryStore):
    """Counts Scripts, and loses as many answers as told, after the work is done."""

    runs = 0
    lose = 0

    def run(self, script: Script[Any], keys: Sequence[bytes], args: Sequence[bytes | int], **options: Any) -> Any:
        """As the store does, then the answer is lost."""
        self.runs += 1
        answer = super().run(script, keys, args, **options)
        if self.lose:
            self.lose -= 1
            raise OutcomeUnknown("lost")
        return answer


def test_a_lease_has_one_owner(store: Store) -> None:
    """The second asker gets none; after the release it gets one with a higher fence."""
    first = acquire(store, KEY, ttl=60)
    assert first is not None
    assert acquire(store, KEY, ttl=60) is None
    assert first.release()
    second = acquire(store, KEY, ttl=60)
    assert second is not None
    assert second.fence > first.fence


def test_an_ended_lease_cannot_be_renewed_nor_released() -> None:
    """Who slept past the end finds another owner, whose lease it does not touch."""
    clock = FakeClock()
    store = MemoryStore(clock=clock)
    first = acquire(store, KEY, ttl=10, clock=clock)
    assert first is not None
    clock.advance(11)
    second = acquire(store, KEY, ttl=10, clock=clock)
    assert second is not None
    assert second.fence > first.fence
    assert first.left == 0.0
    assert not first.renew()
    assert not first.release()
    assert acquire(store, KEY, ttl=10, clock=clock) is None


def test_a_stale_owner_is_refused_by_its_fence() -> None:
    """What a lease protects keeps the highest fence seen: the paused owner's write comes too late."""
    clock, written, highest = FakeClock(), [], 0
    store = MemoryStore(clock=clock)

    def write(fence: int, text: str) -> None:
        nonlocal highest
        if fence >= highest:
            highest = fence
            written.append(text)

    paused = acquire(store, KEY, ttl=10, clock=clock)
    assert paused is not None
    clock.advance(11)
    with leased(store, KEY, ttl=10, clock=clock) as successor:
        write(successor.fence, "successor")
    write(paused.fence, "paused")
    assert written == ["successor"]


def test_fences_grow_though_everything_was_lost() -> None:
    """After the store forgot all keys, and its clock only just moved, the next fence is still higher."""
    clock = FakeClock()
    store = MemoryStore(clock=clock)
    first = acquire(store, KEY, ttl=10)
    store.clear(b"{app}:")
    clock.advance(0.000_001)
    second = acquire(store, KEY, ttl=10)
    assert first is not None
    assert second is not None
    assert second.fence > first.fence
    assert not first.renew()


def test_renewing_holds_the_lease_longer() -> None:
    """Renewed at half time it lasts another whole one; ``left`` says so without asking."""
    clock = FakeClock()
    store = MemoryStore(clock=clock)
    lease = acquire(store, KEY, ttl=10, clock=clock)
    assert lease is not None
    clock.advance(5)
    assert lease.left == pytest.approx(5)
    assert lease.renew()
    clock.advance(9)
    assert acquire(store, KEY, ttl=10, clock=clock) is None
    assert lease.left == pytest.approx(1)


def test_a_lost_answer_leaves_the_owner_owning() -> None:
    """The script did it and the answer was lost: asked once more, it knows its owner, and gives the same fence."""
    store = Counting()
    store.lose = 1
    lease = acquire(store, KEY, ttl=60)
    assert lease is not None
    assert store.runs == 2
    assert acquire(store, KEY, ttl=60) is None
    assert lease.renew()


def test_the_block_gives_the_lease_back_when_it_fails(store: Store) -> None:
    """An exception leaves the block, and the lease is free."""
    with pytest.raises(ZeroDivisionError), leased(store, KEY, ttl=60):
        raise ZeroDivisionError
    assert acquire(store, KEY, ttl=60) is not None


def test_a_release_that_fails_does_not_hide_the_error(caplog: pytest.LogCaptureFixture) -> None:
    """The block's own error is what the caller sees; the failed release is logged."""
    store = Flaky()

    def work() -> None:
        with leased(store, KEY, ttl=60):
            store.away = True
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        work()
    assert "could not be released" in caplog.text


def test_waiting_ends_when_the_lease_is_free(store: Store) -> None:
    """A waiter gets the lease after the owner has let go."""
    with ThreadPoolExecutor(1) as pool:
        with leased(store, KEY, ttl=60) as owner:
            waiting = pool.submit(lambda: _fence(store, wait=30))
            assert not waiting.done()
        assert waiting.result(30) > owner.fence


def _fence(store: Store, wait: float) -> int:
    with leased(store, KEY, ttl=60, wait=wait) as lease:
        return lease.fence


def test_waiting_is_bounded_and_cheap() -> None:
    """A second of waiting costs at most twenty commands, and ends in Conflict."""
    clock = FakeClock()
    store = Counting(clock=clock)
    with leased(store, KEY, ttl=60, clock=clock):
        store.runs = 0
        began = clock.monotonic()
        with pytest.raises(Conflict, match="1 s"), leased(store, KEY, ttl=60, wait=1, clock=clock):
            pytest.fail("two owners")
        assert store.runs <= 21
        assert clock.monotonic() - began < 1.1


@pytest.mark.parametrize("ttl", [0, -1, float("nan")])
def test_a_lease_needs_an_end(ttl: float) -> None:
    """Without a time to live a dead owner would hold it for ever."""
    with pytest.raises(ValueError, match="ttl"):
        acquire(MemoryStore(), KEY, ttl=ttl)


def test_threads_exclude_each_other(store: Store) -> None:
    """Six threads with one lease: never two inside."""
    inside, worst, lock = 0, 0, threading.Lock()

    def work(_: int) -> None:
        nonlocal inside, worst
        with leased(store, KEY, ttl=60, wait=60):
            with lock:
                inside += 1
                worst = max(worst, inside)
            with lock:
                inside -= 1

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(6)))
    assert worst == 1


def test_the_async_lease_is_the_same(store: Store, bridge: Bridge) -> None:
    """Acquired, refused, renewed and released with the same names."""

    async def main() -> None:
        face = AsyncStoreFace(store, bridge)
        async with aio.leased(face, KEY, ttl=60) as lease:
            assert await aio.acquire(face, KEY, ttl=60) is None
            assert await lease.renew()
            assert 0 < lease.left <= 60
            with pytest.raises(Conflict):
                async with aio.leased(face, KEY, ttl=60):
                    pytest.fail("two owners")
        again = await aio.acquire(face, KEY, ttl=60)
        assert again is not None
        assert again.fence > lease.fence
        assert await again.release()
        assert not await again.release()

    asyncio.run(main())


def test_a_cancelled_block_gives_the_lease_back(store: Store, bridge: Bridge) -> None:
    """Cancelled inside the block, and again during the release, the lease is free afterwards."""

    async def main() -> None:
        face, inside = AsyncStoreFace(store, bridge), asyncio.Event()

        async def work() -> None:
            async with aio.leased(face, KEY, ttl=60):
                inside.set()
                await asyncio.Event().wait()

        task = asyncio.create_task(work())
        await asyncio.wait_for(inside.wait(), 30)
        task.cancel()
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await aio.acquire(face, KEY, ttl=60) is not None

    asyncio.run(main())


def test_cancelled_while_asking_nobody_owns_it(store: Store, bridge: Bridge) -> None:
    """Whenever the request is cancelled, the lease is either returned to its caller or free."""

    async def main() -> None:
        face = AsyncStoreFace(store, bridge)
        for number in range(10):
            key = Keys("app").build("lease", str(number))
            task = asyncio.create_task(aio.acquire(face, key, ttl=60))
            await asyncio.sleep(0.0003 * number)
            task.cancel()
            try:
                got = await task
            except asyncio.CancelledError:
                got = None
            assert (await aio.acquire(face, key, ttl=60) is None) is (got is not None)

    asyncio.run(main())


def test_an_async_lost_answer_leaves_the_owner_owning(bridge: Bridge) -> None:
    """As on the sync face."""
    store = Counting()
    store.lose = 1
    lease = asyncio.run(aio.acquire(AsyncStoreFace(store, bridge), KEY, ttl=60))
    assert lease is not None
    assert acquire(store, KEY, ttl=60) is None

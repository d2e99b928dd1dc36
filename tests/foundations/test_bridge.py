"""The bridge: operations lifted into asyncio one by one; a cancelled one ends, is undone, and only then raises."""

from __future__ import annotations

import asyncio
import threading
from contextvars import ContextVar

import pytest

from postrmagic_core._bridge import Bridge, Lanes

variable: ContextVar[str] = ContextVar("variable", default="unset")


def test_a_lifted_call_runs_in_a_thread_with_the_callers_context() -> None:
    """Context variables are there; the loop's thread is not used."""

    async def main() -> tuple[str, bool]:
        bridge = Bridge(1)
        variable.set("caller")
        seen = await bridge.lift(lambda: (variable.get(), threading.current_thread() is threading.main_thread()))
        bridge.close()
        return seen

    assert asyncio.run(main()) == ("caller", False)


def test_cancelling_waits_for_the_call_undoes_it_and_then_raises() -> None:
    """A lease taken by a cancelled task is released before the task is gone, however often it is cancelled."""

    async def main() -> list[str]:
        bridge, started, go, log = Bridge(2), threading.Event(), threading.Event(), list[str]()

        def take() -> str:
            started.set()
            go.wait(5)
            log.append("taken")
            return "lease"

        task = asyncio.create_task(bridge.lift(take, undo=lambda lease: log.append(f"released {lease}")))
        await asyncio.to_thread(started.wait, 5)
        for _ in range(3):
            task.cancel()
            await asyncio.sleep(0)
        assert not task.done()
        go.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        bridge.close()
        return log

    assert asyncio.run(main()) == ["taken", "released lease"]


def test_a_failed_call_is_not_undone_when_cancelled() -> None:
    """There is nothing to undo; the error does not surface as an unretrieved one either."""

    async def main() -> None:
        bridge, started, go = Bridge(1), threading.Event(), threading.Event()

        def fail() -> None:
            started.set()
            go.wait(5)
            raise OSError("no")

        task = asyncio.create_task(bridge.lift(fail, undo=lambda _result: pytest.fail("undone")))
        await asyncio.to_thread(started.wait, 5)
        task.cancel()
        await asyncio.sleep(0)
        go.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        bridge.close()

    asyncio.run(main())


def test_lanes_are_bounded_and_each_keeps_its_thread() -> None:
    """At most `size` owners at once; all operations of one owner run on one thread."""

    async def main() -> None:
        lanes, holding, most = Lanes(2), 0, 0

        async def own() -> None:
            nonlocal holding, most
            async with lanes.hold() as lane:
                holding += 1
                most = max(most, holding)
                threads = {await lane.run(threading.get_ident) for _ in range(3)}
                assert len(threads) == 1
                holding -= 1

        await asyncio.gather(*(own() for _ in range(12)))
        assert most == 2
        lanes.close()

    asyncio.run(main())


def test_a_cancelled_waiter_leaves_its_place_to_the_next() -> None:
    """Giving up while waiting neither loses a lane nor hands it to nobody."""

    async def main() -> None:
        lanes = Lanes(1)

        async def own() -> str:
            async with lanes.hold():
                return "owned"

        async with lanes.hold():
            first, second = asyncio.create_task(own()), asyncio.create_task(own())
            await asyncio.sleep(0)
            first.cancel()
            await asyncio.sleep(0)
        assert await asyncio.wait_for(second, 5) == "owned"
        assert await asyncio.wait_for(own(), 5) == "owned"
        lanes.close()

    asyncio.run(main())


def test_lanes_serve_two_event_loops() -> None:
    """A permit is not bound to a loop: a second thread's loop waits for the first one's lane."""
    lanes, inside, leave, order = Lanes(1), threading.Event(), threading.Event(), list[str]()

    async def hold_long() -> None:
        async with lanes.hold():
            inside.set()
            await asyncio.to_thread(leave.wait, 5)
            order.append("first")

    async def hold_next() -> None:
        async with lanes.hold():
            order.append("second")

    one = threading.Thread(target=lambda: asyncio.run(hold_long()))
    one.start()
    assert inside.wait(5)
    two = threading.Thread(target=lambda: asyncio.run(hold_next()))
    two.start()
    leave.set()
    one.join(5)
    two.join(5)
    lanes.close()
    assert order == ["first", "second"]


@pytest.mark.parametrize("make", [lambda: Bridge(0), lambda: Lanes(0)])
def test_a_size_of_nothing_is_refused(make: object) -> None:
    """Zero threads would wait for ever."""
    with pytest.raises(ValueError, match="at least 1"):
        make()  # type: ignore[operator]  # a list of callables has type object here

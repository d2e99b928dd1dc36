"""The Stack and the lifespan: whatever the application makes of it, the Stack opens first and closes last."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from postrmagic_core import Stack
from postrmagic_core.integrations.asgi import install
from postrmagic_core.middleware.asgi import Message
from postrmagic_core.testing.capture import embedded_settings
from tests.integrations.apps import PIPELINE

STARTUP, SHUTDOWN = {"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}
STARTED, ENDED = "lifespan.startup.complete", "lifespan.shutdown.complete"


def live(app: Any, stack: Stack) -> tuple[list[tuple[str, bool]], BaseException | None]:
    """What a server hears over its life, each with whether the Stack was open, and what the application raised."""
    heard: list[tuple[str, bool]] = []
    given = [STARTUP, SHUTDOWN]

    async def receive() -> dict[str, Any]:
        return given.pop(0)

    async def send(message: Message) -> None:
        heard.append((message["type"], stack.is_open))

    async def main() -> BaseException | None:
        try:
            await install(app, PIPELINE, stack)({"type": "lifespan", "asgi": {"version": "3.0"}}, receive, send)
        except Exception as error:
            return error
        return None

    return heard, asyncio.run(main())


async def proper(scope: Any, receive: Any, send: Any) -> None:
    """Lives as ASGI says."""
    assert await receive() == STARTUP
    await send({"type": STARTED})
    assert await receive() == SHUTDOWN
    await send({"type": ENDED})


async def knowing_none(scope: Any, receive: Any, send: Any) -> None:
    """Refuses the scope."""
    raise ValueError("http only")


async def heedless(scope: Any, receive: Any, send: Any) -> None:
    """Takes everything for a request."""
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": []})


async def silent(scope: Any, receive: Any, send: Any) -> None:
    """Returns at once."""


async def brief(scope: Any, receive: Any, send: Any) -> None:
    """Starts, and does not wait for the end."""
    await receive()
    await send({"type": STARTED})


@pytest.mark.parametrize("app", [proper, knowing_none, heedless, silent, brief], ids=lambda app: app.__name__)
def test_the_stack_lives_as_long_as_the_server(app: Any, stack: Stack) -> None:
    """It is open when the server hears of the start, and closed before it hears of the end, once each."""
    assert live(app, stack) == ([(STARTED, True), (ENDED, False)], None)


def test_a_start_that_fails_stays_a_failure(stack: Stack) -> None:
    """What the application says about its start reaches the server; the Stack is closed."""

    async def failing(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no"})
        raise RuntimeError("no")

    heard, error = live(failing, stack)
    assert (heard, str(error)) == ([("lifespan.startup.failed", False)], "no")


def test_a_later_failure_closes_the_stack(stack: Stack) -> None:
    """Given an application that fails between start and end, the server learns it and the Stack is closed."""

    async def failing(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": STARTED})
        raise RuntimeError("later")

    heard, error = live(failing, stack)
    assert (heard, str(error), stack.is_open) == ([(STARTED, True)], "later", False)


def test_a_stack_that_does_not_open_stops_the_start(tmp_path: Path) -> None:
    """Given a data directory that cannot be one, the server hears that it failed, and the application nothing."""
    (tmp_path / "taken").write_text("a file")
    stack = Stack(embedded_settings(tmp_path / "taken"))

    async def never(scope: Any, receive: Any, send: Any) -> None:
        pytest.fail("called")

    heard, error = live(never, stack)
    assert heard == [("lifespan.startup.failed", False)]
    assert error is not None


def test_a_cancelled_server_closes_the_stack(stack: Stack) -> None:
    """Given a server that cancels the lifespan instead of ending it, nothing is left open."""

    async def main() -> None:
        started = asyncio.Event()
        given = [STARTUP]

        async def receive() -> dict[str, Any]:
            if given:
                return given.pop()
            await asyncio.Event().wait()
            raise AssertionError

        async def send(message: Message) -> None:
            started.set()

        task = asyncio.ensure_future(install(proper, PIPELINE, stack)({"type": "lifespan"}, receive, send))
        await started.wait()
        assert stack.is_open
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert not stack.is_open

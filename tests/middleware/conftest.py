"""Calling applications by hand, and reading what was logged."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from tests.records import records  # noqa: F401 - pytest looks for fixtures here


class Outcome:
    """What an ASGI application sent, and what it raised."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.error: BaseException | None = None

    @property
    def status(self) -> int:
        """The status sent."""
        return int(self.messages[0]["status"])

    @property
    def body(self) -> bytes:
        """The body sent."""
        return b"".join(message.get("body", b"") for message in self.messages[1:])

    def header(self, name: str) -> str | None:
        """The first header of this name."""
        headers = {
            key.decode().lower(): value.decode("latin-1") for key, value in reversed(self.messages[0]["headers"])
        }
        return headers.get(name)


async def _exchange(
    app: Any, *, body: tuple[bytes, ...] = (b"",), gone_after: int | None = None, **scope: Any
) -> Outcome:
    outcome = Outcome()
    chunks = [
        {"type": "http.request", "body": chunk, "more_body": index + 1 < len(body)} for index, chunk in enumerate(body)
    ]

    async def receive() -> dict[str, Any]:
        return chunks.pop(0) if chunks else {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        if gone_after is not None and len(outcome.messages) >= gone_after:
            raise OSError("client gone")
        outcome.messages.append(message)

    defaults = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": [], "scheme": "http"}
    try:
        await app({**defaults, **scope}, receive, send)
    except Exception as error:
        outcome.error = error
    return outcome


@pytest.fixture
def call() -> Callable[..., Outcome]:
    """``call(app, method="POST", headers=[…], body=(b"…",))`` runs one request to its end."""

    def run(app: Any, **scope: Any) -> Outcome:
        return asyncio.run(_exchange(app, **scope))

    return run


@pytest.fixture
def answer() -> Callable[..., Any]:
    """``answer(status, body, headers)`` is an ASGI application that answers so, having read the request's body."""

    def make(status: int = 200, body: bytes = b"hello", headers: tuple[tuple[bytes, bytes], ...] = ()) -> Any:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            while (await receive()).get("more_body"):
                pass
            await send({"type": "http.response.start", "status": status, "headers": list(headers)})
            await send({"type": "http.response.body", "body": body})

        return app

    return make


@pytest.fixture
def failing() -> Callable[..., Any]:
    """``failing(error)`` is an ASGI application that raises ``error``, with ``late=True`` after its head."""

    def make(error: BaseException, *, late: bool = False) -> Any:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            if late:
                await send({"type": "http.response.start", "status": 200, "headers": []})
            raise error

        return app

    return make

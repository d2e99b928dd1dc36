"""Applications and messages for timing what stands around an ASGI application, without a server."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from postrmagic_core.middleware import Layer, Middleware, Request

from ._harness import Case

App = Callable[..., Awaitable[None]]
_HEADERS = [
    (b"host", b"library.example.org"),
    (b"user-agent", b"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
    (b"accept", b"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
    (b"accept-language", b"en-US,en;q=0.5"),
    (b"accept-encoding", b"gzip, deflate, br"),
    (b"origin", b"https://app.example.org"),
    (b"x-forwarded-for", b"203.0.113.7"),
    (b"x-forwarded-proto", b"https"),
]


async def one_chunk(scope: Any, receive: Any, send: Any) -> None:
    """Answers five bytes."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"hello"})


async def hundred_chunks(scope: Any, receive: Any, send: Any) -> None:
    """Answers five bytes a hundred times."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    for _ in range(99):
        await send({"type": "http.response.body", "body": b"hello", "more_body": True})
    await send({"type": "http.response.body", "body": b"hello"})


async def _receive() -> dict[str, Any]:
    return {"type": "http.request", "body": b"", "more_body": False}


async def _send(message: MutableMapping[str, Any]) -> None:
    pass


def asking(app: App, /, **scope: Any) -> Callable[[], Awaitable[None]]:
    """One request of a browser that comes through a proxy, as a coroutine function."""

    async def ask() -> None:
        asked = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": "/",
            "raw_path": b"/",
            "root_path": "",
            "query_string": b"",
            "headers": list(_HEADERS),
            "client": ("127.0.0.1", 40_000),
            "server": ("127.0.0.1", 80),
            "state": {},
        }
        await app(asked | scope, _receive, _send)

    return ask


class Loop:
    """A loop in which cases that are coroutine functions are timed; a call costs the loop nothing."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()

    def run(self, coroutine: Any) -> Any:
        """Its result."""
        return self._loop.run_until_complete(coroutine)

    def timed(self, case: Case, calls: int, batch: int) -> list[float]:
        """A :data:`~benchmarks._harness.Timing`."""
        return [float(self.run(_many(case.call, batch))) / batch for _ in range(calls)]

    def close(self) -> None:
        """End it."""
        self._loop.close()


async def _many(ask: Any, number: int) -> float:
    begin = time.perf_counter()
    for _ in range(number):
        await ask()
    return time.perf_counter() - begin


def setting(name: bytes) -> Middleware:
    """A layer that sets a response header."""
    pair = (name, b"1")

    def layer(request: Request) -> Layer:
        head = yield
        head.headers.append(pair)

    return layer


class Setting:
    """The same as a pure ASGI class: a wrapper of ``send``."""

    def __init__(self, app: App, name: bytes) -> None:
        self.app = app
        self.pair = (name, b"1")

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def sending(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                # A copy: an application may send the same message for every request.
                message = {**message, "headers": [*message.get("headers", ()), self.pair]}
            await send(message)

        await self.app(scope, receive, sending)


class Null(logging.Handler):
    """Formats a record and keeps nothing, as a file would cost both sides the same."""

    def emit(self, record: logging.LogRecord) -> None:
        """Format it."""
        self.format(record)

"""Slow bodies and slow applications: told so within their limits, by ASGI, by WSGI and by a real server."""

from __future__ import annotations

import asyncio
import io
import json
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from wsgiref.util import setup_testing_defaults

import pytest
import uvicorn

from postrmagic_core.middleware import Pipeline
from postrmagic_core.middleware.errors import errors
from postrmagic_core.middleware.time_limits import time_limits
from postrmagic_core.testing import FakeClock


async def reading(scope: Any, receive: Any, send: Any) -> None:
    """Reads the whole body and tells its size."""
    size, more = 0, True
    while more:
        message = await receive()
        size, more = size + len(message.get("body", b"")), message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"%d" % size})


async def stubborn(scope: Any, receive: Any, send: Any) -> None:
    """Makes 400 of whatever goes wrong while it reads."""
    with suppress(Exception):
        await reading(scope, receive, send)
        return
    await send({"type": "http.response.start", "status": 400, "headers": []})
    await send({"type": "http.response.body", "body": b"?"})


class Line:
    """A client that sends ``pieces``, each after so many seconds by ``clock``, then nothing; what it is answered."""

    def __init__(self, *pieces: tuple[float, bytes, bool]) -> None:
        self._pieces = list(pieces)
        self.clock = FakeClock()
        self.messages: list[dict[str, Any]] = []

    async def receive(self) -> dict[str, Any]:
        """The next piece."""
        if not self._pieces:
            await asyncio.sleep(3600)
        pause, body, more = self._pieces.pop(0)
        self.clock.sleep(pause)
        await asyncio.sleep(0)
        return {"type": "http.request", "body": body, "more_body": more}

    async def send(self, message: dict[str, Any]) -> None:
        """Note it."""
        self.messages.append(message)

    def ask(self, app: Any, **scope: Any) -> tuple[int, Any]:
        """Status and body, as JSON where it is some."""
        defaults = {"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": []}
        defaults["http_version"] = "1.1"
        asyncio.run(app({**defaults, **scope}, self.receive, self.send))
        return self.messages[0]["status"], json.loads(self.messages[1]["body"])


@pytest.mark.parametrize("app", [reading, stubborn])
@pytest.mark.parametrize("pieces", [(), ((0, b"a", True),), ((0, b"a", True), (0.1, b"b", True), (0.15, b"c", True))])
def test_a_body_that_does_not_come_is_408(app: Any, pieces: tuple[tuple[float, bytes, bool], ...]) -> None:
    """None at all, a part of it, or a trickle; whatever the application makes of that."""
    line = Line(*pieces)
    status, body = line.ask(Pipeline([errors(), time_limits(body=0.2, clock=line.clock)]).asgi(app))
    assert (status, body["code"]) == (408, "data.too_slow")
    assert (b"connection", b"close") in line.messages[0]["headers"]


def test_http_2_is_told_nothing_of_its_connection() -> None:
    """Where a header of that name is malformed (RFC 9113, section 8.2.2)."""
    line = Line()
    status, _ = line.ask(Pipeline([time_limits(body=0.05)]).asgi(reading), http_version="2")
    assert status == 408
    assert b"connection" not in dict(line.messages[0]["headers"])


def test_a_large_body_has_time_for_its_size() -> None:
    """Longer than ``body`` seconds in all, but never slower than was agreed."""
    line = Line(*[(10.0, b"x" * 1000, True)] * 4, (10.0, b"", False))
    app = Pipeline([time_limits(body=30, bytes_per_second=100, clock=line.clock)]).asgi(reading)
    assert line.ask(app) == (200, 4000)


def test_whoever_waits_for_the_client_to_leave_waits_on() -> None:
    """Once the body is whole no time runs: an application listens for the end of the connection."""

    line = Line((0, b"", False))

    async def polling(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        line.clock.sleep(60)
        with suppress(TimeoutError):
            await asyncio.wait_for(receive(), 0.05)
        await reading(scope, Line((0, b"", False)).receive, send)

    assert line.ask(Pipeline([time_limits(body=30, clock=line.clock)]).asgi(polling)) == (200, 0)


@pytest.mark.parametrize("around", [[], [errors()]])
def test_an_application_that_does_not_answer_is_cancelled(around: list[Any]) -> None:
    """Its finally runs, the client is told 503."""
    ended = []

    async def hanging(scope: Any, receive: Any, send: Any) -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            ended.append(True)

    status, body = Line().ask(Pipeline([*around, time_limits(response=0.05)]).asgi(hanging))
    assert (status, body["code"], ended) == (503, "response.too_slow", [True])


def test_a_stream_that_has_begun_may_last() -> None:
    """The limit is for the head."""

    async def streaming(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await asyncio.sleep(0.2)
        await send({"type": "http.response.body", "body": b"1"})

    assert Line().ask(Pipeline([time_limits(response=0.05)]).asgi(streaming)) == (200, 1)


def test_an_applications_own_timeout_is_its_own() -> None:
    """Not taken for ours."""

    async def own(scope: Any, receive: Any, send: Any) -> None:
        raise TimeoutError

    status, body = Line().ask(Pipeline([errors(), time_limits(response=60)]).asgi(own))
    assert (status, body["code"]) == (500, "internal")


@pytest.mark.parametrize("limit", [{"body": 0}, {"bytes_per_second": -1}, {"response": 0}])
def test_a_limit_that_is_none_is_refused(limit: Any) -> None:
    """When the pipeline is built."""
    with pytest.raises(ValueError, match="greater than 0"):
        time_limits(**limit)


def test_under_wsgi_what_comes_too_late_is_refused() -> None:
    """At the next piece: nobody can interrupt a blocking read."""

    class Trickle(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            time.sleep(0.06)
            return super().read(1)

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        while environ["wsgi.input"].read(1):
            pass
        start_response("200 OK", [])
        return [b"{}"]

    environ: dict[str, Any] = {"REQUEST_METHOD": "POST", "wsgi.input": Trickle(b"abcdef"), "CONTENT_LENGTH": "6"}
    setup_testing_defaults(environ)
    heads: list[str] = []
    body = Pipeline([time_limits(body=0.05)]).wsgi(app)(environ, lambda status, *_: heads.append(status))
    assert json.loads(b"".join(body))["code"] == "data.too_slow"
    assert heads == ["408 Request Timeout"]


def test_a_slow_client_of_a_real_server_is_cut_off() -> None:
    """Ten bytes announced, one sent: 408 and the end of the connection, within the limit and some."""

    async def main() -> tuple[bytes, float]:
        config = uvicorn.Config(Pipeline([time_limits(body=0.3)]).asgi(reading), log_level="critical", lifespan="off")
        server = uvicorn.Server(config)
        with socket.socket() as listening:
            listening.bind(("127.0.0.1", 0))
            serving = asyncio.create_task(server.serve(sockets=[listening]))
            while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
                await asyncio.sleep(0.01)
            reader, writer = await asyncio.open_connection(*listening.getsockname())
            began = time.monotonic()
            writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nx")
            answer = await asyncio.wait_for(reader.read(), 30)
            seconds = time.monotonic() - began
            writer.close()
            server.should_exit = True
            await serving
            return answer, seconds

    answer, seconds = asyncio.run(main())
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert 0.3 <= seconds < 10

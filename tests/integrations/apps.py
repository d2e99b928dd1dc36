"""Applications that hold back the end of a stream until the test lets go, one for each framework."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

from postrmagic_core.middleware import Pipeline
from postrmagic_core.middleware.access_log import access_log
from postrmagic_core.middleware.errors import errors
from postrmagic_core.middleware.request_id import request_id

PIPELINE = Pipeline([request_id(), access_log(), errors()])


class Gate:
    """The last chunk waits for ``open``; ``passed`` tells that it was made."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.passed = False

    def chunks(self) -> Iterator[bytes]:
        """For sync applications."""
        yield b"first"
        assert self.open.wait(20)
        self.passed = True
        yield b"last"

    async def later(self) -> AsyncIterator[bytes]:
        """For async ones."""
        yield b"first"
        assert await asyncio.to_thread(self.open.wait, 20)
        self.passed = True
        yield b"last"


def of_starlette(gate: Gate) -> Any:
    """Starlette."""
    from starlette.applications import Starlette
    from starlette.responses import StreamingResponse
    from starlette.routing import Route

    from postrmagic_core.integrations.starlette import install

    async def stream(_: Any) -> StreamingResponse:
        return StreamingResponse(gate.later())

    return install(Starlette(routes=[Route("/", stream)]), PIPELINE)


def of_fastapi(gate: Gate) -> Any:
    """FastAPI."""
    from fastapi import FastAPI
    from fastapi.responses import StreamingResponse

    from postrmagic_core.integrations.fastapi import install

    app = FastAPI()

    @app.get("/")
    def stream() -> StreamingResponse:
        return StreamingResponse(gate.later())

    return install(app, PIPELINE)


def of_flask(gate: Gate) -> Any:
    """Flask."""
    from flask import Flask, Response

    from postrmagic_core.integrations.flask import install

    app = Flask("streaming")

    @app.get("/")
    def stream() -> Response:
        return Response(gate.chunks())

    return install(app, PIPELINE)


def of_asgi(gate: Gate) -> Any:
    """No framework, ASGI."""
    from postrmagic_core.integrations.asgi import install

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        async for chunk in gate.later():
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body"})

    return install(app, PIPELINE)


def of_wsgi(gate: Gate) -> Any:
    """No framework, WSGI."""
    from postrmagic_core.integrations.wsgi import install

    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return gate.chunks()

    return install(app, PIPELINE)

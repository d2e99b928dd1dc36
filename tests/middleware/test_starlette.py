"""The pipeline with a real framework and a real server."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request as StarletteRequest
from starlette.responses import JSONResponse, PlainTextResponse, StreamingResponse
from starlette.routing import Route

from postrmagic_core._crypto import KeyRing
from postrmagic_core.errors import ValidationFailed
from postrmagic_core.middleware import Pipeline, Request, Response
from postrmagic_core.middleware.access_log import access_log
from postrmagic_core.middleware.body_limit import body_limit
from postrmagic_core.middleware.csrf import csrf
from postrmagic_core.middleware.errors import errors
from postrmagic_core.middleware.request_id import request_id
from postrmagic_core.middleware.security_headers import security_headers
from postrmagic_core.middleware.sessions import sessions
from postrmagic_core.sessions import SessionStore
from postrmagic_core.stores.adapters.memory import MemoryStore

CANARY = "c4n4ry-Xy7"


async def hello(request: StarletteRequest) -> PlainTextResponse:
    """Tells the request's id."""
    return PlainTextResponse(request.state.request_id)


async def broken(request: StarletteRequest) -> PlainTextResponse:
    """Fails with a secret in its text."""
    raise RuntimeError(f"password={CANARY}")


async def invalid(request: StarletteRequest) -> PlainTextResponse:
    """Refuses its input."""
    raise ValidationFailed([{"pointer": "/n", "code": "missing", "message": "is required"}])


async def upload(request: StarletteRequest) -> PlainTextResponse:
    """Reads the whole body."""
    return PlainTextResponse(str(len(await request.body())))


async def visits(request: StarletteRequest) -> JSONResponse:
    """Counts visits in the session."""
    session = await request.state.session
    session.data["visits"] = session.data.get("visits", 0) + 1
    return JSONResponse(session.data)


def sync_visits(request: StarletteRequest) -> JSONResponse:
    """The same from a thread."""
    session = request.state.session.get()
    session.data["visits"] = session.data.get("visits", 0) + 1
    return JSONResponse(session.data)


async def stream(request: StarletteRequest) -> StreamingResponse:
    """Sends three chunks."""

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b"chunk"
            await asyncio.sleep(0)

    return StreamingResponse(chunks())


ROUTES = [
    Route("/", hello),
    Route("/broken", broken),
    Route("/invalid", invalid),
    Route("/upload", upload, methods=["POST"]),
    Route("/visits", visits),
    Route("/sync-visits", sync_visits),
    Route("/stream", stream),
]


@pytest.fixture(params=["inside", "around"])
def app(request: pytest.FixtureRequest) -> Any:
    """A Starlette application with the whole pipeline, inside its own error page or around it all."""
    with SessionStore(MemoryStore(), KeyRing(["a7Rk2mQ9xW4vT1pL8sD3fG6hJ0zXcVbN"])) as store:
        layers = [request_id(), access_log(), security_headers(), errors(), body_limit(1000), csrf(), sessions(store)]
        pipeline = Pipeline(layers)
        if request.param == "inside":
            yield Starlette(routes=ROUTES, middleware=[Middleware(pipeline.asgi)])
        else:
            yield pipeline.asgi(Starlette(routes=ROUTES))


def fetch(app: Any, *requests: tuple[str, str, dict[str, Any]], strict: bool = True) -> list[httpx.Response]:
    """Make the requests one after the other, as one browser on an HTTPS site."""

    async def main() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=strict)
        async with httpx.AsyncClient(transport=transport, base_url="https://example.org") as client:
            return [await client.request(method, path, **options) for method, path, options in requests]

    return asyncio.run(main())


def test_an_ordinary_request(app: Any, records: Any) -> None:
    """The application sees the request's id, the response carries it, the access log tells it."""
    (response,) = fetch(app, ("GET", "/", {"headers": {"x-request-id": "r-9"}}))
    assert (response.status_code, response.text, response.headers["x-request-id"]) == (200, "r-9", "r-9")
    assert response.headers["x-content-type-options"] == "nosniff"
    (record,) = records.named("request")
    assert (record["path"], record["status"], record["bytes"], record["request_id"]) == ("/", 200, 3, "r-9")


def test_streaming_passes(app: Any, records: Any) -> None:
    """Chunks arrive, and are counted."""
    (response,) = fetch(app, ("GET", "/stream", {}))
    assert response.content == b"chunk" * 3
    assert records.named("request")[0]["bytes"] == 15


def test_no_exception_reaches_the_client(app: Any, records: Any) -> None:
    """Given a failing endpoint, the client gets a 500 without its text, and the log has it once, redacted."""
    (response,) = fetch(app, ("GET", "/broken", {}), strict=False)
    assert response.status_code == 500
    assert CANARY not in response.text
    assert len(records.named("request failed")) == 1
    assert CANARY not in records.text


def test_inside_starlette_an_error_is_a_problem_document(records: Any) -> None:
    """Given a pipeline inside the error page, exceptions become problem documents and the server sees none."""
    app = Starlette(routes=ROUTES, middleware=[Middleware(Pipeline([request_id(), errors()]).asgi)])
    failed, refused = fetch(app, ("GET", "/broken", {}), ("GET", "/invalid", {}))
    assert (failed.json()["code"], failed.headers["content-type"]) == ("internal", "application/problem+json")
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/n")


def test_a_body_too_large_is_413(app: Any) -> None:
    """Whether announced or streamed, wherever the framework's own error page stands."""

    async def stream_of(size: int) -> AsyncIterator[bytes]:
        for _ in range(size // 100):
            yield b"x" * 100

    small, announced, streamed = fetch(
        app,
        ("POST", "/upload", {"content": b"x" * 1000}),
        ("POST", "/upload", {"content": b"x" * 1001}),
        ("POST", "/upload", {"content": stream_of(5000)}),
    )
    assert (small.status_code, small.text) == (200, "1000")
    assert (announced.status_code, streamed.status_code) == (413, 413)


def test_a_session_lasts_in_a_browser(app: Any) -> None:
    """The cookie jar of a client keeps the session, for async and sync endpoints alike."""
    first, second, third = fetch(app, ("GET", "/visits", {}), ("GET", "/sync-visits", {}), ("GET", "/visits", {}))
    assert [response.json() for response in (first, second, third)] == [{"visits": 1}, {"visits": 2}, {"visits": 3}]
    assert "set-cookie" in first.headers
    assert "set-cookie" not in third.headers


def test_a_foreign_form_is_refused(app: Any) -> None:
    """A POST that a browser makes for another site gets 403."""
    foreign = {"headers": {"origin": "https://evil.net"}, "content": b"x"}
    (response,) = fetch(app, ("POST", "/upload", foreign))
    assert (response.status_code, response.json()["code"]) == (403, "csrf.cross_site")


def test_a_real_server_ends_a_replaced_endless_stream() -> None:
    """Given uvicorn and a stream without end that a layer replaced, the client is answered and the request ends."""
    ended = asyncio.Event()

    async def endless(request: StarletteRequest) -> StreamingResponse:
        async def chunks() -> AsyncIterator[bytes]:
            while True:
                yield b"x"

        return StreamingResponse(chunks())

    def unchanged(request: Request) -> Any:
        yield
        yield Response(404, b"none")
        ended.set()

    async def main(listening: socket.socket) -> httpx.Response:
        app = Pipeline([unchanged]).asgi(Starlette(routes=[Route("/", endless)]))
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off"))
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        async with httpx.AsyncClient() as client:
            response = await client.get(f"http://127.0.0.1:{listening.getsockname()[1]}/")
            await asyncio.wait_for(ended.wait(), 60)
        server.should_exit = True
        await serving
        return response

    with socket.create_server(("127.0.0.1", 0)) as listening:
        response = asyncio.run(main(listening))
    assert (response.status_code, response.text) == (404, "none")

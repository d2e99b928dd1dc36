"""The request is the work that everything beneath is done for: under ASGI, under WSGI, and while it lasts."""

from __future__ import annotations

import asyncio
from typing import Any
from wsgiref.util import setup_testing_defaults

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request as StarletteRequest
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from postrmagic_core._work import current_work, end_work, working
from postrmagic_core.middleware import Pipeline, Request, Response

PATH = "/posters/" + "x" * 300


def ended(seen: list[str]) -> None:
    """Note the work under way, and its end."""
    work = current_work()
    assert work is not None
    seen.append(str(work))
    work.at_end(lambda over: seen.append(f"end of {over}"))


def answer(request: Request) -> Any:
    """A layer that answers, so that no application is called."""
    ended(request.scope["seen"])
    yield Response(204)


def test_an_asgi_request_is_named_until_it_ends() -> None:
    """By its method and path, of which 200 characters are enough."""
    seen: list[str] = []

    async def send(message: Any) -> None:
        seen.append(str(message["type"]))

    async def never(*_: Any) -> Any:
        raise AssertionError

    async def main() -> None:
        scope = {"type": "http", "method": "GET", "path": PATH, "headers": [], "seen": seen}
        await Pipeline([answer]).asgi(never)(scope, never, send)
        assert current_work() is None

    asyncio.run(main())
    named = f"GET {PATH[:200]}"
    assert seen == [named, "http.response.start", "http.response.body", f"end of {named}"]


def test_a_router_below_names_its_route() -> None:
    """Starlette does, in the scope: that says which code, where the path says which object."""
    seen: list[str] = []

    async def show(request: StarletteRequest) -> PlainTextResponse:
        seen.append(str(current_work()))
        return PlainTextResponse("")

    inner = Starlette(routes=[Route("/posters/{number:int}", show)])
    app = Starlette(middleware=[Middleware(Pipeline([]).asgi)], routes=[Mount("/api", inner)])

    async def main() -> None:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            assert (await client.get("/api/posters/17")).status_code == 200

    asyncio.run(main())
    assert seen == ["GET /api/posters/17 (route /posters/{number:int})"]


def test_a_wsgi_request_is_named_until_the_server_closes_its_response() -> None:
    """Also while its chunks are made."""
    seen: list[str] = []

    def application(environ: Any, start_response: Any) -> Any:
        ended(seen)
        start_response("200 OK", [])
        for _ in range(2):
            seen.append(f"chunk of {current_work()}")
            yield b"x"

    environ: dict[str, Any] = {"PATH_INFO": "/list"}
    setup_testing_defaults(environ)
    body: Any = Pipeline([]).wsgi(application)(environ, lambda *_: lambda chunk: None)
    assert list(body) == [b"x", b"x"]
    body.close()
    assert current_work() is None
    assert seen == ["GET /list", "chunk of GET /list", "chunk of GET /list", "end of GET /list"]


def test_what_comes_after_the_end_is_not_kept() -> None:
    """A thread that outlives its request adds to nothing, and fails by nothing."""
    with working("job") as work:
        pass
    work.at_end(lambda over: pytest.fail(f"called of {over}"))
    end_work(work, None)

"""Each example under a real server, and streams that arrive while they are made."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from postrmagic_core import Stack
from tests.integrations import apps
from tests.integrations.servers import asking, under_uvicorn, under_wsgiref

SERVED: dict[str, Callable[..., Any]] = {
    "starlette_app": under_uvicorn,
    "fastapi_app": under_uvicorn,
    "flask_app": under_wsgiref,
    "bare_asgi": under_uvicorn,
    "bare_wsgi": under_wsgiref,
}


@pytest.mark.parametrize("name", SERVED)
def test_an_example_serves(name: str, stack: Stack, records: Any) -> None:
    """Given the server opens the Stack, by lifespan or with the first request, pages, errors and refusals come."""
    app = importlib.import_module(f"integrations.{name}").make_app(stack)
    try:
        with SERVED[name](app) as port:
            _behaves(port)
            assert stack.is_open
        assert stack.is_open == (SERVED[name] is under_wsgiref)  # under WSGI until the process ends
    finally:
        stack.close()
    assert len(records.named("request failed")) == 1
    assert {record["path"] for record in records.named("request")} == {"/", "/broken", "/posters"}


@pytest.mark.parametrize(("attribute", "server"), [("application", under_wsgiref), ("asgi", under_uvicorn)])
def test_django_serves(attribute: str, server: Any, django_example: Any, records: Any) -> None:
    """The same project under both kinds of server."""
    with server(getattr(django_example, attribute)) as port:
        _behaves(port)
    assert len(records.named("request failed")) == 1


def _behaves(port: int) -> None:
    with asking(port, "GET", "/", headers={"x-request-id": "r-1"}) as response:
        assert json.loads(response.read()) == {"request": "r-1", "visits": 1}
        assert (response.status, response.headers["x-request-id"]) == (200, "r-1")
    with asking(port, "GET", "/broken") as response:
        assert (response.status, response.headers["content-type"]) == (500, "application/problem+json")
        assert b"hunter2" not in response.read()
    with asking(port, "POST", "/posters", body=b"{}", headers={"origin": "https://evil.example"}) as response:
        assert response.status == 403


GATED = {
    "starlette": (apps.of_starlette, under_uvicorn),
    "fastapi": (apps.of_fastapi, under_uvicorn),
    "flask": (apps.of_flask, under_wsgiref),
    "asgi": (apps.of_asgi, under_uvicorn),
    "wsgi": (apps.of_wsgi, under_wsgiref),
}


@pytest.mark.parametrize("kind", GATED)
def test_the_first_chunk_arrives_before_the_last_is_made(kind: str) -> None:
    """Given a stream whose end waits for us, its beginning is here already."""
    gate = apps.Gate()
    make, server = GATED[kind]
    with server(make(gate)) as port:
        _arrives_in_time(port, "/", gate)


@pytest.mark.parametrize("kind", ["wsgi", "asgi"])
def test_django_streams(kind: str, django_site: Any) -> None:
    """Under both kinds of server."""
    with django_site(kind) as (port, views):
        _arrives_in_time(port, f"/stream-{kind}", views.GATE)


def _arrives_in_time(port: int, path: str, gate: apps.Gate) -> None:
    try:
        with asking(port, "GET", path) as response:
            assert response.read(5) == b"first"
            assert not gate.passed
            gate.open.set()
            assert response.read() == b"last"
            assert response.headers["x-request-id"]
    finally:
        gate.open.set()


def _endless() -> Iterator[bytes]:
    for _ in range(40):
        yield b"x" * 100_000


@pytest.mark.parametrize("name", [name for name, server in SERVED.items() if server is under_uvicorn])
def test_a_body_of_unknown_size_is_413(name: str, stack: Stack, records: Any) -> None:
    """Given a body in chunks, without a length, it is refused where it passes the limit."""
    app = importlib.import_module(f"integrations.{name}").make_app(stack)
    with under_uvicorn(app) as port:
        _is_too_large(port)
    assert not records.at_least("error", "critical")


def test_a_body_of_unknown_size_is_413_in_django(django_example: Any, records: Any) -> None:
    """Django stores a body under ASGI before it makes a request of it: the pipeline is around that."""
    with under_uvicorn(django_example.asgi) as port:
        _is_too_large(port)
    assert not records.at_least("error", "critical")


def _is_too_large(port: int) -> None:
    with ExitStack() as closing:
        headers = {"content-type": "application/json"}
        try:
            response = closing.enter_context(asking(port, "POST", "/posters", body=_endless(), headers=headers))
        except (BrokenPipeError, ConnectionResetError):
            return  # it was refused while it was sent
        assert response.status == 413
        assert json.loads(response.read())["code"] == "data.too_large"

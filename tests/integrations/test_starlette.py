"""What is Starlette's and FastAPI's own: lifespan, websockets, routes, dependencies."""

from __future__ import annotations

import importlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Mount, Route
from starlette.testclient import TestClient

from postrmagic_core import Stack
from postrmagic_core._work import current_work
from postrmagic_core.errors import NotOpen
from postrmagic_core.integrations.fastapi import install as install_fastapi
from postrmagic_core.integrations.starlette import install
from postrmagic_core.log import get_logger
from postrmagic_core.middleware import Pipeline
from postrmagic_core.middleware.request_id import request_id
from tests.integrations.apps import PIPELINE


def test_the_stack_surrounds_the_applications_lifespan(stack: Stack) -> None:
    """It is open before the application starts and after it ended; what the application yields stays its state."""
    seen = []

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[dict[str, str]]:
        seen.append(stack.is_open)
        yield {"name": "kept"}
        seen.append(stack.is_open)

    async def name(request: Request) -> PlainTextResponse:
        return PlainTextResponse(f"{request.state.name} {request.state.request_id}")

    app = install(Starlette(routes=[Route("/", name)], lifespan=lifespan), PIPELINE, stack)
    with TestClient(app) as client:
        assert client.get("/", headers={"x-request-id": "r-1"}).text == "kept r-1"
    assert seen == [True, True]
    assert not stack.is_open


def test_a_failed_start_closes_the_stack(stack: Stack) -> None:
    """Given an application that does not start, the Stack is not left open."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        if stack.is_open:
            raise RuntimeError("no start")
        yield

    with (
        pytest.raises(RuntimeError, match="no start"),
        TestClient(install(Starlette(lifespan=lifespan), PIPELINE, stack)),
    ):
        pass
    assert not stack.is_open


def test_fastapi_runs_its_own_lifespan_too(stack: Stack) -> None:
    """FastAPI's application is the one whose lifespan surrounds its routers'."""
    seen = []

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        seen.append(stack.is_open)
        yield

    with TestClient(install_fastapi(FastAPI(lifespan=lifespan), PIPELINE, stack)) as client:
        assert client.get("/absent").status_code == 404
    assert seen == [True]


@pytest.mark.parametrize("name", ["starlette_app", "fastapi_app"])
def test_websockets_pass_untouched(name: str, stack: Stack, records: Any) -> None:
    """They reach the application as the server made them, and are one record when they have ended."""
    app = importlib.import_module(f"integrations.{name}").make_app(stack)
    with TestClient(app) as client, client.websocket_connect("/echo") as socket:
        socket.send_text("hello")
        assert socket.receive_text() == "hello"
    assert [record["status"] for record in records.named("request")] == [101]


@pytest.mark.parametrize("kind", ["async", "sync"])
def test_the_work_names_the_route(kind: str) -> None:
    """Records and metrics name the route's pattern, in endpoints that run in threads too."""

    async def later(_: Request) -> JSONResponse:
        return JSONResponse(str(current_work()))

    def now(_: Request) -> JSONResponse:
        return JSONResponse(str(current_work()))

    app = install(Starlette(routes=[Route("/posters/{number}", later if kind == "async" else now)]), PIPELINE)
    assert TestClient(app).get("/posters/7").json() == "GET /posters/7 (route /posters/{number})"


def failing() -> None:
    """A dependency that fails."""
    get_logger("dependency").warning("about to fail")
    raise RuntimeError("canary")


def test_fastapis_dependencies_and_errors(records: Any) -> None:
    """Given a dependency that fails, the pipeline answers; its context is the request's."""
    app = FastAPI()

    @app.get("/{number}")
    def poster(number: int, nothing: Annotated[None, Depends(failing)]) -> str:
        return "never"

    client = TestClient(install_fastapi(app, PIPELINE))  # which raises what leaves the application: nothing does
    answer = client.get("/7", headers={"x-request-id": "r-1"})
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert records.named("about to fail")[0]["request_id"] == "r-1"


def test_a_mounted_application_is_inside() -> None:
    """What fails below a mount is answered by the pipeline of the application around it."""

    async def fails(_: Request) -> JSONResponse:
        raise RuntimeError("canary")

    app = install(Starlette(routes=[Mount("/api", routes=[Route("/fails", fails)])]), PIPELINE)
    answer = TestClient(app).get("/api/fails")
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")


def test_without_a_lifespan_the_stack_says_so(stack: Stack) -> None:
    """Given a server that sends no lifespan, what needs the Stack says that it is not open."""
    install(Starlette(), PIPELINE, stack)
    with pytest.raises(NotOpen, match="before it was opened"):
        stack.ensure_open()


class Login(BaseModel):
    """A body with a secret in it."""

    name: str
    password: str = Field(min_length=12)


def login_app() -> FastAPI:
    """An application that takes a body and a parameter."""
    app = FastAPI()

    @app.post("/{number}")
    async def login(number: int, made: Login, page: int = 1) -> None:
        raise AssertionError("called")

    return app


def test_fastapis_refusals_do_not_repeat_the_input() -> None:
    """Each field at fault is told by pointer, code and text, in the body and outside, and nothing that was sent."""
    client = TestClient(install_fastapi(login_app(), PIPELINE))
    answer = client.post("/canary?page=canary", json={"password": "canary"})
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert "canary" not in answer.text
    assert {(error["pointer"], error["code"]) for error in answer.json()["errors"]} == {
        ("/path/number", "int_parsing"),
        ("/query/page", "int_parsing"),
        ("/name", "missing"),
        ("/password", "string_too_short"),
    }
    for body in (b"\x80", b"{", b"[]", b'"canary"', b""):
        answer = client.post("/1", content=body)
        assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")


def test_an_own_handler_for_refusals_stays() -> None:
    """Given an application with its own, or a pipeline that answers nothing, FastAPI goes on as before."""
    app = login_app()

    @app.exception_handler(RequestValidationError)
    async def own(_: Request, error: Exception) -> PlainTextResponse:
        return PlainTextResponse("own", 400)

    assert TestClient(install_fastapi(app, PIPELINE)).post("/x").text == "own"
    assert "detail" in TestClient(install_fastapi(login_app(), Pipeline([request_id()]))).post("/x").json()

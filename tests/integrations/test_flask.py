"""What is Flask's own: its error handlers, its contexts, its async views."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask, Response, abort, g, request, session, stream_with_context

from postrmagic_core import Stack
from postrmagic_core._work import current_work
from postrmagic_core.integrations.flask import install
from postrmagic_core.middleware import Pipeline
from postrmagic_core.middleware.errors import errors
from postrmagic_core.middleware.request_id import request_id
from postrmagic_core.middleware.sessions import sessions
from tests.integrations.apps import PIPELINE


@pytest.fixture
def app() -> Flask:
    """An application without routes."""
    return Flask("flask_of_tests")


def test_its_error_handlers_come_first(app: Flask, records: Any) -> None:
    """What the application handles stays its own; the rest is the pipeline's; abort() is no error."""

    @app.errorhandler(KeyError)
    def handled(_: KeyError) -> tuple[str, int]:
        return "handled", 409

    @app.get("/<kind>")
    def fails(kind: str) -> str:
        if kind == "abort":
            abort(418)
        raise {"key": KeyError, "value": ValueError}[kind]("canary")

    client = install(app, PIPELINE).test_client()
    answers = [client.get(f"/{kind}") for kind in ("key", "value", "abort")]
    assert [answer.status_code for answer in answers] == [409, 500, 418]
    assert all(answer.headers["x-request-id"] for answer in answers)
    assert (answers[0].text, answers[1].get_json()["code"]) == ("handled", "internal")
    assert len(records.named("request failed")) == 1


@pytest.mark.parametrize("given", [False, True])
def test_its_own_setting_is_kept(given: bool, app: Flask) -> None:
    """Given PROPAGATE_EXCEPTIONS set by the application, it stays."""
    app.config["PROPAGATE_EXCEPTIONS"] = given
    assert install(app, PIPELINE).config["PROPAGATE_EXCEPTIONS"] is given


def test_without_errors_its_page_stays(app: Flask) -> None:
    """Given a pipeline that answers no exceptions, Flask does."""

    @app.get("/")
    def fails() -> str:
        raise ValueError("canary")

    answer = install(app, Pipeline([request_id()])).test_client().get("/")
    assert (answer.status_code, answer.content_type) == (500, "text/html; charset=utf-8")
    assert answer.headers["x-request-id"]


def test_the_work_names_the_rule(app: Flask) -> None:
    """Records and metrics name the rule, and `g.postrmagic` is there before any function of before_request."""

    @app.before_request
    def early() -> None:
        g.seen = g.postrmagic.request_id

    @app.get("/posters/<int:number>")
    def poster(number: int) -> dict[str, str]:
        return {"work": str(current_work()), "seen": g.seen}

    answer = install(app, PIPELINE).test_client().get("/posters/7", headers={"x-request-id": "r-1"})
    assert answer.get_json() == {"work": "GET /posters/7 (route /posters/<int:number>)", "seen": "r-1"}


def test_async_views_and_streams_keep_the_context(app: Flask, stack: Stack) -> None:
    """An async view awaits its session, which goes round; a stream keeps Flask's request to its last chunk."""

    @app.get("/later")
    async def later() -> dict[str, int]:
        ours = await g.postrmagic.session
        ours.data["n"] = ours.data.get("n", 0) + 1
        return dict(ours.data)

    @app.get("/stream")
    def stream() -> Response:
        def chunks() -> Iterator[str]:
            yield request.path
            yield g.postrmagic.request_id

        return Response(stream_with_context(chunks()))

    install(app, Pipeline([request_id(), errors(), sessions(stack.sessions)]), stack)
    with stack:
        client = app.test_client()
        assert [client.get("/later", base_url="https://x").get_json() for _ in range(2)] == [{"n": 1}, {"n": 2}]
        assert client.get("/stream", headers={"x-request-id": "r-1"}).text == "/streamr-1"


def test_its_client_can_look_into_the_context(app: Flask) -> None:
    """`with client:` keeps `g` and Flask's own session for the test, as without a pipeline."""
    app.secret_key = "for the test"

    @app.get("/")
    def home() -> str:
        g.answer = 42
        session["kept"] = "yes"
        return "home"

    with install(app, PIPELINE).test_client() as client:
        assert client.get("/").text == "home"
        assert (g.answer, session["kept"], request.path) == (42, "yes", "/")


@pytest.mark.parametrize("order", ["before", "after"])
def test_other_wsgi_middleware_stands_where_it_was_put(order: str, app: Flask) -> None:
    """What wrapped `wsgi_app` before is inside the pipeline, what wraps it later is outside."""
    seen: list[bool] = []

    def watching(inner: Callable[..., Any]) -> Callable[..., Any]:
        def watch(environ: dict[str, Any], start_response: Any) -> Any:
            seen.append("request_id" in environ.get("postrmagic.state", {}))
            return inner(environ, start_response)

        return watch

    if order == "before":
        app.wsgi_app = watching(app.wsgi_app)  # type: ignore[method-assign]  # Flask's documented way
    install(app, PIPELINE)
    if order == "after":
        app.wsgi_app = watching(app.wsgi_app)  # type: ignore[method-assign]  # Flask's documented way
    app.test_client().get("/")
    assert seen == [order == "before"]

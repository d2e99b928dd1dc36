"""What is Django's own: its error pages, its middleware, its signals, its caches and its test clients."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any
from wsgiref.validate import validator

import httpx
import pytest
from django.core.asgi import get_asgi_application
from django.core.signals import got_request_exception
from django.core.wsgi import get_wsgi_application
from django.test import AsyncClient, Client, override_settings

from postrmagic_core.errors import ConfigurationError
from postrmagic_core.integrations.django import install
from tests.integrations.apps import PIPELINE

Get = Callable[[str], httpx.Response]


def _under_wsgi(pipeline: Any) -> Get:
    app = install(get_wsgi_application(), pipeline)

    def asking(environ: dict[str, Any], start_response: Any) -> Any:
        environ.update({name: environ.get(name, "") for name in ("QUERY_STRING", "SCRIPT_NAME")})
        return validator(app)(environ, start_response)

    def get(path: str) -> httpx.Response:
        with httpx.Client(transport=httpx.WSGITransport(asking), base_url="https://testserver") as client:
            return client.get(path)

    return get


def _under_asgi(pipeline: Any) -> Get:
    app = install(get_asgi_application(), pipeline)

    def get(path: str) -> httpx.Response:
        async def main() -> httpx.Response:
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="https://testserver") as client:
                return await client.get(path)

        return asyncio.run(main())

    return get


class _Answer:
    """A response of Django's test client, in httpx's words."""

    def __init__(self, response: Any) -> None:
        self.status_code, self.headers, self.content = response.status_code, response.headers, response.content

    def json(self) -> Any:
        return json.loads(self.content)


def _with_client(_: Any) -> Any:
    return lambda path: _Answer(Client(raise_request_exception=False).get(path))


def _with_async_client(_: Any) -> Any:
    async def main(path: str) -> Any:
        return await AsyncClient(raise_request_exception=False).get(path)

    return lambda path: _Answer(asyncio.run(main(path)))


WAYS = {"wsgi": _under_wsgi, "asgi": _under_asgi, "client": _with_client, "async client": _with_async_client}


@pytest.fixture(params=WAYS)
def get(request: pytest.FixtureRequest, django_views: Any, records: Any) -> Any:
    """``get(path)``, each way in which Django is asked."""
    return WAYS[request.param](PIPELINE)


@pytest.mark.parametrize(("path", "status"), [("/denied", 403), ("/suspicious", 400), ("/absent", 404)])
def test_what_django_answers_stays_djangos(path: str, status: int, get: Get) -> None:
    """A refusal that Django has a page for keeps that page, with the pipeline's headers."""
    response = get(path)
    assert (response.status_code, response.headers["content-type"]) == (status, "text/html; charset=utf-8")
    assert response.headers["x-request-id"]
    assert b"canary" not in response.content


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize(("path", "status"), [("/fails", 500), ("/away", 503), ("/middleware", 500)])
def test_any_other_exception_is_the_pipelines(path: str, status: int, debug: bool, get: Get, records: Any) -> None:
    """A view's, and another middleware's; with DEBUG too no traceback leaves."""
    with override_settings(DEBUG=debug):
        response = get(path)
    assert (response.status_code, response.headers["content-type"]) == (status, "application/problem+json")
    assert b"canary" not in response.content
    assert len(records.named("request failed")) == 1
    if path != "/middleware":  # which Django itself logs before anybody hears of it
        told = records.at_least("warning", "error")  # beside Django's own handlers, which are set aside as they come
        assert len([record for record in told if record["logger"] != "postrmagic_core.log"]) == 1


def test_watchers_hear_of_it(get: Get) -> None:
    """`got_request_exception`, by which error trackers work, is sent once."""
    heard = []

    def listener(**_: Any) -> None:
        heard.append(True)

    got_request_exception.connect(listener)
    try:
        get("/fails")
    finally:
        got_request_exception.disconnect(listener)
    assert heard == [True]


def test_the_client_raises_as_it_always_does(django_views: Any, records: Any) -> None:
    """Django's test client raises a view's exception into the test unless told otherwise."""
    with pytest.raises(ValueError, match="canary"):
        Client().get("/fails")


@pytest.mark.parametrize("path", ["/work/7", "/work-later/7"])
def test_the_work_names_the_route(path: str, get: Get) -> None:
    """Records and metrics name the pattern; Django finds it after its middleware began."""
    assert get(path).json() == {"work": f"GET {path} (route {path[:-1]}<int:number>)"}


def test_what_no_layer_told_is_named(get: Get, records: Any) -> None:
    """Given a view that asks for what the pipeline does not have, the error in the log says what it has."""
    assert get("/untold").status_code == 500
    assert "told 'identity' about this request, only request_id" in records.text


def test_cookies_of_the_view_leave(get: Any) -> None:
    """Several cookies stay several headers."""
    response = get("/cookie")
    assert response.status_code == 200
    if isinstance(response, httpx.Response):
        assert [line.strip()[:5] for line in response.headers.get_list("set-cookie")] == ["one=1", "two=2"]


def test_caches_outlive_a_request(django_views: Any) -> None:
    """Given one thread, Django's cache, which holds connections, is the same object in each request."""
    get = _under_wsgi(PIPELINE)
    assert get("/backend").json() == get("/backend").json()


@pytest.mark.parametrize("way", WAYS)
def test_without_errors_djangos_page_stays(way: str, django_views: Any, records: Any) -> None:
    """Given a pipeline that answers no exceptions, Django does."""
    with override_settings(MIDDLEWARE=["tests.integrations.django_views.bare_edge"]):
        response = WAYS[way](django_views.bare_pipeline)("/fails")
    assert (response.status_code, response.headers["content-type"]) == (500, "text/html; charset=utf-8")
    assert response.headers["x-request-id"]


def test_a_missing_edge_is_told(django_views: Any) -> None:
    """Given MIDDLEWARE without an Edge, the pipeline would see no exception: it does not start."""
    with override_settings(MIDDLEWARE=[]), pytest.raises(ConfigurationError, match="expected an Edge in MIDDLEWARE"):
        install(get_wsgi_application(), PIPELINE)


def test_a_client_that_leaves_ends_the_request(django_views: Any, records: Any) -> None:
    """Given an async stream whose reader leaves, the layers are closed and the access log tells it."""
    app = install(get_asgi_application(), PIPELINE)

    async def main() -> None:
        left = asyncio.Event()
        given = iter([{"type": "http.request", "body": b"", "more_body": False}])

        async def receive() -> dict[str, Any]:
            for message in given:
                return message
            await left.wait()
            return {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            if message.get("body") == b"first":
                left.set()

        scope = {"type": "http", "method": "GET", "path": "/stream-asgi", "headers": [(b"host", b"testserver")]}
        try:
            await app({**scope, "query_string": b"", "scheme": "https"}, receive, send)
        finally:
            django_views.GATE.open.set()

    asyncio.run(main())
    (record,) = records.named("request")
    assert (record["status"], record["disconnected"]) == (200, True)

"""A request by header is one by path to everything behind, and every answer says which version it is of."""

from __future__ import annotations

import json
from datetime import date
from typing import Any
from wsgiref.util import setup_testing_defaults

import pytest

from postrmagic_core.api.interface import Deprecation
from postrmagic_core.api.versions import Version, Versions
from postrmagic_core.errors import ConfigurationError
from postrmagic_core.middleware import Layer, Pipeline, Request
from postrmagic_core.middleware.api_versions import api_versions
from postrmagic_core.middleware.authentication import authentication
from postrmagic_core.middleware.authorization import authorization
from postrmagic_core.middleware.errors import errors
from postrmagic_core.security.access import Access, Role, Roles, User

DAY = date(2026, 6, 1)
OLD = Version("1", Deprecation(date(2026, 1, 1), date(2026, 9, 1), "/docs/v2"))
VERSIONS = Versions([OLD, Version("2")])
VERSIONED = api_versions(VERSIONS, today=lambda: DAY)


def seen(paths: list[str], *headers: tuple[bytes, bytes], status: int = 200) -> Any:
    """An application that notes the path it is asked for, as routers read it."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert scope["raw_path"].decode().startswith("/api")
        paths.append(scope["path"])
        await send({"type": "http.response.start", "status": status, "headers": list(headers)})
        await send({"type": "http.response.body", "body": b""})

    return app


def asking(name: str) -> list[tuple[bytes, bytes]]:
    """The header that asks for a version."""
    return [(b"api-version", name.encode())]


def test_a_request_by_header_is_one_by_path(call: Any) -> None:
    """To the application and to every layer behind."""
    paths: list[str] = []
    layers: list[str] = []

    def layer(request: Request) -> Layer:
        layers.append(request.path)
        yield

    app = Pipeline([VERSIONED, layer]).asgi(seen(paths))
    call(app, path="/api/media/ä b", raw_path=b"/api/media/%C3%A4%20b", headers=asking("2"))
    call(app, path="/api/v2/media", raw_path=b"/api/v2/media")
    assert paths == layers == ["/api/v2/media/ä b", "/api/v2/media"]


def test_every_answer_says_its_version(call: Any, failing: Any) -> None:
    """That of the application, of a layer behind, and of an error."""
    units: Any = None
    access = Access(Roles([Role("none")]), units)

    def refusing(request: Request) -> User | None:
        return None

    paths: list[str] = []
    for layers, app, status in (
        ([VERSIONED], seen(paths, status=404), 404),
        ([VERSIONED, authentication(refusing), authorization(access)], seen(paths), 401),
        ([VERSIONED, errors()], failing(ValueError("x")), 500),
    ):
        outcome = call(Pipeline(layers).asgi(app), path="/api/media", raw_path=b"/api/media", headers=asking("2"))
        assert (outcome.status, outcome.header("api-version")) == (status, "2")
        assert outcome.header("vary") == "API-Version"
        assert outcome.header("deprecation") is None


def test_an_old_version_says_so(call: Any) -> None:
    """An operation that ends sooner says so itself; each has its own link."""
    plain = call(Pipeline([VERSIONED]).asgi(seen([])), path="/api/v1/media", raw_path=b"/api/v1/media")
    assert plain.header("deprecation") == "@1767225600"
    assert plain.header("sunset") == "Tue, 01 Sep 2026 00:00:00 GMT"
    assert plain.header("link") == '</docs/v2>; rel="deprecation"; type="text/html"'
    own = seen([], (b"sunset", b"Mon, 01 Jun 2026 00:00:00 GMT"), (b"deprecation", b"@1"), (b"link", b"</x>; rel=x"))
    outcome = call(Pipeline([VERSIONED]).asgi(own), path="/api/v1/media", raw_path=b"/api/v1/media")
    assert outcome.header("sunset") == "Mon, 01 Jun 2026 00:00:00 GMT"
    assert outcome.header("deprecation") == "@1"
    links = [value for name, value in outcome.messages[0]["headers"] if name.lower() == b"link"]
    assert links == [b"</x>; rel=x", b'</docs/v2>; rel="deprecation"; type="text/html"']


@pytest.mark.parametrize(
    ("path", "header", "status", "code"),
    [
        ("/api/v3/media", None, 404, "version.unknown"),
        ("/api/media", None, 404, "version.unknown"),
        ("/api/media", "3", 404, "version.unknown"),
        ("/api/v1/media", "2", 400, "version.contradicted"),
    ],
)
def test_what_is_no_version_reaches_nothing(path: str, header: str | None, status: int, code: str, call: Any) -> None:
    """It is answered here."""
    paths: list[str] = []
    app = Pipeline([VERSIONED]).asgi(seen(paths))
    outcome = call(app, path=path, raw_path=path.encode(), headers=asking(header) if header else [])
    assert (outcome.status, json.loads(outcome.body)["code"], paths) == (status, code, [])


def test_a_version_that_has_ended_is_gone(call: Any) -> None:
    """From its day on, by the date in UTC."""
    ended = api_versions(VERSIONS, today=lambda: date(2026, 9, 1))
    outcome = call(Pipeline([ended]).asgi(seen([])), path="/api/v1/media")
    assert (outcome.status, json.loads(outcome.body)["code"]) == (410, "version.ended")


def test_other_paths_are_left_alone(call: Any, answer: Any) -> None:
    """Whatever their headers say."""
    outcome = call(Pipeline([VERSIONED]).asgi(answer()), path="/health", headers=asking("7"))
    assert (outcome.status, outcome.header("api-version"), outcome.header("vary")) == (200, None, None)


@pytest.mark.parametrize(("script", "info"), [("", "/api/media/\u00c3\u00a4"), ("/api", "/media/\u00c3\u00a4")])
def test_a_wsgi_application_sees_the_path_too(script: str, info: str) -> None:
    """Beneath where it is mounted, in the characters of WSGI."""
    found: list[tuple[str, str]] = []

    def app(environ: Any, start_response: Any) -> list[bytes]:
        found.append((environ["SCRIPT_NAME"], environ["PATH_INFO"]))
        start_response("200 OK", [])
        return [b""]

    environ: dict[str, Any] = {"SCRIPT_NAME": script, "PATH_INFO": info, "HTTP_API_VERSION": "2"}
    setup_testing_defaults(environ)
    list(Pipeline([VERSIONED]).wsgi(app)(environ, lambda *_: None))
    assert found == [(script, f"{'' if script else '/api'}/v2/media/\u00c3\u00a4")]


def test_what_counts_by_route_stands_behind_it() -> None:
    """A rule for a versioned path would not hold for one by header."""
    units: Any = None
    guard = authorization(Access(Roles([Role("none")]), units))
    with pytest.raises(ConfigurationError, match="api_versions must stand outside authorization"):
        Pipeline([guard, VERSIONED])

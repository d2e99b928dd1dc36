"""An Api answers the same bytes in every framework."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from pkgutil import resolve_name
from typing import Any
from wsgiref.util import setup_testing_defaults

import pytest
from fastapi import FastAPI
from flask import Flask
from PIL import Image
from starlette.applications import Starlette

from postrmagic_core.api import Api, Problems, Specification, get
from postrmagic_core.api.envelope import Data
from postrmagic_core.errors import ConfigurationError
from postrmagic_core.integrations import fastapi, flask, starlette
from tests.integrations.notes import API, DIRECTORY, NOTES, PIPELINE, UPLOADS
from tests.integrations.sites import Site, _of_asgi, _of_wsgi

ANN, BOB = {"x-user": "ann"}, {"x-user": "bob"}
JSON = {"content-type": "application/json"}
KINDS = ["starlette", "fastapi", "flask", "django-wsgi", "django-asgi"]
OWN = {"api-version": "1", "vary": "API-Version", "x-content-type-options": "nosniff"}
PROBLEM = {**OWN, "content-type": "application/problem+json", "cache-control": "no-store"}
PLAIN = {**OWN, "content-type": "application/json", "cache-control": "no-store"}
KNOWN = {**OWN, "content-type": "application/json", "cache-control": "private, no-cache"}
# What a framework adds by itself: of a file its date and that its parts may be had.
THEIRS = {"content-length", "date", "server", "accept-ranges", "last-modified"}


@contextmanager
def application(kind: str, request: pytest.FixtureRequest) -> Iterator[Any]:
    """The notes, and the pipeline around them, in a framework's application."""
    if kind == "starlette":
        yield starlette.install(Starlette(routes=starlette.routes(API)), PIPELINE)
    elif kind == "fastapi":
        app = FastAPI()
        app.router.routes.extend(starlette.routes(API))
        yield fastapi.install(app, PIPELINE)
    elif kind == "flask":
        site = Flask("notes")
        site.register_blueprint(flask.blueprint(API))
        yield flask.install(site, PIPELINE)
    else:
        request.getfixturevalue("django_example")
        # Django is set up by now, as its modules need it.
        from django.core.asgi import get_asgi_application
        from django.core.wsgi import get_wsgi_application
        from django.test import override_settings

        from postrmagic_core.integrations.django import install
        from tests.integrations import django_notes

        name = django_notes.__name__
        with override_settings(ROOT_URLCONF=name, MIDDLEWARE=[f"{name}.edge"]):
            yield install(get_asgi_application() if kind == "django-asgi" else get_wsgi_application(), PIPELINE)


def fill() -> None:
    """As each request finds it: the frameworks keep the object."""
    NOTES.kept = {1: "first", 2: "second"}
    NOTES.fail = lambda: {"id": 0, "title": "none"}


@pytest.fixture
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    """The notes in the framework whose name the test is given."""
    fill()
    NOTES.file = tmp_path / "note.txt"
    NOTES.file.write_bytes(b"0123456789")
    with ExitStack() as opened:
        opened.enter_context(UPLOADS)
        app = opened.enter_context(application(request.param, request))
        waits = request.param in {"flask", "django-wsgi"}
        opener: Any = _of_wsgi if waits else _of_asgi
        yield opened.enter_context(opener(app))


every = pytest.mark.parametrize("site", KINDS, indirect=True)


@dataclass(frozen=True)
class Exchange:
    """A request, and all that it is answered with."""

    line: str
    status: int
    told: Mapping[str, str]
    body: str = ""
    headers: Mapping[str, str] | None = None
    sent: bytes = b""


def problem(status: int, code: str, title: str, more: str = "") -> tuple[int, dict[str, str], str]:
    """What a problem is answered with."""
    document = f'{{"type":"/problems/{code}","title":"{title}","status":{status},"code":"{code}"{more}}}'
    return status, PROBLEM, document


def refused(status: int, code: str, title: str, more: str) -> tuple[int, dict[str, str], str]:
    """What a layer of the pipeline answers; ``nosniff`` is another layer's business."""
    challenge = {"www-authenticate": 'Bearer realm="api"'} if status == 401 else {}
    headers = {name: value for name, value in PROBLEM.items() if name != "x-content-type-options"}
    return status, headers | challenge, problem(status, code, title, more)[2]


def invalid(language: str, message: str) -> tuple[int, dict[str, str], str]:
    """The answer to a title that is missing."""
    errors = f',"errors":[{{"pointer":"/title","code":"missing","message":"{message}"}}]'
    status, headers, document = problem(422, "data.invalid", "Some of what was sent is not valid", errors)
    return status, {**headers, "content-language": language, "vary": "Accept-Language, API-Version"}, document


FIRST = '{"data":{"id":1,"title":"first"}}'
ETAG = '"JSGJaj27ZWOvJmvaz0rnpA"'
DEPRECATED = {
    "deprecation": "@1767225600",
    "sunset": "Thu, 01 Jan 2099 00:00:00 GMT",
    "link": '</docs>; rel="deprecation"; type="text/html"',
}
BOTH = '{"data":[{"id":1,"title":"first"},{"id":2,"title":"second"}],"next":null}'
NO_NOTE = problem(404, "note.not_found", "No such note")
NOBODY = ',"detail":"This needs valid credentials."'
MAY_NOT = ',"detail":"You may not do this."'
LOGIN = "Valid credentials are needed"
LONG = b'{"title":"' + b"x" * 200 + b'"}'
LONG_TOLD = ',"errors":[{"pointer":"","code":"limit.bytes","message":"is too large: at most 100 bytes"}]'
EXCHANGES = {
    "read": Exchange("GET /api/v1/notes/1", 200, {**KNOWN, "etag": ETAG}, FIRST),
    "read by header": Exchange("GET /api/notes/1", 200, {**KNOWN, "etag": ETAG}, FIRST, {"api-version": "1"}),
    "list": Exchange("GET /api/v1/notes?limit=1", 200, KNOWN, '{"data":[{"id":1,"title":"first"}],"next":null}'),
    "fixed before named": Exchange("GET /api/v1/notes/latest", 200, PLAIN, '{"data":{"id":2,"title":"second"}}'),
    "head": Exchange("HEAD /api/v1/notes/1", 200, {**KNOWN, "etag": ETAG}),
    "known": Exchange(
        "GET /api/v1/notes/1",
        304,
        {"api-version": "1", "vary": "API-Version", "cache-control": "private, no-cache", "etag": ETAG},
        headers={"if-none-match": f'"other", {ETAG}'},
    ),
    "made": Exchange(
        "POST /api/v1/notes",
        201,
        {**PLAIN, "location": "/api/v1/notes/3"},
        '{"data":{"id":3,"title":"thïrd"}}',
        ANN | JSON,
        '{"title":"thïrd"}'.encode(),
    ),
    "replaced": Exchange(
        "PUT /api/v1/notes/1",
        200,
        KNOWN,
        '{"data":{"id":1,"title":"new"}}',
        BOB | JSON | {"if-match": ETAG},
        b'{"title":"new"}',
    ),
    "deleted": Exchange("DELETE /api/v1/notes/1", 204, {"api-version": "1", "vary": "API-Version"}, headers=BOB),
    "missing": Exchange("GET /api/v1/notes/7", *NO_NOTE),
    "no number": Exchange("GET /api/v1/notes/+1", *NO_NOTE),
    "hidden": Exchange("GET /api/v1/diaries/ann", *NO_NOTE, headers=BOB),
    "a slash within a segment": Exchange(
        "GET /api/v1/diaries/a%2Fb",
        *refused(403, "access.denied", "You may not do this", MAY_NOT),
        BOB,
    ),
    "no such method": Exchange(
        "PATCH /api/v1/notes/1",
        405,
        {**PROBLEM, "allow": "GET, HEAD, PUT, DELETE"},
        problem(405, "http.405", "Method not allowed")[2],
    ),
    "no such method of a page": Exchange(
        "POST /api/v1/docs",
        405,
        {**PROBLEM, "allow": "GET, HEAD"},
        problem(405, "http.405", "Method not allowed")[2],
    ),
    "taken": Exchange(
        "POST /api/v1/notes",
        *problem(409, "note.taken", "There is a note of this title"),
        ANN | JSON,
        b'{"title":"first"}',
    ),
    "changed meanwhile": Exchange(
        "PUT /api/v1/notes/1",
        *problem(412, "precondition.failed", "It has changed since you read it"),
        BOB | JSON | {"if-match": '"old"'},
        b'{"title":"new"}',
    ),
    "too large": Exchange(
        "POST /api/v1/notes",
        413,
        {**PROBLEM, "content-language": "en", "vary": "Accept-Language, API-Version"},
        problem(413, "data.too_large", "The body is too large", LONG_TOLD)[2],
        ANN | JSON,
        LONG,
    ),
    "another type": Exchange(
        "POST /api/v1/notes",
        *problem(415, "body.unsupported_type", "The body is of no kind that is read here"),
        ANN | {"content-type": "text/plain"},
        b'{"title":"x"}',
    ),
    "invalid": Exchange("POST /api/v1/notes", *invalid("en", "is required"), ANN | JSON, b"{}"),
    "ungültig": Exchange(
        "POST /api/v1/notes",
        *invalid("de", "fehlt"),
        ANN | JSON | {"accept-language": "fr, de;q=0.9, en;q=0.1"},
        b"{}",
    ),
    "nobody": Exchange(
        "POST /api/v1/notes", *refused(401, "authentication.required", LOGIN, NOBODY), JSON, b'{"title":"x"}'
    ),
    "somebody else": Exchange(
        "POST /api/v1/notes",
        *refused(403, "access.denied", "You may not do this", MAY_NOT),
        BOB | JSON,
        b'{"title":"x"}',
    ),
    "deprecated": Exchange("GET /api/v1/all-notes", 200, {**PLAIN, **DEPRECATED}, BOTH),
    "file": Exchange(
        "GET /api/v1/notes/2/file",
        200,
        {**OWN, "content-type": "text/plain", "cache-control": "private, no-cache", "etag": '"2"'},
        "0123456789",
    ),
    "head of a file": Exchange(
        "HEAD /api/v1/notes/2/file",
        200,
        {**OWN, "content-type": "text/plain", "cache-control": "private, no-cache", "etag": '"2"'},
    ),
    "known file": Exchange(
        "GET /api/v1/notes/2/file",
        304,
        {"api-version": "1", "vary": "API-Version", "cache-control": "private, no-cache", "etag": '"2"'},
        headers={"if-none-match": '"2"'},
    ),
}


@every
def test_the_same_is_answered_everywhere(site: Site) -> None:
    """Status, headers and bytes, by the table; whatever a framework would answer by itself."""
    found, expected = {}, {}
    for name, one in EXCHANGES.items():
        fill()
        method, path = one.line.split(" ")
        reply = site(method, path, body=one.sent, headers=one.headers)
        told = {key: value for key, value in reply.headers.items() if key not in THEIRS}
        if "etag" not in one.told:
            told.pop("etag", None)
        found[name] = (reply.status, told, reply.body.decode())
        expected[name] = (one.status, one.told, one.body)
    assert {name: found[name] for name in found if found[name] != expected[name]} == {}


@pytest.mark.parametrize(("site", "kind"), [(one, one) for one in ("starlette", "fastapi", "flask")], indirect=["site"])
def test_a_part_of_a_file_is_sent(site: Site, kind: str) -> None:
    """By Range, where the framework knows how; a range that there is not is 416, and an old one's is the whole."""
    path = "/api/v1/notes/2/file"
    part = site("GET", path, headers={"range": "bytes=2-4", "if-range": '"2"'})
    assert (part.status, part.body, part.headers["content-range"]) == (206, b"234", "bytes 2-4/10")
    assert site("GET", path, headers={"range": "bytes=2-4", "if-range": '"1"'}).body == b"0123456789"
    beyond = site("GET", path, headers={"range": "bytes=20-"})
    assert (beyond.status, beyond.json["code"], beyond.headers["content-range"]) == (416, "http.416", "bytes */10")
    assert beyond.headers["content-type"] == "application/problem+json"
    if kind != "flask":  # which takes it for none
        unreadable = site("GET", path, headers={"range": "bytes=4-2"})
        assert (unreadable.status, unreadable.json["code"]) == (400, "http.400")


THEIR_PAGES = {
    "starlette": "starlette.exceptions:HTTPException",
    "fastapi": "fastapi:HTTPException",
    "flask": "werkzeug.exceptions:NotFound",
    "django-wsgi": "django.http:Http404",
    "django-asgi": "django.core.exceptions:PermissionDenied",
}


@pytest.mark.parametrize(("site", "theirs"), THEIR_PAGES.items(), indirect=["site"])
def test_a_mistake_of_ours_is_500_and_tells_nothing(site: Site, theirs: str, records: Any) -> None:
    """Whatever a handler returns or raises, a framework's own page included: one record says so and no answer does."""

    def of_framework() -> Any:
        kind = resolve_name(theirs)
        raise kind(404) if kind.__name__ == "HTTPException" else kind()

    def raises() -> Any:
        raise LookupError("hunter2")

    for fail in (lambda: "hunter2", lambda: {"id": "hunter2"}, raises, of_framework):
        NOTES.fail = fail
        reply = site("GET", "/api/v1/broken")
        assert (reply.status, reply.json["code"], reply.headers["api-version"]) == (500, "internal", "1")
        assert b"hunter2" not in reply.body
    told = [record["error"] for record in records.named("request failed")]
    assert told == ["UsageError", "UsageError", "LookupError", "UsageError"]
    assert "hunter2" not in json.dumps(records.named("request failed")[:2])


@every
def test_a_body_that_ends_early_changes_nothing(site: Site) -> None:
    """No beginning of a body is one."""
    body = b'{"title":"third"}'
    for size in range(len(body)):
        reply = site("POST", "/api/v1/notes", body=body[:size], headers=ANN | JSON)
        assert (reply.status, reply.json["code"]) == (422, "data.invalid")
    assert list(NOTES.kept) == [1, 2]


@pytest.mark.parametrize("kind", ["starlette", "fastapi", "django-asgi"])
def test_a_client_that_leaves_changes_nothing(kind: str, request: pytest.FixtureRequest, records: Any) -> None:
    """In the midst of its body, which may be whole by then: nobody waits for the answer, and it is no fault."""
    fill()
    headers = [(b"x-user", b"ann"), (b"content-type", b"application/json"), (b"host", b"testserver")]

    async def leave(app: Any) -> list[int]:
        messages = [{"type": "http.request", "body": b'{"title":"third"}', "more_body": True}]
        sent: list[int] = []

        async def receive() -> dict[str, Any]:
            return messages.pop() if messages else {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message.get("status", 0))

        path = "/api/v1/notes"
        scope = {"type": "http", "method": "POST", "path": path, "raw_path": path.encode(), "headers": headers}
        more = {"query_string": b"", "scheme": "http", "http_version": "1.1", "root_path": "", "server": ("x", 80)}
        await app(scope | more | {"asgi": {"version": "3.0"}}, receive, send)
        return sent

    with application(kind, request) as app:
        sent = asyncio.run(leave(app))
    assert list(NOTES.kept) == [1, 2]
    assert not {200, 201, 500} & set(sent)
    assert not records.at_least("error")


@pytest.mark.parametrize("kind", ["flask", "django-wsgi"])
def test_a_body_is_read_no_further_than_the_limit(kind: str, request: pytest.FixtureRequest) -> None:
    """Whatever was announced; and where nothing was announced, nothing is read."""
    read: list[int] = []

    class Endless(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            assert size >= 0
            read.append(size)
            return b"x" * size

    given = {"REQUEST_METHOD": "POST", "PATH_INFO": "/api/v1/notes", "CONTENT_TYPE": "application/json"}
    heads: list[str] = []
    with application(kind, request) as app:
        for length in ("1000000000", ""):
            environ: dict[str, Any] = given | {"CONTENT_LENGTH": length, "HTTP_X_USER": "ann", "wsgi.input": Endless()}
            setup_testing_defaults(environ)
            response = app(environ, lambda line, headers: heads.append(line[:3]))
            list(response)
            response.close()
    assert heads == ["413", "422"]
    assert sum(read) < 300_000  # one piece


@every
def test_a_form_with_a_file_is_received(site: Site, tmp_path: Path) -> None:
    """By a thread that waits or by one that is awaited; no file stays."""
    image = io.BytesIO()
    Image.new("RGB", (2, 2)).save(image, "PNG")
    part = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'
    body = part + image.getvalue() + b"\r\n--x--\r\n"
    form = {"content-type": "multipart/form-data; boundary=x"}
    reply = site("POST", "/api/v1/pictures", body=body, headers=form)
    assert (reply.status, reply.json) == (201, {"data": len(image.getvalue())})
    assert site("POST", "/api/v1/pictures", body=body[:-4], headers=form).status == 422
    assert list(DIRECTORY.iterdir()) == []


def test_what_awaits_is_refused_where_nothing_can() -> None:
    """By name, when the routes are made."""

    class Awaiting:
        """Handlers that await."""

        @get("/now", Data[int], access="public")
        def now(self) -> int:
            """Answer."""
            return 1

        @get("/later", Data[int], access="public")
        async def later(self) -> int:
            """Answer later."""
            return 1

    specification = Specification([Awaiting], title="Later", version="1.0.0", problems=Problems())
    with pytest.raises(ConfigurationError, match=r"Flask answers on threads: .* but later is async def"):
        flask.blueprint(Api(specification, [Awaiting()]))


def test_the_document_of_fastapi_is_untouched() -> None:
    """The Api has its own: FastAPI's lists the application's other routes, as before."""
    app = FastAPI()

    @app.get("/health")
    def health() -> dict[str, str]:
        return {}

    app.router.routes.extend(starlette.routes(API))
    assert list(app.openapi()["paths"]) == ["/health"]
    assert set(API.specification.openapi()["paths"]) >= {"/notes", "/notes/{id}"}


@pytest.mark.parametrize("site", ["django-wsgi", "django-asgi"], indirect=True)
def test_djangos_own_check_of_forms_does_not_stand_before_it(site: Site, django_example: Any) -> None:
    """Its middleware would refuse every script; the pipeline's csrf() decides in its place."""
    from django.test import override_settings

    from tests.integrations import django_notes

    edge = f"{django_notes.__name__}.edge"
    with override_settings(MIDDLEWARE=[edge, "django.middleware.csrf.CsrfViewMiddleware"]):
        reply = site("POST", "/api/v1/notes", body=b'{"title":"x"}', headers=ANN | JSON | {"cookie": "sessionid=1"})
    assert reply.status == 201

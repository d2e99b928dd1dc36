"""A refusal by any layer says the type of its problem, under ASGI and under WSGI."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from postrmagic_core._problem import Problem
from postrmagic_core.api.problem_types import TITLES
from postrmagic_core.database import DatabaseManager
from postrmagic_core.errors import BackendUnavailable, ConfigurationError, UniqueViolation, ValidationFailed
from postrmagic_core.limits import Limit, RateLimiter
from postrmagic_core.middleware import Group, Head, Layer, Pipeline, Request, Response, middleware
from postrmagic_core.middleware.authentication import authentication
from postrmagic_core.middleware.authorization import authorization
from postrmagic_core.middleware.body_limit import body_limit
from postrmagic_core.middleware.cors import cors
from postrmagic_core.middleware.csp_reports import csp_reports
from postrmagic_core.middleware.csrf import csrf
from postrmagic_core.middleware.errors import errors
from postrmagic_core.middleware.header_limits import header_limits
from postrmagic_core.middleware.idempotency import idempotency
from postrmagic_core.middleware.pipeline_request import PipelineRequest, request_class
from postrmagic_core.middleware.rate_limit import rate_limit
from postrmagic_core.middleware.request_id import request_id
from postrmagic_core.security.access import Access, Role, Roles
from postrmagic_core.stores.adapters.memory import MemoryStore
from postrmagic_core.testing.contracts.middleware_rig import Asked, Found, answering, asgi, wsgi, wsgi_answering

TYPES = "/problems/"
GONE = Problem(410, "media.gone", detail="It was deleted.")


class Way:
    """One of the two interfaces: an application of that kind inside a pipeline, and one request to it."""

    def __init__(self, name: str) -> None:
        self.name = name

    def ask(self, layers: list[Any], asked: Asked, types: str | None = TYPES, **how: Any) -> Found:
        """The answer of an application that says hello."""
        pipeline = Pipeline(layers, problem_types=types, **how)
        if self.name == "asgi":
            return asgi(pipeline.asgi(answering(200, [("content-type", "text/plain")], b"hello")), asked)
        return wsgi(pipeline.wsgi(wsgi_answering(200, [("content-type", "text/plain")], b"hello")), asked)

    def fail(self, layers: list[Any], error: Exception, types: str | None = TYPES) -> Found:
        """The answer where the application raises ``error``."""
        pipeline = Pipeline(layers, problem_types=types)

        async def failing(scope: Any, receive: Any, send: Any) -> None:
            raise error

        def wsgi_failing(environ: Any, start_response: Any) -> list[bytes]:
            raise error

        return (
            asgi(pipeline.asgi(failing), Asked()) if self.name == "asgi" else wsgi(pipeline.wsgi(wsgi_failing), Asked())
        )


@pytest.fixture(params=["asgi", "wsgi"])
def way(request: pytest.FixtureRequest) -> Way:
    """Either of them."""
    return Way(request.param)


@middleware()
def gone(request: Request) -> Layer:
    """A layer that answers with a problem of the application's."""
    yield Response.of(GONE)


@middleware()
def gone_instead(request: Request) -> Layer:
    """One that puts it in the place of the application's answer."""
    yield
    yield Response.of(GONE)


@middleware()
async def gone_awaited(request: Request) -> Any:
    """One that awaits."""
    yield Response.of(GONE)


def refusing() -> Any:
    """The layer of rules, with none that lets anything pass."""
    units: Any = None
    return authorization(Access(Roles([Role("user", allow=["media:read"])], ["media:read"]), units))


SAID: dict[str, tuple[Callable[[], list[Any]], Asked, int]] = {
    "media.gone": (lambda: [gone], Asked(), 410),
    "csrf.cross_site": (lambda: [csrf()], Asked("POST", {"sec-fetch-site": "cross-site"}), 403),
    "data.too_large": (lambda: [body_limit(3)], Asked("POST").sending(b"four"), 413),
    "authentication.required": (lambda: [authentication(lambda request: None, required=True)], Asked(), 401),
    "request.target_too_long": (lambda: [header_limits()], Asked().at(query="q" * 20_000), 414),
    "csp_report.type": (lambda: [csp_reports()], Asked("POST", path="/csp-reports"), 415),
    "idempotency.required": (lambda: [idempotency(None, required=True)], Asked("POST"), 400),
}


@pytest.mark.parametrize("code", SAID)
def test_a_layers_refusal_has_its_type(code: str, way: Way) -> None:
    """No layer knows of types, and each of them says its own."""
    make, asked, status = SAID[code]
    found = way.ask(make(), asked)
    document = json.loads(found.body)
    assert (found.status, document["status"], document["code"]) == (status, status, code)
    assert document["type"] == f"/problems/{code}"
    assert dict(found.headers)["content-length"] == str(len(found.body))
    assert dict(found.headers)["content-type"] == "application/problem+json"


@pytest.mark.parametrize("layer", [gone, gone_instead, gone_awaited], ids=["early", "instead", "awaited"])
def test_wherever_a_layer_answers(layer: Any, way: Way) -> None:
    """Before the application, in its place, and from a layer that awaits."""
    assert json.loads(way.ask([layer], Asked()).body)["type"] == "/problems/media.gone"


def test_rules_and_who_asks(way: Way) -> None:
    """401 by rule: the document of an error that a layer answers."""
    found = way.ask([errors(), authentication(lambda request: None), refusing()], Asked(path="/x"))
    assert json.loads(found.body)["type"] == "/problems/authentication.required"


def test_a_limit_that_is_used_up(way: Way) -> None:
    """429, with the headers that the layer added."""
    with closing(MemoryStore()) as store, RateLimiter(store) as limiter:
        layers = [rate_limit(limiter, Limit("all", 1, 3600))]
        assert way.ask(layers, Asked()).status == 200
        found = way.ask(layers, Asked())
    assert (found.status, json.loads(found.body)["type"]) == (429, "/problems/rate.limited")
    assert "retry-after" in dict(found.headers)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (RuntimeError("secret"), "internal"),
        (BackendUnavailable("secret"), "backend.unavailable"),
        (UniqueViolation("secret"), "data.unique"),
        (ValidationFailed([{"pointer": "/a", "code": "missing", "message": "is required"}]), "data.invalid"),
    ],
    ids=lambda value: getattr(type(value), "__name__", value),
)
def test_an_error_that_nobody_answered(error: Exception, code: str, way: Way) -> None:
    """``errors()`` says the type too, keeps the request's id and the fields at fault, and no text."""
    found = way.fail([request_id(), errors()], error)
    document = json.loads(found.body)
    assert (document["type"], document["title"]) == (f"/problems/{code}", TITLES[code])
    assert document["request_id"]
    assert document.get("errors", []) == getattr(error, "errors", [])
    assert b"secret" not in found.body


def test_titles_are_those_of_the_types(way: Way) -> None:
    """RFC 9457, section 3.1.3: one type has one title, unless the problem has its own."""

    @middleware()
    def own(request: Request) -> Layer:
        yield Response.of(Problem(403, "csrf.cross_site", "Not from there"))

    make, asked, _ = SAID["csrf.cross_site"]
    assert json.loads(way.ask(make(), asked).body)["title"] == TITLES["csrf.cross_site"]
    assert json.loads(way.ask([own], Asked()).body)["title"] == "Not from there"
    assert json.loads(way.ask([gone], Asked()).body)["title"] == "Gone"


@pytest.mark.parametrize("code", SAID)
def test_without_types_the_document_is_as_before(code: str, way: Way) -> None:
    """An application that has no pages of types does not point to any."""
    make, asked, _ = SAID[code]
    assert json.loads(way.ask(make(), asked, None).body)["type"] == "about:blank"


def test_a_url_of_another_host_is_a_place_for_types_too(way: Way) -> None:
    """Several services may share one documentation."""
    found = way.ask([gone], Asked(), "https://docs.example.org/problems/")
    assert json.loads(found.body)["type"] == "https://docs.example.org/problems/media.gone"


@pytest.mark.parametrize("types", ["problems/", "/problems", "/problems/?q=", "//evil.example/", ""])
def test_a_pipeline_refuses_what_is_no_place_for_types(types: str) -> None:
    """When it is made, not with the first refusal."""
    with pytest.raises(ConfigurationError, match="such as /problems/"):
        Pipeline([], problem_types=types)


def test_layers_of_a_group_say_types_too(way: Way) -> None:
    """A pipeline has one place for types, whichever layers a path has."""
    found = way.ask([], Asked(path="/api/x"), groups=[Group("/api", [gone])])
    assert json.loads(found.body)["type"] == "/problems/media.gone"


def test_a_layer_further_out_sees_what_leaves(way: Way) -> None:
    """What keeps, signs or counts bodies gets the document with its type."""
    seen: list[bytes] = []

    @middleware()
    def looking(request: Request) -> Layer:
        head = yield
        seen.append(head.body)

    assert [way.ask([looking, gone], Asked()).body] == seen
    assert b"/problems/media.gone" in seen[0]


def test_a_body_that_a_layer_wrote_over_stays(way: Way) -> None:
    """Whoever changes the document before yielding it means what it says."""

    @middleware()
    def translated(request: Request) -> Layer:
        response = Response.of(GONE)
        response.body = b'{"title":"Weg"}'
        yield response

    @middleware()
    def around(request: Request) -> Layer:
        head = yield
        head.body += b"\n"

    assert way.ask([translated], Asked()).body == b'{"title":"Weg"}'
    assert way.ask([around, gone], Asked()).body.endswith(b'"}\n')


def test_other_answers_are_left_alone(way: Way) -> None:
    """A problem document that the application wrote, and a response of a layer that is none."""

    @middleware()
    def plain(request: Request) -> Layer:
        yield Response(403, GONE.body(), {"content-type": "application/problem+json"})

    assert way.ask([plain], Asked()).body == GONE.body()
    assert way.ask([], Asked()).body == b"hello"


class Apology(Response):
    """A response of an application's own class."""

    __slots__ = ("words",)


class Bare(Response):
    """One that sets itself up."""

    def __init__(self) -> None:
        Head.__init__(self, 418)
        self.body = b"short and stout"


def test_classes_of_responses_keep_working(way: Way) -> None:
    """One derived from Response is told so too, and one that knows nothing of problems passes."""

    @middleware()
    def apologizing(request: Request) -> Layer:
        yield Apology.of(GONE, {"x-sorry": "1"})

    @middleware()
    def bare(request: Request) -> Layer:
        yield Bare()

    found = way.ask([apologizing], Asked())
    assert (dict(found.headers)["x-sorry"], json.loads(found.body)["type"]) == ("1", "/problems/media.gone")
    assert way.ask([bare], Asked()).body == b"short and stout"


def test_one_response_may_be_yielded_by_two_pipelines(way: Way) -> None:
    """Each says where its own types are, whichever was first."""
    shared = Response.of(GONE)

    @middleware()
    def sharing(request: Request) -> Layer:
        yield shared

    places = ["/a/", "/b/", "/a/"]
    assert [json.loads(way.ask([sharing], Asked(), place).body)["type"] for place in places] == [
        f"{place}media.gone" for place in places
    ]


def test_a_refused_preflight_or_head_has_no_more_body_than_before(way: Way) -> None:
    """HEAD has the length of what GET would be told, and no byte of it."""
    found = way.ask([gone], Asked("HEAD"))
    assert (found.body, dict(found.headers)["content-length"]) == (b"", str(len(way.ask([gone], Asked()).body)))


def test_a_layer_of_cors_keeps_its_headers(way: Way) -> None:
    """A page of an allowed origin may read the document."""
    asked = Asked(headers={"origin": "https://app.example.org"})
    found = way.ask([cors(["https://app.example.org"]), gone], asked)
    assert dict(found.headers)["access-control-allow-origin"] == "https://app.example.org"
    assert json.loads(found.body)["type"] == "/problems/media.gone"


def test_a_denied_websocket_has_the_type() -> None:
    """The denial response carries the document."""
    sent: list[Any] = []

    @middleware(scopes=["websocket"])
    def denying(request: Request) -> Layer:
        yield Response.of(GONE)

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError("denied before")

    scope = {"type": "websocket", "path": "/", "headers": [], "extensions": {"websocket.http.response": {}}}
    asyncio.run(Pipeline([denying], problem_types=TYPES).asgi(app)(scope, receive, send))
    assert json.loads(sent[1]["body"])["type"] == "/problems/media.gone"


def test_an_application_without_types_has_plain_requests() -> None:
    """What nobody asked for costs no request anything: there is no other class, and nothing is set on any."""
    assert request_class(None) is PipelineRequest
    told = request_class(TYPES)({"type": "http"})
    assert told.problem_types == TYPES
    assert "problem_types" not in vars(told)
    assert PipelineRequest({"type": "http"}).problem_types is None


@pytest.fixture
def database(tmp_path: Path) -> Iterator[DatabaseManager]:
    """A database that keeps answers."""
    with DatabaseManager(f"sqlite:///{tmp_path}/app.db") as db:
        db.upgrade()
        yield db


def test_an_answer_that_is_kept_is_the_same_when_it_is_sent_again(database: DatabaseManager, way: Way) -> None:
    """A layer's refusal after an effect is stored with its type, and replayed byte for byte."""

    @middleware(after=["idempotency"])
    def effect_then_gone(request: Request) -> Layer:
        yield
        with database.write() as tx:
            tx.stage("topic", b"payload")
        yield Response.of(GONE)

    layers = [errors(), idempotency(database), effect_then_gone]
    asked = Asked("POST", {"idempotency-key": "k-1"})
    first, second = way.ask(layers, asked), way.ask(layers, asked)
    assert (second.status, second.body) == (first.status, first.body)
    assert json.loads(second.body)["type"] == "/problems/media.gone"
    assert dict(second.headers)["idempotency-replayed"] == "true"


def test_an_error_that_is_kept_has_its_type_too(database: DatabaseManager, way: Way) -> None:
    """Of an error after an effect the type is stored and replayed as well."""

    @middleware(after=["idempotency"])
    def effect_then_error(request: Request) -> Layer:
        yield
        with database.write() as tx:
            tx.stage("topic", b"payload")
        raise UniqueViolation("secret")

    layers = [errors(), idempotency(database), effect_then_error]
    asked = Asked("POST", {"idempotency-key": "k-1"})
    first, second = way.ask(layers, asked), way.ask(layers, asked)
    assert (second.status, second.body) == (first.status, first.body)
    assert json.loads(second.body)["type"] == "/problems/data.unique"

"""The core middleware, each for itself and all together."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.contextvars import get_contextvars

from postrmagic_core._problem import Problem
from postrmagic_core.errors import BackendUnavailable, BodyTooLarge, UniqueViolation, ValidationFailed
from postrmagic_core.log import get_logger
from postrmagic_core.middleware import Layer, Pipeline, Request, Response
from postrmagic_core.middleware.access_log import access_log, shown_query
from postrmagic_core.middleware.authentication import authentication
from postrmagic_core.middleware.body_limit import body_limit
from postrmagic_core.middleware.csrf import csrf
from postrmagic_core.middleware.errors import errors
from postrmagic_core.middleware.order import middleware
from postrmagic_core.middleware.request_id import request_id
from postrmagic_core.middleware.security_headers import security_headers
from postrmagic_core.middleware.trace_context import trace_context
from postrmagic_core.middleware.trusted_proxies import trusted_proxies
from postrmagic_core.testing.clock import FakeClock

CANARY = "c4n4ry-Xy7"


class User:
    """An identity."""

    id = "ann"
    roles: frozenset[str] = frozenset()
    scopes = None


class TestRequestId:
    """Each request has a name that is safe to write down."""

    @pytest.mark.parametrize("given", [b"a", b"A-b_c.9", b"x" * 64])
    def test_a_well_formed_one_is_kept(self, given: bytes, call: Any, answer: Any) -> None:
        """What a proxy named stays named so."""
        outcome = call(Pipeline([request_id()]).asgi(answer()), headers=[(b"x-request-id", given)])
        assert outcome.header("x-request-id") == given.decode()

    @pytest.mark.parametrize("given", [b"", b"x" * 65, b"a b", b"a\nb", b"<script>", "é".encode(), b"a\n"])
    def test_any_other_is_replaced(self, given: bytes, call: Any, answer: Any) -> None:
        """What could harm a log or a header is not repeated."""
        outcome = call(Pipeline([request_id()]).asgi(answer()), headers=[(b"x-request-id", given)])
        assert UUID(outcome.header("x-request-id")).version == 7

    def test_every_record_of_the_request_carries_it(self, call: Any, answer: Any, records: Any) -> None:
        """The application's and third parties' records too, and none after the request."""

        async def app(scope: Any, receive: Any, send: Any) -> None:
            logging.getLogger("third.party").warning("inside")
            assert scope["state"]["request_id"] == "r-1"
            await answer()(scope, receive, send)

        call(Pipeline([request_id()]).asgi(app), headers=[(b"x-request-id", b"r-1")])
        get_logger("x").warning("outside")
        assert records.named("inside")[0]["request_id"] == "r-1"
        assert "request_id" not in records.named("outside")[0]

    def test_it_stands_inside_of_trusted_proxies(self) -> None:
        """What names the client comes first."""
        assert Pipeline([trusted_proxies(["10.0.0.0/8"]), request_id()]).names == ["trusted_proxies", "request_id"]


class TestAccessLog:
    """One record per request."""

    def test_it_tells_what_was_asked_and_answered(self, call: Any, records: Any) -> None:
        """Method, path, status, bytes and milliseconds, after the last byte."""
        clock = FakeClock()

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": 201, "headers": []})
            await send({"type": "http.response.body", "body": b"12345", "more_body": True})
            assert not records.named("request")
            clock.sleep(0.0125)
            await send({"type": "http.response.body", "body": b"67"})

        layers = [request_id(), access_log(clock)]
        call(Pipeline(layers).asgi(app), method="PUT", path="/x", client=("192.0.2.1", 1), headers=[])
        (record,) = records.named("request")
        wanted = {"method": "PUT", "path": "/x", "status": 201, "bytes": 7, "duration_ms": 12.5, "client": "192.0.2.1"}
        assert {name: record[name] for name in wanted} == wanted
        assert UUID(record["request_id"]).version == 7

    def test_it_tells_who_asked_and_in_which_trace(self, call: Any, answer: Any, records: Any) -> None:
        """The client behind the proxy, trace and user, although the layer that knew the user has ended by then."""
        layers = [trusted_proxies(["10.0.0.0/8"]), request_id(), trace_context(), access_log(), errors()]
        parent = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
        headers = [(b"x-forwarded-for", b"6.6.6.6, 203.0.113.9"), (b"traceparent", parent)]
        app = Pipeline([*layers, authentication(lambda request: User())]).asgi(answer())
        call(app, headers=headers, client=("10.0.0.1", 1))
        (record,) = records.named("request")
        wanted = {"client": "203.0.113.9", "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736", "user_id": "ann"}
        assert {name: record[name] for name in wanted} == wanted
        assert "user_id" not in get_contextvars()

    def test_it_needs_nobody_to_know_them(self, call: Any, answer: Any, records: Any) -> None:
        """Given neither, or an identity of another kind, the record is written without them."""

        def odd(request: Request) -> Any:
            request.state["identity"] = "ann"
            yield

        call(Pipeline([access_log(), odd]).asgi(answer()))
        assert not {"user_id", "trace_id", "span_id"} & records.named("request")[0].keys()

    def test_secrets_in_the_query_are_masked(self, call: Any, answer: Any, records: Any) -> None:
        """Values of secret names are never written, however the name is encoded."""
        query = f"page=2&token={CANARY}&api%5Fkey={CANARY}&x=https://u:{CANARY}@h/&pass%77ord={CANARY}"
        call(Pipeline([access_log()]).asgi(answer()), query_string=query.encode())
        assert CANARY not in records.text
        assert "page=2" in records.named("request")[0]["query"]

    def test_a_query_is_bounded(self) -> None:
        """A query too long or with too many parts is cut or left out."""
        assert len(shown_query("a=" + "b" * 5000 + "&c=d")) < 2100
        assert shown_query("&".join("a=1" for _ in range(200))) == "[unreadable]"

    def test_failures_have_a_status_too(self, call: Any, failing: Any, answer: Any, records: Any) -> None:
        """500 for an error nobody answered, the error's name for one after the head, 499 for who left."""
        app = Pipeline([access_log()])
        call(app.asgi(failing(ValueError(CANARY))))
        call(app.asgi(failing(ValueError(CANARY), late=True)))
        call(app.asgi(answer()), gone_after=0)

        async def giving_up(scope: Any, receive: Any, send: Any) -> None:
            await receive()

        call(app.asgi(giving_up), body=())
        shown = [(r["status"], r.get("error"), r.get("disconnected")) for r in records.named("request")]
        assert shown == [(500, None, False), (200, "ValueError", None), (200, "OSError", True), (499, None, True)]
        assert CANARY not in records.text


class TestErrors:
    """Exceptions become problem documents."""

    @pytest.mark.parametrize(
        ("error", "status", "code"),
        [
            (RuntimeError(f"password is {CANARY}"), 500, "internal"),
            (BackendUnavailable(CANARY), 503, "backend.unavailable"),
            (UniqueViolation(CANARY), 409, "data.unique"),
            (ExceptionGroup(CANARY, [ValueError(CANARY)]), 500, "internal"),
        ],
        ids=lambda value: type(value).__name__,
    )
    def test_the_client_learns_a_code_and_nothing_else(
        self, error: Exception, status: int, code: str, call: Any, failing: Any
    ) -> None:
        """RFC 9457: status and code, never the exception's text (ASVS 16.5.1)."""
        outcome = call(Pipeline([request_id(), errors()]).asgi(failing(error)), headers=[(b"x-request-id", b"r-1")])
        document = json.loads(outcome.body)
        assert (outcome.status, document["status"], document["code"]) == (status, status, code)
        assert document["request_id"] == "r-1"
        assert outcome.header("content-type") == "application/problem+json"
        assert CANARY.encode() not in outcome.body
        assert b"Traceback" not in outcome.body

    def test_invalid_input_is_told_field_by_field(self, call: Any, failing: Any, records: Any) -> None:
        """422 with JSON pointers; a client's mistake is no error of ours in the log."""
        error = ValidationFailed([{"pointer": "/name", "code": "missing", "message": "is required"}])
        outcome = call(Pipeline([errors()]).asgi(failing(error)))
        assert outcome.status == 422
        assert json.loads(outcome.body)["errors"] == error.errors
        assert records.named("request refused")[0]["level"] == "info"
        assert not records.named("request failed")

    def test_it_is_logged_once_with_a_fingerprint(self, call: Any, failing: Any, records: Any) -> None:
        """The same error at the same place has one fingerprint whatever its message, another place another."""
        app, other = failing(ValueError("first")), failing(KeyError("k"))
        pipeline = Pipeline([errors()])
        call(pipeline.asgi(app))
        call(pipeline.asgi(failing(ValueError("second"))))
        call(pipeline.asgi(other))
        logged = records.named("request failed")
        assert len(logged) == 3
        first, second, third = (record["fingerprint"] for record in logged)
        assert first == second != third
        assert logged[0]["exception"]["type"] == "ValueError"
        assert logged[0]["level"] == "error"

    def test_after_the_head_it_can_only_be_logged(self, call: Any, failing: Any, records: Any) -> None:
        """The status has left; the error is in the log and reaches the server."""
        outcome = call(Pipeline([errors()]).asgi(failing(ValueError(), late=True)))
        assert isinstance(outcome.error, ValueError)
        assert len(records.named("request failed")) == 1

    def test_a_client_that_left_is_no_error(self, call: Any, records: Any) -> None:
        """What fails because nobody waits any more is not logged as a failure."""

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await receive()
            raise RuntimeError("client disconnected")

        outcome = call(Pipeline([errors()]).asgi(app), body=())
        assert outcome.error is None
        assert not records.named("request failed")


class TestBodyLimit:
    """A body larger than allowed is refused."""

    @pytest.mark.parametrize(("sizes", "status"), [((10,), 200), ((5, 5), 200), ((11,), 413), ((5, 5, 1), 413)])
    def test_it_counts_what_arrives(self, sizes: tuple[int, ...], status: int, call: Any, answer: Any) -> None:
        """Given a Content-Length that lies, the stream decides."""
        outcome = call(
            Pipeline([errors(), body_limit(10)]).asgi(answer()),
            method="POST",
            headers=[(b"content-length", b"1")],
            body=tuple(b"x" * size for size in sizes),
        )
        assert outcome.status == status
        assert outcome.error is None

    def test_a_larger_announcement_is_refused_unread(self, call: Any) -> None:
        """Given an honest Content-Length beyond the limit, nothing is read; an unreadable one is ignored."""
        app = Pipeline([body_limit(10)])
        never = app.asgi(lambda *_: pytest.fail("called"))
        assert call(never, headers=[(b"content-length", b"11")]).status == 413
        assert call(never, headers=[(b"content-length", b"9" * 5000)]).status == 413

    @pytest.mark.parametrize("reaction", ["answer", "answer and raise", "other error"])
    def test_the_application_cannot_talk_it_away(self, reaction: str, call: Any) -> None:
        """Whatever the application makes of the error, the client is told 413, and the server sees no failure."""

        async def app(scope: Any, receive: Any, send: Any) -> None:
            try:
                await receive()
            except BodyTooLarge as error:
                if reaction == "other error":
                    raise RuntimeError("cannot parse") from error
                await send({"type": "http.response.start", "status": 500, "headers": []})
                await send({"type": "http.response.body", "body": b"oops"})
                if reaction == "answer and raise":
                    raise

        outcome = call(Pipeline([body_limit(1)]).asgi(app), body=(b"xx",))
        assert (outcome.status, json.loads(outcome.body)["code"]) == (413, "data.too_large")
        assert outcome.error is None

    def test_other_errors_pass(self, call: Any, failing: Any) -> None:
        """Within the limit nothing is caught."""
        assert isinstance(call(Pipeline([body_limit(10)]).asgi(failing(ValueError()))).error, ValueError)

    def test_a_negative_limit_is_refused(self) -> None:
        """A limit is a number of bytes."""
        with pytest.raises(ValueError, match="expected a number of bytes"):
            body_limit(-1)


TOKEN = st.text(st.characters(min_codepoint=1, max_codepoint=255), max_size=40)
NAMES = st.sampled_from(
    ["cookie", "origin", "host", "sec-fetch-site", "content-length", "x-request-id", "vary", "x-odd", "content-type"]
)


@settings(deadline=None)
@given(
    headers=st.lists(st.tuples(NAMES, TOKEN | st.binary(max_size=40)), max_size=8),
    query=st.binary(max_size=200),
    path=st.text(max_size=40),
    method=st.sampled_from(["GET", "POST", "DELETE", "HEAD", "ODD"]),
    client=st.none() | st.tuples(st.text(max_size=20), st.integers()),
)
def test_no_request_makes_it_fail(
    headers: list[tuple[str, Any]], query: bytes, path: str, method: str, client: Any
) -> None:
    """Whatever headers, cookies and query a request has, the core middleware answers 200, 403 or 413, never 500."""
    import asyncio

    sent: list[Any] = []

    def reading(request: Request) -> Any:
        assert isinstance(request.cookies, dict)
        yield

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    layers = [request_id(), access_log(), security_headers(), errors(), body_limit(1000), csrf(), reading]
    raw = [(name.encode(), value if isinstance(value, bytes) else value.encode("latin-1")) for name, value in headers]
    scope = {"type": "http", "method": method, "path": path, "query_string": query, "headers": raw, "client": client}
    asyncio.run(Pipeline(layers).asgi(app)(scope, receive, send))
    assert sent[0]["status"] in {200, 403, 413}
    (name,) = [value for key, value in sent[0]["headers"] if key == b"x-request-id"]
    assert re.fullmatch(rb"[A-Za-z0-9._-]{1,64}", name)


def test_a_header_cannot_be_split() -> None:
    """A line break in a header's name or value is refused where it is set (RFC 9110, section 5.5)."""
    for name, value in (("x", "a\r\nset-cookie: b"), ("x\n", "a"), ("x", "a\0")):
        with pytest.raises(ValueError, match="CR, LF or NUL"):
            Response(200, headers={name: value})


@pytest.mark.parametrize(("answers", "status"), [(True, 429), (False, 101)])
def test_a_websocket_is_one_record(answers: bool, status: int, records: Any) -> None:
    """With its id: when it was refused, by a layer's own code, or has ended."""

    @middleware(name="refusing", scopes=["websocket"])
    def refusing(request: Request) -> Layer:
        if answers:
            yield Response.of(Problem(429, "rate_limited"))

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": "hello"})

    async def nothing(*_: Any) -> Any:
        return {"type": "websocket.disconnect"}

    scope = {"type": "websocket", "path": "/live", "headers": [], "query_string": b"", "scheme": "wss"}
    asyncio.run(Pipeline([request_id(), access_log(), refusing]).asgi(app)(scope, nothing, nothing))
    (record,) = records.named("request")
    code = "rate_limited" if answers else None
    assert (record["path"], record["status"], record.get("code")) == ("/live", status, code)
    assert record["request_id"]

"""A request as a span: its name, what it says and does not say, and the caller's trace."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from opentelemetry.trace import SpanKind, StatusCode

from postrmagic_core.errors import ValidationFailed
from postrmagic_core.integrations._parts import Route, name_route
from postrmagic_core.middleware import Pipeline, Request, Response
from postrmagic_core.middleware.access_log import access_log
from postrmagic_core.middleware.errors import errors
from postrmagic_core.middleware.interface import Layer
from postrmagic_core.middleware.request_id import request_id
from postrmagic_core.middleware.trace_context import trace_context
from postrmagic_core.observability.traces import Tracing

from .conftest import Kept

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
CANARY = "c4n4ry-Xy7"


def serve(error: Exception | None = None, *, status: int = 200, layers: Any = (), **scope: Any) -> dict[str, Any]:
    """What the application is told, once one request has ended."""
    seen: dict[str, Any] = {}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.update(scope["state"])
        name_route(Route("/media/{id}"))
        if error is not None:
            raise error
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b"x"})

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        seen.setdefault("sent", message.get("status"))

    whole = {"type": "http", "method": "GET", "path": "/media/7", "query_string": b"", "headers": [], "scheme": "http"}
    wrapped = Pipeline([request_id(), trace_context(), access_log(), *layers]).asgi(app)
    asyncio.run(wrapped({**whole, **scope}, receive, send))
    return seen


class TestSpan:
    """By the conventions for HTTP."""

    def test_it_is_named_by_its_route(self, kept: Kept) -> None:
        """Method and route, path and status; the request's id; no query, header or cookie."""
        headers = [(b"cookie", CANARY.encode()), (b"x-request-id", b"r-1"), (b"user-agent", CANARY.encode())]
        serve(headers=headers, query_string=f"token={CANARY}".encode())
        (span,) = kept.all
        assert (span.name, span.kind) == ("GET /media/{id}", SpanKind.SERVER)
        assert dict(span.attributes or {}) == {
            "http.request.method": "GET",
            "http.response.status_code": 200,
            "http.route": "/media/{id}",
            "postrmagic.request_id": "r-1",
            "url.path": "/media/7",
            "url.scheme": "http",
        }
        assert span.status.status_code is StatusCode.UNSET
        assert CANARY not in span.to_json()

    def test_a_client_s_own_words_are_no_names(self, kept: Kept) -> None:
        """Of methods nobody knows and of secrets in a path nothing is kept."""

        def early(request: Request) -> Layer:
            yield Response(404)

        serve(method=CANARY, path=f"/x?password={CANARY}", layers=[early])
        (span,) = kept.all
        assert span.name == "HTTP"
        assert kept.attributes("HTTP")["http.request.method"] == "_OTHER"
        assert CANARY not in span.to_json()

    @pytest.mark.parametrize(("status", "failed"), [(200, None), (404, None), (500, "500"), (503, "503")])
    def test_a_server_s_fault_is_an_error(self, status: int, failed: str | None, kept: Kept) -> None:
        """A client's is none."""
        serve(status=status)
        told = kept.attributes("GET /media/{id}")
        assert told["http.response.status_code"] == status
        assert told.get("error.type") == failed
        assert kept.one("GET /media/{id}").status.is_ok == (failed is None)

    def test_an_exception_is_told_by_its_type(self, kept: Kept) -> None:
        """One that nobody answers; and of one that was answered as a client's fault nothing."""
        with pytest.raises(KeyError):
            serve(KeyError(CANARY))
        serve(ValidationFailed([{"pointer": "/n", "code": "missing", "message": CANARY}]), layers=[errors()])
        failed, refused = kept.all
        assert (failed.attributes or {})["error.type"] == "KeyError"
        assert "error.type" not in (refused.attributes or {})
        assert CANARY not in failed.to_json() + refused.to_json()


class TestTrace:
    """The caller's is continued, and what the request is told of it is its span."""

    @pytest.mark.parametrize(("flags", "recorded"), [("00", False), ("01", True), ("03", True)])
    def test_the_caller_decides(self, flags: str, recorded: bool, kept: Kept) -> None:
        """Trace, flags and state of the caller; a span of our own, recorded if the caller records."""
        parent = [(b"traceparent", f"00-{TRACE}-{SPAN}-{flags}".encode()), (b"tracestate", b"a=1")]
        told = serve(headers=parent)
        assert told["trace_id"] == TRACE
        assert told["span_id"] != SPAN
        assert told["traceparent"] == f"00-{TRACE}-{told['span_id']}-{flags}"
        assert told["tracestate"] == "a=1"
        assert [f"{each.context.span_id:016x}" for each in kept.all if each.context] == [told["span_id"]] * recorded
        if recorded:
            (span,) = kept.all
            assert span.parent is not None
            assert (span.parent.span_id, span.parent.is_remote) == (int(SPAN, 16), True)

    @pytest.mark.parametrize("parent", ["", f"00-{TRACE}-{'0' * 16}-01", f"ff-{TRACE}-{SPAN}-01"])
    def test_a_malformed_one_is_not(self, parent: str, kept: Kept) -> None:
        """It begins a trace, as where nobody records."""
        told = serve(headers=[(b"traceparent", parent.encode()), (b"tracestate", b"a=1")])
        assert told["trace_id"] != TRACE
        assert "tracestate" not in told
        assert kept.one("GET /media/{id}").parent is None

    def test_records_name_it(self, kept: Kept, records: Any) -> None:
        """The access log's record has the ids of the request's span."""
        told = serve()
        (record,) = records.named("request")
        assert (record["trace_id"], record["span_id"]) == (told["trace_id"], told["span_id"])
        (span,) = kept.all
        assert span.context is not None
        assert record["span_id"] == f"{span.context.span_id:016x}"

    def test_a_share_of_none_records_none_and_names_all(self, records: Any) -> None:
        """Requests have ids all the same."""
        kept = Kept()
        with Tracing("media", endpoint="http://127.0.0.1:9/v1/traces", share=0.0):
            told = serve()
        assert told["traceparent"].endswith("-00") or told["traceparent"].endswith("-02")
        assert records.named("request")[0]["trace_id"] == told["trace_id"]
        assert kept.all == []

    def test_a_span_around_the_pipeline_is_the_request_s(self, kept: Kept) -> None:
        """Given an instrumentation of the application's own, no second span is made."""
        with kept.provider.get_tracer("theirs").start_as_current_span("outer") as outer:
            told = serve()
        assert told["span_id"] == f"{outer.get_span_context().span_id:016x}"
        assert kept.names == ["outer"]

"""A request belongs to one trace, across services, log records and jobs (W3C Trace Context)."""

from __future__ import annotations

import asyncio
import re
import sys
import types
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, TraceState, use_span

from postrmagic_core.log import carried, get_logger
from postrmagic_core.middleware import Pipeline
from postrmagic_core.middleware.access_log import access_log
from postrmagic_core.middleware.request_id import request_id
from postrmagic_core.middleware.trace_context import kept_state, trace_context

from .conftest import _exchange

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01"
WELL_FORMED = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-0[0-3]")


def told(call: Any, *parents: str, **headers: str) -> dict[str, Any]:
    """What the application is told of its trace, for a request with these headers."""
    found: dict[str, Any] = {}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        found.update(scope["state"], carried=carried())
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body"})

    lines = [(b"traceparent", parent.encode("latin-1")) for parent in parents]
    lines += [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    found["answer"] = call(Pipeline([trace_context()]).asgi(app), headers=lines)
    assert found["answer"].error is None
    assert WELL_FORMED.fullmatch(found["traceparent"])
    return found


class TestParent:
    """A caller's trace is continued if it is told as the specification says."""

    @pytest.mark.parametrize(
        ("parent", "flags"),
        [
            (PARENT, "01"),
            (f"00-{TRACE}-{SPAN}-00", "00"),
            (f"00-{TRACE}-{SPAN}-03", "03"),
            (f"00-{TRACE}-{SPAN}-ff", "03"),
            (f"01-{TRACE}-{SPAN}-01", "01"),
            (f"cc-{TRACE}-{SPAN}-01-what-the-future-will-be-like", "01"),
            (f"cc-{TRACE}-{SPAN}-01-", "01"),
        ],
    )
    def test_it_goes_on_under_a_span_of_its_own(self, parent: str, flags: str, call: Any) -> None:
        """The same trace, another span, only flags that are known; of later versions what is known of them."""
        found = told(call, parent)
        assert found["trace_id"] == TRACE
        assert found["span_id"] != SPAN
        assert found["traceparent"] == f"00-{TRACE}-{found['span_id']}-{flags}"

    @pytest.mark.parametrize(
        "parent",
        [
            "", "00", PARENT.upper(), f"{PARENT}-more", f"{PARENT}-", f" {PARENT}", f"{PARENT}\n", f"{PARENT} ",
            f"ff-{TRACE}-{SPAN}-01", f"00-{'0' * 32}-{SPAN}-01", f"00-{TRACE}-{'0' * 16}-01",
            f"00-{TRACE[1:]}-{SPAN}-01",
            f"00-{TRACE}0-{SPAN}-01", f"00-{TRACE}-{SPAN}-1", f"00-{TRACE}-{SPAN}-0g", f"00_{TRACE}_{SPAN}_01",
            f"0-{TRACE}-{SPAN}-01", f"cc-{TRACE}-{SPAN}-01.more", f"cc-{TRACE}-{SPAN}-01-a\nb", f"{PARENT},{PARENT}",
            "\u0660\u0660" + PARENT[2:],
        ],
    )  # fmt: skip
    def test_anything_else_begins_a_new_one(self, parent: str, call: Any) -> None:
        """What is malformed is not repaired, and what came with it is not kept."""
        raw = parent.encode().decode("latin-1")
        found = told(call, raw, tracestate="a=1")
        assert found["trace_id"] not in {TRACE, "0" * 32}
        assert "tracestate" not in found
        assert found["traceparent"].endswith("-03")

    def test_two_parents_are_none(self, call: Any) -> None:
        """Nobody knows which of them is true."""
        assert told(call, PARENT, PARENT)["trace_id"] != TRACE

    def test_each_request_has_its_own(self, call: Any) -> None:
        """Without a caller's trace each request begins one."""
        first, second = told(call), told(call)
        assert first["trace_id"] != second["trace_id"]
        assert first["span_id"] != second["span_id"]

    def test_the_client_is_told_nothing(self, call: Any) -> None:
        """A response header for it is a draft."""
        assert told(call, PARENT)["answer"].messages[0]["headers"] == []


class TestState:
    """``tracestate`` is passed on whole, cut or not at all."""

    @pytest.mark.parametrize(
        ("lines", "kept"),
        [
            ([], ""),
            (["rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"], "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"),
            (["a=1", "b=2"], "a=1,b=2"),
            ([" a=1 ,\t,b=2,"], "a=1,b=2"),
            (["1tenant@vendor=x y!"], "1tenant@vendor=x y!"),
            ([",".join(f"k{number}=1" for number in range(32))], ",".join(f"k{number}=1" for number in range(32))),
            ([",".join(f"k{number}=1" for number in range(33))], ""),
            (["a=1,a=2"], ""),
            (["A=1"], ""),
            (["a"], ""),
            (["a="], ""),
            (["a=1=2"], ""),
            (["a=é"], ""),
            (["a=1\n"], ""),
            (["k" * 257 + "=1"], ""),
            (["a=" + "x" * 257], ""),
            (["a=1," * 100_000], ""),
        ],
    )
    def test_a_malformed_one_is_dropped(self, lines: list[str], kept: str) -> None:
        """Keys, values, 32 members, none twice."""
        assert kept_state(lines) == kept

    def test_a_long_one_loses_long_members_first_then_the_last(self) -> None:
        """At most 512 characters: members over 128 go first, from the end; then others from the end."""
        long, short = "x" * 150, "y" * 90
        assert kept_state([f"a={long},b={short},c={long},d={short},e={short},f={short}"]) == (
            f"b={short},d={short},e={short},f={short}"
        )
        assert kept_state([",".join(f"k{number}={short}" for number in range(8))]) == (
            ",".join(f"k{number}={short}" for number in range(5))
        )

    def test_it_goes_on_with_the_trace(self, call: Any) -> None:
        """The application finds it beside ``traceparent``."""
        assert told(call, PARENT, tracestate="a=1")["tracestate"] == "a=1"


class TestContext:
    """Records and jobs carry it."""

    def test_records_and_jobs_carry_it(self, call: Any, answer: Any, records: Any) -> None:
        """Every record of the request, the access log's too; what a job takes along; nothing afterwards."""

        async def app(scope: Any, receive: Any, send: Any) -> None:
            get_logger("x").warning("inside")
            await answer()(scope, receive, send)

        layers = [request_id(), trace_context(), access_log()]
        call(Pipeline(layers).asgi(app), headers=[(b"traceparent", PARENT.encode())])
        get_logger("x").warning("outside")
        for event in ("inside", "request"):
            (record,) = records.named(event)
            assert record["trace_id"] == TRACE
            assert re.fullmatch("[0-9a-f]{16}", record["span_id"])
        assert "trace_id" not in records.named("outside")[0]
        found = told(call, PARENT)
        assert found["carried"] == {"trace_id": TRACE, "span_id": found["span_id"]}

    def test_it_is_dropped_in_the_end(self, failing: Any, answer: Any) -> None:
        """Given a server that serves many requests in one task, the next one's context is clean, after failures too."""

        async def serve() -> Any:
            for app in (answer(), failing(ValueError())):
                await _exchange(Pipeline([trace_context()]).asgi(app))
            return carried()

        assert asyncio.run(serve()) == {}


class TestOpenTelemetry:
    """Where spans are made, they are told."""

    def test_a_span_around_the_pipeline_is_the_one_told(self, call: Any) -> None:
        """Given a current span, its ids stand in the records, and other services are sent them."""
        state = TraceState([("a", "1")])
        span = SpanContext(int(TRACE, 16), int(SPAN, 16), is_remote=False, trace_flags=TraceFlags(1), trace_state=state)
        with use_span(NonRecordingSpan(span)):
            found = told(call, f"00-{'a' * 32}-{'b' * 16}-01")
        assert (found["traceparent"], found["tracestate"]) == (PARENT, "a=1")
        assert found["carried"] == {"trace_id": TRACE, "span_id": SPAN}

    def test_no_span_changes_nothing(self, call: Any) -> None:
        """Given the API without a current span, the caller's trace goes on."""
        assert not trace.get_current_span().get_span_context().is_valid
        assert told(call, PARENT)["trace_id"] == TRACE

    @pytest.mark.parametrize("module", [None, types.ModuleType("opentelemetry.trace")])
    def test_without_it_nothing_is_imported(self, module: Any, call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        """Given that nobody has imported it, or only half, nobody does."""
        monkeypatch.setitem(sys.modules, "opentelemetry.trace", module)
        assert told(call, PARENT)["trace_id"] == TRACE


@settings(deadline=None)
@given(parents=st.lists(st.text(st.characters(max_codepoint=255), max_size=80), max_size=3), state=st.text(max_size=50))
def test_whatever_comes_there_is_one_trace(parents: list[str], state: str) -> None:
    """Whatever a caller sends, the request has well-formed ids and does not fail."""

    def call(app: Any, **scope: Any) -> Any:
        return asyncio.run(_exchange(app, **scope))

    found = told(call, *parents, tracestate=state.encode().decode("latin-1"))
    assert found["trace_id"] in found["traceparent"]

"""Spans as they are made: who is whose parent, what logs and jobs are told of it, and what may go wrong."""

from __future__ import annotations

import contextvars
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import get_current_span

from postrmagic_core._spans import carried, span, spans
from postrmagic_core.errors import AlreadyDone, NotOpen
from postrmagic_core.log import bind, get_logger
from postrmagic_core.log import carried as logged
from postrmagic_core.observability.traces import Tracing

from .conftest import Kept

AWAY = "http://127.0.0.1:9/v1/traces"
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TOLD = {"trace_id": TRACE, "span_id": SPAN, "trace_flags": "01"}


class TestCurrent:
    """The current span is the parent of the next, and what log records name."""

    def test_records_carry_the_ids_of_the_current_span(self, kept: Kept, records: Any) -> None:
        """Inside a span its own, inside the next that one's, then the first's again, and none in the end."""
        log = get_logger("x")
        with span("outer", "producer", {}):
            log.info("in outer")
            with span("inner", "internal", {}):
                log.info("in inner")
            log.info("in outer")
        log.info("outside")
        outer, inner = kept.one("outer").context, kept.one("inner").context
        assert outer is not None
        assert inner is not None
        assert [record.get("span_id") for record in records.all] == [
            *(f"{each.span_id:016x}" for each in (outer, inner, outer)),
            None,
        ]
        assert {record.get("trace_id") for record in records.all} == {f"{outer.trace_id:032x}", None}
        assert kept.path(kept.one("inner")) == ["inner", "outer"]

    def test_what_was_bound_before_comes_back(self, kept: Kept) -> None:
        """Given ids of somebody else's in the log context, they are there again after a span of ours."""
        with bind(trace_id="theirs"):
            with span("own", "producer", {}):
                assert logged()["trace_id"] != "theirs"
            assert logged() == {"trace_id": "theirs"}
        assert logged() == {}

    def test_a_span_of_the_application_is_a_parent(self, kept: Kept) -> None:
        """Spans that the application makes with OpenTelemetry and ours stand in one another."""
        tracer = kept.provider.get_tracer("application")
        with span("ours", "producer", {}), tracer.start_as_current_span("theirs"), span("inner", "internal", {}):
            pass
        assert kept.path(kept.one("inner")) == ["inner", "theirs", "ours"]

    @pytest.mark.parametrize("kind", ["client", "internal"])
    def test_what_nobody_asked_for_begins_no_trace(self, kept: Kept, kind: Any) -> None:
        """A relay's look and a worker's sweep are no traces."""
        with span("sweep", kind, {}):
            assert carried() == {}
        assert kept.all == []

    def test_a_span_may_end_in_another_context(self, kept: Kept) -> None:
        """As where a server closes a generator: what is current there stays as it is."""
        begun = span("left", "producer", {})
        contextvars.copy_context().run(begun.__enter__)
        with span("other", "producer", {}):
            mine = carried()
            begun.__exit__(None, None, None)
            assert carried() == mine
        assert kept.names == ["left", "other"]


class TestCarried:
    """What a job takes along is its span's parent, if it is well-formed."""

    def test_it_comes_back_as_the_parent(self, kept: Kept) -> None:
        """Trace, span, flags and state; each time it is tried."""
        with span("sent", "producer", {}, TOLD | {"tracestate": "a=1"}):
            taken = carried()
        for _ in range(2):
            with span("run", "consumer", {}, taken):
                assert carried()["tracestate"] == "a=1"
        sent = kept.one("sent")
        assert sent.parent is not None
        assert sent.parent.span_id == int(SPAN, 16)
        runs = [each for each in kept.all if each.name == "run"]
        assert [each.parent.span_id if each.parent else 0 for each in runs] == [int(taken["span_id"], 16)] * 2
        assert taken["trace_id"] == TRACE

    @pytest.mark.parametrize(
        "told",
        [
            {},
            {"trace_id": TRACE},
            TOLD | {"trace_id": TRACE[1:]},
            TOLD | {"span_id": SPAN.upper()},
            TOLD | {"trace_id": "0" * 32},
            TOLD | {"span_id": "0" * 16},
            TOLD | {"span_id": f"{SPAN}\n"},
            TOLD | {"trace_id": "\u0661" * 32},
        ],
    )
    def test_what_is_malformed_begins_a_trace(self, told: dict[str, str], kept: Kept) -> None:
        """Rows of a queue may hold anything."""
        with span("run", "consumer", {}, told):
            assert carried()["trace_id"] != TRACE
        assert kept.one("run").parent is None

    @pytest.mark.parametrize(
        ("flags", "share", "recorded"),
        [("01", 0.0, True), ("00", 1.0, False), ("", 1.0, True), ("", 0.0, False), ("zz", 0.0, False)],
    )
    def test_who_sent_it_decides_whether_it_is_recorded(self, flags: str, share: float, recorded: bool) -> None:
        """What was sent by somebody who records nothing, and decided nothing, is decided by the share."""
        kept = Kept()
        told = {"trace_id": TRACE, "span_id": SPAN} | ({"trace_flags": flags} if flags else {})
        with Tracing("media", provider=kept.provider, share=share), span("run", "consumer", {}, told):
            assert carried()["trace_flags"] == f"0{int(recorded)}"
            with span("inside", "internal", {}), span("sent", "producer", {}):
                assert carried()["trace_id"] == TRACE
                assert carried()["trace_flags"] == f"0{int(recorded)}"
        assert kept.names == (["sent", "inside", "run"] if recorded else [])


class TestShare:
    """Of what begins here a share is recorded, whole: what is sent on says whether."""

    @pytest.mark.parametrize(("flags", "share", "recorded"), [("01", 0.0, True), ("00", 1.0, False)])
    def test_who_sent_it_decides(self, flags: str, share: float, recorded: bool) -> None:
        """Not the share, by the provider of one's own too."""
        told = TOLD | {"trace_flags": flags}
        with Tracing("media", endpoint=AWAY, share=share), span("run", "consumer", {}, told):
            assert get_current_span().is_recording() is recorded
            assert carried()["trace_flags"] == flags

    def test_what_begins_here_is_recorded_by_the_share(self) -> None:
        """Of two thousand about half; and the jobs of one that is not are not."""
        kept = 0
        with Tracing("media", endpoint=AWAY, share=0.5):
            for _ in range(2000):
                with span("run", "consumer", {}, {}):
                    recording, sent = get_current_span().is_recording(), carried()
                kept += recording
                with span("run", "consumer", {}, sent):
                    assert get_current_span().is_recording() is recording
        assert 800 < kept < 1200


class TestErrors:
    """A span that fails says of what type, and nothing of the text."""

    def test_its_type_and_code(self, kept: Kept) -> None:
        """The text may hold anything, as a driver's does."""
        with pytest.raises(ValueError, match="c4n4ry"), span("a", "producer", {}):
            raise ValueError("password=c4n4ry")
        with pytest.raises(NotOpen), span("b", "producer", {}):
            raise NotOpen("c4n4ry")
        assert kept.attributes("a") == {"error.type": "ValueError"}
        assert kept.attributes("b") == {
            "error.type": "postrmagic_core.errors.NotOpen",
            "postrmagic.error_code": "usage.not_open",
        }
        for each in kept.all:
            assert not each.status.is_ok
            assert "c4n4ry" not in each.to_json()

    def test_done_already_is_no_failure(self, kept: Kept) -> None:
        """A second delivery of what is committed is a success."""
        with pytest.raises(AlreadyDone), span("run", "consumer", {}):
            raise AlreadyDone("before")
        assert kept.attributes("run") == {}

    def test_an_error_that_was_answered_is_told_by_who_answered_it(self, kept: Kept) -> None:
        """``fail`` names the type, which a mere status does not take the place of."""
        assert spans.recorder is not None
        begun = spans.recorder.begin("request", "server", {}, {})
        spans.recorder.fail(KeyError("c4n4ry"))
        spans.recorder.end(begun, "500")
        assert kept.attributes("request") == {"error.type": "KeyError"}

    def test_a_provider_that_fails_breaks_nothing(self) -> None:
        """Given a provider of the application's that raises, what it should have recorded goes on."""

        class Broken(TracerProvider):
            def get_tracer(self, *args: Any, **kwargs: Any) -> Any:
                return self

            def start_span(self, *args: Any, **kwargs: Any) -> Any:
                raise RuntimeError("c4n4ry")

        with Tracing("media", provider=Broken(shutdown_on_exit=False)), span("a", "producer", {}):
            assert carried() == {}

    def test_a_provider_that_makes_none_is_borne(self) -> None:
        """OpenTelemetry turned off gives spans without ids: they are nobody's parent, and in no record."""
        with Tracing("media", provider=trace.NoOpTracerProvider()), span("a", "producer", {}):
            assert carried() == logged() == {}

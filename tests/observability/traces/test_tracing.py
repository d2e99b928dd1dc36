"""Who records, and the way of spans to a receiver: one that is away, silent, slow, in a forked child."""

from __future__ import annotations

import logging
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, get_value  # as in shipping.py: it has no other name
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace.export import SpanExportResult

from postrmagic_core._metrics import Metrics
from postrmagic_core._spans import span, spans
from postrmagic_core.errors import ConfigurationError, MissingExtra
from postrmagic_core.observability.traces import Tracing, manager, shipping
from postrmagic_core.testing import until

from .conftest import Kept, Tap, free_port

THEIRS = "opentelemetry.exporter.otlp.proto.http.trace_exporter"


def record(name: str) -> None:
    """A trace of one span."""
    with span(name, "producer", {}):
        pass


def counts(metrics: Metrics) -> dict[str, int]:
    """Its counters by name."""
    return {name: value for name, _, value in metrics.counters()}


class TestWho:
    """Of several in one process the first one records, until it closes."""

    def test_the_first_one_records(self) -> None:
        """Then the next, then nobody; one that is opened again comes last."""
        one, two = Kept(), Kept()
        first, second = Tracing("a", provider=one.provider), Tracing("b", provider=two.provider)
        with second:
            pass
        with first:
            second.open()
            record("x")
            first.close()
            record("y")
            first.open()
            record("z")
            second.close()
            record("v")
        record("w")
        assert (one.names, two.names) == (["x", "v"], ["y", "z"])
        assert spans.recorder is None

    def test_the_application_s_provider_is_used(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where it has set OpenTelemetry's global one; it is not closed, and none is set where there is none."""
        kept = Kept()
        monkeypatch.setattr(trace, "_TRACER_PROVIDER", kept.provider)
        with Tracing("media"):
            record("x")
        kept.provider.get_tracer("theirs").start_span("later").end()
        assert kept.names == ["x", "later"]
        monkeypatch.setattr(trace, "_TRACER_PROVIDER", None)
        with Tracing("media", endpoint="http://127.0.0.1:9/v1/traces"):
            assert trace._TRACER_PROVIDER is None

    @pytest.mark.parametrize("endpoint", ["", "localhost:4318", "ftp://x/", "http://", "http://x:0", "http://x:99999/"])
    def test_an_endpoint_is_a_url(self, endpoint: str) -> None:
        """Said when it is made, without the text, which may hold a credential."""
        with pytest.raises(ConfigurationError, match="URL such as"):
            Tracing("media", endpoint=endpoint)

    def test_a_share_is_a_share(self) -> None:
        """0 to 1."""
        with pytest.raises(ConfigurationError, match=r"0 to 1, got 1\.5"):
            Tracing("media", share=1.5)

    def test_what_is_missing_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Given no OpenTelemetry, opening says what to install, and leaves nothing behind."""
        monkeypatch.delitem(sys.modules, "postrmagic_core.observability.traces.recorder", raising=False)
        monkeypatch.setitem(sys.modules, "opentelemetry.trace", None)
        with pytest.raises(MissingExtra, match=r"pip install 'postrmagic-core\[otel\]'"):
            Tracing("media").open()
        assert spans.recorder is None


@contextmanager
def stalled() -> Iterator[int]:
    """A port that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


class TestDelivery:
    """A thread of its own sends what has ended."""

    def test_it_names_the_process(self) -> None:
        """Service, release, an id of this process and its number."""
        shipment = shipping.Shipment("http://127.0.0.1:9/v1/traces", Metrics())
        found = dict(shipping.provider_of([shipment], "media", "1.4").resource.attributes)
        shipment.close(1.0)
        assert found["service.name"] == "media"
        assert found["service.version"] == "1.4"
        assert found["process.pid"] == os.getpid()
        assert len(str(found["service.instance.id"])) == 36

    def test_spans_arrive_before_it_closes(self, tap: Tap, monkeypatch: pytest.MonkeyPatch) -> None:
        """Every so many milliseconds, as OpenTelemetry's variable says."""
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
        metrics = Metrics()

        def arrived(count: int) -> bool:
            return len(tap.spans) == count

        with Tracing("media", endpoint=tap.url, metrics=metrics):
            for number in range(3):
                record(f"x{number}")
                until(partial(arrived, number + 1))
        assert counts(metrics) == {"traces_spans_total": 3, "traces_dropped_total": 0}

    def test_an_endpoint_that_is_away_costs_a_count_and_a_line(self, caplog: pytest.LogCaptureFixture) -> None:
        """The exporter's own lines stay back, of its thread only; it closes at once; a later one that works says so."""
        metrics = Metrics()
        with Tracing("media", endpoint=f"http://127.0.0.1:{free_port()}/v1/traces", metrics=metrics):
            began = time.monotonic()
            for _ in range(100):
                record("x")
            spent = time.monotonic() - began
            logging.getLogger(THEIRS).warning("another one's")
            began = time.monotonic()
        assert spent < 1
        assert time.monotonic() - began < manager._GRACE
        assert counts(metrics) == {"traces_spans_total": 100, "traces_dropped_total": 100}
        told = [each.getMessage() for each in caplog.records if each.levelno >= logging.WARNING]
        assert [text for text in told if "another one's" not in text] == [
            "spans cannot be delivered: they are dropped and counted until they can"
        ]
        assert "another one's" in told

    def test_it_says_when_they_arrive_again(
        self, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Once, as it said that they do not; and what sends them is nobody's to make spans of."""
        answers: list[SpanExportResult | Exception]
        answers = [SpanExportResult.FAILURE, RuntimeError("c4n4ry"), SpanExportResult.SUCCESS, SpanExportResult.SUCCESS]
        suppressed: list[object] = []

        def export(self: Any, batch: Any) -> SpanExportResult:
            suppressed.append(get_value(_SUPPRESS_INSTRUMENTATION_KEY))
            answer = answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer

        def asked(left: int) -> bool:
            return len(answers) == left

        monkeypatch.setattr(OTLPSpanExporter, "export", export)
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "10")
        caplog.set_level("INFO")
        metrics = Metrics()
        with Tracing("media", endpoint="http://127.0.0.1:9/v1/traces", metrics=metrics):
            for left in (3, 2, 1, 0):
                record("x")
                until(partial(asked, left))
        assert [each.getMessage().partition(":")[0] for each in caplog.records] == [
            "spans cannot be delivered",
            "spans are delivered again",
        ]
        assert counts(metrics) == {"traces_spans_total": 4, "traces_dropped_total": 2}
        assert suppressed == [True] * 4

    def test_a_silent_endpoint_holds_nobody_up(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """So many spans wait, further ones are dropped and counted; it closes within its time."""
        monkeypatch.setattr(manager, "_GRACE", 0.3)
        monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "10")
        metrics = Metrics()
        with stalled() as port:
            with Tracing("media", endpoint=f"http://127.0.0.1:{port}/v1/traces", metrics=metrics) as tracing:
                record("first")
                until(lambda: tracing._shipment is not None and not tracing._shipment._spans)
                for _ in range(30):
                    record("x")
                assert counts(metrics) == {"traces_spans_total": 31, "traces_dropped_total": 20}
                began = time.monotonic()
            assert time.monotonic() - began < 3
            # The one on its way is counted once the endpoint hangs up.
            assert counts(metrics)["traces_dropped_total"] == 30

    @pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
    def test_a_forked_child_records_as_itself(self, tap: Tap, leave: Callable[[int], None]) -> None:
        """It sends its own spans over a connection of its own, and none of the parent's; each arrives once."""
        with Tracing("media", endpoint=tap.url) as tracing:
            record("parent before")
            child = os.fork()
            if child == 0:
                try:
                    record("child")
                    tracing.close()
                finally:
                    os._exit(0)
            record("parent after")
            leave(child)
        found = until(lambda: sorted(each["name"] for each in tap.spans) if len(tap.spans) >= 3 else None)
        assert found == ["child", "parent after", "parent before"]


@pytest.fixture
def leave() -> Callable[[int], None]:
    """Wait for a child's end, which is a success."""

    def wait(child: int) -> None:
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0

    return wait

"""Spans among the log's records: whole, redacted, and nobody's burden where they cannot be written."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from postrmagic_core._metrics import Metrics
from postrmagic_core._spans import span
from postrmagic_core.log.spool import SpoolReader
from postrmagic_core.observability.traces import Tracing
from postrmagic_core.observability.traces.lines import SpanLines
from postrmagic_core.testing.waiting import until

CANARY = "canary-5f1c"


@pytest.fixture(autouse=True)
def nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody says where spans go besides."""
    for name in ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)


def test_spans_are_lines_of_the_spool(tmp_path: Path) -> None:
    """A span and the one in it are two records of one trace, with what they took; secrets are masked."""
    metrics, lines = Metrics(), SpanLines(tmp_path, 1 << 20)
    told = {"password": CANARY, "http.route": "/media"}
    with (
        Tracing("media", "1.2", metrics=metrics, keep=lines),
        span("upload", "server", told),
        span("scale", "internal", {}),
    ):
        pass
    lines.close()
    inner, outer = (json.loads(line) for line in SpoolReader(tmp_path, None).read().lines)
    assert (inner["name"], outer["name"]) == ("scale", "upload")
    assert inner["parent_id"] == outer["span_id"]
    assert inner["trace_id"] == outer["trace_id"]
    assert (outer["event"], outer["service"], outer["release"]) == ("span", "media", "1.2")
    assert outer["http.route"] == "/media"
    assert outer["duration_ms"] >= inner["duration_ms"] >= 0
    assert CANARY not in json.dumps(outer)
    assert metrics.counter("traces_dropped_total").value == 0


def test_what_cannot_be_kept_is_counted() -> None:
    """Given a disk that refuses, the application goes on and the spans count as dropped."""
    tried: list[int] = []

    def refused(events: Sequence[Mapping[str, Any]]) -> None:
        tried.append(len(events))
        raise OSError("no room")

    metrics = Metrics()
    with Tracing("media", metrics=metrics, keep=refused):
        with span("upload", "server", {}):
            pass
        until(lambda: metrics.counter("traces_dropped_total").value == 1)
    assert tried == [1]


def test_half_a_character_costs_no_span(tmp_path: Path) -> None:
    """It is told as U+FFFD, as in other records; what could drive a terminal is escaped, as there."""
    lines = SpanLines(tmp_path, 1 << 20)
    lines([{"event": "span", "name": "a\ud800\u202eb"}, {"event": "span", "name": "c"}])
    lines.close()
    first, second = SpoolReader(tmp_path, None).read().lines
    assert first.isascii()
    assert [json.loads(line)["name"] for line in (first, second)] == ["a\ufffd\u202eb", "c"]

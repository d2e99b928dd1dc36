"""The way of spans to where they are kept: gathered, sent by a thread of its own, dropped and counted where it fails.

As OpenTelemetry's own batch processor, by its variables (``OTEL_BSP_*``), but its thread starts with the first span, in
a forked child too; what is dropped is counted and told once; and it ends within the time it is given.
"""

from __future__ import annotations

import logging
import os
import threading
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

from opentelemetry.context import (
    _SUPPRESS_INSTRUMENTATION_KEY,  # has no public name, but every instrumentation asks for it
    attach,
    set_value,
)
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, ParentBased

from ..._errand import Errand
from ..._ids import uuid7_text
from ..._lifecycle import after_fork
from ..._metrics import Metrics

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

logger = logging.getLogger("postrmagic_core.observability")
_theirs = logging.getLogger("opentelemetry.exporter.otlp.proto.http.trace_exporter")

# Milliseconds between two deliveries, spans that may wait, spans of one delivery: OpenTelemetry's own figures.
_DELAY = ("OTEL_BSP_SCHEDULE_DELAY", 5000)
_BACKLOG = ("OTEL_BSP_MAX_QUEUE_SIZE", 2048)
_BATCH = ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", 512)
# Seconds that closing waits where a delivery is failing already.
_LITTLE_HOPE = 0.5


def provider_of(takers: Iterable[SpanProcessor], service: str, release: str) -> TracerProvider:
    """A provider of this process's own, whose spans ``takers`` take."""
    told: dict[str, str | int] = {
        "service.name": service,
        "service.instance.id": uuid7_text(),
        "process.pid": os.getpid(),
    }
    if release:
        told["service.version"] = release
    sampler = ParentBased(ALWAYS_ON)  # the recorder has decided what begins here
    provider = TracerProvider(sampler=sampler, resource=Resource.create(told), shutdown_on_exit=False)
    for taker in takers:
        provider.add_span_processor(taker)
    return provider


class Shipment(SpanProcessor):
    """Takes spans that have ended and sends them to ``endpoint``; never waits, and holds a bounded number of them."""

    def __init__(self, endpoint: str | None, metrics: Metrics) -> None:
        self._exporter = OTLPSpanExporter(endpoint)
        self._delay = _number(*_DELAY) / 1000
        self._backlog = _number(*_BACKLOG)
        self._batch = min(_number(*_BATCH), self._backlog)
        self._spans: deque[ReadableSpan] = deque()
        self._taken = metrics.counter("traces_spans_total")
        self._dropped = metrics.counter("traces_dropped_total")
        self._asked = False
        self._idle = True
        self._failing = False
        self._closed = False
        self._silence = _Silence()
        _theirs.addFilter(self._silence)
        self._errand = Errand("postrmagic-traces", self._work, logger)
        self._errand.open()
        after_fork(self._forget)

    def on_end(self, span: ReadableSpan) -> None:
        """Take it, or drop and count it."""
        if not (span.context and span.context.trace_flags.sampled):
            return
        self._taken.add()
        if self._closed or len(self._spans) >= self._backlog:
            self._dropped.add()
            return
        self._spans.append(span)
        if (self._idle or len(self._spans) >= self._batch) and not self._asked:
            self._asked = True
            self._errand.ask()

    def shutdown(self) -> None:
        """Nothing: who made it closes it."""

    def close(self, grace: float) -> None:
        """Send what there is within ``grace`` seconds; the rest is dropped and counted."""
        if self._spans:
            self._errand.ask()
        # Aside, since a silent endpoint takes longer than anybody should wait.
        ending = threading.Thread(target=self._errand.close, name="postrmagic-traces-end", daemon=True)
        ending.start()
        ending.join(min(grace, _LITTLE_HOPE))
        if not (self._failing or self._silence.broken):
            ending.join(max(grace - _LITTLE_HOPE, 0))
        self._closed = True
        # A try that waits for the next one is over.
        self._exporter.shutdown()  # type: ignore[no-untyped-call]  # the SDK leaves its return type out
        ending.join(_LITTLE_HOPE)
        self._dropped.add(len(self._spans))
        self._spans.clear()
        _theirs.removeFilter(self._silence)

    def _work(self) -> float | None:
        self._asked, self._idle = False, False
        # Nobody's instrumentation of HTTP makes spans of this: they would have to be sent, too.
        attach(set_value(_SUPPRESS_INSTRUMENTATION_KEY, True))
        self._silence.begin()
        sent = False
        while not self._closed and (batch := self._gathered()):
            self._send(batch)
            sent = True
        if sent:
            return self._delay
        self._idle = True
        return self._delay if self._spans else None  # one that came meanwhile may not have asked

    def _gathered(self) -> list[ReadableSpan]:
        batch: list[ReadableSpan] = []
        self._silence.broken = False
        with suppress(IndexError):  # empty, or just emptied by who closes
            while len(batch) < self._batch:
                batch.append(self._spans.popleft())
        return batch

    def _send(self, spans: list[ReadableSpan]) -> None:
        try:
            delivered = self._exporter.export(spans) is SpanExportResult.SUCCESS
        except Exception as error:
            logger.debug("spans could not be sent", exc_info=error)
            delivered = False
        if not delivered:
            self._dropped.add(len(spans))
            if not self._failing:
                logger.warning("spans cannot be delivered: they are dropped and counted until they can")
        elif self._failing:
            logger.info("spans are delivered again")
        self._failing = not delivered

    def _forget(self) -> None:
        """In a forked child: this one is the parent's, down to its connection."""
        self._closed = True
        self._spans.clear()


class _Silence(logging.Filter):
    """Keeps back what the exporter tells of each try: the failure is told once, by whom it concerns.

    ``broken``: it has told of one.
    """

    broken = False

    def __init__(self) -> None:
        super().__init__()
        self._thread: int | None = None

    def begin(self) -> None:
        """From now on, of the calling thread."""
        self._thread = threading.get_ident()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record may pass."""
        if threading.get_ident() != self._thread:
            return True
        self.broken = True
        return False


def _number(variable: str, default: int) -> int:
    told = os.environ.get(variable, "")
    return int(told) if told.isascii() and told.isdigit() and int(told) else default

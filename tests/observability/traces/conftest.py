"""Spans kept in memory, and a receiver of spans that is not ours."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from postrmagic_core.observability.traces import Tracing
from postrmagic_core.testing import until
from tests.records import records  # noqa: F401 - pytest looks for fixtures here


class Kept:
    """The spans that have ended, of a provider like an application's."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self.provider = TracerProvider(shutdown_on_exit=False)
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))

    @property
    def all(self) -> list[ReadableSpan]:
        """In the order in which they ended."""
        return list(self._exporter.get_finished_spans())

    @property
    def names(self) -> list[str]:
        """Of all."""
        return [span.name for span in self.all]

    def one(self, name: str) -> ReadableSpan:
        """The only one of this name."""
        (found,) = [span for span in self.all if span.name == name]
        return found

    def path(self, span: ReadableSpan) -> list[str]:
        """Its name and those of its parents, the innermost first."""
        by_id = {each.context.span_id: each for each in self.all if each.context is not None}
        path = [span.name]
        while span.parent is not None and span.parent.span_id in by_id:
            span = by_id[span.parent.span_id]
            path.append(span.name)
        return path

    def attributes(self, name: str) -> dict[str, Any]:
        """Of the only one of this name."""
        return dict(self.one(name).attributes or {})


@pytest.fixture
def kept() -> Iterator[Kept]:
    """What is recorded until the test ends."""
    kept = Kept()
    with Tracing("media", provider=kept.provider):
        yield kept


class Tap:
    """A running ``oteltap``: what reached it, as it printed it."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}/v1/traces"
        self._lines: list[str] = []
        command = [sys.executable, "-m", "oteltap", "--port", str(port)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        self._lines.extend(self._process.stdout)

    @property
    def text(self) -> str:
        """Everything."""
        return "".join(list(self._lines))

    @property
    def spans(self) -> list[dict[str, Any]]:
        """The spans, with ``attributes`` as one mapping."""
        found = [json.loads(line) for line in list(self._lines) if line.startswith("{")]
        for span in found:
            span["attributes"] = {each["key"]: next(iter(each["value"].values())) for each in span["attributes"]}
        return found

    def wait(self) -> None:
        """Until it can be reached."""

        def reached() -> bool:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return True
            return False

        until(reached, "oteltap did not listen")

    def close(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait(10)
        self._reader.join(10)
        if self._process.stdout is not None:
            self._process.stdout.close()


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def tap() -> Iterator[Tap]:
    """A receiver of this test's own."""
    tap = Tap(free_port())
    try:
        tap.wait()
        yield tap
    finally:
        tap.close()

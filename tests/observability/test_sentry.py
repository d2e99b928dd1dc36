"""Errors arrive where Sentry's protocol is spoken: once, grouped as here, and without secrets."""

from __future__ import annotations

import gzip
import json
import logging
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from postrmagic_core._metrics import Metrics
from postrmagic_core.errors import ConfigurationError, MissingExtra
from postrmagic_core.log.tracebacks import fingerprint
from postrmagic_core.observability.sentry import Sentry
from postrmagic_core.testing import until
from tests.observability.errors.rig import cleaned, noted, raised
from tests.security.little_server import LittleServer, says

sentry_sdk = pytest.importorskip("sentry_sdk")


@pytest.fixture
def server() -> Iterator[LittleServer]:
    """What takes envelopes."""
    found = LittleServer(says(b"{}"))
    yield found
    found.close()


@pytest.fixture
def metrics() -> Metrics:
    """What is counted."""
    return Metrics()


def dsn(server: LittleServer) -> str:
    """Where it is."""
    return server.url.replace("//", "//public@").replace("/x", "/7")


def events(server: LittleServer) -> list[dict[str, Any]]:
    """The events in the envelopes that came (https://develop.sentry.dev/sdk/data-model/envelopes/)."""
    found = []
    for _, headers, body in server.seen:
        plain = gzip.decompress(body) if headers.get("Content-Encoding") == "gzip" else body
        lines = plain.split(b"\n")
        found += [json.loads(lines[n + 1]) for n, line in enumerate(lines[:-1]) if b'"type":"event"' in line]
    return found


def test_an_error_arrives_with_its_ids_its_way_and_our_fingerprint(server: LittleServer, metrics: Metrics) -> None:
    """The cause before its effect, as Sentry has it; every field that was logged."""
    error = raised(ValueError, "no such poster")
    error.__cause__ = raised(KeyError, 7)
    ids = {"request_id": "r-1", "trace_id": "a" * 32, "span_id": "b" * 16, "job_id": "j-1"}
    fields = {f"field{number}": {"deep": {"er": [number]}} for number in range(20)}
    with Sentry(dsn(server), release="1.0", environment="test", metrics=metrics) as sentry:
        noted(sentry, error, **ids, **fields)
        assert not sentry_sdk.get_client().is_active(), "the application has none"
    [event] = events(server)
    assert event["fingerprint"] == [fingerprint(error)]
    assert (event["release"], event["environment"], event["level"]) == ("1.0", "test", "error")
    assert {name: event["tags"][name] for name in ("request_id", "trace_id", "job_id")} == {
        name: ids[name] for name in ("request_id", "trace_id", "job_id")
    }
    assert event["contexts"]["trace"] == {"trace_id": "a" * 32, "span_id": "b" * 16}
    assert event["contexts"]["log"] == fields | {"span_id": "b" * 16}
    cause, effect = event["exception"]["values"]
    assert (cause["type"], effect["type"], effect["value"]) == ("KeyError", "ValueError", "no such poster")
    assert effect["stacktrace"]["frames"][-1]["function"] == "raised"
    assert effect["stacktrace"]["frames"][-1]["in_app"] is True
    assert (metrics.counter("sentry_sent_total").value, metrics.counter("sentry_dropped_total").value) == (1, 0)


def test_no_secret_arrives(server: LittleServer) -> None:
    """Not from a message, a field, a note or a local variable; nor what the log was given too little to know."""
    error = raised(ValueError, "password=c4n4ry1 at mysql://root:c4n4ry2@db/x")
    error.__cause__ = raised(KeyError, "token='c4n4ry3'")
    with Sentry(dsn(server), redact=["plate"]) as sentry:
        noted(sentry, error, password="c4n4ry4", headers={"cookie": "sid=c4n4ry5"})
        # As an event would be that was not cleaned at all:
        raw = {"event": "Authorization: Bearer c4n4ry6c4n4ry6", "api_key": "c4n4ry7", "plate": "c4n4ry8"}
        sentry(
            raw | {"exception": {"type": "E", "message": "pwd=c4n4ry9", "frames": [{"file": "secret=c4n4ry0"}]}}, None
        )
    assert len(events(server)) == 2
    for _, headers, body in server.seen:
        plain = gzip.decompress(body) if headers.get("Content-Encoding") == "gzip" else body
        assert b"c4n4ry" not in plain
        assert not any("c4n4ry" in value for value in headers.values())


def test_a_silent_server_costs_callers_nothing_and_closing_two_seconds(metrics: Metrics) -> None:
    """A hundred wait; what is more is dropped, and counted."""
    ended = threading.Event()

    def silent(handler: Any) -> None:
        ended.wait(60)

    server = LittleServer(silent)
    try:
        event = cleaned("x")
        sentry = Sentry(dsn(server), metrics=metrics).open()
        began = time.monotonic()
        for _ in range(2000):
            sentry(event, None)
        assert time.monotonic() - began < 2.0
        began = time.monotonic()
        sentry.close()
        assert time.monotonic() - began < 6.0
        assert metrics.counter("sentry_dropped_total").value > 1000
    finally:
        ended.set()
        server.close()


def test_a_server_that_is_away_is_told_once(
    server: LittleServer, metrics: Metrics, caplog: pytest.LogCaptureFixture
) -> None:
    """And what tells of it is not sent itself."""
    server.close()
    with Sentry(dsn(server), metrics=metrics) as sentry:
        for _ in range(5):
            sentry(cleaned("x"), None)
        until(lambda: metrics.counter("sentry_dropped_total").value >= 5, timeout=10)
        sentry(cleaned("x", logger="urllib3.connectionpool"), None)
        sentry(cleaned("x", logger="sentry_sdk.errors"), None)
    assert metrics.counter("sentry_dropped_total").value == 5
    assert [record.message for record in caplog.records if record.levelno >= logging.WARNING] == [
        "errors cannot be sent to Sentry: network (told once)"
    ]


@pytest.mark.parametrize("wrong", ["", "x", "https://host/1", "ftp://c4n4ry@host/1", "https://c4n4ry@host/"])
def test_a_dsn_that_is_none_is_refused_without_its_text(wrong: str) -> None:
    """It holds a key."""
    with pytest.raises(ConfigurationError, match="no DSN") as caught:
        Sentry(wrong)
    assert "c4n4ry" not in str(caught.value)


def test_without_sentry_sdk_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """At once, not at the first error."""
    monkeypatch.setitem(sys.modules, "sentry_sdk.utils", None)
    with pytest.raises(MissingExtra, match=r"postrmagic-core\[sentry\]"):
        Sentry("https://public@host/1")

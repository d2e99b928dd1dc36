"""Lines as log records of OpenTelemetry, as its own messages and a receiver by others read them."""

from __future__ import annotations

import builtins
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse

from postrmagic_core.errors import MissingExtra
from postrmagic_core.log.forwarding import shipper_for
from postrmagic_core.testing.contracts.log_shipper import line
from postrmagic_core.testing.waiting import until
from tests.log.forwarding.otel import OtlpReceiver, Tap, plain
from tests.log.forwarding.receivers import HttpReceiver

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.fixture
def tap(receiver: HttpReceiver) -> Iterator[Tap]:
    """An ``oteltap`` behind the receiver."""
    tap = Tap(receiver)
    yield tap
    tap.close()


def attributes(record: Any) -> dict[str, Any]:
    """Of a record or a resource."""
    return {each.key: plain(each.value) for each in record.attributes}


def test_a_record_has_all_of_its_line(receiver: HttpReceiver) -> None:
    """Time, severity, body, ids as bytes, the rest as attributes of their kinds; an exception by its conventions."""
    error = {"type": "E", "message": "wrong", "frames": [{"file": "a.py", "line": 3, "function": "f"}], "notes": ["n"]}
    fields = {
        "n": 7,
        "big": 2**70,
        "x": 0.5,
        "yes": True,
        "list": [1, "a", None, [2]],
        "map": {"a": {"b": 1}},
        "no": None,
    }
    with closing(shipper_for(f"otlp+{receiver.url}", "t")) as shipper:
        shipper.ship([line("Grüße", level="error", trace_id=TRACE, span_id=SPAN, exception=error, **fields)])
    path, head, _ = receiver.asked[0]
    assert (path, head["Content-Type"], head["Content-Encoding"]) == ("/v1/logs", "application/x-protobuf", "gzip")
    assert head["Authorization"] == "Bearer t"
    (record,) = OtlpReceiver(receiver).records
    assert record.time_unix_nano == 1_767_268_800_000_001_000
    assert record.observed_time_unix_nano > record.time_unix_nano
    assert (record.severity_number, record.severity_text) == (17, "ERROR")
    assert record.body.string_value == "Grüße"
    assert (record.trace_id.hex(), record.span_id.hex()) == (TRACE, SPAN)
    assert attributes(record) == {
        "logger": "media",
        "n": 7,
        "big": float(2**70),
        "x": 0.5,
        "yes": True,
        "list": [1, "a", None, [2]],
        "map": {"a": {"b": 1}},
        "exception.type": "E",
        "exception.message": "wrong",
        "exception.stacktrace": "a.py:3 in f",
        "exception": {"notes": ["n"]},
    }


@pytest.mark.parametrize(
    ("level", "number"), [("debug", 5), ("info", 9), ("warning", 13), ("error", 17), ("critical", 21), ("custom", 9)]
)
def test_severity_is_the_level_s(receiver: HttpReceiver, level: str, number: int) -> None:
    """By the data model; a level that it does not know counts as information."""
    with closing(shipper_for(f"otlp+{receiver.url}")) as shipper:
        shipper.ship([line("a", level=level)])
    assert OtlpReceiver(receiver).records[0].severity_number == number


def test_a_service_is_a_resource(receiver: HttpReceiver) -> None:
    """One for each of those that log here, with its release; what has none is unknown, as the conventions want."""
    whose = [{"service": "web", "release": "1"}, {}, {"service": "web", "release": "1"}, {"service": "worker"}]
    with closing(shipper_for(f"otlp+{receiver.url}")) as shipper:
        shipper.ship([line(str(number), **each) for number, each in enumerate(whose)])
    (request,) = OtlpReceiver(receiver).requests
    seen = [(attributes(group.resource), len(group.scope_logs[0].log_records)) for group in request.resource_logs]
    host = seen[0][0].pop("host.name")
    assert seen == [
        ({"service.name": "web", "service.version": "1"}, 2),
        ({"service.name": "unknown_service", "host.name": host}, 1),
        ({"service.name": "worker", "host.name": host}, 1),
    ]


def test_ids_and_times_that_are_none_of_its_kind_are_kept(receiver: HttpReceiver) -> None:
    """As attributes, or as unknown: no line is lost for its ids."""
    with closing(shipper_for(f"otlp+{receiver.url}")) as shipper:
        shipper.ship([line("a", ts="yesterday", trace_id="abc", span_id="z" * 16, exception="told")])
    (record,) = OtlpReceiver(receiver).records
    assert (record.time_unix_nano, record.trace_id, record.span_id) == (0, b"", b"")
    assert attributes(record) == {"logger": "media", "trace_id": "abc", "span_id": "z" * 16, "exception": "told"}


def test_what_a_partial_success_rejects_is_dropped(receiver: HttpReceiver) -> None:
    """And told: OTLP forbids to send it again. An answer that cannot be read says by its status that all is well."""
    answer = ExportLogsServiceResponse()
    answer.partial_success.rejected_log_records = 2
    with closing(shipper_for(f"otlp+{receiver.url}")) as shipper:
        for content, dropped in ((answer.SerializeToString(), 2), (b"{}", 0), (b"\xff\xff", 0)):
            receiver.answer = lambda body, content=content: (200, {}, content)  # type: ignore[misc]  # the loop's value
            assert shipper.ship([line("a"), line("b"), line("c")]) == dropped


def test_another_s_receiver_understands_it(receiver: HttpReceiver, tap: Tap) -> None:
    """``oteltap`` takes the request and prints what it read."""
    with closing(shipper_for(f"otlp+{receiver.url}")) as shipper:
        assert shipper.ship([line("uploaded", trace_id=TRACE, media_id=7, service="web"), line("Grüße")]) == 0
    until(lambda: "uploaded" in tap.text and "Grüße" in tap.text, f"it printed {tap.text!r}")


def test_without_opentelemetry_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """When the shipper is made, not when the first line is lost."""
    found = builtins.__import__

    def absent(name: str, *arguments: Any) -> Any:
        if name.startswith("opentelemetry"):
            raise ImportError(name)
        return found(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(MissingExtra, match=r"postrmagic-core\[otel\]"):
        shipper_for("otlp+http://localhost:4318")


def test_a_value_that_is_too_deep_is_cut(receiver: HttpReceiver) -> None:
    """Protobuf reads a hundred messages in each other; a line that nobody can send would be tried for ever."""
    deep: Any = 7
    for _ in range(500):
        deep = {"a": deep}
    with closing(shipper_for(f"otlp+{receiver.url}", "t")) as shipper:
        shipper.ship([line("deep", deep=deep)])
    (record,) = OtlpReceiver(receiver).records
    assert str(attributes(record)).count("'a'") == 26
    assert "[too deep]" in str(attributes(record))

"""Lines as log records of OpenTelemetry: OTLP/HTTP with protobuf (opentelemetry.io/docs/specs/otlp)."""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import orjson

from ..._clock import Clock, to_us
from ...errors import MissingExtra
from .http import Place, Poster
from .rfc5424 import TOO_DEEP

SEVERITIES: Final = {"debug": 5, "info": 9, "warning": 13, "error": 17, "critical": 21}
"""The least SeverityNumber of each level (logs data model, SeverityNumber)."""
_UNKNOWN = 9
_DEEPEST = 25  # a list or a field in another is three messages, of which protobuf reads a hundred in each other
_SCOPE = "postrmagic_core"
_APART = {"ts", "level", "event", "service", "release", "exception"}
_IDS = {"trace_id": 16, "span_id": 8}


class OtlpShipper:
    """POSTs ``ExportLogsServiceRequest``; what the receiver's partial success rejects is dropped, as OTLP demands."""

    def __init__(self, place: Place, fields: Mapping[str, str], *, clock: Clock | None = None) -> None:
        try:
            from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
        except ImportError as error:
            raise MissingExtra("OTLP needs opentelemetry: pip install 'postrmagic-core[otel]'") from error
        self._messages: Any = logs_service_pb2
        self._host = socket.gethostname()
        self._poster = Poster(place, {"Content-Type": "application/x-protobuf", **fields}, clock=clock)

    def ship(self, lines: Sequence[bytes]) -> int:
        """One request of all ``lines``; how many of them the receiver rejects."""
        request = self._messages.ExportLogsServiceRequest()
        scopes: dict[tuple[str, str], Any] = {}
        seen = time.time_ns()
        for line in lines:
            event: dict[str, Any] = orjson.loads(line)
            whose = (str(event.get("service", "")), str(event.get("release", "")))
            if whose not in scopes:
                scopes[whose] = self._scope(request.resource_logs.add(), *whose)
            record = scopes[whose].log_records.add()
            record.observed_time_unix_nano = seen
            _fill(record, event)
        answer = self._messages.ExportLogsServiceResponse()
        content = self._poster.post(request.SerializeToString())
        try:
            answer.ParseFromString(content)
        except Exception:  # JSON, or nothing that means anything: the status said that it has them
            return 0
        return min(len(lines), max(0, int(answer.partial_success.rejected_log_records)))

    def close(self) -> None:
        """Close the connection."""
        self._poster.close()

    def _scope(self, group: Any, service: str, release: str) -> Any:
        told = {"service.name": service or "unknown_service", "service.version": release, "host.name": self._host}
        for name, value in told.items():
            if value:
                group.resource.attributes.add(key=name).value.string_value = value
        scope = group.scope_logs.add()
        scope.scope.name = _SCOPE
        return scope


def _fill(record: Any, event: dict[str, Any]) -> None:
    level = str(event.get("level", ""))
    record.severity_text, record.severity_number = level.upper(), SEVERITIES.get(level, _UNKNOWN)
    record.time_unix_nano = _nanoseconds(event.get("ts"))
    record.body.string_value = str(event.get("event", ""))
    for name, value in event.items():
        if name in _APART or value is None:
            continue
        told = _id(value, _IDS[name]) if name in _IDS else None
        if told is not None:
            setattr(record, name, told)
        else:
            _put(record.attributes.add(key=name).value, value)
    error = event.get("exception")
    if isinstance(error, dict):
        for name, value in _exception(error).items():
            _put(record.attributes.add(key=name).value, value)
    elif error is not None:
        _put(record.attributes.add(key="exception").value, error)


def _exception(error: dict[str, Any]) -> dict[str, Any]:
    """As the semantic conventions name it; what they have no name for stays as it is."""
    frames = [each for each in error.get("frames") or () if isinstance(each, dict)]
    stack = "\n".join(f"{each.get('file')}:{each.get('line')} in {each.get('function')}" for each in frames)
    rest = {name: value for name, value in error.items() if name not in ("type", "message", "frames")}
    told = {"exception.type": error.get("type"), "exception.message": error.get("message")}
    return {**told, "exception.stacktrace": stack, **({"exception": rest} if rest else {})}


def _nanoseconds(instant: object) -> int:
    try:
        return max(0, to_us(datetime.fromisoformat(str(instant)))) * 1000
    except ValueError:
        return 0  # unknown, by the data model


def _id(value: object, size: int) -> bytes | None:
    """The bytes of a hexadecimal id of ``size`` bytes; ``None``: it is another kind of id."""
    if not isinstance(value, str) or len(value) != 2 * size:
        return None
    try:
        return bytes.fromhex(value)
    except ValueError:
        return None


def _put(place: Any, value: object, depth: int = 0) -> None:
    if depth > _DEEPEST:
        value = TOO_DEEP
    if isinstance(value, bool):
        place.bool_value = value
    elif isinstance(value, int) and -(2**63) <= value < 2**63:
        place.int_value = value
    elif isinstance(value, float):
        place.double_value = value
    elif isinstance(value, list):
        place.array_value.SetInParent()
        for each in value:
            _put(place.array_value.values.add(), each, depth + 1)
    elif isinstance(value, dict):
        place.kvlist_value.SetInParent()
        for name, each in value.items():
            _put(place.kvlist_value.values.add(key=name).value, each, depth + 1)
    elif value is not None:
        place.string_value = str(value)

"""What arrives by OTLP, read by the messages of OpenTelemetry itself, and by ``oteltap``, whose parser is another."""

from __future__ import annotations

import subprocess
import sys
import threading
import urllib.error
import urllib.request
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from postrmagic_core.testing.servers._process import free_port
from postrmagic_core.testing.waiting import until
from tests.log.forwarding.receivers import Answer, HttpReceiver


def plain(value: AnyValue) -> Any:
    """A value of the protocol as Python has it."""
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [plain(each) for each in value.array_value.values]
    if kind == "kvlist_value":
        return {each.key: plain(each.value) for each in value.kvlist_value.values}
    return None if kind is None else getattr(value, kind)


class OtlpReceiver:
    """Understands what ``receiver`` took."""

    def __init__(self, receiver: HttpReceiver) -> None:
        self._receiver = receiver

    @property
    def requests(self) -> list[ExportLogsServiceRequest]:
        """Each body."""
        return [ExportLogsServiceRequest.FromString(body) for body in list(self._receiver.taken)]

    @property
    def records(self) -> list[Any]:
        """Every log record."""
        return [
            record
            for request in self.requests
            for group in request.resource_logs
            for scope in group.scope_logs
            for record in scope.log_records
        ]

    @property
    def texts(self) -> list[str]:
        """Their bodies."""
        return [record.body.string_value for record in self.records]


class Tap:
    """A running ``oteltap`` behind ``receiver``, which unpacks what is compressed: the tap reads no gzip."""

    def __init__(self, receiver: HttpReceiver) -> None:
        self._port = free_port()
        self._said: list[str] = []
        command = [sys.executable, "-u", "-m", "oteltap", "--port", str(self._port)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        until(lambda: "Listening" in self.text, "oteltap did not listen")
        receiver.answer = self._answer

    def _read(self) -> None:
        assert self._process.stdout is not None
        self._said.extend(self._process.stdout)

    @property
    def text(self) -> str:
        """Everything that it printed."""
        return "".join(list(self._said))

    def _answer(self, body: bytes) -> Answer:
        headers = {"Content-Type": "application/x-protobuf"}
        request = urllib.request.Request(f"http://127.0.0.1:{self._port}/v1/logs", body, headers)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - its address is the tap of this test
                return answer.status, {}, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, {}, error.read()

    def close(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait(10)
        self._reader.join(10)
        assert self._process.stdout is not None
        self._process.stdout.close()

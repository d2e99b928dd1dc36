"""The RabbitMQ that wakes workers: whether it answers, and what it is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from .interface import Finding, Patient, graver, ok, problem
from .places import local, shown

_PAGE = "how-to/run-in-containers.md#let-rabbitmq-carry-the-jobs"
_OLDEST = (3, 8)
# Each of its steps is bounded, and all of them together.
_BOUNDS = {
    "socket_timeout": "1.5",
    "stack_timeout": "3",
    "blocked_connection_timeout": "1.5",
    "heartbeat": "10",
    "connection_attempts": "1",
    "retry_delay": "0",
}
_NUMBERS = re.compile(r"(\d+)\.(\d+)")


def look(patient: Patient) -> Iterator[Finding]:
    """The broker, if it is one."""
    url = patient.settings.broker_url()
    if not url.startswith("amqp"):
        yield ok("no RabbitMQ is used")
        return
    name = shown(url)
    try:
        parts = urlsplit(url)
        server = _server(url)
    except (ValueError, TypeError):
        yield problem("jobs.url is not understood", "POSTRMAGIC_JOBS__URL=amqp://user:password@host:5672/vhost", _PAGE)
        return
    if isinstance(server, str):
        yield problem(
            f"{name} does not let us in: {server}; jobs are found by looking for them, once a second",
            "look at POSTRMAGIC_JOBS__URL; there, `rabbitmqctl status`, `rabbitmqctl list_vhosts`",
            _PAGE,
        )
        return
    yield from judged(name, server)
    if not local(parts.hostname or "") and parts.scheme == "amqp":
        yield graver(
            patient.production, f"what passes between here and {parts.hostname} is not encrypted", "amqps://…", _PAGE
        )
    if parts.username in (None, "guest") and not local(parts.hostname or ""):
        yield graver(patient.production, "its user is guest, whose password everybody knows", "make a user", _PAGE)


def judged(name: str, server: dict[str, Any]) -> Iterator[Finding]:
    """What a server says of itself."""
    version = _text(server.get("version"))
    found = _NUMBERS.match(version)
    if found is not None and tuple(map(int, found.groups())) < _OLDEST:
        yield problem(f"{name} is {version}: it has no quorum queues", "RabbitMQ 3.8 or later", _PAGE)
    else:
        yield ok(f"{name} answers: {_text(server.get('product')) or 'RabbitMQ'} {version}")


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value or "")


def _server(url: str) -> dict[str, Any] | str:
    """What it says of itself, or how it refuses."""
    import pika  # type: ignore[import-untyped]  # pika has no annotations

    parts = urlsplit(url)
    given = dict(parse_qsl(parts.query))
    parameters = pika.URLParameters(urlunsplit(parts._replace(query=urlencode({**given, **_BOUNDS}))))
    try:
        connection: Any = pika.BlockingConnection(parameters)
    except Exception as error:  # some of pika's are no AMQPError, and what is no RabbitMQ makes it raise anything
        return type(error).__name__
    try:
        return dict(connection._impl.server_properties or {})
    finally:
        connection.close()

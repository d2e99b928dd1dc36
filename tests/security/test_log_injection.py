"""Whatever a client sends, and however it gets into a record: one record is one line, and says what it was."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from postrmagic_core.log import configure, get_logger
from postrmagic_core.middleware import Pipeline
from postrmagic_core.middleware.access_log import access_log
from postrmagic_core.middleware.authentication import authentication
from postrmagic_core.middleware.errors import errors
from postrmagic_core.middleware.request_id import request_id
from postrmagic_core.middleware.trace_context import trace_context
from postrmagic_core.security.access import User

FORGED = "2026-01-01T00:00:00.000000Z info security.login_succeeded"
HOSTILE = {
    "a new line": f"x\n{FORGED}",
    "a carriage return": f"x\r{FORGED}",
    "both": f"x\r\n{FORGED}",
    "a new line of Unicode": f"x\u2028{FORGED}\u2029{FORGED}\x85{FORGED}",
    "other ends of a line": f"x\x0b{FORGED}\x0c{FORGED}\x1c{FORGED}",
    "a terminal's colours": f"x\x1b[2K\x1b[1A\x1b[32m{FORGED}\x9b0m",
    "a title and a bell": "x\x1b]0;owned\x07",
    "a null": f"x\x00{FORGED}",
    "backspaces": "x" + "\x08" * 40 + FORGED,
    "reversed text": f"x\u202e{FORGED}\u2066",
    "half a character": f"x\ud800{FORGED}",
    "an end of the JSON": f'x"}}\n{{"event": "{FORGED}"}}',
    "format strings": "x{0.__class__.__init__.__globals__} %(password)s %s %n %x ${jndi:ldap://x} {{7*7}}",
}

log = get_logger("tests.injection")


async def _failing(scope: Any, receive: Any, send: Any) -> None:
    error = ValueError(scope["path"])
    error.add_note(scope["path"])
    raise error from ExceptionGroup(scope["path"], [KeyError(scope["path"])])


def requested(text: str) -> None:
    """A request that has ``text`` wherever a client may put something, of a user of that name; it fails by it."""
    raw = text.encode("utf-8", "surrogatepass")
    headers = [
        *((name, raw) for name in (b"x-request-id", b"traceparent", b"tracestate", b"user-agent", b"referer", b"host")),
        (raw, raw),
    ]
    layers = [request_id(), trace_context(), access_log(), errors(), authentication(lambda request: User(text))]
    scope = {"type": "http", "method": text, "path": f"/{text}", "query_string": raw, "headers": headers}

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b""}

    async def send(message: Any) -> None:
        pass

    app = Pipeline(layers).asgi(_failing)
    asyncio.run(app({**scope, "scheme": "https", "client": (text, 1)}, receive, send))


def logged(text: str) -> None:
    """What an application may log: as text, argument, field, name of either, and deep within."""
    log.warning(text, text, field=text, nested={text: [{text: (text,)}]}, **{text: text})
    log.bind(bound=text).warning("%s and %r", text, text)
    plain = logging.getLogger(f"tests.{text}")
    plain.warning("%s %(broken", text, extra={text: text})
    plain.warning("%(named)s", {"named": text})
    try:
        raise RuntimeError(text)
    except RuntimeError:
        plain.exception(text)


@contextmanager
def counted() -> Iterator[list[logging.LogRecord]]:
    """The records of the block; pytest's own handlers, which raise what a record raises when it is shown, are away."""
    found: list[logging.LogRecord] = []

    class Counting(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.append(record)

    counting = Counting()
    others = [handler for handler in logging.root.handlers if type(handler).__module__ == "_pytest.logging"]
    for handler in others:
        logging.root.removeHandler(handler)
    logging.root.addHandler(counting)
    yield found
    logging.root.removeHandler(counting)
    for handler in others:
        logging.root.addHandler(handler)


def written(shape: Any, text: str) -> tuple[str, int]:
    """All that is written of both, and how many records that are."""
    stream = io.StringIO()
    with counted() as records, configure(level="INFO", format=shape, stream=stream) as handle:
        requested(text)
        logged(text)
        assert handle.flush()
        assert handle.dropped == 0
    return stream.getvalue(), len(records)


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_line_of_json_is_a_record(text: str) -> None:
    """As many lines as records, however a reader cuts them; each parses, and none forged its event, level or time."""
    told, records = written("json", text)
    lines = [json.loads(line) for line in told.splitlines()]
    assert len(lines) == records == 7
    assert all(character.isprintable() for character in told.replace("\n", ""))
    assert {line["level"] for line in lines} == {"warning", "info", "error"}
    assert not [line for line in lines if line["event"] == FORGED or line["ts"] == FORGED[:27]]
    request = lines[1]
    assert request["event"] == "request"
    assert request["path"] == f"/{text}".replace("\ud800", "\ufffd")
    assert "\n" not in request["request_id"]


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_on_the_console_nothing_looks_like_a_record_that_is_none(text: str) -> None:
    """A traceback's lines are indented; all others begin a record, and every character is a printable one."""
    told, records = written("console", text)
    lines = told.splitlines()
    assert len([line for line in lines if not line.startswith("    ")]) == records
    assert all(character.isprintable() for character in told.replace("\n", ""))


def test_a_format_string_is_a_text() -> None:
    """Without arguments nothing in it is replaced, and what is an argument is not looked into."""
    text = HOSTILE["format strings"]
    told, _ = written("json", text)
    events = [json.loads(line)["event"] for line in told.splitlines()]
    assert f"{text} and {text!r}" in events
    assert text in events
    assert not [event for event in events if "49" in event.replace(text, "")]
    assert "__main__" not in told

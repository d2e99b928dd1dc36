"""An event as a message of syslog (RFC 5424): severity, when, where, its fields as structured data, what happened."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import orjson

from ..render import escaped

FACILITY: Final = 16
"""local0, section 6.2.1."""
SEVERITIES: Final = {"critical": 2, "error": 3, "warning": 4, "notice": 5, "info": 6, "debug": 7}
"""Of each level, section 6.2.1."""
SD_ID: Final = "postrmagic@32473"
"""Section 7.2.2 asks for a number of a private enterprise; this one is for whoever has none (RFC 5612)."""
_BOM = b"\xef\xbb\xbf"
_NIL = "-"
TOO_DEEP: Final = "[too deep]"
"""In place of a value that a receiver could not read."""
_FIRST = ("trace_id", "span_id", "request_id", "job_id", "session", "user", "logger")
_APART = {"ts", "level", "event", "service"}
_SPECIAL = re.compile(r'["\\\]]')
_NOT_PRINTABLE = re.compile(r"[^!-~]")
_NOT_A_NAME = re.compile(r'[^!-~]|[="\]]')
_LEAST_TEXT = 128
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:Z|[+-]\d\d:\d\d)", re.ASCII)


def message(event: Mapping[str, Any], host: str, longest: int) -> bytes:
    """``event`` of at most ``longest`` bytes (480 or more, section 6.1).

    What does not fit is left out: the end of the text down to 128 bytes of it, then fields from the last on. Ids come
    first.
    """
    text = escaped(str(event.get("event", ""))).encode("utf-8", "replace")
    severity = SEVERITIES.get(str(event.get("level", "")), SEVERITIES["info"])
    at = str(event.get("ts", ""))
    head = " ".join(
        (
            f"<{FACILITY * 8 + severity}>1",
            at if _INSTANT.fullmatch(at) else _NIL,
            _printable(host, 128),
            _printable(event.get("service"), 48),
            _NIL,
            _NIL,
        )
    ).encode("ascii")
    room = longest - len(head) - min(len(text), _LEAST_TEXT) - len(_BOM) - 2
    data = _structured(event, room)
    start = b"%b %b " % (head, data)
    bom = b"" if text.isascii() else _BOM  # section 6.4: whatever begins with it is UTF-8
    return start + bom + cut(text, longest - len(start) - len(bom))


def cut(text: bytes, longest: int) -> bytes:
    """The first ``longest`` bytes of UTF-8, or fewer, so that no character is halved."""
    if len(text) <= longest:
        return text
    end = max(0, longest)
    while end and text[end] & 0xC0 == 0x80:
        end -= 1
    return text[:end]


def _structured(event: Mapping[str, Any], room: int) -> bytes:
    """The fields as one element of at most ``room`` bytes, section 6.3."""
    element = f"[{SD_ID}".encode()
    for name, value in _fields(event):
        parameter = f' {_NOT_A_NAME.sub("_", name)[:32] or "_"}="{_value(value)}"'.encode("utf-8", "replace")
        if len(element) + len(parameter) + 1 <= room:
            element += parameter
    return element + b"]"


def _fields(event: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    yield from ((name, event[name]) for name in _FIRST if name in event)
    yield from ((name, value) for name, value in event.items() if name not in _APART and name not in _FIRST)


def _value(value: object) -> str:
    """Section 6.3.3: a quotation mark, a backslash and a closing bracket are escaped by a backslash."""
    try:
        text = value if isinstance(value, str) else orjson.dumps(value).decode()
    except TypeError:  # deeper than it writes, and than anybody reads
        text = TOO_DEEP
    return _SPECIAL.sub(r"\\\g<0>", escaped(text))


def _printable(value: object, longest: int) -> str:
    return _NOT_PRINTABLE.sub("_", str(value or ""))[:longest] or _NIL

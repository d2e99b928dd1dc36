"""From an event to one line of text. Whatever an event holds, it cannot begin a new line or drive a terminal."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import orjson

Render = Callable[[Mapping[str, Any]], bytes]

# C0 and C1 controls, line and paragraph separators, directional marks (CVE-2021-42574), byte order mark, surrogates.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
_BEYOND_ASCII = re.compile("[^\x00-\x7f]")
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_COLOURS = {"debug": "2", "info": "32", "warning": "33", "error": "31", "critical": "1;31"}
_EVENT = 30
_INDENT = "\n    "


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    code = ord(character)
    if 0xD800 <= code <= 0xDFFF:
        return "\\ufffd"  # half a character has no place in UTF-8
    if code > 0xFFFF:
        code -= 0x10000
        return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"
    return _SHORT.get(character) or f"\\u{code:04x}"


def escaped(text: str) -> str:
    """``text`` with every control, separator and directional character as a visible escape, valid inside JSON too."""
    if text.isprintable():  # most lines; asking costs a tenth of looking
        return text
    return _UNSAFE.sub(_escape, text)


def ascii_only(line: str) -> str:
    """``line`` with everything beyond ASCII escaped, for streams that cannot show it; JSON stays the same JSON."""
    return _BEYOND_ASCII.sub(_escape, line)


def render_json(event: Mapping[str, Any]) -> bytes:
    """One JSON object (RFC 8259) on one line, in UTF-8."""
    return one_line(encoded(event))


def encoded(event: Mapping[str, Any]) -> bytes:
    """``event`` as JSON; half a character in it is told as U+FFFD."""
    try:
        return orjson.dumps(event)
    except TypeError:  # it refuses surrogates, which the standard library's encoder leaves
        return escaped(json.dumps(event, ensure_ascii=False, separators=(",", ":"))).encode()


def one_line(line: bytes) -> bytes:
    """``line``, which is JSON without C0 controls, with every other unsafe character escaped."""
    if line.isascii() and b"\x7f" not in line:
        return line
    return escaped(line.decode()).encode()


def console(colour: bool) -> Render:
    """A renderer for people: time of day (UTC), level, event, ``key=value``, and whose record it is.

    A traceback follows on indented lines.
    """

    def painted(code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if colour and text else text

    def render(event: Mapping[str, Any]) -> bytes:
        fields = dict(event)
        error, stack = fields.pop("exception", None), fields.pop("stack", None)
        level, logger = str(fields.pop("level", "")), str(fields.pop("logger", ""))
        told = escaped(str(fields.pop("event", "")))
        parts = [
            painted("2", escaped(str(fields.pop("ts", ""))[11:23])),
            painted(_COLOURS.get(level, "0"), f"{escaped(level):<8}"),
            painted("1", f"{told:<{_EVENT}}" if fields or logger else told),
        ]
        parts += [f"{painted('36', escaped(str(key)))}={_value(value)}" for key, value in fields.items()]
        parts.append(painted("2", f"[{escaped(logger)}]") if logger else "")
        below = [*(stack if isinstance(stack, list) else ()), *_told(error)]
        line = " ".join(part for part in parts if part) + "".join(f"{_INDENT}{escaped(str(line))}" for line in below)
        return line.encode("utf-8", "replace")

    return render


def _value(value: object) -> str:
    if isinstance(value, str) and value and not re.search(r"[\s\"=]", value):
        return escaped(value)
    return escaped(json.dumps(value, ensure_ascii=False))


def _told(error: object) -> list[str]:
    """The lines of an exception as :mod:`.tracebacks` describes it."""
    if not isinstance(error, dict):
        return [] if error is None else [str(error)]
    lines = [f"{frame['file']}:{frame['line']} in {frame['function']}" for frame in error.get("frames", ())]
    lines.append(f"{error.get('type')}: {error.get('message')}")
    lines += [f"note: {note}" for note in error.get("notes", ())]
    for member in error.get("errors", ()):
        lines += [f"  {line}" for line in _told(member)]
    if "cause" in error:
        lines += ["caused by", *(f"  {line}" for line in _told(error["cause"]))]
    return lines

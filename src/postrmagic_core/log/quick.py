"""The short way to a line, for the records that most are: plain values, nothing in them that needs a mask."""

from __future__ import annotations

from typing import Any

import orjson

from .policy import Redactor
from .records import second
from .render import encoded, one_line

_HEADS = 2048
_EVENT = 200
_ARGUMENTS = frozenset({str, int, float, bool, type(None)})


class QuickJson:
    """Renders what :meth:`Redactor.passes` lets through, as :func:`render_json` would: no copy, one look at all texts.

    ``constants`` are fields of every record, at its end.
    """

    def __init__(self, redactor: Redactor, constants: dict[str, str]) -> None:
        self._passes = redactor.passes
        # What level, logger and event make of a line: few calls make most records.
        self._heads: dict[tuple[str, str, object], bytes] = {}
        self._tail = b"," + one_line(encoded(constants))[1:] if constants else b"}"
        self._second = (0, b"")

    def line(
        self, created: float, level: str, logger: str, event: object, args: Any, given: dict[str, Any]
    ) -> bytes | None:
        """The line; ``None``: this record takes the long way. Runs no foreign code."""
        if args:
            head = self._formatted(level, logger, event, args, given)
        elif type(event) is str and self._passes(given):
            head = self._heads.get((level, logger, event)) or self._kept(level, logger, event)
        else:
            head = None
        if head is None:
            return None
        microseconds = int(created * 1_000_000)
        whole = microseconds // 1_000_000
        now, instant = self._second
        if now != whole:
            instant = b'{"ts":"' + second(whole).encode()
            self._second = (whole, instant)
        try:
            body = orjson.dumps(given)
        except TypeError:  # half a character, or an integer of more than 64 bits
            return None
        if not body.isascii() or b"\x7f" in body:
            body = one_line(body)
        comma = b"," if given else b""
        return b"%b.%06dZ%b%b%b%b" % (instant, microseconds % 1_000_000, head, comma, body[1:-1], self._tail)

    def _formatted(self, level: str, logger: str, event: object, args: Any, given: dict[str, Any]) -> bytes | None:
        if type(args) is not tuple or type(event) is not str or not _ARGUMENTS.issuperset(map(type, args)):
            return None
        try:
            event = event % args
        except (TypeError, ValueError, OverflowError):
            return None
        return _head(level, logger, event) if self._passes(given, event, logger) else None

    def _kept(self, level: str, logger: str, event: str) -> bytes | None:
        head = _head(level, logger, event) if self._passes({}, level, logger, event) else None
        if head is not None and len(event) <= _EVENT:
            if len(self._heads) >= _HEADS:
                self._heads.clear()
            self._heads[level, logger, event] = head
        return head


def _head(level: str, logger: str, event: str) -> bytes | None:
    try:
        return b'",' + one_line(orjson.dumps({"level": level.lower(), "logger": logger, "event": event}))[1:-1]
    except TypeError:
        return None

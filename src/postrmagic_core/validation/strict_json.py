"""JSON with one meaning: what parsers are known to read differently is refused (RFC 8259, sections 4, 6 and 8.1)."""

from __future__ import annotations

import json
import math
from collections import Counter
from typing import Any, NoReturn

from ..errors import ValidationFailed
from .budget import over_json
from .interface import InputLimits
from .messages import Catalogue
from .policy import entry, failed, pointer_to


class _Twice(dict[str, Any]):
    """An object that named some fields twice."""

    twice: list[str]


def parse(body: bytes, limits: InputLimits, catalogue: Catalogue) -> Any:
    """The value of a JSON text in UTF-8.

    Raises :class:`ValidationFailed` for what exceeds ``limits`` (found before parsing), a byte order mark, wrong
    UTF-8, NaN and infinities (also ``1e999``), wrong syntax, and every name given twice in one object.
    """
    if over := over_json(body, limits):
        raise failed(over[0], limit=over[1], catalogue=catalogue)
    if body.startswith(b"\xef\xbb\xbf"):
        raise failed("json.bom", catalogue=catalogue)
    repeated: list[_Twice] = []
    try:
        text = body.decode()
        try:
            return _ONCE.decode(text)
        except _Repeated:  # all of them are told: once more, with a note of each
            value = json.loads(
                text,
                object_pairs_hook=lambda pairs: _object(pairs, repeated),
                parse_constant=_constant,
                parse_float=_float,
            )
    except UnicodeDecodeError:
        raise failed("json.encoding", catalogue=catalogue) from None
    except _Refused as refused:
        raise failed(refused.code, catalogue=catalogue) from None
    except (json.JSONDecodeError, RecursionError):
        raise failed("json.invalid", catalogue=catalogue) from None
    except ValueError:  # the interpreter's limit on the digits of one integer
        raise failed("json.number", catalogue=catalogue) from None
    raise ValidationFailed(_duplicates(value, catalogue))


class _Repeated(Exception):
    pass


class _Refused(Exception):
    def __init__(self, code: str) -> None:
        self.code = code


def _object(pairs: list[tuple[str, Any]], repeated: list[_Twice]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) == len(pairs):
        return value
    marked = _Twice(value)
    marked.twice = [name for name, count in Counter(name for name, _ in pairs).items() if count > 1]
    repeated.append(marked)
    return marked


def _constant(_: str) -> NoReturn:
    raise _Refused("json.constant")


def _float(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise _Refused("json.number")
    return value


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise _Repeated
    return value


_ONCE = json.JSONDecoder(object_pairs_hook=_distinct, parse_constant=_constant, parse_float=_float)


def _duplicates(value: object, catalogue: Catalogue) -> list[dict[str, str]]:
    """Every repeated name with its pointer. A repeated value that was itself overwritten is not looked into."""
    found: list[dict[str, str]] = []
    waiting: list[tuple[tuple[int | str, ...], object]] = [((), value)]
    while waiting:
        path, node = waiting.pop()
        if isinstance(node, _Twice):
            for name in node.twice:
                found.append(entry("json.duplicate_key", pointer_to((*path, name), value), {}, catalogue))
        if isinstance(node, dict):
            waiting += [((*path, name), child) for name, child in node.items()]
        elif isinstance(node, list):
            waiting += [((*path, index), child) for index, child in enumerate(node)]
    return found or [entry("json.duplicate_key", "", {}, catalogue)]

"""SQLite's DEFAULT clauses as MySQL's; pure.

Both servers take an expression in parentheses, MySQL since 8.0.13 and MariaDB since 10.2, for TEXT and BLOB too.
SQLite's times are in UTC and, but for ``%f``, in whole seconds.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import TypeAlias

from ..names import folded
from ..source.grammar import grammar_of
from .literals import LARGEST, bytes_literal, decimal_literal, double_literal, number_of, text_literal
from .parsing import Node, Unreadable, parsed

_SECONDS, _DAY, _TIME = "%Y-%m-%d %H:%M:%S", "%Y-%m-%d", "%H:%M:%S"
_WORDS = {"CURRENT_TIMESTAMP": _SECONDS, "CURRENT_DATE": _DAY, "CURRENT_TIME": _TIME}
_CALLS = {"datetime": _SECONDS, "date": _DAY, "time": _TIME}
_FORMAT = {"Y": "%Y", "m": "%m", "d": "%d", "H": "%H", "M": "%i", "S": "%s", "%": "%%"}
# What SQLite's affinities make a number of.
_NUMERAL = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?")


def translate_default(sql: str, kind: str, fraction_digits: int) -> str | None:
    """What comes after DEFAULT in MySQL for SQLite's ``sql``; None where it would not be the same.

    ``kind`` is the column's as for :func:`.translating.expressions.translated`. ``fraction_digits`` are those of a
    DATETIME or a DECIMAL in the target; a default with more is not translated.
    """
    try:
        value = _value(parsed(sql))
        return "NULL" if value is None else _stored(value, kind, fraction_digits)
    except Unreadable:
        return None


class _Now(str):
    """The time at which a row is written, by a format of SQLite's strftime."""

    __slots__ = ()


_Value: TypeAlias = int | float | str | bytes | None
_EPOCH = _Now("%s")


def _value(node: Node) -> _Value:
    """What the default is to SQLite, before the column's affinity; :class:`Unreadable` for what is not known."""
    known: Mapping[str, Callable[[Node], _Value]] = {
        "null": lambda node: None,
        "string": lambda node: node.text,
        "blob": lambda node: bytes.fromhex(node.text),
        "now": lambda node: _Now(_WORDS[node.text]),
        "number": lambda node: _known(number_of(node.text)),
        "unary -": lambda node: -_signed(node),
        "unary +": _signed,
        "column": _word,
        "call": lambda node: _called(node.text, node.parts),
        "cast": _cast,
    }
    if node.op not in known:
        raise Unreadable
    return known[node.op](node)


def _signed(node: Node) -> int | float:
    value = _value(node.parts[0])
    return _known(value if isinstance(value, int | float) else None)


def _word(node: Node) -> int | str:
    """There are no columns in a default: a word is a string, but for two."""
    if not node.quoted and folded(node.text) in {"true", "false"}:
        return int(folded(node.text) == "true")
    return node.text


def _cast(node: Node) -> _Now:
    if node.text not in {"INT", "INTEGER"} or _value(node.parts[0]) != _EPOCH:
        raise Unreadable
    return _EPOCH


def _stored(value: _Value, kind: str, fraction_digits: int) -> str | None:
    match re.split(r"[ (]", kind, maxsplit=1)[0]:
        case "integer":
            return _integer(value)
        case "real" | "decimal" as number:
            return _fraction(value, number, fraction_digits)
        case "text" | "folded":
            return _text(value)
        case "bytes":
            return f"({bytes_literal(value)})" if isinstance(value, bytes) else None
    return _instant(value, kind, fraction_digits)


def _known(value: int | float | None) -> int | float:
    if value is None:
        raise Unreadable
    return value


def _called(name: str, parts: Sequence[Node]) -> _Now:
    arguments = [part.text if part.op == "string" else "" for part in parts]
    if name in _CALLS and arguments == ["now"]:
        return _Now(_CALLS[name])
    if name == "unixepoch" and arguments in ([], ["now"]):
        return _EPOCH
    if name == "strftime" and len(arguments) == 2 and arguments[1] == "now":
        return _Now(arguments[0])
    raise Unreadable


def _integer(value: _Value) -> str | None:
    if isinstance(value, _Now):
        return "(UNIX_TIMESTAMP())" if value == _EPOCH else None
    if isinstance(value, str) and _NUMERAL.fullmatch(value) and "." not in value:
        value = int(value)
    if isinstance(value, float) and value.is_integer() and abs(value) < LARGEST:
        value = int(value)
    return str(value) if isinstance(value, int) and abs(value) <= LARGEST else None


def _fraction(value: _Value, kind: str, fraction_digits: int) -> str | None:
    if isinstance(value, _Now):
        return None
    if isinstance(value, str) and _NUMERAL.fullmatch(value):
        value = float(value)
    if not isinstance(value, int | float):
        return None
    if kind == "real":
        return double_literal(float(value)) if float(value) == value else None
    written = str(value) if isinstance(value, int) else decimal_literal(value)
    if written is None or len(format(Decimal(written).normalize(), "f").partition(".")[2]) > fraction_digits:
        return None
    return written


def _text(value: _Value) -> str | None:
    if isinstance(value, _Now):
        return _formatted(value)
    if isinstance(value, int | str):
        return f"({text_literal(str(value))})"
    return None


def _formatted(now: _Now) -> str:
    """MySQL's DATE_FORMAT for a format of SQLite's; its ``%f`` is the seconds with three digits, MySQL's six digits."""
    pieces = now.split("%f")
    if len(pieces) == 1:
        return f"(DATE_FORMAT(UTC_TIMESTAMP(), {_pattern(now)}))"
    if len(pieces) > 2 or pieces[0].endswith("%"):
        raise Unreadable
    parts = [
        f"DATE_FORMAT(UTC_TIMESTAMP(3), {_pattern(pieces[0] + '%S.')})",
        "LEFT(DATE_FORMAT(UTC_TIMESTAMP(3), '%f'), 3)",
    ]
    if pieces[1]:
        parts.append(f"DATE_FORMAT(UTC_TIMESTAMP(3), {_pattern(pieces[1])})")
    return f"(CONCAT({', '.join(parts)}))"


def _pattern(letters: str) -> str:
    def known(found: re.Match[str]) -> str:
        if found[1] not in _FORMAT:
            raise Unreadable
        return _FORMAT[found[1]]

    return text_literal(re.sub(r"%(.?)", known, letters, flags=re.DOTALL))


def _instant(value: _Value, kind: str, fraction_digits: int) -> str | None:
    what, _, grammar = kind.partition(" ")
    if isinstance(value, _Now):
        if what == "date":
            return "(UTC_DATE())" if value == _DAY else None
        digits = min(3, fraction_digits) if "%f" in value else 0
        said = "".join(re.findall(r"%([^%])", value.replace("%f", "%S")))
        return f"(UTC_TIMESTAMP({digits or ''}))" if said == "YmdHMS" else None
    found = grammar_of(value) if isinstance(value, str) else None
    if not isinstance(value, str) or found is None or (found.form, found.digits) != (grammar, fraction_digits):
        return None
    if what == "date":
        return f"'{value}'"
    return f"'{value[:10]} {value[11:19]}{value[19 : 20 + found.digits] if found.digits else ''}'"

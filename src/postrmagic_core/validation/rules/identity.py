"""When two values are the same: a text for each, equal for equal values, made in linear time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any
from uuid import UUID

from pydantic import BaseModel

from ...errors import UsageError

_DEEPEST = 64
_WHOLE = 400  # digits up to which a whole decimal is compared with integers


def identity(value: Any, depth: int = 0) -> str:
    """A text that only equal values share: numbers by their value (1, 1.0), but no truth value is a number.

    Texts, as their hashes are keyed: those of numbers and tuples are not, and many that collide can be written down.
    Raises :class:`UsageError` for values it does not know, or nested more than 64 deep.
    """
    if depth > _DEEPEST:
        raise UsageError("values nested more than 64 deep cannot be compared: limit the depth of the input")
    written = _WRITTEN.get(type(value)) or _of_a_subclass(value)
    if written is not None:
        return written(value)
    if isinstance(value, BaseModel):
        value = dict(value)
    if isinstance(value, Mapping):
        pairs = sorted((identity(name, depth + 1), identity(one, depth + 1)) for name, one in value.items())
        return _joined("m", [part for pair in pairs for part in pair])
    if isinstance(value, (set, frozenset)):
        return _joined("u", sorted(identity(one, depth + 1) for one in value))
    if isinstance(value, (list, tuple)):
        return _joined("l", [identity(one, depth + 1) for one in value])
    raise UsageError(
        f"values of type {type(value).__name__} cannot be compared: use texts, numbers, dates, lists, models"
    )


def _joined(kind: str, parts: list[str]) -> str:
    return f"{kind}{len(parts)}[{''.join(f'{len(part)}:{part}' for part in parts)}]"


def _number(value: float | Decimal) -> str:
    number = value if isinstance(value, Decimal) else Decimal(repr(value))
    if not number.is_finite():
        return f"d{number}"
    sign, digits, exponent = number.as_tuple()
    significant = bytes(digits).rstrip(b"\0")
    if not significant:
        return "i0"
    shift = int(exponent) + len(digits) - len(significant)
    if 0 <= shift <= _WHOLE and len(significant) <= _WHOLE:
        return f"i{int(number):x}"
    return f"d{sign}e{shift}:{significant.hex()}"


def _moment(value: datetime) -> str:
    return f"t{(value.astimezone(UTC) if value.tzinfo else value).isoformat()}"


# The order matters for subclasses: a truth value is a whole number, a date and time is a date.
_WRITTEN: Mapping[type, Callable[[Any], str]] = {
    type(None): lambda _: "z",
    Enum: lambda value: f"e{type(value).__qualname__}.{value.name}",
    bool: lambda value: f"b{value}",
    str: lambda value: f"s{value}",
    int: lambda value: f"i{value:x}",
    float: _number,
    Decimal: _number,
    bytes: lambda value: f"y{value.hex()}",
    datetime: _moment,
    date: lambda value: f"t{value.isoformat()}",
    time: lambda value: f"t{value.isoformat()}",
    timedelta: lambda value: f"o{value}",
    UUID: lambda value: f"o{value}",
    PurePath: lambda value: f"o{value}",
}


def _of_a_subclass(value: Any) -> Callable[[Any], str] | None:
    return next((written for kind, written in _WRITTEN.items() if isinstance(value, kind)), None)

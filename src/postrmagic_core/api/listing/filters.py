"""The filters that a list may offer; a value becomes a bound parameter, never SQL."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field
from pydantic_core import PydanticKnownError
from sqlalchemy import ColumnElement, Integer

from ..._clock import to_us
from ...errors import ConfigurationError
from ...validation import invalid
from .interface import Expression, Filter

_INT64 = 2**63


def _utc(instant: datetime) -> datetime:
    if instant.tzinfo is None:
        raise PydanticKnownError("timezone_aware")
    try:
        return instant.astimezone(UTC)
    except OverflowError:
        raise invalid("instant.range", "must be within the years 1 to 9999 in UTC") from None


def _of_64_bits(value: Any) -> Any:
    if isinstance(value, int) and not -_INT64 <= value < _INT64:
        raise invalid("number.range", "must be a number of at most 64 bits")
    return value


def _each_once(values: list[str]) -> list[str]:
    return sorted(set(values))


# Not pydantic's AwareDatetime, of which forms cannot tell that seconds since 1970 are no writing of it.
Instant = Annotated[datetime, AfterValidator(_utc)]
"""An instant with its offset; compared with integer columns as microseconds since the epoch, with others as UTC."""


def one_of(column: Expression, choices: Sequence[str], description: str = "") -> Filter:
    """Rows whose ``column`` is one of the values that are given, each of them one of ``choices``; may be repeated."""
    if not choices:
        raise ConfigurationError("one_of(): expected at least one choice")
    choice: Any = Literal[tuple(choices)]
    kind = Annotated[list[choice], Field(min_length=1, max_length=len(choices)), AfterValidator(_each_once)]
    return Filter(kind, column.in_, description)


def equal_to(column: Expression, kind: Any, description: str = "") -> Filter:
    """Rows whose ``column`` is the value; ``kind`` is any type that pydantic reads from a text."""
    return _compared(operator.eq, column, kind, description)


def at_least(column: Expression, kind: Any, description: str = "") -> Filter:
    """Rows whose ``column`` is the value or more."""
    return _compared(operator.ge, column, kind, description)


def more_than(column: Expression, kind: Any, description: str = "") -> Filter:
    """Rows whose ``column`` is more than the value."""
    return _compared(operator.gt, column, kind, description)


def at_most(column: Expression, kind: Any, description: str = "") -> Filter:
    """Rows whose ``column`` is the value or less."""
    return _compared(operator.le, column, kind, description)


def less_than(column: Expression, kind: Any, description: str = "") -> Filter:
    """Rows whose ``column`` is less than the value."""
    return _compared(operator.lt, column, kind, description)


def matching(kind: Any, condition: Callable[[Any], ColumnElement[bool]], description: str = "") -> Filter:
    """Rows that fulfil the ``condition`` made of the value."""
    return Filter(kind, condition, description)


def parameter(kind: Any, description: str = "") -> Filter:
    """A parameter whose condition the application makes of :attr:`.ListRequest.values`; cursors are bound to it."""
    return Filter(kind, None, description)


def _compared(compare: Callable[[Any, Any], Any], column: Expression, kind: Any, description: str) -> Filter:
    whole = isinstance(column.type, Integer)

    def condition(value: Any) -> ColumnElement[bool]:
        compared: ColumnElement[bool] = compare(column, _stored(value, whole=whole))
        return compared

    # Databases' drivers raise for an integer that no column can hold.
    bounded = Field(ge=-_INT64, le=_INT64 - 1) if kind is int else AfterValidator(_of_64_bits)
    return Filter(Annotated[kind, bounded], condition, description)


def _stored(value: Any, *, whole: bool) -> Any:
    if not isinstance(value, datetime):
        return value
    if value.tzinfo is None:
        return value
    return to_us(value) if whole else value.astimezone(UTC).replace(tzinfo=None)

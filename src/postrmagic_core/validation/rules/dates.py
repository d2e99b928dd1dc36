"""Dates and times against a limit or a calendar. Nothing is changed."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from datetime import time as time_of_day
from functools import cache
from typing import Annotated, Any, ClassVar, Literal, LiteralString, Self, TypeAlias
from zoneinfo import available_timezones

from pydantic_core import PydanticCustomError, PydanticKnownError

from ..._clock import Clock, SystemClock, from_us
from ...errors import ConfigurationError
from ..rule import Rule, TextFormat, refused, require, texts

Moment: TypeAlias = date | datetime | Literal["now"]
"""A fixed day or instant, or the moment of the check."""


# Rules differ where their clocks do: Python takes equal annotations for one, and would give a rule another one's clock.
class _TheClock(SystemClock):
    """The machine's: a copy of a rule has the same, so that both are equal."""

    def __deepcopy__(self, memo: object) -> Self:
        return self


_SYSTEM = _TheClock()
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_ZONE_LENGTH = 64


class DateRule(Rule):
    """A rule for dates and times: subclasses check a date, or an instant that says its time zone."""

    __slots__ = ()

    def _check(self, value: Any) -> Any:
        if not isinstance(value, date):
            raise PydanticKnownError("date_type")
        if isinstance(value, datetime) and value.tzinfo is None:
            raise PydanticKnownError("timezone_aware")
        if not self._holds(value):
            raise self._error()
        return value

    def _holds(self, value: date) -> bool:
        raise NotImplementedError

    def _error(self) -> PydanticCustomError:
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class _Limit(DateRule):
    at: Moment
    clock: Clock = field(default=_SYSTEM, repr=False)
    code: ClassVar[LiteralString]
    code_now: ClassVar[LiteralString]

    def __post_init__(self) -> None:
        naive = isinstance(self.at, datetime) and self.at.tzinfo is None
        fits = self.at == "now" or isinstance(self.at, date)
        require(fits and not naive, f"{type(self).__name__}: give a date, an aware datetime or 'now'")

    def _limit(self, value: date) -> date:
        """The limit in the kind of ``value``: days are those of UTC."""
        at = from_us(self.clock.now_us()) if self.at == "now" else self.at
        if not isinstance(value, datetime):
            return at.astimezone(UTC).date() if isinstance(at, datetime) else at
        return at if isinstance(at, datetime) else datetime.combine(at, time_of_day(), UTC)

    def _error(self) -> PydanticCustomError:
        return refused(self.code_now) if self.at == "now" else refused(self.code, limit=self._written())

    def _written(self) -> str:
        return self.at if isinstance(self.at, str) else self.at.isoformat()


@dataclass(frozen=True, slots=True)
class Before(_Limit):
    """A date or instant before ``at``; a day is before ``"now"`` when it is before today in UTC."""

    code = "date.before"
    code_now = "date.past"

    def _holds(self, value: date) -> bool:
        return value < self._limit(value)


@dataclass(frozen=True, slots=True)
class After(_Limit):
    """A date or instant after ``at``; a day is after ``"now"`` when it is after today in UTC."""

    code = "date.after"
    code_now = "date.future"

    def _holds(self, value: date) -> bool:
        return value > self._limit(value)


@dataclass(frozen=True, slots=True)
class MinAge(DateRule):
    """A day of birth at least ``years`` ago in UTC; who was born on 29 February is older on 1 March."""

    years: int
    clock: Clock = field(default=_SYSTEM, repr=False)

    def __post_init__(self) -> None:
        require(1 <= self.years <= 150, "MinAge: years must be from 1 to 150")

    def _holds(self, value: date) -> bool:
        return _age(value, self.clock) >= self.years

    def _error(self) -> PydanticCustomError:
        return refused("date.min_age", years=self.years)


@dataclass(frozen=True, slots=True)
class MaxAge(DateRule):
    """A day of birth, today or before, of somebody who is at most ``years`` old; days are those of UTC."""

    years: int
    clock: Clock = field(default=_SYSTEM, repr=False)

    def __post_init__(self) -> None:
        require(1 <= self.years <= 150, "MaxAge: years must be from 1 to 150")

    def _holds(self, value: date) -> bool:
        return 0 <= _age(value, self.clock) <= self.years

    def _error(self) -> PydanticCustomError:
        return refused("date.max_age", years=self.years)


def _age(born: date, clock: Clock) -> int:
    today = from_us(clock.now_us())
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))


@dataclass(frozen=True, slots=True)
class Weekday(DateRule):
    """A day that is one of ``days``, named in English (``"monday"``); of an instant, its day in its own time zone."""

    days: str | tuple[str, ...]

    def __post_init__(self) -> None:
        named = tuple(day.lower() for day in texts("Weekday", self.days))
        require(set(named) <= set(_DAYS), f"Weekday: days must be some of {', '.join(_DAYS)}")
        object.__setattr__(self, "days", named)

    def _holds(self, value: date) -> bool:
        return _DAYS[value.weekday()] in self.days

    def _error(self) -> PydanticCustomError:
        return refused("date.weekday")


@cache
def _zones() -> frozenset[str]:
    found = frozenset(available_timezones())
    if not found:
        raise ConfigurationError("TimeZoneName: this system has no time zone data: pip install tzdata")
    return found


def _time_zone(text: str) -> str:
    if text not in _zones():
        raise refused("time_zone.unknown")
    return text


TimeZoneName = Annotated[str, TextFormat("time zone", _time_zone, _ZONE_LENGTH)]
"""A name of the IANA time zone database as written there, such as ``Europe/Berlin``."""

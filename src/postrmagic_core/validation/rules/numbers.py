"""Numbers, decided on their exact value as written, and digits as text."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Any, LiteralString

from pydantic_core import PydanticCustomError

from ..rule import NumberRule, TextRule, exact, refused, require


@dataclass(frozen=True, slots=True, kw_only=True)
class Digits(TextRule):
    """Text of ``min`` to ``max`` ASCII digits, of exactly ``min`` where ``max`` is not given; leading zeros stay."""

    min: int
    max: int | None = None

    def __post_init__(self) -> None:
        require(1 <= self.min <= self._limit(), "Digits: min must be at least 1 and at most max")

    def _limit(self) -> int:
        return self.min if self.max is None else self.max

    def _check(self, value: str) -> str:
        if not (value.isascii() and value.isdecimal() and self.min <= len(value)):
            exactly = self.min == self._limit()
            raise (
                refused("digits.count", count=self.min)
                if exactly
                else refused("digits.range", min=self.min, max=self.max)
            )
        return value

    def _said(self) -> dict[str, Any]:
        return {"pattern": f"^[0-9]{{{self.min},{self._limit()}}}$"}


@dataclass(frozen=True, slots=True)
class DecimalPlaces(NumberRule):
    """A number that needs at most ``max`` decimal places; zeros at the end do not count."""

    max: int

    def __post_init__(self) -> None:
        require(0 <= self.max <= 100, "DecimalPlaces: max must be from 0 to 100")

    def _holds(self, number: Fraction) -> bool:
        return (number * Fraction(10**self.max)).denominator == 1

    def _error(self) -> PydanticCustomError:
        return refused("number.places", max=self.max)


@dataclass(frozen=True, slots=True)
class Even(NumberRule):
    """A whole number that two divides."""

    def _holds(self, number: Fraction) -> bool:
        return (number / 2).denominator == 1

    def _error(self) -> PydanticCustomError:
        return refused("number.even")

    def _said(self) -> dict[str, Any]:
        return {"multipleOf": 2}


@dataclass(frozen=True, slots=True)
class Odd(NumberRule):
    """A whole number that two does not divide."""

    def _holds(self, number: Fraction) -> bool:
        return number.denominator == 1 and number % 2 == 1

    def _error(self) -> PydanticCustomError:
        return refused("number.odd")


@dataclass(frozen=True, slots=True)
class StepOf(NumberRule):
    """A number that lies whole steps of ``step`` away from ``start``; exact, so 0.3 is three steps of 0.1."""

    step: int | float | Decimal
    start: int | float | Decimal = 0

    def __post_init__(self) -> None:
        step, start = exact(self.step), exact(self.start)
        require(step is not None and step > 0 and start is not None, "StepOf: step must be finite and above 0")

    def _holds(self, number: Fraction) -> bool:
        return ((number - (exact(self.start) or 0)) / (exact(self.step) or 1)).denominator == 1

    def _error(self) -> PydanticCustomError:
        return refused("number.step", step=self.step, start=self.start)

    def _said(self) -> dict[str, Any]:
        return {} if self.start else {"multipleOf": _plain(self.step)}


def _plain(number: int | float | Decimal) -> int | float:
    return float(number) if isinstance(number, Decimal) else number


@dataclass(frozen=True, slots=True)
class Between(NumberRule):
    """A number from ``low`` to ``high``, both included, refused as ``code``; of any kind, whatever the field's."""

    low: int | float | Decimal
    high: int | float | Decimal
    code: LiteralString = "number.between"

    def __post_init__(self) -> None:
        low, high = exact(self.low), exact(self.high)
        require(low is not None and high is not None and low <= high, "Between: low must be finite and at most high")

    def _holds(self, number: Fraction) -> bool:
        return (exact(self.low) or 0) <= number <= (exact(self.high) or 0)

    def _error(self) -> PydanticCustomError:
        return refused(self.code, low=self.low, high=self.high)

    def _said(self) -> dict[str, Any]:
        return {"minimum": _plain(self.low), "maximum": _plain(self.high)}


@dataclass(frozen=True, slots=True)
class Percentage(Between):
    """A number from 0 to 100."""

    low: int | float | Decimal = 0
    high: int | float | Decimal = 100
    code: LiteralString = "number.percentage"


Port = Annotated[int, Between(1, 65_535, "number.port")]
"""A TCP or UDP port: 1 to 65535."""

Latitude = Annotated[float, Between(-90, 90, "number.latitude")]
"""Degrees from -90 to 90."""

Longitude = Annotated[float, Between(-180, 180, "number.longitude")]
"""Degrees from -180 to 180."""

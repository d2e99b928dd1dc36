"""Examples for rules of numbers, lists and dates."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Annotated, Any

from postrmagic_core._clock import SystemClock, to_us
from postrmagic_core.validation.rules import (
    After,
    Before,
    Between,
    ContainsAll,
    DecimalPlaces,
    Digits,
    Distinct,
    Even,
    Latitude,
    Longitude,
    MaxAge,
    MinAge,
    NoneOf,
    Odd,
    OneOf,
    Percentage,
    Port,
    StepOf,
    TimeZoneName,
    Weekday,
)
from tests.validation.rules.vectors import Vector, each, same


@dataclass(frozen=True)
class Stopped(SystemClock):
    """A clock that stands."""

    at: datetime

    def now_us(self) -> int:
        """Wall time in microseconds since the epoch (UTC)."""
        return to_us(self.at)


CLOCK = Stopped(datetime(2026, 2, 28, 23, 30, tzinfo=UTC))
_NAN = [float("nan"), float("inf"), float("-inf")]
_EAST = timezone(timedelta(hours=14))

NUMBERS = [
    Vector(
        "Digits",
        Annotated[str, Digits(min=4, max=6)],
        "Digits(min=4, max=6)",
        "digits",
        same("0000", "123456"),
        [
            *each("digits.range", "123", "12a4", "12 34", "١٢٣٤", "+123", "1.23", "²²²²", ""),
            *each("string_too_long", "1234567"),
        ],
        {"min": 4, "max": 6},
        hostile=["1"],
    ),
    Vector(
        "DecimalPlaces",
        Annotated[Decimal, DecimalPlaces(2)],
        "DecimalPlaces(2)",
        "decimal_places",
        same(Decimal("1.25"), Decimal("1.500"), Decimal("-3"), Decimal("1E+3")),
        each("number.places", Decimal("0.001"), Decimal("1E-400"), Decimal("1E+9999"), Decimal("1." + "1" * 500)),
        {"max": 2},
        hostile=[lambda size: Decimal("1." + "1" * size), lambda size: Decimal(f"1E-{size}")],
    ),
    Vector(
        "Between",
        Annotated[int, Between(0.5, 10.5)],
        "Between(0.5, 10.5)",
        "between",
        same(1, 10),
        each("number.between", 0, 11, -(10**30), 10**2_000),
        {"low": 0.5, "high": 10.5},
    ),
    Vector(
        "Percentage",
        Annotated[float, Percentage()],
        "Percentage()",
        "percentage",
        [(0, 0.0), (100, 100.0), (12.5, 12.5)],
        each("number.percentage", -0.1, 100.01, 1e308, *_NAN),
    ),
    Vector("Port", Port, "Port", "port", same(1, 443, 65_535), each("number.port", 0, -1, 65_536, 10**30)),
    Vector(
        "Latitude",
        Latitude,
        "Latitude",
        "latitude",
        same(-90.0, 90.0, 52.52),
        each("number.latitude", -90.1, 91.0, *_NAN),
    ),
    Vector(
        "Longitude",
        Longitude,
        "Longitude",
        "longitude",
        same(-180.0, 180.0, 13.4),
        each("number.longitude", -180.1, 181.0, *_NAN),
    ),
    Vector(
        "Even",
        Annotated[int, Even()],
        "Even()",
        "even",
        same(0, -2, 10**20),
        each("number.even", 1, -1, 10**2_000),
    ),
    Vector("Odd", Annotated[int, Odd()], "Odd()", "odd", same(1, -1), each("number.odd", 0, 2, 10**2_000)),
    Vector(
        "StepOf",
        Annotated[float, StepOf(0.1, 0.05)],
        "StepOf(0.1, start=0.05)",
        "step_of",
        same(0.05, 0.15, 0.35, -0.05),
        each("number.step", 0.1, 0.3, 0.1500001, *_NAN),
        {"step": 0.1, "start": 0.05},
    ),
]


def _colliding(size: int) -> list[int]:
    """Whole numbers that all have the hash 0."""
    return [(2**61 - 1) * number for number in range(size // 2)]


def _nested(size: int) -> list[Any]:
    return [{"a": [number]} for number in range(size // 4)]


LISTS = [
    Vector(
        "Distinct",
        Annotated[list[Any], Distinct(max=100_000)],
        "Distinct()",
        "distinct",
        same([], [1, True, "1"], [{"a": 1}, {"a": 2}], [[1, 2], [12]], [None, 0, "", []], ["a", "A"]),
        [
            *each("list.distinct", [1, 1.0], ["a", "a"], [{"a": 1, "b": 2}, {"b": 2, "a": 1}], [[], []], [None, None]),
            *each("too_long", [0] * 100_001),
        ],
        {"max": 100_000},
        hostile=[_colliding, _nested, lambda size: list(map(str, range(size)))],
    ),
    Vector(
        "ContainsAll",
        Annotated[list[str], ContainsAll(("terms", "privacy"))],
        'ContainsAll(("terms", "privacy"))',
        "contains_all",
        same(["privacy", "terms"], ["terms", "x", "privacy", "terms"]),
        [*each("list.contains_all", [], ["terms"], ["Terms", "privacy"]), *each("too_long", ["terms"] * 10_001)],
        {"values": ["terms", "privacy"]},
        hostile=[lambda size: ["terms"] * (size // 2)],
    ),
    Vector(
        "OneOf",
        Annotated[str, OneOf(("letmein", "sesame"))],
        'OneOf(("letmein", "sesame"))',
        "one_of",
        same("sesame", "letmein"),
        each("choice.unknown", "", "Sesame", "sesame ", "x" * 10_000),
        {"values": ["letmein", "sesame"]},
        hostile=["sesame"],
    ),
    Vector(
        "NoneOf",
        Annotated[str, NoneOf(("password", "123456"))],
        'NoneOf(("password", "123456"))',
        "none_of",
        same("", "Password", "password1"),
        [*each("choice.refused", "password", "123456"), *each("string_too_long", "x" * 65_537)],
        {"values": ["password", "123456"]},
        hostile=["password"],
    ),
]

DATES = [
    Vector(
        "Before",
        Annotated[date, Before("now", CLOCK)],
        'Before("now")',
        "before",
        same(date(2026, 2, 27), date.min),
        each("date.past", date(2026, 2, 28), date(2026, 3, 1), date.max),
        {"at": "now"},
    ),
    Vector(
        "After",
        Annotated[datetime, After(date(2026, 1, 1))],
        "After(date(2026, 1, 1))",
        "after",
        same(datetime(2026, 1, 1, 0, 0, 1, tzinfo=UTC), datetime(2026, 1, 1, 14, 1, tzinfo=_EAST)),
        [
            *each("date.after", datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, 14, tzinfo=_EAST)),
            *each("date.after", datetime.min.replace(tzinfo=_EAST)),
            *each("timezone_aware", datetime(2026, 1, 2)),  # noqa: DTZ001 - the rule refuses it
        ],
        {"at": "2026-01-01"},
    ),
    Vector(
        "MinAge",
        Annotated[date, MinAge(18, CLOCK)],
        "MinAge(18)",
        "min_age",
        same(date(2008, 2, 28), date(1900, 1, 1), date.min),
        each("date.min_age", date(2008, 2, 29), date(2008, 3, 1), date(2030, 1, 1), date.max),
        {"years": 18},
    ),
    Vector(
        "MaxAge",
        Annotated[date, MaxAge(17, CLOCK)],
        "MaxAge(17)",
        "max_age",
        same(date(2026, 2, 28), date(2008, 2, 29)),
        each("date.max_age", date(2008, 2, 28), date(2026, 3, 1), date.min, date.max),
        {"years": 17},
    ),
    Vector(
        "Weekday",
        Annotated[date, Weekday(("monday", "friday"))],
        'Weekday(("monday", "friday"))',
        "weekday",
        same(date(2026, 11, 27), date(2026, 11, 30)),
        each("date.weekday", date(2026, 11, 28), date(2026, 11, 29)),
        {"days": ["monday", "friday"]},
    ),
    Vector(
        "TimeZoneName",
        TimeZoneName,
        "TimeZoneName",
        "time_zone",
        same("Europe/Berlin", "UTC", "America/Argentina/Buenos_Aires"),
        [
            *each(
                "time_zone.unknown", "", "europe/berlin", "Europe", "../etc/passwd", "/etc/passwd", "Europe/Berlin\0"
            ),
            *each("string_too_long", "x" * 65),
        ],
        hostile=["Europe/"],
    ),
]

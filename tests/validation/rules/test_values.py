"""Rules of numbers, lists and dates: exact values, equal items, days and instants."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, TypeAdapter

from postrmagic_core.errors import ConfigurationError, UsageError, ValidationFailed
from postrmagic_core.testing import FakeClock
from postrmagic_core.validation import Input
from postrmagic_core.validation.rules import (
    After,
    Before,
    Between,
    ContainsAll,
    DecimalPlaces,
    Digits,
    Distinct,
    MaxAge,
    MinAge,
    NoneOf,
    OneOf,
    StepOf,
    TimeZoneName,
    Weekday,
)
from postrmagic_core.validation.rules import dates as dates_module
from postrmagic_core.validation.rules.identity import identity
from tests.validation.conftest import Complaints
from tests.validation.fuzzing import quick
from tests.validation.rules.vectors import checks


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Digits(min=0),
        lambda: Digits(min=3, max=2),
        lambda: DecimalPlaces(-1),
        lambda: StepOf(0),
        lambda: Between(2, 1),
        lambda: Between(0, float("inf")),
        lambda: StepOf(float("nan")),
        lambda: StepOf(1, float("inf")),
        lambda: StepOf(Decimal("1E+999999")),
        lambda: Distinct(max=0),
        lambda: ContainsAll(()),
        lambda: OneOf(()),
        lambda: OneOf("abc"),  # type: ignore[arg-type]  # the mistake is the point
        lambda: NoneOf(()),
        lambda: Before("soon"),  # type: ignore[arg-type]  # the mistake is the point
        lambda: After(datetime(2026, 1, 1)),  # noqa: DTZ001 - the mistake is the point
        lambda: MinAge(0),
        lambda: MaxAge(151),
        lambda: Weekday("someday"),
        lambda: Weekday(()),
    ],
)
def test_wrong_parameters_are_refused_at_once(wrong: Any) -> None:
    """When the rule is made, not when the first input comes."""
    with pytest.raises(ConfigurationError, match=r"must be|give"):
        wrong()


def test_exactly_so_many_digits_are_told_as_such() -> None:
    """One number where there is one."""
    with pytest.raises(ValidationFailed) as caught:
        checks(Annotated[str, Digits(min=4)]).validate("12")
    assert caught.value.errors[0] == {"pointer": "", "code": "digits.count", "message": "must consist of 4 digits"}


def test_steps_are_exact(complaints: Complaints) -> None:
    """Neither binary fractions nor the 28 digits of decimal arithmetic decide."""
    tenth = checks(Annotated[Decimal, StepOf(Decimal("0.1"))])
    long = Decimal("1" * 60 + ".3")
    assert tenth.validate(long) == long
    assert complaints(lambda: tenth.validate(Decimal("1" * 60 + ".35"))) == [("", "number.step")]
    floats = checks(Annotated[float, StepOf(0.1)])
    assert floats.validate(0.30000000000000004 - 0.00000000000000004) == 0.3
    assert complaints(lambda: floats.validate(0.1 + 0.2)) == [("", "number.step")]


def test_truth_values_are_no_numbers(complaints: Complaints) -> None:
    """Also where the type would let them through."""
    assert complaints(lambda: checks(Annotated[Any, StepOf(1)]).validate(True)) == [("", "float_type")]


class Colour(Enum):
    """Something to choose."""

    RED = "red"


class Item(Input):
    """Something to list."""

    sku: str
    count: int = 1


class Loose(BaseModel):
    """A model without a hash."""

    sku: list[str]


DIFFERENT: list[Any] = [
    None,
    True,
    False,
    0,
    1,
    -1,
    "",
    "0",
    "1",
    "z",
    "i1",
    0.5,
    Decimal("0.25"),
    2**64,
    b"1",
    [],
    [[]],
    [1, 2],
    [12],
    ["a", "b"],
    ["a,b"],
    [["a"], "b"],
    {},
    {"a": 1},
    {"a": "1"},
    {"b": 1},
    set(),
    {1},
    Colour.RED,
    date(2026, 1, 1),
    datetime(2026, 1, 1, tzinfo=UTC),
    timedelta(1),
    UUID(int=1),
    float("inf"),
    float("nan"),
    Item(sku="a"),
    Item(sku="b"),
    Loose(sku=["a"]),
]
EQUAL = [
    (1, 1.0, Decimal(1), Decimal("1.000")),
    (0, 0.0, -0.0, Decimal("-0.0")),
    (10**20, 1e20, Decimal("1E+20")),
    (0.1, Decimal("0.1"), Decimal("0.10")),
    ([1], (1,)),
    ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
    ({1, 2}, frozenset({2, 1})),
    (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, 2, tzinfo=timezone(timedelta(hours=2)))),
]


def test_different_values_have_different_identities() -> None:
    """No two of these are the same."""
    assert len({identity(value) for value in DIFFERENT}) == len(DIFFERENT)


@pytest.mark.parametrize("values", EQUAL)
def test_equal_values_have_one_identity(values: tuple[Any, ...]) -> None:
    """However they are written."""
    assert len({identity(value) for value in values}) == 1


TREES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.integers(-2, 2) | st.text("ab:[]1", max_size=3) | st.sampled_from([0.0, 1.0, 0.5]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab:1", max_size=2), inner, max_size=2),
    max_leaves=5,
)


@quick
@given(TREES, TREES)
def test_identities_are_equal_where_values_are(left: Any, right: Any) -> None:
    """And nowhere else."""
    assert (identity(left) == identity(right)) == (left == right)


def test_items_are_distinct_by_a_field(complaints: Complaints) -> None:
    """Of models and of mappings."""
    by_sku = Distinct("sku")
    items = [{"sku": "a"}, {"sku": "a", "count": 2}]
    assert complaints(lambda: checks(Annotated[list[Item], by_sku]).validate(items)) == [("", "list.distinct")]
    assert complaints(lambda: checks(Annotated[list[dict[str, Any]], by_sku]).validate(items)) == [
        ("", "list.distinct")
    ]
    assert len(checks(Annotated[list[Item], Distinct()]).validate(items)) == 2


def test_what_cannot_be_compared_is_the_developers_mistake() -> None:
    """Types without an identity, and values without an end."""
    endless: list[Any] = []
    endless.append(endless)
    for value in (object(), endless):
        with pytest.raises(UsageError, match="cannot be compared"):
            identity(value)


def test_a_choice_is_shown_only_when_told_so() -> None:
    """Neither the message, nor the JSON Schema, nor the rule's own text names a secret."""
    secret: Any = Annotated[str, OneOf(("hunter2",))]
    shown: Any = Annotated[str, OneOf(("red", "blue"), shown=True)]
    messages = []
    for annotation in (secret, shown):
        with pytest.raises(ValidationFailed) as caught:
            checks(annotation).validate("x")
        messages.append(caught.value.errors[0]["message"])
    assert messages == ["is none of the accepted values", "must be one of red, blue"]
    assert "hunter2" not in f"{secret!r}{TypeAdapter(secret).json_schema()}"
    assert "hunter2" not in f"{NoneOf(('hunter2',))!r}{TypeAdapter(Annotated[str, NoneOf(('hunter2',))]).json_schema()}"
    assert TypeAdapter(shown).json_schema()["enum"] == ["red", "blue"]


def test_one_of_numbers_does_not_take_a_truth_value(complaints: Complaints) -> None:
    """Though Python holds True and 1 for the same."""
    validator = checks(Annotated[Any, OneOf((1, 2))])
    assert validator.validate(1) == 1
    assert complaints(lambda: validator.validate(True)) == [("", "choice.unknown")]


def test_now_moves_with_the_clock(complaints: Complaints) -> None:
    """A rule is made once, and asks for the time at each check."""
    clock = FakeClock(datetime(2026, 1, 1, tzinfo=UTC))
    future = checks(Annotated[datetime, After("now", clock)])
    moment = datetime(2026, 1, 1, 0, 0, 1, tzinfo=UTC)
    assert future.validate(moment) == moment
    clock.advance(1)
    assert complaints(lambda: future.validate(moment)) == [("", "date.future")]


def test_days_and_instants_are_compared_as_what_the_input_is(complaints: Complaints) -> None:
    """A day with the limit's day in UTC, an instant with the beginning of the limit's day."""
    late = datetime(2026, 1, 1, 23, 30, tzinfo=timezone(timedelta(hours=-3)))  # 2 January in UTC
    before_instant: Any = Annotated[date, Before(late)]
    assert checks(before_instant).validate(date(2026, 1, 1)) == date(2026, 1, 1)
    assert complaints(lambda: checks(before_instant).validate(date(2026, 1, 2))) == [("", "date.before")]
    before_day: Any = Annotated[datetime, Before(date(2026, 1, 1))]
    eve = datetime(2025, 12, 31, 23, 59, tzinfo=UTC)
    assert checks(before_day).validate(eve) == eve
    assert complaints(lambda: checks(before_day).validate(datetime(2026, 1, 1, tzinfo=UTC))) == [("", "date.before")]


def test_a_limit_is_told_as_it_was_given() -> None:
    """In ISO 8601."""
    with pytest.raises(ValidationFailed) as caught:
        checks(Annotated[date, Before(date(2026, 1, 1))]).validate(date(2026, 1, 1))
    assert caught.value.errors[0]["message"] == "must be before 2026-01-01"


def test_dates_of_json_are_checked_too(complaints: Complaints) -> None:
    """The rule sees the date that pydantic read."""
    validator = checks(Annotated[date, Weekday("monday")])
    assert validator.validate_json(b'"2026-11-30"') == date(2026, 11, 30)
    assert complaints(lambda: validator.validate_json(b'"2026-11-28"')) == [("", "date.weekday")]


def test_who_was_born_on_a_leap_day_is_older_on_the_first_of_march(complaints: Complaints) -> None:
    """In years without that day."""
    clock = FakeClock(datetime(2026, 2, 28, 23, 59, tzinfo=UTC))
    adult = checks(Annotated[date, MinAge(18, clock)])
    assert complaints(lambda: adult.validate(date(2008, 2, 29))) == [("", "date.min_age")]
    clock.advance(60)
    assert adult.validate(date(2008, 2, 29)) == date(2008, 2, 29)


def test_each_rule_goes_by_its_own_clock() -> None:
    """Also where rules differ in nothing else: Python keeps annotations, and takes equal ones for one."""
    young, old = FakeClock(datetime(2026, 2, 28, tzinfo=UTC)), FakeClock(datetime(2026, 3, 1, tzinfo=UTC))
    born = date(2008, 2, 29)
    with pytest.raises(ValidationFailed):
        checks(Annotated[date, MinAge(18, young)]).validate(born)
    assert checks(Annotated[date, MinAge(18, old)]).validate(born) == born


def test_a_system_without_time_zones_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rather than that every zone is unknown."""
    monkeypatch.setattr(dates_module, "available_timezones", set)
    dates_module._zones.cache_clear()
    try:
        with pytest.raises(ConfigurationError, match="pip install tzdata"):
            checks(TimeZoneName).validate("UTC")
    finally:
        dates_module._zones.cache_clear()

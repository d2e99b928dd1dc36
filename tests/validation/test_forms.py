"""A form knows only texts: how they become fields, and which texts cannot be meant."""

from __future__ import annotations

import contextlib
import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AwareDatetime, Field

from postrmagic_core.errors import UsageError, ValidationFailed
from postrmagic_core.validation import Input, InputLimits, Validator, errors_by_field
from tests.validation.fuzzing import quick


class Search(Input):
    """One field of each kind a form has."""

    q: str = ""
    note: str | None = None
    page: int = 1
    ratio: float | None = None
    price: Annotated[Decimal, Field(ge=0)] | None = None
    since: datetime.date | None = None
    at: datetime.datetime | None = None
    zoned: AwareDatetime | None = None
    key: UUID | None = None
    public: bool = False
    tags: list[str] = Field(default_factory=list)
    ids: tuple[int, ...] = ()
    sort: Literal["new", "old"] = Field(default="new", alias="order")


FORM = Validator(Search)


def test_texts_become_what_the_fields_say() -> None:
    """The usual writing of numbers, dates and booleans is read, also by a strict model; repeated names collect."""
    pairs = [
        ("q", " posters "),
        ("page", "2"),
        ("ratio", "-1.5e3"),
        ("price", "1.10"),
        ("since", "2026-01-31"),
        ("at", "2026-01-31T10:00"),
        ("public", "on"),
        ("tags", "a"),
        ("tags", "b"),
        ("ids", "1"),
        ("ids", "2"),
        ("order", "old"),
    ]
    assert FORM.validate_form(pairs) == Search(
        q=" posters ",
        page=2,
        ratio=-1500.0,
        price=Decimal("1.10"),
        since=datetime.date(2026, 1, 31),
        at=datetime.datetime(2026, 1, 31, 10, 0),  # noqa: DTZ001 - an input of type datetime-local has no zone
        public=True,
        tags=["a", "b"],
        ids=(1, 2),
        order="old",
    )


def test_a_blank_input_was_not_sent_unless_it_is_text() -> None:
    """Browsers send every input: an empty number is none, an empty text is an empty text."""
    names = ("q", "note", "page", "ratio", "price", "since", "at", "key", "public", "ids")
    assert FORM.validate_form([(name, "") for name in names]) == Search(q="", note="")


def test_one_value_sent_twice_is_refused(complaints: Any) -> None:
    """Neither the first nor the last wins."""
    assert complaints(lambda: FORM.validate_form([("q", "a"), ("q", "b"), ("q", "c")])) == [("/q", "form.repeated")]


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("page", "1_000", "float_parsing"),
        ("page", "1.5", "int_parsing"),
        ("page", "\u0661", "int_parsing"),
        ("page", "x", "int_parsing"),
        ("page", "9" * 5000, "int_parsing_size"),
        ("ratio", "nan", "finite_number"),
        ("ratio", "1e999", "finite_number"),
        ("ratio", "0x10", "float_parsing"),
        ("price", "-1", "greater_than_equal"),
        ("since", "1700006400", "datetime_parsing"),
        ("at", "1700000000", "datetime_parsing"),
        ("zoned", "5", "datetime_parsing"),
        ("public", "maybe", "bool_parsing"),
        ("unknown", "1", "extra_forbidden"),
        ("sort", "old", "extra_forbidden"),
        ("order", "up", "literal_error"),
    ],
)
def test_what_cannot_be_meant_is_refused(name: str, value: str, code: str, complaints: Any) -> None:
    """One code each, at the field's own name."""
    assert (f"/{name}", code) in complaints(lambda: FORM.validate_form([(name, value)]))


def test_a_file_is_no_text(complaints: Any) -> None:
    """An uploaded file in a text's place is an error of the sender."""
    assert complaints(lambda: FORM.validate_form([("q", object())])) == [("/q", "form.text_expected")]


def test_all_problems_come_at_once() -> None:
    """What is wrong with the form and with the model is one answer, ready to be shown beside the inputs."""
    with pytest.raises(ValidationFailed) as caught:
        FORM.validate_form([("q", "a"), ("q", "b"), ("page", "x"), ("ids", "1"), ("ids", "x")])
    assert errors_by_field(caught.value) == {
        "q": ["was sent more than once"],
        "page": ["must be a whole number"],
        "ids": ["must be a whole number"],
    }


def test_limits_hold_while_reading(complaints: Any) -> None:
    """Too many pairs and too much text stop the reading at once."""
    narrow = Validator(Search, limits=InputLimits(items=3, bytes=20))
    assert complaints(lambda: narrow.validate_form([("tags", "a")] * 4)) == [("", "limit.items")]
    assert complaints(lambda: narrow.validate_form([("q", "a" * 20)])) == [("", "limit.bytes")]


def test_a_form_needs_a_model() -> None:
    """A type without fields has no form."""
    with pytest.raises(UsageError, match="needs a model"):
        Validator(list[int]).validate_form([])


@quick
@given(
    st.lists(st.tuples(st.sampled_from(["q", "page", "since", "at", "key", "ids", "x", "\0"]), st.text(max_size=12)))
)
def test_no_form_breaks_it(pairs: list[tuple[str, str]]) -> None:
    """Any pairs are a model or ValidationFailed."""
    with contextlib.suppress(ValidationFailed):
        assert FORM.validate_form(pairs).page is not None

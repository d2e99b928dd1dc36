"""A validator names every problem at once, by place and code, and never repeats what was sent."""

from __future__ import annotations

import datetime
import enum
import json
import uuid
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Annotated, Any, Literal, TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    Strict,
    ValidationInfo,
    model_validator,
)

from postrmagic_core._problem import problem_for
from postrmagic_core.errors import ConfigurationError, UsageError, ValidationFailed
from postrmagic_core.validation import Input, InputLimits, Validator, errors_by_field, invalid
from postrmagic_core.validation.groups import In
from postrmagic_core.validation.messages import Catalogue
from tests.validation.fuzzing import quick

CANARY = "hunter2-CANARY"


class Kind(enum.StrEnum):
    """A choice."""

    POSTER = "poster"
    FLYER = "flyer"


class Size(Input):
    """A nested model."""

    width: int = Field(ge=1)
    unit: Literal["mm", "in"] = "mm"


class Cat(Input):
    """One branch of a tagged union."""

    kind: Literal["cat"]
    lives: int


class Dog(Input):
    """The other branch."""

    kind: Literal["dog"]
    name: str


class Poster(Input):
    """A model with one field of every kind that pydantic has errors for."""

    title: str = Field(max_length=20)
    copies: int = Field(default=1, gt=0, le=100)
    price: Decimal | None = None
    ratio: float = 1.0
    on: datetime.date | None = None
    at: datetime.datetime | None = None
    key: uuid.UUID | None = None
    kind: Kind = Kind.POSTER
    code: str = Field(default="A1", pattern=r"^[A-Z][0-9]$")
    sizes: list[Size] = Field(default_factory=list)
    tags: tuple[str, ...] = ()
    pet: Annotated[Cat | Dog, Field(discriminator="kind")] | None = None
    either: int | Size = 0
    names: dict[str, int] = Field(default_factory=dict)
    public: bool = False


POSTERS = Validator(Poster)


def test_the_model_comes_back() -> None:
    """Correct input becomes the typed, immutable model."""
    poster = POSTERS.validate({"title": "Fair", "sizes": [{"width": 3}]})
    assert (poster.title, poster.sizes[0].width, poster.kind) == ("Fair", 3, Kind.POSTER)
    with pytest.raises(ValueError, match="frozen"):
        poster.title = "other"


def test_every_problem_is_named_with_its_place(complaints: Any) -> None:
    """One answer holds all problems; pointers lead into the data that was sent."""
    found = complaints(
        lambda: POSTERS.validate(
            {
                "copies": 0,
                "sizes": [{"width": 1}, {"width": 0, "unit": "cm"}, "x"],
                "pet": {"kind": "cat"},
                "either": {"width": "x"},
                "names": {"a/b~c": "x"},
                "extra": 1,
            }
        )
    )
    assert set(found) == {
        ("/title", "missing"),
        ("/copies", "greater_than"),
        ("/sizes/1/width", "greater_than_equal"),
        ("/sizes/1/unit", "literal_error"),
        ("/sizes/2", "model_type"),
        ("/pet/lives", "missing"),
        ("/either", "int_type"),
        ("/either/width", "int_type"),
        ("/names/a~1b~0c", "int_type"),
        ("/extra", "extra_forbidden"),
    }


def test_nothing_is_converted_silently(complaints: Any) -> None:
    """Text is no number, a number is no text, 1 is not true."""
    found = complaints(lambda: POSTERS.validate({"title": 5, "copies": "1", "public": 1}))
    assert found == [("/title", "string_type"), ("/copies", "int_type"), ("/public", "bool_type")]


def test_json_reads_the_texts_json_needs() -> None:
    """Dates, UUIDs and decimals are texts in JSON and read as such, also in strict models."""
    key = uuid.uuid4()
    body = {"title": "x", "on": "2026-01-31", "at": "2026-01-31T10:00:00Z", "price": "1.10", "key": str(key)}
    poster = POSTERS.validate_json(json.dumps(body).encode())
    assert (poster.on, poster.price, poster.key) == (datetime.date(2026, 1, 31), Decimal("1.10"), key)


@pytest.mark.parametrize(
    "data",
    [
        {"title": CANARY * 3},
        {"title": [CANARY]},
        {"title": "x", "copies": CANARY},
        {"title": "x", "price": CANARY},
        {"title": "x", "ratio": CANARY},
        {"title": "x", "on": CANARY},
        {"title": "x", "at": f"2026-01-01T00:00:00{CANARY}"},
        {"title": "x", "key": CANARY},
        {"title": "x", "kind": CANARY},
        {"title": "x", "code": CANARY},
        {"title": "x", "sizes": CANARY},
        {"title": "x", "sizes": [CANARY]},
        {"title": "x", "pet": {"kind": CANARY}},
        {"title": "x", "pet": CANARY},
        {"title": "x", "either": CANARY},
        {"title": "x", "names": {"a": CANARY}},
        {"title": "x", "public": CANARY},
        {"title": "x", (CANARY + "\n"): 1},
        {"title": "x", CANARY * 10: 1},
        {"title": "x", "names": {CANARY * 10: "x"}},
        CANARY,
    ],
)
@pytest.mark.parametrize("way", ["data", "json"])
def test_no_value_reaches_an_error(data: object, way: str) -> None:
    """What was sent is in no message, pointer, error text, cause or problem document."""
    with pytest.raises(ValidationFailed) as caught:
        POSTERS.validate(data) if way == "data" else POSTERS.validate_json(json.dumps(data).encode())
    error = caught.value
    assert error.errors
    assert CANARY not in f"{error!r} {error} {error.errors} {error.__cause__!r} {problem_for(error).body()!r}"
    assert error.__suppress_context__


def test_names_are_shown_only_when_harmless(complaints: Any) -> None:
    """An unknown field is named by its pointer unless its name is long or not printable; then its parent is."""
    found = complaints(lambda: POSTERS.validate({"title": "x", "größe": 1, "a\u202eb": 1, "\x1b[2J": 1, "k" * 65: 1}))
    assert set(found) == {("/größe", "extra_forbidden"), ("", "extra_forbidden")}


class Account(BaseModel):
    """A model whose validators fail in each way a developer may write."""

    model_config = ConfigDict(hide_input_in_errors=True)
    name: Annotated[str, AfterValidator(lambda name: _loud(name))]
    password: str = ""
    again: str = ""

    @model_validator(mode="after")
    def same(self) -> Account:
        """The two must be equal."""
        if self.password != self.again:
            raise invalid("password.mismatch", "the passwords differ")
        return self


def _loud(name: str) -> str:
    if name == CANARY:
        raise ValueError(f"{name} is taken")
    return name


def test_a_rule_of_the_application_speaks_for_itself(complaints: Any) -> None:
    """invalid() gives the code and the words; a plain ValueError, which may quote the value, gives none."""
    accounts = Validator(Account)
    with pytest.raises(ValidationFailed) as caught:
        accounts.validate({"name": "a", "password": "x", "again": "y"})
    assert caught.value.errors == [{"pointer": "", "code": "password.mismatch", "message": "the passwords differ"}]
    with pytest.raises(ValidationFailed) as caught:
        accounts.validate({"name": CANARY})
    assert caught.value.errors == [{"pointer": "/name", "code": "value_error", "message": "is not valid"}]


def test_a_rule_s_numbers_stand_in_its_words() -> None:
    """Each in the place of its name, in the catalogue's singular or plural."""

    def free(seats: int) -> int:
        raise invalid("seats.left", "only {left} are free", left=3)

    class Booking(Input):
        """Seats wanted."""

        seats: Annotated[int, AfterValidator(free)]

    seats = Validator(
        Booking,
        catalogues={"de": {"seats.left": ("nur {left} Platz ist frei", "nur {left} Plätze sind frei")}},
    )
    with pytest.raises(ValidationFailed) as caught:
        seats.validate({"seats": 9})
    assert [error["message"] for error in caught.value.errors] == ["only 3 are free"]
    with pytest.raises(ValidationFailed) as caught:
        seats.validate({"seats": 9}, locale="de")
    assert [error["message"] for error in caught.value.errors] == ["nur 3 Plätze sind frei"]


def test_a_code_needs_its_dot() -> None:
    """Codes of rules cannot be mistaken for pydantic's."""
    with pytest.raises(UsageError, match="dot"):
        invalid("mismatch", "x")


def test_any_type_can_be_validated(complaints: Any) -> None:
    """Not only models: whatever pydantic knows."""
    numbers = Validator(list[Annotated[int, Strict()]])
    assert numbers.validate([1, 2]) == [1, 2]
    assert complaints(lambda: numbers.validate([1, "2", None])) == [("/1", "int_type"), ("/2", "int_type")]


Short: TypeAlias = Annotated[str, Field(min_length=1)]
Longer: TypeAlias = Annotated[str, Field(min_length=2)]
GERMAN: Catalogue = {
    "missing": "fehlt",
    "string_too_long": ("höchstens {max_length} Zeichen", "höchstens {max_length} Zeichen"),
}


def test_messages_have_a_locale_and_a_plural() -> None:
    """Texts come from the locale's catalogue, and from the English one where it has none."""
    with pytest.raises(ValidationFailed) as caught:
        Validator(Size, locale="de", catalogues={"de": GERMAN}).validate({"unit": "cm"})
    assert [error["message"] for error in caught.value.errors] == ["fehlt", "must be 'mm' or 'in'"]
    with pytest.raises(ValidationFailed) as caught:
        Validator(tuple[Short, Longer]).validate(["", ""])
    texts = [error["message"] for error in caught.value.errors]
    assert texts == ["must have at least 1 character", "must have at least 2 characters"]


def test_an_unknown_locale_is_refused() -> None:
    """A locale without messages is an error at construction, naming those there are."""
    with pytest.raises(ConfigurationError, match=r"'fr'.*known: de, en"):
        Validator(Size, locale="fr", catalogues={"de": {}})


@pytest.mark.parametrize("way", ["data", "json", "form"])
def test_each_call_may_have_a_locale_of_its_own(way: str) -> None:
    """Of the catalogues the validator knows; it keeps its own for the other calls."""
    sizes = Validator(Size, catalogues={"xx": {"missing": "xx"}})
    calls: dict[str, Callable[..., object]] = {
        "data": partial(sizes.validate, {}),
        "json": partial(sizes.validate_json, b"{}"),
        "form": partial(sizes.validate_form, []),
    }

    def text(**options: Any) -> list[str]:
        with pytest.raises(ValidationFailed) as caught:
            calls[way](**options)
        return [error["message"] for error in caught.value.errors]

    assert [text(), text(locale="xx"), text(locale="en"), text()] == [
        ["is required"],
        ["xx"],
        ["is required"],
        ["is required"],
    ]
    with pytest.raises(ConfigurationError, match=r"'fr'.*known: de, en, xx"):
        calls[way](locale="fr")


def test_german_comes_with_the_package() -> None:
    """No catalogue need be given; the validator's own locale is the first it names."""
    with pytest.raises(ValidationFailed) as caught:
        Validator(Size, locale="de").validate({})
    assert caught.value.errors[0]["message"] not in {"is required", "is not valid"}
    assert (Validator(Size, locale="de").locales, Validator(Size).locales) == (("de", "en"), ("en", "de"))


def _seen(value: int, info: ValidationInfo) -> object:
    return value, info.context


@pytest.mark.parametrize("groups", [(), {"create"}, ["create", "late"]])
def test_every_rule_finds_the_groups_of_the_call(groups: Any) -> None:
    """In pydantic's context, whatever way the input came; a call without groups names none."""

    class Seen(Input):
        create: Annotated[int | None, In("create", Field(ge=0)), In("late", Field(ge=0))] = None
        seen: Annotated[int, AfterValidator(_seen)]

    seen = Validator(Seen)
    values: list[Any] = [
        seen.validate({"seen": 1}, groups=groups),
        seen.validate_json(b'{"seen": 1}', groups=groups),
        seen.validate_form([("seen", "1")], groups=groups),
    ]
    assert [value.seen for value in values] == [(1, {"groups": frozenset(groups)})] * 3


def test_groups_are_a_collection_of_the_models_names() -> None:
    """One text, which is a collection of letters, and a name that the model lacks are mistakes."""
    for wrong in ("create", {"create"}):
        with pytest.raises(UsageError, match="group"):
            Validator(Size).validate({"width": 1}, groups=wrong)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ([[[[1]]]], "limit.depth"),
        ({"a": {"b": {"c": {}}}}, "limit.depth"),
        ([0] * 20, "limit.items"),
        ([[0] * 9, [0] * 9], "limit.items"),
        (["x" * 50, "y" * 51], "limit.bytes"),
        ({"k" * 101: 1}, "limit.bytes"),
    ],
)
def test_limits_are_met_before_meaning(data: object, code: str, complaints: Any) -> None:
    """The same limits hold for Python data and for JSON, and come alone."""
    everything = Validator[Any](object, limits=InputLimits(depth=3, items=20, bytes=100))
    assert complaints(lambda: everything.validate(data)) == [("", code)]
    assert complaints(lambda: everything.validate_json(json.dumps(data, separators=(",", ":")).encode())) == [
        ("", code)
    ]


def test_what_fits_the_limits_passes() -> None:
    """A limit is the last value allowed, counted alike in both ways."""
    everything = Validator[Any](object, limits=InputLimits(depth=3, items=20, bytes=100))
    for data in ([[[1]]], [0] * 19, {"a": [{}, []], "b": '[[[["{{\\"'}, ["x" * 90]):
        assert everything.validate(data) == data
        assert everything.validate_json(json.dumps(data).encode()) == data


def test_a_cycle_ends() -> None:
    """Data that contains itself breaks the depth limit instead of hanging."""
    cycle: list[object] = []
    cycle.append(cycle)
    with pytest.raises(ValidationFailed, match="nested too deeply"):
        Validator[Any](object).validate(cycle)


@pytest.mark.parametrize("field", ["depth", "items", "bytes"])
def test_limits_are_positive(field: str) -> None:
    """A limit below one is a mistake of the configuration."""
    with pytest.raises(ConfigurationError):
        InputLimits(**{field: 0})


JSON_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
FIELDS = st.sampled_from([*Poster.model_fields, "width", "unit", "x"])


@quick
@given(st.dictionaries(FIELDS, JSON_VALUES, max_size=6) | JSON_VALUES)
def test_no_data_breaks_it(data: Any) -> None:
    """Whatever arrives is accepted or refused by ValidationFailed, in both ways, and pointers resolve."""
    for call in (partial(POSTERS.validate, data), partial(POSTERS.validate_json, json.dumps(data).encode())):
        lost = [one for one in _errors(call) if one["code"] != "missing" and not _resolves(one["pointer"], data)]
        assert lost == []


def _errors(call: Callable[[], object]) -> list[dict[str, str]]:
    try:
        call()
    except ValidationFailed as error:
        return error.errors
    return []


def _resolves(pointer: str, data: Any) -> bool:
    for step in pointer.split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        data = data[int(name)] if isinstance(data, list) else data[name]
    return True


def test_errors_by_field_are_for_forms() -> None:
    """Messages are gathered under the top-level field; those about the whole under the empty name."""
    error = ValidationFailed(
        [
            {"pointer": "/a~1b", "code": "x", "message": "one"},
            {"pointer": "/a~1b/0", "code": "x", "message": "two"},
            {"pointer": "", "code": "x", "message": "three"},
        ]
    )
    assert errors_by_field(error) == {"a/b": ["one", "two"], "": ["three"]}

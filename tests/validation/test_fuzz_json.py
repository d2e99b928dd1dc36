"""JSON and forms under fire: a value, or ValidationFailed; read alike by both parsers; never more than linear time."""

from __future__ import annotations

import contextlib
import datetime
import json
from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from hypothesis import strategies as st
from pydantic import Field

from postrmagic_core.errors import ValidationFailed
from postrmagic_core.testing.growth import growth
from postrmagic_core.validation import Input, InputLimits, Validator
from postrmagic_core.validation.rules import Filename, PlainText, SafeHtml, Slug, Tag
from tests.validation.fuzzing import FRAGMENTS, fuzz, hostile_texts, json_values, mutated, runs


class Venue(Input):
    """Where it takes place."""

    name: Annotated[str, PlainText(max=40, min=1)]
    seats: Annotated[int, Field(ge=1, le=10_000)]


class Poster(Input):
    """A field of each kind."""

    title: Annotated[str, PlainText(max=80, min=1)]
    slug: Slug = "poster"
    tags: Annotated[list[Tag], Field(max_length=20)] = Field(default_factory=list)
    about: Annotated[str, SafeHtml()] = ""
    file: Filename = "file"
    price: float | None = None
    exact: Decimal | None = None
    copies: int = 1
    public: bool = False
    day: datetime.date | None = None
    at: datetime.datetime | None = None
    key: UUID | None = None
    kind: Literal["new", "old"] = "new"
    venue: Venue | None = None
    more: dict[str, list[int]] = Field(default_factory=dict)


POSTER = Validator(Poster)
ANYTHING = Validator[Any](object)
GOOD = json.dumps(
    {
        "title": "Jazz \u00e9 \\ \"quoted\" \U0001f600",
        "slug": "a-b",
        "tags": ["jazz", "open air"],
        "about": "<b>x</b>",
        "file": "a.jpeg",
        "price": -1.5e3,
        "exact": "1.10",
        "copies": 12345678901234567890,
        "public": True,
        "day": "2026-01-31",
        "at": "2026-01-31T10:00:00Z",
        "key": "0190a5b4-6c1e-7c3a-9b1e-2f6d3c9e8a70",
        "kind": "old",
        "venue": {"name": "Old Harbour", "seats": 3},
        "more": {"a": [1, 2], "": []},
    }
).encode()  # fmt: skip
NAMES = [*Poster.model_fields, "unknown", "", "/", "\0", "x" * 70]


def good_errors(error: ValidationFailed) -> None:
    """Each problem has a pointer, a code, and a message without a gap; the whole fits into a response."""
    json.dumps(error.errors)
    for problem in error.errors:
        assert problem.keys() == {"pointer", "code", "message"}
        assert problem["pointer"] == "" or problem["pointer"].startswith("/")
        assert "…" not in problem["message"]
        assert "{" not in problem["message"]


def checked(call: Callable[[], object]) -> None:
    """A value, or well-formed problems."""
    try:
        call()
    except ValidationFailed as error:
        good_errors(error)


@pytest.mark.parametrize("examples", runs(60))
def test_mutated_json_is_a_value_or_refused(examples: int) -> None:
    """Given a good body after accidents, in both faces of the limits."""
    narrow = Validator(Poster, limits=InputLimits(depth=3, items=20, bytes=400))

    def check(body: bytes) -> None:
        checked(lambda: POSTER.validate_json(body))
        checked(lambda: narrow.validate_json(body))

    fuzz(check, mutated(GOOD, b"{}", b"[[[]]]", b'{"title":"\\ud83d\\ude00","title":1}'), examples)


@pytest.mark.parametrize("examples", runs(60))
def test_both_parsers_read_the_same(examples: int) -> None:
    """What is accepted is, to the standard library and to pydantic, one and the same value."""

    def check(body: bytes) -> None:
        with contextlib.suppress(ValidationFailed):
            value = ANYTHING.validate_json(body)
            assert same(value, json.loads(body))

    near_json = st.lists(
        st.sampled_from(['"', "\\", "u", "d83d", "[", "]", "{", "}", ":", ",", "1", "e", ".", "-", " "])
    )
    fuzz(check, mutated(GOOD) | near_json.map(lambda parts: "".join(parts).encode()), examples)


def same(one: object, other: object) -> bool:
    """Equal, and of the same types all through: 1, 1.0 and True differ."""
    if isinstance(one, dict) and isinstance(other, dict):
        return list(one) == list(other) and all(same(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and one == other


@pytest.mark.parametrize("examples", runs(40))
def test_any_values_for_any_fields_are_a_model_or_refused(examples: int) -> None:
    """Given what JSON can say in every field's place, as text and as Python data."""

    def check(data: dict[str, Any]) -> None:
        checked(lambda: POSTER.validate(data))
        checked(lambda: POSTER.validate_json(json.dumps(data).encode()))

    places = st.sampled_from(NAMES)
    fuzz(check, st.dictionaries(places, json_values | hostile_texts, max_size=8), examples)


@pytest.mark.parametrize("examples", runs(40))
def test_any_python_data_is_a_model_or_refused(examples: int) -> None:
    """Given objects that no JSON has: bytes, sets, tuples, keys that are no texts, numbers without end."""
    odd = st.binary(max_size=4) | st.just(object()) | st.decimals() | st.complex_numbers() | st.dates() | st.uuids()
    keys = st.sampled_from(NAMES) | st.integers() | st.none() | st.tuples(st.integers())
    inner = json_values | odd | st.frozensets(st.integers(), max_size=3) | st.tuples(odd)
    fuzz(
        lambda data: checked(lambda: POSTER.validate(data)), st.dictionaries(keys, inner, max_size=6) | inner, examples
    )


@pytest.mark.parametrize("examples", runs(60))
def test_any_pairs_are_a_model_or_refused(examples: int) -> None:
    """Given a form of any names and texts, or things that are no text."""
    values = hostile_texts | st.sampled_from(["1", "on", "2026-01-31", "1.5", *FRAGMENTS]) | st.binary(max_size=3)
    pairs = st.lists(st.tuples(st.sampled_from(NAMES) | hostile_texts, values), max_size=10)
    fuzz(lambda drawn: checked(lambda: POSTER.validate_form(drawn)), pairs, examples)


PUMPS: dict[str, Callable[[int], bytes]] = {
    "unknown names": lambda n: b"{%b}" % b",".join(b'"u%d":0' % i for i in range(n // 10)),
    "names given twice": lambda n: b"{%b}" % b",".join(b'"u%d":0' % (i // 2) for i in range(n // 10)),
    "wrong kinds": lambda n: b'{"more":{"a":[%b]}}' % b",".join([b'"x"'] * (n // 20)),
    "objects in a list": lambda n: b'{"tags":[%b]}' % b",".join([b"{}"] * (n // 3)),
    "a long text": lambda n: b'{"title":"%b"}' % (b"a" * n),
    "accents": lambda n: b'{"title":"%b"}' % ("\u0301".encode() * (n // 2)),
    "escapes": lambda n: b'{"title":"%b"}' % (b"\\u0301" * (n // 6)),
    "digits for a decimal": lambda n: b'{"exact":"%b"}' % (b"9" * n),
    "a long fraction": lambda n: b'{"price":1.%b}' % (b"9" * n),
    "a long exponent": lambda n: b'{"price":1e-%b1}' % (b"0" * n),
    "digits for a date": lambda n: b'{"at":"%b"}' % (b"9" * n),
    "white space": lambda n: b" " * n + b"{}",
}


@pytest.mark.parametrize("shape", PUMPS)
def test_a_model_takes_linear_time(shape: str) -> None:
    """Twice the hostile body takes less than three times as long, to a value or a refusal."""
    wide = Validator(Poster, limits=InputLimits(items=1_000_000, bytes=1 << 23))
    bodies = {size: PUMPS[shape](size) for size in (50_000, 100_000)}

    def read(size: int) -> None:
        with contextlib.suppress(ValidationFailed):
            wide.validate_json(bodies[size])

    assert growth(read, 50_000) < 3


FORMS: dict[str, Callable[[int], list[tuple[str, object]]]] = {
    "one name": lambda n: [("title", "a")] * n,
    "many names": lambda n: [(f"u{i}", "a") for i in range(n)],
    "a list": lambda n: [("tags", "a")] * n,
    "blanks": lambda n: [("copies", "")] * n,
    "a long text": lambda n: [("title", "é" * n)],
    "digits": lambda n: [("copies", "9" * n)],
    "digits for a decimal": lambda n: [("exact", "9" * n)],
    "digits for a date": lambda n: [("day", "9" * n)],
    "underscores": lambda n: [("price", "1_" * n)],
}


@pytest.mark.parametrize("shape", FORMS)
def test_a_form_takes_linear_time(shape: str) -> None:
    """Likewise for pairs: their number, and the length of one."""
    wide = Validator(Poster, limits=InputLimits(items=1_000_000, bytes=1 << 23))
    forms = {size: FORMS[shape](size) for size in (5_000, 10_000)}

    def read(size: int) -> None:
        with contextlib.suppress(ValidationFailed):
            wide.validate_form(forms[size])

    assert growth(read, 5_000) < 3

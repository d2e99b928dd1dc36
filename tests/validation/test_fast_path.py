"""The short way for small data answers as the long one does: limits exact, nothing let through, nothing refused."""

from __future__ import annotations

import enum
from collections import UserDict
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AliasChoices, AliasPath, BeforeValidator, ConfigDict, Field, TypeAdapter

from postrmagic_core.errors import ValidationFailed
from postrmagic_core.validation import Input, InputLimits, Validator
from postrmagic_core.validation.budget import over_data, over_json
from postrmagic_core.validation.depth import depth_of
from tests.validation.fuzzing import quick


class Leaf(Input):
    """What is innermost."""

    n: int
    kind: Literal["leaf"] = "leaf"


class Branch(Input):
    """A closed type, three levels deep."""

    name: str = ""
    leaf: Leaf | None = None
    leaves: list[Leaf] = Field(default_factory=list)
    texts: dict[str, str] = Field(default_factory=dict)


class Loop(Input):
    """A type of itself."""

    loop: Loop | None = None


class Free(Input):
    """A type that ignores what it does not know."""

    model_config = ConfigDict(extra="ignore")
    n: int = 0


class Pathed(Input):
    """A field that is taken out of others."""

    n: int = Field(validation_alias=AliasChoices("n", AliasPath("deep", 0)))


class Color(enum.Enum):
    """A choice."""

    RED = "red"


@pytest.mark.parametrize(
    ("kind", "depth"),
    [
        (int, 0),
        (str | None, 0),
        (Annotated[str, Field(max_length=3)], 0),
        (Color, 0),
        (list[int], 1),
        (tuple[int, list[int]], 2),
        (dict[str, set[int]], 2),
        (Leaf, 1),
        (Branch, 3),
        (list[Branch] | int, 4),
        (Loop, None),
        (Free, None),
        (Pathed, None),
        (Any, None),
        (list, None),
        (dict, None),
        (Decimal, None),
        (Annotated[str, BeforeValidator(str)], None),
        (list[Any], None),
    ],
)
def test_the_depth_of_a_type_is_known_or_not(kind: Any, depth: int | None) -> None:
    """What may hold anything has none."""
    assert depth_of(TypeAdapter(kind).core_schema) == depth


DATA: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(0, 9) | st.text(max_size=9) | st.just(Decimal(1)) | st.binary(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(st.sampled_from(["n", "name", "leaf", "leaves", "texts", "kind", "x"]), inner, max_size=5)
        | st.builds(lambda value: UserDict({"n": value}), inner)
    ),
    max_leaves=10,
)
VALIDATORS = [
    Validator[Any](kind, limits=limits)
    for kind in (Branch, list[Branch], dict[str, list[int]], Loop, Free, str)
    for limits in (InputLimits(), InputLimits(depth=2, items=8, bytes=12), InputLimits(depth=4, items=6))
]


@quick
@given(DATA, st.sampled_from(VALIDATORS))
def test_both_ways_give_one_answer(data: Any, validator: Validator[Any]) -> None:
    """Whatever the data: the value, or the errors, of the walk through all of it."""
    reading = validator._checking.reading
    limits: InputLimits = reading._limits
    answer: list[Any] = []
    for check in (
        validator.validate,
        lambda sent: reading.data(sent, {"groups": frozenset()}, validator._checking.messages),
    ):
        try:
            answer.append(check(data))
        except ValidationFailed as error:
            answer.append(error.errors)
    assert answer[0] == answer[1]
    over = over_data(data, limits)
    if over is not None:
        assert [error["code"] for error in answer[0]] == [over[0]]


@dataclass
class Bag:
    """An object that holds more than its attributes say."""

    size: int

    def __len__(self) -> int:
        return self.size

    def __iter__(self) -> Any:
        return iter(range(self.size))

    def __contains__(self, item: object) -> bool:
        return False


@pytest.mark.parametrize("hidden", [Bag(50), {*range(50)}, UserDict({n: n for n in range(50)}), bytearray(50)])
def test_what_holds_others_is_counted(hidden: Any, complaints: Any) -> None:
    """Not the attributes of an object, but what it holds."""
    validator = Validator[Any](Branch, limits=InputLimits(items=20, bytes=20))
    code = "limit.bytes" if isinstance(hidden, bytearray) else "limit.items"
    assert complaints(lambda: validator.validate({"name": hidden})) == [("", code)]


def test_a_rule_that_refuses_is_told_once(complaints: Any) -> None:
    """The long way asks again, and tells what the short one would have."""
    validator = Validator(Branch)
    assert complaints(lambda: validator.validate({"name": 5, "x": 1})) == [
        ("/name", "string_type"),
        ("/x", "extra_forbidden"),
    ]


@quick
@given(st.text(alphabet='[]{},:"1 \\a', max_size=30).map(str.encode), st.integers(1, 4), st.integers(1, 40))
def test_a_short_json_text_is_measured_as_a_long_one(body: bytes, depth: int, items: int) -> None:
    """Blanks at its end change nothing but the way taken, also for texts that are no JSON."""
    limits = InputLimits(depth=depth, items=items)
    assert over_json(body, limits) == over_json(body + b" " * items, limits)

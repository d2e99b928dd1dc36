"""Rules count in the calls that name their group, and a call that names none of the model's is a mistake."""

from __future__ import annotations

import dataclasses
import datetime
import enum
import uuid
from decimal import Decimal
from typing import Annotated, Any, Literal

import pytest
from pydantic import AfterValidator, Field, TypeAdapter
from typing_extensions import TypeAliasType, TypedDict

from postrmagic_core.errors import ConfigurationError, UsageError, ValidationFailed
from postrmagic_core.validation import Input, Validator, invalid
from postrmagic_core.validation.groups import GroupSequence, In, Outside, RequiredIn, groups_of, phases
from postrmagic_core.validation.rules import PlainText
from postrmagic_core.validation.together import AtLeastOneOf, ExactlyOneOf, Required, RequiredWith, SameAs, When


class Poster(Input, together=[In("publish", AtLeastOneOf("title", "image"))]):
    """A model that is created, updated and published."""

    id: Annotated[int | None, RequiredIn("update", "publish")] = None
    title: Annotated[
        str | None,
        RequiredIn("create"),
        In("create", PlainText(max=80, min=3)),
        Outside({"create", "import"}, PlainText(max=5)),
    ] = None
    image: str | None = None
    note: Annotated[str | None, In("publish", RequiredWith("image"))] = None


POSTERS = Validator(Poster)


@pytest.mark.parametrize(
    ("data", "groups", "problems"),
    [
        ({}, set(), []),
        ({}, {"create"}, [("/title", "group.required")]),
        ({"title": " "}, {"create"}, [("/title", "string_too_short")]),
        ({"title": "ab"}, set(), []),
        ({"title": "ab"}, {"create"}, [("/title", "string_too_short")]),
        ({"title": "abcdef"}, set(), [("/title", "string_too_long")]),
        ({"title": "abcdef"}, {"update"}, [("/title", "string_too_long"), ("/id", "group.required")]),
        ({"title": "abcdef"}, {"create"}, []),
        ({"title": "abcdef"}, {"import"}, []),
        ({"title": "abcdef"}, {"import", "update"}, [("/id", "group.required")]),
        ({"id": 1}, {"publish"}, [("", "together.at_least_one")]),
        ({"id": 1, "image": "x"}, {"publish"}, [("/note", "together.required")]),
        ({"id": 1, "image": "x", "note": "y"}, {"publish"}, []),
    ],
)
@pytest.mark.parametrize("way", ["data", "form"])
def test_rules_count_in_their_groups(
    data: dict[str, Any], groups: set[str], problems: list[tuple[str, str]], way: str, complaints: Any
) -> None:
    """On a field, between fields and on the model; a rule of no group always counts."""

    def call() -> object:
        if way == "data":
            return POSTERS.validate(data, groups=groups)
        return POSTERS.validate_form([(name, str(value)) for name, value in data.items()], groups=groups)

    if problems:
        assert complaints(call) == problems
    else:
        assert call()


def test_what_a_rule_changes_is_changed_in_its_group_only() -> None:
    """The text is stripped where the rule ran."""

    class Note(Input):
        text: Annotated[str, In("clean", PlainText(max=80))]

    notes = Validator(Note)
    assert notes.validate({"text": " a "}).text == " a "
    assert notes.validate({"text": " a "}, groups={"clean"}).text == "a"


class Shade(enum.Enum):
    """A choice."""

    DARK = "dark"


class Part(Input):
    """A model inside another."""

    size: int


class Everything(Input):
    """A field of each type that strict JSON reads in a way of its own, each with a rule in a group."""

    day: Annotated[datetime.date, In("x", Field(ge=datetime.date(2026, 1, 1)))]
    at: Annotated[datetime.datetime, In("x", Field(ge=datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)))]
    key: Annotated[uuid.UUID, In("x", AfterValidator(lambda key: key))]
    price: Annotated[Decimal, In("x", Field(le=5))]
    shade: Annotated[Shade, In("x", AfterValidator(lambda shade: shade))]
    pair: Annotated[tuple[int, int], In("x", AfterValidator(lambda pair: pair))]
    tags: Annotated[set[str], In("x", Field(max_length=2))]
    parts: Annotated[list[Part], In("x", Field(max_length=1))]


def test_a_rule_in_a_group_reads_json_as_strictly_as_any(complaints: Any) -> None:
    """A day is text in JSON, and a day already when the rule sees it."""
    body = (
        b'{"day": "%b-01-01", "at": "%b-01-01T00:00:00Z", "key": "00000000-0000-0000-0000-000000000000", "price": "%b",'
        b' "shade": "dark", "pair": [1, 2], "tags": ["a", "a"], "parts": [{"size": 1}]}'
    )
    all_of_it = Validator(Everything)
    good, bad = body % (b"2026", b"2026", b"1.5"), body % (b"2025", b"2025", b"6")
    assert all_of_it.validate_json(good, groups={"x"}) == all_of_it.validate_json(good)
    all_of_it.validate_json(bad)
    assert complaints(lambda: all_of_it.validate_json(bad, groups={"x"})) == [
        ("/day", "greater_than_equal"),
        ("/at", "greater_than_equal"),
        ("/price", "less_than_equal"),
    ]


def test_a_group_that_the_model_lacks_is_a_mistake_of_the_call() -> None:
    """The error lists those there are; one text would otherwise be read as a set of letters."""
    with pytest.raises(UsageError, match=r"no group 'nope'; its groups: create, import, publish, update"):
        POSTERS.validate({}, groups={"nope", "create"})
    with pytest.raises(UsageError, match="it has none"):
        Validator(Part).validate({"size": 1}, groups={"create"})
    with pytest.raises(UsageError, match="not one text"):
        phases("create", {"create"})


def test_a_sequence_stops_at_the_first_step_that_fails(complaints: Any) -> None:
    """The costly rule is not asked about what the cheap one refuses; what passed stays checked."""
    asked: list[str] = []

    def costly(value: str) -> str:
        asked.append(value)
        raise invalid("costly.no", "no")

    class Signup(Input):
        name: Annotated[str, In("basic", Field(min_length=3)), In("costly", AfterValidator(costly))]

    signups, steps = Validator(Signup), GroupSequence("basic", "costly")
    assert complaints(lambda: signups.validate({"name": "ab"}, groups=steps)) == [("/name", "string_too_short")]
    assert asked == []
    assert complaints(lambda: signups.validate({"name": "abc"}, groups=steps)) == [("/name", "costly.no")]
    assert asked == ["abc"]
    assert [*steps] == ["basic", "costly"]
    assert len(steps) == 2
    assert "basic" in steps
    assert phases(steps, {"basic", "costly"}) == (frozenset({"basic"}), frozenset({"basic", "costly"}))
    for names in ((), ("a", "a")):
        with pytest.raises(UsageError, match="each once"):
            GroupSequence(*names)


@dataclasses.dataclass
class Data:
    """A dataclass that pydantic reads."""

    one: Annotated[str, In("dataclass", PlainText(max=5))]


class Typed(TypedDict):
    """A typed dictionary."""

    one: Annotated[str, Outside("typed", PlainText(max=5))]


Alias = TypeAliasType("Alias", Annotated[str, In("alias", PlainText(max=5))])


class Tree(Input, together=[In("whole", ExactlyOneOf("data", "typed"))]):
    """Groups at every depth."""

    data: Data | None = None
    typed: Typed | None = None
    alias: Alias = ""
    kind: Literal["a"] = "a"
    lists: dict[str, list[Annotated[str, In("item", PlainText(max=5))]]] = Field(default_factory=dict)
    children: list[Tree] = Field(default_factory=list)
    under: Annotated[str, When("kind", test=bool, then=PlainText(max=5))] = ""
    needed: Annotated[int | None, RequiredIn("needed")] = None


def test_groups_are_found_at_every_depth() -> None:
    """In models, dataclasses, typed dictionaries, aliases, items of lists; a model that holds itself ends."""
    assert groups_of(Tree) == {"dataclass", "typed", "alias", "whole", "item", "needed"}
    assert groups_of(list[Tree] | None) == groups_of(Tree)
    assert groups_of(int) == frozenset()


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: In("", PlainText(max=5)), "name one group"),
        (lambda: In((), PlainText(max=5)), "name one group"),
        (lambda: RequiredIn(), "name one group"),
        (lambda: In("a", In("b", PlainText(max=5))), "around another"),
        (lambda: TypeAdapter(Annotated[str, In("a", ExactlyOneOf("x", "y"))]), "rule on the model"),
        (lambda: TypeAdapter(Annotated[str, In("a", SameAs("x"))]), "subclass of validation.Input"),
        (lambda: TypeAdapter(Annotated[str | None, RequiredIn("a")]), "subclass of validation.Input"),
        (lambda: When("a", test=bool, then=In("b", Required())), "put In around When"),
    ],
)
def test_what_could_not_work_is_refused(make: Any, told: str) -> None:
    """A rule that nothing would run is an error where it is written."""
    with pytest.raises(ConfigurationError, match=told):
        make()


def test_without_the_call_s_groups_pydantic_runs_the_others() -> None:
    """Whoever builds the model itself names none."""
    assert Poster(title="ab").title == "ab"
    with pytest.raises(ValueError, match="at most 5"):
        Poster.model_validate({"title": "abcdef"}, context={"other": 1})
    with pytest.raises(ValidationFailed):
        POSTERS.validate({"title": "abcdef"})

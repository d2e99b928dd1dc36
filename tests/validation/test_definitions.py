"""A form's definition is data: checked as any input, never code, compiled once, and told with its places when wrong."""

from __future__ import annotations

import copy
import dataclasses
import datetime
import enum
import json
import random
import re
import threading
from collections.abc import Mapping
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
import sqlalchemy
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import AfterValidator, Field, field_validator

from postrmagic_core.errors import ConfigurationError, ValidationFailed
from postrmagic_core.testing.growth import growth
from postrmagic_core.validation import Input, InputLimits
from postrmagic_core.validation.database_rules import Unique
from postrmagic_core.validation.definitions import DefinitionLimits, build, describe, forms, validator_for
from postrmagic_core.validation.groups import In, RequiredIn
from postrmagic_core.validation.images import file_field
from postrmagic_core.validation.rules import PlainText
from postrmagic_core.validation.rules.named import NAMED
from postrmagic_core.validation.together import AtLeastOneOf, Compared, When

SAID_LATER = {"rule": "required_if", "field": "when", "values": ["later"]}
TAG = {"type": "text", "rules": [{"rule": "tag"}]}
DEFINITION: dict[str, Any] = {
    "fields": {
        "title": {"type": "text", "required": True, "label": "Title", "rules": [{"rule": "plain_text", "max": 80}]},
        "copies": {"type": "integer", "min": 1, "max": 500, "rules": [{"rule": "step_of", "step": 1}]},
        "price": {"type": "decimal", "min": "0", "max": "99.99", "places": 2},
        "ratio": {"type": "number", "min": 0.5, "max": 2},
        "public": {"type": "boolean"},
        "starts": {"type": "date", "min": "2026-01-01", "rules": [{"rule": "at_most", "field": "ends"}]},
        "ends": {"type": "date"},
        "at": {"type": "datetime", "max": "2027-01-01T00:00:00Z"},
        "when": {"type": "choice", "of": ["now", "later"]},
        "reason": {
            "type": "text",
            "lines": True,
            "rules": [{"rule": "required_if", "field": "when", "values": ["later"]}],
        },
        "mail": {"type": "email", "rules": [{"rule": "forbidden_with", "fields": ["home"]}]},
        "home": {"type": "url"},
        "code": {"type": "text", "pattern": "[A-Z][0-9]{2}"},
        "tags": {
            "type": "list",
            "of": {"type": "text", "rules": [{"rule": "tag"}]},
            "max": 3,
            "rules": [{"rule": "distinct"}],
        },
        "size": {
            "type": "object",
            "required": True,
            "fields": {"width": {"type": "integer", "required": True}, "a": {"type": "text"}, "b": {"type": "text"}},
            "together": [{"at_most_one_of": ["a", "b"]}],
        },
    },
    "together": [{"at_least_one_of": ["mail", "home"]}],
}
NOON = datetime.datetime(2026, 1, 1, 12)  # noqa: DTZ001 - without a zone, as somebody may send it
GOOD: dict[str, Any] = {"title": "Fair", "size": {"width": 3}, "mail": "a@example.org"}


def shuffled(data: Any, order: random.Random) -> Any:
    """The same data with the names of every object in another order."""
    if isinstance(data, dict):
        names = list(data)
        order.shuffle(names)
        return {name: shuffled(data[name], order) for name in names}
    return [shuffled(one, order) for one in data] if isinstance(data, list) else data


def test_a_definition_becomes_a_model() -> None:
    """Typed, strict, frozen, as one that is written."""
    form = validator_for(DEFINITION).validate_json(
        json.dumps(
            {**GOOD, "price": "1.50", "starts": "2026-02-01", "ends": "2026-02-01", "tags": ["A b", "c"]}
        ).encode()
    )
    assert isinstance(form, build(DEFINITION))
    assert form.model_dump(exclude_none=True) == {
        "title": "Fair",
        "price": Decimal("1.50"),
        "starts": datetime.date(2026, 2, 1),
        "ends": datetime.date(2026, 2, 1),
        "tags": ["a b", "c"],
        "mail": "a@example.org",
        "size": {"width": 3},
    }


def test_its_rules_hold_all_at_once(complaints: Any) -> None:
    """Those of the type, by name, between fields and on the whole, at any depth."""
    wrong = {
        "title": "",
        "copies": 501,
        "price": "1.234",
        "ratio": 0.1,
        "public": "yes",
        "starts": "2026-02-02",
        "ends": "2026-02-01",
        "at": "2027-01-01T00:00:01Z",
        "when": "later",
        "home": "https://example.org/",
        "mail": "a@example.org",
        "code": "A123",
        "tags": ["a", "a"],
        "size": {"width": "x", "a": "a", "b": "b", "c": "c"},
        "more": 1,
    }
    found = complaints(lambda: validator_for(DEFINITION).validate_json(json.dumps(wrong).encode()))
    assert dict(found) == {
        "/title": "string_too_short",
        "/copies": "less_than_equal",
        "/price": "decimal_max_places",
        "/ratio": "greater_than_equal",
        "/public": "bool_type",
        "/starts": "together.at_most",
        "/at": "less_than_equal",
        "/reason": "together.required",
        "/mail": "together.forbidden",
        "/code": "text.pattern",
        "/tags": "list.distinct",
        "/size/width": "int_type",
        "/size": "together.at_most_one",
        "/size/c": "extra_forbidden",
        "/more": "extra_forbidden",
    }
    assert complaints(lambda: validator_for(DEFINITION).validate({**GOOD, "mail": None})) == [
        ("", "together.at_least_one")
    ]
    assert complaints(lambda: validator_for(DEFINITION).validate({**GOOD, "when": "never"})) == [
        ("/when", "choice.unknown")
    ]


def test_a_decimal_that_nobody_can_write_out_is_refused(complaints: Any) -> None:
    """1e999999999 has as many digits as that."""
    prices = validator_for({"fields": {"price": {"type": "decimal"}}})
    assert complaints(lambda: prices.validate_json(b'{"price": "1e999999999"}')) == [("/price", "decimal_max_digits")]


def test_what_is_required_is_not_blank(complaints: Any) -> None:
    """A browser sends an empty text for an input left blank: a required text is more than that, and a list too."""
    form = validator_for(
        {
            "fields": {
                "a": {"type": "text", "required": True},
                "b": {"type": "list", "of": {"type": "text"}, "required": True},
            }
        }
    )
    assert complaints(lambda: form.validate({"a": " ", "b": []})) == [("/a", "string_too_short"), ("/b", "too_short")]


def test_an_image_is_read_from_a_form() -> None:
    """A field of a file, or of several; what it accepts is :mod:`.images`' business."""
    image = {"type": "image", "max_bytes": 1000}
    posters = validator_for({"fields": {"one": image, "many": {"type": "list", "of": image}, "none": {"type": "text"}}})
    found = {name: file_field(posters.validate_form, name) for name in ("one", "many", "none")}
    assert found["none"] is None
    assert found["one"] is not None
    assert found["many"] is not None
    assert (found["one"].image.policy.max_bytes, found["one"].many, found["many"].many) == (1000, False, True)


def test_the_same_definition_gives_the_same_class() -> None:
    """In another order, as text or as data, from any thread; another one gives another."""
    model, order = build(DEFINITION), random.Random(1)
    assert build(json.dumps(shuffled(DEFINITION, order), indent=2).encode()) is model
    assert build(shuffled(DEFINITION, order)) is model
    assert validator_for(DEFINITION) is validator_for(shuffled(DEFINITION, order))
    assert validator_for(DEFINITION, input_limits=InputLimits(items=5)) is not validator_for(DEFINITION)
    other = copy.deepcopy(DEFINITION)
    other["fields"]["tags"]["max"] = 4
    assert build(other) is not model


def test_threads_that_ask_at_once_get_one_class() -> None:
    """It is made once, while the others wait."""
    fresh = {"fields": {"threads": {"type": "text", "max": 77}}}
    barrier, found = threading.Barrier(8), []

    def ask() -> None:
        barrier.wait()
        found.append(build(fresh))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1


def test_only_the_last_ones_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many definitions do not fill the memory; the one used last stays longest, and a failure is not kept."""
    recent: forms._Recent[str] = forms._Recent(2)
    made: list[str] = []

    def ask(key: str) -> None:
        def make() -> str:
            made.append(key)
            return key

        recent.get(key, make)

    for key in ("a", "b", "a", "c", "a", "b"):
        ask(key)
    assert made == ["a", "b", "c", "b"]
    with pytest.raises(ZeroDivisionError):
        recent.get("z", lambda: str(1 // 0))
    assert recent.get("z", lambda: "fine") == "fine"
    recent._lock.acquire()
    recent._renew_lock()  # as a forked child does, whose lock another thread held
    assert recent.get("y", lambda: "free") == "free"


TEXT = {"type": "text"}


def form(name: str = "a", **field: Any) -> dict[str, Any]:
    """A definition of the field ``a`` beside a ``when`` and a ``day``."""
    return {"fields": {name: {**TEXT, **field}, "when": {"type": "choice", "of": ["x", "y"]}, "day": {"type": "date"}}}


def ruled(rule: str, **parameters: Any) -> dict[str, Any]:
    """That field with one rule."""
    return form(rules=[{"rule": rule, **parameters}])


def nested(depth: int) -> dict[str, Any]:
    """Objects inside objects."""
    field: dict[str, Any] = TEXT
    for _ in range(depth - 1):
        field = {"type": "object", "fields": {"a": field}}
    return {"fields": {"a": field}}


RULE = "/fields/a/rules/0"
WITH_DAY = {"rule": "required_with", "fields": ["day"]}
NOT_FOR_X = {"rule": "forbidden_if", "field": "when", "values": ["x"]}
LIKE_ITSELF = {"rule": "same_as", "field": "a"}
PATTERNS = {f"a{number:02}": {**TEXT, "pattern": "a"} for number in range(11)}
WRONG: list[tuple[Any, list[tuple[str, str]]]] = [
    (b"", [("", "json.invalid")]),
    (b"\xff", [("", "json.encoding")]),
    (b'{"fields": {}, "fields": {}}', [("/fields", "json.duplicate_key")]),
    (b"[]", [("", "model_type")]),
    (b'{"fields": NaN}', [("", "json.constant")]),
    ({}, [("/fields", "missing")]),
    ({"fields": {}}, [("/fields", "too_short")]),
    ({"fields": {"a": TEXT}, "x": 1}, [("/x", "extra_forbidden")]),
    (form(type="eval"), [("/fields/a", "union_tag_invalid")]),
    (form(type="integer", lines=True), [("/fields/a/lines", "extra_forbidden")]),
    (form(min=2, max=1), [("/fields/a/min", "together.at_most")]),
    (form(max=10**9), [("/fields/a/max", "less_than_equal")]),
    (form(required="yes"), [("/fields/a/required", "bool_type")]),
    (form(label="\u202e"), [("/fields/a/label", "text.control")]),
    *(
        (form(name), [(f"/fields/{name}", "definition.name")])
        for name in ("copy", "json", "schema", "model_fields", "model_x", "class", "mro", "None", "validate")
    ),
    *(
        (form(name), [(f"/fields/{name}", "string_pattern_mismatch")])
        for name in ("_a", "__class__", "__init__", "a b", "1a", "ä", "a-b", "together()")
    ),
    (form(""), [("/fields/", "string_too_short")]),
    (form("a" * 65), [("/fields", "string_too_long")]),
    (ruled("exec"), [(f"{RULE}/rule", "definition.rule")]),
    (ruled("os.system"), [(f"{RULE}/rule", "definition.rule")]),
    (ruled("even"), [(f"{RULE}/rule", "definition.kind")]),
    (ruled("plain_text"), [(RULE, "definition.parameters")]),
    (ruled("plain_text", max="80"), [(RULE, "definition.parameters")]),
    (ruled("plain_text", max=80, self=1), [(RULE, "definition.parameters")]),
    (ruled("ascii", __class__="x"), [(RULE, "definition.parameters")]),
    (ruled("starts_with", prefixes=[]), [(RULE, "definition.parameters")]),
    (ruled("starts_with", prefixes=[{}]), [(RULE, "definition.parameters")]),
    (ruled("matches", pattern="(a"), [(RULE, "definition.parameters")]),
    (ruled("matches", pattern=r"\w{900}"), [(f"{RULE}/pattern", "definition.pattern")]),
    (form(pattern="(a"), [("/fields/a/pattern", "definition.pattern")]),
    (form(pattern="(?<=a)b"), [("/fields/a/pattern", "definition.pattern")]),
    (form(pattern="a)|(b"), [("/fields/a/pattern", "definition.pattern")]),
    (form(pattern="((a{99}){99}){99}"), [("/fields/a/pattern", "definition.pattern")]),
    *(
        (form(pattern=pattern), [("/fields/a/pattern", "definition.pattern")])
        for pattern in (
            r"(?i)a",
            r"(?x)\w{ 9 9 9 }",
            r"(?<a>b)",
            r"[^\d]{990}",
            r"((\w{19}){19})",
            r"\p{L}{199}",
            "[\\w]{,199}",
        )
    ),
    (form(pattern="[a-z]{1,99}"), []),
    (form(pattern="a{9999999}"), [("/fields/a/pattern", "definition.pattern")]),
    (form(pattern="a" * 201), [("/fields/a/pattern", "string_too_long")]),
    (ruled("same_as"), [(f"{RULE}/field", "missing")]),
    (ruled("same_as", field="when", x=1), [(f"{RULE}/x", "extra_forbidden")]),
    (ruled("same_as", field="a"), [(f"{RULE}/field", "definition.field")]),
    (ruled("same_as", field="nope"), [(f"{RULE}/field", "definition.field")]),
    (ruled("same_as", field="when"), [(f"{RULE}/rule", "definition.kind")]),
    (ruled("less_than", field="day"), [(f"{RULE}/rule", "definition.kind")]),
    (ruled("required_if", field="when", values=[]), [(f"{RULE}/values", "too_short")]),
    (ruled("required_if", field="when", values=["z"]), [(f"{RULE}/values", "definition.kind")]),
    (ruled("required_if", field="when", values=[1]), [(f"{RULE}/values", "definition.kind")]),
    (ruled("required_if", field="day", values=["2026-01-01"]), [(f"{RULE}/values", "definition.kind")]),
    (ruled("required_with", fields=["nope"]), [(f"{RULE}/fields", "definition.field")]),
    (ruled("required_with", fields=["day", "day"]), [(f"{RULE}/fields", "definition.repeated")]),
    (
        form(required=True, rules=[{"rule": "required_with", "fields": ["day"]}]),
        [(f"{RULE}/rule", "definition.required")],
    ),
    (
        form(required=True, rules=[{"rule": "forbidden_if", "field": "when", "values": ["x"]}]),
        [(f"{RULE}/rule", "definition.required")],
    ),
    (form(type="choice", of=["a", "a"]), [("/fields/a/of", "definition.repeated")]),
    (form(type="choice", of=[]), [("/fields/a/of", "too_short")]),
    (form(type="list", of=TEXT, min=2, max=1), [("/fields/a/min", "together.at_most")]),
    (
        form(type="list", of={**TEXT, "rules": [{"rule": "same_as", "field": "a"}]}),
        [("/fields/a/of/rules/0/rule", "definition.kind")],
    ),
    (form(type="list", of={**TEXT, "rules": [{"rule": "x"}]}), [("/fields/a/of/rules/0/rule", "definition.rule")]),
    ({**form(), "together": [{}]}, [("/together/0", "together.exactly_one")]),
    ({**form(), "together": [{"exactly_one_of": ["a", "x"]}]}, [("/together/0/exactly_one_of", "definition.field")]),
    ({**form(), "together": [{"exactly_one_of": ["a", "a"]}]}, [("/together/0/exactly_one_of", "definition.repeated")]),
    ({**form(), "together": [{"exactly_one_of": ["a"]}]}, [("/together/0/exactly_one_of", "definition.parameters")]),
    (nested(5), [("/fields/a/fields/a/fields/a/fields/a", "definition.nesting")]),
    (nested(50), [("", "limit.depth")]),
    ({"fields": {f"a{number}": TEXT for number in range(201)}}, [("/fields", "definition.fields")]),
    (form(rules=[{"rule": "ascii"}] * 11), [("/fields/a/rules", "definition.rules")]),
    (form(type="choice", of=[str(number) for number in range(201)]), [("/fields/a/of", "definition.choices")]),
    (
        {"fields": {f"a{number:02}": {**TEXT, "pattern": "a"} for number in range(11)}},
        [("/fields/a10/pattern", "definition.patterns")],
    ),
    (form(label="x" * 300_000), [("", "limit.bytes")]),
]


@pytest.mark.parametrize(("definition", "problems"), WRONG)
def test_what_is_wrong_is_told_with_its_place(
    definition: Any, problems: list[tuple[str, str]], complaints: Any
) -> None:
    """As data and as JSON: the pointer leads into the definition."""
    if not problems:
        build(definition)
        return
    assert complaints(lambda: build(definition)) == problems
    if not isinstance(definition, bytes):
        assert complaints(lambda: build(json.dumps(definition).encode())) == problems


def test_all_problems_of_a_definition_are_told(complaints: Any) -> None:
    """Those of several fields together."""
    definition = form(pattern="(", rules=[{"rule": "x"}, {"rule": "same_as", "field": "y"}])
    definition["together"] = [{"at_most_one_of": ["a", "z"]}]
    assert complaints(lambda: build(definition)) == [
        ("/fields/a/rules/1/field", "definition.field"),
        ("/fields/a/pattern", "definition.pattern"),
        ("/fields/a/rules/0/rule", "definition.rule"),
        ("/together/0/at_most_one_of", "definition.field"),
    ]


def test_limits_are_the_caller_s() -> None:
    """A definition that is trusted more may ask for more, and is another class."""
    assert build(nested(5), limits=DefinitionLimits(nesting=5)) is not None
    small = DefinitionLimits(fields=1)
    with pytest.raises(ValidationFailed, match="too many fields: at most 1"):
        build(form(), limits=small)
    for wrong in ({"fields": 0}, {"bytes": 0}, {"nesting": 17}):
        with pytest.raises(ConfigurationError, match="DefinitionLimits"):
            DefinitionLimits(**wrong)


@pytest.mark.parametrize(
    "definition", [{"fields": {1, 2}}, {"fields": object()}, {"fields": float("nan")}, {1: 2, "1": 3}, {"f": {(1,): 2}}]
)
def test_what_json_cannot_hold_is_a_mistake_of_the_caller(definition: Any) -> None:
    """Or it is refused as a definition; never another error."""
    with pytest.raises((ConfigurationError, ValidationFailed)):
        build(definition)


def test_nothing_of_a_definition_is_shown_in_its_errors() -> None:
    """Neither values nor parameters; names of fields are in pointers."""
    for definition in (
        ruled("CANARY"),
        ruled("ascii", CANARY=1),
        form(type="CANARY"),
        form(pattern="(CANARY"),
        form(label=["CANARY"]),
    ):
        with pytest.raises(ValidationFailed) as caught:
            build(definition)
        assert "CANARY" not in f"{[error['message'] for error in caught.value.errors]} {caught.value.__cause__!r}"
        assert caught.value.__suppress_context__ or caught.value.__context__ is None


WORDS = ["text", "list", "object", "a", "b", "self", "__class__", "\ud800", "2026-01-01", "(?i)\\w{9}", "now", "[a-z]+"]
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-3, 300)
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(WORDS)
    | st.builds(pow, st.just(10), st.sampled_from([20, 400]))
)
PLAIN = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
BETWEEN = ["same_as", "different_from", "less_than", "at_least", "required_if", "required_unless", "forbidden_if"]
PRESENCE = ["required_with", "required_without", "forbidden_with"]
NAMES = st.sampled_from([*"abcabcabcabcabc", "copy", "__init__"])
TYPES = ["text", "integer", "decimal", "number", "boolean", "date", "datetime", "choice", "email", "url", "image", "?"]
FITTING: dict[type, st.SearchStrategy[Any]] = {
    str: st.sampled_from(WORDS),
    int: st.integers(-1, 300),
    float: st.floats(-9, 300),
    bool: st.booleans(),
    list: st.lists(SCALARS, max_size=3),
}


@st.composite
def uses(draw: st.DrawFn) -> Any:
    """A rule by name with parameters, most of them of the right kind."""
    name = draw(st.sampled_from([*NAMED, *BETWEEN, *PRESENCE, "exec"]))
    known: dict[str, Any] = (
        {each: FITTING[kind] for each, kind in NAMED[name].parameters.items()} if name in NAMED else {}
    )
    if name in BETWEEN:
        known = {"field": NAMES, "values": st.lists(SCALARS, min_size=1, max_size=2)}
        known = known if name.endswith(("if", "unless")) else {"field": NAMES}
    if name in PRESENCE:
        known = {"fields": st.lists(NAMES, min_size=1, max_size=2)}
    given_ones = {each: draw(values) for each, values in known.items() if draw(st.integers(0, 5))}
    if not draw(st.integers(0, 9)):
        given_ones[draw(st.sampled_from(["self", "x", "max", "rule"]))] = draw(PLAIN)
    return {"rule": name, **given_ones}


@st.composite
def fields(draw: st.DrawFn, depth: int = 3) -> Any:
    """A field of any type, most of its members of the right kind."""
    if not draw(st.integers(0, 9)):
        return draw(PLAIN)
    kind = draw(st.sampled_from([*TYPES, "list", "object"] if depth else TYPES))
    field: dict[str, Any] = {"type": kind, "required": draw(st.booleans())}
    if draw(st.booleans()):
        field["rules"] = draw(st.lists(uses(), max_size=2))
    if kind == "list":
        field["of"] = draw(fields(depth - 1))
    elif kind == "object":
        field["fields"] = draw(st.dictionaries(NAMES, fields(depth - 1), min_size=1, max_size=2))
    elif kind == "choice":
        field["of"] = draw(st.lists(st.sampled_from(["x", "y"]), max_size=2))
    elif not draw(st.integers(0, 3)):
        field[draw(st.sampled_from(["min", "max", "label", "lines", "places", "pattern"]))] = draw(SCALARS)
    return field


@st.composite
def hostile(draw: st.DrawFn) -> Any:
    """A definition, more often right than not in each of its parts."""
    if not draw(st.integers(0, 9)):
        return draw(PLAIN)
    whole = st.dictionaries(st.sampled_from(["exactly_one_of", "x"]), st.lists(NAMES, max_size=3), max_size=1)
    definition: dict[str, Any] = {"fields": draw(st.dictionaries(NAMES, fields(), max_size=3))}
    if not draw(st.integers(0, 3)):
        definition["together"] = draw(st.lists(whole, max_size=1))
    return definition


DATA = st.dictionaries(NAMES, SCALARS | PLAIN | st.just(datetime.date(2026, 1, 1)) | st.just(NOON), max_size=3)


@settings(max_examples=60, deadline=None)
@given(hostile(), DATA)
def test_no_definition_breaks_it(definition: Any, data: dict[str, Any]) -> None:
    """Whatever it holds, it is a model or refused; and the model takes any data or raises ValidationFailed."""
    try:
        model = validator_for(
            definition if isinstance(definition, Mapping) else json.dumps(definition, default=str).encode()
        )
    except (ConfigurationError, ValidationFailed):
        return
    with suppress(ValidationFailed):
        model.validate(data)
    with suppress(ValidationFailed):
        model.validate_form([(name, str(value)[:9]) for name, value in data.items()])


@pytest.mark.parametrize("name", sorted(NAMED))
def test_every_rule_by_name_can_be_used(name: str) -> None:
    """On a field of each type that it says it fits, with what it requires."""
    types = {"text": "text", "number": "integer", "date": "date", "list": "list"}
    given_by_kind: dict[type, Any] = {str: "2026-01-01", int: 5, float: 1.5, bool: True, list: ["monday"]}
    rule = NAMED[name]
    for kind in sorted(rule.kinds):
        use = {"rule": name, **{each: given_by_kind[rule.parameters[each]] for each in rule.required}}
        more = {"of": TEXT} if kind == "list" else {}
        assert build({"fields": {"a": {"type": types[kind], "rules": [use], **more}}})


def test_a_definition_takes_time_in_proportion() -> None:
    """To its fields, whether it is right or wrong."""
    seed = iter(range(10**9))

    def make(size: int) -> None:
        build({"fields": {f"a{next(seed)}": {**TEXT, "rules": [{"rule": "ascii"}]} for _ in range(size)}})

    def refuse(size: int) -> None:
        with pytest.raises(ValidationFailed):
            build({"fields": {f"a{next(seed)}": {**TEXT, "rules": [{"rule": "x"}]} for _ in range(size)}})

    assert growth(make, 50) < 3
    assert growth(refuse, 50) < 3


class Shade(enum.Enum):
    """A choice."""

    DARK = "dark"


@dataclasses.dataclass(frozen=True)
class Telling:
    """A rule with parameters of any kind."""

    when: object
    like: object
    named: object


class Size(Input):
    """A model inside another."""

    width: Annotated[int, Field(ge=1)]


class Poster(Input, together=[In("publish", AtLeastOneOf("title", "note"))]):
    """A model with one of each that a description tells."""

    title: Annotated[str | None, RequiredIn("create"), In("create", PlainText(max=80, min=1))] = None
    note: Annotated[str | None, When("kind", test=str.isascii, then=PlainText(max=5))] = Field(
        default=None, title="A note"
    )
    kind: Literal["a", "b"] = "a"
    price: Annotated[Decimal, Field(le=Decimal("9.5"))] = Decimal(1)
    sizes: list[Size] = Field(default_factory=list, max_length=3)
    least: Annotated[int, Compared("<=", "most")] = 0
    most: int = 9
    code: str = Field(default="A1", pattern=r"^[A-Z][0-9]$")

    @field_validator("code")
    @classmethod
    def known(cls, code: str) -> str:
        """Every code is."""
        return code


def test_a_model_is_described_as_data() -> None:
    """The snapshot of the rules; it names each rule with its parameters, and its groups."""
    described = describe(Poster)
    assert json.loads(json.dumps(described)) == described
    assert described["model"] == "Poster"
    assert described["models"]["Size"] == {
        "unknown fields": "forbid",
        "strict": True,
        "fields": {"width": {"type": "int", "required": True, "rules": [{"rule": "Ge", "ge": 1}]}},
    }
    poster = described["models"]["Poster"]
    plain_text = {"rule": "PlainText", "min": 0, "lines": False}
    assert poster.pop("fields") == {
        "title": {
            "type": {"any of": ["str", "null"]},
            "required": False,
            "default": None,
            "rules": [
                {"rule": "RequiredIn", "groups": ["create"]},
                {"rule": "In", "groups": ["create"], "of": {**plain_text, "max": 80, "min": 1}},
            ],
        },
        "note": {
            "type": {"any of": ["str", "null"]},
            "required": False,
            "default": None,
            "label": "A note",
            "rules": [{"rule": "When", "names": ["kind"], "test": "str.isascii", "then": {**plain_text, "max": 5}}],
        },
        "kind": {"type": {"one of": ["a", "b"]}, "required": False, "default": "a"},
        "price": {"type": "Decimal", "required": False, "default": "1", "rules": [{"rule": "Le", "le": "9.5"}]},
        "sizes": {
            "type": {"list": [{"model": "Size"}]},
            "required": False,
            "rules": [{"rule": "MaxLen", "max_length": 3}],
        },
        "least": {
            "type": "int",
            "required": False,
            "default": 0,
            "rules": [{"rule": "Compared", "how": "<=", "other": "most"}],
        },
        "most": {"type": "int", "required": False, "default": 9},
        "code": {
            "type": "str",
            "required": False,
            "default": "A1",
            "rules": [{"rule": "Constraint", "pattern": "^[A-Z][0-9]$"}],
        },
    }
    whole = {"rule": "AtLeastOneOf", "names": ["title", "note"]}
    assert poster == {
        "unknown fields": "forbid",
        "strict": True,
        "together": [{"rule": "In", "groups": ["publish"], "of": whole}],
        "checks": ["known"],
    }


USERS = sqlalchemy.Table("users", sqlalchemy.MetaData(), sqlalchemy.Column("login", sqlalchemy.String))


class Node(Input):
    """A model that holds itself, and values of every kind in its rules."""

    children: tuple[Node, ...] = ()
    shade: Shade = None  # type: ignore[assignment]  # a default that is told as it is
    pair: tuple[int, Annotated[str, Field(min_length=1)]] | dict[str, Any] | None = None
    login: Annotated[str, Unique(USERS.c.login)] = ""
    since: Annotated[datetime.date, Telling(when=datetime.date(2026, 1, 1), like=re.compile("a"), named={"x": {3, 1}})]
    made: Annotated[str, AfterValidator(str.strip), Telling(when=Size, like=object(), named=Shade.DARK)] = ""


def test_every_kind_of_parameter_can_be_told() -> None:
    """As data where it is plain, by its name where it has one, by its type otherwise: the same in each process."""
    fields = describe(Node)["models"]["Node"]["fields"]
    assert fields["children"]["type"] == {"tuple": [{"model": "Node"}, "…"]}
    assert fields["shade"]["type"] == {"one of": ["dark"]}
    text = {"type": "str", "rules": [{"rule": "MinLen", "min_length": 1}]}
    assert fields["pair"]["type"] == {"any of": [{"tuple": ["int", text]}, {"dict": ["str", "Any"]}, "null"]}
    assert fields["login"]["rules"] == [{"rule": "Unique", "column": "users.login", "scope": {}}]
    assert fields["since"]["rules"] == [
        {"rule": "Telling", "when": "2026-01-01", "like": "a", "named": {"x": [1, 3]}},
    ]
    assert fields["made"]["rules"] == [
        {"rule": "AfterValidator", "func": "str.strip"},
        {"rule": "Telling", "when": f"{__name__}.Size", "like": "object", "named": "dark"},
    ]


def test_models_of_one_name_are_told_apart() -> None:
    """Each is there, the second with a number."""
    other = type("Size", (Input,), {"__annotations__": {"height": int}, "__module__": __name__})
    both = type("Both", (Input,), {"__annotations__": {"a": Size, "b": other}, "__module__": __name__})
    described = describe(both)
    assert described["models"]["Both"]["fields"]["b"]["type"] == {"model": "Size (2)"}
    assert [*described["models"]["Size (2)"]["fields"]] == ["height"]


def test_the_guide_s_lines_run() -> None:
    """One block after the other, as somebody copies them, and what they assert holds."""
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "build-a-form-from-data.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert blocks
    exec(compile("\n".join(blocks), "build-a-form-from-data.md", "exec"), {})  # noqa: S102 - our own page


def test_a_form_from_data_is_described_too() -> None:
    """So that whoever keeps definitions can show what they ask for."""
    fields = describe(build(DEFINITION))["models"]["Form"]["fields"]
    assert fields["when"]["rules"][0]["values"] == ["now", "later"]
    assert {"rule": "Compared", "how": "<=", "other": "ends"} in fields["starts"]["rules"]

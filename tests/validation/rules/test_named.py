"""Rules by name: every shipped one, made from plain parameters that are checked."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from postrmagic_core.errors import ConfigurationError, ValidationFailed
from postrmagic_core.validation.rules.dates import After, Before, MaxAge, MinAge
from postrmagic_core.validation.rules.named import NAMED
from tests.validation.rules.catalogue import VECTORS
from tests.validation.rules.vectors import Vector, checks

BASES: dict[str, list[Any]] = {"text": [str], "number": [int, float, Decimal], "date": [date], "list": [list[Any]]}


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.name)
def test_each_rule_has_its_name(vector: Vector) -> None:
    """The same rule comes of its name and parameters as of its class."""
    made, rule = NAMED[vector.named].make(**vector.parameters), get_args(vector.rule)[1]
    assert made == (replace(rule, clock=made.clock) if isinstance(made, Before | After | MinAge | MaxAge) else rule)


def test_no_name_is_left_without_a_rule() -> None:
    """One name is for what pydantic itself does."""
    assert NAMED.keys() - {vector.named for vector in VECTORS} == {"length"}


@pytest.mark.parametrize("name", NAMED)
def test_what_is_required_is_a_parameter(name: str) -> None:
    """The description of a rule agrees with itself."""
    assert NAMED[name].required <= NAMED[name].parameters.keys()
    assert NAMED[name].kinds


@pytest.mark.parametrize(
    ("name", "parameters", "told"),
    [
        ("starts_with", {}, "needs prefixes"),
        ("starts_with", {"prefixes": ["a"], "suffix": "b"}, "takes no suffix; known: max, prefixes"),
        ("starts_with", {"prefixes": "a"}, "prefixes must be a list"),
        ("starts_with", {"prefixes": []}, "at least one text"),
        ("starts_with", {"prefixes": [""]}, "none that is empty"),
        ("starts_with", {"prefixes": [1]}, "texts only"),
        ("starts_with", {"prefixes": ["a"] * 1_001}, "at most 1000"),
        ("starts_with", {"prefixes": ["a"], "max": 0}, "at least 1"),
        ("starts_with", {"prefixes": ["a"], "max": True}, "max must be a whole number"),
        ("iban", {"self": 1}, "takes no self; known: none"),
        ("iban", {"\n" * 100: 1}, "takes no …"),
        ("matches", {"pattern": "(a"}, "linear engine"),
        ("matches", {"pattern": "(?=a)"}, "linear engine"),
        ("matches", {"pattern": r"(a)\1"}, "linear engine"),
        ("matches", {"pattern": "a)|(b"}, "linear engine"),
        ("matches", {"pattern": r"(\w{100}|x){100}"}, "linear engine"),
        ("matches", {"pattern": "a" * 1_001}, "pattern must be text of at most 1000"),
        ("words", {"max": 1, "min": 2}, "not below min"),
        ("words", {"max": 1, "max_length": 0}, "max_length must be at least 1"),
        ("step_of", {"step": 0}, "above 0"),
        ("step_of", {"step": float("nan")}, "step must be a finite number"),
        ("between", {"low": 2, "high": 1}, "at most high"),
        ("between", {"low": 2}, "needs high"),
        ("length", {"min": -1}, "at least 0"),
        ("before", {"at": "soon"}, "at must be 'now'"),
        ("before", {"at": "2026-01-01T00:00:00"}, "aware datetime"),
        ("weekday", {"days": ["someday"]}, "days must be some of"),
        ("min_age", {"years": 10**30}, "years must be a whole number"),
        ("url", {"ports": ["443"]}, "whole numbers"),
        ("url", {"schemes": ["javascript"]}, "schemes"),
        ("url", {"max": 0}, "at least 1"),
        ("one_of", {"values": [{}]}, "values must be a list"),
        ("one_of", {"values": [None]}, "values must be a list"),
    ],
)
def test_wrong_parameters_are_named(name: str, parameters: dict[str, Any], told: str) -> None:
    """The error says which rule and what is expected, and nothing of the value."""
    with pytest.raises(ConfigurationError) as caught:
        NAMED[name].make(**parameters)
    assert told in str(caught.value)


def test_a_secret_parameter_is_not_shown() -> None:
    """Neither when it is refused nor afterwards."""
    with pytest.raises(ConfigurationError) as caught:
        NAMED["matches"].make(pattern="(hunter2")
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in repr(NAMED["one_of"].make(values=["hunter2"]))


PLAIN: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just("2026-01-01"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_hostile_parameters_are_refused_or_work(data: st.DataObject) -> None:
    """Whatever the parameters: a rule that pydantic takes on each of its kinds, or a ConfigurationError."""
    name = data.draw(st.sampled_from(sorted(NAMED)))
    rule = NAMED[name]
    names = st.sampled_from([*rule.parameters, *rule.parameters, "other"])
    fitting = {int: st.integers(-1, 10), float: st.floats(), str: st.text(max_size=5), bool: st.booleans()}
    parameters = {
        each: data.draw(fitting.get(rule.parameters.get(each, int), st.lists(PLAIN, max_size=2)) | PLAIN)
        for each in data.draw(st.sets(names, max_size=4)) | (rule.required if data.draw(st.booleans()) else set())
    }
    try:
        made = rule.make(**parameters)
    except ConfigurationError:
        return
    for kind in rule.kinds:
        for base in BASES[kind]:
            annotation: Any = Annotated[base, made]
            TypeAdapter(annotation).json_schema()


def test_length_limits() -> None:
    """Texts and lists, as pydantic does."""
    for annotation, refused, code in (
        (Annotated[str, NAMED["length"].make(min=2, max=3)], "a", "string_too_short"),
        (Annotated[list[int], NAMED["length"].make(max=1)], [1, 2], "too_long"),
    ):
        with pytest.raises(ValidationFailed) as caught:
            checks(annotation).validate(refused)
        assert [error["code"] for error in caught.value.errors] == [code]

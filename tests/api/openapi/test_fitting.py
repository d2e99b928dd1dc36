"""Whether an example fits its schema: as a validator of JSON Schema 2020-12 says, and stricter where members are."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openapi_schema_validator import OAS31Validator

from postrmagic_core.api.openapi.fitting import misfit

LEAVES = st.one_of(
    st.fixed_dictionaries({"type": st.sampled_from(["string", "integer", "number", "boolean", "null"])}),
    st.fixed_dictionaries({"type": st.just("string"), "minLength": st.integers(0, 3), "maxLength": st.integers(1, 4)}),
    st.fixed_dictionaries({"type": st.just("integer"), "minimum": st.integers(0, 3), "exclusiveMaximum": st.just(9)}),
    st.fixed_dictionaries({"enum": st.lists(st.sampled_from(["a", "b", 1, True, None]), min_size=1)}),
    st.fixed_dictionaries({"const": st.sampled_from(["a", 1, False])}),
    st.fixed_dictionaries({"type": st.just("string"), "pattern": st.sampled_from(["^a", "b$"])}),
    st.just({"$ref": "#/components/schemas/Tree"}),
    st.just({}),
)
NAMES = st.sampled_from(["a", "b", "c"])
SCHEMAS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.fixed_dictionaries({"type": st.just("array"), "items": inner, "maxItems": st.integers(0, 3)}),
        st.fixed_dictionaries({"anyOf": st.lists(inner, min_size=1, max_size=3)}),
        st.fixed_dictionaries({"type": st.just("object"), "additionalProperties": inner}),
        st.fixed_dictionaries(
            {
                "type": st.just("object"),
                "properties": st.dictionaries(NAMES, inner, min_size=1, max_size=3),
                "required": st.lists(NAMES, max_size=2, unique=True),
                "additionalProperties": st.just(False),
            }
        ),
    ),
    max_leaves=6,
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-2, 10), st.sampled_from(["", "a", "ab", "bbbbb"]), st.just(1.5)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(NAMES, inner, max_size=3)),
    max_leaves=6,
)
TREE: dict[str, Any] = {
    "type": "object",
    "properties": {"a": {"type": "array", "items": {"$ref": "#/components/schemas/Tree"}}},
    "additionalProperties": False,
}


@settings(max_examples=150, deadline=None)
@given(SCHEMAS, VALUES)
def test_it_says_what_a_validator_says(schema: dict[str, Any], value: Any) -> None:
    """Whatever fits one fits the other, nested and recursive schemas too."""
    whole = {"allOf": [schema], "components": {"schemas": {"Tree": TREE}}}
    assert (misfit(value, schema, {"Tree": TREE}) is None) is OAS31Validator(whole).is_valid(value)


@pytest.mark.parametrize(
    ("value", "schema", "words"),
    [
        ({"a": 1, "b": 2}, {"type": "object", "properties": {"a": {}}}, "/b: is not declared"),
        ("soon", {"type": "string", "format": "date-time"}, "/: expected date-time"),
        ("2026-05-01T10:00:00", {"type": "string", "format": "date-time"}, "/: expected an offset from UTC"),
        ("2026-02-30", {"type": "string", "format": "date"}, "/: expected date"),
        ("x", {"type": "string", "format": "uuid"}, "/: expected uuid"),
        ([1, "a"], {"type": "array", "prefixItems": [{}, {"type": "integer"}]}, "/1: expected integer"),
        ([1, 2], {"type": "array", "prefixItems": [{}], "items": {"type": "string"}}, "/1: expected string"),
        ({"a~/b": 1}, {"type": "object", "additionalProperties": {"type": "string"}}, "/a~0~1b: expected string"),
        (0.3, {"type": "number", "multipleOf": 0.2}, "/: expected multipleOf 0.2"),
        ("a", {"anyOf": [{"type": "integer"}, {"type": "null"}]}, "/: expected integer"),
        (True, {"type": "integer"}, "/: expected integer"),
        (2, {"type": "integer", "maximum": 1}, "/: expected maximum 1"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_by_its_place(value: Any, schema: dict[str, Any], words: str) -> None:
    """The first thing, as a pointer and words; formats too."""
    assert misfit(value, schema, {}) == words


@pytest.mark.parametrize(
    ("value", "schema"),
    [
        ({"a": 1}, {"type": "object"}),
        ({"a": 1}, {}),
        ("2026-05-01T10:00:00Z", {"type": "string", "format": "date-time"}),
        ("x", {"type": "string", "format": "binary"}),
        (0.6, {"type": "number", "multipleOf": 0.2}),
        (1, {"type": "number"}),
    ],
)
def test_what_nothing_is_said_of_fits(value: Any, schema: dict[str, Any]) -> None:
    """An open object, an unknown format."""
    assert misfit(value, schema, {}) is None

"""Form definitions under fire: a model, or an error that says what is wrong with them; never more than linear time."""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import strategies as st

from postrmagic_core.errors import ConfigurationError, ValidationFailed
from postrmagic_core.testing.growth import growth
from postrmagic_core.validation import Validator
from postrmagic_core.validation.definitions import DefinitionLimits, build
from tests.validation.fuzzing import FRAGMENTS, fuzz, hostile_texts, json_values, mutated, runs

REFUSED = (ConfigurationError, ValidationFailed)
GOOD: dict[str, Any] = {
    "fields": {
        "title": {"type": "text", "required": True, "label": "Title", "rules": [{"rule": "plain_text", "max": 80}]},
        "copies": {"type": "integer", "min": 1, "max": 500},
        "tags": {"type": "list", "of": {"type": "text"}, "max": 20},
        "when": {"type": "choice", "of": ["now", "later"]},
        "a": {"type": "text"},
        "b": {"type": "text"},
    },
    "together": [{"exactly_one_of": ["a", "b"]}],
}
NAMES = [
    *("title", "copies", "fields", "type", "rules", "rule", "of"),
    *("min", "max", "required", "label", "together", "pattern"),
    *("__class__", "__init__", "_private", "model_config", "model_dump"),
    *("validate", "class", "None", "self", "a b", "1a", "é"),
]  # fmt: skip
TYPES = [
    "text",
    "integer",
    "decimal",
    "number",
    "boolean",
    "date",
    "datetime",
    "choice",
    "list",
    "object",
    "image",
    "email",
    "url",
]
WORDS = [
    *TYPES,
    *NAMES,
    "plain_text",
    "matches",
    "(a+)+$",
    "(?=a)",
    "[",
    "{{7*7}}",
    "os.system",
    "exactly_one_of",
    *FRAGMENTS,
]

scalars = st.none() | st.booleans() | st.integers(-2, 10**7) | st.floats() | st.sampled_from(WORDS)
pieces = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=10,
)
fields = st.fixed_dictionaries(
    {"type": st.sampled_from(TYPES)},
    optional={
        **dict.fromkeys(("min", "max", "required", "label", "of", "fields"), pieces),
        "rules": st.lists(
            st.fixed_dictionaries({"rule": st.sampled_from(WORDS)}, optional={"max": pieces}), max_size=2
        ),
    },
)
definitions = st.fixed_dictionaries(
    {"fields": st.dictionaries(st.sampled_from(NAMES), fields | pieces, max_size=4)}, optional={"together": pieces}
)


@pytest.mark.parametrize("examples", runs(30))
def test_any_definition_is_a_model_or_refused(examples: int) -> None:
    """And any input to a model that came of it is a value or refused."""

    def check(definition: Any) -> None:
        model = build(definition)
        validator = Validator(model)
        for data in ({}, {"title": "a"}, dict.fromkeys(NAMES, "1"), definition):
            with contextlib.suppress(ValidationFailed):
                validator.validate(data)
            with contextlib.suppress(ValidationFailed):
                validator.validate_json(json.dumps(data).encode())

    fuzz(check, definitions | pieces.filter(lambda drawn: isinstance(drawn, dict)), examples, *REFUSED)


@pytest.mark.parametrize("examples", runs(30))
def test_any_text_is_a_model_or_refused(examples: int) -> None:
    """Given a good definition after accidents, as bytes."""
    fuzz(build, mutated(json.dumps(GOOD).encode(), b"{}", b'{"fields":{}}'), examples, *REFUSED)
    fuzz(lambda value: build(json.dumps(value).encode()), json_values | hostile_texts, examples, *REFUSED)


def rules_of(count: int) -> dict[str, Any]:
    """One field of many rules."""
    return {"fields": {"a": {"type": "text", "rules": [{"rule": "plain_text", "max": 9}] * count}}}


def nested(count: int) -> dict[str, Any]:
    """A field inside a field, and so on."""
    field: dict[str, Any] = {"type": "text"}
    for _ in range(count):
        field = {"type": "list", "of": field}
    return {"fields": {"a": field}}


SHAPES: dict[str, Callable[[int], dict[str, Any]]] = {
    "fields": lambda n: {"fields": {f"f{i}": {"type": "text"} for i in range(n)}},
    "rules": rules_of,
    "choices": lambda n: {"fields": {"a": {"type": "choice", "of": [f"c{i}" for i in range(n)]}}},
    "unknown keys": lambda n: {"fields": {"a": {"type": "text", **{f"k{i}": 1 for i in range(n)}}}},
    "together": lambda n: GOOD | {"together": [{"exactly_one_of": ["a", "b"]}] * n},
    "one name of many": lambda n: GOOD | {"together": [{"exactly_one_of": ["a"] * n}]},
    "a pattern": lambda n: {"fields": {"a": {"type": "text", "rules": [{"rule": "matches", "pattern": "(a?)" * n}]}}},
    "a long name": lambda n: {"fields": {"a" * n: {"type": "text"}}},
    "nesting": nested,
}


WIDE = DefinitionLimits(fields=5_000, rules=5_000, choices=5_000, bytes=1_000_000)


@pytest.mark.parametrize("limits", [DefinitionLimits(), WIDE], ids=["usual limits", "wide limits"])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_definition_takes_linear_time(shape: str, limits: DefinitionLimits) -> None:
    """Twice the definition takes less than three times as long, to a model or a refusal."""
    made = {size: SHAPES[shape](size) for size in (100, 200)}
    numbers = itertools.count()

    def read(size: int) -> None:
        other = {f"s{next(numbers)}": {"type": "text"}}  # so that none is found among those that were built
        with contextlib.suppress(*REFUSED):
            build(made[size] | {"fields": made[size]["fields"] | other}, limits=limits)

    assert growth(read, 100) < 3

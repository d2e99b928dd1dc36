"""How deeply data may be nested that a type accepts: known of closed types, whose data need not be looked through."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

_FLAT = frozenset(
    {"none", "bool", "int", "float", "str", "bytes", "date", "time", "datetime", "timedelta", "uuid", "url"}
)
_SAME = frozenset({"nullable", "default", "function-after", "model-field"})
_COLLECTIONS = frozenset({"list", "set", "frozenset"})


def depth_of(schema: Mapping[str, Any]) -> int | None:
    """The levels of containers in whatever a core schema of pydantic's accepts; ``None`` where that is not known.

    A model that takes unknown fields, a type of itself, and a validator that runs before pydantic's may accept any.
    """
    return _depth(schema, {})


def _depth(schema: Mapping[str, Any], named: Mapping[str, Mapping[str, Any]]) -> int | None:
    kind = schema["type"]
    if kind in _FLAT:
        return 0
    if kind in _SAME:
        return _depth(schema["schema"], named)
    if kind in _COLLECTIONS:
        return _deeper(_most([schema["items_schema"]], named)) if "items_schema" in schema else None
    of = _HOLDING.get(kind)
    return None if of is None else of(schema, named)


def _literal(schema: Mapping[str, Any], named: Mapping[str, Mapping[str, Any]]) -> int | None:
    return 0 if all(type(value) in {str, int, bool} for value in schema["expected"]) else None


def _enum(schema: Mapping[str, Any], named: Mapping[str, Mapping[str, Any]]) -> int | None:
    plain = all(isinstance(member.value, (str, int)) for member in schema["members"])
    return 0 if plain and "missing" not in schema else None


def _chain(schema: Mapping[str, Any], named: Mapping[str, Mapping[str, Any]]) -> int | None:
    return _depth(schema["steps"][0], named)


def _tuple(schema: Mapping[str, Any], named: Mapping[str, Mapping[str, Any]]) -> int | None:
    return _deeper(_most(schema["items_schema"], named))


def _dict(schema: Mapping[str, Any], named: Mapping[str, Mapping[str, Any]]) -> int | None:
    return _deeper(_most([schema["values_schema"]], named)) if "values_schema" in schema else None


def _union(schema: Mapping[str, Any], named: Mapping[str, Mapping[str, Any]]) -> int | None:
    choices = schema["choices"]
    if isinstance(choices, Mapping):
        choices = choices.values()
    return _most((each[0] if isinstance(each, tuple) else each for each in choices), named)


def _model(schema: Mapping[str, Any], named: Mapping[str, Mapping[str, Any]]) -> int | None:
    fields = schema["schema"]
    closed = schema.get("config", {}).get("extra_fields_behavior") == "forbid" and not schema.get("custom_init")
    if not closed or fields["type"] != "model-fields":
        return None
    held = fields["fields"].values()
    # A path of names takes one value out of what may hold many more.
    if any(not isinstance(field.get("validation_alias", ""), str) for field in held):
        return None
    return _deeper(_most(held, named))


def _definitions(schema: Mapping[str, Any], named: Mapping[str, Mapping[str, Any]]) -> int | None:
    return _depth(schema["schema"], {**named, **{each["ref"]: each for each in schema["definitions"]}})


def _reference(schema: Mapping[str, Any], named: Mapping[str, Mapping[str, Any]]) -> int | None:
    name = schema["schema_ref"]
    if name not in named:  # it is being looked at already: a type of itself
        return None
    return _depth(named[name], {each: found for each, found in named.items() if each != name})


_HOLDING = {
    "literal": _literal,
    "enum": _enum,
    "chain": _chain,
    "tuple": _tuple,
    "dict": _dict,
    "union": _union,
    "tagged-union": _union,
    "model": _model,
    "definitions": _definitions,
    "definition-ref": _reference,
}


def _most(schemas: Iterable[Mapping[str, Any]], named: Mapping[str, Mapping[str, Any]]) -> int | None:
    most = 0
    for schema in schemas:
        depth = _depth(schema, named)
        if depth is None:
            return None
        most = max(most, depth)
    return most


def _deeper(depth: int | None) -> int | None:
    return None if depth is None else depth + 1

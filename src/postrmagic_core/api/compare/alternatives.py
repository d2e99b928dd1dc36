"""A schema as the list of its alternatives, each of one type: unions flattened, ``allOf`` joined, null apart."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

from .documents import NOTES, Document
from .rules import BOUNDS

ANY = "any"
UNDECIDABLE = "undecidable"

_STEPS = 2_000
_DEPTH = 40
_MANY = 64

_NUMBERS = frozenset({"minimum", "maximum", "multipleOf", "format"})
_STRINGS = frozenset({"minLength", "maxLength", "pattern", "format", "contentMediaType", "contentEncoding"})
_ARRAYS = frozenset({"items", "prefixItems", "minItems", "maxItems", "uniqueItems"})
_OBJECTS = frozenset({"properties", "required", "additionalProperties", "minProperties", "maxProperties"})
_OF_TYPE: Mapping[str, frozenset[str]] = {
    "string": _STRINGS,
    "number": _NUMBERS,
    "integer": _NUMBERS,
    "array": _ARRAYS | {"contains", "minContains", "maxContains", "unevaluatedItems"},
    "object": _OBJECTS
    | {"patternProperties", "propertyNames", "dependentRequired", "dependentSchemas", "unevaluatedProperties"},
    "boolean": frozenset(),
    "null": frozenset(),
}
# What belongs to one type says nothing about values of another.
_TYPED = frozenset().union(*_OF_TYPE.values())
_ELSEWHERE = NOTES | {"type", "enum", "const", "allOf", "anyOf", "oneOf", "discriminator", "$ref"}
_EXCLUSIVE = {"exclusiveMinimum": "minimum", "exclusiveMaximum": "maximum"}


class Undecidable(Exception):
    """The schema is no list of alternatives that can be told apart; it is compared only as a whole."""


@dataclass(frozen=True, slots=True)
class Alternative:
    """Values of one type. ``keys`` are its keywords: bounds as pairs, ``enum`` as a set of JSON texts."""

    type: str
    keys: Mapping[str, Any] = field(default_factory=dict)
    name: str = ""
    """The reference by which a union names it, if it does."""


class Flattening:
    """The alternatives of the schemas of one document."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._known: dict[int, list[Alternative]] = {}

    def of(self, node: object) -> list[Alternative]:
        """The alternatives of a schema; one that is :data:`UNDECIDABLE` where they cannot be told."""
        found = self._document.schema(node)
        key = id(found)
        if key not in self._known:
            try:
                self._known[key] = _Walk(self._document).of(found)
            except Undecidable:
                self._known[key] = [Alternative(UNDECIDABLE, {"schema": found})]
        return self._known[key]


class _Walk:
    """One flattening, with an end to its work: unions of unions can be many."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._inside: list[int] = []
        self._steps = 0

    def of(self, node: object) -> list[Alternative]:
        """The alternatives of ``node``, its unions flattened and its parts joined."""
        schema = self._document.schema(node)
        if isinstance(schema, bool):
            return [Alternative(ANY)] if schema else []
        self._steps += 1
        if id(schema) in self._inside or self._steps > _STEPS or len(self._inside) > _DEPTH:
            raise Undecidable
        self._inside.append(id(schema))
        found = list(_typed(self._document, schema))
        for part in self._document.sequence(schema.get("allOf"), "allOf"):
            found = self._both(found, self.of(part))
        for keyword in ("anyOf", "oneOf"):
            if keyword in schema:
                found = self._both(found, self._union(schema, keyword))
        self._inside.pop()
        return found

    def _union(self, schema: Mapping[str, Any], keyword: str) -> list[Alternative]:
        told = self._document.mapping(schema.get("discriminator"), "discriminator")
        tags = self._document.mapping(told.get("mapping"), "discriminator/mapping")
        found: list[Alternative] = []
        groups: list[list[Alternative]] = []
        for option in self._document.sequence(schema.get(keyword), keyword):
            reference = str(option.get("$ref", "")) if isinstance(option, Mapping) else ""
            names = sorted(name for name, leads in tags.items() if reference_of(leads) == reference)
            group = [
                Alternative(
                    each.type,
                    {**each.keys, "discriminator": (told.get("propertyName"), names)} if names else each.keys,
                    each.name or reference,
                )
                for each in self.of(option)
            ]
            groups.append(group)
            found += group
        # Of oneOf, values that two alternatives admit are refused: a change of one changes what the other admits.
        if keyword == "oneOf" and not all(
            _apart(self._document, one, other)
            for here, there in combinations(groups, 2)
            for one in here
            for other in there
        ):
            raise Undecidable
        _at_most(len(found))
        return found

    def _both(self, some: Sequence[Alternative], others: Sequence[Alternative]) -> list[Alternative]:
        _at_most(len(some) * len(others))
        met = (_met(self._document, one, other) for one in some for other in others)
        return [each for each in met if each is not None]


def _at_most(count: int) -> None:
    if count > _MANY:
        raise Undecidable


def reference_of(target: object) -> str:
    """What a discriminator's mapping says, a reference or the name of a schema, as a reference."""
    told = str(target)
    return told if told.startswith("#") or "/" in told else f"#/components/schemas/{told}"


def canonical(value: object) -> str:
    """A JSON value as text: the same for equal values, true and 1 apart."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def json_type(value: object) -> str:
    """The type of a JSON value as a schema names it."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
        return "integer"
    names = {str: "string", float: "number", list: "array", dict: "object", type(None): "null"}
    return names.get(type(value), ANY)


def _typed(document: Document, schema: Mapping[str, Any]) -> Iterator[Alternative]:
    keys = _keys(document, schema)
    types = schema.get("type")
    named = [types] if isinstance(types, str) else document.names(types, "type") if types is not None else None
    if named is not None and not set(named) <= _OF_TYPE.keys():
        raise document.wrong("type", "a type of JSON Schema")
    if "const" in schema or "enum" in schema:
        listed: dict[str, set[str]] = {}
        for value in _listed(document, schema):
            sort = json_type(value)
            if named is None or sort in named:
                listed.setdefault(sort, set()).add(canonical(value))
            elif sort == "integer" and "number" in named:
                listed.setdefault("number", set()).add(canonical(value))
        for name in sorted(listed):
            yield Alternative(name, {**_relevant(keys, name), "enum": frozenset(listed[name])})
    elif named is None:
        yield Alternative(ANY, keys)
    else:
        for name in sorted(set(named) - ({"integer"} if "number" in named else set())):
            yield Alternative(name, _relevant(keys, name))


def _listed(document: Document, schema: Mapping[str, Any]) -> Sequence[Any]:
    """The values that ``const`` and ``enum`` leave."""
    if "const" not in schema:
        return document.sequence(schema["enum"], "enum")
    value = schema["const"]
    others = document.sequence(schema.get("enum", [value]), "enum")
    return [value] if canonical(value) in map(canonical, others) else []


def _relevant(keys: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = {key: value for key, value in keys.items() if key not in _TYPED or key in _OF_TYPE[name]}
    if name == "integer":
        for bound, rounded in (("minimum", math.ceil), ("maximum", math.floor)):
            if bound in found:
                found[bound] = _whole(found[bound], rounded)
    return found


def _whole(bound: tuple[float, int], rounded: Any) -> tuple[float, int]:
    """Of integers, ``> 3`` is ``>= 4``."""
    value, exclusive = bound
    whole = rounded(value)
    return (whole + exclusive if whole == value else whole, 0)


def _keys(document: Document, schema: Mapping[str, Any]) -> dict[str, Any]:
    found = {
        key: value
        for key, value in schema.items()
        if key not in _ELSEWHERE and key not in BOUNDS and key not in _EXCLUSIVE and not key.startswith("x-")
    }
    for key, sense in BOUNDS.items():
        value = _number(document, schema, key)
        if value is not None and not (key.startswith("min") and key != "minimum" and value <= 0):
            found[key] = (value, 0)
        for strict, plain in _EXCLUSIVE.items():
            if plain == key and (limit := _number(document, schema, strict)) is not None:
                found[key] = _tighter((limit, sense), found.get(key), sense)
    if "required" in found:
        found["required"] = frozenset(document.names(found["required"], "required"))
    if found.get("uniqueItems") is False:
        del found["uniqueItems"]
    if found.get("required") == frozenset():
        del found["required"]
    if found.get("additionalProperties") in (True, {}):
        del found["additionalProperties"]
    for key, read in (("properties", document.mapping), ("prefixItems", document.sequence)):
        if key in found:
            found[key] = read(found[key], key)
    return found


def _number(document: Document, schema: Mapping[str, Any], key: str) -> float | None:
    value = schema.get(key)
    if value is None:
        return None
    with suppress(OverflowError):
        if not isinstance(value, bool) and isinstance(value, int | float) and math.isfinite(value):
            return value
    raise document.wrong(key, "a number")


def _tighter(one: tuple[float, int], other: tuple[float, int] | None, sense: int) -> tuple[float, int]:
    """The bound that admits less. A pair holds the limit, and 1 or -1 where the limit itself is not admitted."""
    if other is None:
        return one
    return max(one, other) if sense > 0 else min(one, other)


def _met(document: Document, one: Alternative, other: Alternative) -> Alternative | None:
    """What both admit; ``None`` where that is nothing."""
    types = {one.type, other.type}
    if one.type == other.type or ANY in types:
        name = one.type if one.type != ANY else other.type
    elif types == {"integer", "number"}:
        name = "integer"
    else:
        return None
    here, there = ((_relevant(each.keys, name) if name != ANY else dict(each.keys)) for each in (one, other))
    fields = [set(each.get("properties", ())) for each in (here, there)]
    if (
        here
        and there
        and fields[0] != fields[1]
        and ("additionalProperties" in here or "additionalProperties" in there)
    ):
        raise Undecidable  # each closes what the other names
    keys = {**here, **there}
    for key in here.keys() & there.keys():
        if key in BOUNDS:
            keys[key] = _tighter(here[key], there[key], BOUNDS[key])
        elif key == "enum":
            keys[key] = here[key] & there[key]
        elif key == "required":
            keys[key] = here[key] | there[key]
        elif key == "properties":
            keys[key] = _merged(document, here[key], there[key])
        elif here[key] != there[key]:
            if key not in ("items", "additionalProperties"):
                raise Undecidable
            keys[key] = False if False in (here[key], there[key]) else document.joined([here[key], there[key]])
    if keys.get("enum") == frozenset():
        return None
    return Alternative(name, keys, other.name or one.name)


def _merged(document: Document, here: Mapping[str, Any], there: Mapping[str, Any]) -> dict[str, Any]:
    merged = {**here, **there}
    for name in here.keys() & there.keys():
        merged[name] = document.joined([here[name], there[name]])
    return merged


def constants(document: Document, one: Alternative) -> dict[str, frozenset[str]]:
    """The required fields of an object that have listed values, each with these: by them unions are told apart."""
    fields = one.keys.get("properties", {})
    found = {}
    for name in one.keys.get("required", ()):
        schema = document.schema(fields[name]) if name in fields else True
        if isinstance(schema, Mapping) and ("const" in schema or isinstance(schema.get("enum"), list)):
            values = [schema["const"]] if "const" in schema else schema["enum"]
            found[name] = frozenset(canonical(value) for value in values)
    return found


def _apart(document: Document, one: Alternative, other: Alternative) -> bool:
    """Whether no value is both; False where that is not sure."""
    types = {one.type, other.type}
    if ANY in types or types == {"integer", "number"}:
        return False
    if len(types) > 1:
        return True
    here, there = one.keys, other.keys
    if "enum" in here and "enum" in there and not here["enum"] & there["enum"]:
        return True
    if "discriminator" in here and "discriminator" in there and here["discriminator"] != there["discriminator"]:
        return True
    known, others = constants(document, one), constants(document, other)
    return any(not known[name] & others[name] for name in known.keys() & others.keys())

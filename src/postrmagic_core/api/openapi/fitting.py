"""Whether an example fits its schema: the keywords that pydantic writes, and no member that is not declared. Pure.

No library: a document is made of schemas that are known here, and examples are checked when it is made, in production
too, where no development tool is installed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Any
from uuid import UUID

from pydantic_core import SchemaValidator, ValidationError, core_schema

from ...validation.policy import written
from .schemas import REFERENCE, Schema

_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
    "array": (list, tuple),
    "object": (dict,),
}
_FORMATS: dict[str, Any] = {"date-time": datetime.fromisoformat, "date": date.fromisoformat, "uuid": UUID}
_LIMITS: dict[str, Any] = {
    "minimum": lambda value, limit: value >= limit,
    "maximum": lambda value, limit: value <= limit,
    "exclusiveMinimum": lambda value, limit: value > limit,
    "exclusiveMaximum": lambda value, limit: value < limit,
    "multipleOf": lambda value, limit: math.isclose(value / limit, round(value / limit), abs_tol=1e-9),
}
_SIZES: dict[str, Any] = {
    "minLength": lambda value, limit: len(value) >= limit,
    "maxLength": lambda value, limit: len(value) <= limit,
    "minItems": lambda value, limit: len(value) >= limit,
    "maxItems": lambda value, limit: len(value) <= limit,
}


def misfit(value: object, schema: Mapping[str, Any], schemas: Mapping[str, Schema]) -> str | None:
    """What is wrong first, as ``pointer: words``; ``None`` for what fits. ``schemas`` are the components."""
    return next(_problems(value, schema, schemas, ()), None)


def _problems(
    value: Any, schema: Mapping[str, Any], schemas: Mapping[str, Schema], at: tuple[int | str, ...]
) -> Iterator[str]:
    here = written(at) or "/"
    if "$ref" in schema:
        yield from _problems(value, schemas[schema["$ref"].removeprefix(REFERENCE)], schemas, at)
    for key in ("anyOf", "oneOf"):
        branches = schema.get(key)
        if branches and all(next(_problems(value, one, schemas, at), None) for one in branches):
            # One of two, the other being null: what is wrong with that one says more.
            others = [one for one in branches if one != {"type": "null"}]
            yield from _problems(value, others[0], schemas, at) if len(others) == 1 else [f"{here}: fits no choice"]
    for one in schema.get("allOf", ()):
        yield from _problems(value, one, schemas, at)
    if "enum" in schema and not any(_same(value, one) for one in schema["enum"]):
        yield f"{here}: expected one of {', '.join(map(str, schema['enum']))}"
    if "const" in schema and not _same(value, schema["const"]):
        yield f"{here}: expected {schema['const']}"
    kind = schema.get("type")
    if kind is not None and not _is_a(kind, value):
        yield f"{here}: expected {kind}"
    elif isinstance(value, dict):
        yield from _members(value, schema, schemas, at)
    elif isinstance(value, (list, tuple)):
        yield from _items(value, schema, schemas, at)
    else:
        yield from _leaf(value, schema, here)


def _same(value: object, other: object) -> bool:
    """Equal as JSON is: 1 is not true."""
    return value == other and isinstance(value, bool) is isinstance(other, bool)


def _is_a(kind: str, value: object) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    return isinstance(value, _TYPES.get(kind, (object,)))


def _members(
    value: Mapping[str, Any], schema: Mapping[str, Any], schemas: Mapping[str, Schema], at: tuple[int | str, ...]
) -> Iterator[str]:
    declared = schema.get("properties", {})
    for name in schema.get("required", ()):
        if name not in value:
            yield f"{written((*at, name))}: is missing"
    # An object of which nothing is said is open; one with fields says what an example may show.
    other = schema.get("additionalProperties", not declared)
    for name, member in value.items():
        if name in declared:
            yield from _problems(member, declared[name], schemas, (*at, name))
        elif other is False and "$ref" not in schema:
            yield f"{written((*at, name))}: is not declared"
        elif isinstance(other, Mapping):
            yield from _problems(member, other, schemas, (*at, name))


def _items(
    value: list[Any] | tuple[Any, ...],
    schema: Mapping[str, Any],
    schemas: Mapping[str, Schema],
    at: tuple[int | str, ...],
) -> Iterator[str]:
    yield from _limits(value, schema, _SIZES, written(at) or "/")
    first = schema.get("prefixItems", ())
    for number, item in enumerate(value):
        found = first[number] if number < len(first) else schema.get("items", {})
        if isinstance(found, Mapping):
            yield from _problems(item, found, schemas, (*at, number))


def _fits(pattern: str, text: str) -> bool:
    """By pydantic's engine, as the model's own: it takes linear time, whatever the pattern."""
    try:
        SchemaValidator(core_schema.str_schema(pattern=pattern)).validate_python(text)
    except ValidationError:
        return False
    return True


def _leaf(value: Any, schema: Mapping[str, Any], here: str) -> Iterator[str]:
    if isinstance(value, str):
        yield from _limits(value, schema, _SIZES, here)
        if "pattern" in schema and not _fits(schema["pattern"], value):
            yield f"{here}: expected the pattern {schema['pattern']}"
        read = _FORMATS.get(schema.get("format", ""))
        try:
            moment = read(value) if read else None
        except ValueError:
            yield f"{here}: expected {schema['format']}"
        else:
            if isinstance(moment, datetime) and moment.tzinfo is None:
                yield f"{here}: expected an offset from UTC"
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield from _limits(value, schema, _LIMITS, here)


def _limits(value: Any, schema: Mapping[str, Any], checks: Mapping[str, Any], here: str) -> Iterator[str]:
    for key, holds in checks.items():
        if key in schema and not holds(value, schema[key]):
            yield f"{here}: expected {key} {schema[key]}"

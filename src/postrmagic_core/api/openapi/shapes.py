"""Schemas as people read them: a type in words, and the fields of a body in one table."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_KINDS = {"string": "text", "array": "list", "null": "null", "object": "object"}
_FORMATS = {
    "date-time": "instant",
    "date": "date",
    "uuid": "UUID",
    "uri": "URL",
    "duration": "duration",
}
_RANGES = (
    ("minLength", "maxLength", " characters"),
    ("minItems", "maxItems", " items"),
    ("minimum", "maximum", ""),
)
_DEEPEST = 12
_METHODS = ("get", "put", "post", "patch", "delete")


@dataclass(frozen=True, slots=True)
class Row:
    """One field: where it is, of what type, whether it is always there, and what is said of it."""

    place: str
    type: str
    required: bool
    description: str


def resolved(document: Mapping[str, Any], part: Mapping[str, Any]) -> Mapping[str, Any]:
    """``part`` itself, or what it refers to in the document."""
    for _ in range(_DEEPEST):
        if "$ref" not in part:
            break
        found: Any = document
        for step in part["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        part = {**found, **{key: value for key, value in part.items() if key != "$ref"}}
    return part


def in_words(document: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    """The type, with its limits."""
    choices = schema.get("anyOf") or schema.get("oneOf")
    if choices:
        return " or ".join(dict.fromkeys(in_words(document, one) for one in choices))
    if "$ref" in schema:
        target = resolved(document, schema)
        return _name(schema) if target.get("type") == "object" else in_words(document, target)
    if "enum" in schema or "const" in schema:
        values = schema.get("enum") or [schema["const"]]
        return " | ".join(json.dumps(one, ensure_ascii=False) for one in values)
    return _plain(document, schema)


def _plain(document: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    kind = str(schema.get("type", "anything"))
    if "contentMediaType" in schema:
        return "file"
    limits = ", ".join(_limits(schema))
    limits = f" ({limits})" if limits else ""
    name = _FORMATS.get(schema.get("format", "")) or _KINDS.get(kind, kind)
    if kind == "array":
        return f"list{limits} of {in_words(document, schema.get('items', {}))}"
    if kind == "object" and isinstance(schema.get("additionalProperties"), Mapping):
        name = f"object of {in_words(document, schema['additionalProperties'])}"
    return name + limits


def _limits(schema: Mapping[str, Any]) -> Iterator[str]:
    for least, most, unit in _RANGES:
        low, high = schema.get(least), schema.get(most)
        if low is not None and high is not None:
            yield f"{low} to {high}{unit}"
        elif high is not None:
            yield f"at most {high}{unit}"
        elif low is not None:
            yield f"at least {low}{unit}"
    for key, words in (("exclusiveMinimum", "above"), ("exclusiveMaximum", "below")):
        if key in schema:
            yield f"{words} {schema[key]}"


def rows(document: Mapping[str, Any], schema: Mapping[str, Any]) -> list[Row]:
    """The fields of a body, those within them behind each; a model within itself is named and not opened again."""
    return list(_rows(document, schema, "", ()))


def _rows(document: Mapping[str, Any], schema: Mapping[str, Any], at: str, seen: tuple[str, ...]) -> Iterator[Row]:
    choices = [one for key in ("anyOf", "oneOf") for one in schema.get(key, ()) if one.get("type") != "null"]
    for one in choices:
        yield from _rows(document, one, at if len(choices) == 1 else f"{at} ({_name(one)})" if at else "", seen)
    if "$ref" in schema:
        name = schema["$ref"]
        if name in seen or len(seen) > _DEEPEST:
            return
        seen = (*seen, name)
        schema = resolved(document, schema)
    if schema.get("type") == "array":
        yield from _rows(document, schema.get("items", {}), f"{at}[]", seen)
    if isinstance(schema.get("additionalProperties"), Mapping):
        yield from _rows(document, schema["additionalProperties"], f"{at}.*" if at else "*", seen)
    required = schema.get("required", ())
    for field, said in schema.get("properties", {}).items():
        place = f"{at}.{field}" if at else field
        told = resolved(document, said).get("description", "") if "$ref" in said else said.get("description", "")
        yield Row(place, in_words(document, said), field in required, told)
        yield from _rows(document, said, place, seen)


def _name(schema: Mapping[str, Any]) -> str:
    return str(schema.get("$ref", schema.get("type", "object"))).rsplit("/", 1)[-1]


def groups(spec: Mapping[str, Any]) -> Iterator[tuple[str, str, list[tuple[str, str, Mapping[str, Any]]]]]:
    """Each group with its description and its operations: path, method, what is said of it."""
    found: dict[str, list[tuple[str, str, Mapping[str, Any]]]] = {tag["name"]: [] for tag in spec.get("tags", ())}
    for path, item in spec.get("paths", {}).items():
        for method in _METHODS:
            if method in item:
                found.setdefault((item[method].get("tags") or ["Other"])[0], []).append((path, method, item[method]))
    told = {tag["name"]: tag.get("description", "") for tag in spec.get("tags", ())}
    for name, operations in found.items():
        yield name, told.get(name, ""), operations

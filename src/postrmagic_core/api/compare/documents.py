"""Reading a specification: what it refers to is found, and what is of the wrong shape is refused by its place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias
from urllib.parse import unquote

from ...errors import NotASpecification

Schema: TypeAlias = "Mapping[str, Any] | bool"

# Keywords that say nothing about which values are possible.
NOTES = frozenset(
    {
        *("title", "description", "summary", "default", "examples", "example", "deprecated", "externalDocs", "xml"),
        *("$defs", "$comment", "$id", "$schema", "$anchor", "$dynamicAnchor", "definitions"),
    }
)
ABSENT: Final = object()


class Document:
    """One OpenAPI 3.1 specification; every object that is read from it is checked to be one."""

    def __init__(self, raw: object, name: str) -> None:
        self.name = name
        self.raw = self.mapping(raw, "")
        version = self.raw.get("openapi")
        if not isinstance(version, str) or not version.startswith("3.1."):
            raise NotASpecification(f"the {name} document is no OpenAPI 3.1 specification: expected openapi: 3.1.x")
        self._targets: dict[str, Any] = {}
        self._rests: dict[int, Mapping[str, Any]] = {}
        self._joined: dict[tuple[int, ...], Mapping[str, Any]] = {}

    def mapping(self, value: object, place: str) -> Mapping[str, Any]:
        """``value``, which must be an object with texts as names; absent is empty."""
        if value is None:
            return {}
        if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
            raise self.wrong(place, "an object")
        return value

    def sequence(self, value: object, place: str) -> Sequence[Any]:
        """``value``, which must be an array; absent is empty."""
        if value is None:
            return ()
        if not isinstance(value, list | tuple):
            raise self.wrong(place, "an array")
        return value

    def names(self, value: object, place: str) -> list[str]:
        """``value``, which must be an array of texts; absent is empty."""
        found = self.sequence(value, place)
        if not all(isinstance(name, str) for name in found):
            raise self.wrong(place, "an array of texts")
        return list(found)

    def wrong(self, place: str, expected: str) -> NotASpecification:
        """The error that says where the document is of the wrong shape."""
        return NotASpecification(f"the {self.name} document is wrong at {place or 'its top'}: expected {expected}")

    def part(self, *path: str) -> Mapping[str, Any]:
        """An object by its path from the top; absent is empty."""
        found: Mapping[str, Any] = self.raw
        for depth, name in enumerate(path, 1):
            found = self.mapping(found.get(name), "/".join(path[:depth]))
        return found

    def resolved(self, node: object, place: str) -> Mapping[str, Any]:
        """An object that may be a reference to one: a parameter, a body, an answer, a header."""
        seen = set()
        found = self.mapping(node, place)
        while "$ref" in found:
            reference = found["$ref"]
            if not isinstance(reference, str) or reference in seen:
                raise self.wrong(place, "a $ref that leads to an object")
            seen.add(reference)
            found = self.mapping(self.target(reference), place)
        return found

    def schema(self, node: object) -> Schema:
        """A schema without its reference: the schema it leads to, joined with what is said beside it."""
        seen = set()
        while True:
            if not isinstance(node, bool):
                node = self.mapping(node, "a schema")
            if isinstance(node, bool) or "$ref" not in node:
                return node
            reference = node["$ref"]
            if not isinstance(reference, str) or reference in seen:
                raise self.wrong("a schema", "a $ref that leads to a schema")
            seen.add(reference)
            target, beside = self.target(reference), self._beside(node)
            if beside:
                return self.joined([target, beside])
            node = target

    def note(self, node: object, keyword: str) -> object:
        """What a schema notes, ``default`` for one: beside a reference, or else where it leads; or ``ABSENT``."""
        seen = set()
        while isinstance(node, Mapping):
            if keyword in node:
                return node[keyword]
            reference = node.get("$ref")
            if not isinstance(reference, str) or reference in seen:
                return ABSENT
            seen.add(reference)
            node = self.target(reference)
        return ABSENT

    def joined(self, parts: Sequence[object]) -> Mapping[str, Any]:
        """The schema of what all ``parts`` admit; one object for the same parts, so that cycles are noticed."""
        flat: dict[int, object] = {}
        for part in parts:
            inner = self._joined_parts(part)
            flat.update({id(each): each for each in inner})
        key = tuple(sorted(flat))
        return self._joined.setdefault(key, {"allOf": list(flat.values())})

    def target(self, reference: str) -> Any:
        """What a reference leads to, inside this document."""
        if reference not in self._targets:
            self._targets[reference] = self._found(reference)
        return self._targets[reference]

    def _found(self, reference: str) -> Any:
        missing = NotASpecification(
            f"the {self.name} document refers to {reference!r}, which is not in it: expected #/…, and files bundled"
        )
        if not reference.startswith("#/"):
            raise missing
        found: Any = self.raw
        for token in reference[2:].split("/"):
            name = unquote(token).replace("~1", "/").replace("~0", "~")
            if isinstance(found, Mapping) and name in found:
                found = found[name]
            elif isinstance(found, list) and name.isascii() and name.isdecimal() and int(name[:9]) < len(found):
                found = found[int(name[:9])]
            else:
                raise missing
        return found

    def _beside(self, node: Mapping[str, Any]) -> Mapping[str, Any]:
        if id(node) not in self._rests:
            self._rests[id(node)] = {
                key: value
                for key, value in node.items()
                if key != "$ref" and key not in NOTES and not key.startswith("x-")
            }
        return self._rests[id(node)]

    def _joined_parts(self, part: object) -> Sequence[object]:
        if isinstance(part, Mapping) and self._joined.get(self._key(part)) is part:
            return list(part["allOf"])
        return [part]

    @staticmethod
    def _key(part: Mapping[str, Any]) -> tuple[int, ...]:
        parts = part.get("allOf")
        return tuple(sorted({id(each) for each in parts})) if isinstance(parts, list) and len(part) == 1 else ()

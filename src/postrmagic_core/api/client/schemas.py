"""What a schema says, as types of Python: those that are read from answers, and those that are given."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .document import Document, mapping, named, sequence, words
from .layout import Group, Node, call
from .names import FIELDS, Names, literal

_DEEPEST = 100  # schemas within each other; what is deeper is an object
_INLINE = 50
_LONGEST = 1_000  # characters of an annotation
_FORMATS = {"date-time": ("datetime", "_instant"), "date": ("date", "_day"), "uuid": ("UUID", "_uuid")}
_SCALARS = {
    "integer": ("int", "_integer"),
    "number": ("float", "_number"),
    "boolean": ("bool", "_boolean"),
    "null": ("None", "_nothing"),
}
_CONSTANTS: dict[type, tuple[str, str]] = {
    str: ("str", "_text"),
    int: ("int", "_integer"),
    bool: ("bool", "_boolean"),
    type(None): ("None", "_nothing"),
}


@dataclass(frozen=True, slots=True)
class Kind:
    """A type: its alternatives, each as it is written and as the expression that reads it from JSON."""

    alternatives: tuple[tuple[str, Node], ...]

    @classmethod
    def of(cls, hint: str, read: Node) -> Kind:
        """One type; what is longer than anybody reads is ``object``."""
        return cls(((hint, read),)) if len(hint) <= _LONGEST else _ANY

    @property
    def is_nullable(self) -> bool:
        """Whether ``None`` is among what it says."""
        return any(hint == "None" for hint, _ in self.alternatives)

    @property
    def hint(self) -> str:
        """The annotation, ``None`` at its end."""
        hints = [hint for hint, _ in self.alternatives]
        return " | ".join(sorted(hints, key=lambda hint: hint == "None"))

    @property
    def optional(self) -> str:
        """The annotation of what may be ``None`` as well."""
        return self.hint if self.is_nullable or self == _ANY else f"{self.hint} | None"

    @property
    def read(self) -> Node:
        """The expression that reads it: the alternatives are tried in their order."""
        reads = [read for hint, read in self.alternatives if hint != "None"]
        if not reads:
            return "_nothing"
        found = reads[-1]
        for read in reversed(reads[:-1]):
            found = call("_either", read, found)
        return call("_or_none", found) if self.is_nullable else found


_ANY = Kind((("object", "_anything"),))


def union(kinds: Iterable[Kind]) -> Kind:
    """What is one of ``kinds``; each alternative once."""
    found = {hint: (hint, read) for kind in reversed([*kinds]) for hint, read in reversed(kind.alternatives)}
    if not found or "object" in found or sum(map(len, found)) > _LONGEST:
        return _ANY
    return Kind(tuple(reversed(found.values())))


@dataclass(frozen=True, slots=True)
class Member:
    """A field of a class: its name, its name on the wire, its type."""

    name: str
    wire: str
    kind: Kind
    required: bool
    about: str


@dataclass(frozen=True, slots=True)
class Model:
    """A class: one that is read, or one that is given."""

    name: str
    about: str
    members: Sequence[Member]


class Schemas:
    """Collects the classes that the operations need, each once, in the order they are first needed."""

    def __init__(self, document: Document, names: Names) -> None:
        self._document = document
        self._names = names
        self._known: dict[tuple[str, bool], Kind] = {}
        self._open: list[str] = []
        self.answers: list[Model] = []
        self.inputs: list[Model] = []
        self.literals: dict[str, Group] = {}

    def answer(self, schema: object, about: str) -> Kind:
        """The type that is read by ``schema``; ``about`` names a class that has no name of its own.

        Open to what a later server adds: members that are not told are passed over, an enumeration is its type.
        """
        return self._kind(schema, about, given=False)

    def given(self, schema: object, about: str) -> Kind:
        """The type of what is sent by ``schema``."""
        return self._kind(schema, about, given=True)

    def _kind(self, schema: object, about: str, *, given: bool) -> Kind:
        found = mapping(schema)
        reference = named(found)
        if len(self._open) >= _DEEPEST:
            return _ANY
        if reference is not None:
            return self._referred(reference, self._document.followed(found), given)
        self._open.append("")
        try:
            return self._spelled(self.merged(found), about, given)
        finally:
            self._open.pop()

    def _referred(self, reference: str, found: Mapping[str, Any], given: bool) -> Kind:
        known = self._known.get((reference, given))
        if known is not None:
            return known
        if reference in self._open:  # an alias of itself: no name of Python's says that to every checker
            return _ANY
        self._open.append(reference)
        try:
            kind = self._spelled(self.merged(found), reference, given, key=reference)
        finally:
            self._open.pop()
        return self._known.setdefault((reference, given), kind)

    def merged(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        """``schema``, with the members of all that it is made of (``allOf``)."""
        return self._merged(schema, set())

    def _merged(self, schema: Mapping[str, Any], seen: set[str]) -> Mapping[str, Any]:
        if "allOf" not in schema:
            return schema
        found = []
        for part in map(mapping, sequence(schema["allOf"])):
            reference = words(part.get("$ref"))
            if reference not in seen:  # twice the same says nothing more, and may be a circle
                seen |= {reference} - {""}
                found.append(self._merged(self._document.followed(part), seen))
        found.append({name: value for name, value in schema.items() if name != "allOf"})
        whole: dict[str, Any] = {}
        for part in found:
            whole |= part
        properties = {name: one for part in found for name, one in mapping(part.get("properties")).items()}
        required = [name for part in found for name in sequence(part.get("required"))]
        return whole | {"properties": properties, "required": required}

    def _spelled(self, schema: Mapping[str, Any], about: str, given: bool, *, key: str | None = None) -> Kind:
        kinds = schema.get("type")
        branches = [*sequence(schema.get("anyOf")), *sequence(schema.get("oneOf"))]
        if branches:
            return self._union(branches, about, given)
        if isinstance(kinds, list):
            return self._union([{**schema, "type": kind} for kind in kinds if isinstance(kind, str)], about, given)
        values = [schema["const"]] if "const" in schema else sequence(schema.get("enum"))
        if values:
            return self._one_of(values, about, given)
        if mapping(schema.get("properties")):
            return self._object(schema, about, given, key)
        return self._plain(schema, about, given)

    def _plain(self, schema: Mapping[str, Any], about: str, given: bool) -> Kind:
        kind = words(schema.get("type"))
        if kind == "string":
            hint, read = _FORMATS.get(words(schema.get("format")), ("str", "_text"))
            return Kind.of(hint, read)
        if kind == "array":
            item = self._kind(schema.get("items"), f"{about} item", given=given)
            return Kind.of(f"{'Sequence' if given else 'list'}[{item.hint}]", call("_list_of", item.read))
        if kind == "object":
            value = self._kind(schema.get("additionalProperties"), f"{about} value", given=given)
            hint = f"{'Mapping' if given else 'dict'}[str, {value.hint}]"
            return Kind.of(hint, "_members" if value == _ANY else call("_map_of", value.read))
        hint, read = _SCALARS.get(kind, ("object", "_anything"))
        return Kind.of(hint, read)

    def _one_of(self, values: Sequence[object], about: str, given: bool) -> Kind:
        plain = [one for one in values if isinstance(one, str | int) or one is None]
        if len(plain) < len(values):
            return _ANY
        types = {type(one) for one in plain}
        kinds = [Kind.of(hint, read) for kind, (hint, read) in _CONSTANTS.items() if kind in types]
        if not given:
            return union(kinds)
        choice = Group("Literal", tuple(("", literal(one)) for one in dict.fromkeys(plain)), "[]")
        if len(choice.flat()) <= _INLINE:
            return Kind.of(choice.flat(), "_anything")
        name = next((name for name, known in self.literals.items() if known == choice), None)
        if name is None:
            name = self._names.type(about)
            self.literals[name] = choice
        return Kind.of(name, "_anything")

    def _union(self, branches: Sequence[object], about: str, given: bool) -> Kind:
        found = []
        for branch in branches:
            kind = self._kind(branch, about, given=given)
            schema = self.merged(self._document.followed(branch))
            for name, value in sorted(self._constants(schema)):
                told = (literal(name), literal(value))
                kind = Kind(tuple((hint, call("_when", *told, read)) for hint, read in kind.alternatives))
            found.append((len(sequence(schema.get("required"))), kind))
        # What asks for more members is tried first: of two that fit, it is the one that is meant.
        found.sort(key=lambda one: -one[0])
        return union(kind for _, kind in found)

    def _constants(self, schema: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """The members that tell one branch of a union from the others."""
        required = [name for name in sequence(schema.get("required")) if isinstance(name, str)]
        for name, one in mapping(schema.get("properties")).items():
            member = self._document.followed(one)
            values = [member["const"]] if "const" in member else sequence(member.get("enum"))
            if name in required and len(values) == 1 and isinstance(values[0], str):
                yield name, values[0]

    def _object(self, schema: Mapping[str, Any], about: str, given: bool, key: str | None) -> Kind:
        name = self._names.type(f"{about} input" if given and (about, False) in self._known else about)
        if key is not None:
            self._known[key, given] = _class(name)
        models, place = (self.inputs, len(self.inputs)) if given else (self.answers, len(self.answers))
        models.insert(place, Model(name, words(schema.get("description")), ()))
        members = tuple(self.members(schema, name, given=given, names=Names(FIELDS)))
        models[place] = Model(name, words(schema.get("description")), members)
        return _class(name)

    def members(self, schema: Mapping[str, Any], about: str, *, given: bool, names: Names) -> Iterator[Member]:
        """The fields of an object's schema, in its order; ``names`` gives each its name."""
        required = sequence(schema.get("required"))
        for wire, one in mapping(schema.get("properties")).items():
            kind = self._kind(one, f"{about} {wire}", given=given)
            told = words(self._document.followed(one).get("description")) or words(mapping(one).get("description"))
            yield Member(names.value(wire), wire, kind, wire in required, told)


def _class(name: str) -> Kind:
    return Kind.of(name, f"{name}._read")

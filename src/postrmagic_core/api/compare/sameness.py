"""Whether two schemas are the same, whatever they are called and however they refer to themselves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias

from .alternatives import Alternative, canonical, reference_of
from .documents import NOTES, Document

_Pair: TypeAlias = "tuple[object, object]"
_Ids: TypeAlias = "tuple[int, int]"

_OF_SCHEMAS = frozenset({"properties", "patternProperties", "dependentSchemas"})
_LISTS = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_SCHEMAS = frozenset(
    {
        *("items", "additionalProperties", "propertyNames", "contains", "not", "if", "then", "else", "contentSchema"),
        *("unevaluatedItems", "unevaluatedProperties"),
    }
)
_SETS = frozenset({"required", "enum"})
NOTED = ("default", "deprecated")


_START: _Ids = (0, 0)


class _Reached:
    """The pairs of schemas that one question leads to: which lead to which, and which differ."""

    def __init__(self) -> None:
        self.pairs: dict[_Ids, _Pair] = {}
        self.leading: dict[_Ids, list[_Ids]] = {}
        self.different: set[_Ids] = set()
        self.referring: list[tuple[_Pair, _Ids]] = []

    def spread(self) -> None:
        """Whatever leads to a difference is different."""
        todo = list(self.different)
        while todo:
            for leading in self.leading.get(todo.pop(), ()):
                if leading not in self.different:
                    self.different.add(leading)
                    todo.append(leading)


class Sameness:
    """Compares structure, names of schemas and texts for people aside; a cycle is the same if nothing in it differs.

    It walks without recursion, and remembers what it found: the answers of an API share most of their schemas.
    """

    def __init__(self, old: Document, new: Document) -> None:
        self._old, self._new = old, new
        self._same: set[_Ids] = set()
        self._different: set[_Ids] = set()
        self._kept: list[_Pair] = []  # an object that is alive keeps its id for itself
        self.renamed: set[tuple[str, str]] = set()
        """References that stand for one another, in pairs."""

    def of(self, old: object, new: object) -> bool:
        """Whether two schemas are the same."""
        return self._all([(old, new)])

    def of_alternatives(self, old: Alternative, new: Alternative) -> bool:
        """Whether two alternatives are the same, defaults aside."""
        if old.type != new.type:
            return False
        pairs = self._pairs(old.keys, new.keys)
        return pairs is not None and self._all(pairs)

    def of_keyword(self, keyword: str, old: object, new: object) -> bool:
        """Whether two values of one keyword are the same, schemas inside them included."""
        pairs = self._pairs({keyword: old}, {keyword: new})
        return pairs is not None and self._all(pairs)

    def refer(self, old: object, new: object) -> None:
        """Note what stands for what, where both are references."""
        self.renamed.update(_references([(old, new)]))

    def _all(self, pairs: list[_Pair]) -> bool:
        """Whether all pairs are the same; what they lead to is judged with them, once."""
        walk = _Reached()
        todo: list[tuple[_Pair, _Ids]] = [(pair, _START) for pair in pairs]
        while todo:
            pair, leading = todo.pop()
            if any(self._old.note(pair[0], note) != self._new.note(pair[1], note) for note in NOTED):
                walk.different.add(leading)
            old, new = self._old.schema(pair[0]), self._new.schema(pair[1])
            key = (id(old), id(new))
            walk.referring.append((pair, key))
            walk.leading.setdefault(key, []).append(leading)
            if key in self._different:
                walk.different.add(key)
            if key in self._different or key in self._same or key in walk.pairs:
                continue
            walk.pairs[key] = (old, new)
            inner = self._pairs(old, new) if isinstance(old, Mapping) and isinstance(new, Mapping) else None
            if inner is not None:
                todo += [(each, key) for each in inner]
            elif old is not new:
                walk.different.add(key)
        walk.spread()
        self._kept += walk.pairs.values()
        self._different |= walk.different - {_START}
        self._same |= walk.pairs.keys() - walk.different
        self.renamed.update(_references(pair for pair, key in walk.referring if key not in walk.different))
        return _START not in walk.different

    def _pairs(self, old: Mapping[str, Any], new: Mapping[str, Any]) -> list[_Pair] | None:
        """The schemas inside both, in pairs; ``None`` where something else differs."""
        keys = set(_telling(old))
        if keys != set(_telling(new)):
            return None
        pairs: list[_Pair] = []
        for key in keys:
            inner = self._inner(key, old[key], new[key])
            if inner is None:
                return None
            pairs += inner
        return pairs

    def _inner(self, key: str, here: Any, there: Any) -> list[_Pair] | None:
        """The same for the values of one keyword."""
        if key in _SCHEMAS:
            return [(here, there)]
        if key in _LISTS and isinstance(here, list) and isinstance(there, list):
            return list(zip(here, there, strict=True)) if len(here) == len(there) else None
        if isinstance(here, Mapping) and isinstance(there, Mapping):
            if key == "discriminator":
                if here.get("propertyName") != there.get("propertyName"):
                    return None
                here, there = self._leads(self._old, here), self._leads(self._new, there)
            if key in _OF_SCHEMAS or key == "discriminator":
                return [(here[name], there[name]) for name in here] if here.keys() == there.keys() else None
        return [] if _equal(key, here, there) else None

    @staticmethod
    def _leads(document: Document, discriminator: Mapping[str, Any]) -> dict[str, object]:
        """The schema that each name of a discriminator leads to."""
        mapping = document.mapping(discriminator.get("mapping"), "discriminator/mapping")
        return {name: document.target(reference_of(target)) for name, target in mapping.items()}


def _references(pairs: Iterable[_Pair]) -> Iterator[tuple[str, str]]:
    for old, new in pairs:
        if isinstance(old, Mapping) and isinstance(new, Mapping) and "$ref" in old and "$ref" in new:
            yield str(old["$ref"]), str(new["$ref"])


def _telling(schema: Mapping[str, Any]) -> Iterator[str]:
    return (key for key in schema if key not in NOTES and not key.startswith("x-"))


def _equal(key: str, here: Any, there: Any) -> bool:
    if key in _SETS and isinstance(here, list) and isinstance(there, list):
        return sorted(map(canonical, here)) == sorted(map(canonical, there))
    if isinstance(here, frozenset | tuple):
        return bool(here == there)
    return canonical(here) == canonical(there)

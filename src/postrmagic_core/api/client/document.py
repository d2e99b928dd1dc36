"""Reading an OpenAPI document that may be wrong anywhere: what is missing or of another kind is empty."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ...errors import ConfigurationError

METHODS = ("get", "post", "put", "patch", "delete")
_NAMED = "#/components/schemas/"


def mapping(value: object) -> Mapping[str, Any]:
    """``value`` if it is an object with texts as keys."""
    return value if isinstance(value, dict) and all(isinstance(key, str) for key in value) else {}


def sequence(value: object) -> Sequence[Any]:
    """``value`` if it is a list."""
    return value if isinstance(value, list) else ()


def words(value: object) -> str:
    """``value`` if it is a text."""
    return value if isinstance(value, str) else ""


class Document:
    """An OpenAPI document, its references followed within itself and nowhere else."""

    def __init__(self, spec: Mapping[str, Any]) -> None:
        if not words(mapping(spec).get("openapi")).startswith("3.1"):
            raise ConfigurationError('expected an OpenAPI 3.1 document: its "openapi" begins with "3.1"')
        self.spec = spec
        self.info = mapping(spec.get("info"))

    def followed(self, node: object) -> Mapping[str, Any]:
        """``node``, or what its ``$ref`` leads to; what leads nowhere or in a circle is empty."""
        found, seen = mapping(node), set[str]()
        while "$ref" in found:
            reference = words(found["$ref"])
            if reference in seen or not reference.startswith("#/"):
                return {}
            seen.add(reference)
            found = mapping(self._at(reference))
        return found

    def _at(self, reference: str) -> object:
        found: object = self.spec
        for step in reference[2:].split("/"):
            found = mapping(found).get(step.replace("~1", "/").replace("~0", "~"))
        return found

    def operations(self) -> Iterator[tuple[str, str, Mapping[str, Any], Sequence[Any]]]:
        """Method, path, the operation, and the parameters of its path, in the order of the document."""
        for path, item in mapping(self.spec.get("paths")).items():
            found = self.followed(item)
            for method in METHODS:
                if method in found:
                    yield method, path, mapping(found[method]), sequence(found.get("parameters"))


def named(schema: Mapping[str, Any]) -> str | None:
    """The name of the component that ``schema`` refers to."""
    reference = words(schema.get("$ref"))
    name = reference.removeprefix(_NAMED)
    return name if reference.startswith(_NAMED) and "/" not in name else None

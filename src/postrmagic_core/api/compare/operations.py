"""Comparing two specifications: their paths, operations, parameters, bodies, answers and credentials."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ...errors import NotASpecification
from .documents import Document
from .findings import Findings
from .interface import Change
from .parts import Parts
from .schemas import Schemas

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_SCHEMAS = "#/components/schemas/"


@dataclass(frozen=True, slots=True)
class Path:
    """A path as it is written, with the methods it takes."""

    template: str
    item: Mapping[str, Any]

    @property
    def names(self) -> list[str]:
        """The names of its values, in order."""
        return re.findall(r"\{([^}]*)\}", self.template)


def compare(old: object, new: object) -> list[Change]:
    """Every difference between two OpenAPI 3.1 documents that clients, generated ones included, may notice.

    ``old`` and ``new`` are what ``json.loads`` gives. Texts for people (titles, descriptions, examples) are not
    compared, nor are links. Raises :class:`NotASpecification` for what cannot be read as one.
    """
    documents = Document(old, "old"), Document(new, "new")
    findings = Findings()
    try:
        if old != new:
            _Operations(documents, findings, Schemas(*documents, findings)).compare()
    except RecursionError:
        raise NotASpecification("a document holds a value that is nested too deeply to be compared") from None
    return findings.sorted()


class _Operations:
    def __init__(self, documents: tuple[Document, Document], findings: Findings, schemas: Schemas) -> None:
        self._documents, self._findings, self._schemas = documents, findings, schemas
        self._parts = Parts(documents, findings, schemas)

    def compare(self) -> None:
        """Compare all of the two documents."""
        self._paths()
        self._parts.schemes()
        self._servers()
        self._whole()
        self._renamed()

    def _paths(self) -> None:
        olds, news = (_paths_of(document) for document in self._documents)
        for key in sorted(olds.keys() | news.keys()):
            if key not in news:
                self._findings.add("path.removed", olds[key].template, "the path is gone")
            elif key not in olds:
                self._findings.add("path.added", news[key].template, "the path is new")
            else:
                self._methods(olds[key], news[key])

    def _methods(self, old: Path, new: Path) -> None:
        names = dict(zip(old.names, new.names, strict=True))
        if old.template != new.template:
            self._findings.add("path.renamed", old.template, f"the path is written {new.template}")
        for method in METHODS:
            place = f"{method.upper()} {old.template}"
            if method in old.item and method in new.item:
                here, there = (
                    document.mapping(path.item[method], place)
                    for document, path in zip(self._documents, (old, new), strict=True)
                )
                self._told(place, here, there)
                self._parts.compare(place, (old.item, new.item), (here, there), names)
            elif method in old.item:
                self._findings.add("operation.removed", place, "the method is gone")
            elif method in new.item:
                self._findings.add("operation.added", place, "the method is new")

    def _told(self, place: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
        """What the operation is called, and when it ends."""
        was, is_now = old.get("operationId"), new.get("operationId")
        if was != is_now:
            code = "operation.named" if was is None else "operation.renamed"
            self._findings.add(code, place, f"operationId was {was}, is {is_now}")
        if (old.get("deprecated") is True) != (new.get("deprecated") is True):
            code = "deprecated" if new.get("deprecated") is True else "deprecation_removed"
            self._findings.add(f"operation.{code}", place, f"deprecated is {str(code == 'deprecated').lower()}")
        end, ends = old.get("x-sunset"), new.get("x-sunset")
        if end != ends:
            dates = isinstance(end, str) and isinstance(ends, str) and len(end) == len(ends)
            later = end is None or ends is None or (dates and ends > end)
            code = "operation.sunset_moved" if later else "operation.sunset_changed"
            self._findings.add(code, place, f"x-sunset was {end}, is {ends}")

    def _servers(self) -> None:
        olds, news = (
            {str(document.mapping(each, "servers").get("url", "/")) for each in document.sequence(raw, "servers")}
            or {"/"}
            for document, raw in ((document, document.raw.get("servers")) for document in self._documents)
        )
        for url in olds - news:
            self._findings.add("server.removed", f"server {url}", "the server is not named any more")
        for url in news - olds:
            self._findings.add("server.added", f"server {url}", "the server is new")

    def _whole(self) -> None:
        old, new = (document.part("info").get("version") for document in self._documents)
        if old != new:
            self._findings.add("info.version_changed", "info.version", f"the version was {old}, is {new}")
        for name in ("webhooks", "jsonSchemaDialect"):
            old, new = (document.raw.get(name) or None for document in self._documents)
            if not self._parts.equal(old, new):
                self._findings.add("undecided", name, f"{name} differ, which are not compared")

    def _renamed(self) -> None:
        olds, news = (set(document.part("components", "schemas")) for document in self._documents)
        for one, other in sorted(self._schemas.sameness.renamed):
            was, is_now = one.removeprefix(_SCHEMAS), other.removeprefix(_SCHEMAS)
            if was != is_now and was not in news and is_now not in olds:
                self._findings.add("schema.renamed", f"schema {was}", f"the schema is called {is_now}")


def _paths_of(document: Document) -> dict[str, Path]:
    """The paths by their shape: the names of their values aside, unless two differ only by these."""
    found: dict[str, Path] = {}
    for template, raw in sorted(document.part("paths").items()):
        if template.startswith("x-"):
            continue
        path = Path(template, document.resolved(raw, template))
        shape = re.sub(r"\{[^}]*\}", "{}", template)
        found[template if shape in found else shape] = path
    return found


def operations(raw: object) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """The operations of an OpenAPI 3.1 document: method, path, and what is said of it."""
    document = Document(raw, "given")
    for template, item in document.part("paths").items():
        methods = {} if template.startswith("x-") else document.resolved(item, template)
        for method in METHODS:
            if method in methods:
                yield method.upper(), template, document.mapping(methods[method], f"{method.upper()} {template}")

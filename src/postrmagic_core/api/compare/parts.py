"""Comparing the parts of one operation: parameters, body, answers and credentials."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from .alternatives import canonical
from .documents import Document
from .findings import Findings
from .interface import Side
from .schemas import Schemas

_Object: TypeAlias = "Mapping[str, Any]"
_Both: TypeAlias = "tuple[Mapping[str, Any], Mapping[str, Any]]"

_JSON = "application/json"
_ACCESS = {"public": 0, "signed-in": 1}
_STYLES = ("style", "explode", "allowReserved", "allowEmptyValue")
# Answers that only who asks for them is given: RFC 9110 §13 and §14.
_ASKED_FOR = ("206", "304")


class Parts:
    """Compares what operations take and answer."""

    def __init__(self, documents: tuple[Document, Document], findings: Findings, schemas: Schemas) -> None:
        self._documents, self._findings, self._schemas = documents, findings, schemas

    def compare(self, place: str, paths: _Both, operations: _Both, names: Mapping[str, str]) -> None:
        """Compare one operation; ``names`` says what the values of its path are called now."""
        self._parameters(place, paths, operations, names)
        self._body(place, operations)
        self._answers(place, operations)
        self._security(place, operations)
        self._access(place, operations)
        for name, (old, new) in (("callbacks", operations), ("servers", operations), ("servers", paths)):
            if not self.equal(old.get(name), new.get(name)):
                self._findings.add("undecided", f"{place} {name}", f"{name} differ, which are not compared")

    def equal(self, old: object, new: object) -> bool:
        """Whether two parts that nobody compares are the same, and refer to nothing that differs."""
        olds, news = (document.part("components") for document in self._documents)
        return old == new and ("$ref" not in canonical(old) or olds == news)

    def schemes(self) -> None:
        """Compare the ways to authenticate."""
        olds, news = (document.part("components", "securitySchemes") for document in self._documents)
        for name in olds.keys() | news.keys():
            place = f"security {name}"
            if name not in news:
                self._findings.add("security.scheme_removed", place, "the scheme is gone")
            elif name not in olds:
                self._findings.add("security.scheme_added", place, "the scheme is new")
            elif self._scheme(0, olds[name]) != self._scheme(1, news[name]):
                self._findings.add("security.scheme_changed", place, "the scheme is described otherwise")

    def _scheme(self, which: int, raw: object) -> dict[str, Any]:
        found = self._documents[which].resolved(raw, "securitySchemes")
        return {key: value for key, value in found.items() if key != "description" and not key.startswith("x-")}

    def _parameters(self, place: str, paths: _Both, operations: _Both, names: Mapping[str, str]) -> None:
        olds = self._taken(0, place, paths[0], operations[0], names)
        news = self._taken(1, place, paths[1], operations[1], {})
        for key in sorted(olds.keys() | news.keys()):
            at = f"{place} {key[0]} {key[1]}"
            old, new = olds.get(key, {}), news.get(key, {})
            required = old.get("required") is True, new.get("required") is True
            if key not in news:
                self._findings.add("parameter.removed", at, "the parameter is gone")
            elif key not in olds:
                code = "parameter.required_added" if required[1] else "parameter.added"
                self._findings.add(code, at, "the parameter is new")
            else:
                self._required("parameter", at, required)
                self._parameter(at, old, new)

    def _taken(
        self, which: int, place: str, path: _Object, operation: _Object, names: Mapping[str, str]
    ) -> dict[tuple[str, str], _Object]:
        """The parameters by where they are and what they are called; the operation's own win over the path's."""
        document = self._documents[which]
        found: dict[tuple[str, str], _Object] = {}
        for owner in (path, operation):
            for raw in document.sequence(owner.get("parameters"), f"{place} parameters"):
                parameter = document.resolved(raw, f"{place} parameters")
                where, name = (str(parameter.get(key)) for key in ("in", "name"))
                name = name.lower() if where == "header" else names.get(name, name) if where == "path" else name
                found[where, name] = parameter
        return found

    def _parameter(self, at: str, old: _Object, new: _Object) -> None:
        if any(old.get(key) != new.get(key) for key in _STYLES):
            self._findings.add("parameter.encoding_changed", at, "the parameter is written in another way")
        ended = old.get("deprecated") is True, new.get("deprecated") is True
        if ended[0] != ended[1]:
            code, words = ("deprecated", "is") if ended[1] else ("deprecation_removed", "is not")
            self._findings.add(f"parameter.{code}", at, f"the parameter {words} deprecated")
        if ("content" in old) != ("content" in new):
            self._findings.add("parameter.encoding_changed", at, "the parameter is written in another way")
        elif "content" in old:
            self._contents("request", at, old, new)
        else:
            self._schemas.compare("request", at, old.get("schema", True), new.get("schema", True))

    def _required(self, part: str, at: str, required: tuple[bool, bool]) -> None:
        if required[0] != required[1]:
            code, words = ("required", "must be sent") if required[1] else ("optional", "may be left out")
            self._findings.add(f"{part}.{code}", at, f"it {words}")

    def _body(self, place: str, operations: _Both) -> None:
        at = f"{place} request"
        here, there = (
            document.resolved(operation["requestBody"], at) if "requestBody" in operation else None
            for document, operation in zip(self._documents, operations, strict=True)
        )
        if here is not None and there is not None:
            self._required("request", at, (here.get("required") is True, there.get("required") is True))
            self._contents("request", at, here, there)
        elif here is not None:
            self._findings.add("request.removed", at, "no body is taken any more")
        elif there is not None:
            code = "request.required_added" if there.get("required") is True else "request.added"
            self._findings.add(code, at, "a body is taken")

    def _contents(self, side: Side, at: str, old: _Object, new: _Object) -> None:
        olds, news = (
            document.mapping(each.get("content"), at)
            for document, each in zip(self._documents, (old, new), strict=True)
        )
        for kind in sorted(olds.keys() | news.keys()):
            inside = at if kind == _JSON else f"{at} {kind}"
            if kind not in news:
                self._findings.add(f"{side}.media_type_removed", f"{at} {kind}", "the type is gone")
            elif kind not in olds:
                self._findings.add(f"{side}.media_type_added", f"{at} {kind}", "the type is new")
            else:
                here, there = (
                    document.mapping(contents[kind], inside)
                    for document, contents in zip(self._documents, (olds, news), strict=True)
                )
                if not self.equal(here.get("encoding"), there.get("encoding")):
                    self._findings.add("undecided", inside, "encoding differs, which is not compared")
                self._schemas.compare(side, inside, here.get("schema", True), there.get("schema", True))

    def _answers(self, place: str, operations: _Both) -> None:
        olds, news = (
            document.mapping(operation.get("responses"), f"{place} responses")
            for document, operation in zip(self._documents, operations, strict=True)
        )
        for status in sorted(olds.keys() | news.keys()):
            at = f"{place} {status}"
            fails = status[:1] in ("4", "5")
            if status.startswith("x-"):
                continue
            if status not in news:
                code = "response.error_removed" if fails else "response.status_removed"
                self._findings.add(code, at, "the answer is not given any more")
            elif status not in olds:
                code = "conditional_added" if status in _ASKED_FOR else "error_added" if fails else "status_added"
                self._findings.add(f"response.{code}", at, "the answer is new")
            else:
                here, there = (
                    document.resolved(answers[status], at)
                    for document, answers in zip(self._documents, (olds, news), strict=True)
                )
                self._headers(at, here, there)
                self._contents("response", at, here, there)
                self._problems(at, here, there)

    def _headers(self, at: str, old: _Object, new: _Object) -> None:
        olds, news = (
            {name.lower(): raw for name, raw in document.mapping(answer.get("headers"), at).items()}
            for document, answer in zip(self._documents, (old, new), strict=True)
        )
        for name in sorted(olds.keys() | news.keys()):
            inside = f"{at} header {name}"
            if name not in news:
                self._findings.add("response.header_removed", inside, "the header is gone")
            elif name not in olds:
                self._findings.add("response.header_added", inside, "the header is new")
            else:
                here, there = (
                    document.resolved(headers[name], inside)
                    for document, headers in zip(self._documents, (olds, news), strict=True)
                )
                always = here.get("required") is True, there.get("required") is True
                if always[0] != always[1]:
                    code, words = ("header_required", "is always") if always[1] else ("header_optional", "may not be")
                    self._findings.add(f"response.{code}", inside, f"the header {words} sent")
                if "content" in here or "content" in there:
                    self._contents("response", inside, here, there)
                self._schemas.compare("response", inside, here.get("schema", True), there.get("schema", True))

    def _problems(self, at: str, old: _Object, new: _Object) -> None:
        """The codes of problem documents are the names of their examples."""
        olds, news = (
            {
                code
                for kind, media in document.mapping(answer.get("content"), at).items()
                if kind == "application/problem+json"
                for code in document.mapping(document.mapping(media, at).get("examples"), at)
            }
            for document, answer in zip(self._documents, (old, new), strict=True)
        )
        for code in olds - news:
            self._findings.add("problem.removed", f"{at} {code}", "the problem is not told any more")
        for code in news - olds:
            self._findings.add("problem.added", f"{at} {code}", "the problem is told")

    def _security(self, place: str, operations: _Both) -> None:
        olds, news = (
            list(_credentials(document, operation))
            for document, operation in zip(self._documents, operations, strict=True)
        )
        for was in olds:
            if not any(now <= was for now in news):
                self._findings.add("security.tightened", f"{place} security {_told(was)}", "it is not enough any more")
        for now in news:
            if not any(was <= now for was in olds):
                self._findings.add("security.loosened", f"{place} security {_told(now)}", "it is enough")

    def _access(self, place: str, operations: _Both) -> None:
        """What ``x-access`` says that a caller needs; one permission is as hard to have as another."""
        was, is_now = (str(operation.get("x-access") or "public") for operation in operations)
        if was != is_now:
            looser = _ACCESS.get(is_now, len(_ACCESS)) < _ACCESS.get(was, len(_ACCESS))
            code = "security.loosened" if looser else "security.tightened"
            self._findings.add(code, f"{place} access {is_now}", f"the caller needed {was}, needs {is_now}")


def _credentials(document: Document, operation: _Object) -> Iterator[frozenset[tuple[str, str]]]:
    """What is enough, each way as its schemes and their scopes; nothing at all where nothing is asked for."""
    raw = operation.get("security", document.raw.get("security"))
    ways = document.sequence(raw, "security")
    for way in ways:
        schemes = document.mapping(way, "security")
        yield frozenset(
            (name, scope) for name, scopes in schemes.items() for scope in ("", *document.names(scopes, "security"))
        )
    if not ways:
        yield frozenset()


def _told(way: frozenset[tuple[str, str]]) -> str:
    schemes = []
    for name in sorted({name for name, _ in way}):
        scopes = ", ".join(sorted(scope for owner, scope in way if owner == name and scope))
        schemes.append(f"{name} ({scopes})" if scopes else name)
    return " and ".join(schemes) or "no credentials"

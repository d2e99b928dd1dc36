"""What an operation answers: each status with its headers and its body, and the problems there may be."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from http import HTTPStatus
from typing import Any, Protocol

from ..._problem import CONTENT_TYPE
from ...errors import ConfigurationError
from ..interface import Files, Operation
from .parameters import may_be_asked_by_tag
from .schemas import Components, Schema

_TEXT: Schema = {"type": "string"}
_HEADERS = {
    "ApiVersion": ("API-Version", "The version that answered."),
    "ETag": ("ETag", "Stands for this very answer: see ``If-None-Match`` and ``If-Match``."),
    "RetryAfter": ("Retry-After", "In how many seconds to try again."),
    "Deprecation": ("Deprecation", "Since when this is deprecated: ``@`` and seconds since 1970 (RFC 9745)."),
    "Sunset": ("Sunset", "When this ends (RFC 8594)."),
    "DeprecationLink": ("Link", "Where it says what to use in its place: the relation ``deprecation``."),
}
_PROBLEM: Schema = {
    "type": "object",
    "description": "What went wrong (RFC 9457). Programs go by ``code``, people read ``title`` and ``detail``.",
    "properties": {
        "type": {
            "type": "string",
            "format": "uri-reference",
            "description": "Where this kind of problem is explained.",
        },
        "title": {"type": "string", "description": "The kind of problem in words."},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "code": {"type": "string", "description": "The kind of problem for programs: it stays."},
        "detail": {"type": "string", "description": "What can be said of this very case."},
        "errors": {
            "type": "array",
            "description": "The fields at fault.",
            "items": {
                "type": "object",
                "properties": {
                    "pointer": {"type": "string", "description": "Which field, as a JSON pointer (RFC 6901)."},
                    "code": {"type": "string"},
                    "message": {"type": "string"},
                },
                "required": ["pointer", "code", "message"],
            },
        },
    },
    "required": ["type", "title", "status", "code"],
    "additionalProperties": True,  # section 3.2: a kind of problem may have members of its own
}
_ANY = "Any other problem, such as too many requests, or a service that is away."
_FIELD = {"pointer": "/limit", "code": "int_parsing", "message": "must be a whole number"}


class ProblemType(Protocol):
    """A kind of problem, as a registry has it."""

    @property
    def code(self) -> str:
        """Stable, for programs."""
        ...

    @property
    def status(self) -> int:
        """The status of an answer that says it."""
        ...

    @property
    def title(self) -> str:
        """In words, the same each time."""
        ...

    @property
    def description(self) -> str:
        """What it means, and what can be done."""
        ...


@dataclass(frozen=True, slots=True)
class _General:
    code: str
    status: int
    description: str = ""

    @property
    def title(self) -> str:
        return HTTPStatus(self.status).phrase


class Answers:
    """Writes down the answers of operations; ``base`` is where types of problems live."""

    def __init__(self, problems: Iterable[ProblemType], base: str | None, components: Components) -> None:
        self._known: dict[str, ProblemType] = {one.code: one for one in problems}
        self._base = base
        self._components = components

    def of(self, operation: Operation) -> dict[str, Any]:
        """By status; ``default`` is whatever else goes wrong."""
        found = {status: self._success(operation, status, told) for status, told in operation.answers.items()}
        if operation.method == "GET" and may_be_asked_by_tag(operation):
            found[304] = {"description": "Not Modified", "headers": self._headers(operation, own=True)}
        by_status: dict[int, list[ProblemType]] = {}
        for one in self._problems(operation):
            by_status.setdefault(one.status, []).append(one)
        for status, types in by_status.items():
            found[status] = self._refusal(operation, status, types)
        other = self._components.share("responses", "Problem", {"description": _ANY, "content": self._content(())})
        return {str(status): found[status] for status in sorted(found)} | {"default": other}

    def _success(self, operation: Operation, status: int, told: Any) -> dict[str, Any]:
        said: dict[str, Any] = {"description": HTTPStatus(status).phrase, "headers": self._headers(operation, own=True)}
        if isinstance(told, Files):
            return said | {"content": {media_type: {} for media_type in told.media_types}}
        if told is None:
            return said
        schema = self._components.refer(told, "serialization", f"{operation.name}, answer {status}")
        if "$ref" not in schema:
            raise ConfigurationError(
                f"{operation.name}: the answer {status} is no model: wrap it in Data[…] or Page[…]"
            )
        return said | {"content": {"application/json": {"schema": schema}}}

    def _headers(self, operation: Operation, *, own: bool = False, waits: bool = False) -> dict[str, Any]:
        names = ["ApiVersion"]
        if own and may_be_asked_by_tag(operation):
            names.append("ETag")
        if waits:
            names.append("RetryAfter")
        gone = operation.deprecated
        if gone is not None:
            names += (
                ["Deprecation"] + ["Sunset"] * (gone.ends is not None) + ["DeprecationLink"] * (gone.link is not None)
            )
        headers = {}
        for name in names:
            spoken, words = _HEADERS[name]
            headers[spoken] = self._components.share("headers", name, {"description": words, "schema": _TEXT})
        if own:
            written = {name.lower(): name for name in headers}
            for name, words in operation.headers.items():
                headers.pop(written.get(name.lower(), ""), None)
                headers[name] = {"description": words, "schema": _TEXT}
        return headers

    def _refusal(self, operation: Operation, status: int, types: Sequence[ProblemType]) -> dict[str, Any]:
        said = {"description": "; ".join(one.title for one in types)}
        headers = self._headers(operation, waits=status in {429, 503})
        return said | {"headers": headers, "content": self._content(types)}

    def _content(self, types: Iterable[ProblemType]) -> dict[str, Any]:
        schema = self._components.put("Problem", _PROBLEM, "the package's own")
        examples = {one.code: self._example(one) for one in types}
        return {CONTENT_TYPE: {"schema": schema} | ({"examples": examples} if examples else {})}

    def _example(self, one: ProblemType) -> Schema:
        of_type = "about:blank" if self._base is None else f"{self._base}{one.code}"
        value: dict[str, Any] = {"type": of_type, "title": one.title, "status": one.status, "code": one.code}
        if one.code == "data.invalid":
            value["errors"] = [_FIELD]
        said = {"summary": one.title} | ({"description": one.description} if one.description else {})
        return self._components.share("examples", re.sub(r"[^A-Za-z0-9._-]", "_", one.code), said | {"value": value})

    def _problems(self, operation: Operation) -> list[ProblemType]:
        own = [self._declared(operation, code) for code in operation.problems]
        general = {code: status for code, status in _general(operation).items() if code not in operation.problems}
        if any(one.status == 404 for one in own):
            general.pop("http.404", None)
        found = own + [self._known.get(code) or _General(code, status) for code, status in general.items()]
        return sorted(found, key=lambda one: (one.status, one.code))

    def _declared(self, operation: Operation, code: str) -> ProblemType:
        if code not in self._known:
            near = ", ".join(get_close_matches(code, self._known)) or "none is near"
            raise ConfigurationError(
                f"{operation.name}: no problem is called {code} (near: {near}): add it to the registry"
            )
        return self._known[code]


def _general(operation: Operation) -> Mapping[str, int]:
    """What may go wrong with any operation of this kind, by code."""
    found = {"data.invalid": 422}  # also without a query: names that are not known are refused
    if operation.access not in {"", "public"}:
        found["authentication.required"] = 401
        if operation.access != "signed-in":
            found["access.denied"] = 403
    if operation.values:
        found["http.404"] = 404
    if operation.values or operation.query is not None:
        found["request.target_too_long"] = 414
    if operation.body is not None:
        found |= {"data.too_large": 413, "body.unsupported_type": 415}
    if operation.method != "GET" and may_be_asked_by_tag(operation):
        found["precondition.failed"] = 412
    return found

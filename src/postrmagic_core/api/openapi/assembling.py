"""The whole document: OpenAPI 3.1.1, made of the operations and the models that check and answer."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from inspect import cleandoc
from typing import Any, Protocol

from ...errors import ConfigurationError
from ..declaring import duplicate
from ..interface import Operation
from .answers import Answers, ProblemType
from .examples import put_examples
from .parameters import parameters, request_body
from .schemas import Components

VERSION = "3.1.1"
_NAMES = re.compile(r"\{([^{}]*)\}")
_METHODS = ("GET", "PUT", "POST", "PATCH", "DELETE")


class ProblemTypes(Protocol):
    """A registry of kinds of problems; ``base`` is where they are explained."""

    @property
    def types(self) -> Sequence[ProblemType]:
        """All of them."""
        ...

    @property
    def base(self) -> str | None:
        """What is put before a code to make a type of it; ``None``: types are ``about:blank``."""
        ...


def document(
    operations: Sequence[Operation],
    *,
    title: str,
    version: str,
    base: str = "/api/v1",
    description: str = "",
    problems: ProblemTypes | Sequence[ProblemType] = (),
    security: Mapping[str, Mapping[str, Any]] | None = None,
    groups: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The document of ``operations``, which is the same for the same operations: a diff shows what changed.

    Paths stand in the order of the operations, components in that of their names. ``base`` is the URL of the one
    server, relative or absolute. ``problems`` are the kinds that operations name by code, ``security`` the schemes by
    any of which a caller says who it is, ``groups`` what is said of each group. ``x-access`` of an operation is what
    its caller needs; ``x-deprecated-since`` and ``x-sunset`` are the days from which it is deprecated and on which it
    ends, ``x-deprecation-link`` leads to what takes its place.

    Models of answers stay open, so that a client takes a new field for an additive change; what is sent is closed.
    Raises :class:`ConfigurationError`, which names operation and field, for two operations of one name or place, a
    path whose names are not the operation's values, a type that JSON Schema cannot say, two models of one name, a
    problem that is not known, and an example that does not fit.
    """
    components = Components()
    answers = _answers(problems, components)
    _check(operations, groups or {})
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        said = _described(operation, answers, components, security or {})
        paths.setdefault(operation.path, {})[operation.method.lower()] = said
    for name, scheme in (security or {}).items():
        components.share("securitySchemes", name, dict(scheme))
    info = {"title": title, "version": version} | _if("description", cleandoc(description))
    return {
        "openapi": VERSION,
        "info": info,
        "servers": [{"url": base}],
        "tags": [
            {"name": name} | _if("description", cleandoc((groups or {}).get(name, "")))
            for name in dict.fromkeys(operation.group for operation in operations)
        ],
        "paths": {
            path: {name: by[name] for name in map(str.lower, _METHODS) if name in by} for path, by in paths.items()
        },
        "components": components.document(),
    }


def _answers(problems: ProblemTypes | Sequence[ProblemType], components: Components) -> Answers:
    if isinstance(problems, Sequence):
        return Answers(problems, None, components)
    return Answers(problems.types, problems.base, components)


def _check(operations: Sequence[Operation], groups: Mapping[str, str]) -> None:
    if (twice := duplicate(operations)) is not None:
        raise ConfigurationError(twice)
    for one in operations:
        found = _NAMES.findall(one.path)
        if not one.path.startswith("/") or sorted(found) != sorted(one.values):
            raise ConfigurationError(
                f"{one.name}: the path {one.path} and the values {sorted(one.values)} do not agree"
            )
    if unused := sorted(set(groups) - {one.group for one in operations}):
        raise ConfigurationError(f"groups: no operation is in {unused[0]}")


def _described(
    operation: Operation, answers: Answers, components: Components, security: Mapping[str, Any]
) -> dict[str, Any]:
    said: dict[str, Any] = {
        "operationId": operation.name,
        "tags": [operation.group],
        "summary": operation.summary,
        **_if("description", cleandoc(operation.description)),
        **_if("parameters", parameters(operation, components)),
        **_if("requestBody", request_body(operation, components)),
        "responses": answers.of(operation),
        **_if("x-access", operation.access),
    }
    if operation.access == "public" or security:
        said["security"] = _callers(operation, security)
    gone = operation.deprecated
    if gone is not None:
        said |= {"deprecated": True, "x-deprecated-since": gone.since.isoformat()}
        said |= _if("x-sunset", gone.ends.isoformat() if gone.ends else None)
        said |= _if("x-deprecation-link", gone.link)
    put_examples(said, operation, components)
    return said


def _callers(operation: Operation, schemes: Iterable[str]) -> list[dict[str, list[str]]]:
    """What a caller may say who it is by; of what is open to everybody it need not."""
    if operation.access == "public":
        named: list[dict[str, list[str]]] = [{name: []} for name in operation.callers or ()]
        return [*named, {}] if named else []
    return [{name: []} for name in (schemes if operation.callers is None else operation.callers)]


def _if(name: str, value: Any) -> dict[str, Any]:
    return {name: value} if value else {}

"""Examples of calls: checked against what they show, then put where OpenAPI has them.

The parts of one example have one key: as the value of a parameter, of the body and of the answer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from ..._problem import CONTENT_TYPE
from ...errors import ConfigurationError, ValidationFailed
from ...validation.images import FormFile, ReceivedImage
from ...validation.interface import InputLimits
from ...validation.messages import ENGLISH
from ...validation.reading import Reading
from ...validation.uploads import ReceivedUpload
from ..interface import Example, Operation
from .fitting import misfit
from .parameters import files_of
from .schemas import Components

_CONTEXT: Mapping[str, frozenset[str]] = {"groups": frozenset()}
_LIMITS = InputLimits()


def put_examples(said: dict[str, Any], operation: Operation, components: Components) -> None:
    """Add the examples of ``operation`` to its description; :class:`ConfigurationError` for one that does not fit."""
    keys: set[str] = set()
    for example in operation.examples:
        key = _key(example.title, keys | set(components.shared.get("examples", ())))
        keys.add(key)
        where = f"{operation.name}, example “{example.title}”"
        _check_request(operation, example, where)
        for place, content, value in _parts(said, operation, example, where):
            problem = misfit(value, content.get("schema", {}), components.schemas)
            if problem is not None:
                raise ConfigurationError(f"{where}: {place} {problem}")
            content.setdefault("examples", {})[key] = {"summary": example.title, "value": value}


def _key(title: str, taken: Collection[str]) -> str:
    plain = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-") or "example"
    number, key = 1, plain
    while key in taken:
        number += 1
        key = f"{plain}-{number}"
    return key


def _parts(
    said: dict[str, Any], operation: Operation, example: Example, where: str
) -> Iterator[tuple[str, dict[str, Any], Any]]:
    """Each part of the example: its name, where it goes, its value."""
    by_name = {(one["in"], one["name"]): one for one in said.get("parameters", ()) if "in" in one}
    for place, given in (("path", example.path), ("query", example.query)):
        for name, text in given.items():
            parameter = by_name[place, name]
            yield f"{place} {name}", parameter, _typed(text, parameter["schema"])
    if operation.body is not None:
        yield "body", said["requestBody"]["content"][operation.body_type], example.body
    if example.answer is not None:
        status = example.status or next(iter(operation.answers))
        content = said["responses"].get(str(status), {}).get("content", {})
        found = content.get("application/json" if status < 400 else CONTENT_TYPE)
        if found is None:
            raise ConfigurationError(f"{where}: no answer {status} with a JSON body is declared")
        yield f"answer {status}", found, example.answer


def _typed(text: str, schema: Mapping[str, Any]) -> Any:
    """The JSON value that a text in a path or a query stands for."""
    match schema.get("type"):
        case "integer":
            return int(text)
        case "number":
            return float(text)
        case "boolean":
            return text.lower() in {"1", "true", "on", "yes", "t", "y"}
        case "array":
            return [_typed(text, schema.get("items", {}))]
    return text


def _check_request(operation: Operation, example: Example, where: str) -> None:
    if set(example.path) != set(operation.values):
        raise ConfigurationError(f"{where}: path names {sorted(example.path)}, expected {sorted(operation.values)}")
    if example.status is not None and example.answer is None and example.status not in operation.answers:
        raise ConfigurationError(f"{where}: {example.status} is not among the answers")
    for name, text in example.path.items():
        try:
            TypeAdapter(operation.values[name]).validate_strings(text, strict=False)
        except ValidationError:
            raise ConfigurationError(f"{where}: path {name} is not of its type") from None
    if operation.query is None and example.query:
        raise ConfigurationError(f"{where}: query {next(iter(example.query))} is not declared")
    if (operation.body is None) is not (example.body is None):
        raise ConfigurationError(f"{where}: a body is {'missing' if example.body is None else 'not declared'}")
    try:
        if operation.query is not None:
            _read_form(operation.query, example.query)
        if operation.body is not None:
            _read_body(operation, example.body)
    except ValidationFailed as failed:
        one = failed.errors[0]
        raise ConfigurationError(f"{where}: {one['pointer'] or '/'} {one['message']}") from None
    except (TypeError, ValueError):
        raise ConfigurationError(
            f"{where}: the body cannot be said in JSON, or is no mapping of a form's fields"
        ) from None


def _read_body(operation: Operation, body: Any) -> None:
    """By pydantic, with every rule but those that ask a database."""
    model: Any = operation.body
    if operation.body_type == "application/json":
        reading = Reading(model, _LIMITS)
        text = json.dumps(body, allow_nan=False).encode()
        reading.json(text, reading.parsed(text, ENGLISH), _CONTEXT, ENGLISH)
        return
    files = files_of(model)
    fields = dict(body).items()
    pairs = [(name, one) for name, value in fields for one in (value if isinstance(value, (list, tuple)) else [value])]
    _read_form(model, [(name, _file(one) if name in files else _text(one)) for name, one in pairs])


def _read_form(model: Any, given: Any) -> None:
    reading = Reading(model, _LIMITS)
    data, wrong = reading.collected(given.items() if isinstance(given, Mapping) else given, ENGLISH)
    reading.form(data, wrong, _CONTEXT, ENGLISH)


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _file(name: object) -> FormFile:
    """A file that was accepted, without there being one."""
    upload = ReceivedUpload(Path("example"), 0, "")
    return FormFile.of(ReceivedImage(upload, width=1, height=1, mime="image/png", name=str(name)))

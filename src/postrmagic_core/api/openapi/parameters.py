"""What a request brings: the values of its path, its query, the headers it may ask by, its body."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, get_args

from pydantic import BaseModel

from ...errors import ConfigurationError
from ...validation.forms import plan
from ...validation.images import ImageUpload
from ...validation.interface import FORMATS
from ..interface import Operation
from .schemas import Components, Schema, without_null

_ASKING = {
    "IfNoneMatch": (
        "If-None-Match",
        "The ``ETag`` of an earlier answer: as long as nothing changed, the answer is 304 and has no body.",
    ),
    "IfMatch": (
        "If-Match",
        "The ``ETag`` of what was read: the change is made only if it is still so, else the answer is 412.",
    ),
}


def parameters(operation: Operation, components: Components) -> list[dict[str, Any]]:
    """All of them but the body: path, query, headers, in this order."""
    found = [
        _parameter("path", name, components.refer(kind, "validation", f"{operation.name}, path value {name}"), True)
        for name, kind in operation.values.items()
    ]
    found += _query(operation, components)
    if may_be_asked_by_tag(operation):
        name = "IfNoneMatch" if operation.method == "GET" else "IfMatch"
        spoken, words = _ASKING[name]
        said = {"name": spoken, "in": "header", "description": words, "schema": {"type": "string"}}
        found.append(components.share("parameters", name, said))
    return found


def may_be_asked_by_tag(operation: Operation) -> bool:
    """Whether a request may ask by an ``ETag``."""
    return operation.conditional or "etag" in map(str.lower, operation.headers)


def _query(operation: Operation, components: Components) -> Iterator[dict[str, Any]]:
    if operation.query is None:
        return
    whole = components.spelt_out(operation.query, f"{operation.name}, query")
    read = plan(operation.query)
    for name, field in whole.get("properties", {}).items():
        schema = without_null(field)
        if not _is_flat(components.resolved(schema), components):
            raise ConfigurationError(
                f"{operation.name}: the query's {name} is no plain value and no list of such, which a query cannot say"
            )
        parameter = _parameter("query", name, schema, name in whole.get("required", ()))
        if read[name].blank_is_absent and not parameter.get("required"):
            parameter["allowEmptyValue"] = True  # counts as left out, as browsers send what was left blank
        yield parameter


def _is_flat(schema: Mapping[str, Any], components: Components) -> bool:
    if schema.get("type") == "array":
        schema = components.resolved(schema.get("items", {}))
        if schema.get("type") == "array":
            return False
    return schema.get("type") != "object"


def _parameter(place: str, name: str, schema: Schema, required: bool) -> dict[str, Any]:
    said: dict[str, Any] = {"name": name, "in": place}
    rest = dict(schema)
    if "description" in rest:
        said["description"] = rest.pop("description")
    if required:
        said["required"] = True
    if rest.pop("deprecated", False):
        said["deprecated"] = True
    return said | {"schema": rest}


def request_body(operation: Operation, components: Components) -> dict[str, Any] | None:
    """The body, of the one type that it is documented for; ``None`` where there is none."""
    model = operation.body
    if model is None:
        return None
    where = f"{operation.name}, body"
    if operation.body_type == "application/json":
        content: dict[str, Any] = {"schema": components.refer(model, "validation", where)}
    else:
        content = _form(model, components.spelt_out(model, where))
        content["schema"] = components.put(model.__name__, content["schema"], where)
    return {"required": True, "content": {operation.body_type: content}}


def _form(model: type[BaseModel], schema: Schema) -> dict[str, Any]:
    fields = {name: without_null(one) for name, one in schema.get("properties", {}).items()}
    content: dict[str, Any] = {"schema": {**schema, "properties": fields}}
    encoding = {}
    for name, field in files_of(model).items():
        types = [FORMATS[one][0] for one in field.policy.formats]
        encoding[name] = {"contentType": ", ".join(types)}
        file = fields[name].get("items", fields[name])
        file.pop("format", None)
        # OpenAPI 3.1 says raw bytes by their media type; where several are taken, `encoding` names them.
        file["contentMediaType"] = types[0] if len(types) == 1 else "application/octet-stream"
    return content | ({"encoding": encoding} if encoding else {})


def files_of(model: type[BaseModel]) -> dict[str, ImageUpload]:
    """The fields of a form that take files, by the names they have in it."""
    found = {}
    for name, field in model.model_fields.items():
        alias = field.validation_alias if isinstance(field.validation_alias, str) else field.alias
        marks = [*field.metadata, *_marks(field.annotation)]
        if image := next((mark for mark in marks if isinstance(mark, ImageUpload)), None):
            found[alias or name] = image
    return found


def _marks(annotation: Any) -> Iterator[object]:
    for one in (*getattr(annotation, "__metadata__", ()), *get_args(annotation)):
        yield one
        yield from _marks(one)

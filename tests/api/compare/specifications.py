"""Small specifications for the tests of comparing: one operation each, with what a test is about."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]


def content(schema: Any, kind: str = "application/json", **more: Any) -> Json:
    """What a body or an answer holds."""
    return {kind: {"schema": schema, **more}}


def specification(operation: Json, path: str = "/things", method: str = "post", **top: Any) -> Json:
    """A whole document with one operation."""
    described = {"operationId": "make_thing", "responses": {"200": {"description": "made"}}} | operation
    return {"openapi": "3.1.1", "info": {"title": "Things", "version": "1"}, "paths": {path: {method: described}}} | top


def sent(schema: Any, **components: Any) -> Json:
    """A document whose operation takes ``schema``."""
    body = {"required": True, "content": content(schema)}
    return specification({"requestBody": body}, components={"schemas": components})


def answered(schema: Any, **components: Any) -> Json:
    """A document whose operation answers with ``schema``."""
    answer = {"description": "made", "content": content(schema)}
    return specification({"responses": {"200": answer}}, components={"schemas": components})


def taking(*parameters: Json) -> Json:
    """A document whose operation takes these parameters."""
    return specification({"parameters": list(parameters)})


def parameter(schema: Any = True, name: str = "limit", where: str = "query", **more: Any) -> Json:
    """One parameter."""
    return {"in": where, "name": name, "schema": schema, **more}


def answering(status: str = "200", **more: Any) -> Json:
    """A document whose operation answers with one status."""
    return specification({"responses": {status: {"description": "so", **more}}})


def fields(required: list[str] | None = None, /, **properties: Any) -> Json:
    """The schema of an object."""
    return {"type": "object", "properties": properties, "required": required or []}


def closed(required: list[str] | None = None, /, **properties: Any) -> Json:
    """The schema of an object that has no other fields."""
    return fields(required, **properties) | {"additionalProperties": False}

"""A name for each request, from the first proxy to the last log line."""

from __future__ import annotations

import re

from .._ids import uuid7_text
from ..log.logger import ContextField
from .interface import Layer, Middleware, Request
from .order import middleware

HEADER = "x-request-id"
_FIELD = ContextField("request_id")
_WELL_FORMED = re.compile(r"[A-Za-z0-9._-]{1,64}")


def request_id() -> Middleware:
    """Name the request: in ``request.state["request_id"]``, in every log record, in the response's ``X-Request-ID``.

    A name of 1 to 64 letters, digits, ``.``, ``_`` and ``-`` given by the caller is kept, any other replaced by a
    UUIDv7: what goes into logs and headers is never the caller's free text.
    """

    @middleware(name="request_id", scopes=["http", "websocket"])
    def layer(request: Request) -> Layer:
        given = request.headers.get(HEADER)
        name = given if given is not None and _WELL_FORMED.fullmatch(given) else uuid7_text()
        request.state["request_id"] = name
        # Set and dropped, never reset by token: the end may run in another context than the start.
        _FIELD.put(name)
        try:
            head = yield
            head.set(HEADER, name)
            yield
        finally:
            _FIELD.drop()

    return layer

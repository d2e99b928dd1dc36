"""No request body grows beyond what was agreed."""

from __future__ import annotations

from .._problem import Problem
from ..errors import BodyTooLarge
from .interface import Layer, Middleware, Request, Response
from .order import middleware


def body_limit(max_bytes: int) -> Middleware:
    """Refuse a body of more than ``max_bytes`` with 413, counted as it arrives, whatever ``Content-Length`` says.

    A larger ``Content-Length`` is refused before anything is read. Beyond the limit the application's read raises
    :class:`BodyTooLarge`; the response is 413 even if the application makes something else of it.
    """
    if max_bytes < 0:
        raise ValueError(f"expected a number of bytes, got {max_bytes}")
    problem = Problem(413, BodyTooLarge.code, detail=f"The body is larger than {max_bytes} bytes.")

    @middleware(name="body_limit", after=["errors"])
    def layer(request: Request) -> Layer:
        if request.content_length > max_bytes:
            yield Response.of(problem)
            return
        read = 0

        def count(chunk: bytes) -> None:
            nonlocal read
            read += len(chunk)
            if read > max_bytes:
                raise BodyTooLarge(f"the request's body is larger than {max_bytes} bytes")

        request.on_body(count)
        try:
            yield
        except Exception:
            if read <= max_bytes:
                raise
        if read > max_bytes:
            yield Response.of(problem)

    return layer

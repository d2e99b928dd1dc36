"""Middleware: generators around an application, the same ones under ASGI and WSGI.

::

    pipeline = Pipeline([request_id(), access_log(), security_headers(), errors(), body_limit(10_000_000), csrf()])
    app = pipeline.asgi(app)

A middleware is a generator function of one argument: what it does before ``head = yield`` happens on the way in, what
it does after it, before the head leaves; ``yield Response(…)`` answers in the application's place; ``done = yield``
comes back after the body. The core middleware are in modules of their own, as ``middleware.errors``.
"""

from __future__ import annotations

from .groups import Group
from .interface import AsyncLayer, Done, Head, Layer, Middleware, Request, Response
from .order import middleware
from .pipeline import Pipeline

__all__ = [
    "AsyncLayer",
    "Done",
    "Group",
    "Head",
    "Layer",
    "Middleware",
    "Pipeline",
    "Request",
    "Response",
    "middleware",
]

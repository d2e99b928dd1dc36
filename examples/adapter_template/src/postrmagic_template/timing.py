"""A middleware that tells the client how long the application took (Server-Timing, https://www.w3.org/TR/server-timing)."""

from __future__ import annotations

import time

from postrmagic_core.middleware import Layer, Middleware, Request, middleware


def timing(name: str = "app") -> Middleware:
    """``name`` is what the client is told that took so long: a token (RFC 9110)."""

    @middleware(name="timing", after=["request_id"], before=["errors"])
    def layer(request: Request) -> Layer:
        started = time.monotonic()  # on the way in
        head = yield  # status and headers, before they leave
        head.add("server-timing", f"{name};dur={(time.monotonic() - started) * 1000:.1f}")

    return layer

"""The stack that one would assemble: Starlette's own middleware and the popular packages, each as documented."""

from __future__ import annotations

import logging
import time
from collections.abc import MutableMapping
from importlib import import_module
from types import SimpleNamespace
from typing import Any

from ._middleware_rig import App, Null


class AccessLog:
    """An access log as one writes it on the standard library's logging: after the last byte, with status and time."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.log = logging.getLogger("benchmark.access")
        self.log.propagate = False
        self.log.setLevel(logging.INFO)
        handler = Null()
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        self.log.handlers = [handler]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        status, size, started = 500, 0, time.monotonic()

        async def sending(message: MutableMapping[str, Any]) -> None:
            nonlocal status, size
            if message["type"] == "http.response.start":
                status = message["status"]
            else:
                size += len(message.get("body", b""))
            await send(message)

        try:
            await self.app(scope, receive, sending)
        finally:
            took = (time.monotonic() - started) * 1000
            self.log.info(
                "%s %s %s %d %d %.3f ms", scope["client"][0], scope["method"], scope["path"], status, size, took
            )


def _address(request: Any) -> str:
    return str(request.client.host)


def assembled(app: App, limited_by: str) -> tuple[App, dict[str, Any]]:
    """The stack around ``app``, and what its request's scope needs; :class:`ImportError` without the packages.

    Outermost first: proxy headers (uvicorn), correlation id, access log, security headers (secure), CORS and errors
    (Starlette), rate limit (slowapi, in memory), sessions (starsessions, in memory, not loaded). ``limited_by``:
    slowapi's ``SlowAPIMiddleware``, with which its guide begins, or the ``SlowAPIASGIMiddleware`` that it has besides.
    """
    from starlette.middleware.cors import CORSMiddleware
    from starlette.middleware.errors import ServerErrorMiddleware
    from starlette.routing import Route
    from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

    correlation, secure, slowapi, starsessions = map(
        import_module, ("asgi_correlation_id", "secure.middleware", "slowapi.middleware", "starsessions")
    )

    def endpoint(request: Any) -> Any:
        """What slowapi looks up to know that this path is limited."""

    inner: Any = starsessions.SessionMiddleware(app, store=starsessions.InMemoryStore())
    inner = getattr(slowapi, limited_by)(inner)
    inner = ServerErrorMiddleware(inner)
    inner = CORSMiddleware(inner, allow_origins=["https://app.example.org"], allow_credentials=True)
    inner = secure.SecureASGIMiddleware(inner)
    inner = AccessLog(inner)
    inner = correlation.CorrelationIdMiddleware(inner)
    inner = ProxyHeadersMiddleware(inner, trusted_hosts="127.0.0.1")
    limiter = import_module("slowapi").Limiter(
        key_func=_address, default_limits=["1000000000/minute"], headers_enabled=True
    )
    state = SimpleNamespace(limiter=limiter)
    return inner, {"app": SimpleNamespace(state=state, routes=[Route("/", endpoint)], exception_handlers={})}

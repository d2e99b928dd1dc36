"""A list of middleware, checked and compiled once, around an application of either kind."""

from __future__ import annotations

from collections.abc import Sequence

from .asgi import ASGIApp, Exchange, Receive, Send, Wrapped
from .interface import Middleware, Scope
from .order import check, compiled
from .websocket import Connection
from .wsgi import Body, Environ, StartResponse, WSGIApp, by_hand, serve


class Pipeline:
    """``Pipeline([request_id(), access_log(), errors(), …]).asgi(app)``; outermost first.

    Raises :class:`ConfigurationError` for what is no middleware, and for an order some middleware forbids. A pipeline
    holds nothing of a request and may wrap several applications.
    """

    def __init__(self, middleware: Sequence[Middleware]) -> None:
        self._layers = tuple(compiled(given) for given in middleware)
        check(self._layers)

    @property
    def names(self) -> list[str]:
        """The names of the middleware, outermost first."""
        return [layer.place.name for layer in self._layers]

    def asgi(self, app: ASGIApp) -> Wrapped:
        """``app`` inside the pipeline. Lifespan, and websockets no layer asks for, reach it untouched."""
        layers = tuple(layer for layer in self._layers if "http" in layer.place.scopes)
        upgrades = tuple(layer for layer in self._layers if "websocket" in layer.place.scopes)

        async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
            kind = scope["type"]
            if kind == "http":
                await Exchange(layers, scope, receive, send).serve(app)
            elif kind == "websocket" and upgrades:
                await Connection(upgrades, scope, receive, send).serve(app)
            else:
                await app(scope, receive, send)

        return wrapped

    def wsgi(self, app: WSGIApp) -> WSGIApp:
        """``app`` inside the pipeline; async layers are stepped by hand and must not really wait."""
        layers = tuple(by_hand(layer) for layer in self._layers if "http" in layer.place.scopes)

        def wrapped(environ: Environ, start_response: StartResponse) -> Body:
            return serve(app, layers, environ, start_response)

        return wrapped

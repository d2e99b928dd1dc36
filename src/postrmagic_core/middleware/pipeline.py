"""A list of middleware, checked and compiled once, around an application of either kind."""

from __future__ import annotations

from collections.abc import Sequence

from .asgi import ASGIApp, Exchange, Receive, Send, Wrapped
from .environ import path_of
from .groups import Chosen, Group, Table
from .interface import Middleware, Scope
from .order import arranged, check, compiled
from .pipeline_request import request_class
from .websocket import Connection
from .wsgi import Body, Environ, StartResponse, WSGIApp, by_hand, serve


class Pipeline:
    """``Pipeline([request_id(), access_log(), errors(), …]).asgi(app)``; outermost first.

    ``groups`` are other layers for some paths. Raises :class:`ConfigurationError` for what is no middleware, and for an
    order some middleware forbids; with ``arrange`` the layers are put where they must stand instead, if there is such
    an order. A pipeline holds nothing of a request and may wrap several applications.

    ``problem_types``, such as ``"/problems/"``, is where the application says what its types of problems mean: every
    problem document that a layer answers with then has its code beneath that as ``type``. Those of the application are
    its own.
    """

    def __init__(
        self,
        middleware: Sequence[Middleware],
        *,
        groups: Sequence[Group] = (),
        arrange: bool = False,
        problem_types: str | None = None,
    ) -> None:
        layers = tuple(compiled(given) for given in middleware)
        if arrange:
            layers = arranged(layers)
        else:
            check(layers)
        self._table = Table(layers, groups)
        self._request = request_class(problem_types)

    @property
    def names(self) -> list[str]:
        """The names of the middleware, outermost first, for paths in no group."""
        return [layer.place.name for layer in self._table.base]

    @property
    def groups(self) -> dict[str, list[str]]:
        """The same for each group's prefix."""
        return {group.prefix: [layer.place.name for layer in layers] for group, layers in self._table.groups}

    def asgi(self, app: ASGIApp) -> Wrapped:
        """``app`` inside the pipeline. Lifespan, and websockets no layer asks for, reach it untouched."""
        http, websocket = Chosen(self._table, "http"), Chosen(self._table, "websocket")
        everywhere = None if self._table.groups else http.base
        request = self._request

        async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
            kind = scope["type"]
            if kind == "http":
                layers = everywhere or http.of(scope.get("path", ""))
                await Exchange(layers, request(scope)).serve(app, receive, send)
            elif kind == "websocket" and (layers := websocket.of(scope.get("path", ""))).steps:
                await Connection(layers, request(scope)).serve(app, receive, send)
            else:
                await app(scope, receive, send)

        return wrapped

    def wsgi(self, app: WSGIApp) -> WSGIApp:
        """``app`` inside the pipeline; async layers are stepped by hand and must not really wait."""
        chosen = Chosen(self._table.each(by_hand), "http")

        def wrapped(environ: Environ, start_response: StartResponse) -> Body:
            return serve(app, chosen.of(path_of(environ)), environ, start_response, self._request)

        return wrapped

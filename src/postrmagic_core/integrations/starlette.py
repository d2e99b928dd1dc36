"""The pipeline, the Stack and an Api in a Starlette application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from ..middleware import Pipeline
from ..stack import Stack
from ._parts import needing

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.routing import Route

    from ..api import Api

A = TypeVar("A", bound="Starlette")


def install(app: A, pipeline: Pipeline, stack: Stack | None = None) -> A:
    """Put ``pipeline`` into ``app``, around its routes and the middleware it has by now; returns ``app``.

    Inside Starlette's own page for errors, which would leave before ``errors`` saw the exception. ``stack`` is open
    from before the application's own lifespan until after it. Endpoints find what the layers tell in ``request.state``:
    ``await request.state.session``, sync ones ``request.state.session.get()``.
    """
    app.add_middleware(pipeline.asgi)
    if stack is None:
        return app
    own = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(running: Starlette) -> AsyncIterator[Any]:
        async with stack, own(running) as state:
            yield state

    app.router.lifespan_context = lifespan
    return app


def routes(api: Api) -> list[Route]:
    """The routes of ``api``, its specification and its reference, for ``Starlette(routes=…)`` or FastAPI's router.

    A handler that is a plain function runs on Starlette's threads. Put :func:`install` around the application: the
    layer ``authorization`` lets requests in, ``errors`` answers what is no client's mistake.
    """
    with needing("Starlette", "starlette"):
        from ._starlette_api import routes
    return routes(api)

"""The pipeline, the Stack and an Api in a Flask application."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from ..middleware import Pipeline
from ..middleware.environ import STATE
from ..stack import Stack
from ._parts import Route, State, answers_errors, name_route, needing
from .wsgi import install as install_wsgi

if TYPE_CHECKING:
    from flask import Blueprint, Flask

    from ..api import Api

A = TypeVar("A", bound="Flask")


def install(app: A, pipeline: Pipeline, stack: Stack | None = None) -> A:
    """Put ``pipeline`` around ``app.wsgi_app``; returns ``app``.

    Exceptions that no error handler of the application takes reach the pipeline (``PROPAGATE_EXCEPTIONS``, unless it is
    set already or the pipeline has no ``errors``). Each process opens ``stack`` with its first request. Views find what
    the layers tell in ``g.postrmagic``: ``g.postrmagic.session.get()``, async ones ``await g.postrmagic.session``.
    """
    with needing("Flask", "flask"):
        from flask import g, request, request_started

    if answers_errors(pipeline) and app.config["PROPAGATE_EXCEPTIONS"] is None:
        app.config["PROPAGATE_EXCEPTIONS"] = True

    def started(_: Flask, **__: object) -> None:
        g.postrmagic = State(request.environ.get(STATE, {}))
        if request.url_rule is not None:
            name_route(Route(request.url_rule.rule))

    # The signal comes before any function of before_request; held strongly, or it would be gone with this call.
    request_started.connect(started, app, weak=False)
    # Flask's documented way, which the types of a method do not foresee.
    setattr(app, "wsgi_app", install_wsgi(app.wsgi_app, pipeline, stack))  # noqa: B010  a plain assignment has no type
    return app


def blueprint(api: Api) -> Blueprint:
    """The routes of ``api``, its specification and its reference, for ``app.register_blueprint``.

    Put :func:`install` around the application: the layer ``authorization`` lets requests in, ``errors`` answers what is
    no client's mistake. The limits of the Api and of the pipeline hold for bodies, not ``MAX_CONTENT_LENGTH``. Raises
    :class:`ConfigurationError` for a handler that is ``async def``.
    """
    with needing("Flask", "flask"):
        from ._flask_api import blueprint
    return blueprint(api)

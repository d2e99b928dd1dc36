"""The web process: the API, the page, and the pipeline around both."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from postrmagic_core._problem import Problem, problem_for
from postrmagic_core.errors import DataError
from postrmagic_core.integrations.starlette import install
from postrmagic_core.middleware import Pipeline
from postrmagic_core.middleware.access_log import access_log
from postrmagic_core.middleware.body_limit import body_limit
from postrmagic_core.middleware.csp_reports import csp_reports
from postrmagic_core.middleware.csrf import csrf
from postrmagic_core.middleware.errors import errors
from postrmagic_core.middleware.header_limits import header_limits
from postrmagic_core.middleware.idempotency import idempotency
from postrmagic_core.middleware.rate_limit import rate_limit
from postrmagic_core.middleware.request_id import request_id
from postrmagic_core.middleware.security_headers import security_headers
from postrmagic_core.middleware.sessions import sessions
from postrmagic_core.middleware.time_limits import time_limits
from postrmagic_core.middleware.trace_context import trace_context
from postrmagic_core.middleware.trusted_proxies import trusted_proxies
from postrmagic_core.stack import Stack

from .api import Api, problem
from .application import Application
from .library import POLICY, NotFound, QuotaExceeded
from .storage import Damaged

logger = logging.getLogger("media_library")

_STATIC = Path(__file__).parent / "static"
# A form adds its boundaries and fields to the file.
_LARGEST_BODY = POLICY.max_bytes + 64 * 1024
_REPORTS = "/csp-reports"
# From one address: guesses at passwords, and what costs room on the disk.
_LOGINS, _UPLOADS = "30/minute", "600/minute"


def site(application: Application) -> Starlette:
    """The ASGI application: the Stack opens with the server and closes after the last request."""
    stack = application.stack

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        application.library.storage.prepare()
        yield

    routes = [
        Route("/", page, methods=["GET"]),
        *Api(stack, application.accounts, application.library, application.notifications).routes(),
        Mount("/static", StaticFiles(directory=_STATIC)),
    ]
    # A client's mistakes, and a damaged file, are answered here; whatever else goes wrong by errors(), which logs it.
    mistakes = dict.fromkeys((HTTPException, DataError, NotFound, QuotaExceeded, ClientDisconnect, Damaged), refused)
    app = Starlette(routes=routes, exception_handlers=mistakes, lifespan=lifespan)
    # Its redirect of a path with a slash too many names whatever host the client wrote.
    app.router.redirect_slashes = False
    install(app, pipeline(stack), stack)
    return app


def pipeline(stack: Stack) -> Pipeline:
    """What every request passes on its way in and out; settings name its proxies and time limits."""
    settings = stack.settings.sessions
    options = stack.settings.middleware.options
    proxies: dict[str, Any] = {"networks": ()} | options.get("trusted_proxies", {})
    return Pipeline(
        [
            trusted_proxies(**proxies),
            request_id(),
            trace_context(),
            access_log(),
            security_headers(reports=_REPORTS),
            errors(),
            time_limits(**options.get("time_limits", {})),
            header_limits(),
            body_limit(_LARGEST_BODY),
            csp_reports(_REPORTS),
            rate_limit(stack.limiter, _LOGINS, routes=["POST /api/v1/login"], name="logins"),
            rate_limit(stack.limiter, _UPLOADS, routes=["POST /api/v1/media"], name="uploads"),
            sessions(stack.sessions, cookie=settings.cookie, secure=settings.secure),
            csrf(keys=stack.settings.key_ring(), secure=settings.secure),
            # A key costs the memory of its request's body while it is carried out.
            idempotency(stack.database, max_body=_LARGEST_BODY),
        ]
    )


async def page(_: Request) -> Response:
    """The one page."""
    return FileResponse(_STATIC / "index.html", headers={"Cache-Control": "no-cache"})


async def refused(_: Request, error: Exception) -> Response:
    """What a client may know about an error of ours or of Starlette's."""
    if isinstance(error, NotFound):
        return problem(Problem(404, error.code, detail="There is no such medium in your library."))
    if isinstance(error, QuotaExceeded):
        return problem(Problem(413, error.code, detail="This file does not fit into your quota."))
    if isinstance(error, Damaged):
        logger.error("a stored file is damaged", exc_info=error)
        return problem(Problem(500, error.code, detail="The stored file is damaged, so it is not given out."))
    if isinstance(error, ClientDisconnect):
        return Response(status_code=499)
    if isinstance(error, HTTPException):
        return problem(Problem(error.status_code, f"http.{error.status_code}"))
    return problem(problem_for(error))

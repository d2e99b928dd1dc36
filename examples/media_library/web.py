"""The web process: the API, the page, and the pipeline around both."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from postrmagic_core.integrations.starlette import install
from postrmagic_core.middleware import Pipeline
from postrmagic_core.middleware.access_log import access_log
from postrmagic_core.middleware.authentication import authentication
from postrmagic_core.middleware.authorization import authorization
from postrmagic_core.middleware.body_limit import body_limit
from postrmagic_core.middleware.csp_reports import csp_reports
from postrmagic_core.middleware.csrf import csrf
from postrmagic_core.middleware.errors import errors
from postrmagic_core.middleware.groups import Group
from postrmagic_core.middleware.header_limits import header_limits
from postrmagic_core.middleware.idempotency import idempotency
from postrmagic_core.middleware.rate_limit import rate_limit
from postrmagic_core.middleware.request_id import request_id
from postrmagic_core.middleware.security_headers import CSP, security_headers
from postrmagic_core.middleware.sessions import sessions
from postrmagic_core.middleware.time_limits import time_limits
from postrmagic_core.middleware.trace_context import trace_context
from postrmagic_core.middleware.trusted_proxies import trusted_proxies

from .account_api import AccountApi
from .admin_api import AdminApi
from .api import Api
from .application import Application
from .library import POLICY
from .presence import known_devices, who_asks
from .refusals import MISTAKES
from .roles import GUARDED, PUBLIC, SIGNED_IN

_STATIC = Path(__file__).parent / "static"
# A form adds its boundaries and fields to the file.
_LARGEST_BODY = POLICY.max_bytes + 64 * 1024
_REPORTS = "/csp-reports"
# From one address: what costs a hash, guesses at codes, and what costs room on the disk. Guesses at passwords are
# counted for each account besides.
_LOGINS, _SIGN_UPS, _UPLOADS = "30/minute", "30/minute", "600/minute"
# A key would keep for a day what these are sent and answer: fingerprints of passwords, codes that are shown once.
_SECRET = ["/api/v1/signup", "/api/v1/login", "/api/v1/password-reset", "/api/v1/account"]


def site(application: Application) -> Starlette:
    """The ASGI application: the Stack opens with the server and closes after the last request."""
    stack = application.stack

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        application.library.storage.prepare()
        yield

    routes = [
        Route("/", page, methods=["GET"]),
        *Api(stack, application.library, application.notifications).routes(),
        *AccountApi(stack, application.accounts, application.logins).routes(),
        *AdminApi(stack, application.accounts).routes(),
        Mount("/static", StaticFiles(directory=_STATIC)),
    ]
    app = Starlette(routes=routes, exception_handlers=MISTAKES, lifespan=lifespan)
    # Its redirect of a path with a slash too many names whatever host the client wrote.
    app.router.redirect_slashes = False
    install(app, pipeline(application), stack)
    return app


def pipeline(application: Application) -> Pipeline:
    """What every request passes on its way in and out; settings name its proxies and time limits."""
    stack = application.stack
    settings = stack.settings.sessions
    options = stack.settings.middleware.options
    proxies: dict[str, Any] = {"networks": ()} | options.get("trusted_proxies", {})
    return Pipeline(
        [
            trusted_proxies(**proxies),
            request_id(),
            trace_context(),
            access_log(),
            # The QR code of a second factor is a data: image.
            security_headers(f"{CSP}; img-src 'self' data:", reports=_REPORTS),
            errors(),
            time_limits(**options.get("time_limits", {})),
            header_limits(),
            body_limit(_LARGEST_BODY),
            csp_reports(_REPORTS),
            rate_limit(stack.limiter, _LOGINS, routes=["POST /api/v1/login"], name="logins"),
            rate_limit(stack.limiter, _LOGINS, routes=["POST /api/v1/login/second-factor"], name="codes"),
            rate_limit(stack.limiter, _SIGN_UPS, routes=["POST /api/v1/signup"], name="sign-ups"),
            rate_limit(stack.limiter, _SIGN_UPS, routes=["POST /api/v1/password-reset"], name="resets"),
            rate_limit(stack.limiter, _UPLOADS, routes=["POST /api/v1/media"], name="uploads"),
            known_devices(secure=settings.secure),
            sessions(stack.sessions, cookie=settings.cookie, secure=settings.secure),
            csrf(keys=stack.settings.key_ring(), secure=settings.secure),
            authentication(who_asks(application)),
            authorization(
                stack.security.access,
                GUARDED,
                public=PUBLIC,
                signed_in=SIGNED_IN,
                challenge='Cookie realm="media-library"',
            ),
            # A key costs the memory of its request's body while it is carried out.
            idempotency(stack.database, max_body=_LARGEST_BODY),
        ],
        groups=[Group(prefix, without=["idempotency"]) for prefix in _SECRET],
    )


async def page(_: Request) -> Response:
    """The one page."""
    return FileResponse(_STATIC / "index.html", headers={"Cache-Control": "no-cache"})

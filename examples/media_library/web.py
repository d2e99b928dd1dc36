"""The web process: the API, the page, and the pipeline around both."""

from __future__ import annotations

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

from postrmagic_core._problem import CONTENT_TYPE
from postrmagic_core.api import Api, Inputs
from postrmagic_core.integrations.starlette import install
from postrmagic_core.integrations.starlette import routes as interface_routes
from postrmagic_core.middleware import Pipeline
from postrmagic_core.middleware.access_log import access_log
from postrmagic_core.middleware.api_versions import api_versions
from postrmagic_core.middleware.authentication import authentication
from postrmagic_core.middleware.authorization import authorization
from postrmagic_core.middleware.body_limit import body_limit
from postrmagic_core.middleware.csp_reports import csp_reports
from postrmagic_core.middleware.csrf import csrf
from postrmagic_core.middleware.errors import errors
from postrmagic_core.middleware.experience import experience
from postrmagic_core.middleware.groups import Group
from postrmagic_core.middleware.header_limits import header_limits
from postrmagic_core.middleware.idempotency import idempotency
from postrmagic_core.middleware.named import made
from postrmagic_core.middleware.oauth_endpoints import oauth_endpoints
from postrmagic_core.middleware.rate_limit import rate_limit
from postrmagic_core.middleware.request_id import request_id
from postrmagic_core.middleware.request_metrics import request_metrics
from postrmagic_core.middleware.security_headers import CSP, security_headers
from postrmagic_core.middleware.sessions import sessions
from postrmagic_core.middleware.time_limits import time_limits
from postrmagic_core.middleware.trace_context import trace_context
from postrmagic_core.middleware.trusted_proxies import trusted_proxies
from postrmagic_core.observability.dashboard import dashboard
from postrmagic_core.validation import AsyncUploads

from .account_api import AccountApi, LoginApi
from .admin_api import AdminApi
from .application import Application
from .authentication import known_devices, who_asks
from .authorization_api import AuthorizationApi
from .calls import LOCALES
from .library import POLICY
from .media_api import MediaApi
from .problems import PROBLEMS
from .roles import PUBLIC, RULES, SCOPES
from .specification import SPECIFICATION, VERSIONS
from .token_api import TokenApi

_STATIC = Path(__file__).parent / "static"
# A form adds its boundaries and fields to the file.
_LARGEST_BODY = POLICY.max_bytes + 64 * 1024
_REPORTS = "/csp-reports"
_CHALLENGE = 'Bearer realm="media-library"'
# From one address: what costs a hash, guesses at codes, and what costs room on the disk. Guesses at passwords are
# counted for each account besides.
_LOGINS, _SIGN_UPS, _UPLOADS = "30/minute", "30/minute", "600/minute"
# A server that asks for many users has one address, too.
_PROGRAMS, _FOR_PROGRAMS = "600/minute", ["POST /oauth/token", "POST /oauth/revoke", "POST /oauth/introspect"]
# A key would keep for a day what these are sent and answer: fingerprints of passwords, codes that are shown once.
_SECRET = ["/api/v1/signup", "/api/v1/login", "/api/v1/password-reset", "/api/v1/account", "/api/v1/tokens"]
_SECRET += ["/api/v1/authorizations"]


def site(application: Application) -> Starlette:
    """The ASGI application: the Stack opens with the server and closes after the last request."""
    stack = application.stack

    uploads = AsyncUploads()

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        application.library.storage.prepare()
        async with uploads:
            yield

    routes = [
        Route("/", page, methods=["GET"]),
        *([Route("/oauth/authorize", page, methods=["GET"])] if stack.security.has_oauth else []),
        *interface_routes(interface(application, uploads)),
        Mount("/static", StaticFiles(directory=_STATIC)),
        Mount("/observability", dashboard(stack, title="Media library")),
    ]
    app = Starlette(routes=routes, exception_handlers=_MISTAKES, lifespan=lifespan)
    # Its redirect of a path with a slash too many names whatever host the client wrote.
    app.router.redirect_slashes = False
    install(app, pipeline(application), stack)
    return app


def interface(application: Application, uploads: AsyncUploads) -> Api:
    """The specification, carried out by ``application``."""
    stack = application.stack
    resources = [
        MediaApi(stack, application.library, application.pages),
        LoginApi(stack, application.accounts, application.logins),
        AccountApi(stack, application.accounts, application.logins, application.notifications),
        TokenApi(stack, application.logins),
        AuthorizationApi(stack),
        AdminApi(stack, application.accounts),
    ]
    incoming = application.library.storage.incoming
    return Api(SPECIFICATION, resources, Inputs(stack.database, uploads, incoming, locales=LOCALES))


def pipeline(application: Application) -> Pipeline:
    """What every request passes on its way in and out; settings name its proxies and time limits."""
    stack = application.stack
    settings = stack.settings.sessions
    options = stack.settings.middleware.options
    proxies: dict[str, Any] = {"networks": ()} | options.get("trusted_proxies", {})
    return Pipeline(
        [
            trusted_proxies(**proxies),
            made("probes", {}, stack),
            request_id(),
            trace_context(),
            request_metrics(stack.metrics),
            access_log(),
            # The QR code of a second factor is a data: image.
            security_headers(f"{CSP}; img-src 'self' data:", reports=_REPORTS),
            api_versions(VERSIONS),
            errors(),
            time_limits(**options.get("time_limits", {})),
            header_limits(),
            body_limit(_LARGEST_BODY),
            csp_reports(_REPORTS),
            rate_limit(stack.limiter, _LOGINS, routes=["POST /api/v1/login"], name="logins"),
            rate_limit(stack.limiter, _LOGINS, routes=["POST /api/v1/login/second-factor"], name="codes"),
            rate_limit(stack.limiter, _SIGN_UPS, routes=["POST /api/v1/signup"], name="sign-ups"),
            rate_limit(stack.limiter, _SIGN_UPS, routes=["POST /api/v1/password-reset"], name="resets"),
            rate_limit(stack.limiter, _SIGN_UPS, routes=["POST /api/v1/tokens"], name="tokens"),
            rate_limit(stack.limiter, _PROGRAMS, routes=_FOR_PROGRAMS, name="programs"),
            rate_limit(stack.limiter, _UPLOADS, routes=["POST /api/v1/media"], name="uploads"),
            *([oauth_endpoints(stack.security.oauth)] if stack.security.has_oauth else []),
            known_devices(secure=settings.cookie_secure),
            sessions(stack.sessions, cookie_name=settings.cookie_name, cookie_secure=settings.cookie_secure),
            experience(
                stack.observability.experience,
                metrics=stack.metrics,
                pages=["/", "/oauth/authorize"],
                survey="library",
                question="How well does the library do what you need?",
            ),
            csrf(keys=stack.settings.key_ring(), cookie_secure=settings.cookie_secure),
            authentication(who_asks(application)),
            authorization(stack.security.access, challenge=_CHALLENGE, scopes=SCOPES, **_rules()),
            # A key costs the memory of its request's body while it is carried out.
            idempotency(stack.database, max_body_bytes=_LARGEST_BODY),
        ],
        groups=[Group(prefix, without=["idempotency"]) for prefix in _SECRET],
        problem_types=PROBLEMS.base,
    )


def _rules() -> dict[str, Any]:
    """What each route needs: the interface's, and everybody's page."""
    rules = SPECIFICATION.rules()
    return rules | {"public": [*rules["public"], *PUBLIC], "rules": {**rules["rules"], **RULES}}


async def page(_: Request) -> Response:
    """The one page."""
    return FileResponse(_STATIC / "index.html", headers={"Cache-Control": "no-cache"})


async def _no_route(_: Request, error: Exception) -> Response:
    """What the router has no answer to: a path or a method that is none, a client that went away."""
    if not isinstance(error, HTTPException):
        return Response(status_code=499)
    told = PROBLEMS.problem(f"http.{error.status_code}")
    return Response(told.body(PROBLEMS.base), told.status, error.headers, CONTENT_TYPE)


_MISTAKES: dict[type[Exception], Any] = dict.fromkeys((HTTPException, ClientDisconnect), _no_route)

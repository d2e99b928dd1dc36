"""The applications: one on each framework, with the server-side sessions that its documentation shows, on Redis.

All keep the same data and answer the same text. Beside each stands the same application without sessions.
"""

from __future__ import annotations

from contextlib import ExitStack
from importlib import import_module
from types import ModuleType
from typing import Any

import redis
from redis.asyncio import Redis as AsyncRedis

from postrmagic_core.middleware import Pipeline
from postrmagic_core.middleware.sessions import sessions as with_sessions

from .calls import BARE, CHANGE, LOGIN, READ, Application, Asgi, Wsgi
from .costs import DATA, USER, opened

HOURS = 12
_SECONDS = HOURS * 3600


async def _nothing() -> None:
    pass


def ours_on_starlette(stack: ExitStack, url: str) -> Application:
    """Our layer in a pipeline around Starlette; the session is a login's, as ours are mostly."""
    manager = stack.enter_context(opened(url))

    async def read(request: Any) -> str:
        data = (await request.state.session).data
        return f"{data['csrf']} {data['locale']}"

    async def change(request: Any) -> str:
        data = (await request.state.session).data
        data["count"] += 1
        return str(data["count"])

    async def login(request: Any) -> str:
        session = await request.state.session
        session.login(USER)
        session.data.update(DATA)
        return "ok"

    app = Pipeline([with_sessions(manager)]).asgi(_starlette({READ: read, CHANGE: change, LOGIN: login}))
    closing = getattr(manager.store, "native")  # noqa: B009  a Store need not have one; Redis' has
    return Asgi("ours on Starlette", app, _starlette({}), closing.close)


def starsessions(stack: ExitStack, url: str) -> Application:
    """Starsessions on Starlette, loaded by its own middleware."""
    package, stores = import_module("starsessions"), import_module("starsessions.stores.redis")
    middleware = import_module("starlette.middleware").Middleware

    async def read(request: Any) -> str:
        return f"{request.session['csrf']} {request.session['locale']}"

    async def change(request: Any) -> str:
        request.session["count"] += 1
        return str(request.session["count"])

    async def login(request: Any) -> str:
        request.session.update(DATA)
        return "ok"

    client = AsyncRedis.from_url(url)
    around = [
        middleware(package.SessionMiddleware, store=stores.RedisStore(connection=client), lifetime=_SECONDS),
        middleware(package.SessionAutoloadMiddleware),
    ]
    app = _starlette({READ: read, CHANGE: change, LOGIN: login}, around)
    return Asgi("starsessions on Starlette", app, _starlette({}), client.aclose)


def _starlette(routes: dict[str, Any], middleware: Any = ()) -> Any:
    applications, routing = import_module("starlette.applications"), import_module("starlette.routing")
    text = import_module("starlette.responses").PlainTextResponse

    async def bare(request: Any) -> str:
        return "ok"

    def endpoint(answer: Any) -> Any:
        async def respond(request: Any) -> Any:
            return text(await answer(request))

        return respond

    made = [routing.Route(path, endpoint(answer)) for path, answer in {BARE: bare, **routes}.items()]
    return applications.Starlette(routes=made, middleware=list(middleware))


def litestar(stack: ExitStack, url: str) -> Application:
    """Litestar with server-side sessions in its Redis store."""
    package, stores = import_module("litestar"), import_module("litestar.stores.redis")
    config = import_module("litestar.middleware.session.server_side").ServerSideSessionConfig(max_age=_SECONDS)
    get, plain, request_type = package.get, package.MediaType.TEXT, package.Request

    async def read(request: Any) -> str:
        return f"{request.session['csrf']} {request.session['locale']}"

    async def change(request: Any) -> str:
        request.session["count"] += 1
        return str(request.session["count"])

    async def login(request: Any) -> str:
        request.session.update(DATA)
        return "ok"

    async def bare() -> str:
        return "ok"

    for handler in (read, change, login):
        handler.__annotations__ = {"request": request_type, "return": str}
    bare.__annotations__ = {"return": str}
    routes = {READ: read, CHANGE: change, LOGIN: login}
    client = AsyncRedis.from_url(url)
    app = package.Litestar(
        [get(path, media_type=plain)(handler) for path, handler in routes.items()],
        middleware=[config.middleware],
        stores={"sessions": stores.RedisStore(client)},
        openapi_config=None,
        logging_config=None,
    )
    without = package.Litestar([get(BARE, media_type=plain)(bare)], openapi_config=None, logging_config=None)
    return Asgi("Litestar", app, without, client.aclose)


def ours_on_flask(stack: ExitStack, url: str) -> Application:
    """Our layer in a pipeline around Flask."""
    flask, integration = import_module("flask"), import_module("postrmagic_core.integrations.flask")
    manager = stack.enter_context(opened(url))

    def read() -> str:
        data = flask.g.postrmagic.session.get().data
        return f"{data['csrf']} {data['locale']}"

    def change() -> str:
        data = flask.g.postrmagic.session.get().data
        data["count"] += 1
        return str(data["count"])

    def login() -> str:
        session = flask.g.postrmagic.session.get()
        session.login(USER)
        session.data.update(DATA)
        return "ok"

    app = integration.install(_flask({READ: read, CHANGE: change, LOGIN: login}), Pipeline([with_sessions(manager)]))
    return Wsgi("ours on Flask", app, _flask({}))


def flask_session(stack: ExitStack, url: str) -> Application:
    """Flask-Session with its own defaults: msgpack, permanent sessions that each request refreshes."""
    flask, package = import_module("flask"), import_module("flask_session")

    def read() -> str:
        return f"{flask.session['csrf']} {flask.session['locale']}"

    def change() -> str:
        flask.session["count"] += 1
        return str(flask.session["count"])

    def login() -> str:
        flask.session.update(DATA)
        return "ok"

    app = _flask({READ: read, CHANGE: change, LOGIN: login})
    app.config.update(SESSION_TYPE="redis", SESSION_REDIS=stack.enter_context(redis.Redis.from_url(url)))
    package.Session(app)
    return Wsgi("Flask-Session", app, _flask({}))


def _flask(routes: dict[str, Any]) -> Any:
    app = import_module("flask").Flask("benchmark")
    for path, view in {BARE: lambda: "ok", **routes}.items():
        app.add_url_rule(path, path, view)
    return app


def django(stack: ExitStack, url: str) -> Application:
    """Django with its sessions in its cache, and that on Redis."""
    package, configured = import_module("django"), import_module("django.conf").settings
    if not configured.configured:
        configured.configure(SECRET_KEY="only for the benchmark")  # noqa: S106  signs nothing here
        package.setup()
    text, path_to = import_module("django.http").HttpResponse, import_module("django.urls").path

    def bare(request: Any) -> Any:
        return text("ok")

    def read(request: Any) -> Any:
        return text(f"{request.session['csrf']} {request.session['locale']}")

    def change(request: Any) -> Any:
        request.session["count"] += 1
        return text(str(request.session["count"]))

    def login(request: Any) -> Any:
        request.session.update(DATA)
        return text("ok")

    routes = {BARE: bare, READ: read, CHANGE: change, LOGIN: login}
    urls: Any = ModuleType("benchmark_urls")
    urls.urlpatterns = [path_to(path.lstrip("/"), view) for path, view in routes.items()]
    override = import_module("django.test.utils").override_settings
    handler = import_module("django.core.handlers.wsgi").WSGIHandler
    stack.enter_context(
        override(
            ALLOWED_HOSTS=["library.example.org"],
            CACHES={"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": url}},
            DEBUG=False,
            MIDDLEWARE=["django.contrib.sessions.middleware.SessionMiddleware"],
            ROOT_URLCONF=urls,
            SESSION_COOKIE_AGE=_SECONDS,
            SESSION_ENGINE="django.contrib.sessions.backends.cache",
        )
    )
    app = handler()
    with override(MIDDLEWARE=[]):
        without = handler()
    return Wsgi("Django", app, without)

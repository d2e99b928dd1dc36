"""The same small site on several frameworks, with the server-side sessions that each documentation shows, on Redis.

``/login``, ``/logout``, ``/who``; ``/slow`` notes a page after a pause, ``/add/N`` a key after one; ``/count`` counts
those keys. A view gets what it may do with the session; where the framework awaits, the pause is waited for in a
thread.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any, TypeAlias

USER = "ada"
ORIGIN = "https://library.example.org"
PATHS = ("/login", "/slow", "/logout", "/who", "/add/{number}", "/count")
_THREADS = 32
_PATIENCE = 60.0


@dataclass(frozen=True)
class Answer:
    """``cookie``: what the client has now, as it would send it."""

    status: int
    text: str
    cookie: str | None


class Site:
    """An application that is asked; ``pause`` is what its slow views wait for."""

    def __init__(self) -> None:
        self.pause: Callable[[], object] = lambda: None
        self.app: Any = None

    def ask(self, path: str, cookie: str | None = None) -> Answer:
        """One request."""
        raise NotImplementedError


@dataclass
class Kept:
    """The session as a view uses it: its data, and what begins and ends it."""

    data: MutableMapping[str, Any]
    login: Callable[[], object]
    logout: Callable[[], object]


def before(path: str, kept: Kept) -> bool:
    """Whether the view of ``path`` pauses; it has then read the session."""
    kept.data.get("user")
    return path.startswith(("/slow", "/add/"))


def view(path: str, kept: Kept) -> str:
    """What each path does, after its pause."""
    if path == "/login":
        kept.login()
        kept.data["user"] = USER
    elif path == "/logout":
        kept.logout()
    elif path == "/slow":
        kept.data["page"] = "/media?page=3"
    elif path.startswith("/add/"):
        kept.data[f"added {path.rpartition('/')[2]}"] = True
    elif path == "/count":
        return str(sum(key.startswith("added ") for key, _ in kept.data.items()))  # Django's does not iterate
    return str(kept.data.get("user", "nobody")) if path == "/who" else "ok"


@contextmanager
def running() -> Iterator[asyncio.AbstractEventLoop]:
    """An event loop in a thread of its own, on which every waiter finds a thread."""
    loop = asyncio.new_event_loop()
    loop.set_default_executor(ThreadPoolExecutor(_THREADS))
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield loop
    finally:
        asyncio.run_coroutine_threadsafe(loop.shutdown_default_executor(), loop).result(_PATIENCE)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


class _Awaited(Site):
    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._loop = loop

    def ask(self, path: str, cookie: str | None = None) -> Answer:
        return asyncio.run_coroutine_threadsafe(self._ask(path, cookie), self._loop).result(_PATIENCE)

    async def _ask(self, path: str, cookie: str | None) -> Answer:
        httpx = import_module("httpx")
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as client:
            return _answer(await client.get(path, headers=_headers(cookie)), cookie)

    async def paused(self) -> None:
        """Wait, while others are served."""
        await asyncio.to_thread(self.pause)


class _Called(Site):
    def ask(self, path: str, cookie: str | None = None) -> Answer:
        httpx = import_module("httpx")
        transport = httpx.WSGITransport(self.app, raise_app_exceptions=False)
        with httpx.Client(transport=transport, base_url=ORIGIN) as client:
            return _answer(client.get(path, headers=_headers(cookie)), cookie)


def _headers(cookie: str | None) -> dict[str, str]:
    return {"cookie": cookie} if cookie else {}


def _answer(response: Any, cookie: str | None) -> Answer:
    kept = "; ".join(f"{name}={value}" for name, value in response.cookies.items())
    return Answer(response.status_code, response.text, kept or cookie)


def ours(opened: ExitStack, url: str, loop: asyncio.AbstractEventLoop) -> Site:
    """Our layer in a pipeline around Starlette."""
    from postrmagic_core.middleware import Pipeline
    from postrmagic_core.middleware.sessions import sessions as with_sessions

    from ..sessions.costs import opened as sessions_on

    manager = opened.enter_context(sessions_on(url))
    site = _Awaited(loop)

    async def kept(request: Any) -> Kept:
        session = await request.state.session
        return Kept(session.data, lambda: session.login(USER), session.logout)

    site.app = Pipeline([with_sessions(manager)]).asgi(_starlette(site, kept))
    native = getattr(manager.store, "native")  # noqa: B009  a Store need not have one; Redis' has
    opened.callback(lambda: asyncio.run_coroutine_threadsafe(native.close(), loop).result(_PATIENCE))
    return site


def starsessions(opened: ExitStack, url: str, loop: asyncio.AbstractEventLoop) -> Site:
    """Starsessions on Starlette; a logout clears the session."""
    package, stores = import_module("starsessions"), import_module("starsessions.stores.redis")
    middleware = import_module("starlette.middleware").Middleware
    site, client = _Awaited(loop), _redis(opened, url, loop)

    async def kept(request: Any) -> Kept:
        return Kept(request.session, lambda: package.regenerate_session_id(request), request.session.clear)

    around = [
        middleware(package.SessionMiddleware, store=stores.RedisStore(connection=client), lifetime=3600),
        middleware(package.SessionAutoloadMiddleware),
    ]
    site.app = _starlette(site, kept, around)
    return site


def _redis(opened: ExitStack, url: str, loop: asyncio.AbstractEventLoop) -> Any:
    from redis.asyncio import Redis

    client = Redis.from_url(url)
    opened.callback(lambda: asyncio.run_coroutine_threadsafe(client.aclose(), loop).result(_PATIENCE))
    return client


def _starlette(site: _Awaited, kept: Callable[[Any], Any], middleware: Any = ()) -> Any:
    applications, routing = import_module("starlette.applications"), import_module("starlette.routing")
    text = import_module("starlette.responses").PlainTextResponse

    async def respond(request: Any) -> Any:
        session = await kept(request)
        if before(request.url.path, session):
            await site.paused()
        return text(view(request.url.path, session))

    return applications.Starlette(routes=[routing.Route(path, respond) for path in PATHS], middleware=list(middleware))


def litestar(opened: ExitStack, url: str, loop: asyncio.AbstractEventLoop) -> Site:
    """Litestar with server-side sessions in its Redis store."""
    package, stores = import_module("litestar"), import_module("litestar.stores.redis")
    config = import_module("litestar.middleware.session.server_side").ServerSideSessionConfig()
    site, client = _Awaited(loop), _redis(opened, url, loop)

    async def respond(request: Any) -> str:
        session = Kept(request.session, lambda: None, request.clear_session)
        if before(request.url.path, session):
            await site.paused()
        return view(request.url.path, session)

    respond.__annotations__ = {"request": package.Request, "return": str}
    paths = [path.replace("{number}", "{number:int}") for path in PATHS]
    site.app = package.Litestar(
        [package.get(paths, media_type=package.MediaType.TEXT)(respond)],
        middleware=[config.middleware],
        stores={"sessions": stores.RedisStore(client)},
        openapi_config=None,
        logging_config=None,
    )
    return site


def flask_session(opened: ExitStack, url: str, loop: asyncio.AbstractEventLoop) -> Site:
    """Flask-Session with its own defaults."""
    import redis

    flask, package = import_module("flask"), import_module("flask_session")
    site, app = _Called(), flask.Flask("benchmark")

    def respond(number: str = "") -> str:
        data = flask.session
        path, session = flask.request.path, Kept(data, lambda: app.session_interface.regenerate(data), data.clear)
        if before(path, session):
            site.pause()
        return view(path, session)

    for path in PATHS:
        app.add_url_rule(path.replace("{number}", "<number>"), path, respond)
    app.config.update(SESSION_TYPE="redis", SESSION_REDIS=opened.enter_context(redis.Redis.from_url(url)))
    package.Session(app)
    site.app = app
    return site


def django(opened: ExitStack, url: str, loop: asyncio.AbstractEventLoop) -> Site:
    """Django with its sessions in its cache, and that on Redis; ``cycle_key`` and ``flush`` as its login and logout."""
    package, configured = import_module("django"), import_module("django.conf").settings
    if not configured.configured:
        configured.configure(SECRET_KEY="only for the benchmark")  # noqa: S106  signs nothing here
        package.setup()
    text, path_to = import_module("django.http").HttpResponse, import_module("django.urls").path
    site = _Called()

    def respond(request: Any, number: str = "") -> Any:
        session = Kept(request.session, request.session.cycle_key, request.session.flush)
        if before(request.path, session):
            site.pause()
        return text(view(request.path, session))

    urls: Any = ModuleType("benchmark_counters_urls")
    urls.urlpatterns = [path_to(path.lstrip("/").replace("{number}", "<number>"), respond) for path in PATHS]
    override = import_module("django.test.utils").override_settings
    opened.enter_context(
        override(
            ALLOWED_HOSTS=["library.example.org"],
            CACHES={"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": url}},
            DEBUG=False,
            LOGGING_CONFIG=None,
            MIDDLEWARE=["django.contrib.sessions.middleware.SessionMiddleware"],
            ROOT_URLCONF=urls,
            SESSION_ENGINE="django.contrib.sessions.backends.cache",
        )
    )
    site.app = import_module("django.core.handlers.wsgi").WSGIHandler()
    return site


Maker: TypeAlias = Callable[[ExitStack, str, asyncio.AbstractEventLoop], Site]
MAKERS: dict[str, tuple[str, Maker]] = {
    "ours": ("ours", ours),
    "starsessions": ("starsessions", starsessions),
    "litestar": ("litestar", litestar),
    "flask_session": ("Flask-Session", flask_session),
    "django": ("Django", django),
}

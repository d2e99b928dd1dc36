"""One request to an application without a server: as a WSGI call, or as an ASGI call that is awaited."""

from __future__ import annotations

import asyncio
import io
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

from .._cache_timing import Awaited
from .._harness import Case
from .costs import DATA

BARE, READ, CHANGE, LOGIN = "/bare", "/read", "/change", "/login"
READ_ANSWER = f"{DATA['csrf']} {DATA['locale']}"
"""What :data:`READ` is answered; :data:`CHANGE` counts up and answers the count, :data:`BARE` and LOGIN ``ok``."""

Close: TypeAlias = Callable[[], Awaitable[object]]


class Answer:
    """The response: its body, and the cookie that it sets."""

    def __init__(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        if status != 200:
            raise AssertionError(f"expected a response of 200, got {status}: {body[:200]!r}")
        self.text = body.decode()
        self.cookie = next((value.partition(";")[0] for name, value in headers if name.lower() == "set-cookie"), None)


class Application(ABC):
    """An application with sessions, and ``bare``, the same without them; ``cookie``: that of a session that began.

    ``closing`` is awaited at its end.
    """

    def __init__(self, label: str, app: Any, bare: Any, closing: Close | None = None) -> None:
        self.label = label
        self.cookie: str | None = None
        self._app = app
        self._bare = bare
        self._closing = closing

    @abstractmethod
    def case(self, name: str, path: str) -> Case:
        """A request of ``path`` with the cookie, of the bare application where that is asked for."""

    @abstractmethod
    def ask(self, runner: asyncio.Runner, path: str) -> Answer:
        """Make one and return what came."""

    def begin(self, runner: asyncio.Runner) -> None:
        """Begin the session; :class:`AssertionError` unless it is read, and kept when it changed."""
        self.cookie = self.ask(runner, LOGIN).cookie
        answers = [self.ask(runner, path).text for path in (BARE, READ, CHANGE, CHANGE, READ)]
        if answers != ["ok", READ_ANSWER, "1", "2", READ_ANSWER]:
            raise AssertionError(f"{self.label} was set up so that it keeps no session: {answers}")

    def close(self, runner: asyncio.Runner) -> None:
        """Release what it holds on the event loop."""

        async def closed(closing: Close) -> None:
            await closing()

        if self._closing is not None:
            runner.run(closed(self._closing))


class Wsgi(Application):
    """One that is called by WSGI."""

    def case(self, name: str, path: str) -> Case:
        """See :meth:`Application.case`."""
        app, cookie = self._bare if path == BARE else self._app, self.cookie
        return Case(name, lambda: _wsgi(app, path, cookie))

    def ask(self, runner: asyncio.Runner, path: str) -> Answer:
        """See :meth:`Application.ask`."""
        return _wsgi(self._bare if path == BARE else self._app, path, self.cookie)


class Asgi(Application):
    """One that is called by ASGI."""

    def case(self, name: str, path: str) -> Case:
        """See :meth:`Application.case`."""
        app, cookie = self._bare if path == BARE else self._app, self.cookie
        return Awaited(name, lambda: _asgi(app, path, cookie))

    def ask(self, runner: asyncio.Runner, path: str) -> Answer:
        """See :meth:`Application.ask`."""
        return runner.run(_asgi(self._bare if path == BARE else self._app, path, self.cookie))


def _wsgi(app: Any, path: str, cookie: str | None) -> Answer:
    status, headers = 0, list[tuple[str, str]]()

    def start(line: str, found: list[tuple[str, str]], exc_info: object = None) -> None:
        nonlocal status, headers
        status, headers = int(line[:3]), found

    environ = {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "SERVER_NAME": "library.example.org",
        "SERVER_PORT": "443",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": "library.example.org",
        "HTTP_USER_AGENT": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
        "HTTP_ACCEPT": "application/json",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "https",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    if cookie is not None:
        environ["HTTP_COOKIE"] = cookie
    pieces = app(environ, start)
    try:
        body = b"".join(pieces)
    finally:
        close = getattr(pieces, "close", None)
        if close is not None:
            close()
    return Answer(status, headers, body)


async def _receive() -> dict[str, Any]:
    return {"type": "http.request", "body": b"", "more_body": False}


async def _asgi(app: Any, path: str, cookie: str | None) -> Answer:
    status, headers, body = 0, list[tuple[bytes, bytes]](), b""

    async def send(message: MutableMapping[str, Any]) -> None:
        nonlocal status, headers, body
        if message["type"] == "http.response.start":
            status, headers = message["status"], list(message.get("headers", ()))
        else:
            body += message.get("body", b"")

    sent = [
        (b"host", b"library.example.org"),
        (b"user-agent", b"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
        (b"accept", b"application/json"),
    ]
    if cookie is not None:
        sent.append((b"cookie", cookie.encode()))
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "https",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": sent,
        "client": ("127.0.0.1", 40_000),
        "server": ("127.0.0.1", 443),
        "state": {},
    }
    await app(scope, _receive, send)
    return Answer(status, [(name.decode(), value.decode()) for name, value in headers], body)

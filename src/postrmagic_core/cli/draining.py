"""An ASGI application that is about to end: its answers close their connections, its streams of events end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from inspect import isclass, signature
from typing import Any, TypeAlias

from ..errors import ConfigurationError

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Application: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

_OURS = f"{ConfigurationError.__module__}."
_EVENTS = b"text/event-stream"
_AWAY = b"This process has ended before it could answer.\n"
_AWAY_HEADERS = [
    (b"content-type", b"text/plain; charset=utf-8"),
    (b"content-length", str(len(_AWAY)).encode()),
    (b"connection", b"close"),
]


def checked(found: Any, told: str) -> Application:
    """``found``, if it can be called as an ASGI 3.0 application is; :class:`ConfigurationError` says what it is."""
    kind = type(found).__name__
    wrong = f"{told} is a {kind}, expected an ASGI application, which is called with scope, receive and send"
    if isclass(found) or not callable(found):
        raise ConfigurationError(wrong)
    try:
        called = signature(found)
    except (TypeError, ValueError):  # made in C: it must be tried
        return found  # type: ignore[no-any-return]  # as above
    for count, hint in ((3, ""), (2, ": one for WSGI needs a server for WSGI"), (0, ": name what it returns instead")):
        try:
            called.bind(*range(count))
        except TypeError:
            continue
        if not hint:
            return found  # type: ignore[no-any-return]  # whatever takes three arguments will do
        raise ConfigurationError(f"{wrong}{hint}")
    raise ConfigurationError(wrong)


class Draining:
    """``app`` for one process that ends some day. WebSockets pass as they are: the server closes them in the end.

    Once :attr:`draining`, each answer of HTTP/1 says ``Connection: close`` (RFC 9112, 9.6), and the server obeys it:
    a client that keeps connections comes back by a new one, to whoever is ready then.
    """

    def __init__(self, app: Application) -> None:
        self._app = app
        self._streams: set[asyncio.Task[Any]] = set()
        self._ended: set[asyncio.Task[Any]] = set()
        self.draining = False
        self.cutting = False
        """Whatever is cancelled from now on is answered that the process ends, where it is not answered yet."""
        self.startup_error = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._app(scope, receive, self._heard(send))
        else:
            await self._app(scope, receive, send)

    def end_streams(self) -> None:
        """End the answers of ``text/event-stream`` that still run: by themselves they never would."""
        for task in self._streams - self._ended:
            self._ended.add(task)
            task.cancel("the process ends")

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        task = asyncio.current_task()
        closes = not str(scope.get("http_version", "1.1")).startswith(("2", "3"))
        started = False

        async def sending(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = list(message.get("headers", ()))
                if self.draining and closes:
                    message = {**message, "headers": _closing(headers)}
                if task is not None and _streams_events(headers):
                    self._streams.add(task)
            elif task in self._streams and not message.get("more_body", False):
                self._streams.discard(task)
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except asyncio.CancelledError:
            if task in self._ended:
                task.uncancel()
                await send({"type": "http.response.body", "body": b"", "more_body": False})
            elif not self.cutting:
                raise
            elif not started:
                await send({"type": "http.response.start", "status": 503, "headers": _AWAY_HEADERS})
                await send({"type": "http.response.body", "body": _AWAY, "more_body": False})
        finally:
            if task is not None:
                self._streams.discard(task)
                self._ended.discard(task)

    def _heard(self, send: Send) -> Send:
        async def sending(message: Message) -> None:
            if message["type"] == "lifespan.startup.failed":
                # A framework sends a whole traceback: of an error of ours the last line is all there is to know.
                last = (str(message.get("message") or "").strip().splitlines() or [""])[-1]
                if last.startswith(_OURS):
                    last = last.removeprefix(_OURS).partition(": ")[2]
                    message = {**message, "message": ""}
                self.startup_error = last
            await send(message)

        return sending


def _closing(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    return [*(pair for pair in headers if bytes(pair[0]).lower() != b"connection"), (b"connection", b"close")]


def _streams_events(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    return any(
        bytes(name).lower() == b"content-type" and bytes(value).lower().startswith(_EVENTS) for name, value in headers
    )

"""Asking an application one request, by ASGI and by WSGI, and what it answered."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any

Pairs = Sequence[tuple[str, str]]


@dataclass
class Found:
    """What was answered: header names in lower case; ``error``: what came out instead, or after it."""

    status: int = 0
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    error: BaseException | None = None


@dataclass(frozen=True)
class Asked:
    """One request."""

    method: str = "GET"
    headers: dict[str, str] = field(default_factory=dict)
    path: str = "/"
    query: str = ""
    pieces: tuple[bytes, ...] = (b"",)
    more: tuple[tuple[str, str], ...] = ()

    def at(self, *, path: str | None = None, query: str = "") -> Asked:
        """The same for another target."""
        return replace(self, path=self.path if path is None else path, query=query)

    def also(self, headers: Iterable[tuple[str, str]]) -> Asked:
        """The same with further headers."""
        return replace(self, more=(*self.more, *headers))

    def sending(self, *pieces: bytes) -> Asked:
        """The same with a body, in these pieces."""
        method = "POST" if self.method == "GET" else self.method
        size = {"content-length": str(sum(map(len, pieces)))}
        return replace(self, method=method, headers=self.headers | size, pieces=pieces)

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Every header, in order."""
        return [*self.headers.items(), *self.more]

    async def exchange(
        self, app: Any, *, gone_after: int | None = None, at_chunk: Callable[[], object] | None = None
    ) -> Found:
        """Ask an ASGI application; ``gone_after``: messages after which the client is gone."""
        found, sent = Found(), 0
        waiting = [{"type": "http.request", "body": piece, "more_body": True} for piece in self.pieces]
        waiting[-1]["more_body"] = False

        async def receive() -> dict[str, Any]:
            if waiting:
                return waiting.pop(0)
            if gone_after is None:
                await asyncio.Event().wait()
            return {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            nonlocal sent
            if gone_after is not None and sent >= gone_after:
                raise OSError("the client is gone")
            sent += 1
            if message["type"] == "http.response.start":
                found.status = message["status"]
                headers = message.get("headers", ())
                found.headers = [(key.decode("latin-1").lower(), value.decode("latin-1")) for key, value in headers]
            elif message.get("body"):
                found.body += message["body"]
                if at_chunk is not None:
                    at_chunk()

        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in self.pairs]
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": self.method,
            "scheme": "https",
            "path": self.path,
            "query_string": self.query.encode("latin-1"),
            "headers": headers,
            "client": ("192.0.2.1", 12345),
            "server": ("192.0.2.2", 443),
            "state": {},
        }
        try:
            await app(scope, receive, send)
        except Exception as error:
            found.error = error
        return found

    def environ(self) -> dict[str, Any]:
        """The same as WSGI has it."""
        found: dict[str, Any] = {
            "REQUEST_METHOD": self.method,
            "SCRIPT_NAME": "",
            "PATH_INFO": self.path.encode("utf-8").decode("latin-1"),
            "QUERY_STRING": self.query,
            "SERVER_NAME": "example.org",
            "SERVER_PORT": "443",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "192.0.2.1",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "https",
            "wsgi.input": io.BytesIO(b"".join(self.pieces)),
            "wsgi.errors": io.StringIO(),
            "wsgi.multithread": True,
            "wsgi.multiprocess": True,
            "wsgi.run_once": False,
        }
        for name, value in self.pairs:
            key = name.upper().replace("-", "_")
            key = key if key in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{key}"
            separator = "; " if name == "cookie" else ","
            found[key] = f"{found[key]}{separator}{value}" if key in found else value
        return found


def asgi(app: Any, asked: Asked, **how: Any) -> Found:
    """Ask in an event loop of its own."""
    return asyncio.run(asked.exchange(app, **how))


def wsgi(app: Any, asked: Asked, *, at_chunk: Callable[[], object] | None = None) -> Found:
    """Ask a WSGI application, as a server does."""
    found = Found()

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], None]:
        found.status = int(status[:3])
        found.headers = [(name.lower(), value) for name, value in headers]
        return lambda chunk: setattr(found, "body", found.body + chunk)

    result: Any = ()
    try:
        result = app(asked.environ(), start_response)
        for chunk in result:
            found.body += chunk
            if chunk and at_chunk is not None:
                at_chunk()
    except Exception as error:
        found.error = error
    finally:
        close = getattr(result, "close", None)
        if close is not None:
            close()
    return found


def answering(status: int, headers: Pairs, body: bytes | None) -> Any:
    """An ASGI application that reads the request's body and answers so; ``None``: with that body."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        read, more = b"", True
        while more:
            message = await receive()
            read, more = read + message.get("body", b""), message.get("more_body", False)
        encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        await send({"type": "http.response.start", "status": status, "headers": encoded})
        await send({"type": "http.response.body", "body": read if body is None else body})

    return app


def wsgi_answering(status: int, headers: Pairs, body: bytes | None) -> Any:
    """The same by WSGI."""

    def app(environ: Any, start_response: Callable[..., Any]) -> list[bytes]:
        read = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)) if body is None else body
        start_response(f"{status} {HTTPStatus(status).phrase}", list(headers))
        return [read]

    return app


def streaming(made: list[int]) -> Any:
    """An ASGI application that sends four chunks and notes each before it does."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for index in range(4):
            made.append(index)
            await send({"type": "http.response.body", "body": b"%d" % index, "more_body": index < 3})

    return app

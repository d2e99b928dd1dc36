"""The WSGI environ in the words of ASGI (asgiref, "WSGI Compatibility")."""

from __future__ import annotations

import io
import sys
from collections.abc import Awaitable, Callable, Iterator, MutableMapping, Sequence
from typing import Any

from .interface import Scope

STATE = "postrmagic.state"
_PIECE = 65_536  # bytes


def scope_of(environ: dict[str, Any]) -> Scope:
    """An HTTP scope; its ``state`` is ``environ["postrmagic.state"]``, which the application sees too."""
    headers = [(name[5:].replace("_", "-").lower(), value) for name, value in environ.items() if name[:5] == "HTTP_"]
    for name in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        if environ.get(name):
            headers.append((name.replace("_", "-").lower(), environ[name]))
    peer = environ.get("REMOTE_ADDR")
    return {
        "type": "http",
        "method": environ["REQUEST_METHOD"],
        "path": path_of(environ),
        "query_string": environ.get("QUERY_STRING", "").encode("latin-1", "replace"),
        "scheme": environ.get("wsgi.url_scheme", "http"),
        "headers": [(name.encode("latin-1"), value.encode("latin-1", "replace")) for name, value in headers],
        "client": (peer, 0) if peer else None,
        "state": environ.setdefault(STATE, {}),
    }


def path_of(environ: dict[str, Any]) -> str:
    """The path, with the one the application is mounted at, in the characters that WSGI's bytes stand for."""
    path: str = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
    return path.encode("latin-1", "replace").decode("utf-8", "replace")


def follow(environ: dict[str, Any], told: Scope, scope: Scope) -> None:
    """Write into ``environ`` what the layers changed in ``scope`` since it was ``told``.

    That is client, scheme, headers, and the path, beneath where the application is mounted.
    """
    if scope["path"] != told["path"]:
        path = scope["path"].encode().decode("latin-1")
        environ["PATH_INFO"] = path.removeprefix(environ.get("SCRIPT_NAME", ""))
    if scope["client"] != told["client"]:
        address, port = scope["client"] or ("", 0)
        environ |= {"REMOTE_ADDR": address, "REMOTE_PORT": str(port)}
    environ["wsgi.url_scheme"] = scope["scheme"]
    if scope["headers"] is not told["headers"]:
        for name, _ in told["headers"]:
            environ.pop(_variable(name), None)
        for name, value in scope["headers"]:
            environ[_variable(name)] = value.decode("latin-1")


def _variable(name: bytes) -> str:
    variable = name.decode("latin-1").upper().replace("-", "_")
    return variable if variable in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{variable}"


class Input:
    """``wsgi.input`` that shows each piece read to the body hooks before the application gets it."""

    def __init__(self, stream: Any, hooks: Sequence[Callable[[bytes], None]]) -> None:
        self._stream = stream
        self._hooks = hooks

    def _shown(self, chunk: bytes) -> bytes:
        for hook in self._hooks:
            hook(chunk)
        return chunk

    def read(self, size: int = -1) -> bytes:
        """At most ``size`` bytes; all of them if negative."""
        return self._shown(self._stream.read() if size < 0 else self._stream.read(size))

    def readline(self, size: int = -1) -> bytes:
        """One line."""
        return self._shown(self._stream.readline() if size < 0 else self._stream.readline(size))

    def readlines(self, hint: int = -1) -> list[bytes]:
        """The lines, about ``hint`` bytes of them."""
        return [self._shown(line) for line in self._stream.readlines(hint)]

    def __iter__(self) -> Iterator[bytes]:
        return (self._shown(line) for line in self._stream)


def messages(environ: dict[str, Any]) -> Callable[[], Awaitable[MutableMapping[str, Any]]]:
    """``wsgi.input`` as ASGI's ``receive``: never beyond ``Content-Length``, at which not every server ends it."""
    left: int | None = None

    async def receive() -> MutableMapping[str, Any]:
        nonlocal left
        if left is None:
            left = _announced(environ)
        chunk = environ["wsgi.input"].read(min(_PIECE, left)) if left else b""
        left -= len(chunk)
        if left and not chunk:
            ended = bool(environ.get("wsgi.input_terminated"))
            return {"type": "http.request"} if ended else {"type": "http.disconnect"}
        return {"type": "http.request", "body": chunk, "more_body": left > 0}

    return receive


class Bounded:
    """``wsgi.input`` as a file that ends where the request's body does, whether the server ends it there or not."""

    def __init__(self, environ: dict[str, Any]) -> None:
        self._stream = environ["wsgi.input"]
        self._left = _announced(environ)

    def read(self, size: int, /) -> bytes:
        """At most ``size`` bytes; none at the end."""
        chunk: bytes = self._stream.read(min(size, self._left)) if self._left else b""
        self._left -= len(chunk)
        return chunk


def _announced(environ: dict[str, Any]) -> int:
    told = environ.get("CONTENT_LENGTH") or ""
    if told.isascii() and told.isdigit():
        return int(told[:18])
    return sys.maxsize if environ.get("wsgi.input_terminated") else 0


class Ahead:
    """``wsgi.input`` from its beginning again, after ``messages`` of it were read."""

    def __init__(self, messages: Sequence[MutableMapping[str, Any]], rest: Any) -> None:
        self._read = io.BytesIO(b"".join(message.get("body", b"") for message in messages))
        self._rest: Any = rest if messages[-1].get("more_body") else io.BytesIO()

    def read(self, size: int = -1) -> bytes:
        """At most ``size`` bytes; all of them if negative."""
        if size < 0:
            return self._read.read() + bytes(self._rest.read())
        return self._read.read(size) or bytes(self._rest.read(size))

    def readline(self, size: int = -1) -> bytes:
        """One line."""
        line = self._read.readline(size)
        if line.endswith(b"\n") or (0 <= size <= len(line)):
            return line
        return line + bytes(self._rest.readline(size - len(line) if size >= 0 else -1))

    def readlines(self, hint: int = -1) -> list[bytes]:
        """The lines, about ``hint`` bytes of them."""
        lines, size = [], 0
        for line in self:
            lines.append(line)
            size += len(line)
            if 0 < hint <= size:
                break
        return lines

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.readline, b"")

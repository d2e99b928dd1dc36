"""The WSGI environ in the words of ASGI (asgiref, "WSGI Compatibility")."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from .interface import Scope

STATE = "postrmagic.state"


def scope_of(environ: dict[str, Any]) -> Scope:
    """An HTTP scope; its ``state`` is ``environ["postrmagic.state"]``, which the application sees too."""
    headers = [(name[5:].replace("_", "-").lower(), value) for name, value in environ.items() if name[:5] == "HTTP_"]
    for name in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        if environ.get(name):
            headers.append((name.replace("_", "-").lower(), environ[name]))
    path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
    peer = environ.get("REMOTE_ADDR")
    return {
        "type": "http",
        "method": environ["REQUEST_METHOD"],
        "path": path.encode("latin-1", "replace").decode("utf-8", "replace"),
        "query_string": environ.get("QUERY_STRING", "").encode("latin-1", "replace"),
        "scheme": environ.get("wsgi.url_scheme", "http"),
        "headers": [(name.encode("latin-1"), value.encode("latin-1", "replace")) for name, value in headers],
        "client": (peer, 0) if peer else None,
        "state": environ.setdefault(STATE, {}),
    }


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

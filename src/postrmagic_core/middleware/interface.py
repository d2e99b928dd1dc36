"""What a middleware sees and says: the request, the head, a response of its own, and how it ended."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Callable, Generator, Iterable, Mapping, MutableMapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol, TypeAlias

from .._problem import CONTENT_TYPE, Problem
from .._work import Work

Header: TypeAlias = tuple[bytes, bytes]
Scope: TypeAlias = MutableMapping[str, Any]

# Sent a Head, then a Done, and yields a Response or nothing: no one type says "first this, then that", hence Any.
Layer: TypeAlias = Generator[Any, Any, None]
AsyncLayer: TypeAlias = AsyncGenerator[Any, Any]
Middleware: TypeAlias = "Callable[[Request], Layer] | Callable[[Request], AsyncLayer]"
_BREAK = re.compile(r"[\r\n\0]").search
_SHOWN = 200  # characters of a path in a text about its request


@lru_cache(maxsize=512)
def _encoded(name: str) -> bytes:
    """A header's name as it is sent; one that would end its line raises :class:`ValueError`."""
    if _BREAK(name) is not None:
        raise ValueError(f"header {name!r}: a name must not hold CR, LF or NUL")
    return name.lower().encode("latin-1")


class Headers:
    """A list of ``(name, value)`` byte pairs, read and changed by names in any case."""

    __slots__ = ("headers",)

    headers: list[Header]

    def __init__(self, headers: Iterable[Header] = ()) -> None:
        self.headers = list(headers)

    def get(self, name: str) -> str | None:
        """The first value of ``name``, or ``None``."""
        wanted = _encoded(name)
        size = len(wanted)
        for key, value in self.headers:
            if len(key) == size and key.lower() == wanted:
                return value.decode("latin-1")
        return None

    def get_all(self, name: str) -> list[str]:
        """Every value of ``name``, in order."""
        wanted = _encoded(name)
        return [value.decode("latin-1") for key, value in self.headers if key.lower() == wanted]

    def add(self, name: str, value: str) -> None:
        """Append a header; a line break or NUL in it raises :class:`ValueError` (RFC 9110, section 5.5)."""
        if _BREAK(value) is not None:
            raise ValueError(f"header {name!r}: a value must not hold CR, LF or NUL")
        self.headers.append((_encoded(name), value.encode("latin-1")))

    def set(self, name: str, value: str) -> None:
        """Replace every header ``name`` by this one."""
        self.remove(name)
        self.add(name, value)

    def remove(self, name: str) -> None:
        """Drop every header ``name``."""
        unwanted = _encoded(name)
        if unwanted in [key.lower() for key, _ in self.headers]:
            self.headers[:] = [pair for pair in self.headers if pair[0].lower() != unwanted]


class RequestHeaders(Headers):
    """The headers of a request, to be read: many layers ask, so that they are sorted by name once."""

    __slots__ = ("_by_name",)

    def __init__(self, headers: Iterable[Header] = ()) -> None:
        super().__init__(headers)
        self._by_name: dict[bytes, list[str]] = {}
        for key, value in self.headers:
            self._by_name.setdefault(key.lower(), []).append(value.decode("latin-1"))

    def get(self, name: str) -> str | None:
        """The first value of ``name``, or ``None``."""
        found = self._by_name.get(_encoded(name))
        return None if found is None else found[0]

    def get_all(self, name: str) -> list[str]:
        """Every value of ``name``, in order."""
        return list(self._by_name.get(_encoded(name), ()))


class Head(Headers):
    """Status and headers of the response, before they leave; both may be changed."""

    __slots__ = ("status",)

    status: int

    def __init__(self, status: int, headers: Iterable[Header] = ()) -> None:
        self.status = status
        self.headers = list(headers)


class Response(Head):
    """A whole response: yield one to answer in the application's place. ``body`` is bytes."""

    __slots__ = ("_told", "body")

    body: bytes

    def __init__(self, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status)
        self.body = body
        self._told: tuple[Problem, bytes] | None = None
        for name, value in (headers or {}).items():
            self.add(name, value)

    @classmethod
    def of(cls, problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
        """A problem document (RFC 9457); never stored by caches."""
        own = {"content-type": CONTENT_TYPE, "cache-control": "no-store"}
        response = cls(problem.status, problem.body(), own | dict(headers or {}))
        response._told = problem, response.body
        return response

    @property
    def problem(self) -> Problem | None:
        """The problem that :meth:`of` made it of, as long as the body is that document."""
        told = getattr(self, "_told", None)  # a subclass may set up itself otherwise
        return None if told is None or told[1] is not self.body else told[0]

    def tell(self, problem: Problem, body: bytes) -> None:
        """Put another document of ``problem`` in the place of the body."""
        self.body = body
        self._told = problem, body


@dataclass(slots=True)
class Done:
    """How a response ended: ``size`` bytes of body, the application's ``error``, whether the client went away."""

    size: int
    error: BaseException | None
    disconnected: bool


def closing(scope: Scope) -> dict[str, str]:
    """The header that ends the connection, for a response to what may not end where the server thinks it does.

    HTTP/2 tells requests apart, and forbids it; WSGI leaves it to the server (PEP 3333).
    """
    is_1 = scope.get("type") == "http" and str(scope.get("http_version", "")).startswith("1")
    return {"connection": "close"} if is_1 else {}


class Managed(Protocol):
    """A manager with an async face."""

    @property
    def aio(self) -> Any:
        """The same names, to be awaited."""
        ...


class Request(Work):
    """What a layer sees of a request: a thin view of the ASGI scope, under WSGI of one made from the environ.

    A pipeline makes one for each request. One made by hand, as in a test of a layer alone, has no body and no answer.
    """

    scope: Scope
    """The ASGI scope, which the application gets too."""
    disconnected: bool = False
    """Whether the client left, as far as is known yet."""
    time_limit: float | None = None
    """Seconds within which the application is to send its head; under WSGI nobody can stop it."""
    _headers: Headers | None = None
    _source: object = None
    _cookies: dict[str, str] | None = None

    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    def __str__(self) -> str:
        route = getattr(self.scope.get("route"), "path", None)  # where a router below, Starlette's for one, named it
        named = f" (route {route})" if route is not None else ""
        return f"{self.method} {self.path[:_SHOWN]}{named}"

    @property
    def method(self) -> str:
        """``GET``, ``POST``, …; of a websocket ``GET``."""
        return str(self.scope.get("method", "GET"))

    @property
    def path(self) -> str:
        """The path, percent-decoded."""
        return str(self.scope.get("path", ""))

    @property
    def query(self) -> str:
        """What follows the question mark, still encoded."""
        return bytes(self.scope.get("query_string", b"")).decode("latin-1")

    @property
    def scheme(self) -> str:
        """``http``, ``https``, ``ws`` or ``wss``, as the server, or ``trusted_proxies``, says."""
        return str(self.scope.get("scheme", "http"))

    @property
    def client(self) -> str | None:
        """The client's address, as the server, or ``trusted_proxies``, says."""
        peer = self.scope.get("client")
        return str(peer[0]) if peer else None

    @property
    def headers(self) -> Headers:
        """The request's headers, to be read; :attr:`scope` holds those the application sees."""
        source = self.scope.get("headers", ())
        if self._headers is None or self._source is not source:  # trusted_proxies may have put others there
            self._headers, self._source = RequestHeaders(source), source
        return self._headers

    @property
    def content_length(self) -> int:
        """The bytes of body that the header announces, which is a claim; 0 where it says nothing that is a number."""
        told = self.headers.get("content-length") or ""
        return int(told[:20]) if told.isascii() and told.isdigit() else 0

    @property
    def cookies(self) -> Mapping[str, str]:
        """Cookies by name; of two with one name the first, which has the longer path (RFC 6265, section 5.4).

        Of two ``__Host-`` or ``__Secure-`` cookies with one name neither: one of them was planted.
        """
        if self._cookies is None:
            found: dict[str, str] = {}
            planted: set[str] = set()
            for line in self.headers.get_all("cookie"):
                for part in line.split(";"):
                    # Spaces and tabs only: to a browser a name behind another blank has no prefix.
                    name, equals, value = part.strip(" \t").partition("=")
                    if not (name and equals):
                        continue
                    if name in found and name.startswith(("__Host-", "__Secure-")):
                        planted.add(name)
                    found.setdefault(name, value.strip('"'))
            self._cookies = {name: value for name, value in found.items() if name not in planted}
        return self._cookies

    @property
    def state(self) -> MutableMapping[str, Any]:
        """What middleware and application tell each other: ``scope["state"]``, ``request.state`` in Starlette."""
        try:
            found: MutableMapping[str, Any] = self.scope["state"]
        except KeyError:
            found = self.scope["state"] = {}
        return found

    def on_body(self, hook: Callable[[bytes], None]) -> None:
        """Call ``hook`` with each chunk of the body before the application gets it; it may raise to refuse."""

    def on_response(self, hook: Callable[[bytes, bool], None]) -> None:
        """Call ``hook(chunk, last)`` with each chunk of the body that the application answers."""

    async def read_body(self, max_bytes: int) -> bytes | None:
        """The body, read before the application starts, which reads it again; for an async layer before its ``yield``.

        ``None`` if it is longer than ``max_bytes``, or did not arrive whole. Body hooks see it when the application
        reads.
        """
        return b""

    def face(self, manager: Managed) -> Any:
        """The face of ``manager`` to await in an async middleware: ``manager.aio``, under WSGI one that never waits."""
        return manager.aio

"""The visitor's session: read when asked for, saved before the head leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from typing import Any, Protocol

from ..errors import BackendError
from ..sessions.binding import Client
from .errors import away
from .interface import AsyncLayer, Head, Middleware, Request
from .order import middleware

_AGENT = 512  # characters of a User-Agent that are looked at
_COOKIE_BYTES = 4096  # name and value (RFC 6265bis, section 5.6)


class Sessions(Protocol):
    """What is asked of a session store; :class:`postrmagic_core.sessions.SessionStore` is one."""

    @property
    def aio(self) -> Any:
        """The async face: the same names, to be awaited."""
        ...

    def load(self, cookie_value: str | None, client: Client | None = None) -> Any:
        """The session of a cookie that ``client`` sent, or a new one."""
        ...

    def save(self, session: Any) -> str | None:
        """Store what changed: the cookie's new value, ``""`` to drop the cookie, ``None`` to leave it."""
        ...


class SessionAccess:
    """``request.state["session"]``: ``session = await access`` loads at first and gives the same session afterwards.

    ``access.get()`` is the same for sync code. Either raises :class:`BackendError` when the store is away.
    """

    def __init__(self, sessions: Sessions, face: Any, cookie: str | None, client: Client) -> None:
        self._session: Any = None
        self._failure: BackendError | None = None
        self._sessions = sessions
        self._face = face
        self._sent = cookie, client
        self._turn = asyncio.Lock()

    @property
    def touched(self) -> bool:
        """Whether the application asked for the session."""
        return self._session is not None or self._failure is not None

    def get(self) -> Any:
        """The session, for sync code: WSGI, or an endpoint that runs in a thread."""
        if self._session is None:
            try:
                self._session = self._sessions.load(*self._sent)
            except BackendError as error:
                self._failure = error
                raise
        return self._session

    def __await__(self) -> Generator[Any, None, Any]:
        return self._load().__await__()

    async def _load(self) -> Any:
        async with self._turn:  # two tasks of one request must not hold two sessions
            if self._session is None:
                try:
                    self._session = await self._face.load(*self._sent)
                except BackendError as error:
                    self._failure = error
                    raise
        return self._session


def sessions(store: Sessions, *, cookie_name: str = "session", cookie_secure: bool = True) -> Middleware:
    """Give the application ``request.state["session"]`` (see :class:`SessionAccess`) and keep what it did with it.

    The cookie is set only when its value changes: ``Secure; HttpOnly; SameSite=Lax; Path=/``, its name after
    ``__Host-`` (RFC 6265bis, section 4.1.3.2). ``cookie_secure=False`` drops ``Secure`` and the prefix, for plain HTTP
    in development. A user's session is bound to the agent and the network that requests come from, as ``store`` says:
    put ``trusted_proxies`` outside where a proxy stands before. A response that touched the session says
    ``Vary: Cookie`` and ``Cache-Control: no-store``. With the store away: 503, or 507 where it is full, and the
    visitor's cookie stays as it is.
    """
    name = f"__Host-{cookie_name}" if cookie_secure else cookie_name

    @middleware(name="sessions", after=["errors", "trusted_proxies"])
    async def layer(request: Request) -> AsyncLayer:
        face = request.face(store)
        client = Client(request.client, (request.headers.get("user-agent") or "")[:_AGENT])
        access = request.state["session"] = SessionAccess(store, face, request.cookies.get(name), client)
        try:
            head = yield
        except BackendError as error:
            if access._failure is None:
                raise
            yield away(error)
            return
        if access._failure is not None and head.status >= 500:  # the application made its own answer of it
            yield away(access._failure)
        elif access._session is not None:
            try:
                value = await face.save(access._session)
            except BackendError as error:
                yield away(error)
                return
            _mark(head, None if value is None else set_cookie(name, value, secure=cookie_secure))

    return layer


def _mark(head: Head, cookie: str | None) -> None:
    head.set("cache-control", "no-store")
    if "cookie" not in ",".join(head.get_all("vary")).lower():
        head.add("vary", "Cookie")
    if cookie is not None:
        head.add("set-cookie", cookie)


def set_cookie(name: str, value: str, *, secure: bool) -> str:
    """The ``Set-Cookie`` of a session; an empty ``value`` drops it. Over 4,096 bytes: :class:`ValueError`."""
    if len(name) + len(value) > _COOKIE_BYTES:
        raise ValueError(f"the cookie {name} would be larger than {_COOKIE_BYTES} bytes, which browsers drop")
    parts = [f"{name}={value}", "Path=/", "HttpOnly", "SameSite=Lax"]
    parts += ["Secure"] if secure else []
    parts += ["Max-Age=0"] if not value else []
    return "; ".join(parts)

"""No other site may make a browser change something here."""

from __future__ import annotations

import base64
import re
import secrets
from collections.abc import Collection, Generator
from hmac import compare_digest
from typing import Any, Literal, TypeAlias
from urllib.parse import urlsplit

from .._crypto import KeyRing
from .._problem import Problem
from ..errors import UsageError
from .interface import AsyncLayer, Layer, Middleware, Request, Response
from .order import middleware
from .pipeline_request import of_pipeline
from .sessions import SessionAccess, set_cookie

HEADER = "x-csrf-token"
FIELD = "csrf_token"

_SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})  # RFC 9110, section 9.2.1
_CROSS_SITE = Problem(403, "csrf.cross_site", detail="A request from another site may not change anything here.")
_NO_TOKEN = Problem(
    403,
    "csrf.token",
    detail=f"The {FIELD} of the form, or the header {HEADER}, is missing or of another session: load the page again.",
)
_PURPOSE = "csrf-token"
_SALT = 16  # bytes
_TOKEN = re.compile(r"[A-Za-z0-9_-]{64}", re.ASCII)  # 16 bytes of salt and 32 of HMAC-SHA256, in base64url
_SEARCHED = 65_536  # bytes at the head of a form
# No parser of forms: a token that was found wherever it may be is one that only this session's pages have been given.
_FIELDS = {
    "application/x-www-form-urlencoded": re.compile(rb"(?:\A|&)csrf_token=([A-Za-z0-9_-]{64})(?:&|\Z)"),
    "multipart/form-data": re.compile(
        rb'content-disposition: ?form-data; ?name="csrf_token"\r\n\r\n([A-Za-z0-9_-]{64})\r\n', re.IGNORECASE
    ),
}

When: TypeAlias = Literal["fallback", "always"]
_ALWAYS = {"fallback": False, "always": True}


def csrf(
    trusted_origins: Collection[str] = (),
    *,
    keys: KeyRing | None = None,
    token: When = "fallback",  # noqa: S107 - says when one is needed: no secret
    cookie_name: str = "csrf",
    cookie_secure: bool = True,
) -> Middleware:
    """Refuse unsafe requests that a browser made for another site, with 403.

    By ``Sec-Fetch-Site``, and by ``Origin`` against ``Host`` where a browser does not send it (W3C Fetch Metadata; the
    rule of Go's ``http.CrossOriginProtection``). ``trusted_origins`` (``"https://admin.example.org"``) may. Safe
    methods pass: they must change nothing.

    Without ``keys`` an unsafe request that has neither header passes: current browsers always send one. With ``keys``
    it passes only if it carries no cookie, and so nobody's rights, or a token of its session (see :class:`CsrfToken`);
    with ``token="always"`` every unsafe request needs the token too. The token comes in the header ``X-CSRF-Token`` or
    in the field ``csrf_token`` within the first 65,536 bytes of a form, never in the query. ``sessions`` must then
    stand outside; it reads nothing for a request that is refused by its headers.

    A visitor without a session has the cookie ``__Host-csrf`` in its place, made when a token is first asked for;
    ``cookie_secure=False`` drops ``Secure`` and the prefix, for plain HTTP in development.
    """
    trusted = frozenset(trusted_origins)
    for origin in trusted:
        parts = urlsplit(origin)
        if not parts.scheme or not parts.netloc or parts.path or parts.query:
            raise ValueError(f"expected an origin such as https://admin.example.org, got {origin!r}")
    if (always := _ALWAYS.get(token)) is None:
        raise ValueError(f'expected token="fallback" or "always", got {token!r}')
    if keys is not None:
        name = f"__Host-{cookie_name}" if cookie_secure else cookie_name
        return _by_token(trusted, keys, always, (name, cookie_secure))
    if always:
        raise ValueError('token="always" needs keys=KeyRing(…) to sign the tokens with')
    return _by_headers(trusted)


def _by_headers(trusted: Collection[str]) -> Middleware:
    @middleware(name="csrf", after=["errors"])
    def layer(request: Request) -> Layer:
        if request.method not in _SAFE and is_own(request, trusted) is False:
            yield Response.of(_CROSS_SITE)

    return layer


def _by_token(trusted: Collection[str], keys: KeyRing, always: bool, cookie: tuple[str, bool]) -> Middleware:
    name, secure = cookie

    @middleware(name="csrf", after=["errors", "sessions"])
    async def layer(request: Request) -> AsyncLayer:
        access = request.state.get("session")
        if access is None:
            raise UsageError("csrf(keys=…) binds its tokens to the session: put sessions(…) outside it")
        tokens = request.state["csrf_token"] = CsrfToken(keys, access, request.cookies.get(name))
        if request.method not in _SAFE:
            own = is_own(request, trusted)
            if own is False:
                yield Response.of(_CROSS_SITE)
                return
            needed = always or (own is None and request.headers.get("cookie") is not None)
            if needed and not await tokens.allows(await _given(request)):
                yield Response.of(_NO_TOKEN)
                return
        head = yield
        if (value := tokens.leave()) is not None:
            head.add("set-cookie", set_cookie(name, value, secure=secure))

    return layer


class CsrfToken:
    """``request.state["csrf_token"]``: call it for the token to put into a form; in async code ``await`` it.

    Calling is enough in async code too once the session was awaited: nothing is read then. Each token is another text
    (a random salt, against BREACH) and lasts as long as its session: a login, which begins another, ends those before.
    Make them after it, or answer a login with a redirect.
    """

    def __init__(self, keys: KeyRing, access: SessionAccess, visitor: str | None) -> None:
        self._keys = keys
        self._access = access
        self._visitor = visitor if visitor is not None and _TOKEN.fullmatch(visitor) else None
        self._is_new = self._left = False

    def __call__(self) -> str:
        """A token, for sync code and templates."""
        return self._token(self._access.get())

    def __await__(self) -> Generator[Any, None, str]:
        session = yield from self._access.__await__()
        return self._token(session)

    async def allows(self, token: str | None) -> bool:
        """Whether ``token`` was made for the session behind this request."""
        if token is None or not _TOKEN.fullmatch(token):
            return False
        raw = base64.urlsafe_b64decode(token)
        salt, given = raw[:_SALT], raw[_SALT:]
        owners = self._owners(await self._access)
        macs = (mac for owner in owners for mac in self._keys.macs(salt + owner, purpose=_PURPOSE))
        return any(compare_digest(mac, given) for mac in macs)

    def leave(self) -> str | None:
        """The head leaves: the value of the visitor's cookie, if it is to be set."""
        self._left = True
        return self._visitor if self._is_new else None

    def _token(self, session: Any) -> str:
        if session.anchor is None and session.user_id is not None:
            raise UsageError("the session of a login is known once the head has left: answer a login with a redirect")
        if session.anchor is None and self._visitor is None:
            if self._left:
                raise UsageError("the first csrf_token of a visitor needs a cookie: ask for it before the head leaves")
            self._visitor, self._is_new = secrets.token_urlsafe(48), True
        salt = secrets.token_bytes(_SALT)
        mac = self._keys.mac(salt + self._owners(session)[0], purpose=_PURPOSE)
        return base64.urlsafe_b64encode(salt + mac).decode()

    def _owners(self, session: Any) -> list[bytes]:
        """Whom a token may be bound to, the best first: the session, and as long as nobody is logged in the visitor.

        A first page that shows a form may begin a session too, which is known only once the page has been made.
        """
        owners = [] if session.anchor is None else [b"session:" + session.anchor]
        if self._visitor is not None and session.user_id is None:
            owners.append(b"visitor:" + self._visitor.encode())
        return owners


async def _given(request: Request) -> str | None:
    """The token that came with the request; of several headers none."""
    tokens = request.headers.get_all(HEADER)
    if tokens:
        return tokens[0] if len(tokens) == 1 else None
    kind = (request.headers.get("content-type") or "").partition(";")[0].strip().lower()
    if kind not in _FIELDS:
        return None
    await request.read_body(_SEARCHED)
    body = b"".join(message.get("body", b"") for message in of_pipeline(request).ahead)[:_SEARCHED]
    found = _FIELDS[kind].search(body)
    return found[1].decode() if found is not None else None


def is_own(request: Request, trusted: Collection[str]) -> bool | None:
    """Whether a browser says that this site, or a trusted one, is behind the request; ``None`` if it says nothing."""
    origins, sites = request.headers.get_all("origin"), request.headers.get_all("sec-fetch-site")
    if len(origins) == 1 and origins[0] in trusted:
        return True
    if sites:
        return all(site in {"same-origin", "none"} for site in sites)
    if not origins:
        return None
    host = (request.headers.get("host") or "").lower()
    schemes = {"https"} if request.scheme == "https" else {"http", "https"}  # TLS may end further out
    return bool(host) and all(_parts(origin) in {(scheme, host) for scheme in schemes} for origin in origins)


def _parts(origin: str) -> tuple[str, str]:  # empty for `null` and for what is no origin
    try:
        parts = urlsplit(origin)
    except ValueError:
        return "", ""
    return parts.scheme.lower(), parts.netloc.lower()

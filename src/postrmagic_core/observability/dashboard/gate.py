"""Who may look, and who may act: the identity's permission, or the token of observability, or nobody."""

from __future__ import annotations

import base64
import binascii
import hmac
import logging
from collections.abc import Callable
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from ...errors import UnknownPermission
from ...middleware.interface import Request
from .interface import Watched

_log = logging.getLogger("postrmagic_core.observability")

READ = "observability:read"
"""The permission to look."""
ACT = "observability:act"
"""The permission to do what the pages' buttons do."""

Allows: TypeAlias = Callable[[Request], str | None]

CHALLENGE = 'Basic realm="dashboard", charset="UTF-8"'
_SAFE = frozenset({"GET", "HEAD"})
_SHORTEST = 16
_NAMED = 100  # characters of a user's name that are shown


class Gate:
    """Says who asks, if they may; ``allows`` decides in place of the Stack's own rules, on the event loop."""

    def __init__(self, stack: Watched, allows: Allows | None) -> None:
        self._stack = stack
        self._allows = allows
        token = stack.settings.observability.token
        secret = b"" if token is None else token.get_secret_value().encode()
        self._token = secret if len(secret) >= _SHORTEST else b""

    def user(self, request: Request) -> str | None:
        """The name of who asks, as it is shown and noted; ``None`` for who may not do that."""
        if self._allows is not None:
            name = self._allows(request)
            return None if name is None else name[:_NAMED]
        who = _identity(request)
        if who is None:
            return self._by_token(request)
        try:
            allowed = self._stack.security.access.check(who, _needed(request))
        except UnknownPermission:  # the application lists its permissions, and not this one: nobody has it
            return None
        return str(who.id)[:_NAMED] if allowed else None

    def note(self, request: Request) -> None:
        """Note that somebody was refused, if it is known who: may wait for the database."""
        who = _identity(request)
        if self._allows is None and who is not None:
            self._stack.security.access.refuse(who, _needed(request), why="dashboard")

    def status(self, request: Request) -> int:
        """What refuses who may not: 401 where a token could help, else 403."""
        own = self._allows is None and _identity(request) is None
        return 401 if own and self._token else 403

    def _by_token(self, request: Request) -> str | None:
        scheme, _, given = (request.headers.get("authorization") or "").partition(" ")
        name, secret = "token", given.strip()
        if scheme.lower() == "basic":
            name, secret = _basic(secret)
        elif scheme.lower() != "bearer":
            return None
        right = hmac.compare_digest(secret.encode("utf-8", "replace"), self._token)
        if right and self._token:
            return name[:_NAMED] or "token"
        _log.warning("a token for the dashboard was wrong", extra={"client": request.client})
        return None


def _needed(request: Request) -> str:
    return READ if request.method in _SAFE else ACT


def _identity(request: Request) -> Any:
    state = request.scope.get("state")
    return None if state is None else state.get("identity")


def _basic(given: str) -> tuple[str, str]:
    """User and password (RFC 7617)."""
    try:
        text = base64.b64decode(given, validate=True).decode()
    except (binascii.Error, ValueError):
        return "", ""
    name, _, secret = text.partition(":")
    return name, secret


def is_own(request: Request) -> bool:
    """Whether a browser says that a page of this very origin sent it: by ``Sec-Fetch-Site``, else by ``Origin``.

    What says neither is refused: every browser says one of them with a form, and no other program has to press buttons.
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin, host = request.headers.get("origin"), request.headers.get("host")
    if not origin or not host:
        return False
    try:
        parts = urlsplit(origin)
    except ValueError:  # it is no origin
        return False
    return parts.scheme in ("http", "https") and parts.netloc.lower() == host.lower()

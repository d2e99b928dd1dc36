"""What an action has done, told once on the page that follows it: a sealed cookie of one minute."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from typing import NamedTuple

from ..._crypto import KeyRing
from ...errors import ConfigurationError, SealBroken

NAME = "postrmagic-dashboard"
_PURPOSE = "dashboard-message"
_MOST = 500  # characters: of four bytes each, sealed and encoded, they fit in the 4096 bytes of a cookie
_AGE = 60  # seconds


class Told(NamedTuple):
    """A sentence; ``good``: it was done."""

    text: str
    good: bool


def keep(keys: KeyRing, told: Told, user: str, path: str, *, secure: bool) -> str:
    """The header's value that keeps it for the next page; an empty text where there are no keys to seal it with."""
    try:
        body = json.dumps([told.text[:_MOST], told.good], ensure_ascii=False).encode("utf-8", "replace")
        sealed = urlsafe_b64encode(keys.seal(body, purpose=_PURPOSE, context=user.encode())).decode()
    except ConfigurationError:
        return ""
    return _cookie(sealed, path, _AGE, secure=secure)


def read(keys: KeyRing, value: str, user: str) -> Told | None:
    """What was kept for this user; nothing that somebody else wrote."""
    try:
        body = keys.open(urlsafe_b64decode(value), purpose=_PURPOSE, context=user.encode())
        text, good = json.loads(body)
    except (SealBroken, ConfigurationError, Error, ValueError):
        return None
    return Told(str(text), good is True)


def forget(path: str, *, secure: bool) -> str:
    """The header's value that drops it once it was shown."""
    return _cookie("", path, 0, secure=secure)


def _cookie(value: str, path: str, age: int, *, secure: bool) -> str:
    told = f"{NAME}={value}; Path={path}; Max-Age={age}; HttpOnly; SameSite=Strict"
    return f"{told}; Secure" if secure else told

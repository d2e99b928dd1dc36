"""The id of a session: what a client's cookie says, and whether this package wrote it."""

from __future__ import annotations

import base64
import re
from typing import NamedTuple

# 12 bytes that name the user, 256 random bits that name the session, which issue of its id this is, and a signature of
# these: 63 bytes, so that its 84 characters of base64url have no spare bits and one id has one spelling.
PREFIX, FAMILY, _SERIAL, TAG = 12, 32, 3, 16
_BODY = PREFIX + FAMILY + _SERIAL
LENGTH = 84
_COOKIE = re.compile(rf"[A-Za-z0-9_-]{{{LENGTH}}}", re.ASCII)

LAST_SERIAL = 2 ** (8 * _SERIAL) - 1


class Id(NamedTuple):
    """One issue of a session's id: ``serial`` grows at each renewal, ``name`` stays."""

    prefix: bytes
    family: bytes
    serial: int

    def __repr__(self) -> str:
        return "Id(…)"

    @property
    def name(self) -> bytes:
        """What names the session, whatever the issue."""
        return self.prefix + self.family

    def issue(self, serial: int) -> Id:
        """The id of the same session with another serial."""
        return self._replace(serial=serial)


def body(session_id: Id) -> bytes:
    """The bytes that are signed."""
    return session_id.name + session_id.serial.to_bytes(_SERIAL, "big")


def write(session_id: Id, tag: bytes) -> str:
    """The cookie's value."""
    return base64.urlsafe_b64encode(body(session_id) + tag).decode()


def read(cookie: str | None) -> tuple[Id, bytes] | None:
    """The id and its signature, yet to be verified; ``None`` for what cannot be ours."""
    if cookie is None or not _COOKIE.fullmatch(cookie):
        return None
    raw = base64.urlsafe_b64decode(cookie)
    serial = int.from_bytes(raw[PREFIX + FAMILY : _BODY], "big")
    return Id(raw[:PREFIX], raw[PREFIX : PREFIX + FAMILY], serial), raw[_BODY:]

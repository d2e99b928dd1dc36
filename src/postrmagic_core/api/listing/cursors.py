"""Cursors: the position behind a page's last row as a text that only this application can have made.

Layout, as base64url without padding (RFC 4648, section 5): version (1 byte) | MAC (16) | position. The MAC is
HMAC-SHA256 (RFC 2104, cut to its first 128 bits as section 5 allows) over the version, the list's identity and the
position. It is checked before anything else is read, so that no answer tells a forged position from any other text.

A cursor is no secret. Whoever has one can read the values of the sort keys at its position, which were the last row's.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Sequence
from typing import Any

from ..._codec import decode, encode
from ..._crypto import KeyRing
from ...errors import EncodeError, ValidationFailed
from .policy import refused

LONGEST_POSITION = 1_024
"""Bytes of a position, encoded."""
_VERSION = b"\x01"
_MAC = 16
_HEAD = len(_VERSION) + _MAC
LONGEST = -(-(_HEAD + LONGEST_POSITION) * 4 // 3)
"""Characters of a cursor."""
_PURPOSE = "api.cursor"


def cursor_of(position: Sequence[Any], identity: bytes, keys: KeyRing) -> str:
    """The cursor of ``position`` in the list of this ``identity``; :class:`EncodeError` for more than 1 KB of it."""
    encoded = encode(list(position))
    if len(encoded) > LONGEST_POSITION:
        raise EncodeError(
            f"expected sort keys of at most {LONGEST_POSITION} bytes together, got {len(encoded)}: a text is longer "
            "than its column declares; sort by its beginning, see not_null()"
        )
    mac = keys.mac(_message(identity, encoded), purpose=_PURPOSE)[:_MAC]
    return _text(_VERSION + mac + encoded)


def position_of(cursor: str, identity: bytes, keys: KeyRing) -> list[Any]:
    """The position that :func:`cursor_of` was given, under any key of the ring.

    :class:`ValidationFailed` for everything else, with one text whatever the reason: not ours, changed, of another
    list, subject, order or filter.
    """
    raw = _bytes(cursor)
    encoded = raw[_HEAD:]
    if raw[:1] != _VERSION or not _authentic(raw[1:_HEAD], _message(identity, encoded), keys):
        raise invalid_cursor()
    position: list[Any] = decode(encoded)
    return position


def invalid_cursor() -> ValidationFailed:
    """What is said of every cursor that is not accepted."""
    message = "expected the cursor of an earlier page of this list, with the same sort and filters"
    return refused("/after", "cursor.invalid", message)


def _authentic(mac: bytes, message: bytes, keys: KeyRing) -> bool:
    found = False
    for own in keys.macs(message, purpose=_PURPOSE):  # every one, so that the time does not tell which fits
        found |= hmac.compare_digest(mac, own[:_MAC])
    return found


def _message(identity: bytes, encoded: bytes) -> bytes:
    return _VERSION + identity + encoded


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _bytes(cursor: str) -> bytes:
    """The bytes of a cursor in its one spelling; none for any other text."""
    if len(cursor) > LONGEST or not cursor.isascii():
        return b""
    try:
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    except binascii.Error:
        return b""
    return raw if _text(raw) == cursor else b""

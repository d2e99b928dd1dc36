"""Identifiers: UUIDv7 for what may be guessed and should sort by time, tokens for what must never be guessed."""

from __future__ import annotations

import secrets
import time
from uuid import UUID


def uuid7(now_us: int | None = None) -> UUID:
    """A UUID that sorts by creation time (RFC 9562, section 5.7), to the microsecond.

    48 bits of milliseconds, 12 bits that divide the millisecond (section 6.2, method 3), 62 random bits. ``now_us`` is
    wall time in microseconds; left out, the machine's clock. Not a secret: use :func:`token` for those.
    """
    milliseconds, rest = divmod(time.time_ns() // 1000 if now_us is None else now_us, 1000)
    value = (milliseconds & 0xFFFF_FFFF_FFFF) << 80
    value |= 0x7 << 76 | (rest * 4096 // 1000) << 64
    value |= 0b10 << 62 | secrets.randbits(62)
    return UUID(int=value)


def token(size: int = 32) -> str:
    """``size`` random bytes from the operating system, as URL-safe base64 without padding (OWASP ASVS 11.5.1)."""
    if size < 16:
        raise ValueError(f"a token needs at least 16 bytes (128 bits) to be unguessable, got {size}")
    return secrets.token_urlsafe(size)

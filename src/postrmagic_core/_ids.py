"""Identifiers: UUIDv7 for what may be guessed and should sort by time, tokens for what must never be guessed."""

from __future__ import annotations

import random
import secrets
import threading
import time
from functools import lru_cache
from itertools import count
from uuid import UUID

from ._lifecycle import after_fork


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


def uuid7_text() -> str:
    """:func:`uuid7` of now as text, in a third of the time; its random bits can be guessed by who has seen many."""
    milliseconds, rest = divmod(time.time_ns() // 1000, 1000)
    bits = random.getrandbits(62)  # nosec B311 # names a request: no secret
    return f"{_millisecond(milliseconds)}{_PARTS[rest]}-{0x8000 | bits >> 48:04x}-{bits & 0xFFFF_FFFF_FFFF:012x}"


class Ids:
    """:func:`uuid7` as text in a third of the time; those of one process and microsecond sort as they were made.

    The last 60 bits are 12 random ones of the process and a counter that begins anywhere (section 6.2, method 1).
    ``lock`` is for whoever makes one only when it is wanted.
    """

    def __init__(self) -> None:
        self._anew()
        after_fork(self._anew)

    def text(self, now_us: int) -> str:
        """Another one, of an instant in microseconds since the epoch."""
        milliseconds, rest = divmod(now_us, 1000)
        return f"{_millisecond(milliseconds)}{_PARTS[rest]}{self._process}{next(self._numbers):x}"

    def _anew(self) -> None:
        self.lock = threading.Lock()
        self._process = f"-8{secrets.randbits(12):03x}-"
        self._numbers = count(secrets.randbits(46) + (1 << 44))  # always 12 digits


_PARTS = tuple(f"{rest * 4096 // 1000:03x}" for rest in range(1000))


@lru_cache(maxsize=4)
def _millisecond(milliseconds: int) -> str:
    return f"{milliseconds >> 16 & 0xFFFF_FFFF:08x}-{milliseconds & 0xFFFF:04x}-7"


def token(size: int = 32) -> str:
    """``size`` random bytes from the operating system, as URL-safe base64 without padding (OWASP ASVS 11.5.1)."""
    if size < 16:
        raise ValueError(f"a token needs at least 16 bytes (128 bits) to be unguessable, got {size}")
    return secrets.token_urlsafe(size)

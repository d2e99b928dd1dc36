"""Ids, records and merging: what a session is, decided without a store, a clock or chance."""

from __future__ import annotations

import base64
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from .._codec import decode, encode
from ..errors import DecodeError

# 12 bytes that name the user and 32 random ones (OWASP ASVS 5.0 7.2.3 asks for 16): 59 characters of base64url.
PREFIX = 12
SECRET = 32
_COOKIE = re.compile(r"[A-Za-z0-9_-]{59}", re.ASCII)

_VERSION = 1


@dataclass(frozen=True, slots=True)
class Record:
    """What is sealed in a row.

    ``generation`` is the user's when they logged in. ``ends_us`` is the absolute end by the store's clock,
    ``touched_us`` the last write by the writer's. ``fields`` are the data, each encoded by itself, so that two requests
    that changed different ones are merged without reading either.
    """

    user_id: str | None
    generation: int
    ends_us: int
    touched_us: int
    fields: Mapping[str, bytes]

    def merged(self, changes: Changes, now_us: int) -> Record:
        """This record with ``changes`` made, touched now."""
        kept = {name: value for name, value in self.fields.items() if name not in changes.removed}
        return replace(self, fields={**kept, **changes.changed}, touched_us=now_us)


@dataclass(frozen=True, slots=True)
class Changes:
    """The fields one request gave another value, and those it took away."""

    changed: Mapping[str, bytes]
    removed: Collection[str]

    def __bool__(self) -> bool:
        return bool(self.changed or self.removed)


def difference(before: Mapping[str, bytes], after: Mapping[str, bytes]) -> Changes:
    """What makes ``after`` out of ``before``."""
    changed = {name: value for name, value in after.items() if before.get(name) != value}
    return Changes(changed, before.keys() - after.keys())


def read_id(cookie: str | None) -> bytes | None:
    """The 44 bytes of an id as this package writes it, or ``None`` for whatever else a client sends."""
    if cookie is None or not _COOKIE.fullmatch(cookie):
        return None
    raw = base64.urlsafe_b64decode(cookie + "=")
    return raw if write_id(raw) == cookie else None


def write_id(raw: bytes) -> str:
    """The cookie value of an id."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def pack(record: Record) -> bytes:
    """The bytes of ``record``, to be sealed."""
    fields = dict(record.fields)
    return encode([_VERSION, record.user_id, record.generation, record.ends_us, record.touched_us, fields])


def unpack(data: bytes) -> Record:
    """The record in ``data``; anything that :func:`pack` did not write raises :class:`DecodeError`."""
    match decode(data):
        case [1, str() | None as user_id, int() as generation, int() as ends, int() as touched, dict() as fields]:
            return Record(user_id, generation, ends, touched, fields)
    raise DecodeError("the session is not of this version")


def touch_due(touched_us: int, now_us: int, interval: float) -> bool:
    """Whether a request that changed nothing should prolong the session.

    A time in the future was written by a host whose clock is ahead: prolong, lest the session ends though it is used.
    """
    return not 0 <= now_us - touched_us < interval * 1e6

"""A user's list of sessions: what it holds, and what is shown of it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from .._clock import from_us
from .._codec import decode, encode
from ..errors import DecodeError
from .policy import Record

_ID = 12  # bytes


@dataclass(frozen=True, slots=True)
class Entry:
    """A session in its user's list: its row's key, and when it ends in any case (the store's clock)."""

    row: bytes
    ends_us: int


@dataclass(frozen=True, slots=True)
class Device:
    """One of a user's sessions, to be shown to them.

    ``id`` names it to :meth:`SessionStore.revoke` and opens nothing. ``agent`` is the browser's and system's name,
    ``network`` the network it was last used from, ``last_seen_at`` up to ``touch_interval`` old.
    """

    id: str
    created_at: datetime
    last_seen_at: datetime
    agent: str | None
    network: str | None
    is_current: bool


def device_id(row: bytes) -> str:
    """The public name of a row: 16 characters that say neither its key nor its cookie."""
    return base64.urlsafe_b64encode(hashlib.sha256(row).digest()[:_ID]).decode()


def device(row: bytes, record: Record, current: bytes | None) -> Device:
    """What is shown of a row."""
    created_at, last_seen_at = from_us(record.began_us), from_us(record.touched_us)
    return Device(device_id(row), created_at, last_seen_at, record.agent, record.network, row == current)


def pack(entries: Iterable[Entry]) -> bytes:
    """The bytes of a list, to be sealed."""
    return encode([1, [[entry.row, entry.ends_us] for entry in entries]])


def unpack(data: bytes) -> list[Entry]:
    """The list in ``data``; :class:`DecodeError` for what :func:`pack` did not write."""
    match decode(data):
        case [1, list() as rows] if all(_is_entry(row) for row in rows):
            return [Entry(row, ends) for row, ends in rows]
    raise DecodeError("the list of sessions is not of this version")


def _is_entry(row: object) -> bool:
    match row:
        case [bytes(), int()]:
            return True
    return False

"""What a file holds, and what its errors mean: pure functions."""

from __future__ import annotations

import errno
import struct
from collections.abc import Iterator, Mapping
from hashlib import blake2b

from postrmagic_core.errors import BackendReadOnly, BackendRejected, BackendUnavailable, OutcomeUnknown, OutOfSpace
from postrmagic_core.stores.locked import Entry

# What it is, when it ends (milliseconds since the epoch; -1: it stays), how long its key is.
_HEAD = struct.Struct(">cqB")
_KEPT, _GONE = b"=", b"-"
_CHECKSUM = 16


def pack(key: bytes, entry: Entry | None) -> bytes:
    """The bytes of a record: checksum (16) | head | key | value; ``None``: the key is gone."""
    if entry is None:
        return _sealed(_HEAD.pack(_GONE, -1, len(key)) + key)
    ends_ms = -1 if entry.ends_ms is None else entry.ends_ms
    return _sealed(_HEAD.pack(_KEPT, ends_ms, len(key)) + key + entry.value)


def unpack(data: bytes) -> tuple[bytes, Entry | None] | None:
    """Key and entry of a record; ``None`` for anything but what :func:`pack` wrote, to the last bit."""
    body = _opened(data)
    if body is None or len(body) < _HEAD.size:
        return None
    kind, ends_ms, length = _HEAD.unpack_from(body)
    key, value = body[_HEAD.size : _HEAD.size + length], body[_HEAD.size + length :]
    return key, Entry(value, None if ends_ms < 0 else ends_ms) if kind == _KEPT else None


def pack_all(changes: Mapping[bytes, Entry | None]) -> bytes:
    """Several records as one, sealed as a whole."""
    records = [pack(key, entry) for key, entry in changes.items()]
    return _sealed(b"".join(len(record).to_bytes(4, "big") + record for record in records))


def unpack_all(data: bytes) -> Iterator[tuple[bytes, Entry | None]]:
    """The records that :func:`pack_all` put together; none of them from damaged bytes."""
    body, at = _opened(data) or b"", 0
    while at < len(body):
        start, at = at + 4, at + 4 + int.from_bytes(body[at : at + 4], "big")
        record = unpack(body[start:at])
        if record is not None:
            yield record


def pack_time(start: str, anchor_us: int) -> bytes:
    """What the time was at the machine's ``start``."""
    return _sealed(f"{start} {anchor_us}".encode())


def unpack_time(data: bytes, start: str) -> int | None:
    """What :func:`pack_time` noted; ``None`` for another start's, or anything else."""
    noted, _, anchor_us = (_opened(data) or b"").decode(errors="replace").partition(" ")
    return int(anchor_us) if noted == start else None


def refused(error: BaseException) -> OutOfSpace | BackendReadOnly | BackendRejected | BackendUnavailable | None:
    """Our error for an operating system's, where nothing was changed; by number, never by its words."""
    if not isinstance(error, OSError):
        return None
    if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
        return OutOfSpace("there is no room for the store's files")
    if error.errno == errno.EROFS:
        return BackendReadOnly("the store's directory takes no writes")
    if error.errno in {errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EEXIST}:
        return BackendRejected("the store's directory may not be used by this process")
    return BackendUnavailable("the store's directory cannot be used; nothing was changed")


def unknown(error: BaseException) -> OutcomeUnknown | None:
    """POSIX: rename() that fails has changed nothing, unless the disk itself failed."""
    if isinstance(error, OSError) and error.errno == errno.EIO:
        return OutcomeUnknown("the disk failed while a file was put in its place")
    return None


def _sealed(body: bytes) -> bytes:
    return blake2b(body, digest_size=_CHECKSUM).digest() + body


def _opened(data: bytes) -> bytes | None:
    body = data[_CHECKSUM:]
    return body if data == _sealed(body) else None

"""The bytes of a backup's file: header, chunks and trailer, and how one chunk is compressed and sealed.

::

    header   magic "PMBACKUP" (8 bytes) | version (1) | id (16, random) | key id (4)
    chunk    length of what follows the flags (4) | flags (1) | sealed (see postrmagic_core._crypto)
    …        data chunks, numbered from 0; then index chunks, numbered from 0, the last of them flagged so
    trailer  where the first index chunk begins (8)

Numbers are big-endian. A chunk is sealed with the header, its number and its flags as context: none can be changed,
moved, repeated or taken from another backup. The plain text of the data chunks is all entries, one after another, cut
every :data:`PIECE` bytes; so entry and byte say which chunk, and only the last may be shorter.
"""

from __future__ import annotations

import secrets
import zlib
from dataclasses import dataclass
from typing import Final

from ..._crypto import KeyRing
from ...errors import SealBroken

PIECE: Final = 1 << 20
"""Bytes of plain text in a chunk, at most."""
MAGIC: Final = b"PMBACKUP"
VERSION: Final = 1
HEADER: Final = len(MAGIC) + 1 + 16 + 4
"""Bytes of the header."""
HEAD: Final = 4 + 1
"""Bytes in front of a chunk's seal."""
SEAL: Final = 1 + 4 + 12 + 16
"""Bytes that a seal adds."""
TRAILER: Final = 8
"""Bytes of the trailer."""

COMPRESSED: Final = 1
INDEX: Final = 2
LAST: Final = 4

_KNOWN: Final = COMPRESSED | INDEX | LAST
_PURPOSE: Final = "backup"


class Broken(ValueError):
    """Bytes that are not what was written; who catches it knows where they stand."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a backup begins with: its id, and the id of the key that seals it."""

    id: bytes
    key_id: bytes

    @classmethod
    def new(cls, keys: KeyRing) -> Header:
        """One for a new backup, sealed with the first of ``keys``."""
        return cls(secrets.token_bytes(16), keys.key_id)

    @classmethod
    def read(cls, data: bytes) -> Header:
        """What :attr:`packed` gave; :class:`Broken` where it is not that."""
        if len(data) < HEADER or not data.startswith(MAGIC):
            raise Broken(f"it does not begin as a backup does, with {MAGIC.decode()}")
        if data[8] != VERSION:
            raise Broken(f"its format is {data[8]}, and this release reads {VERSION}")
        return cls(data[9:25], data[25:HEADER])

    @property
    def packed(self) -> bytes:
        """Its bytes."""
        return MAGIC + bytes([VERSION]) + self.id + self.key_id

    def context(self, number: int, flags: int) -> bytes:
        """What a chunk is bound to."""
        return self.packed + number.to_bytes(8, "big") + bytes([flags])


def sealed(keys: KeyRing, header: Header, number: int, plain: bytes, *, flags: int = 0, tried: bool = True) -> bytes:
    """The chunk of ``plain``, with its head; compressed where it was ``tried`` and saves a sixteenth or more.

    Less is not worth the time that it takes to read it.
    """
    if tried:
        smaller = zlib.compress(plain, 1)
        if len(smaller) <= len(plain) - len(plain) // 16 - 1:
            plain, flags = smaller, flags | COMPRESSED
    seal = keys.seal(plain, purpose=_PURPOSE, context=header.context(number, flags))
    return len(seal).to_bytes(4, "big") + bytes([flags]) + seal


def measured(head: bytes) -> tuple[int, int]:
    """The bytes of the seal that follows ``head``, and the chunk's flags; :class:`Broken` where no chunk has such."""
    size = int.from_bytes(head[:4], "big")
    if len(head) < HEAD or not SEAL <= size <= SEAL + PIECE or head[4] & ~_KNOWN:
        raise Broken("no chunk begins here")
    return size, head[4]


def opened(keys: KeyRing, header: Header, number: int, chunk: bytes) -> bytes:
    """The plain text of ``chunk``, which has its head, at most :data:`PIECE` bytes; else :class:`Broken`."""
    size, flags = measured(chunk[:HEAD])
    if len(chunk) != HEAD + size:
        raise Broken("the file ends within a chunk")
    if key_id_of(chunk) != header.key_id:
        raise Broken("a chunk is sealed with another key than the header says")
    try:
        plain = keys.open(chunk[HEAD:], purpose=_PURPOSE, context=header.context(number, flags))
    except SealBroken:
        raise Broken("the seal of a chunk does not open") from None
    return _inflated(plain) if flags & COMPRESSED else plain


def key_id_of(chunk: bytes) -> bytes:
    """The id of the key that sealed ``chunk``, as the seal itself says."""
    return chunk[HEAD + 1 : HEAD + 5]


def _inflated(data: bytes) -> bytes:
    inflater = zlib.decompressobj()
    try:
        plain = inflater.decompress(data, PIECE + 1)
    except zlib.error:
        raise Broken("a chunk cannot be decompressed") from None
    if len(plain) > PIECE or not inflater.eof or inflater.unused_data:
        raise Broken("a chunk cannot be decompressed into what a chunk has")
    return plain


def refusal(name: str) -> str | None:
    """Why ``name`` cannot be an entry's: a path out of where it is restored to, or one that systems read in two ways.

    ``None`` where it can.
    """
    if "\0" in name or "\\" in name:
        return "there is a NUL or a backslash in it"
    parts = name.split("/")
    if not all(parts):
        return "it begins or ends with /, or a part of it is empty"
    if "." in parts or ".." in parts:
        return "there is a . or .. in it"
    try:
        name.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return "there is half a character in it"
    return None

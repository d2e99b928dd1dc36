"""Reads a backup's file: its index, any entry from where it begins, or every byte to see whether it is whole."""

from __future__ import annotations

import hashlib
from array import array
from bisect import bisect_right
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass

from ..._crypto import KeyRing
from ...errors import BackupDamaged, BackupKeyUnknown, BackupNotFound
from ..interface import Entry, Manifest, Report, Vault, unreported
from . import index
from .form import HEAD, HEADER, INDEX, LAST, PIECE, SEAL, TRAILER, Broken, Header, key_id_of, measured, opened
from .pipeline import in_order

_MANY = 3
"""Chunks from which on reading one after another is slower than starting threads."""


def open_archive(vault: Vault, name: str, keys: KeyRing) -> ArchiveReader:
    """The backup ``name`` of ``vault``; its header, trailer and index are read.

    :class:`BackupNotFound` where it is not there, :class:`BackupKeyUnknown` where it is sealed with a key that is not
    among ``keys``, :class:`BackupDamaged` where what was read is not what was written.
    """
    for stored in vault.list():
        if stored.name == name:
            return ArchiveReader(_File(vault, name, stored.size), keys)
    raise BackupNotFound(f"there is no backup {name!r}")


@dataclass(frozen=True, slots=True)
class _File:
    """A file of a vault, and how damage in it is told."""

    vault: Vault
    name: str
    size: int

    def read(self, begin: int, end: int) -> bytes:
        data = self.vault.read(self.name, begin, end - begin)
        if len(data) != end - begin:
            raise self.damaged(begin + len(data), f"{end - begin - len(data)} bytes are missing")
        return data

    def damaged(self, at: int, what: object, where: str = "") -> BackupDamaged:
        return BackupDamaged(f"backup {self.name} is damaged at byte {at:,}{where}: {what}")


@dataclass(frozen=True, slots=True)
class _Layout:
    """What the ends of a file say of the rest of it."""

    header: Header
    manifest: Manifest
    bounds: array[int]
    size: int


class ArchiveReader:
    """A backup to read from; it holds nothing open. Made by :func:`open_archive`.

    Threads may share it. Memory: the index, and some ten :data:`~.form.PIECE` for each entry that is being read.
    """

    def __init__(self, file: _File, keys: KeyRing) -> None:
        self._file = file
        self._keys = keys
        self._layout = self._ends()
        self._last: tuple[int, bytes] = (-1, b"")

    @property
    def manifest(self) -> Manifest:
        """What is in it."""
        return self._layout.manifest

    def blocks(self, entry: Entry, skip: int = 0) -> Iterator[bytes]:
        """The bytes of ``entry`` from ``skip`` on, in blocks of at most :data:`~.form.PIECE`.

        :class:`BackupDamaged` where they are not what was written: at the first chunk that is not, and at the end where
        the entry, read whole, has another SHA-256 than it had.
        """
        if skip < 0:
            raise ValueError(f"skip is {skip}: bytes to leave out, 0 or more")
        begin = entry.chunk * PIECE + entry.offset
        end, at = begin + entry.size, begin + skip
        if end > self._layout.size:
            raise self._file.damaged(self._file.size, f"there is no entry {entry.name!r} as the one that is asked for")
        digest = hashlib.sha256()
        for block in self._range(at, end):
            digest.update(block)
            yield block
        if skip == 0 and digest.hexdigest() != entry.sha256:
            raise self._mismatch(entry)

    def verify(self, report: Report = unreported) -> None:
        """Read every byte and see that it is what was written; ``report`` gets bytes of the file.

        :class:`BackupDamaged` names the first byte that is known not to be, and the entry that it belongs to.
        """
        if self._ends() != self._layout:
            raise self._file.damaged(0, "it is another one than it was when it was opened")
        bounds, total = self._layout.bounds, self._file.size
        number, rest = 0, memoryview(b"")
        with closing(self._pieces(range(len(bounds) - 1))) as pieces:
            for entry in self.manifest.entries:
                digest, left = hashlib.sha256(), entry.size
                while left:
                    if not rest:
                        report("verify", bounds[number], total)
                        rest = memoryview(next(pieces))
                        number += 1
                    digest.update(rest[:left])
                    done = min(left, len(rest))
                    rest, left = rest[done:], left - done
                if digest.hexdigest() != entry.sha256:
                    raise self._mismatch(entry)
        report("verify", total, total)

    def _range(self, begin: int, end: int) -> Iterator[bytes]:
        """The plain text of all entries from ``begin`` to ``end``."""
        if begin >= end:
            return
        numbers = range(begin // PIECE, (end - 1) // PIECE + 1)
        pieces = self._pieces(numbers) if len(numbers) >= _MANY else map(self._kept, numbers)
        for number, piece in zip(numbers, pieces, strict=True):
            block = piece[max(begin - number * PIECE, 0) : end - number * PIECE]
            if number == numbers[-1]:
                self._last = (number, piece)
            yield block

    def _pieces(self, numbers: range) -> Generator[bytes, None, None]:
        return in_order(self._piece, numbers)

    def _kept(self, number: int) -> bytes:
        """A piece, which small entries share with the ones after them."""
        kept, piece = self._last
        if kept != number:
            piece = self._piece(number)
            self._last = (number, piece)
        return piece

    def _piece(self, number: int) -> bytes:
        header, bounds = self._layout.header, self._layout.bounds
        begin, end = bounds[number], bounds[number + 1]
        wanted = min(PIECE, self._layout.size - number * PIECE)
        try:
            chunk = self._file.read(begin, end)
            if chunk[4] & (INDEX | LAST):
                raise Broken("a chunk of the index is among those of the data")
            piece = opened(self._keys, header, number, chunk)
            if len(piece) != wanted:
                raise Broken(f"a chunk has {len(piece)} bytes instead of {wanted}")
        except Broken as broken:
            raise self._file.damaged(begin, broken, self._within(number)) from None
        return piece

    def _within(self, number: int) -> str:
        """Which entry a chunk has bytes of, for a message."""
        entries = self.manifest.entries
        at = bisect_right(entries, (number, PIECE), key=lambda entry: (entry.chunk, entry.offset)) - 1
        first = bisect_right(entries, (number, 0), key=lambda entry: (entry.chunk, entry.offset)) - 1
        among = f" and {at - first} more" if at > first else ""
        return f", chunk {number}, of {entries[max(first, 0)].name!r}{among}"

    def _mismatch(self, entry: Entry) -> BackupDamaged:
        at = self._layout.bounds[min(entry.chunk, len(self._layout.bounds) - 1)]
        return self._file.damaged(at, "the entry is not what was read when it was written", f", in {entry.name!r}")

    def _ends(self) -> _Layout:
        """Header, trailer and index as they are now."""
        file = self._file
        header = self._begins()
        begin = int.from_bytes(file.read(file.size - TRAILER, file.size), "big")
        if not HEADER <= begin <= file.size - TRAILER - HEAD - SEAL:
            raise file.damaged(file.size - TRAILER, "the file does not end as a backup does: was it cut?")
        self._known(header, begin)
        told = self._told(header, begin)
        try:
            manifest, bounds = index.read(told)
            if bounds[-1] != begin:
                raise Broken("the index does not begin where the data end")
            if manifest.id != header.id.hex():
                raise Broken("the index is that of another backup")
        except Broken as broken:
            raise file.damaged(begin, broken, ", in the index") from None
        return _Layout(header, manifest, bounds, manifest.size)

    def _begins(self) -> Header:
        file = self._file
        if file.size < HEADER + HEAD + SEAL + TRAILER:
            raise file.damaged(file.size, "it is shorter than the shortest backup")
        try:
            return Header.read(file.read(0, HEADER))
        except Broken as broken:
            raise file.damaged(0, broken) from None

    def _known(self, header: Header, begin: int) -> None:
        """See that there is a key for it.

        Chunks tell in clear which key sealed them: where the first one, or the index, tells of another than the header
        does, one of them is damaged, and no key is missing.
        """
        if self._keys.knows(header.key_id):
            return
        for at in (HEADER, begin):
            if key_id_of(self._file.read(at, at + HEAD + SEAL)) != header.key_id:
                raise self._file.damaged(HEADER - 4, "the header names another key than the chunks do")
        raise BackupKeyUnknown(
            f"backup {self._file.name} is sealed with key {header.key_id.hex()}, which is not among backups.keys: "
            "add the key that was the first one when it was taken"
        )

    def _told(self, header: Header, begin: int) -> bytes:
        """The index, whose chunks are all that stands between ``begin`` and the trailer."""
        file, at, told, number, flags = self._file, begin, bytearray(), 0, INDEX
        end = file.size - TRAILER
        while not flags & LAST:
            try:
                size, flags = measured(file.read(at, min(at + HEAD, end)))
                if not flags & INDEX:
                    raise Broken("a chunk of the data is among those of the index")
                told += opened(self._keys, header, number, file.read(at, min(at + HEAD + size, end)))
            except Broken as broken:
                raise file.damaged(at, broken, ", in the index") from None
            at, number = at + HEAD + size, number + 1
        if at != end:
            raise file.damaged(at, f"{end - at} bytes follow the end of the index")
        return bytes(told)

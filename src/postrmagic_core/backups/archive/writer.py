"""Writes a backup's file: entries in, sealed chunks out, a few of them at work at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from types import TracebackType
from typing import Self

from ..._crypto import KeyRing
from ...errors import BackupFailed
from ..interface import Entry, Manifest, Sink
from .form import COMPRESSED, HEADER, INDEX, LAST, PIECE, TRAILER, Header, refusal, sealed
from .index import written
from .pipeline import Line

_SPARED = 32
"""Pieces after one that did not shrink for which nobody tries it: photographs come in crowds."""


class ArchiveWriter:
    """A backup on its way into ``sink``, sealed with the first of ``keys``.

    :meth:`add` each entry, then :meth:`finish`. After an error nothing more can be added: what is in the sink is no
    backup. One thread uses it, in which alone the sink is written to. As a context manager it ends its threads;
    without, they end with it. Memory: some ten :data:`~.form.PIECE`, whatever the entries' sizes, and the index.
    """

    def __init__(self, sink: Sink, keys: KeyRing) -> None:
        self._sink = sink
        self._keys = keys
        self._header = Header.new(keys)
        self._line: Line[bytes] = Line()
        self._piece = bytearray()
        self._entries: list[Entry] = []
        self._names: set[str] = set()
        self._size = 0
        self._cut = 0
        self._tried_from = 0
        self._ends: list[int] = []
        self._ended: str | None = None
        sink.write(self._header.packed)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._line.close()

    @property
    def id(self) -> str:
        """The backup's id, 32 hexadecimal digits; known from the start."""
        return self._header.id.hex()

    def add(self, name: str, blocks: Iterable[bytes]) -> Entry:
        """Append the entry ``name``, whose bytes are ``blocks``, of any sizes.

        :class:`BackupFailed` for a name that no entry may have, that is there already, or after an error. What
        ``blocks`` and the sink raise passes through.
        """
        self._usable()
        refused = refusal(name) or ("it is there twice" if name in self._names else None)
        if refused:
            raise BackupFailed(f"{name!r} cannot be in a backup: {refused}")
        self._ended = f"{name!r} was not added whole"
        begin, digest = self._size, hashlib.sha256()
        for block in blocks:
            digest.update(block)
            self._take(block)
        entry = Entry(name, self._size - begin, digest.hexdigest(), *divmod(begin, PIECE))
        self._entries.append(entry)
        self._names.add(name)
        self._ended = None
        return entry

    def finish(self, facts: Manifest) -> Manifest:
        """Write the index; ``facts`` with the id and the entries of this backup is what is in it.

        From here on the sink has a whole backup, once it is stored.
        """
        self._usable()
        self._ended = "it was not finished"
        if self._piece:
            self._seal()
        for chunk in self._line.rest():
            self._append(chunk)
        self._line.close()
        manifest = replace(facts, id=self.id, entries=tuple(self._entries))
        index = written(manifest, self._ends)
        begin = self._ends[-1] if self._ends else HEADER
        for number, at in enumerate(range(0, len(index), PIECE)):
            flags = INDEX | (LAST if at + PIECE >= len(index) else 0)
            self._sink.write(sealed(self._keys, self._header, number, index[at : at + PIECE], flags=flags))
        self._sink.write(begin.to_bytes(TRAILER, "big"))
        self._ended = "it is finished"
        return manifest

    def _usable(self) -> None:
        if self._ended is not None:
            raise BackupFailed(f"nothing more can be added to backup {self.id}: {self._ended}")

    def _take(self, block: bytes) -> None:
        left = memoryview(block).cast("B")
        self._size += len(left)
        while left:
            room = PIECE - len(self._piece)
            self._piece += left[:room]
            left = left[room:]
            if len(self._piece) == PIECE:
                self._seal()

    def _seal(self) -> None:
        tried = self._cut >= self._tried_from
        call = partial(sealed, self._keys, self._header, self._cut, bytes(self._piece), tried=tried)
        self._cut += 1
        self._piece.clear()
        for chunk in self._line.put(call):
            self._append(chunk)

    def _append(self, chunk: bytes) -> None:
        self._sink.write(chunk)
        number = len(self._ends)
        if not chunk[4] & COMPRESSED and number >= self._tried_from:
            self._tried_from = number + 1 + _SPARED
        self._ends.append((self._ends[-1] if self._ends else HEADER) + len(chunk))

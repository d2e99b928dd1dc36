"""A vault in memory, whose files tests change byte by byte, and archives in it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from io import BytesIO
from typing import Self

from postrmagic_core._crypto import KeyRing
from postrmagic_core.backups.archive import ArchiveReader, ArchiveWriter, open_archive
from postrmagic_core.backups.interface import DatabaseFacts, Manifest, Sink, Stored
from postrmagic_core.errors import BackupFailed, BackupNotFound

FACTS = Manifest(
    id="",
    taken_at=datetime(2026, 11, 29, 22, 31, 17, 5, UTC),
    service="shop",
    release="1.2.3",
    database=DatabaseFacts("sqlite", "3.50", {"orders": 3, "größe": 2**40}, {"alembic_version": ("a1", "b2")}, "pages"),
    directories=("media", "invoices"),
    entries=(),
    notes=("one file vanished",),
)


_NAME = re.compile(r"[a-z0-9][\w.-]{0,99}", re.ASCII)


class Shelf:
    """Backups in memory."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    @classmethod
    def from_url(cls, url: str) -> Self:
        """An empty one; ``url`` says nothing more."""
        return cls()

    def list(self) -> Sequence[Stored]:
        """What is there."""
        return [Stored(name, len(data)) for name, data in self.files.items()]

    @contextmanager
    def create(self, name: str) -> Iterator[Sink]:
        """Write a new file."""
        if not _NAME.fullmatch(name) or name in self.files:
            raise BackupFailed(f"{name} cannot be written")
        file = BytesIO()
        yield file
        if name in self.files:
            raise BackupFailed(f"{name} is there already")
        self.files[name] = file.getvalue()

    def read(self, name: str, offset: int, size: int) -> bytes:
        """Bytes of a file."""
        if name not in self.files:
            raise BackupNotFound(f"there is no backup {name!r}")
        return self.files[name][offset : offset + size]

    def remove(self, name: str) -> None:
        """Remove a file."""
        self.files.pop(name, None)

    def put(self, name: str, keys: KeyRing, entries: Mapping[str, bytes]) -> Manifest:
        """A backup of ``entries``."""
        with self.create(name) as sink, ArchiveWriter(sink, keys) as archive:
            for entry, data in entries.items():
                archive.add(entry, (data,))
            return archive.finish(FACTS)


def changed(data: bytes, keys: KeyRing) -> ArchiveReader:
    """The backup whose file is ``data``, read to its last byte."""
    shelf = Shelf()
    shelf.files["changed"] = data
    reader = open_archive(shelf, "changed", keys)
    reader.verify()
    return reader

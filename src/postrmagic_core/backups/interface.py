"""Value objects and Protocols of backups: where they are kept, what is in one, and what a database gives and takes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol, Self, TypeAlias, runtime_checkable

Report: TypeAlias = Callable[[str, int, int | None], None]
"""``report(what, done, total)``: how far the work is, in bytes or rows; ``total`` is ``None`` where nobody knows."""

DatabaseKind: TypeAlias = Literal["sqlite", "mysql", "mariadb"]


def unreported(what: str, done: int, total: int | None) -> None:
    """A :data:`Report` that tells nobody."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A backup in a vault, seen from outside: its name and its size in bytes."""

    name: str
    size: int


class Sink(Protocol):
    """What is being written to a vault."""

    def write(self, data: bytes, /) -> object:
        """Append ``data``."""


@runtime_checkable
class Vault(Protocol):
    """Where backups are kept: whole files by name, written once and never changed.

    Raises :class:`BackupNotFound` for a name that is not there and :class:`BackendError` for troubles of its own.
    """

    @classmethod
    def from_url(cls, url: str) -> Self:
        """The vault that ``url`` names; nothing is read or written yet."""
        ...

    def list(self) -> Sequence[Stored]:
        """What is there, whole, in any order."""
        ...

    def create(self, name: str) -> AbstractContextManager[Sink]:
        """Write a new file: it is there, durably, when the block has ended without an error, and else never was.

        What an earlier process left unfinished when it was killed is removed.
        """
        ...

    def read(self, name: str, offset: int, size: int) -> bytes:
        """``size`` bytes from ``offset`` on, fewer only where the file ends."""
        ...

    def remove(self, name: str) -> None:
        """Remove a file; one that is not there is no error."""
        ...


@dataclass(frozen=True, slots=True)
class Entry:
    """A file within a backup, and where it begins: ``offset`` bytes into the plain text of chunk ``chunk``.

    Names are ``database/…`` and ``files/<directory>/<path>``, with ``/`` between their parts.
    """

    name: str
    size: int
    sha256: str
    chunk: int
    offset: int


@dataclass(frozen=True, slots=True)
class DatabaseFacts:
    """What a database was when it was read: its kind and version, its tables with their rows, and its revisions.

    ``revisions`` maps the tables of Alembic's versions to the heads there. ``how`` says by what it was read.
    """

    kind: DatabaseKind
    server: str
    tables: Mapping[str, int]
    revisions: Mapping[str, Sequence[str]] = field(default_factory=dict)
    how: str = ""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What is in a backup. ``taken_at`` is the moment whose state it holds (UTC); ``notes`` are for people."""

    id: str
    taken_at: datetime
    service: str
    release: str
    database: DatabaseFacts
    directories: Sequence[str]
    entries: Sequence[Entry]
    notes: Sequence[str] = ()

    @property
    def size(self) -> int:
        """Bytes of all entries, before compression."""
        return sum(entry.size for entry in self.entries)

    def of_database(self) -> list[Entry]:
        """The entries that are the database, in the order in which they are restored."""
        return [entry for entry in self.entries if entry.name.startswith("database/")]

    def of_directory(self, name: str) -> list[Entry]:
        """The entries that are files of the directory ``name``."""
        return [entry for entry in self.entries if entry.name.startswith(f"files/{name}/")]


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a database on its way into a backup: an entry's name and its bytes, to be read once."""

    name: str
    blocks: Iterable[bytes]


class Snapshot(Protocol):
    """A database as of one moment, readable as long as it is held."""

    @property
    def facts(self) -> DatabaseFacts:
        """What it is; complete once :meth:`parts` were read."""
        ...

    def parts(self) -> Iterator[Part]:
        """All of it, in the order in which it is restored. Each part is read before the next is asked for."""
        ...


@runtime_checkable
class Noting(Protocol):
    """A snapshot that has something to tell those who will restore it."""

    @property
    def notes(self) -> Sequence[str]:
        """Sentences for people, complete once the parts were read."""
        ...


@dataclass(frozen=True, slots=True)
class Standing:
    """What a restore finds where it is to put a database.

    ``tables`` with their rows are what would be replaced, ``users`` how many others are connected now, ``begun`` the id
    of the backup of which a restore was begun there and not ended. ``unreadable``: there is something whose tables
    nobody can count.
    """

    tables: Mapping[str, int]
    users: int = 0
    begun: str | None = None
    unreadable: bool = False


class Archive(Protocol):
    """A backup to read from."""

    @property
    def manifest(self) -> Manifest:
        """What is in it."""
        ...

    def blocks(self, entry: Entry, skip: int = 0) -> Iterator[bytes]:
        """The bytes of ``entry`` from ``skip`` on; :class:`BackupDamaged` where they are not what was written."""
        ...


class Target(Protocol):
    """A database to restore into."""

    def look(self, manifest: Manifest) -> Standing:
        """What is there. :class:`RestoreRefused` where this backup cannot be restored there, and why."""
        ...

    def examine(self, archive: Archive, report: Report) -> None:
        """Find out before anything is changed what would stop :meth:`restore` half-way, as far as that can be told.

        Raises :class:`BackupDamaged`, and :class:`RestoreRefused` for what this database cannot take.
        """
        ...

    def restore(self, archive: Archive, report: Report) -> None:
        """Make the database what the backup says, and nothing else.

        However it ends: called again with the same archive it goes on, and the result is the same. What stood there
        is kept where it can be; the docstring of each target says so.
        """
        ...

    def counted(self) -> Mapping[str, int]:
        """The tables there, with their rows, counted now."""
        ...

    def faults(self) -> list[str]:
        """What the database itself finds wrong with it: pages, keys, foreign keys."""
        ...

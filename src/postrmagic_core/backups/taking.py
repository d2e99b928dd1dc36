"""Takes a backup: the hold, then the database as of one moment, then the files, then the index."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from .._clock import Clock, from_us
from .._crypto import KeyRing
from ..errors import BackupFailed
from ..registry import scheme_of
from .archive.writer import ArchiveWriter
from .dumps import open_snapshot
from .dumps.sqlite import path_from
from .files import listed, reading
from .holding import Hold
from .interface import DatabaseFacts, Manifest, Noting, Part, Report, Sink, Vault
from .policy import name_of
from .terms import BackupTerms
from .tree import Tree


@dataclass(frozen=True, slots=True)
class Taken:
    """A backup that was taken. ``size`` is that of its file, in bytes; ``warnings`` are what somebody should see to."""

    name: str
    size: int
    seconds: float
    manifest: Manifest
    warnings: Sequence[str] = ()

    @property
    def id(self) -> str:
        """The backup's id, 32 hexadecimal digits."""
        return self.manifest.id

    @property
    def taken_at(self) -> datetime:
        """The moment whose state it holds (UTC)."""
        return self.manifest.taken_at


@dataclass(frozen=True, slots=True)
class Means:
    """What backups are taken with."""

    terms: BackupTerms
    vault: Vault
    keys: KeyRing
    clock: Clock


def take(means: Means, hold: Hold, directories: Mapping[str, Path], report: Report, notes: Sequence[str] = ()) -> Taken:
    """Take a backup while ``hold`` is good, of the terms' database and of ``directories``; ``notes`` are kept in it.

    Raises :class:`BackupFailed`, or what the database, the disk or the vault raise; then no file of it stays.
    """
    terms, clock = means.terms, means.clock
    began = clock.monotonic()
    _make(terms.workspace)
    for called, directory in directories.items():
        _refuse_inner(terms, called, directory)
    taken_at = from_us(clock.now_us())
    name = name_of(taken_at, secrets.token_hex(2))
    warnings = _warnings(terms)
    # The vault's file comes first: one that is away, or full, is found out before the database is read.
    with means.vault.create(name) as file, ArchiveWriter(sink := _Counting(file), means.keys) as archive:
        on_the_way = _OnTheWay(archive, means, hold, report)
        with open_snapshot(terms.database_url, how=terms.how, workspace=terms.workspace, report=report) as snapshot:
            for part in snapshot.parts():
                on_the_way.add_part(part)
            facts = snapshot.facts
            if isinstance(snapshot, Noting):
                warnings += snapshot.notes
        for called, directory in directories.items():
            on_the_way.add_directory(called, directory)
        warnings += on_the_way.left_out
        said = _manifest(terms, taken_at, facts, tuple(directories), (*notes, *warnings))
        manifest = archive.finish(said)
        # Before the file has its name: one that may lack files must not be taken for a backup.
        hold.confirm()
    return Taken(name, sink.size, clock.monotonic() - began, manifest, warnings)


class _Counting:
    """A sink that knows how much it was given."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self.size = 0

    def write(self, data: bytes, /) -> None:
        """See :class:`Sink`."""
        self._sink.write(data)
        self.size += len(data)


class _OnTheWay:
    """A backup that is being written."""

    def __init__(self, archive: ArchiveWriter, means: Means, hold: Hold, report: Report) -> None:
        self._archive = archive
        self._means = means
        self._hold = hold
        self._report = report
        self._read = 0
        self.left_out: list[str] = []

    def add_part(self, part: Part) -> None:
        """A piece of the database."""
        self._read += self._archive.add(part.name, self._told("database", part.blocks, self._read, None)).size

    def add_directory(self, called: str, directory: Path) -> None:
        """The files of a directory, listed now: after the moment of the snapshot."""
        found = listed(directory, called)
        done, total, what = 0, found.size, f"files of {called}"
        spool = self._means.terms.workspace
        with Tree(directory) as tree:
            for name, _ in found.files:
                self._hold.check()
                with reading(tree, name, spool, self._means.clock.now_us()) as blocks:
                    if blocks is None:
                        found.left_out["files that vanished"] += 1
                    else:
                        done += self._archive.add(f"files/{called}/{name}", self._told(what, blocks, done, total)).size
        for kind, number in sorted(found.left_out.items()):
            self.left_out.append(f"not in the backup, of {called}: {kind}, {number}")

    def _told(self, what: str, blocks: Iterable[bytes], done: int, total: int | None) -> Iterator[bytes]:
        for block in blocks:
            self._hold.check()
            yield block
            done += len(block)
            self._report(what, done, total)


def _make(workspace: Path) -> None:
    try:
        workspace.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise BackupFailed(f"{workspace} cannot be used for the copy of the database: {error.strerror}") from error


def _manifest(
    terms: BackupTerms, taken_at: datetime, facts: DatabaseFacts, directories: Sequence[str], notes: Sequence[str]
) -> Manifest:
    return Manifest("", taken_at, terms.service, terms.release, facts, directories, (), notes)


def _refuse_inner(terms: BackupTerms, called: str, directory: Path) -> None:
    """What grows while it is read, and what is kept in another way, cannot be among the files."""
    root = directory.resolve()
    inner = {"the backups themselves": terms.vault_directory}
    if scheme_of(terms.database_url) == "sqlite":
        inner["the database"] = path_from(terms.database_url)
    for what, path in inner.items():
        if path is not None and path.resolve().is_relative_to(root):
            raise BackupFailed(
                f"the directory {directory}, backed up as {called!r}, has {what} in it: name the directories in it one "
                "by one, or move those"
            )


def _warnings(terms: BackupTerms) -> list[str]:
    if terms.generated_key is None:
        return []
    return [
        f"the backup is sealed with the key in {terms.generated_key}, without which nobody can read it: keep a copy of "
        "that elsewhere, or set POSTRMAGIC_BACKUPS__KEYS"
    ]

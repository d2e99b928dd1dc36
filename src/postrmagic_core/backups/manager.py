"""Backups: taken, listed, proved, restored and thinned out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from .._clock import Clock, SystemClock
from .._crypto import KeyRing
from .._lifecycle import Lifecycle
from ..database import DatabaseManager
from ..errors import BackupDamaged, BackupFailed, BackupNotFound, PostrMagicError, RestoreRefused, UsageError
from ..registry import scheme_of
from . import restoring
from .archive.reader import ArchiveReader, open_archive
from .holding import holding, holds
from .interface import Report, Vault, unreported
from .policy import superseded, taken_at
from .restoring import RestorePlan
from .taking import Means, Taken, take
from .terms import BackupTerms

if TYPE_CHECKING:
    from .drill import Drilled

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}", re.ASCII)
Check: TypeAlias = Callable[[DatabaseManager, Mapping[str, Path]], Sequence[str]]
"""What an application finds wrong with a database and directories that were restored for a trial."""


@dataclass(frozen=True, slots=True)
class BackupInfo:
    """A backup in the vault: its name, when it was taken (UTC, to the second) and its size in bytes."""

    name: str
    taken_at: datetime
    size: int


# Within the class `list` is its method.
_Names: TypeAlias = list[str]
_Infos: TypeAlias = list[BackupInfo]


class Backups(Lifecycle):
    """Backups of one application, as ``terms`` say, in ``vault``, sealed with the first of ``keys``.

    ``database`` is the application's, borrowed; without it one is opened from ``terms`` where one is needed, and to
    list, verify and restore none is. Threads and processes may share a vault.
    """

    def __init__(
        self,
        terms: BackupTerms,
        *,
        database: DatabaseManager | None,
        vault: Vault,
        keys: KeyRing,
        clock: Clock | None = None,
    ) -> None:
        super().__init__()
        self.terms = terms
        self.database = database
        self.vault = vault
        self.keys = keys
        self.clock: Clock = clock or SystemClock()
        self.checks: list[Check] = []
        self._directories = dict(terms.directories)

    @property
    def directories(self) -> Mapping[str, Path]:
        """What is kept with the database, by name."""
        return dict(self._directories)

    def add_directory(self, name: str, path: Path) -> None:
        """Keep the files of ``path``, too, as ``name``: one lower-case word.

        Raises :class:`UsageError` for another name, and for one that another directory has.
        """
        if not _NAME.fullmatch(name):
            raise UsageError(f"{name!r} cannot name a directory of a backup: use lower-case letters, digits, - and _")
        if self._directories.get(name, path) != path:
            raise UsageError(f"{name!r} names {self._directories[name]} already")
        self._directories[name] = path

    def check(self, function: Check) -> Check:
        """Let drills ask ``function(database, directories)`` what is wrong with what was restored; a decorator."""
        self.checks.append(function)
        return function

    def holds(self, tx: Any) -> bool:
        """Whether a backup is under way that may need files which nobody names any more.

        To be asked by who removes files, in the transaction in which it sees that no row names them, which begins
        after the one that deleted the row has committed. If so the files stay for the next time.
        """
        return holds(tx, self.clock.now_us())

    def take(self, report: Report = unreported, *, files: bool = True, note: str = "") -> Taken:
        """Take a backup while the application goes on; ``files=False`` leaves the directories out.

        Raises :class:`BackupFailed`, or what the database, the disk or the vault raise. Then nothing of it stays, and
        older ones are as they were.
        """
        self.ensure_open()
        directories = self._directories if files else {}
        notes = [note] if note else []
        if not files and self._directories:
            notes.append(f"the files of {', '.join(self._directories)} are not in the backup")
        warnings = self._forgotten() if files else []
        means = Means(self.terms, self.vault, self.keys, self.clock)
        with self._opened_database() as database, holding(database, self.clock) as hold:
            taken = take(means, hold, directories, report, [*notes, *warnings])
            hold.end("done", backup=taken.name, size=taken.size, detail=_described(taken))
        return replace(taken, warnings=[*taken.warnings, *warnings])

    def list(self) -> _Infos:
        """The backups in the vault, the newest first; files of other names are none."""
        found = []
        for stored in self.vault.list():
            at = taken_at(stored.name)
            if at is not None:
                found.append(BackupInfo(stored.name, at, stored.size))
        return sorted(found, key=lambda each: (each.taken_at, each.name), reverse=True)

    def find(self, name: str | None = None) -> tuple[ArchiveReader, str]:
        """The backup ``name``, or the newest, to read from; and its name.

        Raises :class:`BackupNotFound`, :class:`BackupDamaged` and :class:`BackupKeyUnknown`.
        """
        self.ensure_open()
        if name is None:
            known = self.list()
            if not known:
                raise BackupNotFound("there is no backup: take one with `postrmagic db backup`")
            name = known[0].name
        archive = open_archive(self.vault, name, self.keys)
        at, said = archive.manifest.taken_at.replace(microsecond=0), taken_at(name)
        if said is not None and said != at:
            raise BackupDamaged(f"backup {name} was renamed: it is of {at:%Y-%m-%d %H:%M:%S} UTC")
        return archive, name

    def verify(self, name: str | None = None, report: Report = unreported) -> str:
        """Read every byte of the backup ``name``, or of the newest, and see that it is what was written; its name.

        Raises :class:`BackupDamaged` with the place, and :class:`BackupKeyUnknown`.
        """
        archive, found = self.find(name)
        archive.verify(report)
        return found

    def plan_restore(
        self,
        name: str | None = None,
        *,
        database_url: str | None = None,
        directories: Mapping[str, Path] | None = None,
        database: bool = True,
        report: Report = unreported,
    ) -> RestorePlan:
        """What it would mean to restore the backup ``name``, or the newest; nothing is changed.

        ``database_url`` and ``directories`` are where to; left out, where it came from by the terms. ``directories``
        that are given are all that is restored, ``{}`` none; ``database=False`` leaves the database alone. Raises
        :class:`RestoreRefused` where it cannot be done.
        """
        archive, found = self.find(name)
        if directories is None:
            missing = sorted(set(archive.manifest.directories) - set(self._directories))
            if missing:
                raise RestoreRefused(
                    f"the backup has files of {', '.join(missing)}, and nothing says where they belong: name that in "
                    "POSTRMAGIC_BACKUPS__FILES, or say where with --files, or restore without files"
                )
            directories = {each: self._directories[each] for each in archive.manifest.directories}
        if not database and not directories:
            raise RestoreRefused(f"{found} has no files: choose another backup, as `postrmagic db backups` lists them")
        url = (database_url or self.terms.database_url) if database else None
        return restoring.plan(found, archive, url, directories, self.terms.workspace, report)

    def restore(self, plan: RestorePlan, report: Report = unreported) -> None:
        """Do what ``plan`` says, files first.

        Raises :class:`RestoreRefused`, before anything is changed, where the database is in use or has changed. After
        a kill, a full disk or any other end a new plan and its restore go on where this was.
        """
        archive, _ = self.find(plan.name)
        self.terms.workspace.mkdir(parents=True, exist_ok=True, mode=0o700)
        restoring.restore(plan, archive, self.terms.workspace, self.clock, report)

    def prune(self, *, dry: bool = False) -> _Names:
        """Remove the backups that no rule of retention keeps, the oldest first; their names. ``dry`` only tells."""
        self.ensure_open()
        names = superseded((stored.name for stored in self.vault.list()), self.terms.retention)
        for name in () if dry else names:
            self.vault.remove(name)
        return names

    def drill(self, report: Report = unreported, *, name: str | None = None, keep: Path | None = None) -> Drilled:
        """Restore the backup ``name``, or the newest, beside everything and look whether it is whole.

        Raises :class:`DrillFailed` with what is wrong.
        """
        from .drill import drill

        return drill(self, report, name=name, keep=keep)

    def _forgotten(self) -> _Names:
        """A warning where the newest backup has directories that nobody has named this time."""
        try:
            archive, name = self.find()
        except PostrMagicError:  # there is none, or it cannot be read: a new one is needed all the more
            return []
        missing = sorted(set(archive.manifest.directories) - set(self._directories))
        if not missing:
            return []
        return [
            f"{name} has the files of {', '.join(missing)}, and this backup has not: give --app if the application "
            "names those directories, or name them in POSTRMAGIC_BACKUPS__FILES"
        ]

    @contextmanager
    def _opened_database(self) -> Iterator[DatabaseManager]:
        if self.database is not None:
            yield self.database
            return
        url = self.terms.database_url
        if scheme_of(url) == "sqlite":
            from .dumps.sqlite import path_from

            if not path_from(url).is_file():
                raise BackupFailed(f"there is no database {path_from(url)}")
        with DatabaseManager(url) as database:
            yield database

    def _open(self) -> None:
        """What is used is borrowed, or opened where it is needed."""

    def _close(self) -> None:
        """Nothing is held."""


def _described(taken: Taken) -> dict[str, Any]:
    tables = taken.manifest.database.tables
    return {
        "seconds": round(taken.seconds, 3),
        "tables": len(tables),
        "rows": sum(tables.values()),
        "files": len(taken.manifest.entries) - len(taken.manifest.of_database()),
        "bytes": taken.manifest.size,
    }

"""A drill: the newest backup is restored beside everything, compared with what was backed up, and removed again.

A backup of which nobody has ever seen the restore is a hope. A drill takes the way of an emergency, with the archive
and the keys of the settings, and measures how long that takes.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._ids import uuid7
from .._unit import in_own_unit
from ..errors import DrillFailed, PostrMagicError
from . import scratch
from .interface import Manifest, Report, unreported
from .tables import runs

if TYPE_CHECKING:
    from ..database import DatabaseManager
    from .manager import Backups

_log = logging.getLogger("postrmagic_core.backups")

# How many faults an error names; the row of the drill and the command's JSON have them all.
_NAMED = 10
# Microseconds after which a drill that says nothing has failed: its process was killed.
_LIMIT_US = 12 * 3600 * 1_000_000
_KEPT_FAULTS = 200


@dataclass(frozen=True, slots=True)
class Drilled:
    """What a drill came to.

    ``seconds`` in all; ``restore_seconds`` of them for what an emergency needs too: to look, to restore the database
    and the files. ``tables``, ``rows``, ``files`` and their ``bytes`` are those of the backup. ``faults``: what is not
    as it was backed up. ``kept``: where it can be looked at, without a password.
    """

    backup: str = ""
    taken_at: datetime | None = None
    seconds: float = 0.0
    restore_seconds: float = 0.0
    tables: int = 0
    rows: int = 0
    files: int = 0
    bytes: int = 0
    faults: tuple[str, ...] = ()
    kept: str | None = None

    @property
    def good(self) -> bool:
        """Whether everything is as it was backed up."""
        return not self.faults


@dataclass(slots=True)
class _Trial:
    """A drill under way."""

    backups: Backups
    report: Report
    files: bool
    done: Drilled = field(default_factory=Drilled)
    faults: list[str] = field(default_factory=list)


def drill(
    backups: Backups,
    report: Report = unreported,
    *,
    name: str | None = None,
    keep: Path | None = None,
    files: bool = True,
) -> Drilled:
    """Try the backup ``name``, or the newest; :class:`DrillFailed` names what is wrong with it. See :func:`tried`."""
    done = tried(backups, report, name=name, keep=keep, files=files)
    if done.good:
        return done
    named = "; ".join(done.faults[:_NAMED])
    more = f"; and {len(done.faults) - _NAMED} more" if len(done.faults) > _NAMED else ""
    raise DrillFailed(f"the drill of {done.backup or 'the newest backup'} failed: {named}{more}")


def tried(
    backups: Backups,
    report: Report = unreported,
    *,
    name: str | None = None,
    keep: Path | None = None,
    files: bool = True,
) -> Drilled:
    """Restore a backup into a scratch place, compare it, let the application look at it, and remove it.

    Whatever is wrong is among the faults: also that there is no backup, that its key is unknown, or the disk full.
    ``keep`` is an empty directory where what was restored stays. ``files=False`` reads and checks the files without
    writing them, for want of room; the application's checks are then given no directories. A row in
    ``pm_backup_runs`` says how it ended, where there is a database that can be written.
    """
    clock = backups.clock
    began = clock.monotonic()
    trial = _Trial(backups, report, files)
    with _noted(backups, trial):
        try:
            _try(trial, name, keep, began)
        except PostrMagicError as error:
            trial.faults.append(f"{error.code}: {error}")
        seconds = clock.monotonic() - began
        trial.done = replace(trial.done, seconds=seconds, faults=tuple(trial.faults))
    return trial.done


def _try(trial: _Trial, name: str | None, keep: Path | None, began: float) -> None:
    backups = trial.backups
    archive, found = backups.find(name)
    manifest = archive.manifest
    trial.done = _described(found, manifest)
    terms = backups.terms
    with scratch.directory(terms.workspace / "drills", backups.clock, keep) as place:
        _ensure_room(place, manifest, files=trial.files)
        urls = scratch.Urls(terms.database_url, terms.drill_url)
        with scratch.database(manifest.database.kind, place, urls, backups.clock, keep=keep is not None) as url:
            directories = {each: place / "files" / each for each in manifest.directories} if trial.files else {}
            plan = backups.plan_restore(found, database_url=url, directories=directories)
            backups.restore(plan, trial.report)
            trial.done = replace(trial.done, restore_seconds=backups.clock.monotonic() - began)
            if not trial.files:
                archive.verify(trial.report)
            trial.faults += _compared(url, place, manifest, trial.report)
            trial.faults += _files(manifest, directories, trial.report)
            trial.faults += _looked_at(backups, url, directories, trial.report)
            if keep is not None:
                trial.done = replace(trial.done, kept=_shown(place, url))


def _described(name: str, manifest: Manifest) -> Drilled:
    tables = manifest.database.tables
    files = [entry for each in manifest.directories for entry in manifest.of_directory(each)]
    return Drilled(
        backup=name,
        taken_at=manifest.taken_at,
        tables=len(tables),
        rows=sum(tables.values()),
        files=len(files),
        bytes=sum(entry.size for entry in files),
    )


def _ensure_room(place: Path, manifest: Manifest, *, files: bool) -> None:
    """What does not fit is said before anything is written: a disk that a drill fills is everybody's."""
    entries = manifest.entries if files else manifest.of_database()
    needed, free = sum(entry.size for entry in entries), shutil.disk_usage(place).free
    if needed > free:
        raise DrillFailed(
            f"the drill needs {needed:,} bytes at {place.parent} and there are {free:,}: make room, or leave the files "
            "out with --no-files"
        )


def _compared(url: str, place: Path, manifest: Manifest, report: Report) -> Iterator[str]:
    """What differs between the database that was restored and the one that was backed up."""
    from .dumps import open_target

    report("comparing the database", 0, None)
    with open_target(url, workspace=place) as target:
        there, expected = target.counted(), manifest.database.tables
        for name in sorted(expected.keys() - there.keys()):
            yield f"table {name} is missing"
        for name in sorted(there.keys() - expected.keys()):
            yield f"table {name} was not backed up"
        for name in sorted(expected.keys() & there.keys()):
            if there[name] != expected[name]:
                yield f"table {name} has {there[name]:,} rows, and had {expected[name]:,}"
        yield from target.faults()


def _files(manifest: Manifest, directories: Mapping[str, Path], report: Report) -> Iterator[str]:
    """The files that are not, on the disk, what they were."""
    for name, directory in directories.items():
        entries = manifest.of_directory(name)
        for number, entry in enumerate(entries, 1):
            path = directory / entry.name.removeprefix(f"files/{name}/")
            if not path.is_file():
                yield f"file {entry.name} is missing"
            elif path.stat().st_size != entry.size or _sha256(path) != entry.sha256:
                yield f"file {entry.name} is not what it was"
            report(f"comparing files of {name}", number, len(entries))


def _looked_at(backups: Backups, url: str, directories: Mapping[str, Path], report: Report) -> Iterator[str]:
    """What this code, and the application itself, find wrong with it.

    Before the application is asked the tables are brought to its release, as in an emergency: they may be older.
    """
    from ..database import DatabaseManager
    from ..database.schema import states

    own = backups.database
    migrations = None if own is None else own.migrations
    with DatabaseManager(url, migrations=migrations, clock=backups.clock) as restored:
        ahead = [state for state in states(restored.backend, restored.migrations) if state.unknown]
        for state in ahead:
            unknown = ", ".join(sorted(state.unknown))
            yield f"its {state.history} tables are at revision {unknown}, which this code does not know"
        if not ahead:
            report("upgrading the schema", 0, None)
            try:
                restored.upgrade()
            except PostrMagicError as error:
                yield f"its schema cannot be brought to this release: {error.code}: {error}"
        report("asking the application", 0, None)
        for check in backups.checks:
            yield from _asked(check, restored, directories)


def _asked(
    check: Callable[[DatabaseManager, Mapping[str, Path]], Sequence[str]],
    restored: DatabaseManager,
    directories: Mapping[str, Path],
) -> Sequence[str]:
    try:
        return [str(fault) for fault in check(restored, directories)]
    except Exception as error:  # whatever an application raises is a finding of the drill
        _log.warning("the application's check of a drill failed", exc_info=True)
        name = getattr(check, "__qualname__", repr(check))
        return [f"the check {name} raised {type(error).__qualname__}: {error}"]


@contextmanager
def _noted(backups: Backups, trial: _Trial) -> Iterator[None]:
    """A row for the drill while it goes on, and what became of it; without a database it is done all the same."""
    key, now_us = str(uuid7(backups.clock.now_us())), backups.clock.now_us()
    row = {"id": key, "kind": "drill", "began_us": now_us, "until_us": now_us + _LIMIT_US, "detail": b"{}"}
    _write(backups, runs.insert().values(row))
    try:
        yield
    except BaseException as error:
        trial.faults.append(f"it was ended by {type(error).__qualname__}")
        trial.done = replace(trial.done, faults=tuple(trial.faults))
        raise
    finally:
        ended = _ended(trial.done, backups.clock.now_us())
        _write(backups, runs.update().where(runs.c.id == key).values(ended))


def _ended(done: Drilled, now_us: int) -> dict[str, Any]:
    told = {
        "seconds": round(done.seconds, 3),
        "restore_seconds": round(done.restore_seconds, 3),
        "tables": done.tables,
        "rows": done.rows,
        "files": done.files,
        "bytes": done.bytes,
        "faults": [fault[:500] for fault in done.faults[:_KEPT_FAULTS]],
    }
    return {
        "ended_us": now_us,
        "outcome": "done" if done.good else "failed",
        "backup": done.backup or None,
        "size": done.bytes,
        "detail": json.dumps(told).encode(),
    }


def _write(backups: Backups, statement: Any) -> None:
    database = backups.database
    if database is None or not database.is_open:
        return
    try:
        in_own_unit(database, lambda tx: tx.execute(statement))
    except PostrMagicError as error:
        _log.warning("a drill cannot be noted in the database", extra={"error": error.code})


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _shown(place: Path, url: str) -> str:
    from .._sql.mysql_server import MysqlServer

    if url.startswith("sqlite"):
        return str(place)
    return f"{place}, and {MysqlServer.from_url(url).url(secret=False)}"

"""Restores a backup: looks at what is there and says so, then the files, then the database."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import update

from .._clock import Clock
from ..database import DatabaseManager
from ..errors import PostrMagicError, RestoreRefused
from .dumps import open_target
from .interface import Archive, Manifest, Report, Standing
from .placing import DirectoryPlan, planned, put_back
from .space import check_room
from .tables import runs

_log = logging.getLogger("postrmagic_core.backups")


@dataclass(frozen=True, slots=True)
class RestorePlan:
    """What a restore of the backup ``name`` would do, for somebody to say yes to.

    ``database_url`` (with its password) is where the database goes, ``None`` where it is left alone; ``standing`` is
    what is there now and would be replaced.
    """

    name: str
    manifest: Manifest
    database_url: str | None = field(repr=False)
    standing: Standing | None
    directories: Sequence[DirectoryPlan]

    @property
    def replaces(self) -> bool:
        """Whether anything that is there now would be gone: tables, what cannot be read, or files that differ."""
        there = self.standing is not None and (bool(self.standing.tables) or self.standing.unreadable)
        return there or any(each.differing for each in self.directories)


def plan(
    name: str,
    archive: Archive,
    database_url: str | None,
    directories: Mapping[str, Path],
    workspace: Path,
    report: Report,
) -> RestorePlan:
    """Look at the targets; nothing is changed. Raises :class:`RestoreRefused` where it cannot be done."""
    manifest = archive.manifest
    standing = None
    if database_url is not None:
        with open_target(database_url, workspace=workspace) as target:
            standing = target.look(manifest)
    unknown = sorted(set(directories) - set(manifest.directories))
    if unknown:
        raise RestoreRefused(f"the backup has no directory {', '.join(unknown)}; it has {_listed(manifest)}")
    plans = [planned(each, path, manifest.of_directory(each), report) for each, path in directories.items()]
    return RestorePlan(name, manifest, database_url, standing, plans)


def restore(plan: RestorePlan, archive: Archive, workspace: Path, clock: Clock, report: Report) -> None:
    """Do what ``plan`` says: the files first, so that there is never a row without its file.

    Raises :class:`RestoreRefused`, before anything is changed, where the database is in use or not what was looked at.
    However it ends, a new plan of the same backup and its restore go on where this one was.
    """
    manifest = archive.manifest
    if manifest.id != plan.manifest.id:
        raise RestoreRefused(f"{plan.name} is another backup than the one that was looked at: look again")
    for each in plan.directories:
        check_room(each.size, _existing(each.path))
    with contextlib.ExitStack() as held:
        target = None
        if plan.database_url is not None:
            target = held.enter_context(open_target(plan.database_url, workspace=workspace))
            standing = target.look(manifest)
            _refuse_changed(plan, standing)
            target.examine(archive, report)
        for each in plan.directories:
            put_back(each, archive, manifest.of_directory(each.name), report)
        if target is not None:
            target.restore(archive, report)
    if plan.database_url is not None:
        _end_runs(plan.database_url, plan.name, clock)


def _refuse_changed(plan: RestorePlan, now: Standing) -> None:
    if now.users:
        raise RestoreRefused(
            f"{now.users} others use the database: stop the application and its workers, then run it again"
        )
    was = plan.standing
    if was is None or (dict(now.tables), now.unreadable) != (dict(was.tables), was.unreadable):
        raise RestoreRefused("the database is not what it was when it was looked at: look again")


def _end_runs(url: str, name: str, clock: Clock) -> None:
    """When its rows were read the backup that is restored was under way itself: it is done."""
    ended = {"ended_us": clock.now_us()}
    under_way = runs.c.ended_us.is_(None)
    try:
        with DatabaseManager(url) as database, database.write() as tx:
            itself = ended | {"outcome": "done", "backup": name}
            tx.execute(update(runs).where(under_way, runs.c.kind == "backup").values(itself))
            tx.execute(update(runs).where(under_way).values(ended | {"outcome": "restored"}))
    except PostrMagicError as error:  # an older schema has no such table
        _log.debug("runs of backups in the restored database were not ended", extra={"error": error.code})


def _existing(path: Path) -> Path:
    return next(each for each in (path, *path.absolute().parents) if each.exists())


def _listed(manifest: Manifest) -> str:
    return ", ".join(manifest.directories) or "none"

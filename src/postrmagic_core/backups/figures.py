"""What metrics tell of backups: how old the newest is and how large, when one was last tried, what failed since.

Read from ``pm_backup_runs``, not from the vault: every process can, and a vault that is away hides nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select

from .._clock import Clock, SystemClock
from .._metrics import Metrics, Told
from .._protocols import Units
from .tables import runs

c = runs.c

# Seconds for which what was read holds: figures are asked for at each scrape, and change a few times a day.
_FRESH = 60.0


@dataclass(frozen=True, slots=True)
class Series:
    """The runs of one kind: since when there is a good one, the size of that, and how many failed after it.

    ``since_us``: when the newest good one began; where there is none, when the first of all did; ``None``: there was
    never any. ``size`` in bytes.
    """

    since_us: int | None
    good: bool = False
    size: int | None = None
    failed: int = 0


class BackupFigures:
    """The gauges of backups, told by every process alike; nothing where nobody ever took one nor means to.

    ``scheduled`` and ``drilled``: whether workers are to take backups and to try them, so that it is told how long
    none came, also where there never was one. ``database`` is borrowed.
    """

    def __init__(
        self,
        database: Units,
        metrics: Metrics,
        *,
        scheduled: bool = False,
        drilled: bool = False,
        clock: Clock | None = None,
    ) -> None:
        self._database = database
        self._clock = clock or SystemClock()
        self._expected = {"backup": scheduled, "drill": drilled}
        self._begun_us = self._clock.now_us()
        self._read_at = float("-inf")
        self._known: dict[str, Series] = {}
        metrics.report(lambda: self.told(), shared=True)  # a bound method would not keep this alive

    def told(self) -> Iterator[Told]:
        """The gauges now; the database is asked once a minute at most."""
        now = self._clock.monotonic()
        if now - self._read_at >= _FRESH:
            self._known = self._read()
            self._read_at = now
        yield from self._backups(self._known["backup"])
        yield from self._drills(self._known["drill"], self._known["backup"])

    def _read(self) -> dict[str, Series]:
        now_us = self._clock.now_us()
        with self._database.read() as tx:
            return {kind: series(tx, kind, now_us) for kind in self._expected}

    def _backups(self, found: Series) -> Iterator[Told]:
        since_us = self._since(found, "backup")
        if since_us is None:
            return
        yield "backup_age_seconds", {}, self._age(since_us)
        yield "backup_failures", {}, found.failed
        if found.size is not None:
            yield "backup_size_bytes", {}, found.size

    def _drills(self, found: Series, backups: Series) -> Iterator[Told]:
        since_us = self._since(found, "drill")
        if since_us is None:
            since_us = backups.since_us if backups.good else None  # what was never tried is as old as the backup
        if since_us is None:
            return
        yield "backup_drill_age_seconds", {}, self._age(since_us)
        yield "backup_drill_failures", {}, found.failed

    def _since(self, found: Series, kind: str) -> int | None:
        if found.since_us is None and self._expected[kind]:
            return self._begun_us
        return found.since_us

    def _age(self, since_us: int) -> float:
        return max(0.0, (self._clock.now_us() - since_us) / 1e6)


def series(tx: Any, kind: str, now_us: int) -> Series:
    """How the runs of ``kind`` (``backup`` or ``drill``) stand; a killed one has failed once its time is over."""
    good = tx.execute(
        select(c.began_us, c.size).where(c.kind == kind, c.outcome == "done").order_by(c.began_us.desc()).limit(1)
    ).first()
    after = [c.kind == kind] if good is None else [c.kind == kind, c.began_us > good.began_us]
    failed = tx.scalar(select(func.count()).select_from(runs).where(*after, _failed(now_us)))
    if good is not None:
        return Series(good.began_us, good=True, size=good.size, failed=failed)
    first = tx.scalar(select(func.min(c.began_us)).where(c.kind == kind))
    return Series(first, failed=failed)


def newest(tx: Any, kind: str, limit: int) -> Sequence[Any]:
    """The rows of the last ``limit`` runs of ``kind``, the newest first."""
    found: Sequence[Any] = tx.execute(
        select(runs).where(c.kind == kind).order_by(c.began_us.desc(), c.id.desc()).limit(limit)
    ).all()
    return found


def _failed(now_us: int) -> ColumnElement[bool]:
    return or_(c.outcome == "failed", and_(c.ended_us.is_(None), c.until_us < now_us))

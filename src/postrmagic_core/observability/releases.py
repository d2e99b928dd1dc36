"""Which releases of the application there were, since when, and who marked them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import case, select, update
from sqlalchemy.dialects import mysql, sqlite

from .._clock import Clock, SystemClock, from_us
from .._metrics import Metrics
from .._protocols import Units
from .._unit import in_own_unit
from ..errors import BackendError
from .errors.policy import IS_RELEASE, fit
from .tables import releases

_log = logging.getLogger("postrmagic_core.observability")

c = releases.c

# Seconds for which a gauge's answer holds: it is asked at each scrape, and changes once.
_FRESH = 30.0


@dataclass(frozen=True, slots=True)
class Release:
    """A version of the application: it began when it was first seen running or marked, whichever came first."""

    version: str
    began_at: datetime
    first_seen_at: datetime | None = None
    marked_at: datetime | None = None
    marked_by: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Marked:
    """What became of a mark: ``changed`` is false where the release was marked before, which holds."""

    release: Release
    changed: bool


class Releases:
    """The releases in ``pm_releases``; the order in which they began is the order of versions here.

    ``database`` is borrowed. A version has 1 to 64 letters, digits and ``_ . + -``, else :class:`ValueError`.
    """

    def __init__(self, database: Units, *, clock: Clock | None = None) -> None:
        self._database = database
        self._clock = clock or SystemClock()

    def note(self, version: str) -> None:
        """Say that a process of this release runs; only the first one writes.

        One try, and no process fails to start for it: where the database is away or busy a warning in the log says so,
        and the release is noted with the first errors that are written (:class:`ErrorTracker`), or by the next process.
        """
        _check(version)
        try:
            with self._database.read() as tx:
                known = tx.execute(select(c.first_seen_us).where(c.version == version)).first()
            if known is None or known.first_seen_us is None:
                with self._database.write() as tx:
                    note_seen(tx, version, self._clock.now_us())
        except BackendError as error:
            kind = type(error).__qualname__
            _log.warning("the release cannot be noted in the database yet: %s", kind, extra={"error": kind})

    def mark(self, version: str, note: str = "", by: str = "") -> Marked:
        """Say that this release is in force from now on; a second mark of it changes nothing and tells so.

        ``note`` has at most 1,000 bytes, ``by`` 190; what is longer is cut. It is a record of the log, too.
        """
        _check(version)
        changed = in_own_unit(self._database, partial(self._mark, version, fit(note, 1000), fit(by, 190)))
        with self._database.read() as tx:
            found = _release(tx.execute(select(releases).where(c.version == version)).one())
        if changed:
            told = {"marked_release": version, "note": found.note, "by": found.marked_by}
            _log.info("release marked", extra=told)
        return Marked(found, changed)

    def current(self) -> Release | None:
        """The release that began last, if there is any."""
        return next(iter(self.find(1)), None)

    def find(self, limit: int = 100) -> list[Release]:
        """Releases, those first that began last."""
        with self._database.read() as tx:
            found = tx.execute(select(releases).order_by(c.since_us.desc(), c.version.desc()).limit(limit))
            return [_release(row) for row in found]

    def watch(self, metrics: Metrics, version: str) -> None:
        """Have the gauge ``release_marked_timestamp_seconds`` tell when ``version`` was marked, or began if it was not.

        In seconds since the epoch; the database is asked twice a minute at most.
        """
        _check(version)
        metrics.gauge("release_marked_timestamp_seconds", self._reader(version), release=version)

    def _reader(self, version: str) -> Callable[[], float]:
        read_at, known = float("-inf"), 0.0

        def read() -> float:
            nonlocal read_at, known
            now = self._clock.monotonic()
            if now - read_at >= _FRESH:
                with self._database.read() as tx:
                    row = tx.execute(select(c.since_us, c.marked_us).where(c.version == version)).one()
                read_at, known = now, (row.marked_us or row.since_us) / 1_000_000
            return known

        return read

    def _mark(self, version: str, note: str, by: str, tx: Any) -> bool:
        now_us = self._clock.now_us()
        _put(tx, {"version": version, "since_us": now_us, "marked_by": "", "note": ""})
        unmarked = update(releases).where(c.version == version, c.marked_us.is_(None))
        return bool(tx.execute(unmarked.values(marked_us=now_us, marked_by=by, note=note)).rowcount)


def note_seen(tx: Any, version: str, now_us: int) -> None:
    """In an open unit: a process of this release runs."""
    _put(tx, {"version": version, "since_us": now_us, "first_seen_us": now_us, "marked_by": "", "note": ""})


def _put(tx: Any, values: dict[str, Any]) -> None:
    """A release, unless it is there; that it was seen is added where it was only marked."""
    seen = {"first_seen_us": case((c.first_seen_us.is_(None), values.get("first_seen_us")), else_=c.first_seen_us)}
    if tx.connection.dialect.name == "sqlite":
        tx.execute(sqlite.insert(releases).values(values).on_conflict_do_update(index_elements=["version"], set_=seen))
    else:
        tx.execute(mysql.insert(releases).values(values).on_duplicate_key_update(seen))


def _check(version: str) -> None:
    if IS_RELEASE(version) is None:
        raise ValueError("expected as a version 1 to 64 letters, digits and _ . + -")


def _release(row: Any) -> Release:
    seen, marked = (None if us is None else from_us(us) for us in (row.first_seen_us, row.marked_us))
    return Release(row.version, from_us(row.since_us), seen, marked, row.marked_by, row.note)

"""What metrics tell of backups, and when the shipped alerts about them fire."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from postrmagic_core._metrics import Metrics
from postrmagic_core.backups.figures import BackupFigures, newest
from postrmagic_core.backups.tables import runs
from postrmagic_core.database import DatabaseManager
from postrmagic_core.errors import BackendUnavailable
from postrmagic_core.observability.alerts.rules import Threshold, defaults
from postrmagic_core.testing import FakeClock
from tests.databases import with_tables

HOUR = 3600.0
DAY = 24 * HOUR


@pytest.fixture
def clock() -> FakeClock:
    """Moved by hand."""
    return FakeClock()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[DatabaseManager]:
    """One in which backups and drills are noted."""
    with with_tables(f"sqlite:///{tmp_path}/app.db", [runs]) as opened:
        yield opened


def note(
    database: DatabaseManager, clock: FakeClock, kind: str, outcome: str | None, *, size: int | None = None
) -> None:
    """A run that began now; without an outcome it goes on for two minutes at most."""
    now = clock.now_us()
    ended = None if outcome is None else now + 1
    row = {"id": f"{kind}-{now}", "kind": kind, "began_us": now, "until_us": now + 120_000_000, "ended_us": ended}
    with database.write() as tx:
        tx.execute(runs.insert().values(**row, outcome=outcome, size=size, detail=b"{}"))


def told(database: DatabaseManager, clock: FakeClock, **expected: bool) -> dict[str, float]:
    """What a process that has just begun to look tells."""
    metrics = Metrics()
    BackupFigures(database, metrics, clock=clock, **expected)
    return {name: value for name, _, value in metrics.shared()}


def fires(found: dict[str, float]) -> set[str]:
    """The shipped rules that are broken by these figures."""
    rules = [rule for rule in defaults() if isinstance(rule, Threshold) and getattr(rule.of, "text", "") in found]
    return {rule.name for rule in rules if rule.above is not None and found[getattr(rule.of, "text", "")] > rule.above}


def test_nothing_is_told_where_nobody_backs_up(database: DatabaseManager, clock: FakeClock) -> None:
    """Without a backup and without a schedule there is no figure, so that no alert can fire."""
    assert told(database, clock) == {}


def test_a_good_backup_is_told_by_its_age_and_size(database: DatabaseManager, clock: FakeClock) -> None:
    """An hour later it is an hour old; a drill has not been for as long."""
    note(database, clock, "backup", "done", size=4096)
    clock.advance(HOUR)
    assert told(database, clock) == {
        "backup_age_seconds": HOUR,
        "backup_failures": 0,
        "backup_size_bytes": 4096,
        "backup_drill_age_seconds": HOUR,
        "backup_drill_failures": 0,
    }
    assert fires(told(database, clock)) == set()


def test_failures_count_since_the_last_good_one(database: DatabaseManager, clock: FakeClock) -> None:
    """Failed and killed ones after it count, one that goes on does not, and a good one ends it."""
    for outcome in ("failed", "done", "failed", None):
        note(database, clock, "backup", outcome)
        clock.advance(60)
    assert told(database, clock)["backup_failures"] == 1
    clock.advance(120)
    assert told(database, clock)["backup_failures"] == 2
    assert fires(told(database, clock)) == {"a backup failed"}
    note(database, clock, "backup", "done")
    assert told(database, clock)["backup_failures"] == 0


def test_a_backup_that_never_succeeded_is_as_old_as_the_first_try(database: DatabaseManager, clock: FakeClock) -> None:
    """Whoever only ever fails is told so, and that there is none."""
    note(database, clock, "backup", "failed")
    clock.advance(27 * HOUR)
    found = told(database, clock)
    assert (found["backup_age_seconds"], found["backup_failures"]) == (27 * HOUR, 1)
    assert "backup_size_bytes" not in found
    assert "backup_drill_age_seconds" not in found
    assert fires(found) == {"a backup is overdue", "a backup failed"}


def test_a_schedule_that_brings_nothing_is_overdue(database: DatabaseManager, clock: FakeClock) -> None:
    """It counts from when the process began to look."""
    metrics = Metrics()
    figures = BackupFigures(database, metrics, scheduled=True, drilled=True, clock=clock)
    clock.advance(27 * HOUR)
    found = {name: value for name, _, value in metrics.shared()}
    assert found["backup_age_seconds"] == found["backup_drill_age_seconds"] == 27 * HOUR
    assert fires(found) == {"a backup is overdue"}
    clock.advance(8 * DAY)
    assert fires({name: value for name, _, value in figures.told()}) == {"a backup is overdue", "no drill for long"}


def test_a_failed_drill_fires_until_one_succeeds(database: DatabaseManager, clock: FakeClock) -> None:
    """And what was never tried is told after eight days."""
    note(database, clock, "backup", "done")
    note(database, clock, "drill", "failed")
    assert fires(told(database, clock)) == {"a drill failed"}
    clock.advance(1)
    note(database, clock, "drill", "done")
    assert fires(told(database, clock)) == set()
    clock.advance(8 * DAY + 1)
    note(database, clock, "backup", "done")
    assert fires(told(database, clock)) == {"no drill for long"}


def test_the_database_is_asked_once_a_minute(database: DatabaseManager, clock: FakeClock) -> None:
    """What changed in between is told afterwards; ages go on meanwhile."""
    note(database, clock, "backup", "done")
    figures = BackupFigures(database, Metrics(), clock=clock)
    assert {name: value for name, _, value in figures.told()}["backup_failures"] == 0
    clock.advance(30)
    note(database, clock, "backup", "failed")
    found = {name: value for name, _, value in figures.told()}
    assert (found["backup_failures"], found["backup_age_seconds"]) == (0, 30)
    clock.advance(30)
    assert {name: value for name, _, value in figures.told()}["backup_failures"] == 1


def test_a_clock_put_back_makes_no_negative_age(database: DatabaseManager, clock: FakeClock) -> None:
    """A backup of the future is no seconds old."""
    note(database, clock, "backup", "done")
    clock.jump(-HOUR)
    assert told(database, clock)["backup_age_seconds"] == 0


def test_a_database_that_is_away_hides_the_figures_alone(database: DatabaseManager, clock: FakeClock) -> None:
    """Others are still told, and afterwards these are again."""

    class Away:
        database_id = "away"
        away = True

        def read(self) -> Any:
            if self.away:
                raise BackendUnavailable("away")
            return database.read()

    away: Any = Away()
    metrics = Metrics()
    BackupFigures(away, metrics, scheduled=True, clock=clock)
    metrics.report(lambda: [("other", {}, 1.0)], shared=True)
    assert [name for name, _, _ in metrics.shared()] == ["other"]
    away.away = False
    assert "backup_age_seconds" in {name for name, _, _ in metrics.shared()}


def test_the_newest_runs_are_read_in_order(database: DatabaseManager, clock: FakeClock) -> None:
    """Of one kind, as many as asked for."""
    for outcome in ("done", "failed", "done"):
        note(database, clock, "drill", outcome)
        clock.advance(1)
    note(database, clock, "backup", "done")
    with database.read() as tx:
        assert [row.outcome for row in newest(tx, "drill", 2)] == ["done", "failed"]

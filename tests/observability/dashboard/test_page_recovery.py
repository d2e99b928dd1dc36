"""The page of backups, flags and settings in the dashboard: what is good, what is old, and who changed what."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from postrmagic_core._ids import uuid7
from postrmagic_core.backups.tables import runs
from postrmagic_core.configuration import record
from postrmagic_core.flags import Rule
from postrmagic_core.stack import Stack
from tests.observability.dashboard.visits import HOSTILE, shown, visited

HOUR = 3_600_000_000


def noted(stack: Stack, kind: str, hours: float, outcome: str | None, **detail: object) -> None:
    """A run that began so many hours ago, and ended a minute later unless it has no outcome."""
    began = stack.clock.now_us() - int(hours * HOUR)
    row = {"id": str(uuid7(began)), "kind": kind, "began_us": began, "until_us": began + 120_000_000}
    ended = None if outcome is None else began + 60_000_000
    with stack.database.write() as tx:
        row |= {"ended_us": ended, "outcome": outcome, "backup": "postrmagic-1", "size": 2048}
        tx.execute(runs.insert().values(**row, detail=json.dumps(detail).encode()))


def panel(page: str, title: str) -> str:
    """The text of one panel."""
    return shown(page.partition(f">{title}<")[2].partition("</section>")[0])


def test_nothing_was_done_yet(tmp_path: Path) -> None:
    """Given an application that never took a backup, when somebody looks, then each panel says how to begin."""
    with visited(tmp_path) as (_, visitor):
        page = shown(visitor.get("/recovery"))
    for command in ("postrmagic db backup", "postrmagic db drill", "postrmagic flags set", "remember_settings"):
        assert command in page


def test_runs_are_told_as_they_ended(tmp_path: Path) -> None:
    """Given backups that are done, under way, failed and killed, when somebody looks, then each is told as such."""
    with visited(tmp_path, backups={"schedule": "30 2 * * *"}) as (stack, visitor):
        noted(stack, "backup", 40, "done", rows=12_000, files=7)
        noted(stack, "backup", 30, "failed", error=HOSTILE)
        noted(stack, "backup", 20, None)
        noted(stack, "drill", 1, "failed", faults=["media has 7 rows instead of 8", "another"])
        page = visitor.get("/recovery")
        backups, drills = panel(page, "Backups"), panel(page, "Drills")
        assert "30 2 * * *" in backups
        assert "more than 26 hours old" in backups
        assert "12,000 rows, 7 files" in backups
        assert ("killed" in backups, "failed" in backups, "under way" in backups) == (True, True, False)
        assert "media has 7 rows instead of 8, and 1 more" in drills
        noted(stack, "backup", 0.1, "done")
        noted(stack, "backup", 0, None)
        backups = panel(visitor.get("/recovery"), "Backups")
        assert "under way" in backups
        assert "more than 26 hours old" not in backups


@pytest.mark.parametrize("detail", [b"", b"[1]", b"{", b'{"faults": 3, "rows": "x"}'])
def test_a_row_that_nobody_understands_spoils_nothing(detail: bytes, tmp_path: Path) -> None:
    """Given a detail that is none, when somebody looks, then the run is there without it."""
    with visited(tmp_path) as (stack, visitor):
        noted(stack, "backup", 1, "done")
        with stack.database.write() as tx:
            tx.execute(runs.update().values(detail=detail))
        assert "done" in panel(visitor.get("/recovery"), "Backups")


def test_flags_and_settings_are_told(tmp_path: Path) -> None:
    """Given a flag of settings, one that was changed, and two versions, when somebody looks, then both with by whom."""
    rules = {"old-way": {"percent": 100}}
    with visited(tmp_path, flags={"rules": rules}) as (stack, visitor):
        stack.flags.set("new-way", Rule(percent=12.5, roles=frozenset({"staff"}), note=HOSTILE), actor="ada")
        record(stack.settings, by="web")
        record(stack.settings.replace(jobs={"threads": 9}), by="worker")
        page = visitor.get("/recovery")
    flags = panel(page, "Flags")
    assert "old-way 100 % " in flags
    assert "new-way 12.5 % staff" in flags
    assert "by ada" in flags
    settings = panel(page, "Settings")
    assert "jobs.threads" in settings
    assert "worker" in settings

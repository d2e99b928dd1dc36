"""The way back: backups and whether they restore, features that are on for some, and which settings there were."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from ...._clock import from_us
from ....backups.figures import newest
from ....configuration import Version, VersionFiles, changes
from ....flags import Flag
from ..interface import Ask, Page, Shown
from ..words import size

_RUNS, _VERSIONS, _NAMED = 12, 10, 6
# As the alerts that come with the package have it.
_OLD = {"backup": timedelta(hours=26), "drill": timedelta(days=8)}


@dataclass(frozen=True, slots=True)
class Run:
    """A backup or a drill: ``state`` is good, bad, or under way; ``told`` is what it came to."""

    kind: str
    began_at: datetime
    state: str
    tone: str
    backup: str
    seconds: float | None
    told: str


@dataclass(frozen=True, slots=True)
class Settled:
    """A version of the settings, and what it changed against the one before it, by name alone."""

    version: Version
    changed: Sequence[str]
    more: int


def view(ask: Ask) -> Shown:
    """The last backups and drills, the flags, and this machine's versions of the settings."""
    now = from_us(ask.clock.now_us())
    runs = {kind: ask.part(f"the {kind}s", partial(_runs, ask, kind, now)) for kind in _OLD}
    return Shown(
        "recovery.html",
        {
            "backups": runs["backup"],
            "drills": runs["drill"],
            "old": {kind: _is_old(part.value or (), kind, now) for kind, part in runs.items()},
            "schedule": ask.stack.settings.backups.schedule,
            "flags": ask.part("the flags", lambda: [_told(flag) for flag in ask.stack.flags.list()]),
            "versions": ask.part("the versions of the settings", lambda: _versions(ask)),
        },
    )


def _runs(ask: Ask, kind: str, now: datetime) -> list[Run]:
    with ask.stack.database.read() as tx:
        return [_run(row, now) for row in newest(tx, kind, _RUNS)]


def _run(row: Any, now: datetime) -> Run:
    seconds = None if row.ended_us is None else (row.ended_us - row.began_us) / 1e6
    if row.ended_us is None:
        state, tone = ("under way", "") if from_us(row.until_us) > now else ("killed", "bad")
    else:
        state, tone = {"done": ("done", "good"), "restored": ("restored", "")}.get(row.outcome, ("failed", "bad"))
    return Run(row.kind, from_us(row.began_us), state, tone, row.backup or "", seconds, _detail(row))


def _detail(row: Any) -> str:
    try:
        said = json.loads(row.detail)
    except ValueError:
        said = {}
    if not isinstance(said, dict):
        return ""
    faults = said.get("faults")
    if isinstance(faults, list) and faults:
        return f"{faults[0]}" + (f", and {len(faults) - 1} more" if len(faults) > 1 else "")
    if said.get("error"):
        return str(said["error"])
    parts = [f"{said[what]:,} {what}" for what in ("rows", "files") if isinstance(said.get(what), int)]
    return ", ".join([*([size(row.size)] if row.size else []), *parts])


def _is_old(runs: Sequence[Run], kind: str, now: datetime) -> bool:
    good = [run.began_at for run in runs if run.state == "done"]
    return bool(runs) and (not good or now - good[0] > _OLD[kind])


def _told(flag: Flag) -> Mapping[str, object]:
    rule = flag.rule
    named = [*sorted(rule.roles), *([f"{len(rule.users)} users"] if rule.users else [])]
    return {"flag": flag, "percent": rule.percent / 100, "named": ", ".join(named), "off": len(rule.off_for)}


def _versions(ask: Ask) -> list[Settled]:
    found = VersionFiles(ask.stack.settings.stack.data_dir / "settings").read().versions
    told = []
    for number, version in enumerate(found):
        names = [one.name for one in changes(found[number - 1].fields, version.fields)] if number else []
        told.append(Settled(version, names[:_NAMED], max(0, len(names) - _NAMED)))
    return sorted(told, key=lambda one: one.version.last_seen, reverse=True)[:_VERSIONS]


PAGE = Page("recovery", "Recovery", "Backends", view, every=10.0, key="b")

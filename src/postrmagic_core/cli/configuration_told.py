"""Versions of the settings on a terminal and for programs: of a secret its fingerprint, never the secret."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.table import Column, Table

from ..configuration import Change, Field, History, Masked, Present, Version, changes
from ..configuration.policy import is_now, secrets_in
from ..configuration.rollback import Rollback
from ..configuration.written import encoded
from .words import plain

_NAMED = 4
_WORDS = {"same": "moved", "changed": "changed", "unknown": "cannot be told"}


def history_json(found: History, now: Present) -> dict[str, Any]:
    """Versions, what is no version, and what is wrong with the settings now."""
    versions = [
        {**_head(version), "current": is_now(version, now.fields), "changed": _changed(found, number)}
        for number, version in enumerate(found.versions)
    ]
    return {
        "directory": str(now.directory),
        "versions": versions,
        "faults": found.faults,
        "problems": dict(now.problems),
    }


def _head(version: Version) -> dict[str, Any]:
    return {
        "number": version.number,
        "fingerprint": version.fingerprint,
        "first_seen": version.first_seen,
        "last_seen": version.last_seen,
        "seen_by": dict(version.seen_by),
        "release": version.release,
        "package": version.package,
        "newer": version.newer,
    }


def _changed(found: History, at: int) -> list[str] | None:
    """The names of what a version changed; ``None`` of the first, as nobody knows."""
    if at == 0:
        return None
    return [one.name for one in changes(found.versions[at - 1].fields, found.versions[at].fields)]


def show_history(console: Console, found: History, now: Present) -> None:
    """A line a version, the present one marked."""
    _faults(console, found.faults)
    if not found.versions and not found.faults:
        _say(console, f"there is no version in {now.directory}: a process that begins writes one")
    elif found.versions:
        table = Table(
            Column("", no_wrap=True), Column("first seen"), Column("last seen"), "by", "release", "what changed"
        )
        current = False
        for at, version in enumerate(found.versions):
            is_current = is_now(version, now.fields) and not now.problems
            current = current or is_current
            mark = f"{version.number}{' *' if is_current else ''}"
            by, seen = ", ".join(sorted(version.seen_by)), (_when(version.first_seen), _when(version.last_seen))
            table.add_row(*map(plain, (mark, *seen, by, version.release, _summary(found, at))))
        console.print(table)
        if current:
            _say(console, "* holds now, for whoever begins in this directory with this environment")
        elif not now.problems:
            _say(console, "what holds now is none of them: `postrmagic config diff` shows what differs")
    _problems(console, now.problems)


def _summary(found: History, at: int) -> str:
    names = _changed(found, at)
    if names is None:
        return "the first that is kept"
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    newer = "; of a newer release, shown as far as it is understood" if found.versions[at].newer else ""
    return (", ".join(names[:_NAMED]) + more or "nothing") + newer


def show_json(version: Version | None, now: Present) -> dict[str, Any]:
    """Each setting of a version, or of now."""
    head = {"number": None} if version is None else _head(version)
    fields = now.fields if version is None else version.fields
    problems = dict(now.problems) if version is None else {}
    return {**head, "fields": {name: _field(one) for name, one in sorted(fields.items())}, "problems": problems}


def _field(field: Field | None) -> dict[str, Any] | None:
    return None if field is None else {"value": encoded(field.value), "source": field.source}


def show_fields(console: Console, version: Version | None, now: Present) -> None:
    """A line a setting."""
    table = Table("setting", "value", "set in")
    fields = now.fields if version is None else version.fields
    for name, one in sorted(fields.items()):
        table.add_row(*map(plain, (name, shown(one.value), one.source)))
    console.print(table)
    if version is not None and version.newer:
        _say(console, "a newer release wrote this version: it is shown as far as it is understood")
    if version is None:
        _problems(console, now.problems)


def changes_json(found: Sequence[Change]) -> list[dict[str, Any]]:
    """What differs, for programs."""
    return [
        {"name": one.name, "old": _field(one.old), "new": _field(one.new), "verdict": _WORDS[one.verdict]}
        for one in found
    ]


def show_changes(
    console: Console, old: Version, new: Version | None, found: Sequence[Change], problems: Mapping[str, str]
) -> None:
    """A line a setting that differs."""
    there = "what holds now" if new is None else f"version {new.number}"
    if found:
        _say(console, f"from version {old.number} to {there}:")
        console.print(_table(found))
    else:
        _say(console, f"version {old.number} and {there} are the same")
    _problems(console, problems)


def _table(found: Sequence[Change]) -> Table:
    table = Table("setting", "old", "new", "")
    for one in found:
        secret = secrets_in(one.old.value if one.old else None) or secrets_in(one.new.value if one.new else None)
        word = _WORDS[one.verdict] if one.verdict != "changed" or secret else ""
        table.add_row(*map(plain, (one.name, _placed(one.old), _placed(one.new), word)))
    return table


def _placed(field: Field | None) -> str:
    return "not there" if field is None else f"{shown(field.value)} ({field.source})"


def shown(value: object) -> str:
    """A value as a person reads it: texts as they are, containers as JSON with fingerprints in their places."""
    if value is None:
        return "not set"
    if isinstance(value, str | Masked):
        return str(value)
    return json.dumps(value, default=str, ensure_ascii=False)


def show_rollback(console: Console, plan: Rollback) -> None:
    """What the file will say, and what it cannot."""
    if plan.changes:
        _say(console, f"{plan.path} will say:")
        console.print(_table(plan.changes))
    elif plan.after == (plan.before or ""):
        _say(console, f"{plan.path} stays as it is")
    if plan.drops:
        _say(console, f"lines that are no TOML are left out; {plan.path.name}.old keeps them")
    if not plan.keeps_text:
        _say(console, f"its comments are lost; {plan.path.name}.old keeps them")
    if not plan.left:
        return
    _say(console, f"what {plan.path} cannot restore of version {plan.version.number}:")
    for one in plan.left:
        _say(console, f"  {one.name}: {one.reason}")
        for command in one.commands:
            _say(console, f"      {command}")


def show_rolled_back(console: Console, plan: Rollback, wrong: Sequence[str]) -> None:
    """How it went."""
    kept = "" if plan.before is None else f"; what it said is in {plan.path.name}.old"
    _say(console, f"{plan.path} is written{kept}")
    if wrong:
        _say(console, f"read again, these settings are not those of version {plan.version.number}: {', '.join(wrong)}")
    else:
        _say(console, f"read again: {len(plan.restored)} settings are those of version {plan.version.number}")
        _say(console, "start processes again, for what runs goes on with what it has")


def _faults(console: Console, faults: Sequence[str]) -> None:
    for fault in faults:
        _say(console, f"skipped {fault}")


def _problems(console: Console, problems: Mapping[str, str]) -> None:
    if problems:
        _say(console, "the settings are wrong now, and no process begins with them:")
        for name, problem in problems.items():
            _say(console, f"  {name}: {problem}")


def _say(console: Console, sentence: str) -> None:
    console.print(plain(sentence), soft_wrap=True)


def _when(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}"

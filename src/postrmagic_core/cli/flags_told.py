"""Flags and their changes as tables, sentences and JSON."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

from .words import plain, span

if TYPE_CHECKING:
    from ..flags import Explanation, Flag, Rule
    from ..security.access import AuditEntry

_FEW = 5


def listed(found: Sequence[Flag], now: datetime) -> Table:
    """One line a flag."""
    table = Table(Column("flag", no_wrap=True), "state", "from", Column("changed", no_wrap=True), "by", "note")
    for flag in found:
        age = "" if flag.changed_at is None else span((now - flag.changed_at).total_seconds())
        origin = plain(flag.source)
        if flag.fault:
            origin.append(": its row cannot be read", style="bold red")
        rule = plain(sentence(flag.rule))
        table.add_row(plain(flag.name), rule, origin, age, plain(flag.changed_by or ""), plain(flag.rule.note))
    return table


def described(flag: Flag, changes: Sequence[AuditEntry], now: datetime) -> RenderableType:
    """A flag, all who are named, and what was changed."""
    rule = flag.rule
    lines = [f"{flag.name} is {sentence(rule, many=True)}", f"from: {flag.source}"]
    if flag.configured is not None and flag.source == "database":
        lines.append(f"settings say: {sentence(flag.configured, many=True)}")
    if flag.fault:
        lines.append(f"its row in the database cannot be read: {flag.fault}")
    if rule.note:
        lines.append(f"note: {rule.note}")
    told = Text("\n").join(map(plain, lines))
    if not changes:
        return told
    table = Table(
        Column("age", no_wrap=True), "by", "action", Column("old", overflow="fold"), Column("new", overflow="fold")
    )
    for entry in changes:
        age = span((now - entry.recorded_at).total_seconds())
        rules = (_changed(entry.detail.get(which)) for which in ("old", "new"))
        table.add_row(age, *map(plain, (entry.actor or "nobody", entry.action, *rules)))
    return Group(told, table)


def _changed(rule: object) -> str:
    return "as settings say" if rule is None else json.dumps(rule)


def sentence(rule: Rule, *, many: bool = False) -> str:
    """For whom it is on, in words; ``many``: with all names, however many."""
    share = "everybody" if rule.percent == 100 else f"{rule.percent:g} % of users" if rule.percent else ""
    parts = [share, _named("role", rule.roles, many), _named("user", rule.users, many)]
    on = ", ".join(part for part in parts if part)
    off = _named("user", rule.off_for, many)
    return (f"on for {on}" if on else "off for all") + (f"; off for {off}" if off else "")


def _named(what: str, names: Collection[str], many: bool) -> str:
    told = sorted(names) if many else sorted(names)[:_FEW]
    if not told:
        return ""
    rest = f" and {len(names) - len(told)} more" if len(names) > len(told) else ""
    return f"{what}{'s' if len(names) > 1 else ''} {', '.join(told)}{rest}"


def explained(explanation: Explanation) -> Text:
    """The decision, coloured."""
    text = plain(str(explanation))
    text.stylize("green" if explanation.on else "bold red")
    return text


def flag_as_json(flag: Flag) -> dict[str, Any]:
    """What programs are told of a flag; rules as settings have them."""
    return {
        "name": flag.name,
        "rule": flag.rule.as_json(),
        "source": flag.source,
        "configured": None if flag.configured is None else flag.configured.as_json(),
        "changed_at": flag.changed_at,
        "changed_by": flag.changed_by,
        "fault": flag.fault,
    }


def explanation_as_json(explanation: Explanation) -> dict[str, Any]:
    """What programs are told of a decision."""
    return {
        "name": explanation.name,
        "user": explanation.user_id,
        "on": explanation.on,
        "reason": explanation.reason,
        "because": explanation.because,
        "bucket": explanation.bucket,
        "source": explanation.source,
        "rule": None if explanation.rule is None else explanation.rule.as_json(),
    }

"""Alerts, rules and silences as tables and as plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

from rich.table import Column, Table
from rich.text import Text

from ..observability.alerts import Alert, Silence
from ..observability.alerts.interface import Change, Undelivered
from ..observability.alerts.rules import Absence, Expression, RateOfChange, Rule, Threshold
from .words import plain, span

_COLOURS = {"critical": "bold red", "warning": "yellow", "info": "blue"}


def listed(found: Sequence[Alert], now: datetime) -> Table:
    """One line an alert."""
    table = Table(
        Column("alert", no_wrap=True),
        "state",
        "severity",
        Column("since", no_wrap=True),
        Column("what", overflow="fold"),
        Column("told", overflow="fold"),
    )
    for alert in found:
        table.add_row(
            plain(alert.id),
            Text(alert.state, style="bold" if alert.state == "firing" else "dim"),
            Text(alert.severity, style=_COLOURS[alert.severity]),
            span((now - alert.since).total_seconds()),
            _what(alert.rule, alert.summary, alert.labels),
            plain(_standing(alert)),
        )
    return table


def changed(found: Sequence[Change]) -> Table:
    """One line a change."""
    table = Table(Column("when, UTC", no_wrap=True), "became", "severity", Column("what", overflow="fold"), "by")
    for change in found:
        table.add_row(
            f"{change.at:%Y-%m-%d %H:%M:%S}",
            change.became,
            Text(change.severity, style=_COLOURS[change.severity]),
            _what(change.rule, change.summary, change.labels),
            plain(change.by),
        )
    return table


def ruled(found: Sequence[Rule]) -> Table:
    """One line a rule."""
    table = Table(Column("rule", overflow="fold"), "severity", Column("broken while", overflow="fold"), "for", "tells")
    for one in found:
        table.add_row(
            plain(one.name),
            Text(one.severity, style=_COLOURS[one.severity]),
            plain(f"{_of(one)} {_condition(one)}"),
            span(one.for_),
            plain(", ".join(one.channels) or "all"),
        )
    return table


def rule(one: Rule) -> dict[str, Any]:
    """A rule, as programs are told."""
    told = {field.name.rstrip("_"): getattr(one, field.name) for field in fields(one)}
    return told | {"of": _of(one), "kind": type(one).__name__}


def silenced(found: Sequence[Silence]) -> Table:
    """One line a silence."""
    table = Table(
        Column("silence", no_wrap=True),
        Column("until, UTC", no_wrap=True),
        Column("what", overflow="fold"),
        "by",
        "why",
    )
    for one in found:
        about = _what(one.rule or "any rule", "", one.labels)
        table.add_row(plain(one.id), f"{one.until:%Y-%m-%d %H:%M:%S}", about, plain(one.by), plain(one.comment))
    return table


def lost(found: Sequence[Undelivered]) -> Table:
    """One line a notification."""
    table = Table(Column("when, UTC", no_wrap=True), "channel", Column("what", overflow="fold"), "tries", "why")
    for one in found:
        table.add_row(
            f"{one.created_at:%Y-%m-%d %H:%M:%S}",
            plain(one.channel),
            plain(one.title),
            str(one.attempts),
            plain(one.error),
        )
    return table


def _what(rule: str, summary: str, labels: Mapping[str, str]) -> Text:
    told = plain(f"{rule}: {summary}" if summary and summary != rule else rule)
    for name, value in sorted(labels.items()):
        told.append_text(Text(f"\n{plain(name)}={plain(value)}", style="dim"))
    return told


def _standing(alert: Alert) -> str:
    parts = [", ".join(alert.channels)] if alert.channels else []
    if alert.silenced:
        parts.append("silenced")
    if alert.flapping:
        parts.append("flapping")
    if alert.acknowledged_by:
        parts.append(f"{alert.acknowledged_by} looks at it")
    return "; ".join(parts)


def _of(one: Rule) -> str:
    return str(one.of) if isinstance(one.of, Expression) else getattr(one.of, "__qualname__", "a callable")


def _condition(one: Rule) -> str:
    if isinstance(one, Threshold):
        return f"> {one.above:g}" if one.above is not None else f"< {one.below:g}"
    if isinstance(one, RateOfChange):
        by = f"{one.by:+.0%}" if one.share else f"{one.by:+g}"
        return f"changes by more than {by} within {span(one.within)}"
    return "is absent" if isinstance(one, Absence) else ""

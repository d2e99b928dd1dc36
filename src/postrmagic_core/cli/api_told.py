"""Changes, differences and operations of an API as tables and JSON."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from ..api.compare import RULES, Change, Verdict
from .words import plain

_COLOURS = {"breaking": "bold red", "additive": "green", "neutral": "dim"}
_LINES = 40


@dataclass(frozen=True, slots=True)
class Route:
    """One operation: ``access`` says which credentials are enough."""

    method: str
    path: str
    access: str
    summary: str

    @classmethod
    def of(cls, method: str, path: str, told: Mapping[str, Any], document: Mapping[str, Any]) -> Route:
        """What a document says of one operation."""
        ways = told.get("security", document.get("security")) or [{}]
        access = told.get("x-access") or " or ".join(" and ".join(sorted(way)) or "public" for way in ways)
        return cls(method, path, str(access), str(told.get("summary", "")))


def listed(routes: Sequence[Route]) -> Table:
    """One line an operation."""
    table = Table("method", Column("path", overflow="fold"), "access", "summary")
    for route in routes:
        table.add_row(*map(plain, (route.method, route.path, route.access, route.summary)))
    return table


def route_as_json(route: Route) -> dict[str, str]:
    """What programs are told of an operation."""
    return asdict(route)


def show(console: Console, changes: Sequence[Change], verdict: Verdict) -> None:
    """Print what changed, one line a change, and what fails."""
    if changes:
        table = Table("kind", "code", Column("place", overflow="fold"), "what", "for clients")
        failing = set(verdict.unreviewed)
        for change in changes:
            kind = "reviewed" if change.kind == "breaking" and change not in failing else change.kind
            cells = map(plain, (change.code, change.place, change.words, RULES[change.code].meaning))
            table.add_row(Text(kind, style=_COLOURS.get(kind, "yellow")), *cells)
        console.print(table)
    else:
        console.print("nothing changed that clients may notice")
    for stale in verdict.stale:
        words = f"stale: {stale.code} at {stale.place} is reviewed and is no breaking change: remove the entry"
        console.print(plain(words), style="bold red", soft_wrap=True)
    if verdict.unreviewed:
        words = f"{len(verdict.unreviewed)} breaking changes are not reviewed: undo them, or add entries to the reviews"
        console.print(Text(words, style="bold red"), soft_wrap=True)


def comparison_as_json(changes: Sequence[Change], verdict: Verdict) -> dict[str, Any]:
    """What programs are told of a comparison."""
    return {
        "passes": verdict.passes,
        "changes": [asdict(change) for change in changes],
        "unreviewed": [asdict(change) for change in verdict.unreviewed],
        "stale": [asdict(entry) for entry in verdict.stale],
    }


def show_difference(console: Console, there: str, wanted: str, name: str, source: str) -> None:
    """Print the lines in which a file differs from what it should hold, the first ones if they are many."""
    lines = list(difflib.unified_diff(there.splitlines(), wanted.splitlines(), name, source, lineterm="", n=2))
    styles = {"+": "green", "-": "red", "@": "cyan"}
    for line in lines[:_LINES]:
        text = plain(line)
        text.stylize(styles.get(line[:1], ""))
        console.print(text, soft_wrap=True)
    if len(lines) > _LINES:
        console.print(f"… and {len(lines) - _LINES} more lines", soft_wrap=True)

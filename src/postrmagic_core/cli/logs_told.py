"""Records, stories and counts of the log as lines, trees and bars."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import typer
from rich.console import Group, RenderableType
from rich.table import Column, Table
from rich.text import Text
from rich.tree import Tree

from ..log.render import console, escaped
from ..log.search import Branch, Message, Stats, Story
from ..log.search.interface import Buckets
from .words import plain

COLOURS: Mapping[str, str] = {
    "debug": "dim",
    "info": "green",
    "warning": "yellow",
    "error": "red",
    "critical": "bold red",
}
_BARS = "▁▂▃▄▅▆▇█"
_WIDTH = 40
_HIDDEN = {"ts", "level", "logger", "event", "service", "release", "exception", "stack"}
_IN_TREE = _HIDDEN | {"trace_id", "span_id", "parent_id", "request_id", "job_id", "duration_ms", "name", "kind", "task"}
_FIELDS = 6
_SHORT = 80


def show(record: Mapping[str, Any], *, as_json: bool) -> None:
    """One record: a line of JSON, or a line for people, in colour on a terminal."""
    if as_json:
        typer.echo(json.dumps(record, ensure_ascii=True, separators=(",", ":")))
        return
    colour = sys.stdout.isatty()
    day = str(record.get("ts", ""))[:10]
    line = console(colour)(record).decode()
    typer.echo(f"{escaped(day)} {line}" if day else line, color=colour)


def histogram(buckets: Buckets) -> RenderableType:
    """Each span as a bar, by level, the greatest across the whole width; runs of empty ones as one line."""
    most = max((sum(levels.values()) for _, levels in buckets), default=0)
    total = sum(sum(levels.values()) for _, levels in buckets)
    if not most:
        return Text("no record", style="dim")
    table = Table(Column("from (UTC)", no_wrap=True), Column("records", justify="right"), "", box=None, pad_edge=False)
    empty = False
    for at, levels in buckets:
        count = sum(levels.values())
        if not count:
            if not empty:
                table.add_row("…", "", "")
            empty = True
            continue
        empty = False
        table.add_row(f"{at:%Y-%m-%d %H:%M:%S}", str(count), _bar(levels, most))
    return Group(table, Text(f"{total} records", style="dim"))


def _bar(levels: Mapping[str, int], most: int) -> Text:
    bar = Text()
    for name, count in levels.items():
        bar.append("█" * max(1, round(count * _WIDTH / most)), style=COLOURS.get(name, "white"))
    return bar


def stats(found: Stats) -> RenderableType:
    """How much, by level, when; the most frequent messages, and those that are new."""
    span = f"{found.since:%Y-%m-%d %H:%M} to {found.until:%Y-%m-%d %H:%M} UTC"
    parts: list[RenderableType] = [Text(f"{found.total} records, {span}", style="bold")]
    if found.total or found.before:
        levels = Table(Column("level"), *(Column(name, justify="right") for name in ("records", "before")), "over time")
        for name in dict.fromkeys([*found.levels, *found.before]):
            series = [each.get(name, 0) for _, each in found.rates]
            levels.add_row(
                Text(escaped(name), style=COLOURS.get(name, "")),
                str(found.levels.get(name, 0)),
                str(found.before.get(name, 0)),
                sparkline(series),
            )
        parts.append(levels)
    if found.messages:
        parts += [Text("\nMost frequent:", style="dim"), _messages(found.messages)]
    if found.new:
        parts += [Text("\nNew since the span before:", style="dim"), _messages(found.new)]
    return Group(*parts)


def _messages(messages: Sequence[Message]) -> Table:
    table = Table(Column("records", justify="right"), Column("before", justify="right"), "level", "event", "logger")
    for one in messages:
        level = Text(escaped(one.level), style=COLOURS.get(one.level, ""))
        table.add_row(str(one.count), str(one.before), level, plain(one.event), plain(one.logger))
    return table


def sparkline(counts: Sequence[int]) -> str:
    """Counts as blocks, each in proportion to the greatest; a space where there is none."""
    most = max(counts, default=0)
    return "".join(_BARS[(count * len(_BARS) - 1) // most] if count else " " for count in counts)


def story(found: Story) -> RenderableType:
    """What happened, when, and how long it took, in what it happened in."""
    began = "" if found.began is None else f", from {found.began:%Y-%m-%d %H:%M:%S.%f} UTC"
    head = Text(f"{found.records} records in {_time(found.seconds)}{began}", style="bold")
    tree = Tree(head, guide_style="dim")
    for name, ids in found.ids.items():
        head.append(f"\n{name} ", style="dim").append(plain(", ".join(ids)))
    if not found.complete:
        head.append("\nolder records were left out", style="yellow")
    _grow(tree, found.branches, 0)
    return tree


def _grow(tree: Tree, branches: Sequence[Branch], depth: int) -> None:
    if depth > _SHORT:  # deeper than anyone reads, and than a hostile line may lead
        tree.add(Text("…", style="dim"))
        return
    for branch in branches:
        _grow(tree.add(_line(branch)), branch.branches, depth + 1)


def _line(branch: Branch) -> Text:
    line = Text(f"+{_time(branch.offset)} ", style="dim")
    style = COLOURS.get(branch.level, "") if branch.level in ("warning", "error", "critical") else ""
    name = branch.name or str(branch.record.get(f"{branch.kind}_id", ""))
    if branch.kind != "line":
        line.append(f"{branch.kind} ", style="cyan")
    line.append_text(Text(escaped(name), style=style or ("bold" if branch.kind != "line" else "")))
    if branch.seconds is not None:
        line.append(f" {_time(branch.seconds)}", style="magenta")
    error = branch.record.get("exception")
    if isinstance(error, dict):
        line.append(escaped(f" {error.get('type')}: {str(error.get('message'))[:_SHORT]}"), style="red")
    fields = [(key, value) for key, value in branch.record.items() if key not in _IN_TREE]
    for key, value in fields[:_FIELDS]:
        text = value if isinstance(value, str) else json.dumps(value)
        line.append(escaped(f" {key}={text[:_SHORT]}"), style="dim")
    return line


def _time(seconds: float) -> str:
    if seconds < 1:
        return f"{seconds * 1000:.1f}ms"
    return f"{seconds:.2f}s" if seconds < 120 else f"{seconds / 60:.1f}min"

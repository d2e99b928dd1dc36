"""Events and their deliveries as tables, trees and JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rich.console import RenderableType
from rich.table import Column, Table
from rich.text import Text
from rich.tree import Tree

from .words import plain, span

if TYPE_CHECKING:
    from ..events import Delivery, EventRecord

_COLOURS = {"waiting": "cyan", "queued": "blue", "done": "green", "dead": "bold red"}


def listed(found: Sequence[EventRecord], now: datetime) -> Table:
    """One line an event."""
    table = Table(
        Column("id", no_wrap=True), Column("event", overflow="fold"), Column("age", no_wrap=True), "deliveries"
    )
    for record in found:
        age = span((now - record.occurred_at).total_seconds())
        table.add_row(plain(record.id), plain(record.type), age, _summary(record))
    return table


def described(record: EventRecord, fields: Mapping[str, object], now: datetime) -> RenderableType:
    """Everything that is known of one; ``fields`` where they are wanted."""
    tree = Tree(plain(f"{record.type} {record.id}"))
    tree.add(f"{span((now - record.occurred_at).total_seconds())} ago, {record.occurred_at:%Y-%m-%d %H:%M:%S} UTC")
    tree.add(plain(f"caused by {record.causation_id}" if record.causation_id else "caused by no other event"))
    if fields:
        branch = tree.add("fields")
        for name, value in fields.items():
            branch.add(plain(f"{name} = {value!r}"))
    deliveries = tree.add("deliveries" if record.deliveries else "heard by no durable listener")
    for each in record.deliveries:
        deliveries.add(_delivery(each, now))
    return tree


def chained(found: Sequence[EventRecord]) -> RenderableType:
    """A chain of events: each below the one that caused it, or at the top if that is not known any more."""
    root = Tree("", hide_root=True)
    nodes: dict[str, Tree] = {}
    for record in found:
        below = nodes.get(record.causation_id or "", root)
        line = Text.assemble(plain(record.type), " ", (record.id, "dim"), "  ", _summary(record))
        nodes[record.id] = below.add(line)
    return root


def as_json(record: EventRecord) -> dict[str, Any]:
    """What programs are told."""
    told = asdict(record)
    for shown, each in zip(told["deliveries"], record.deliveries, strict=True):
        shown["state"] = each.state
    return told


def _summary(record: EventRecord) -> Text:
    counts = Counter(each.state for each in record.deliveries)
    parts = [(f"{count} {state}", _COLOURS[state]) for state, count in sorted(counts.items())]
    return Text(", ").join(Text(text, style=style) for text, style in parts) if parts else Text("none", style="dim")


def _delivery(each: Delivery, now: datetime) -> Text:
    line = Text.assemble(plain(each.listener), ": ", (each.state, _COLOURS[each.state]))
    since = each.done_at or each.dead_at
    if since is not None:
        line.append(f" {span((now - since).total_seconds())} ago")
    if each.error is not None:
        line.append_text(plain(f" ({each.error})"))
    if each.job_id:
        line.append_text(Text(f"  job {each.job_id}", style="dim"))
    return line

"""Groups of errors as tables, texts and JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

from ..observability.errors import Change, ErrorGroup
from .words import plain, span

_COLOURS = {"new": "bold red", "regressed": "bold magenta", "resolved": "green", "ignored": "dim"}
_BARS = "▁▂▃▄▅▆▇█"

# What leads on from an error, and where to.
_LEADS = {
    "request_id": "in the log, and in the answer's X-Request-ID",
    "trace_id": "in the log, and among the traces",
    "job_id": "postrmagic jobs show {}",
    "event_id": "postrmagic events show {}",
}
_ELSEWHERE = {"ts", "level", "logger", "event", "exception", *_LEADS}


def bars(counts: Sequence[int]) -> str:
    """Counts as a line of blocks, each in proportion to the greatest; a space where there is none."""
    most = max(counts, default=0)
    return "".join(_BARS[(count * len(_BARS) - 1) // most] if count else " " for count in counts)


def listed(found: Sequence[ErrorGroup], hours: Mapping[str, Sequence[int]], now: datetime) -> Table:
    """One line a group."""
    table = Table(
        Column("error", no_wrap=True),
        "state",
        Column("count", justify="right"),
        Column("last", no_wrap=True),
        Column("24 hours", no_wrap=True),
        Column("what", overflow="fold"),
        Column("where", overflow="fold"),
    )
    for group in found:
        table.add_row(
            plain(group.fingerprint),
            Text(group.state, style=_COLOURS[group.state]),
            str(group.count),
            span((now - group.last_seen_at).total_seconds()),
            bars(hours[group.fingerprint]),
            _what(group),
            plain(group.place),
        )
    return table


def described(group: ErrorGroup, hours: Sequence[int], now: datetime) -> RenderableType:
    """Everything that is known of one."""
    about = Table.grid(padding=(0, 2))
    for name, value in _facts(group, hours, now):
        about.add_row(Text(name, style="dim"), value)
    parts: list[RenderableType] = [Text.assemble(_what(group), style="bold"), about]
    sample = group.sample or {}
    error = sample.get("exception")
    if isinstance(error, dict):
        parts += [Text("\nThe newest:", style="dim"), *(Text("  ").append_text(line) for line in _traceback(error))]
    fields = [(name, value) for name, value in sample.items() if name not in _ELSEWHERE]
    if fields:
        parts.append(Text("\nFields:", style="dim"))
        parts += [plain(f"  {name} = {value!r}") for name, value in fields]
    leads = [(name, str(sample[name])) for name in _LEADS if sample.get(name)]
    if leads:
        parts.append(Text("\nIt leads on by:", style="dim"))
        parts += [plain(f"  {name} {value}  ({_LEADS[name].format(value)})") for name, value in leads]
    return Group(*parts)


def as_json(group: ErrorGroup, hours: Sequence[int]) -> dict[str, Any]:
    """What programs are told; the sample and the changes apart."""
    told = asdict(group) | {"hours": list(hours), "cursor": group.cursor}
    del told["sample"], told["changes"]
    return told


def changes(group: ErrorGroup) -> list[dict[str, Any]]:
    """Who changed what, as programs are told."""
    return [asdict(change) for change in group.changes]


def _facts(group: ErrorGroup, hours: Sequence[int], now: datetime) -> Iterator[tuple[str, RenderableType]]:
    yield "error", plain(group.fingerprint)
    yield "state", Text(group.state, style=_COLOURS[group.state])
    yield "count", Text(f"{group.count}, the last 24 hours |{bars(hours)}|")
    for name, at, release in (
        ("first", group.first_seen_at, group.first_release),
        ("last", group.last_seen_at, group.last_release),
    ):
        when = f"{at:%Y-%m-%d %H:%M:%S} UTC, {span((now - at).total_seconds())} ago"
        yield name, plain(f"{when}, in release {release}" if release else when)
    yield "where", plain(group.place)
    yield "logger", plain(f"{group.logger} of {group.service}" if group.service else group.logger)
    event = (group.sample or {}).get("event")
    if event:
        yield "logged as", plain(event)
    for change in group.changes:
        yield "changed", plain(_change(change))


def _change(change: Change) -> str:
    told = f"{change.at:%Y-%m-%d %H:%M:%S} UTC {change.state}"
    if change.release:
        told += f" in {change.release}"
    if change.until is not None:
        told += f" until {change.until:%Y-%m-%d %H:%M:%S} UTC"
    if change.more is not None:
        told += f" for {change.more} more"
    return f"{told}, by {change.by or 'nobody: it was seen again'}"


def _what(group: ErrorGroup) -> Text:
    return plain(f"{group.type}: {group.message}" if group.type else group.message)


def _traceback(error: Mapping[str, Any]) -> Iterator[Text]:
    """The lines of an exception as the log describes it; what is not as expected is left out."""
    for frame in _list(error.get("frames")):
        if isinstance(frame, dict):
            yield plain(f"{frame.get('file')}:{frame.get('line')} in {frame.get('function')}")
    message = str(error.get("message", ""))
    for number, line in enumerate(message.splitlines()[:20] or [""]):
        yield plain(line if number else f"{error.get('type')}: {line}")
    for note in _list(error.get("notes")):
        yield plain(f"note: {note}")
    for inner in _list(error.get("errors")):
        if isinstance(inner, dict):
            yield from (Text("  ").append_text(line) for line in _traceback(inner))
    cause = error.get("cause")
    if isinstance(cause, dict):
        yield Text("caused by", style="dim")
        yield from (Text("  ").append_text(line) for line in _traceback(cause))


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []

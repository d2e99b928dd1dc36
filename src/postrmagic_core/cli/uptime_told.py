"""Probes, hours and outages as tables, rows of blocks and JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from itertools import groupby
from typing import Any

from rich.table import Column, Table
from rich.text import Text

from ..observability.uptime import Check, Hour, Outage, ProbeStatus
from .words import plain, span

# Told apart without colours too. Of an hour: all of it up, some of it down, most of it, nothing known.
_WELL, _SOME, _MOST, _NOTHING = ("█", "green"), ("▅", "yellow"), ("▂", "red"), ("·", "dim")


def blocks(hours: Iterable[Hour]) -> Text:
    """A block for each hour: high where it was up, low where it was down, a dot where nobody looked."""
    return Text.assemble(*(_block(hour.availability) for hour in hours))


def _block(availability: float | None) -> tuple[str, str]:
    if availability is None:
        return _NOTHING
    return _WELL if availability >= 1 else _SOME if availability >= 0.5 else _MOST


def percent(share: float | None) -> str:
    """A share as hundredths, never rounded up to all of it; a dash where nothing is known."""
    if share is None:
        return "-"
    return "100%" if share >= 1 else f"{int(share * 100_000) / 1000:.3f}%"


def listed(found: Sequence[ProbeStatus], hours: Mapping[str, Sequence[Hour]], now: datetime) -> Table:
    """One line a probe."""
    table = Table(
        Column("probe", no_wrap=True),
        "is",
        Column("for", no_wrap=True, justify="right"),
        Column("24 hours", no_wrap=True),
        Column("day", no_wrap=True, justify="right"),
        Column("30 days", no_wrap=True, justify="right"),
        Column("known", no_wrap=True, justify="right"),
        Column("last", no_wrap=True, justify="right"),
        Column("what", overflow="fold"),
    )
    for one in found:
        table.add_row(
            plain(one.name),
            _state(one),
            "-" if one.since is None or one.up is None else span((now - one.since).total_seconds()),
            blocks(hours[one.name]),
            percent(one.availability_day),
            percent(one.availability_month),
            percent(one.known_month),
            "-" if one.last_at is None else f"{one.last_ms or 0:.0f} ms, {_ago(one.last_at, now)}",
            plain(_what(one, now)),
        )
    return table


def days(found: Sequence[Hour]) -> Table:
    """One line a day, the hours that were not asked for left out."""
    table = Table(
        Column("day", no_wrap=True),
        Column("0           12         23", no_wrap=True),
        Column("up", no_wrap=True, justify="right"),
        Column("down", no_wrap=True, justify="right"),
        Column("failed", no_wrap=True, justify="right"),
        Column("mean", no_wrap=True, justify="right"),
        Column("most", no_wrap=True, justify="right"),
    )
    for day, those in groupby(found, key=lambda hour: hour.at.date()):
        hours = list(those)
        known, down = sum(hour.known for hour in hours), sum(hour.down for hour in hours)
        checks = sum(hour.checks for hour in hours)
        mean = sum((hour.mean_ms or 0) * hour.checks for hour in hours) / checks if checks else None
        table.add_row(
            day.isoformat(),
            Text(" " * hours[0].at.hour).append_text(blocks(hours)),
            percent(None if known <= 0 else max(0.0, 1 - down / known)),
            span(down) if down else "",
            f"{sum(hour.failed for hour in hours)} of {checks}" if checks else "",
            "" if mean is None else f"{mean:.0f} ms",
            f"{max(hour.most_ms or 0 for hour in hours):.0f} ms" if checks else "",
        )
    return table


def outages(found: Sequence[Outage], now: datetime) -> Table:
    """One line an outage."""
    table = Table(
        Column("probe", no_wrap=True),
        Column("began (UTC)", no_wrap=True),
        Column("for", no_wrap=True, justify="right"),
        Column("why", overflow="fold"),
    )
    for one in found:
        still = one.ended is None
        seconds = (now - one.began).total_seconds() if one.seconds is None else one.seconds
        told = Text(f"{span(seconds)}, still" if still else span(seconds), style="bold red" if still else "")
        table.add_row(plain(one.probe), f"{one.began:%Y-%m-%d %H:%M:%S}", told, plain(one.reason))
    return table


def checked(found: Mapping[str, Check], targets: Mapping[str, str]) -> Table:
    """One line a look."""
    table = Table(
        Column("probe", no_wrap=True), "found", Column("took", no_wrap=True, justify="right"), "what", "where"
    )
    for name, one in found.items():
        state = Text("well", style="green") if one.ok else Text("failed", style="bold red")
        table.add_row(plain(name), state, f"{one.ms:.0f} ms", plain(one.error), plain(targets[name]))
    return table


def as_json(one: ProbeStatus, hours: Sequence[Hour]) -> dict[str, Any]:
    """What programs are told of a probe; ``hours``: the share of each of the last 24 in which it was up."""
    return asdict(one) | {"hours": [hour.availability for hour in hours]}


def hour_as_json(hour: Hour) -> dict[str, Any]:
    """What programs are told of an hour."""
    return asdict(hour) | {"availability": hour.availability}


def outage_as_json(one: Outage) -> dict[str, Any]:
    """What programs are told of an outage."""
    return asdict(one) | {"seconds": one.seconds}


def check_as_json(name: str, one: Check) -> dict[str, Any]:
    """What programs are told of a look."""
    return {"probe": name, "ok": one.ok} | asdict(one)


def _state(one: ProbeStatus) -> Text:
    if one.up is None:
        return Text("unknown", style="yellow")
    return Text("up", style="green") if one.up else Text("down", style="bold red")


def _ago(at: datetime, now: datetime) -> str:
    return f"{span((now - at).total_seconds())} ago"


def _what(one: ProbeStatus, now: datetime) -> str:
    told = [one.target]
    if one.last_error:
        told.append(one.last_error)
    if one.expires_at is not None:
        told.append(f"certificate for {max(0, (one.expires_at - now).days)} days")
    if one.mean_recovery_seconds is not None:
        told.append(f"recovers in {span(one.mean_recovery_seconds)}")
    return ", ".join(told)

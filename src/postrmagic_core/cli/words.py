"""Durations and foreign text, as a terminal shows them and as people type them; and what programs are told."""

from __future__ import annotations

import getpass
import json
import re
from dataclasses import asdict, is_dataclass
from datetime import datetime

import typer
from rich.console import Console
from rich.text import Text

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
# Further back or ahead of now there is no date on which anything could lie.
_LONGEST = 36_525 * 86_400.0


def duration(text: str) -> float:
    """The seconds that somebody typed, as ``90s`` or ``7d``; what is no duration is a usage error."""
    found = re.fullmatch(r"(\d+)([smhd])", text)
    if found is None:
        raise typer.BadParameter(f"expected a number with its unit, as 90s, 30m, 12h or 7d; got {text!r}")
    seconds = float(found[1]) * _UNITS[found[2]]
    if seconds > _LONGEST:
        raise typer.BadParameter(f"expected a hundred years at most; got {text[:40]!r}")
    return seconds


def span(seconds: float) -> str:
    """Seconds in the greatest unit that fits, rounded down."""
    name, unit = next(((name, unit) for name, unit in reversed(_UNITS.items()) if seconds >= unit), ("s", 1))
    return f"{int(max(0, seconds) // unit)}{name}"


def plain(value: object) -> Text:
    """What an application chose, as a terminal may safely show it: no markup, no control characters, ISO 8601."""
    text = value.isoformat() if isinstance(value, datetime) else str(value)
    return Text(text if text.isprintable() else ascii(text)[1:-1])


def operator() -> str:
    """Who is logged in on this machine, as the audit log names whoever gives a command."""
    try:
        return f"cli:{getpass.getuser()}"[:100]
    except (KeyError, OSError):  # a container's user may have no name
        return "cli"


def refused(sentence: str) -> typer.Exit:
    """The end of a command that did not do what was asked; raise it."""
    Console(stderr=True).print(plain(sentence), style="red", soft_wrap=True)
    return typer.Exit(1)


def print_json(value: object) -> None:
    """Answer a program in JSON: a dataclass by its names, instants as ISO 8601, the ``repr`` of anything else."""
    typer.echo(json.dumps(value, indent=2, default=_written))


def _written(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else repr(value)

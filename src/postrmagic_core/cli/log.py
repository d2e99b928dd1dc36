"""``postrmagic log``: what the log of running processes tells."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from .._clock import SystemClock, from_us
from ..log.levels import LEVELS_FILE, Override, changing, read_levels
from .application import AsJson
from .words import duration, plain, print_json, refused

log = typer.Typer(help="The log of running processes.", no_args_is_help=True)

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


@log.callback()
def _group() -> None:
    """The log of running processes."""


@log.command()
def level(
    logger: Annotated[str | None, typer.Argument(help="The logger, with all below it; `root`: every logger.")] = None,
    to: Annotated[
        str | None, typer.Argument(metavar="LEVEL", help="Its lowest level from now on: DEBUG, INFO, WARNING, ERROR.")
    ] = None,
    lasts: Annotated[
        Any, typer.Option("--for", parser=duration, metavar="DURATION", help="Until then: 90s, 10m, 2h. Default: 1h.")
    ] = None,
    reset: Annotated[bool, typer.Option("--reset", help="As configured again: the logger, or all of them.")] = False,
    as_json: AsJson = False,
) -> None:
    """Give a logger another level in every running process of this data directory, within a second or two.

    Without arguments it lists what is given now. A file in the data directory says it to the processes.
    """
    path = _file()
    try:
        if reset or to is not None:
            _change(path, logger, to, lasts, reset)
        found = _present(path)
    except (OSError, ValueError) as error:
        raise refused(f"{path} cannot be used: {error}") from error
    if as_json:
        print_json({name: {"level": one.level, "until": _until(one)} for name, one in found.items()})
    elif found:
        Console().print(_table(found))
    else:
        Console().print("every logger has the level that is configured")


def _change(path: Path, logger: str | None, to: str | None, lasts: float | None, reset: bool) -> None:
    if reset and (to is not None or lasts is not None):
        raise typer.BadParameter("--reset takes no level and no duration")
    wanted = to.upper() if to is not None else None
    if wanted is not None and wanted not in LEVELS:
        raise typer.BadParameter(f"{to!r} is none of {', '.join(LEVELS)}")
    now = SystemClock().now_us()
    with changing(path) as overrides:
        for name in [name for name, one in overrides.items() if not one.holds(now) or (reset and logger is None)]:
            del overrides[name]
        if logger is not None and reset:
            overrides.pop(logger, None)
        elif logger is not None and wanted is not None:
            overrides[logger] = Override(wanted, now + int((3600.0 if lasts is None else lasts) * 1e6))


def _present(path: Path) -> dict[str, Override]:
    now = SystemClock().now_us()
    return {name: one for name, one in sorted(read_levels(path).items()) if one.holds(now)}


def _file() -> Path:
    from ..settings import Settings

    return Settings().stack.data_dir / LEVELS_FILE


def _until(one: Override) -> Any:
    return None if one.until is None else from_us(one.until)


def _table(found: dict[str, Override]) -> Table:
    table = Table("logger", "level", "until")
    for name, one in found.items():
        table.add_row(plain(name), plain(one.level), plain(_until(one) or "it is reset"))
    return table

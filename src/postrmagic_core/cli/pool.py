"""``postrmagic db pool``: who holds which connection of the configured database, in every process, as it changes."""

from __future__ import annotations

import time
from typing import Annotated

import typer
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ..database.window import PoolReport, ProcessReport, look
from ..settings import Settings
from .words import print_json

_SHOWN = 5


def pool(
    once: Annotated[bool, typer.Option("--once", help="Show it once, and stop.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Once, as JSON.")] = False,
    interval: Annotated[float, typer.Option(min=0.1, help="Seconds between two looks.")] = 1.0,
) -> None:
    """Show the pools of every process on the configured database: who holds a connection, where, since when.

    It asks the processes of this user on this machine, which answer only when asked. Stop it with Ctrl-C. `in use` and
    `capacity` are connections; `wait` and `hold` are the seconds that 95 of 100 stayed below since the process began.
    """
    from .._sql import open_backend

    database_id = open_backend(Settings().database_url()).database_id()
    found = look(database_id)
    if as_json:
        print_json(found)
        return
    if not found and once:
        Console(stderr=True).print(_nobody(database_id), highlight=False, soft_wrap=True)
        raise typer.Exit(1)
    if once:
        Console().print(_table(found))
        return
    with Live(auto_refresh=False, screen=False) as live:
        try:
            while True:
                live.update(_table(found) if found else _nobody(database_id), refresh=True)
                time.sleep(interval)
                found = look(database_id)
        except KeyboardInterrupt:
            return


def _nobody(database_id: str) -> Text:
    return Text(f"no process of this user on this machine has connections to {database_id} open")


def _table(found: list[ProcessReport]) -> Table:
    table = Table("process", "pool", "in use", "capacity", "waiting", "wait", "hold", "held longest by")
    for report in found:
        for told in report.pools:
            table.add_row(*_row(report, told))
    return table


def _row(report: ProcessReport, told: PoolReport) -> list[Text]:
    state = told.pool
    full = "bold red" if state.waiting or state.in_use == state.capacity else ""
    holders = "\n".join(str(holder) for holder in state.holders[:_SHOWN])
    more = len(state.holders) - _SHOWN
    return [
        Text(f"{report.pid} {report.command}", overflow="ellipsis", no_wrap=True),
        Text(state.role),
        Text(str(state.in_use), style=full),
        Text(str(state.capacity)),
        Text(str(state.waiting), style=full),
        Text(_seconds(told.wait)),
        Text(_seconds(told.hold)),
        Text(f"{holders}\nand {more} more" if more > 0 else holders),
    ]


def _seconds(value: float) -> str:
    if not value:
        return ""
    return f"< {value * 1000:g} ms" if value < 1 else f"< {value:g} s"

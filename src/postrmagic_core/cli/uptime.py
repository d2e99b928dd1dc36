"""``postrmagic uptime``: what is up, what was down, and a look right now."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer
from rich.console import Console

from ..observability.uptime import Uptime
from . import uptime_told
from .application import App, AsJson, ensure_schema, loaded
from .words import duration, plain, print_json, refused

uptime = typer.Typer(help="What is up, since when, and for how much of the month it was.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The probe.")]


@contextmanager
def opened_uptime(app: str) -> Iterator[Uptime]:
    """The application's probes, with its database open and nothing else."""
    stack: Any = loaded(app)
    with stack.database:
        ensure_schema(stack.database)
        yield stack.observability.uptime


@uptime.command()
def status(app: App, as_json: AsJson = False) -> None:
    """Show how each probe stands, with a block for each of the last 24 hours."""
    now = datetime.now(UTC)
    with opened_uptime(app) as opened:
        found = opened.status()
        since = now - timedelta(hours=23)
        hours = {one.name: opened.history(one.name, since, now) for one in found}
    if as_json:
        print_json([uptime_told.as_json(one, hours[one.name]) for one in found])
    elif found:
        Console().print(uptime_told.listed(found, hours, now))
    else:
        Console().print("no probe is set: see POSTRMAGIC_OBSERVABILITY__PROBES")


@uptime.command()
def history(
    app: App,
    name: Name,
    since: Annotated[Any, typer.Option(parser=duration, metavar="DURATION", help="As far back as 12h, 7d.")] = "7d",
    as_json: AsJson = False,
) -> None:
    """Show how a probe stood: a line for each day, with a block for each hour."""
    now = datetime.now(UTC)
    with opened_uptime(app) as opened:
        try:
            found = opened.history(name, now - timedelta(seconds=since), now)
        except ValueError as error:
            raise refused(str(error)) from None
    if as_json:
        print_json([uptime_told.hour_as_json(hour) for hour in found])
    else:
        Console().print(uptime_told.days(found))


@uptime.command()
def outages(
    app: App,
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Only this probe's.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at most, the newest first.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List when, for how long and why probes were down."""
    now = datetime.now(UTC)
    with opened_uptime(app) as opened:
        try:
            found = opened.outages(name, limit)
        except ValueError as error:
            raise refused(str(error)) from None
    if as_json:
        print_json([uptime_told.outage_as_json(one) for one in found])
    elif found:
        Console().print(uptime_told.outages(found, now))
    else:
        Console().print("no outage is known")


@uptime.command()
def check(
    app: App,
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME...]", help="Default: all.")] = None,
    as_json: AsJson = False,
) -> None:
    """Look now, and write down what was found; exit status 1 if anything is not as it should be."""
    with opened_uptime(app) as opened:
        wanted = list(dict.fromkeys(names or opened.probes))
        for name in wanted:
            if name not in opened.probes:
                raise refused(f"probe {name} is unknown: there are {', '.join(opened.probes) or 'none'}")
        found = {name: opened.check(name) for name in wanted}
        targets = {name: opened.probes[name].target for name in wanted}
    if as_json:
        print_json([uptime_told.check_as_json(name, one) for name, one in found.items()])
    elif found:
        Console().print(uptime_told.checked(found, targets))
    else:
        Console().print(plain("no probe is set: see POSTRMAGIC_OBSERVABILITY__PROBES"))
    if not all(one.ok for one in found.values()):
        raise typer.Exit(1)

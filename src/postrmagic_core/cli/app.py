"""The commands that concern the whole package, and the assembly of those that have a file of their own."""

from __future__ import annotations

import sys

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from ..errors import PostrMagicError
from .application import AsJson
from .words import print_json

app = typer.Typer(
    name="postrmagic",
    help="Operate an application built on postrmagic-core.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def assembled() -> typer.Typer:
    """The command with every group of commands in its place; call it once."""
    from .analyze import analyze
    from .api import api
    from .cache import cache
    from .contract import contract
    from .dev import dev
    from .events import events
    from .jobs import jobs
    from .middleware import middleware
    from .outbox import outbox
    from .pool import pool
    from .roles import roles
    from .schedules import schedules
    from .schema import database
    from .worker import worker

    database.command()(analyze)
    database.command()(pool)
    app.add_typer(database, name="db")
    app.add_typer(outbox, name="outbox")
    app.add_typer(cache, name="cache")
    app.add_typer(jobs, name="jobs")
    app.add_typer(events, name="events")
    app.add_typer(schedules, name="schedules")
    app.add_typer(roles, name="roles")
    app.add_typer(api, name="api")
    app.command()(contract)
    app.command()(dev)
    app.command()(middleware)
    app.command()(worker)
    return app


def run() -> None:
    """Run the command line; our own errors become one sentence and exit status 1."""
    command = assembled()
    try:
        command()
    except PostrMagicError as error:
        Console(stderr=True).print(
            f"[red]{error.code}[/red] {escape(str(error))}", highlight=False, markup=True, soft_wrap=True
        )
        sys.exit(1)


@app.command()
def plugins(as_json: AsJson = False) -> None:
    """List every adapter: built in or installed, usable or not, and why not."""
    from ..registry import Registry

    found = Registry().plugins()
    if as_json:
        print_json(found)
        return
    table = Table("kind", "scheme", "origin", "state", "adapter or reason")
    for plugin in found:
        cells = (plugin.kind, plugin.scheme, plugin.origin, plugin.state, plugin.reason or plugin.target)
        table.add_row(*map(Text, cells))  # an extra's brackets are no markup
    Console().print(table)


@app.command()
def settings(as_json: AsJson = False) -> None:
    """Show every setting with its present value (secrets masked), or list what is wrong with them."""
    from ..settings import Settings

    names = ("variable", "value", "meaning")
    found = [
        (f"POSTRMAGIC_{room.upper()}__{name.upper()}", value, type(values).model_fields[name].description or "")
        for room, values in Settings()
        for name, value in values.model_dump(mode="json" if as_json else "python").items()
    ]
    if as_json:
        print_json([dict(zip(names, one, strict=True)) for one in found])
        return
    table = Table(*names)
    for one in found:
        table.add_row(*map(Text, map(str, one)))
    Console().print(table)

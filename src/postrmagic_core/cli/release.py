"""``postrmagic release``: say that a version is in force, and list those that were."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Column, Table

from ..observability.releases import Releases
from .application import App, AsJson, ensure_schema, loaded
from .words import operator, plain, print_json, refused

release = typer.Typer(help="Releases: mark one when it is deployed, list those that were.", no_args_is_help=True)


@contextmanager
def opened_releases(app: str) -> Iterator[Releases]:
    """The application's releases, with its database open and nothing else, and its logging: a mark is logged."""
    stack: Any = loaded(app)
    with stack.logging(), stack.database:
        ensure_schema(stack.database)
        yield Releases(stack.database, clock=stack.clock)


@release.command()
def mark(
    app: App,
    version: Annotated[str, typer.Argument(metavar="VERSION", help="As in POSTRMAGIC_STACK__RELEASE.")],
    note: Annotated[str, typer.Option(metavar="TEXT", help="What to remember of it.")] = "",
    as_json: AsJson = False,
) -> None:
    """Say that a release is deployed: in the log, in metrics, beside errors. A second mark changes nothing."""
    with opened_releases(app) as opened:
        try:
            marked = opened.mark(version, note, operator())
        except ValueError as error:
            raise refused(str(error)) from None
    if as_json:
        print_json({"release": marked.release, "changed": marked.changed})
    elif marked.changed:
        Console().print(plain(f"release {version} is marked"))
    else:
        at = marked.release.marked_at
        Console().print(plain(f"release {version} was marked before, at {at:%Y-%m-%d %H:%M:%S} UTC: nothing changed"))


@release.command("list")
def show_all(
    app: App,
    limit: Annotated[int, typer.Option(min=1, help="How many at most, the newest first.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List releases, those first that began last."""
    with opened_releases(app) as opened:
        found = opened.find(limit)
    if as_json:
        print_json(found)
        return
    if not found:
        Console().print("no release is known: set POSTRMAGIC_STACK__RELEASE, or mark one")
        return
    table = Table(Column("release", no_wrap=True), "first seen", "marked", "by", "note")
    for one in found:
        seen, marked = (
            at.strftime("%Y-%m-%d %H:%M:%S") if at else "never" for at in (one.first_seen_at, one.marked_at)
        )
        table.add_row(*map(plain, (one.version, seen, marked, one.marked_by, one.note)))
    Console().print(table)

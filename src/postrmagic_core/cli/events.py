"""``postrmagic events``: what has happened, who has heard it, and what to do about those who have not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from . import events_told
from .application import App, AsJson, opened_events
from .words import duration, plain, print_json

events = typer.Typer(help="Durable events: what has happened, and who has heard it.", no_args_is_help=True)

Id = Annotated[str, typer.Argument(metavar="ID", help="The event.")]
Type = Annotated[str | None, typer.Option("--type", help="Only events stored by this name.")]
Since = Annotated[
    Any, typer.Option(parser=duration, metavar="DURATION", help="Only what happened within the last 90s, 12h, 7d.")
]
Dead = Annotated[bool, typer.Option("--dead", help="Only what a listener was given in vain.")]


@events.command("list")
def show_all(
    app: App,
    name: Type = None,
    since: Since = None,
    dead: Dead = False,
    limit: Annotated[int, typer.Option(min=1, help="How many at most, the newest first.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List events, the newest first."""
    after = None if since is None else _now() - timedelta(seconds=since)
    with opened_events(app) as opened:
        found = opened.find(name, since=after, dead=dead, limit=limit)
    if as_json:
        print_json([events_told.as_json(record) for record in found])
    elif found:
        Console().print(events_told.listed(found, _now()))
    else:
        Console().print("no such event is known")


@events.command()
def show(
    app: App,
    event_id: Id,
    fields: Annotated[bool, typer.Option("--fields", help="What it says too; it may be confidential.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show everything that is known of one event; exit status 1 if it is unknown."""
    with opened_events(app) as opened:
        record = opened.record(event_id)
        said = (opened.fields(event_id) or {}) if fields else {}
    if record is None:
        raise _unknown(event_id)
    if as_json:
        print_json(events_told.as_json(record) | ({"fields": said} if fields else {}))
    else:
        Console().print(events_told.described(record, said, _now()))


@events.command()
def tree(app: App, event_id: Id, as_json: AsJson = False) -> None:
    """Show what the same first event has caused, each event below its cause; exit status 1 if it is unknown."""
    with opened_events(app) as opened:
        found = opened.chain(event_id)
    if not found:
        raise _unknown(event_id)
    if as_json:
        print_json([events_told.as_json(record) for record in found])
    else:
        Console().print(events_told.chained(found))


@events.command()
def replay(
    app: App,
    event_id: Annotated[str | None, typer.Argument(metavar="[ID]", help="One event.")] = None,
    name: Type = None,
    since: Since = None,
    dead: Dead = False,
    listener: Annotated[str | None, typer.Option(help="To this listener only.")] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Deliver events again, by new jobs: their effects happen again. Asks first, unless by id.

    Exit status 1 if there was nothing to deliver.
    """
    if event_id is None and name is None and since is None and not dead:
        raise typer.BadParameter("say which: an id, or --type, --since, --dead")
    if event_id is None and not yes:
        typer.confirm("Deliver all of them again?", abort=True, err=True)
    after = None if since is None else _now() - timedelta(seconds=since)
    with opened_events(app) as opened:
        count = opened.replay(event_id, event_type=name, since=after, listener=listener, dead=dead)
    if as_json:
        print_json({"deliveries": count})
    else:
        Console().print(Text(f"{count} {'delivery is' if count == 1 else 'deliveries are'} made again"))
    if not count:
        raise typer.Exit(1)


def _unknown(event_id: str) -> typer.Exit:
    sentence = (
        f"event {event_id} is unknown: it was purged, is still in the outbox (`postrmagic outbox list --topic "
        "events`), has no durable listener, or never was"
    )
    Console(stderr=True).print(plain(sentence), style="red", soft_wrap=True)
    return typer.Exit(1)


def _now() -> datetime:
    return datetime.now(UTC)

"""``postrmagic outbox``: what committed and is not delivered yet, or was given up."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from .. import _codec
from .._clock import from_us
from ..database import DatabaseManager, undelivered
from ..database.interface import OutboxEntry
from ..errors import DecodeError, UsageError
from .application import AsJson, ensure_schema
from .words import duration, plain, print_json, span

outbox = typer.Typer(help="Rows that committed and wait for delivery, or were given up.", no_args_is_help=True)


class State(StrEnum):
    """What a row is doing."""

    WAITING = "waiting"
    DELAYED = "delayed"
    DEAD = "dead"


Topic = Annotated[str | None, typer.Option(help="Only rows of this topic.")]


@outbox.command("list")
def show_all(
    topic: Topic = None,
    key: Annotated[str | None, typer.Option(help="Only rows of this key.")] = None,
    state: Annotated[State | None, typer.Option(help="Only rows in this state.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many rows at most, oldest first.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List rows, oldest first; those of topics that nobody here delivers included."""
    with _database() as database, database.read() as tx:
        wanted: Any = None if state is None else state.value  # the names are those of RowState
        found = undelivered.entries(tx, topic=topic, key=key, state=wanted, limit=limit)
        now = tx.now_us / 1e6
    if as_json:
        print_json(found)
        return
    table = Table("id", "topic", "key", "state", "age", "attempts", "due", "error", "bytes")
    for entry in found:
        age, due = span(now - entry.created_at.timestamp()), _due(entry, now)
        cells = (entry.id, entry.topic, entry.key or "", entry.state, age, entry.attempts, due, entry.error or "")
        table.add_row(*(plain(cell) for cell in (*cells, entry.size)))
    Console().print(table)


@outbox.command()
def show(
    row_id: Annotated[int, typer.Argument(metavar="ID", help="The row's number.")],
    payload: Annotated[bool, typer.Option(help="Show the content too; it may be confidential.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show one row; exit status 1 if there is none."""
    with _database() as database, database.read() as tx:
        entry = undelivered.entry(tx, row_id)
        data = undelivered.payload(tx, row_id) if payload else None
    if entry is None:
        raise UsageError(f"the outbox has no row {row_id}: it was delivered or deleted, or never existed")
    told = asdict(entry) | ({} if data is None else {"payload": _content(data)})
    if as_json:
        print_json(told)
        return
    table = Table(show_header=False, box=None)
    for name, value in told.items():
        table.add_row(plain(name.removesuffix("_at")), plain(value or ""))
    Console().print(table)


@outbox.command()
def retry(
    ids: Annotated[list[int] | None, typer.Argument(metavar="[ID]...", help="Dead rows by number.")] = None,
    topic: Topic = None,
    everything: Annotated[bool, typer.Option("--all", help="Every dead row.")] = False,
    as_json: AsJson = False,
) -> None:
    """Deliver dead rows after all: at once, with all their attempts. A row with a key goes to the end of its key."""
    if bool(ids) + (topic is not None) + everything != 1:
        raise typer.BadParameter("say which: row numbers, --topic or --all")
    with _database() as database:
        if ids:
            _require_dead(database, ids)
        count = _repeated(
            lambda: database.transact(undelivered.retry, ids=ids or None, topic=topic, everything=everything)
        )
    _say({"retried": count}, f"{_rows(count)} will be delivered by the next relay that looks", as_json=as_json)


@outbox.command()
def purge(
    older_than: Annotated[
        Any, typer.Option(parser=duration, metavar="DURATION", help="Staged longer ago than this: 12h, 7d.")
    ],
    topic: Topic = None,
    waiting: Annotated[bool, typer.Option(help="Also rows that were not given up: they are then lost.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Delete dead rows for good; waiting ones only with --waiting."""
    with _database() as database:
        with database.read() as tx:
            before = from_us(tx.now_us - round(older_than * 1e6))
            number = undelivered.count_purgeable(tx, before, topic=topic, waiting=waiting)
        what = "dead AND WAITING, never to be delivered," if waiting else "dead"
        if number and not yes:
            typer.confirm(f"Delete {_rows(number)} ({what} for good)?", abort=True, err=True)
        count = _repeated(lambda: database.transact(undelivered.purge, before, topic=topic, waiting=waiting))
    _say({"deleted": count}, f"{_rows(count)} deleted", as_json=as_json)


@contextmanager
def _database() -> Iterator[DatabaseManager]:
    """The configured database, without the application: nothing of it is imported."""
    from ..stack import Stack

    with Stack.from_env().database as database:
        ensure_schema(database, "the outbox's tables")
        yield database


def _require_dead(database: DatabaseManager, ids: list[int]) -> None:
    with database.read() as tx:
        for row_id in ids:
            entry = undelivered.entry(tx, row_id)
            if entry is None or entry.state != "dead":
                state = "not in the outbox" if entry is None else f"{entry.state}, not dead"
                raise UsageError(f"row {row_id} is {state}: only dead rows need another chance; nothing was changed")


def _repeated(work: Callable[[], int]) -> int:
    """A piece at a time, so that nobody waits for long, until nothing is left."""
    count = 0
    while done := work():
        count += done
    return count


def _content(data: bytes) -> str:
    try:
        return repr(_codec.decode(data))
    except DecodeError:
        return "(not in this package's encoding)"


def _due(entry: OutboxEntry, now: float) -> str:
    if entry.state == "dead":
        return ""
    return f"in {span(entry.due_at.timestamp() - now)}" if entry.state == "delayed" else "now"


def _rows(count: int) -> str:
    return f"{count} row" if count == 1 else f"{count} rows"


def _say(figures: dict[str, int], sentence: str, *, as_json: bool) -> None:
    print_json(figures) if as_json else Console().print(sentence)

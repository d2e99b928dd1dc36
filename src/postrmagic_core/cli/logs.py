"""``postrmagic logs``: search in what was logged on this machine, follow it, tell the story of a request or job."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from .._clock import SystemClock
from ..log.query import QueryError, parse
from ..log.search import Collector, LogIndex
from . import logs_told
from .application import AsJson
from .words import duration, print_json, refused

logs = typer.Typer(
    help="Search in what was logged, follow it, and tell the story of a request or job.", no_args_is_help=True
)

INDEX, SPOOL = Path("logs/index"), Path("logs/spool")
_POLL = 0.5
_CATCH_UP = 30.0

Asked = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[QUERY]...", help="As 'level>=warning user:42 \"timed out\" since:1h'; nothing: everything."
    ),
]
Directory = Annotated[
    Path | None,
    typer.Option("--dir", metavar="DIRECTORY", help="The data directory; left out, that of the settings."),
]


@logs.command()
def search(
    query: Asked = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many at most, the newest.")] = 50,
    everything: Annotated[bool, typer.Option("--all", help="Every record, the newest first.")] = False,
    with_histogram: Annotated[bool, typer.Option("--histogram", help="First how many there were, and when.")] = False,
    directory: Directory = None,
    as_json: Annotated[bool, typer.Option("--json", help="A line of JSON for each record.")] = False,
) -> None:
    """Show the newest records that the query asks for, the newest last; with --all all of them, the newest first.

    Exit status 1 if there is none. What is not indexed yet is indexed first, if nobody does it and it is the caller's.
    """
    text = _text(query)
    index = _opened(directory)
    with _understood():
        if with_histogram and not as_json:
            Console().print(logs_told.histogram(index.histogram(text)))
        shown = 0
        if everything:
            for record in _all(index, text):
                shown += 1
                logs_told.show(record, as_json=as_json)
        else:
            page = index.search(text, limit=limit)
            shown = len(page.records)
            for record in reversed(page.records):
                logs_told.show(record, as_json=as_json)
            if page.cursor is not None and not as_json and shown < limit:
                until = f"{page.searched_until:%Y-%m-%d %H:%M:%S} UTC"
                Console(stderr=True).print(f"looked back to {until}: --all looks at everything", style="dim")
    if not shown:
        raise refused("nothing that is indexed matches")


@logs.command()
def tail(
    query: Asked = None,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, max=1000, help="How many of the past first.")] = 10,
    directory: Directory = None,
    as_json: Annotated[bool, typer.Option("--json", help="A line of JSON for each record.")] = False,
) -> None:
    """Show the last records that the query asks for, then those that come, until it is interrupted."""
    text = _text(query)
    with _understood(), contextlib.suppress(KeyboardInterrupt, BrokenPipeError):
        index, collect = _followed(directory)
        begin = index.tail(text).cursor
        if lines:
            for record in reversed(index.search(text, limit=lines, before=begin).records):
                logs_told.show(record, as_json=as_json)
        while True:
            collect()
            found = index.tail(text, begin)
            for record in found.records:
                logs_told.show(record, as_json=as_json)
            if found.cursor == begin:
                time.sleep(_POLL)
            begin = found.cursor


@logs.command()
def trace(
    id_text: Annotated[str, typer.Argument(metavar="ID", help="Of a trace, a request, a job or an event.")],
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Tell everything that was logged under an id, and under the ids that go with it, as a tree.

    Exit status 1 if nothing was.
    """
    found = _opened(directory).story(id_text)
    if not found.records:
        raise refused(f"nothing that is indexed has the id {id_text}")
    if as_json:
        print_json(asdict(found))
    else:
        Console().print(logs_told.story(found))


@logs.command()
def stats(
    since: Annotated[
        Any, typer.Option(parser=duration, metavar="DURATION", help="Of the last 90s, 12h, 7d. Default: 1d.")
    ] = None,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Show how much was logged, by level and message, when, and what the span before had not."""
    now = datetime.now(UTC)
    found = _opened(directory).stats(now - timedelta(seconds=86_400 if since is None else since), now)
    if as_json:
        print_json(asdict(found))
    else:
        Console().print(logs_told.stats(found))


@logs.command("histogram")
def show_histogram(
    query: Asked = None,
    buckets: Annotated[int, typer.Option(min=1, max=1000, help="Into how many equal parts the time is divided.")] = 60,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Show when there were how many records that the query asks for; of the last hour, unless it says since when."""
    text = _text(query)
    found = _opened(directory).histogram(text, buckets)
    if as_json:
        print_json([{"at": at, "levels": levels} for at, levels in found])
    else:
        Console().print(logs_told.histogram(found))


def _text(query: list[str] | None) -> str:
    text = " ".join(query or ())
    with _understood():
        parse(text, SystemClock().now_us())  # before anything is opened
    return text


@contextlib.contextmanager
def _understood() -> Iterator[None]:
    """A query that cannot be understood is a usage error, with its place."""
    try:
        yield
    except QueryError as error:
        Console(stderr=True).print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(2) from None


def _data(directory: Path | None) -> Path:
    from ..settings import Settings

    return Settings().stack.data_dir if directory is None else directory


def _collector(data: Path) -> Collector:
    return Collector(data / SPOOL, data / INDEX, days=_FOR_EVER, max_bytes=_NO_END)


_FOR_EVER, _NO_END = 365_000.0, 1 << 60
"""Who only looks removes nothing: whoever runs the application says how long it is kept."""


def _opened(directory: Path | None) -> LogIndex:
    """The index, with what the spool has; exit status 1, and what to do, where neither is there."""
    data = _data(directory)
    if not (data / INDEX).exists() and not (data / SPOOL).exists():
        raise refused(
            f"nothing was collected in {data / 'logs'}: an application's Stack collects what it logs while"
            " POSTRMAGIC_LOG__SEARCH is true, as it is by default outside of tests; --dir names another data directory"
        )
    _catch_up(data, _collector(data), _CATCH_UP)
    return LogIndex(data / INDEX)


def _catch_up(data: Path, collector: Collector, seconds: float) -> None:
    """Index what nobody did, as its owner alone: what root makes, the application could not write any more."""
    with contextlib.suppress(OSError):  # a directory that one may only read
        if (data / SPOOL).stat().st_uid == os.geteuid():
            collector.catch_up(seconds)


def _followed(directory: Path | None) -> tuple[LogIndex, Callable[[], object]]:
    """The index, and what keeps it fresh while nobody else does."""
    index, data = _opened(directory), _data(directory)
    return index, partial(_catch_up, data, _collector(data), 1.0)


def _all(index: LogIndex, text: str) -> Iterator[dict[str, Any]]:
    page = index.search(text, limit=1000)
    yield from page.records
    while page.cursor is not None:
        page = index.search(text, limit=1000, before=page.cursor)
        yield from page.records

"""``postrmagic cache``: fill the cache before others ask, and see what it does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from ..errors import PostrMagicError
from .application import App, AsJson, loaded
from .words import print_json

if TYPE_CHECKING:
    from ..cache.figures import ProcessFigures
    from ..cache.interface import CacheStats
    from ..cache.warming import Warmed, WarmReport
    from ..stores import Store
    from ..stores.interface import Usage

cache = typer.Typer(help="The cache: fill it, and see what it does.", no_args_is_help=True)

_COUNTED = (
    *("hit rate", "hits", "stale hits", "misses", "computed", "computed alone", "store's errors", "unreadable"),
    *("bytes stored", "spent computing", "saved by hits"),
)
_COLOURS = {"done": "green", "failed": "red", "skipped": "yellow", "left": "yellow"}


@cache.command()
def warm(
    app: App,
    names: Annotated[list[str] | None, typer.Argument(help="Warmers; those they need run too. Default: all.")] = None,
    time_limit: Annotated[
        float | None, typer.Option(min=0, help="Seconds after which no other warmer begins; default: no limit.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run the application's warmers, each after those it needs. Exit status 1 if one failed.

    The Stack's database and cache are open meanwhile, and nothing else of it.
    """
    with _opened(app) as stack, _bar() as bar:
        step = bar.add_task("", total=None)

        def show(name: str, done: int, total: int) -> None:
            bar.update(step, description=name or "done", completed=done, total=total)

        report = stack.cache.warm(names or None, time_limit=time_limit, report=show)
    if as_json:
        print_json(report)
    else:
        _show_warmed(Console(), report)
    if report.of("failed"):
        raise typer.Exit(1)


@cache.command()
def stats(app: App, as_json: AsJson = False) -> None:
    """Show what the cache holds, and what it did in each running process of this user on this machine.

    The processes answer only when asked. What it holds is counted in the store, key by key.
    """
    from ..cache import figures

    stack = loaded(app)
    processes = figures.look(stack.cache_subject)
    namespaces = sorted({stack.cache.namespace, *(name for told in processes for name in told.namespaces)})
    try:
        held = {name: _held(stack.cache.store, name) for name in namespaces}
    finally:
        stack.cache.store.close()
    sums = {
        name: figures.total(told.namespaces[name] for told in processes if name in told.namespaces)
        for name in namespaces
    }
    if as_json:
        print_json(_as_json(held, processes, sums))
    else:
        _show_stats(Console(), held, processes, sums)
        if not processes:
            told = f"no process of this user on this machine has this cache open: {stack.cache_subject}"
            typer.echo(f"{told}; its service, data directory and store must be the process's")


@contextmanager
def _opened(app: str) -> Iterator[Any]:
    """The Stack with its database and cache open: a worker, or a lock that a running process holds, is not needed."""
    stack = loaded(app)
    try:
        with stack.database, stack.cache:
            yield stack
    finally:
        stack.cache.store.close()


def _bar() -> Progress:
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


def _show_warmed(console: Console, report: WarmReport) -> None:
    table = Table("warmer", "outcome", "seconds", "computed", "why")
    for one in report.warmers:
        ran = one.outcome in {"done", "failed"}
        table.add_row(
            Text(one.name),
            Text(one.outcome, style=_COLOURS[one.outcome]),
            f"{one.seconds:.2f}" if ran else "",
            f"{one.computes:,}" if ran else "",
            Text(_why(one)),
        )
    console.print(table)
    console.print(f"{len(report.of('done'))} of {len(report.warmers)} in {report.seconds:.2f} s", highlight=False)


def _why(one: Warmed) -> str:
    return {"skipped": f"it needs {one.error}", "left": "the time limit was over"}.get(one.outcome, one.error)


def _held(store: Store, namespace: str) -> Usage | str:
    """What the entries of the namespace take, or why nobody knows: the processes' figures are worth seeing even so."""
    from ..cache.figures import usage

    if store.clock == "process" and not store.blocking:
        return "each process has its own"
    try:
        return usage(store, namespace) or "the store cannot tell"
    except PostrMagicError as error:
        return error.code


def _as_json(
    held: dict[str, Usage | str], processes: list[ProcessFigures], sums: dict[str, CacheStats]
) -> dict[str, Any]:
    namespaces = {
        name: {"held": found if isinstance(found, str) else asdict(found), "did": _did(sums[name])}
        for name, found in held.items()
    }
    each = [
        asdict(told) | {"namespaces": {name: _did(did) for name, did in told.namespaces.items()}} for told in processes
    ]
    return {"namespaces": namespaces, "processes": each}


def _did(done: CacheStats) -> dict[str, Any]:
    return asdict(done) | {"hit_rate": done.hit_rate}


def _show_stats(
    console: Console, held: dict[str, Usage | str], processes: list[ProcessFigures], sums: dict[str, CacheStats]
) -> None:
    console.print(_held_table(held))
    for name, together in sums.items():
        columns = {str(told.pid): told.namespaces[name] for told in processes if name in told.namespaces}
        if columns:
            console.print(_did_table(name, {"together": together} | columns if len(columns) > 1 else columns))
    for told in processes:
        console.print(Text(f"{told.pid}  {told.command}"), no_wrap=True, overflow="ellipsis")


def _held_table(held: dict[str, Usage | str]) -> Table:
    table = Table("namespace", "entries", "bytes", "evicted", title="In the store")
    for name, found in held.items():
        if isinstance(found, str):
            table.add_row(Text(name), Text(found, style="yellow"))
        else:
            table.add_row(Text(name), f"{found.entries:,}", f"{found.bytes:,}", f"{found.evicted:,}")
    return table


def _did_table(name: str, columns: dict[str, CacheStats]) -> Table:
    """A column a process: there are more counters than a terminal has room for side by side."""
    table = Table("", title=Text(f"{name}, since the processes began"))
    for column in columns:
        table.add_column(column, justify="right")
    for label, *cells in zip(_COUNTED, *map(_cells, columns.values()), strict=True):
        table.add_row(label, *cells)
    return table


def _cells(did: CacheStats) -> tuple[str, ...]:
    """One for each of ``_COUNTED``."""
    rate = f"{did.hit_rate:.1%}" if did.hits + did.stale + did.misses else ""
    counts = (did.hits, did.stale, did.misses, did.computes, did.alone, did.errors, did.unreadable, did.bytes)
    seconds = (did.compute_seconds, did.seconds_saved)
    return (rate, *(f"{count:,}" for count in counts), *(f"{value:,.1f} s" for value in seconds))

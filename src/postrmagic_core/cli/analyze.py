"""``postrmagic db analyze``: from the query log to indexes that were tried on a copy."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from .application import AsJson
from .words import print_json

if TYPE_CHECKING:
    from ..database.analysis.interface import QueryStats


def analyze(
    log: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where the query logs are; default: `queries` in the data directory."),
    ] = None,
    top: Annotated[int, typer.Option(min=1, help="Look at so many statements, those that took the most time.")] = 20,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Also write a page with charts.")] = None,
    no_verify: Annotated[
        bool, typer.Option("--no-verify", help="Make no copy: only explain, and name indexes that nobody has tried.")
    ] = False,
    rows: Annotated[
        int,
        typer.Option(
            min=1000, help="Copy at most so many rows of a table (MySQL, MariaDB; a SQLite file is copied whole)."
        ),
    ] = 500_000,
    url: Annotated[str | None, typer.Option(help="The database; default: that of the settings.")] = None,
    as_json: AsJson = False,
) -> None:
    """Find out what is slow, and which index would help: tried on a copy, with plan and time before and after.

    It reads the query logs that the application's processes leave in their data directory, asks the database for the
    plan of the costliest statements, builds each index that might help on a scratch copy, and proposes those that did.
    The database itself is only read.

    On MySQL and MariaDB the copy is a database pm_scratch_… beside it, made by the same user and dropped at the end.
    """
    from ..database.analysis.analyze import AnalysisOptions
    from ..database.analysis.analyze import analyze as run

    queries, used = _logged(url, log)
    console = Console(stderr=as_json)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the copy is removed on the way out
    with _bar() as bar:
        step = bar.add_task("reading tables", total=None)
        report = run(
            used,
            queries,
            AnalysisOptions(top=top, verify=not no_verify, rows=rows),
            lambda what, done, total: bar.update(step, description=what, completed=done, total=total),
        )
    if as_json:
        from ..database.analysis import report as reports

        print_json(reports.as_json(report))
    else:
        from .analyze_told import show

        show(console, report)
    if html is not None:
        from ..database.analysis.report_html import as_html

        html.write_text(as_html(report), encoding="utf-8")
        console.print(f"written: {html}", markup=False, highlight=False)


def _logged(url: str | None, log: Path | None) -> tuple[tuple[QueryStats, ...], str]:
    """What was logged of the database, and its URL; without a log, say how to get one and exit with status 1."""
    from .._sql import open_backend
    from ..database.analysis.files import merged, read_logs
    from ..settings import Settings

    settings = Settings()
    used = url or settings.database_url()
    directory = log or settings.stack.data_dir / "queries"
    database_id = open_backend(used).database_id()
    logs = read_logs(directory)
    queries = merged(file for file in logs if file.database_id == database_id)
    if not queries:
        others = sorted({file.database_id for file in logs} - {database_id})
        found = f"the logs there are of {', '.join(others)}" if others else "there is no query log there"
        Console(stderr=True).print(
            f"Nothing to analyse for {database_id} in {directory}: {found}. Let the application do some work with its "
            "query log on (it is, unless POSTRMAGIC_DATABASE__QUERY_LOG=false): each process writes one. Then run this "
            "again, or name the directory with --log and the database with --url.",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )
        raise typer.Exit(1)
    return queries, used


def _bar() -> Progress:
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    )

"""``postrmagic db …``: the schema of the application's database, the package's own tables included."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ..errors import ConfigurationError
from .application import loaded, look_here

if TYPE_CHECKING:
    from ..database import DatabaseManager
    from ..database.migrating.interface import Report, Step
    from ..database.migrating.migrator import Migrator
    from ..stack import Stack

database = typer.Typer(help="The database's schema: the package's tables and the application's.", no_args_is_help=True)

App = Annotated[
    str | None,
    typer.Option(metavar="MODULE:STACK", help="The application's Stack, if it names its migrations in code."),
]
Sql = Annotated[bool, typer.Option("--sql", help="Print the SQL, run nothing.")]
_WARNING = (
    "[bold red]These are the package's own tables: jobs, events and outbox rows that wait in them are lost, and the "
    "application does not work without them.[/bold red]"
)


@database.command()
def upgrade(app: App = None, sql: Sql = False) -> None:
    """Bring the package's tables, then the application's, to the newest revision; safe to run from several machines."""
    with _migrator(app) as (manager, migrator):
        current = not sql and manager.schema_current()
        migrator(_shown).upgrade(sql=sys.stdout if sql else None)
    if not sql:
        _say("up to date already" if current else "upgraded")


@database.command()
def downgrade(
    to: Annotated[str, typer.Argument(help="A revision, which stays; -1 takes back the last one, `base` all.")] = "-1",
    app: App = None,
    package: Annotated[bool, typer.Option("--package", help="The package's own tables instead.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    sql: Sql = False,
) -> None:
    """Take revisions back, after showing which: what they added is dropped with its rows."""
    with _migrator(app) as (_, migrator):
        steps = migrator(_shown).downgrades(to, package=package)
        if sql:
            migrator(_shown).downgrade(to, package=package, sql=sys.stdout)
        elif not steps:
            _say("nothing to take back")
        elif yes or _agreed(migrator, steps, to, package):
            migrator(_shown).downgrade(to, package=package)
            _say("downgraded")


@database.command()
def revision(
    message: Annotated[str, typer.Option("--message", "-m", help="What it does: names the file.")],
    app: App = None,
    autogenerate: Annotated[
        bool, typer.Option("--autogenerate/--empty", help="Write what changed in the metadata, or nothing.")
    ] = True,
) -> None:
    """Write the application's next revision, to be read and corrected before it is committed."""
    with _migrator(app) as (_, migrator):
        _say(str(migrator(_shown).revise(message, datetime.now(UTC), empty=not autogenerate)))


@database.command()
def check(app: App = None) -> None:
    """Exit with 0 if the tables are what the code declares and nothing is left to run; else 1, and the differences."""
    with _migrator(app) as (_, migrator):
        wrong = migrator(_shown).check()
    for line in wrong:
        _say(line)
    if wrong:
        raise typer.Exit(1)
    _say("the database is what the code needs")


@database.command()
def adopt(app: App = None) -> None:
    """Note that tables made by other means are those of the newest revision; refused if they differ."""
    with _migrator(app) as (_, migrator):
        migrator(_shown).adopt()
    _say("adopted")


@database.command()
def current(app: App = None) -> None:
    """Show at which revision the database is."""
    from ..database.schema import states

    table = Table("history", "database", "code", "state")
    with _migrator(app) as (manager, _):
        for state in states(manager.backend, manager.migrations):
            behind = "interrupted" if state.interrupted else "behind"
            told = "current" if state.current else "newer than this code" if state.unknown else behind
            table.add_row(state.history, _listed(state.found), _listed(state.heads), told)
    Console().print(table)


@database.command()
def history(
    app: App = None,
    package: Annotated[bool, typer.Option("--package", help="The package's own history instead.")] = False,
) -> None:
    """List the revisions, newest first."""
    from ..database.migrating.environment import script

    table = Table("revision", "what it does")
    with _migrator(app) as (_, migrator):
        for found in script(migrator(_shown).history(package=package)).walk_revisions():
            table.add_row(found.revision, escape(found.doc or ""))
    Console().print(table)


@contextmanager
def _migrator(app: str | None) -> Iterator[tuple[DatabaseManager, Callable[[Report], Migrator]]]:
    """The open database of the settings or of ``app``'s Stack, and what makes its migrator."""
    from ..database.migrating.migrator import Migrator

    look_here()
    with _stack(app).database as manager:
        yield manager, lambda report: Migrator(manager.backend, manager.migrations, report=report)


def _stack(app: str | None) -> Stack:
    from ..stack import Stack

    return Stack.from_env() if app is None else loaded(app)


def _agreed(migrator: Callable[[Report], Migrator], steps: list[Step], to: str, package: bool) -> bool:
    for step in steps:
        _shown(step)
    for line in _dropping(migrator, to, package):
        Console().print(f"  [red]{escape(line)}[/red]", highlight=False, soft_wrap=True)
    if package:
        Console().print(_WARNING)
    if typer.confirm("Take these back, and lose what they hold?"):
        return True
    raise typer.Exit(1)


def _dropping(migrator: Callable[[Report], Migrator], to: str, package: bool) -> list[str]:
    """The statements that drop something, as far as they can be told beforehand."""
    from io import StringIO

    from ..database.migrating.interface import unreported

    written = StringIO()
    try:
        migrator(unreported).downgrade(to, package=package, sql=written)
    except ConfigurationError:  # a table that SQLite must make anew cannot be told without running
        return ["the statements cannot be told beforehand: read the revisions"]
    return [line for line in written.getvalue().splitlines() if "DROP" in line.upper().split()]


def _shown(step: Step) -> None:
    name = f"{step.history} {step.direction} {step.revision}"
    Console(stderr=True).print(f"{name}: {escape(step.title)}", highlight=False, soft_wrap=True)


def _listed(revisions: frozenset[str]) -> str:
    return ", ".join(sorted(revisions)) or "none"


def _say(line: str) -> None:
    Console().print(line, markup=False, highlight=False, soft_wrap=True)

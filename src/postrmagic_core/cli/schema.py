"""``postrmagic db …``: the schema of the application's database, the package's own tables included."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ..errors import ConfigurationError
from .application import AsJson, loaded, look_here
from .words import print_json

if TYPE_CHECKING:
    from ..database import DatabaseManager
    from ..database.compatibility.compatible import Judgement
    from ..database.migrating.interface import Migrations, Report, SchemaState, Step
    from ..database.migrating.migrator import Migrator
    from ..stack import Stack

database = typer.Typer(help="The database's schema: the package's tables and the application's.", no_args_is_help=True)

App = Annotated[
    str | None,
    typer.Option(metavar="MODULE:STACK", help="The application's Stack, if it names its migrations in code."),
]
_CURRENT = ("history", "database", "code", "state")
Sql = Annotated[bool, typer.Option("--sql", help="Print the SQL, run nothing.")]
Dialect = Literal["sqlite", "mysql"]
_WARNING = (
    "[bold red]These are the package's own tables: jobs, events and outbox rows that wait in them are lost, and the "
    "application does not work without them.[/bold red]"
)


@database.command()
def upgrade(
    app: App = None,
    sql: Sql = False,
    compatible: Annotated[
        bool, typer.Option("--compatible", help="Refuse, before anything runs, what the running release breaks on.")
    ] = False,
) -> None:
    """Bring the package's tables, then the application's, to the newest revision; safe to run from several machines."""
    with _migrator(app) as (manager, migrator):
        excused = None
        if compatible:
            from ..database.compatibility.compatible import refuse_incompatible
            from ..database.schema import PACKAGE

            application = [] if manager.migrations is None else [manager.migrations]
            refuse_incompatible(judged := _pending(manager, [PACKAGE, *application]))
            excused = {one.history: one.excused for one in judged}
        current = not sql and manager.schema_current()
        migrator(_shown).upgrade(sql=sys.stdout if sql else None, excused=excused)
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
def check(app: App = None, as_json: AsJson = False) -> None:
    """Exit with 0 if the tables are what the code declares and nothing is left to run; else 1, and the differences."""
    with _migrator(app) as (_, migrator):
        wrong = migrator(_shown).check()
    if as_json:
        print_json({"differences": wrong})
    else:
        for line in wrong or ["the database is what the code needs"]:
            _say(line)
    if wrong:
        raise typer.Exit(1)


@database.command()
def adopt(app: App = None) -> None:
    """Note that tables made by other means are those of the newest revision; refused if they differ."""
    with _migrator(app) as (_, migrator):
        migrator(_shown).adopt()
    _say("adopted")


@database.command()
def current(app: App = None, as_json: AsJson = False) -> None:
    """Show at which revision the database is."""
    from ..database.schema import states

    with _migrator(app) as (manager, _):
        found = [
            (one.history, sorted(one.found), sorted(one.heads), _told(one))
            for one in states(manager.backend, manager.migrations)
        ]
    if as_json:
        print_json([dict(zip(_CURRENT, one, strict=True)) for one in found])
        return
    table = Table(*_CURRENT)
    for history, there, here, state in found:
        table.add_row(history, _listed(there), _listed(here), state)
    Console().print(table)


@database.command()
def history(
    app: App = None,
    package: Annotated[bool, typer.Option("--package", help="The package's own history instead.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the revisions, newest first."""
    from ..database.migrating.environment import script

    with _migrator(app) as (_, migrator):
        revisions = script(migrator(_shown).history(package=package)).walk_revisions()
        found = [(one.revision, one.doc or "") for one in revisions]
    if as_json:
        print_json([{"revision": revision, "title": title} for revision, title in found])
        return
    table = Table("revision", "what it does")
    for revision, title in found:
        table.add_row(revision, escape(title))
    Console().print(table)


@database.command()
def compatible(
    app: App = None,
    since: Annotated[
        list[str] | None,
        typer.Option(metavar="REVISION", help="The newest of the release that runs (`base`: none); asks no database."),
    ] = None,
    package: Annotated[bool, typer.Option("--package", help="The package's own history instead.")] = False,
    dialect: Annotated[
        Dialect | None, typer.Option(help="With --since: sqlite or mysql (MariaDB is as MySQL); both if not given.")
    ] = None,
    each: Annotated[
        bool, typer.Option("--each", help="With --since: each revision is a release, judged beside the one before.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Exit with 0 if the running release can live with what is not yet applied; else 1, and each line with why."""
    from .schema_told import judgement_as_json, show_judgement

    if since is None and (dialect is not None or each):
        raise typer.BadParameter(
            "the database says by itself what it is and lacks: give --dialect and --each with --since"
        )
    found = _pending_of(app, package) if since is None else _beyond(app, package, since, dialect, each)
    if as_json:
        print_json(judgement_as_json(found))
    else:
        show_judgement(found)
    if not found.compatible:
        raise typer.Exit(1)


def _pending_of(app: str | None, package: bool) -> Judgement:
    with _migrator(app) as (manager, migrator):
        return _pending(manager, [migrator(_shown).history(package=package)])[0]


def _beyond(app: str | None, package: bool, since: list[str], dialect: Dialect | None, each: bool) -> Judgement:
    from ..database.compatibility.compatible import BOTH, judge
    from ..database.schema import PACKAGE

    look_here()
    history = PACKAGE if package else _stack(app).database.migrations
    if history is None:
        raise ConfigurationError(
            "this application has no migrations: set POSTRMAGIC_DATABASE__MIGRATIONS, name with --app the Stack that "
            "uses some, or judge the package's own with --package"
        )
    with redirect_stdout(sys.stderr):  # a revision may print, and a program reads the answer
        return judge(history, since, BOTH if dialect is None else (dialect,), each=each)


def _pending(manager: DatabaseManager, histories: list[Migrations]) -> list[Judgement]:
    """The revisions of each history that are not applied yet, judged."""
    from ..database.compatibility.compatible import Judgement, dialects_of, judge_pending
    from ..database.schema import state_of

    dialects = dialects_of(manager.backend.name)
    with manager.backend.engine("read").connect() as connection:
        found = [state_of(connection, history) for history in histories]
    with redirect_stdout(sys.stderr):  # a revision may print, and a program reads the answer
        return [
            Judgement(history.name, dialects) if state.expanded else judge_pending(history, state.found, dialects)
            for history, state in zip(histories, found, strict=True)
        ]


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


def _told(state: SchemaState) -> str:
    if state.current:
        return "current"
    if state.expanded:
        return "newer, and usable by this code"
    return "newer than this code" if state.unknown else "interrupted" if state.interrupted else "behind"


def _listed(revisions: list[str]) -> str:
    return ", ".join(revisions) or "none"


def _say(line: str) -> None:
    Console().print(line, markup=False, highlight=False, soft_wrap=True)

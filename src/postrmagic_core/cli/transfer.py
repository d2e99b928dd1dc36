"""``postrmagic db transfer``: from a SQLite file to MySQL or MariaDB, every row exactly, and back."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from ..errors import ConfigurationError
from .application import AsJson
from .words import print_json

if TYPE_CHECKING:
    from ..database.transfer.interface import Plan
    from ..database.transfer.verifying.verify import VerifyReport

transfer = typer.Typer(
    help="From SQLite to MySQL or MariaDB: every row exactly, or it stops and says which.", no_args_is_help=True
)

_URL = (
    "mysql://user@host:3306/name. Its password is taken from MYSQL_PWD, or asked for on a terminal; one in the URL "
    "works too, and is seen by whoever lists this machine's processes."
)
PlanFile = Annotated[Path, typer.Argument(metavar="PLAN", help="The file that `plan` wrote.")]
Target = Annotated[str | None, typer.Option("--target", metavar="URL", help=f"Not the plan's target: {_URL}")]
Tables = Annotated[list[str] | None, typer.Option("--table", help="Only this table, by its name in the source; again.")]


@transfer.command()
def plan(
    source: Annotated[str, typer.Argument(help="The SQLite file, or its URL sqlite:///…; it is only read.")],
    target: Annotated[str, typer.Argument(help=_URL)],
    out: Annotated[Path, typer.Option(metavar="FILE", help="Where to write the plan.")] = Path("plan.toml"),
    replace: Annotated[
        bool,
        typer.Option(
            "--replace",
            help="Replace the plan there, kept as FILE.old; what was accepted in it stays so if it is the same.",
        ),
    ] = False,
    markdown: Annotated[Path | None, typer.Option(metavar="FILE", help="Also write both schemas side by side.")] = None,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="The same as a page, with a drawing.")] = None,
    as_json: AsJson = False,
) -> None:
    """Read the source once, and write down what becomes of each table, column, key and row, and why.

    Nothing is written to the target. The plan is a TOML file, to be read and corrected by a person before `run`.

    Exit status: 0 if it can run as it stands; 3 if somebody has to decide something in it; 4 if there are rows that
    cannot move; 1 if no plan could be made.
    """
    from ..database.transfer.planfile.edits import carried
    from ..database.transfer.planfile.file import read_plan, write_plan
    from ..database.transfer.planning.plan import plan as make
    from .transfer_told import bars, show_plan, stands

    if out.exists() and not replace:
        raise ConfigurationError(f"{out} exists: name another file with --out, or say --replace")
    earlier = read_plan(out) if out.exists() else None
    with bars() as report:
        made = make(_file(source), with_password(target), report)
    made = made if earlier is None else carried(made, earlier)
    if earlier is not None:
        out.replace(out.with_name(f"{out.name}.old"))  # by it alone a run that has begun can go on
    write_plan(made, out)
    pages = _pages(made, markdown, html)
    status = stands(made)
    if as_json:
        tables = [{"name": one.name, "target": one.target, "rows": one.rows} for one in made.tables]
        findings, objects = [asdict(one) for one in made.findings], [asdict(one) for one in made.objects]
        print_json({"plan": str(out), "status": status, "tables": tables, "findings": findings, "objects": objects})
    else:
        show_plan(Console(), made, out, pages)
    raise typer.Exit(status)


@transfer.command()
def run(
    plan: PlanFile,
    target: Target = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and write nothing.")] = False,
    table: Tables = None,
    rows_per_batch: Annotated[int, typer.Option(min=1, help="Rows of one transaction of the target.")] = 5_000,
    workers: Annotated[int, typer.Option(min=1, help="Tables moved at once.")] = 2,
    throttle: Annotated[int | None, typer.Option(min=1, metavar="ROWS", help="Move at most so many a second.")] = None,
    as_json: AsJson = False,
) -> None:
    """Move what the plan says, from one snapshot of the source, which goes on being used meanwhile.

    However it ends, also by kill -9: run again, it goes on after the last batch that was committed. The first row that
    does not fit exactly stops it, and is named by table, column and key.

    Exit status: 0 if all is moved, foreign keys checked; 1 if not.
    """
    from ..database.transfer.copying.options import RunOptions
    from ..database.transfer.copying.run import run as move
    from ..database.transfer.planfile.file import read_plan
    from .transfer_told import bars, show_run

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the batch under way is rolled back on the way out
    followed = read_plan(plan)
    options = RunOptions(
        tuple(table or ()),
        workers=workers,
        batch_rows=rows_per_batch,
        rows_per_second=throttle,
        dry_run=dry_run,
    )
    with bars() as report:
        done = move(followed, with_password(target or followed.target), options, report)
    if as_json:
        print_json(done)
    else:
        show_run(Console(), done, plan, dry_run=dry_run)


@transfer.command()
def verify(
    plan: PlanFile,
    target: Target = None,
    live: Annotated[
        bool, typer.Option("--live", help="Compare with the source as it is now, not with the snapshot that was moved.")
    ] = False,
    report_file: Annotated[
        Path | None,
        typer.Option("--report", metavar="FILE", help="Write what was found as JSON, signed with your keys."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare every row of the target with the source, then keys, unique keys, foreign keys, checks and next ids.

    Both sides are read as of one moment each, and hashed batch by batch; where hashes differ, each value is told.

    Exit status: 0 if nothing differs; 1 if something does.
    """
    from ..database.transfer.planfile.file import read_plan
    from ..database.transfer.verifying.verify import verify as compare
    from .transfer_told import bars, show_verified

    followed = read_plan(plan)
    url = with_password(target or followed.target)
    snapshot = None if live else _snapshot(followed, url)
    with bars() as report:
        found = compare(followed, url, snapshot, report)
    if report_file is not None:
        _report(found, report_file)
    if as_json:
        print_json({"equal": found.equal, "compared_with": str(snapshot or followed.source), **asdict(found)})
    else:
        show_verified(Console(), found, str(snapshot or followed.source))
    raise typer.Exit(0 if found.equal else 1)


@transfer.command()
def finish(plan: PlanFile, target: Target = None) -> None:
    """Remove what a transfer keeps for its continuation and its check: the snapshot, and its rows in pm_transfer."""
    from ..database.transfer.copying.run import finish as remove
    from ..database.transfer.planfile.file import read_plan

    followed = read_plan(plan)
    url = with_password(target or followed.target)
    snapshot = _snapshot(followed, url)
    remove(followed, url)
    told = f"removed: {snapshot}" if snapshot else "there is no snapshot by this plan"
    Console().print(told, markup=False, highlight=False, soft_wrap=True)


@transfer.command()
def reverse(
    url: Annotated[str, typer.Argument(help=_URL)],
    file: Annotated[Path, typer.Argument(help="The SQLite file to make; it must not exist.")],
    plan: Annotated[
        Path | None,
        typer.Option(metavar="PLAN", help="By which rows had gone there: tables are made as the source had made them."),
    ] = None,
    table: Tables = None,
    as_json: AsJson = False,
) -> None:
    """Copy a database of MySQL or MariaDB into a new SQLite file, from one snapshot: the way back, or for development.

    Exit status: 0 if every row is there; 1 if not, and then there is no file.
    """
    from ..database.transfer.planfile.file import read_plan
    from ..database.transfer.reversing.reverse import reverse as copy
    from .transfer_told import bars, show_reversed

    followed = None if plan is None else read_plan(plan)
    with bars() as report:
        done = copy(with_password(url), file, plan=followed, tables=table, report=report)
    if as_json:
        findings = [asdict(one) for one in done.plan.findings]
        print_json({"file": str(done.path), "rows": done.rows, "findings": findings})
    else:
        show_reversed(Console(), done)


def with_password(target: str) -> str:
    """The target's URL with the password that belongs to it: its own, that of MYSQL_PWD, or one asked for."""
    from dataclasses import replace

    from .._sql.mysql_server import MysqlServer

    place = MysqlServer.from_url(target)
    if place.password is None:
        password = os.environ.get("MYSQL_PWD")  # the variable of MySQL's own programs, no setting of ours
        if password is None and sys.stdin.isatty():
            asked = f"Password of {place.user}@{place.host} (empty for none)"
            password = typer.prompt(asked, default="", hide_input=True, show_default=False, err=True)
        place = replace(place, password=password)
    return place.url(secret=True)


def _file(source: str) -> Path:
    """The file of a path or of a URL of SQLite's."""
    path = Path(source.removeprefix("sqlite:///"))
    if not path.is_file():
        raise ConfigurationError(f"there is no SQLite file {path}")
    return path


def _pages(made: Plan, markdown: Path | None, html: Path | None) -> list[Path]:
    """Write the pages that are wanted, and say which: they show values of the source, and are for their owner alone."""
    from ..database.transfer.planfile.differences import as_markdown
    from ..database.transfer.planfile.differences_html import as_html
    from ..database.transfer.planfile.file import write_private

    wanted = [(path, draw) for path, draw in ((markdown, as_markdown), (html, as_html)) if path is not None]
    for path, draw in wanted:
        write_private(path, draw(made).encode())
    return [path for path, _ in wanted]


def _report(found: VerifyReport, path: Path) -> None:
    """Write what was found, signed; it shows values that differ, and is for its owner alone."""
    from ..database.transfer.planfile.file import write_private
    from ..database.transfer.verifying.report import sign
    from ..settings import Settings

    settings = Settings()
    # Where no keys are set the report says that it is not signed: a ring would make some that nobody else has.
    write_private(path, sign(found, settings.key_ring() if settings.security.keys else None))


def _snapshot(plan: Plan, url: str) -> Path | None:
    """The snapshot that the target's rows are from, as long as it is kept."""
    from ..database.transfer.copying.run import snapshot_of
    from ..database.transfer.server import open_target

    with closing(open_target(url).connect()) as session:
        path = snapshot_of(plan, session)
    return path if path is not None and path.is_file() else None

"""``postrmagic config``: which settings there were, what changed, and the way back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from ..errors import ConfigurationError
from .application import AsJson
from .words import print_json

if TYPE_CHECKING:
    from ..configuration import History, Present, Version

config = typer.Typer(
    help="Versions of the settings: which there were, what changed, and the way back.", no_args_is_help=True
)

DataDir = Annotated[
    Path | None,
    typer.Option("--data-dir", metavar="DIR", help="Where versions are kept, if not where the settings say."),
]


@config.command()
def history(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """List the versions, the newest last: when each was seen, by what, and what it changed.

    A process that begins notes its settings; so processes with other environments show as versions of their own. Works
    also while the settings are wrong.
    """
    from .configuration_told import history_json, show_history

    now, found = _read(data_dir)
    if as_json:
        print_json(history_json(found, now))
    else:
        show_history(Console(), found, now)


@config.command()
def show(
    number: Annotated[int | None, typer.Argument(metavar="[N]", help="The version; left out, what holds now.")] = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Show each setting of a version, and where it was set; of secrets the fingerprint."""
    from .configuration_told import show_fields, show_json

    now, found = _read(data_dir)
    version = None if number is None else _version(found, number)
    if as_json:
        print_json(show_json(version, now))
    else:
        show_fields(Console(), version, now)


@config.command()
def diff(
    old: Annotated[int | None, typer.Argument(metavar="[A]", help="Left out, the last that does not hold now.")] = None,
    new: Annotated[int | None, typer.Argument(metavar="[B]", help="Left out, what holds now.")] = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Show what differs between two versions, setting by setting: value, and where it is set.

    Of a secret it is said whether it changed. Where its fingerprints are of different keys, that cannot be told.

    Exit status: 0, whether anything differs or not.
    """
    from ..configuration import changes
    from ..configuration.policy import before
    from .configuration_told import changes_json, show_changes

    now, found = _read(data_dir)
    first = before(found.versions, now.fields) if old is None else _version(found, old)
    if first is None:
        raise ConfigurationError(f"there is no other version in {now.directory} to compare with{_skipped(found)}")
    second = None if new is None else _version(found, new)
    differing = changes(first.fields, now.fields if second is None else second.fields)
    problems = now.problems if second is None else {}
    if as_json:
        named = {"old": first.number, "new": None if second is None else second.number}
        print_json({**named, "changes": changes_json(differing), "problems": dict(problems)})
    else:
        show_changes(Console(), first, second, differing, problems)


@config.command()
def rollback(
    number: Annotated[int, typer.Argument(metavar="N", help="The version, as `history` lists it.")],
    file: Annotated[
        Path | None,
        typer.Option("--file", metavar="FILE", help="What to write; left out, the file that is read: postrmagic.toml."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and write nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Write the settings of a version into the file, and say what is left to do by hand.

    What the environment sets wins over the file: for that, the lines to run are printed. A secret comes back only if it
    is in the file now. Keys are never taken back. The file until now is kept as FILE.old. Processes that run go on with
    what they have: start them again.

    Exit status: 0 if every setting is that of the version; 3 if something is left to do; 1 if nothing was written, or
    what was written is not what it should be.
    """
    from ..configuration import plan_rollback, present
    from ..configuration.rollback import roll_back
    from .configuration_told import show_rollback, show_rolled_back

    now, found = _read(data_dir)
    version = _version(found, number)
    if file is not None:
        now = present(path=file, data_dir=data_dir or now.directory.parent)
    plan = plan_rollback(version, now)
    console = Console()
    show_rollback(console, plan)
    writes = plan.after != (plan.before or "")
    if dry_run or not writes:
        raise typer.Exit(3 if plan.left else 0)
    if not yes:
        typer.confirm(f"Write {plan.path}?", abort=True)
    wrong = roll_back(plan)
    show_rolled_back(console, plan, wrong)
    raise typer.Exit(1 if wrong else 3 if plan.left else 0)


def _read(data_dir: Path | None) -> tuple[Present, History]:
    from ..configuration import VersionFiles, present

    now = present(data_dir=data_dir)
    return now, VersionFiles(now.directory).read()


def _version(found: History, number: int) -> Version:
    for version in found.versions:
        if version.number == number:
            return version
    there = f"{found.versions[0].number} to {found.versions[-1].number}" if found.versions else "none"
    raise ConfigurationError(
        f"there is no version {number} of the settings; `postrmagic config history` has {there}{_skipped(found)}"
    )


def _skipped(found: History) -> str:
    return f"; skipped {', '.join(found.faults)}" if found.faults else ""

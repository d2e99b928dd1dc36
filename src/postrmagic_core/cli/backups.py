"""``postrmagic db backup`` and its like: take backups, look at them, restore them, and prove that they restore.

All of it works from settings alone: after a loss there is no application to ask, and no database. ``--app`` adds what
an application says in code: further directories, and its own check for drills.
"""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from ..errors import BackupNotFound, PostrMagicError
from . import backups_told as told
from .application import AsJson, loaded, look_here
from .words import print_json

if TYPE_CHECKING:
    from ..backups import Backups, Report, RestorePlan
    from ..stack import Stack

App = Annotated[
    str | None,
    typer.Option(metavar="MODULE:STACK", help="The application's Stack, if it names directories or checks in code."),
]
Name = Annotated[str, typer.Argument(metavar="[NAME]", help="A backup's name, as `backups` lists it; or `latest`.")]
_LATEST = "latest"


def backup(
    app: App = None,
    no_files: Annotated[bool, typer.Option("--no-files", help="The database alone.")] = False,
    note: Annotated[str, typer.Option(help="A line for whoever restores it.")] = "",
    no_prune: Annotated[bool, typer.Option("--no-prune", help="Remove no older one afterwards.")] = False,
    as_json: AsJson = False,
) -> None:
    """Take a backup of the database and of the files, then remove those that are no longer kept.

    The application goes on meanwhile. Failed, it leaves nothing; killed, what the next one removes. Older backups are
    as they were.

    Exit status: 0 if it is there, whole; 1 if not.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what is half written is removed on the way out
    with _opened(app) as (_, manager):
        with told.bars() as report:
            taken = manager.take(report, files=not no_files, note=note)
        warnings = [*taken.warnings, *_of_one_disk(manager)]
        removed = [] if no_prune else manager.prune()
    if as_json:
        print_json(told.taken_as_json(taken, warnings, removed))
    else:
        told.show_taken(Console(), taken, warnings, removed)


def backups(app: App = None, as_json: AsJson = False) -> None:
    """List the backups that there are, the newest first."""
    with _opened(app) as (_, manager):
        found = manager.list()
    now = datetime.now(UTC)
    if as_json:
        print_json([told.listed_as_json(one, now) for one in found])
    elif found:
        Console().print(told.listed(found, now))
    else:
        Console().print("there is no backup: take one with `postrmagic db backup`")


def restore(
    name: Name = _LATEST,
    app: App = None,
    to: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Another database than the settings name: sqlite:////path/file.db, or mysql://user@host/name, whose "
            "password is taken from MYSQL_PWD or asked for.",
        ),
    ] = None,
    files: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=DIR", help="Where the files of NAME go; again. Others are then left alone."),
    ] = None,
    no_files: Annotated[bool, typer.Option("--no-files", help="The database alone.")] = False,
    only_files: Annotated[bool, typer.Option("--only-files", help="The files alone.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before anything is replaced.")] = False,
) -> None:
    """Put a backup back: show what it would replace, ask, restore the files, then the database.

    Stop the application and its workers first. Ended however, also by kill -9: run again, it goes on. A SQLite file
    that is replaced stays beside the new one; files that the backup does not have stay where they are.

    Exit status: 0 if all is as it was backed up; 1 if not, or if you said no; 2 if something would be replaced and
    nobody can be asked.
    """
    if no_files and (only_files or files):
        raise typer.BadParameter("--no-files goes neither with --only-files nor with --files")
    if only_files and to is not None:
        raise typer.BadParameter("--only-files restores no database: leave out --to")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    directories = {} if no_files else _directories(files) if files else None
    console = Console()
    with _opened(app) as (stack, manager):
        named = _named(manager, name)
        with told.bars() as report:
            plan = manager.plan_restore(
                named,
                database_url=None if to is None else _reachable(to),
                directories=directories,
                database=not only_files,
                report=report,
            )
        told.show_plan(console, plan, datetime.now(UTC))
        _agreed(plan, yes=yes)
        began = time.monotonic()
        with told.bars() as report:
            manager.restore(plan, report)
        told.show_restored(console, plan, time.monotonic() - began)
        if plan.database_url == manager.terms.database_url:
            told.show_next(console, _cleared(stack))


def verify_backup(
    name: Name = _LATEST,
    app: App = None,
    every: Annotated[bool, typer.Option("--all", help="Every backup that there is.")] = False,
    as_json: AsJson = False,
) -> None:
    """Read every byte of a backup, and see that it is what was written; nothing is restored.

    Exit status: 0 if it is whole; 1 if it is damaged, if its key is not at hand, or if there is none.
    """
    with _opened(app) as (_, manager):
        names = [one.name for one in manager.list()] if every else [_named(manager, name)]
        if not names:
            raise BackupNotFound("there is no backup: take one with `postrmagic db backup`")
        found = {}
        for each in names:
            with told.bars() as report:
                found[each] = _verified(manager, each, report)
    if as_json:
        print_json([{"name": each, "whole": error is None} | told.error_of(error) for each, error in found.items()])
    else:
        told.show_verified(Console(), found)
    if any(found.values()):
        raise typer.Exit(1)


def drill(
    name: Name = _LATEST,
    app: App = None,
    keep: Annotated[
        Path | None, typer.Option(metavar="DIR", help="An empty directory, where what was restored stays.")
    ] = None,
    no_files: Annotated[
        bool, typer.Option("--no-files", help="Read and check the files without writing them, for want of room.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Restore a backup beside everything, compare it with what was backed up, ask the application, and remove it.

    It takes the way of an emergency, and tells how long that took. What runs is not touched.

    Exit status: 0 if everything is as it was backed up; 1 if not.
    """
    from ..backups.drill import tried

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was restored is removed on the way out
    with _opened(app, noting=True) as (_, manager), told.bars() as report:
        done = tried(manager, report, name=None if name == _LATEST else name, keep=keep, files=not no_files)
    if as_json:
        print_json(told.drilled_as_json(done))
    else:
        told.show_drilled(Console(), done)
    if not done.good:
        raise typer.Exit(1)


def prune(
    app: App = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be removed, and remove nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Remove the backups that the settings do not keep: `backups.keep_last`, `keep_daily`, `keep_weekly`, …

    The newest is never removed, and nothing that is not named like a backup.
    """
    with _opened(app) as (_, manager):
        removed = manager.prune(dry=dry_run)
    if as_json:
        print_json({"removed": removed, "dry_run": dry_run})
    else:
        told.show_pruned(Console(), removed, dry_run=dry_run)


@contextmanager
def _opened(app: str | None, *, noting: bool = False) -> Iterator[tuple[Stack, Backups]]:
    """The Stack, not opened, and its backups, which are; its database only to be ``noting`` in it, if it is there.

    Opened for nothing it would be made where it is missing, and be in use where it is to be replaced.
    """
    stack = _stack(app)
    manager = stack.backups
    own, manager.database = manager.database, None
    try:
        with ExitStack() as opened:
            if noting and own is not None and _is_there(manager.terms.database_url):
                manager.database = opened.enter_context(own)
            yield stack, opened.enter_context(manager)
    finally:
        manager.database = own


def _stack(app: str | None) -> Stack:
    from ..stack import Stack

    look_here()
    return Stack.from_env() if app is None else loaded(app)


def _is_there(url: str) -> bool:
    from ..backups.dumps.sqlite import path_from

    return not url.startswith("sqlite") or path_from(url).is_file()


def _named(manager: Backups, name: str) -> str:
    """The full name of a backup; the newest one's where none is named."""
    found = manager.list()
    if not found:
        raise BackupNotFound(f"there is no backup in {told.place(manager.terms.vault_directory)}")
    return found[0].name if name == _LATEST else name


def _verified(manager: Backups, name: str, report: Report) -> PostrMagicError | None:
    try:
        manager.verify(name, report)
    except PostrMagicError as error:
        return error
    return None


def _of_one_disk(manager: Backups) -> list[str]:
    """A warning where the backups are lost together with what they are of, as far as this machine can tell."""
    from ..backups.dumps.sqlite import path_from

    vault, url = manager.terms.vault_directory, manager.terms.database_url
    if vault is None:
        return []
    kept = [path_from(url)] if url.startswith("sqlite") else []
    kept += [path for path in manager.directories.values() if path.is_dir()]
    same = next((path for path in kept if path.stat().st_dev == vault.stat().st_dev), None)
    if same is None:
        return []
    return [
        f"{vault} is on the disk that {same} is on, and lost with it: name another place in POSTRMAGIC_BACKUPS__URL, "
        "or copy the backups elsewhere"
    ]


def _directories(given: list[str]) -> dict[str, Path]:
    found = {}
    for each in given:
        name, equals, path = each.partition("=")
        if not equals or not name or not path:
            raise typer.BadParameter(f"expected --files NAME=DIR, got {each!r}")
        found[name] = Path(path).absolute()
    return found


def _reachable(to: str) -> str:
    """The URL of another database, with the password that belongs to it."""
    from .transfer import with_password

    return to if to.startswith("sqlite") else with_password(to)


def _agreed(plan: RestorePlan, *, yes: bool) -> None:
    """Return where it may go on; nobody is asked where nothing is replaced."""
    if yes or not plan.replaces:
        return
    if not _somebody_is_there():
        sentence = "something would be replaced, and nobody can be asked here: look at the plan, then say --yes"
        Console(stderr=True).print(sentence, style="red", soft_wrap=True)
        raise typer.Exit(2)
    if not typer.confirm("Replace what is there?"):
        Console(stderr=True).print("nothing was changed")
        raise typer.Exit(1)


def _somebody_is_there() -> bool:
    return sys.stdin.isatty()


def _cleared(stack: Stack) -> PostrMagicError | None:
    """Empty the application's cache: what is in it was computed from rows that are gone. What hindered it, if so."""
    from ..cache import CacheManager

    room = stack.settings.cache
    try:
        store = stack.store(room)
        try:
            with CacheManager(store, namespace=room.namespace, unavailable="closed", clock=stack.clock) as cache:
                cache.clear()
        finally:
            store.close()
    except PostrMagicError as error:
        return error
    return None

"""``postrmagic errors``: which errors there are, what one looks like, and saying what is to become of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

import typer
from rich.console import Console

from ..observability.errors import Errors
from . import errors_told
from .application import App, AsJson, ensure_schema, loaded
from .words import duration, operator, plain, print_json, refused

errors = typer.Typer(
    help="Errors in groups: what is new, what came back, and what it looks like.", no_args_is_help=True
)

Name = Annotated[str, typer.Argument(metavar="FINGERPRINT", help="The group, as it is listed.")]
Names = Annotated[list[str], typer.Argument(metavar="FINGERPRINT...", help="Groups, as they are listed.")]


@contextmanager
def opened_errors(app: str) -> Iterator[Errors]:
    """The application's error groups, with its database open and nothing else."""
    stack: Any = loaded(app)
    with stack.database:
        ensure_schema(stack.database)
        yield Errors(stack.database, clock=stack.clock)


@errors.command("list")
def show_all(
    app: App,
    state: Annotated[
        Literal["new", "ignored", "resolved", "regressed"] | None, typer.Option(help="Only groups in this state.")
    ] = None,
    since: Annotated[
        Any, typer.Option(parser=duration, metavar="DURATION", help="Only what was seen within the last 90s, 12h, 7d.")
    ] = None,
    search: Annotated[str, typer.Option(metavar="WORDS", help="Only what has these words, in whatever case.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="How many at most, those first that were seen last.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List groups of errors, with how often each came in the last 24 hours; those first that were seen last."""
    now = datetime.now(UTC)
    after = None if since is None else now - timedelta(seconds=since)
    with opened_errors(app) as opened:
        found = opened.find(state=state, since=after, search=search, limit=limit)
        hours = opened.hourly([group.fingerprint for group in found])
    if as_json:
        print_json([errors_told.as_json(group, hours[group.fingerprint]) for group in found])
    elif found:
        Console().print(errors_told.listed(found, hours, now))
    else:
        Console().print("no such error is known")


@errors.command()
def show(app: App, fingerprint: Name, as_json: AsJson = False) -> None:
    """Show a group and the newest error of it, redacted as it was logged; exit status 1 if it is unknown."""
    with opened_errors(app) as opened:
        found = opened.get(fingerprint)
        hours = opened.hourly([fingerprint]).get(fingerprint, [])
    if found is None:
        raise refused(f"error {fingerprint} is unknown")
    if as_json:
        told = {"sample": found.sample, "changes": errors_told.changes(found)}
        print_json(errors_told.as_json(found, hours) | told)
    else:
        Console().print(errors_told.described(found, hours, datetime.now(UTC)))


@errors.command()
def resolve(
    app: App,
    fingerprints: Names,
    release: Annotated[
        str, typer.Option(metavar="VERSION", help="The release that mends it; only later ones can bring it back.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Say that errors are no more; one that is seen again is shown as regressed."""
    where = f" in {release}" if release else ""
    _each(
        app,
        fingerprints,
        lambda opened, name: opened.resolve(name, release=release, by=operator()),
        f"resolved{where}",
        as_json=as_json,
    )


@errors.command()
def ignore(
    app: App,
    fingerprints: Names,
    span: Annotated[
        Any, typer.Option("--for", parser=duration, metavar="DURATION", help="For so long: 90s, 12h, 7d.")
    ] = None,
    more: Annotated[int | None, typer.Option(min=1, help="Until each came so many more times.")] = None,
    as_json: AsJson = False,
) -> None:
    """Say that nobody need care about errors: for good, or until then; after that they are new again."""
    until = None if span is None else datetime.now(UTC) + timedelta(seconds=span)
    _each(
        app,
        fingerprints,
        lambda opened, name: opened.ignore(name, until=until, more=more, by=operator()),
        "ignored",
        as_json=as_json,
    )


@errors.command()
def reopen(app: App, fingerprints: Names, as_json: AsJson = False) -> None:
    """Say that errors are new, as if nobody had looked at them."""
    _each(app, fingerprints, lambda opened, name: opened.reopen(name, by=operator()), "new again", as_json=as_json)


@errors.command()
def delete(
    app: App,
    fingerprints: Names,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Forget groups and their counts. Asks first."""
    if not yes:
        typer.confirm(f"Forget {len(fingerprints)} group(s) of errors?", abort=True, err=True)
    _each(app, fingerprints, lambda opened, name: opened.delete(name, by=operator()), "forgotten", as_json=as_json)


def _each(app: str, names: list[str], change: Callable[[Errors, str], bool], became: str, *, as_json: bool) -> None:
    """Change each group; exit status 1 if one of them is unknown."""
    with opened_errors(app) as opened:
        try:
            done = {name: change(opened, name) for name in names}
        except ValueError as error:
            raise refused(str(error)) from None
    if as_json:
        print_json(done)
    for name, known in done.items():
        if as_json:
            continue
        if known:
            Console().print(plain(f"error {name} is {became}"), soft_wrap=True)
        else:
            refused(f"error {name} is unknown")
    if not all(done.values()):
        raise typer.Exit(1)

"""``postrmagic flags``: which features are on for whom, and to switch them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from . import flags_told
from .application import App, AsJson, ensure_schema, loaded
from .words import operator, plain, print_json, refused

if TYPE_CHECKING:
    from ..flags import Flag, Flags, Rule
    from ..security.access import AuditEntry

flags = typer.Typer(help="Features that are on for some users, then for all.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="FLAG", help="The flag's name.")]
_CHANGES = 20


@contextmanager
def opened_flags(app: str) -> Iterator[tuple[Flags, Any]]:
    """The application's flags and its security, with its database and audit log open and nothing else."""
    stack: Any = loaded(app)
    with stack.database:
        ensure_schema(stack.database)
        security = stack.security
        with security.audit, stack.flags as opened:
            yield opened, security


@flags.command("list")
def show_all(app: App, as_json: AsJson = False) -> None:
    """List all flags, of settings and database: for whom each is on, and since when."""
    with opened_flags(app) as (opened, _):
        found = opened.list()
    if as_json:
        print_json([flags_told.flag_as_json(flag) for flag in found])
    elif found:
        Console().print(flags_told.listed(found, datetime.now(UTC)))
    else:
        Console().print("there are no flags: declare them in flags.rules, or with `postrmagic flags set`")


@flags.command()
def show(app: App, name: Name, as_json: AsJson = False) -> None:
    """Show a flag and its last changes; exit status 1 if there is no such flag."""
    with opened_flags(app) as (opened, security):
        flag = _found(opened, name)
        entries: list[AuditEntry] = security.audit.find(subject=name, limit=5 * _CHANGES)
    # A user may have the flag's name for an id.
    changes = [entry for entry in entries if entry.action.startswith("flag.")][:_CHANGES]
    if as_json:
        print_json(flags_told.flag_as_json(flag) | {"changes": changes})
    else:
        Console().print(flags_told.described(flag, changes, datetime.now(UTC)))


@flags.command("set")
def change(
    app: App,
    name: Name,
    percent: Annotated[float | None, typer.Option(help="For how many of all users, 0 to 100.")] = None,
    user: Annotated[
        list[str] | None, typer.Option(help="A user's id; repeat it. Those named so far are replaced; '': by none.")
    ] = None,
    role: Annotated[
        list[str] | None, typer.Option(help="A role; repeat it. Those named so far are replaced; '': by none.")
    ] = None,
    off_for: Annotated[
        list[str] | None, typer.Option(help="A user's id for whom it is off; repeat it, as --user.")
    ] = None,
    note: Annotated[str | None, typer.Option(help="For whoever reads it later.")] = None,
    as_json: AsJson = False,
) -> None:
    """Set for whom a flag is on, in the database, which wins over settings; what is not said stays as it is.

    The audit log names who is logged in on this machine. Exit status 1 for what cannot be a rule.
    """
    given = {"percent": percent, "users": user, "roles": role, "off_for": off_for, "note": note}
    said = {part: value for part, value in given.items() if value is not None and value != []}
    if not said:
        raise refused("say what is to change: --percent, --user, --role, --off-for or --note")
    with opened_flags(app) as (opened, _):
        present = next((flag.rule for flag in opened.list() if flag.name == name), None)
        try:
            rule = _changed(present, said)
            done = opened.set(name, rule, actor=operator())
        except ValueError as error:
            raise refused(str(error)) from None
        flag = _found(opened, name)
    if as_json:
        print_json(flags_told.flag_as_json(flag) | {"changed": done})
        return
    Console().print(plain(f"{name} {'is now' if done else 'was'} {flags_told.sentence(rule)}"), soft_wrap=True)
    if present is None:
        Console().print("it is a new flag: nothing in settings or database had this name")


@flags.command()
def clear(app: App, name: Name, as_json: AsJson = False) -> None:
    """Forget what was set in the database, so that settings count again; exit status 1 if nothing was set."""
    with opened_flags(app) as (opened, _):
        try:
            done = opened.clear(name, actor=operator())
        except ValueError as error:
            raise refused(str(error)) from None
        left = next((flag for flag in opened.list() if flag.name == name), None)
    if as_json:
        print_json({"name": name, "changed": done})
    elif not done:
        raise refused(f"nothing was set for {name} in the database")
    else:
        rest = f"settings count: {flags_told.sentence(left.rule)}" if left else "settings do not name it, so it is off"
        Console().print(plain(f"{name} is cleared; {rest}"), soft_wrap=True)
    if not done:
        raise typer.Exit(1)


@flags.command()
def explain(
    app: App,
    name: Name,
    user: Annotated[str | None, typer.Option(help="The user's id; left out, somebody who is not logged in.")] = None,
    role: Annotated[list[str] | None, typer.Option(help="A role, in place of those the user has; repeat it.")] = None,
    as_json: AsJson = False,
) -> None:
    """Say why a flag is on or off for a user, with the bucket that the percentage is compared with.

    Exit status 1 if it is off.
    """
    from ..security.access import User

    if role and not user:
        raise refused("whose role is it? say --user, too: who is not logged in has none")
    with opened_flags(app) as (opened, security):
        who = None
        if user and role:
            who = User(user, frozenset(role))
        elif user:
            with security.access as access:
                try:
                    who = User(user, frozenset(access.roles_of(user)))
                except ValueError as error:
                    raise refused(str(error)) from None
        explanation = opened.explain(name, who)
    if as_json:
        print_json(flags_told.explanation_as_json(explanation))
    else:
        Console().print(flags_told.explained(explanation), soft_wrap=True)
    if not explanation.on:
        raise typer.Exit(1)


def _found(opened: Flags, name: str) -> Flag:
    found = opened.list()
    for flag in found:
        if flag.name == name:
            return flag
    raise refused(f"there is no flag {name}; there are {', '.join(flag.name for flag in found) or 'none'}")


def _changed(present: Rule | None, said: Mapping[str, Any]) -> Rule:
    from ..flags import Rule

    sets = {name: frozenset(value) - {""} for name, value in said.items() if isinstance(value, list)}
    return replace(present or Rule(), **{**said, **sets})

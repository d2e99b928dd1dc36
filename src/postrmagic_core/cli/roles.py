"""``postrmagic roles``: which roles there are, who has them, why somebody may or may not, and what was denied."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from . import roles_told
from .application import App, AsJson, ensure_schema, loaded
from .words import duration, operator, plain, print_json, refused

if TYPE_CHECKING:
    from ..security.access import Access

roles = typer.Typer(help="Roles: what they allow, who has them, and why.", no_args_is_help=True)

User = Annotated[str, typer.Argument(metavar="USER", help="The user's id.")]
RoleName = Annotated[str, typer.Argument(metavar="ROLE", help="The role's name.")]
Since = Annotated[
    Any, typer.Option(parser=duration, metavar="DURATION", help="Only what happened within the last 90s, 12h, 7d.")
]


@contextmanager
def opened_access(app: str) -> Iterator[Access]:
    """The application's roles and their audit log, with its database open and nothing else."""
    stack: Any = loaded(app)
    with stack.database:
        ensure_schema(stack.database)
        access: Access = stack.security.access
        with access.audit, access:
            yield access


@roles.command("list")
def show_all(app: App, as_json: AsJson = False) -> None:
    """List the roles that the application declares."""
    declared = list(loaded_roles(app))
    if as_json:
        print_json([roles_told.role_as_json(role) for role in declared])
    elif declared:
        Console().print(roles_told.listed(declared))
    else:
        Console().print("the application declares no roles")


@roles.command()
def show(app: App, role: RoleName, as_json: AsJson = False) -> None:
    """Show what a role allows and denies, itself and by what it inherits, and who has it; exit status 1 if unknown."""
    with opened_access(app) as access:
        found = access.roles.get(role)
        if found is None:
            raise refused(f"role {role} is not declared; declared are {', '.join(access.roles.names) or 'none'}")
        users = access.users_with(role)
    if as_json:
        print_json(roles_told.role_as_json(found) | {"users": users})
    else:
        Console().print(roles_told.described(access.roles, role, users))


@roles.command()
def grant(app: App, user: User, role: RoleName, as_json: AsJson = False) -> None:
    """Give a user a role; the audit log names who is logged in on this machine. Nothing changes if they had it."""
    with opened_access(app) as access:
        done = access.grant(user, role, actor=operator())
    if as_json:
        print_json({"user": user, "role": role, "changed": done})
    else:
        Console().print(plain(f"user {user} {'now has' if done else 'had'} the role {role}"))


@roles.command()
def revoke(app: App, user: User, role: RoleName, as_json: AsJson = False) -> None:
    """Take a role from a user; exit status 1 if they did not have it, or must keep it as its last holder."""
    with opened_access(app) as access:
        done = access.revoke(user, role, actor=operator())
    if as_json:
        print_json({"user": user, "role": role, "changed": done})
    elif done:
        Console().print(plain(f"user {user} no longer has the role {role}"))
    else:
        raise refused(f"user {user} did not have the role {role}")
    if not done:
        raise typer.Exit(1)


@roles.command("of")
def of_user(app: App, user: User, as_json: AsJson = False) -> None:
    """List a user's roles; those that the application does not declare any more are marked."""
    with opened_access(app) as access:
        found = access.roles_of(user)
        declared = access.roles
    if as_json:
        print_json(found)
    elif found:
        Console().print(roles_told.held(found, declared))
    else:
        Console().print(plain(f"user {user} has no role"))


@roles.command()
def explain(
    app: App,
    user: User,
    permission: Annotated[str, typer.Argument(metavar="PERMISSION", help="As media:edit, or media:edit:own.")],
    as_json: AsJson = False,
) -> None:
    """Show why a user may, or may not; exit status 1 if not. It is asked without an object."""
    with opened_access(app) as access:
        explanation = access.explain(access.identity(user), permission)
    if as_json:
        print_json(roles_told.explanation_as_json(explanation))
    else:
        Console().print(roles_told.explained(explanation))
    if not explanation.allowed:
        raise typer.Exit(1)


@roles.command()
def audit(
    app: App,
    actor: Annotated[str | None, typer.Option(help="Only what this user did, or was denied.")] = None,
    subject: Annotated[str | None, typer.Option(help="Only what was done to this user, or permission.")] = None,
    action: Annotated[str | None, typer.Option(help="Only this: role.granted, role.revoked, access.denied, …")] = None,
    since: Since = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at most, the newest first.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Show changes of roles and denials, the newest first."""
    now = datetime.now(UTC)
    after = None if since is None else now - timedelta(seconds=since)
    with opened_access(app) as access:
        found = access.audit.find(actor=actor, subject=subject, action=action, since=after, limit=limit)
    if as_json:
        print_json([roles_told.entry_as_json(entry) for entry in found])
    elif found:
        Console().print(roles_told.told(found, now))
    else:
        Console().print("the audit log tells of nothing like that")


def loaded_roles(app: str) -> Any:
    """The application's roles; no database is asked."""
    stack: Any = loaded(app)
    return stack.security.access.roles

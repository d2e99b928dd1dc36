"""``postrmagic oauth``: which programs may ask users for access to the API, and what users allowed them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from .application import App, AsJson, ensure_schema, loaded
from .words import operator, plain, print_json, refused

if TYPE_CHECKING:
    from ..security.oauth import AuthorizationServer, ClientInfo

oauth = typer.Typer(help="Programs that use the API for users: which there are, and what they were allowed.")

ClientId = Annotated[str, typer.Argument(metavar="CLIENT", help="The client's id.")]
User = Annotated[str, typer.Argument(metavar="USER", help="The user's id.")]
Many = "Give it several times for several."


@contextmanager
def opened_server(app: str) -> Iterator[AuthorizationServer]:
    """The application's authorization server, with its database open and nothing else."""
    stack: Any = loaded(app)
    with stack.database:
        ensure_schema(stack.database)
        server: AuthorizationServer = stack.security.oauth
        access = stack.security.access
        with access.audit, access, server:
            yield server


@oauth.command("list")
def show_all(app: App, as_json: AsJson = False) -> None:
    """List the clients; those that were disabled are marked."""
    with opened_server(app) as server:
        found = server.clients.all()
    if as_json:
        print_json(found)
    elif found:
        Console().print(_listed(found))
    else:
        Console().print("there are no clients: postrmagic oauth add makes one")


@oauth.command()
def scopes(app: App, as_json: AsJson = False) -> None:
    """List what clients can ask for, and which permissions each scope gives."""
    stack: Any = loaded(app)
    found = list(stack.security.oauth.scopes)
    if as_json:
        print_json(found)
        return
    table = Table("scope", "permissions", "about")
    for scope in found:
        table.add_row(*map(plain, (scope.name, ", ".join(scope.permissions), scope.about)))
    Console().print(table)


@oauth.command()
def add(
    app: App,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What users are shown when they are asked.")],
    scope: Annotated[list[str] | None, typer.Option(help=f"What it may ask for. {Many}")] = None,
    redirect_uri: Annotated[list[str] | None, typer.Option(help=f"Where users come back to. {Many}")] = None,
    grant: Annotated[
        list[str] | None,
        typer.Option(help=f"authorization_code (with --redirect-uri), refresh_token, client_credentials. {Many}"),
    ] = None,
    public: Annotated[
        bool, typer.Option("--public", help="It runs on users' machines and can keep no secret.")
    ] = False,
    introspects: Annotated[
        bool, typer.Option("--introspects", help="It is a server that asks what tokens it receives are worth.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Register a client; its secret is shown once.

    Without --grant it is authorization_code and refresh_token where there is a redirect URI, else client_credentials; a
    server that only introspects needs neither that nor a scope.
    """
    usual = ["authorization_code", "refresh_token"] if redirect_uri else ["client_credentials"]
    grants = grant or ([] if introspects and not redirect_uri and not scope else usual)
    with opened_server(app) as server:
        try:
            issued = server.clients.add(
                name,
                redirect_uris=redirect_uri or (),
                scopes=scope or (),
                grant_types=grants,
                public=public,
                introspects=introspects,
                actor=operator(),
            )
        except ValueError as error:
            raise refused(str(error)) from None
    _show_secret(issued.info.id, issued.secret, as_json=as_json)


@oauth.command()
def show(app: App, client: ClientId, as_json: AsJson = False) -> None:
    """Show a client; exit status 1 if there is none such."""
    with opened_server(app) as server:
        found = server.clients.find(client)
    if found is None:
        raise refused(f"there is no client {client}")
    if as_json:
        print_json(found)
    else:
        Console().print(_described(found))


@oauth.command()
def secret(app: App, client: ClientId, as_json: AsJson = False) -> None:
    """Give a client a new secret, shown once; the one before ends at once."""
    with opened_server(app) as server:
        issued = server.clients.renew_secret(client, actor=operator())
    if issued is None:
        raise refused(f"there is no client {client} that has a secret and is not disabled")
    _show_secret(issued.info.id, issued.secret, as_json=as_json)


@oauth.command()
def disable(app: App, client: ClientId, as_json: AsJson = False) -> None:
    """End a client and all that it was allowed; exit status 1 if there is none such that is good."""
    with opened_server(app) as server:
        done = server.clients.disable(client, actor=operator())
    if as_json:
        print_json({"client": client, "changed": done})
    elif done:
        Console().print(plain(f"client {client} is disabled, and its tokens are revoked"))
    if not done:
        raise typer.Exit(1) if as_json else refused(f"there is no client {client} that is not disabled")


@oauth.command()
def grants(app: App, user: User, as_json: AsJson = False) -> None:
    """List what a user allowed."""
    with opened_server(app) as server:
        found = server.grants_of(user)
    if as_json:
        print_json(found)
    elif found:
        table = Table("grant", "client", "scopes", "since", "until", "last used")
        for each in found:
            cells = (each.id, each.client_name, " ".join(each.scopes), each.created_at, each.expires_at)
            table.add_row(*map(plain, (*cells, each.last_used_at or "never")))
        Console().print(table)
    else:
        Console().print(plain(f"user {user} has allowed nothing"))


@oauth.command()
def revoke(
    app: App,
    user: User,
    grant: Annotated[str | None, typer.Argument(metavar="[GRANT]", help="The grant's id; without it all.")] = None,
    as_json: AsJson = False,
) -> None:
    """End one of a user's grants, or all; exit status 1 if there was none."""
    with opened_server(app) as server:
        if grant is None:
            count = server.revoke_all(user, actor=operator())
        else:
            count = int(server.revoke_grant(user, grant, actor=operator()))
    if as_json:
        print_json({"user": user, "revoked": count})
    elif count:
        Console().print(plain(f"{count} of user {user} revoked"))
    if not count:
        raise typer.Exit(1) if as_json else refused(f"user {user} has no such grant")


def _listed(found: list[ClientInfo]) -> Table:
    table = Table("client", "name", "kind", "grants", "scopes")
    for each in found:
        name = each.name if each.disabled_at is None else f"{each.name} (disabled)"
        cells = (each.id, name, _kind(each), " ".join(each.grant_types), " ".join(each.scopes))
        table.add_row(*map(plain, cells))
    return table


def _described(client: ClientInfo) -> Table:
    table = Table(show_header=False, box=None)
    rows = {
        "client": client.id,
        "name": client.name,
        "kind": _kind(client),
        "grants": " ".join(client.grant_types),
        "scopes": " ".join(client.scopes),
        "redirect URIs": " ".join(client.redirect_uris) or "none",
        "since": client.created_at,
        "disabled": client.disabled_at or "no",
    }
    for name, value in rows.items():
        table.add_row(name, plain(value))
    return table


def _kind(client: ClientInfo) -> str:
    kind = "public" if client.public else "confidential"
    return f"{kind}, introspects" if client.introspects else kind


def _show_secret(client: str, text: str | None, *, as_json: bool) -> None:
    if as_json:
        print_json({"client": client, "secret": text})
        return
    Console().print(plain(f"client {client}"), soft_wrap=True)
    if text is not None:
        Console().print(plain(f"secret {text}"), soft_wrap=True)
        Console().print("The secret is shown now and never again.")

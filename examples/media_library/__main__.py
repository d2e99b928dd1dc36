"""``python -m media_library``: prepare, seed, serve, demo, smoke, sweep, reindex, admin, reset-link."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

if TYPE_CHECKING:
    from .application import Application

app = typer.Typer(help=__doc__, no_args_is_help=True, pretty_exceptions_enable=False)
console = Console()

Port = Annotated[int, typer.Option(help="Port of the web process.")]
Host = Annotated[str, typer.Option(help="Address to listen on.")]


@app.command()
def prepare(
    guest: Annotated[bool, typer.Option(help="Also make an account without media.")] = False,
    keeper: Annotated[bool, typer.Option(help="Also make an administrator's account, with a public password.")] = False,
) -> None:
    """Create the tables and the demo account, whose password is public; what is there stays."""
    from .seed import prepare as create

    create(_application(), guest=guest, keeper=keeper)


@app.command()
def seed() -> None:
    """Put the drawn posters into the demo account, with a progress bar."""
    from .seed import seed as fill

    fill(_application())


@app.command()
def sweep() -> None:
    """Remove files that crashes left behind; the worker does this too, each time it starts."""
    application = _application()
    with application.stack:
        console.print(f"{application.library.sweep()} abandoned files removed")


@app.command()
def reindex() -> None:
    """Make the full text of all media anew, as after a move to another database, which does not take it along."""
    from .search import rebuild

    application = _application()
    with application.stack:
        console.print(f"{rebuild(application.stack.database)} media indexed")


@app.command()
def serve(port: Port = 8000, host: Host = "127.0.0.1") -> None:
    """Run one web process and one worker process until interrupted."""
    from postrmagic_core.cli.dev import dev

    dev("media_library.asgi:app", "media_library.worker:stack", host=host, port=port)


@app.command()
def admin(name: Annotated[str, typer.Argument(help="Name of an account.")]) -> None:
    """Make an account an administrator's: the first one of a new installation."""
    from .roles import ADMIN

    application = _application()
    with application.stack:
        user = application.accounts.by_name(name)
        if user is None:
            raise SystemExit(f"there is no account {name!r}")
        application.stack.security.access.grant(user.key, ADMIN, actor=None)
    console.print(f"{name} is an administrator")


@app.command()
def reset_link(
    name: Annotated[str, typer.Argument(help="Name of an account.")],
    url: Annotated[str, typer.Option(help="Address of the site, as its users open it.")] = "http://127.0.0.1:8000",
) -> None:
    """Print a link that sets a new password, once, within half an hour. It is not sent: hand it over yourself.

    A second factor is asked for afterwards as before.
    """
    application = _application()
    with application.stack:
        token = application.accounts.reset_token(name)
    if token is None:
        raise SystemExit(f"there is no account {name!r}")
    # Behind the #, which browsers keep to themselves.
    typer.echo(f"{url.rstrip('/')}/#reset={token}")


@app.command()
def demo(port: Port = 8000, host: Host = "127.0.0.1") -> None:
    """Prepare, seed and serve: open the printed address in a browser."""
    from .seed import DEMO, KEEPER

    address = f"http://127.0.0.1:{port}"
    os.environ.setdefault("POSTRMAGIC_OAUTH__ISSUER", address)
    prepare(keeper=True)
    seed()
    console.print(
        f"\n  Open [bold]{address}[/bold]  (name: {DEMO['name']}, password: {DEMO['password']}; "
        f"an administrator: {KEEPER['name']}, {KEEPER['password']})\n"
        f"  How it does, for the administrator: [bold]{address}/observability/[/bold]\n"
    )
    serve(port=port, host=host)


@app.command()
def smoke(
    urls: Annotated[str, typer.Option(help="embedded, or mysql+redis (private servers are started).")] = "embedded",
    url: Annotated[str, typer.Option(help="Address of a site that runs already, instead: new accounts sign up.")] = "",
) -> None:
    """Do the main job without a person and print what happened."""
    from .smoke import run, run_at

    sys.exit(run_at(url) if url else run(urls))


def _application() -> Application:
    from postrmagic_core.stack import Stack

    from .application import assemble

    return assemble(Stack.from_env())


if __name__ == "__main__":
    os.environ.setdefault("POSTRMAGIC_STACK__SERVICE", "media-library")
    app()

"""``python -m media_library``: prepare, seed, serve, demo, smoke, sweep."""

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


@app.command()
def prepare(
    guest: Annotated[bool, typer.Option(help="Also make an account without media.")] = False,
) -> None:
    """Create the tables and the demo account; what is there stays."""
    from .seed import prepare as create

    create(_application(), guest=guest)


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
def serve(port: Port = 8000, host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1") -> None:
    """Run one web process and one worker process until interrupted."""
    from postrmagic_core.cli.dev import dev

    dev("media_library.asgi:app", "media_library.worker:stack", host=host, port=port)


@app.command()
def demo(port: Port = 8000) -> None:
    """Prepare, seed and serve: open the printed address in a browser."""
    from .smoke import DEMO

    prepare()
    seed()
    console.print(
        f"\n  Open [bold]http://127.0.0.1:{port}[/bold]  (name: {DEMO['name']}, password: {DEMO['password']})\n"
    )
    serve(port=port)


@app.command()
def smoke(
    urls: Annotated[str, typer.Option(help="embedded, or mysql+redis (private servers are started).")] = "embedded",
) -> None:
    """Do the main job without a person and print what happened."""
    from .smoke import run

    sys.exit(run(urls))


def _application() -> Application:
    from postrmagic_core.stack import Stack

    from .application import assemble

    return assemble(Stack.from_env())


if __name__ == "__main__":
    os.environ.setdefault("POSTRMAGIC_STACK__SERVICE", "media-library")
    app()

"""``postrmagic serve``: one web process that drains before it ends, as load balancers and orchestrators need it."""

from __future__ import annotations

import socket
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ..errors import MissingExtra
from ..observability.health import drain_process
from ..registry import imported
from .application import look_here
from .draining import Draining, checked
from .lingering import Lingering
from .listening import bound, bound_to_path, refused, remove


def serve(
    web: Annotated[str, typer.Argument(metavar="MODULE:ASGI_APP", help="The web application.")],
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 is every one of IPv4.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0: any that is free.")] = 8000,
    uds: Annotated[Path | None, typer.Option(help="A Unix socket to listen at instead.")] = None,
    drain: Annotated[
        float, typer.Option(min=0, help="Seconds after SIGTERM in which it says `draining` and still serves.")
    ] = 0.0,
    grace: Annotated[float, typer.Option(min=0, help="Seconds that running requests then get to end in.")] = 30.0,
    keep_alive: Annotated[
        int, typer.Option(min=1, help="Seconds an idle connection is kept: more than the proxy keeps it.")
    ] = 75,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing at start and end.")] = False,
) -> None:
    """Serve an ASGI application in this process until SIGTERM or Ctrl-C.

    SIGTERM: /readyz answers 503 `draining` at once, everything is served on for --drain seconds, each answer closing
    its connection; then nothing more is accepted, running requests get --grace seconds, and the application is closed.
    A second SIGTERM ends at once, Ctrl-C ends without draining. Exit status 0, or 1 if requests had to be cut.
    """
    try:
        from .serving import Server, Terms
    except ImportError as error:
        raise MissingExtra("serving needs uvicorn: pip install 'postrmagic-core[server]'") from error
    look_here()
    app = Draining(Lingering(checked(imported(web, "MODULE:ASGI_APP"), web)))
    console = Console(stderr=True, quiet=quiet, highlight=False, soft_wrap=True)
    with ExitStack() as opened:
        sockets = [bound_to_path(uds)] if uds is not None else bound(host, port)
        for one in sockets:
            opened.enter_context(one)
        if uds is not None:
            opened.callback(remove, uds, uds.lstat())
        places = ", ".join(map(_place, sockets))

        def said() -> None:
            times = f"{drain:g} s drain, {grace:g} s grace"
            console.print(f"postrmagic serve: {web} at {places}, {times}", markup=False)

        began = time.monotonic()
        server = Server(app, Terms(drain, grace, keep_alive), drained=drain_process, said=said)
        try:
            served = server.serve_on(sockets)
        except OSError as error:
            raise refused(error, host, port) from error
    count, cut = served.requests, f", {served.cut} cut" if served.cut else ""
    told = f"stopped after {time.monotonic() - began:.0f} s; {count} request{'' if count == 1 else 's'} answered{cut}"
    console.print(f"postrmagic serve: {told}", markup=False)
    raise typer.Exit(served.status)


def _place(one: socket.socket) -> str:
    address = one.getsockname()
    if isinstance(address, (str, bytes)):
        return f"unix:{address!s}"
    host = f"[{address[0]}]" if ":" in address[0] else address[0]
    return f"http://{host}:{address[1]}"

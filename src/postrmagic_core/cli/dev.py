"""``postrmagic dev``: one web process and one worker process, for development and demonstration."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from typing import Annotated

import typer


def dev(
    web: Annotated[str, typer.Argument(metavar="MODULE:ASGI_APP", help="The web application.")],
    stack: Annotated[str, typer.Option("--app", metavar="MODULE:STACK", help="Where the application's Stack is.")],
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8000,
) -> None:
    """Run one web process and one worker process (jobs, schedules, outbox relay) until interrupted."""
    server = [sys.executable, "-m", "uvicorn", web, "--host", host, "--port", str(port)]
    quiet = ["--no-server-header", "--no-access-log", "--no-proxy-headers", "--log-level", "warning"]
    worker = [sys.executable, "-m", "postrmagic_core.cli", "worker", "--app", stack]
    commands = ([*server, *quiet, "--timeout-graceful-shutdown", "5"], worker)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    typer.echo(f"postrmagic dev: {web} at http://{f'[{host}]' if ':' in host else host}:{port}", err=True)
    children = [subprocess.Popen(command) for command in commands]  # noqa: S603 - our own interpreter, no shell
    try:
        code = _first_end(children)
    except (KeyboardInterrupt, SystemExit):
        code = 0
    finally:
        _stop(children)
    raise typer.Exit(code)


def _first_end(children: list[subprocess.Popen[bytes]]) -> int:
    """Wait until either child ends by itself: the other one alone would only look alive."""
    while True:
        for child in children:
            code = child.poll()
            if code is not None:
                return code or 1
        time.sleep(0.1)


def _stop(children: list[subprocess.Popen[bytes]]) -> None:
    for child in children:
        if child.poll() is None:
            child.terminate()
    deadline = time.monotonic() + 10
    for child in children:
        try:
            child.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()

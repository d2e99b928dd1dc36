"""``postrmagic worker``: supervised worker processes, each with the relay inside."""

from __future__ import annotations

import signal
import sys
from enum import StrEnum
from types import FrameType
from typing import Annotated

import typer

from ..jobs.process import load
from ..jobs.supervisor import Supervisor


class Only(StrEnum):
    """A part of the worker to run alone."""

    RELAY = "relay"
    WORKER = "worker"


def worker(
    app: Annotated[str, typer.Option(help="Where the Stack is: module:name, found from this directory.")],
    processes: Annotated[int, typer.Option(min=1, help="Worker processes; each is started again when it dies.")] = 1,
    threads: Annotated[int, typer.Option(min=1, help="Jobs that one process runs at once.")] = 4,
    only: Annotated[Only | None, typer.Option(help="Run the relay alone, or workers without it.")] = None,
) -> None:
    """Run jobs and forward the outbox until SIGTERM, which lets running jobs end."""
    if not sys.path or sys.path[0] not in ("", "."):
        sys.path.insert(0, "")
    load(app).worker()  # what is wrong is said here, once, and not by each child
    part = "all" if only is None else only.value
    command = [sys.executable, "-m", "postrmagic_core.jobs.process", app, str(threads), part]
    supervisor = Supervisor(command, processes)

    def stop(number: int, frame: FrameType | None) -> None:
        supervisor.stop()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    supervisor.run()

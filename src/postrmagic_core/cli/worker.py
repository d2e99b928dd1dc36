"""``postrmagic worker``: supervised worker processes, each with the relay and the scheduler inside."""

from __future__ import annotations

import json
import logging
import signal
import sys
import time
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

import typer
from rich.console import Console

from ..errors import ConfigurationError, PostrMagicError
from ..jobs.supervisor import Supervisor
from .application import App, loaded, opened_jobs
from .options import spread

if TYPE_CHECKING:
    from ..stack import Stack

logger = logging.getLogger("postrmagic_core.jobs")

# Seconds that a process has for ending, beyond the grace of its jobs.
_BEYOND = 10.0


class Only(StrEnum):
    """A part of the worker to run alone."""

    RELAY = "relay"
    WORKER = "worker"


@dataclass(frozen=True)
class Size:
    """How many processes there are, and what each may take."""

    processes: Annotated[int, typer.Option(min=1, help="Worker processes; each is started again when it dies.")] = 1
    threads: Annotated[
        int | None, typer.Option(min=1, help="Jobs that one process runs at once; default: jobs.threads.")
    ] = None
    max_memory_mib: Annotated[
        int | None, typer.Option(min=1, metavar="MIB", help="Replace a process that has grown beyond it.")
    ] = None


@spread
def worker(
    app: App,
    size: Size,
    queues: Annotated[
        list[str] | None, typer.Option(metavar="A,B", help="Only jobs of these queues; default: every included task's.")
    ] = None,
    only: Annotated[Only | None, typer.Option(help="Run relay and schedules alone, or workers without them.")] = None,
    grace: Annotated[
        float | None, typer.Option(min=0, help="Seconds that running jobs get to end in; default: jobs.grace.")
    ] = None,
    ready_file: Annotated[
        Path | None, typer.Option(help="A file that is there while every process works: for a container's health.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing at start and end.")] = False,
) -> None:
    """Run jobs, schedules and the outbox's relay until SIGTERM or Ctrl-C, which lets running jobs end; two end at once.

    A process that fails is started again after a pause; one that grew beyond its memory, or was sent SIGTERM by itself,
    drains and is replaced.
    """
    stack = loaded(app)
    options: dict[str, Any] = {
        "threads": size.threads or stack.settings.jobs.threads,
        "queues": [name for given in queues for name in given.split(",")] if queues else None,
        "grace": stack.settings.jobs.grace if grace is None else grace,
        "max_memory_mib": size.max_memory_mib,
    }
    consumed = stack.worker(**options).queues  # what is wrong is said here, once, and not by each child
    part = "all" if only is None else only.value
    console = Console(stderr=True, quiet=quiet, highlight=False, soft_wrap=True)
    with stack.logging():
        console.print(_beginning(stack, consumed, part, size.processes, options), markup=False)
        began = time.monotonic()
        command = [sys.executable, "-m", "postrmagic_core.jobs.process", app, part, json.dumps(options)]
        ready = None if ready_file is None else _ReadyFile(ready_file)
        supervisor = Supervisor(command, size.processes, grace=options["grace"] + _BEYOND, ready=ready)

        def stop(number: int, frame: FrameType | None) -> None:
            supervisor.stop()

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        killed = supervisor.run()
        ended = f"stopped after {time.monotonic() - began:.0f} s" + (f", {killed} killed" if killed else "")
        if not quiet:
            console.print(f"postrmagic worker: {ended}; {_left(app, consumed)}", markup=False)


class _ReadyFile:
    """A file that is there while every process works; what an earlier run left there is removed at once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            path.touch()  # better told now than when the processes work
            if path.stat().st_size:
                raise ConfigurationError(f"--ready-file {path} has something in it: it would be removed")
            path.unlink()
        except OSError as error:
            raise ConfigurationError(f"--ready-file {path} cannot be written: {error.strerror}") from error

    def __call__(self, ready: bool) -> None:
        try:
            if ready:
                self._path.touch()
            else:
                self._path.unlink(missing_ok=True)
        except OSError as error:  # the jobs go on
            logger.error("the ready file cannot be written", extra={"path": str(self._path), "error": error.strerror})


def _beginning(stack: Stack, queues: list[str], part: str, processes: int, options: dict[str, Any]) -> str:
    tasks = sum(task.queue in queues for task in stack.jobs.tasks.values())
    broker, database = _place(stack.settings.broker_url()), _place(stack.settings.database_url())
    count = f"{processes} process{'' if processes == 1 else 'es'}"
    number = len(stack.jobs.scheduled)
    schedules = f" and {number} schedule{'' if number == 1 else 's'}" if number else ""
    if part == "relay":
        return f"postrmagic worker: the relay of {database} to {broker}{schedules}, {count}"
    size = f"{count} of {options['threads']} thread{'' if options['threads'] == 1 else 's'}"
    memory = options["max_memory_mib"] or stack.settings.jobs.max_memory_mib
    ceiling = f", {memory} MiB each" if memory else ""
    return (
        f"postrmagic worker: {', '.join(queues)} ({tasks} task{'' if tasks == 1 else 's'}) from {broker}, "
        f"{size}{ceiling}, {'without the relay' if part == 'worker' else f'with the relay{schedules}'}, "
        f"{options['grace']:g} s grace"
    )


def _left(app: str, queues: list[str]) -> str:
    try:
        with opened_jobs(app) as jobs:
            counts = jobs.counts()
    except PostrMagicError as error:
        return f"what is left nobody can tell ({error.code})"
    told = [
        f"{name} {of.queued} due, {of.later} later, {of.running} running"
        for name, of in sorted(counts.items())
        if name in queues and (of.queued or of.later or of.running)
    ]
    return f"left: {'; '.join(told)}" if told else "nothing is left"


def _place(url: str) -> str:
    """Where a URL leads, without user, password and options."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"

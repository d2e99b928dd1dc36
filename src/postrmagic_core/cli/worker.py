"""``postrmagic worker``: supervised worker processes, each with the relay and the scheduler inside."""

from __future__ import annotations

import json
import signal
import sys
import time
from enum import StrEnum
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

import typer
from rich.console import Console

from ..errors import PostrMagicError
from ..jobs.supervisor import Supervisor
from .application import App, loaded, opened_jobs

if TYPE_CHECKING:
    from ..stack import Stack

# Seconds that a process has for ending, beyond the grace of its jobs.
_BEYOND = 10.0


class Only(StrEnum):
    """A part of the worker to run alone."""

    RELAY = "relay"
    WORKER = "worker"


def worker(
    app: App,
    processes: Annotated[int, typer.Option(min=1, help="Worker processes; each is started again when it dies.")] = 1,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Jobs that one process runs at once; default: jobs.threads.")
    ] = None,
    queues: Annotated[
        list[str] | None, typer.Option(metavar="A,B", help="Only jobs of these queues; default: every included task's.")
    ] = None,
    only: Annotated[Only | None, typer.Option(help="Run relay and schedules alone, or workers without them.")] = None,
    grace: Annotated[
        float | None, typer.Option(min=0, help="Seconds that running jobs get to end in; default: jobs.grace.")
    ] = None,
    max_memory_mib: Annotated[
        int | None, typer.Option(min=1, metavar="MIB", help="Replace a process that has grown beyond it.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing at start and end.")] = False,
) -> None:
    """Run jobs, schedules and the outbox's relay until SIGTERM or Ctrl-C, which lets running jobs end; two end at once.

    A process that fails is started again after a pause; one that grew beyond its memory, or was sent SIGTERM by itself,
    drains and is replaced.
    """
    stack = loaded(app)
    options: dict[str, Any] = {
        "threads": threads or stack.settings.jobs.threads,
        "queues": [name for given in queues for name in given.split(",")] if queues else None,
        "grace": stack.settings.jobs.grace if grace is None else grace,
        "max_memory_mib": max_memory_mib,
    }
    consumed = stack.worker(**options).queues  # what is wrong is said here, once, and not by each child
    part = "all" if only is None else only.value
    console = Console(stderr=True, quiet=quiet, highlight=False, soft_wrap=True)
    with stack.logging():
        console.print(_beginning(stack, consumed, part, processes, options), markup=False)
        began = time.monotonic()
        command = [sys.executable, "-m", "postrmagic_core.jobs.process", app, part, json.dumps(options)]
        supervisor = Supervisor(command, processes, grace=options["grace"] + _BEYOND)

        def stop(number: int, frame: FrameType | None) -> None:
            supervisor.stop()

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        killed = supervisor.run()
        ended = f"stopped after {time.monotonic() - began:.0f} s" + (f", {killed} killed" if killed else "")
        if not quiet:
            console.print(f"postrmagic worker: {ended}; {_left(app, consumed)}", markup=False)


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

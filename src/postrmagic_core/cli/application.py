"""The application that a command is about: its Stack, found by name and opened as far as the command needs it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, cast

import typer

from ..errors import ConfigurationError, SchemaMismatch

if TYPE_CHECKING:
    from ..events import EventManager
    from ..jobs import JobQueue
    from ..middleware import Pipeline
    from ..stack import Stack

App = Annotated[str, typer.Option(help="Where the Stack is: module:name, found from this directory.")]
AsJson = Annotated[bool, typer.Option("--json", help="JSON instead of words and tables.")]


def loaded(app: str) -> Stack:
    """The Stack that ``module:name`` names, not opened."""
    from ..jobs.process import load

    _look_here()
    return cast("Stack", load(app))


def loaded_pipeline(app: str) -> Pipeline:
    """The Pipeline that ``module:name`` names, or that of the Stack which it names."""
    from ..jobs.process import imported
    from ..middleware import Pipeline
    from ..stack import Stack

    _look_here()
    found = imported(app)
    if isinstance(found, Stack):
        return found.middleware.pipeline()
    if isinstance(found, Pipeline):
        return found
    raise ConfigurationError(f"--app {app} is a {type(found).__name__}, expected a Stack or a Pipeline")


def _look_here() -> None:
    if not sys.path or sys.path[0] not in ("", "."):
        sys.path.insert(0, "")


@contextmanager
def opened_jobs(app: str) -> Iterator[JobQueue]:
    """The application's queue, with its database open and nothing else: no worker, and no lock of a running one."""
    stack = loaded(app)
    with stack.database:
        if not stack.database.schema_current():
            raise SchemaMismatch("the tables are missing or of another version: run `postrmagic db upgrade`")
        with stack.jobs as jobs:
            yield jobs


@contextmanager
def opened_events(app: str) -> Iterator[EventManager]:
    """The application's events, with its database and its queue open: what they replay is enqueued."""
    stack = loaded(app)
    with opened_jobs(app), stack.events as events:
        yield events

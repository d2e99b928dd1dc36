"""The application that a command is about: its Stack, found by name and opened as far as the command needs it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from ..errors import ConfigurationError, SchemaMismatch

if TYPE_CHECKING:
    from ..database import DatabaseManager
    from ..events import EventManager
    from ..jobs import JobQueue
    from ..middleware import Pipeline
    from ..stack import Stack

App = Annotated[str, typer.Option(help="Where the Stack is: module:name, found from this directory.")]
AsJson = Annotated[bool, typer.Option("--json", help="JSON instead of words and tables.")]


def named_by(app: str) -> Any:
    """The object that ``module:name`` names, found from this directory."""
    from ..registry import imported

    look_here()
    return imported(app, "--app")


def loaded(app: str) -> Stack:
    """The Stack that ``module:name`` names, not opened."""
    from ..jobs.process import load

    look_here()
    return cast("Stack", load(app))


def loaded_pipeline(app: str) -> Pipeline:
    """The Pipeline that ``module:name`` names, or that of the Stack which it names."""
    from ..middleware import Pipeline
    from ..stack import Stack

    named = named_by(app)
    if isinstance(named, Stack):
        return named.middleware.pipeline()
    if isinstance(named, Pipeline):
        return named
    raise ConfigurationError(f"--app {app} is a {type(named).__name__}, expected a Stack or a Pipeline")


def look_here() -> None:
    """Find modules of the command's own directory first, as ``python -m`` does."""
    if sys.path[:1] not in ([""], ["."]):
        sys.path.insert(0, "")


def ensure_schema(database: DatabaseManager, tables: str = "the tables") -> None:
    """Raise :class:`SchemaMismatch`, with what to run, unless the package's tables are of this version."""
    if not database.schema_current():
        raise SchemaMismatch(f"{tables} are missing or of another version: run `postrmagic db upgrade`")


@contextmanager
def opened_jobs(app: str) -> Iterator[JobQueue]:
    """The application's queue, with its database open and nothing else: no worker, and no lock of a running one."""
    stack = loaded(app)
    with stack.database:
        ensure_schema(stack.database)
        with stack.jobs as jobs:
            yield jobs


@contextmanager
def opened_events(app: str) -> Iterator[EventManager]:
    """The application's events, with its database and its queue open: what they replay is enqueued."""
    stack = loaded(app)
    with opened_jobs(app), stack.events as events:
        yield events

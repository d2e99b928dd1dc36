"""What a backup reads a database by, and writes it back: one module a technology.

A module has ``snapshot(url, *, how, workspace, report)``, a context manager that gives a :class:`Snapshot`, and a
:class:`Target` of ``(url, workspace)`` with ``close()``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Literal

from ...registry import scheme_of
from ..interface import Report, Snapshot, Target

How = Literal["own", "tool"]


def open_snapshot(url: str, *, how: How, workspace: Path, report: Report) -> AbstractContextManager[Snapshot]:
    """The database behind ``url`` as of the moment in which the block begins.

    ``how`` servers are read. ``workspace`` is a directory for what lies there while the block runs. Raises
    :class:`BackupFailed`, or the :class:`BackendError` of a database that is away.
    """
    if scheme_of(url) == "sqlite":
        from .sqlite import snapshot as of_file

        return of_file(url, how=how, workspace=workspace, report=report)
    from .mysql import snapshot as of_server

    return of_server(url, how=how, workspace=workspace, report=report)


@contextmanager
def open_target(url: str, *, workspace: Path) -> Iterator[Target]:
    """The database behind ``url``, there or not, to be restored into; nothing is changed by opening it."""
    if scheme_of(url) == "sqlite":
        from .sqlite import SqliteTarget

        with closing(SqliteTarget(url, workspace)) as file:
            yield file
    else:
        from .mysql import MysqlTarget

        with closing(MysqlTarget(url, workspace)) as server:
            yield server

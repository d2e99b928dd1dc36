"""A database of MySQL or MariaDB as of one moment, and back into a server: by the server's program, or by ourselves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ....errors import BackupFailed, MissingExtra
from ...interface import Report, Snapshot, unreported
from . import catalogue
from .own import own_dump
from .session import opened, place_of
from .tool import loses, program, tool_dump

if TYPE_CHECKING:
    from ...._sql.mysql_server import MysqlServer


@contextmanager
def snapshot(
    url: str, *, how: Literal["own", "tool"] = "own", workspace: Path, report: Report = unreported
) -> Iterator[Snapshot]:
    """The database that ``url`` names, as of the moment at which this is entered.

    ``how``: ``own`` reads by a session of ours, ``tool`` the rows by the server's own program. ``workspace`` is a
    directory for what that is given. Raises :class:`MissingExtra` where the program is not installed,
    :class:`BackupFailed` where it would lose something of this database, and this package's errors of servers.
    """
    place = place_of(url)
    if how == "own":
        with own_dump(place, report) as own:
            yield own
    else:
        with tool_dump(place, _tool(place), report, workspace) as read:
            yield read


def _tool(place: MysqlServer) -> str:
    with opened(place) as server:
        path = program(server.kind)
        if path is None:
            raise MissingExtra(f"no dump program of {server.kind} is installed: install its client, or take own")
        lost = loses(server, catalogue.read(server))
        if lost:
            raise BackupFailed(f"the dump program would not keep all of it ({lost}): take own")
        return path

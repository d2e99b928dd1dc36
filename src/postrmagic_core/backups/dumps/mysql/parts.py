"""What both ways to read a database share: the order of its parts, and what is counted on the way."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from ...interface import DatabaseFacts, Part, Report
from .catalogue import Catalogue, TableOf
from .session import Opened
from .statements import comment

_UNSAFE = re.compile(r"[^A-Za-z0-9_]+")


class Counted:
    """How many rows each table was read with, and the revisions that were found."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._tables: dict[str, int] = {}
        self._revisions: dict[str, list[str]] = {}
        self._total = 0

    def begin(self, table: TableOf) -> None:
        """A table is being read."""
        self._tables[table.name] = 0

    def add(self, table: TableOf, rows: int) -> None:
        """So many further rows of it were."""
        self._tables[table.name] += rows
        self._total += rows
        self._report("rows", self._total, None)

    def revise(self, table: TableOf, found: Sequence[str]) -> None:
        """The revisions in one of Alembic's tables."""
        self._revisions.setdefault(table.name, []).extend(found)

    def facts(self, server: Opened, how: str) -> DatabaseFacts:
        """What is known by now."""
        return DatabaseFacts(server.kind, server.server, dict(self._tables), dict(self._revisions), how)


def laid_out(found: Catalogue, rows: Callable[[TableOf], Iterable[bytes]]) -> Iterator[Part]:
    """The parts in the order in which they are restored; ``rows`` gives a table with its rows.

    Alembic's tables of versions come last: what is half restored is of no revision, and no application starts on it.
    """
    number = 0

    def part(name: str, blocks: Iterable[bytes]) -> Part:
        nonlocal number
        safe = _UNSAFE.sub("_", name)[:60].strip("_") or "table"
        made = Part(f"database/{number:04}-{safe}.sql", blocks)
        number += 1
        return made

    yield part("begin", [found.begin])
    if found.sequences:
        yield part("sequences", [comment("sequences"), found.sequences])
    for table in found.tables:
        if not table.revisions:
            yield part(table.name, rows(table))
    for name, text in found.later.items():
        yield part(name, [comment(name), text])
    for table in found.tables:
        if table.revisions:
            yield part(table.name, rows(table))

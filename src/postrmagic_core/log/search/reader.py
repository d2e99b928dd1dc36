"""Reads the index: which blocks may hold what is asked for, and which of their lines do."""

from __future__ import annotations

import logging
import sqlite3
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from ..query_nodes import EVERY_LEVEL, Query
from . import segment
from .interface import Record
from .postings import blocks_with
from .segment import HEADER, Header
from .terms import Both, Has, OneOf, Wanted, bounds, needles, plain, ranks, wanted

logger = logging.getLogger("postrmagic_core.log")
_FEW = 200
_SOME = 500
_DIGITS = 18  # SQLite takes no number that is longer


class Place(NamedTuple):
    """Between two lines: before the ``line``-th of a segment. Places sort by age."""

    segment: int
    line: int

    def __str__(self) -> str:
        return f"{self.segment}.{self.line}"

    @staticmethod
    def of(text: str) -> Place:
        """What :meth:`__str__` wrote; :class:`ValueError`: it did not."""
        number, dot, line = text.partition(".")
        if not (dot and number.isascii() and number.isdigit() and line.isascii() and line.isdigit()):
            raise ValueError(f"{text!r} is no cursor of a search")
        if max(len(number), len(line)) > _DIGITS:
            raise ValueError("a cursor of a search has no numbers as long as that")
        return Place(int(number), int(line))


class Plan:
    """What a query means to an index."""

    def __init__(self, query: Query) -> None:
        self.query = query
        self.wanted = wanted(query.node)
        self.ranks = ranks(query.node)
        self.since, self.until = bounds(query.node)
        self._needles = needles(query.node)

    def may_hold(self, block: Header) -> bool:
        """Whether the block's levels and times let it hold what is asked for."""
        if self.since is not None and block.last_us < self.since:
            return False
        if self.until is not None and block.first_us >= self.until:
            return False
        return self.ranks == EVERY_LEVEL or any(n and self.ranks >> rank & 1 for rank, n in enumerate(block.ranks))

    def found(self, body: bytes, wanted: range, *, backwards: bool) -> Iterator[tuple[int, Record]]:
        """The number, of those ``wanted``, and the record of each line in a block that matches."""
        text = zlib.decompress(body)
        if self._needles and plain(text):
            spans = list(_with(text.lower(), self._needles))
            for begin, end in reversed(spans) if backwards else spans:
                record = self._matching(text[begin:end])
                # Lines are counted for those alone that match.
                if record is not None and (number := text.count(b"\n", 0, begin)) in wanted:
                    yield number, record
            return
        lines = text.split(b"\n")
        numbers = range(wanted.start, min(len(lines), wanted.stop))
        for number in reversed(numbers) if backwards else numbers:
            record = self._matching(lines[number])
            if record is not None:
                yield number, record

    def _matching(self, line: bytes) -> Record | None:
        try:
            record = orjson.loads(line)
        except orjson.JSONDecodeError:
            return None
        return record if isinstance(record, dict) and self.query.matches(record) else None


def _with(text: bytes, needles: Sequence[bytes]) -> Iterator[tuple[int, int]]:
    """Where the lines of ``text`` begin and end that hold all ``needles``."""
    needle, *others = needles
    end = 0
    while (at := text.find(needle, end)) >= 0:
        begin, end = text.rfind(b"\n", 0, at) + 1, text.find(b"\n", at)
        if end < 0:
            end = len(text)
        if all(text.find(other, begin, end) >= 0 for other in others):
            yield begin, end


class Opened:
    """One segment, while it is read. What cannot be read of it is told once, and is as if it were not there."""

    def __init__(self, number: int, connection: sqlite3.Connection, tell: Callable[[int, Exception], None]) -> None:
        self.number = number
        self._connection = connection
        self._tell = tell

    def headers(self, *, backwards: bool = True, begin: int = 0, end: int | None = None) -> list[Header]:
        """The blocks with lines from ``begin`` on and before ``end``."""
        order = "DESC" if backwards else "ASC"
        statement = (
            f"SELECT {HEADER} FROM blocks"  # noqa: S608 - constants
            f" WHERE id + lines > ? AND (? IS NULL OR id < ?) ORDER BY id {order}"
        )
        return [Header.of(row) for row in self._rows(statement, begin, end, end)]

    def some(self, blocks: set[int], end: int | None = None) -> list[Header]:
        """Those of ``blocks`` with lines before ``end``, newest first."""
        if len(blocks) > _SOME:
            return [header for header in self.headers(end=end) if header.id in blocks]
        statement = f"SELECT {HEADER} FROM blocks WHERE id = ?"  # noqa: S608 - constants
        ids = [block for block in sorted(blocks, reverse=True) if end is None or block < end]
        return [Header.of(row) for block in ids for row in self._rows(statement, block)]

    def found(
        self, plan: Plan, block: Header, wanted: range, *, backwards: bool = False
    ) -> Iterator[tuple[int, Record]]:
        """The number in the block, of those ``wanted``, and the record of each line that matches."""
        for (body,) in self._rows("SELECT body FROM blocks WHERE id = ?", block.id):
            try:
                yield from plan.found(body, wanted, backwards=backwards)
            except zlib.error as error:
                self._tell(self.number, error)

    def candidates(self, wanted: Wanted) -> set[int] | None:
        """The ids of the blocks that ``wanted`` leads to, and of those without an index; ``None``: any."""
        if wanted is None:
            return None
        try:
            found = self._blocks(wanted)
        except (sqlite3.DatabaseError, zlib.error, IndexError, ValueError) as error:
            self._tell(self.number, error)
            return None
        return found.union(*self._rows("SELECT id FROM blocks WHERE sealed = 0"))

    def _blocks(self, wanted: Has | Both | OneOf) -> set[int]:
        if isinstance(wanted, Has):
            return blocks_with(self._connection, wanted.hash)
        found: set[int] = set()
        for number, part in enumerate(part for part in wanted.parts if part is not None):
            if isinstance(wanted, OneOf) or number == 0:
                found = found | self._blocks(part)
            elif not found or (len(found) <= _FEW and isinstance(part, Has) and part.common):
                break  # to look into these is cheaper than to look for what is nearly everywhere
            else:
                found = found & self._blocks(part)
        return found

    def counts(self, first_minute: int, last_minute: int) -> list[tuple[int, str, str, str, int]]:
        """Minute, level, logger, event and number, from the first minute to the last."""
        return self._rows(
            "SELECT minute, level, logger, event, n FROM counts JOIN messages ON messages.id = message"
            " WHERE minute BETWEEN ? AND ?",
            first_minute,
            last_minute,
        )

    def end(self) -> int:
        """The number of the next line."""
        rows = self._rows("SELECT id + lines FROM blocks ORDER BY id DESC LIMIT 1")
        return int(rows[0][0]) if rows else 0

    def _rows(self, statement: str, *values: int | None) -> list[Any]:
        try:
            return self._connection.execute(statement, values).fetchall()
        except sqlite3.DatabaseError as error:
            self._tell(self.number, error)
            return []


class Index:
    """The segments in ``directory``, each opened when its turn comes and read as of then."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._told: set[int] = set()

    def numbers(self) -> list[int]:
        """The segments there are, oldest first."""
        return segment.segments(self._directory)

    def opened(self, numbers: list[int]) -> Iterator[Opened]:
        """Those of ``numbers`` that are there and can be read, in that order."""
        for number in numbers:
            try:
                connection = segment.read(segment.path_of(self._directory, number))
            except sqlite3.DatabaseError as error:
                self._tell(number, error)
                continue
            if connection is not None:
                with closing(connection):
                    connection.execute("BEGIN")
                    yield Opened(number, connection, self._tell)

    def end(self) -> Place:
        """After the newest line."""
        for opened in self.opened(self.numbers()[::-1]):
            return Place(opened.number, opened.end())
        return Place(0, 0)

    def _tell(self, number: int, error: Exception) -> None:
        """Whoever collects puts it aside; whoever looks sees the rest, and is told."""
        if number not in self._told:
            self._told.add(number)
            logger.warning(
                "a segment of the log's index could not be read", extra={"segment": number, "error": str(error)}
            )

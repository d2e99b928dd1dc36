"""Writes the index: lines into blocks, blocks into segments, each with the spool's position in the same transaction."""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, suppress
from itertools import pairwise
from pathlib import Path
from typing import Final

import orjson

from ..query_nodes import OTHER
from ..spool import Batch
from . import segment
from .interface import Record
from .packing import Tally, compressed, described, readable, tally, unpacked
from .postings import merge
from .terms import hashes

LINES: Final = 250
"""Lines of a block: one is unpacked for each that a search looks into, and each repeats the common words."""
BYTES: Final = 512 * 1024
"""Bytes of the lines of a block, from which on it is full."""
SEGMENT_LINES: Final = 1_000_000
_SHARES = 8
_DAY_US = 86_400_000_000
_MESSAGES = 5000
_TRIES = 10
_OTHERS = ("", "", "(others)")
_INSERT = f"INSERT INTO blocks VALUES ({', '.join('?' * (OTHER + 7))})"  # noqa: S608 - places of values alone


# A forked child neither uses nor closes its parent's connections: SQLite forbids both.
_abandoned: list[sqlite3.Connection] = []


class IndexWriter:
    """The index in ``directory``; one of all processes may have it open.

    ``days`` and ``max_bytes``: how long, and how much, is kept. Segments go as a whole, the oldest first.
    ``position``: that of the spool after the last line that was written.
    """

    def __init__(
        self,
        directory: Path,
        *,
        days: float,
        max_bytes: int,
        segment_lines: int = SEGMENT_LINES,
        block_lines: int = LINES,
    ) -> None:
        self._directory = directory
        self._days = days
        self._max_bytes = max_bytes
        self._segment_lines = segment_lines
        self._block_lines = block_lines
        self.position: str | None = None
        self.put_aside: list[Path] = []
        self._connection: sqlite3.Connection | None = None
        self._number = 0
        self._next = 0
        self._began_us = 0
        self._open: list[bytes] = []
        self._open_id = 0
        self._messages: dict[tuple[str, str, str], int] = {}

    def open(self) -> None:
        """Go on where the last writer stopped; a segment that cannot be read is put aside.

        :class:`OSError`, :class:`sqlite3.Error`: it cannot be written now.
        """
        segment.prepare(self._directory)
        for attempt in range(_TRIES):
            numbers = segment.segments(self._directory)
            path = segment.path_of(self._directory, numbers[-1] if numbers else 1)
            try:
                self._connection = segment.write(path)
                self._number = numbers[-1] if numbers else 1
                self._take_up(self._connection)
                if self.position is None and len(numbers) > 1:
                    self.position = self._position_before(numbers[:-1])
                return
            except sqlite3.OperationalError:
                self.close()
                raise
            except (sqlite3.DatabaseError, zlib.error):
                self.close()
                segment.put_aside(path)
                self.put_aside.append(path)
                if attempt == _TRIES - 1:
                    raise

    def _take_up(self, connection: sqlite3.Connection) -> None:
        meta = dict(connection.execute("SELECT key, value FROM meta"))
        self.position = meta.get("position")
        self._began_us = int(meta.get("began_us", 0))
        last = connection.execute("SELECT id + lines FROM blocks ORDER BY id DESC LIMIT 1").fetchone()
        self._next = last[0] if last else 0
        loose = connection.execute("SELECT id, body FROM blocks WHERE sealed = 0 ORDER BY id").fetchall()
        self._open = [line for _, body in loose for line in unpacked(body)]
        self._open_id = loose[0][0] if loose else self._next
        self._messages = {
            (level, logger, event): key
            for key, level, logger, event in connection.execute("SELECT id, level, logger, event FROM messages")
        }

    def _position_before(self, numbers: Sequence[int]) -> str | None:
        for number in reversed(numbers):
            with suppress(sqlite3.Error):
                connection = segment.read(segment.path_of(self._directory, number))
                if connection is not None:
                    found = connection.execute("SELECT value FROM meta WHERE key = 'position'").fetchone()
                    connection.close()
                    if found is not None:
                        return str(found[0])
        return None

    def is_there(self) -> bool:
        """Whether nobody removed the segment that is written."""
        return segment.path_of(self._directory, self._number).exists()

    def close(self) -> None:
        """Close the file."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def abandon(self) -> None:
        """Forget the connection of the process that this one was forked from, without closing it."""
        if self._connection is not None:
            _abandoned.append(self._connection)
            self._connection = None

    def give_up(self) -> None:
        """Put the segment aside that cannot be read; :meth:`open` begins another."""
        self.close()
        path = segment.path_of(self._directory, self._number)
        segment.put_aside(path)
        self.put_aside.append(path)

    def append(self, batch: Batch, now_us: int) -> tuple[int, int]:
        """Write the lines of ``batch`` and its position; how many lines were written, and how many were unreadable.

        All of it or, with :class:`sqlite3.Error`, nothing.
        """
        connection = self._connection
        assert connection is not None  # noqa: S101 - open() was called
        lines, records, unreadable = readable(batch.lines) if batch.lines else ([], [], 0)
        counts = tally(records, now_us) if records else None
        known = dict(self._messages)
        connection.execute("BEGIN IMMEDIATE")
        try:
            if not self._began_us:
                connection.execute("INSERT INTO meta VALUES ('began_us', ?)", (now_us,))
            connection.execute("INSERT OR REPLACE INTO meta VALUES ('position', ?)", (batch.position,))
            if counts:
                self._count(connection, counts, known)
            still_open, open_id, following = self._put(connection, lines, records)
            merge(connection)
            connection.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            raise
        self._open, self._open_id, self._next = still_open, open_id, following
        self._messages, self.position = known, batch.position
        self._began_us = self._began_us or now_us
        return len(lines), unreadable

    def _put(
        self, connection: sqlite3.Connection, lines: list[bytes], records: list[Record]
    ) -> tuple[list[bytes], int, int]:
        """Seal what is full; the lines that are left open, the id of their first block, and that of the next line."""
        following = self._next + len(lines)
        if not lines:
            return self._open, self._open_id, following
        size = sum(map(len, self._open)) + sum(map(len, lines))
        if len(self._open) + len(lines) < self._block_lines and size < BYTES:
            self._insert(connection, self._next, records, compressed(lines), sealed=False)
            return [*self._open, *lines], self._open_id, following
        if self._open:
            connection.execute("DELETE FROM blocks WHERE sealed = 0")
            records = [*map(orjson.loads, self._open), *records]
            lines = [*self._open, *lines]
        ends = list(_ends(lines, self._block_lines))
        begins = [0, *ends]
        first = self._open_id
        # zlib lets go of the interpreter: another core does its part.
        with ThreadPoolExecutor(1, "postrmagic-log-packing") as beside:
            bodies = [beside.submit(compressed, lines[at:end]) for at, end in zip(begins, ends, strict=False)]
            for at, end, body in zip(begins, ends, bodies, strict=False):
                part = records[at:end]
                self._insert(connection, first + at, part, body, sealed=True)
                data = hashes(part).tobytes()
                connection.execute("INSERT INTO terms VALUES (?, ?)", (first + at, data))
        at = begins[-1]
        if at < len(lines):
            self._insert(connection, first + at, records[at:], compressed(lines[at:]), sealed=False)
        return lines[at:], first + at, following

    def _insert(
        self,
        connection: sqlite3.Connection,
        number: int,
        records: list[Record],
        body: bytes | Future[bytes],
        *,
        sealed: bool,
    ) -> None:
        block = described(records)
        data = body if isinstance(body, bytes) else body.result()
        row = (number, block.lines, block.first_us, block.last_us, *block.ranks, sealed, data)
        connection.execute(_INSERT, row)

    def _count(self, connection: sqlite3.Connection, counts: Tally, known: dict[tuple[str, str, str], int]) -> None:
        rows = []
        for (minute, *said), count in counts.items():
            level, logger, event = said
            key = (level, logger, event)
            if key not in known and len(known) >= _MESSAGES:
                key = (level, *_OTHERS[1:])
            if key not in known:
                found = connection.execute("INSERT INTO messages (level, logger, event) VALUES (?, ?, ?)", key)
                known[key] = int(found.lastrowid or 0)
            rows.append((minute, known[key], count))
        connection.executemany(
            "INSERT INTO counts VALUES (?, ?, ?) ON CONFLICT (minute, message) DO UPDATE SET n = n + excluded.n", rows
        )

    def tidy(self, now_us: int) -> None:
        """Begin another segment where this one is full or a day old, and remove those that are kept no longer."""
        if self._full(now_us):
            self._turn()
        numbers = segment.segments(self._directory)
        sizes = {number: segment.size_of(segment.path_of(self._directory, number)) for number in numbers}
        total = sum(sizes.values())
        for number, following in pairwise(numbers):
            path = segment.path_of(self._directory, number)
            if total > self._max_bytes or self._over(path, segment.path_of(self._directory, following), now_us):
                segment.remove(path)
                total -= sizes[number]
            else:
                break
        segment.remove_aside(self._directory, (now_us - self._days * _DAY_US) / 1e6)

    def bytes(self) -> int:
        """How much the index takes."""
        numbers = segment.segments(self._directory)
        return sum(segment.size_of(segment.path_of(self._directory, number)) for number in numbers)

    def _full(self, now_us: int) -> bool:
        if self._next == 0:
            return False
        size = segment.size_of(segment.path_of(self._directory, self._number))
        old = abs(now_us - self._began_us) >= _DAY_US  # or begun by a clock that was put back since
        return old or self._next >= self._segment_lines or size >= self._max_bytes // _SHARES

    def _over(self, path: Path, following: Path, now_us: int) -> bool:
        """Whether everything in a segment is too old: by its records, or by when the segment after it was begun.

        One record that says to be of the future so keeps no others.
        """
        before = now_us - self._days * _DAY_US
        try:
            connection = segment.read(path)
            if connection is None:
                return True
            with closing(connection):
                last = connection.execute("SELECT max(last_us) FROM blocks").fetchone()[0]
            if last is None or last < before:
                return last is not None
            connection = segment.read(following)
            if connection is None:
                return False
            with closing(connection):
                begun = connection.execute("SELECT value FROM meta WHERE key = 'began_us'").fetchone()
        except sqlite3.OperationalError:
            return False
        except sqlite3.DatabaseError:
            segment.put_aside(path)
            self.put_aside.append(path)
            return False
        return begun is not None and begun[0] < before

    def _turn(self) -> None:
        """Seal and merge what is left, and begin another segment from the same position."""
        connection = self._connection
        assert connection is not None  # noqa: S101 - open() was called
        connection.execute("BEGIN IMMEDIATE")
        try:
            if self._open:
                records = [orjson.loads(line) for line in self._open]
                connection.execute("DELETE FROM blocks WHERE sealed = 0")
                self._insert(connection, self._open_id, records, compressed(self._open), sealed=True)
                connection.execute("INSERT INTO terms VALUES (?, ?)", (self._open_id, hashes(records).tobytes()))
            merge(connection, fewest=1)
            connection.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            raise
        position, number = self.position, self._number
        following = segment.write(segment.path_of(self._directory, number + 1))
        # Kept at once: until lines come, those before it may be removed.
        following.execute("INSERT OR REPLACE INTO meta VALUES ('position', ?)", (position,))
        self.close()
        self._connection, self._number = following, number + 1
        self._take_up(following)
        self.position = position


def _ends(lines: list[bytes], most: int) -> Iterator[int]:
    """Where each block ends that ``lines`` fill; what follows the last one is none yet."""
    sizes = list(map(len, lines))
    begin = 0
    while begin < len(lines):
        size, end = 0, begin
        if len(lines) - begin >= most and sum(sizes[begin : begin + most]) < BYTES:
            end = begin + most
        else:
            while end < min(len(lines), begin + most) and size < BYTES:
                size += sizes[end]
                end += 1
            if size < BYTES and end - begin < most:
                return
        yield end
        begin = end

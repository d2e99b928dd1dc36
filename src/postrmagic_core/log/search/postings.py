"""Which block holds which hash: sorted hashes of each block, and of many blocks merged into runs.

A run is 256 rows, by the first byte of the hash. A row holds four columns of bytes, in the order of the hashes: their
second, third and fourth byte, and the block's number in the run. One row of each run is read to find a hash.
"""

from __future__ import annotations

import sqlite3
import sys
import zlib
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from typing import Final

RUN: Final = 256
"""Blocks that are merged into one run, at most 256."""
_BUCKETS = 256


def merged(blocks: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """The rows of a run, by their bucket, from the sorted hashes of its blocks (32 bits each, of this machine)."""
    entries: list[int] = []
    for number, data in enumerate(blocks):
        entries += [one << 8 | number for one in unpacked(data)]
    entries.sort()
    numbers = array("Q", entries)
    if sys.byteorder == "big":
        numbers.byteswap()
    raw = numbers.tobytes()
    owners, fourth, third, second, first = (raw[at::8] for at in range(5))
    begin = 0
    for bucket in range(_BUCKETS):
        end = begin + first.count(bucket)
        if end > begin:
            part = slice(begin, end)
            # The sorted column is short when it is compressed; the others would not be.
            head = zlib.compress(second[part], 1)
            size = (end - begin).to_bytes(4, "little")
            yield bucket, size + third[part] + fourth[part] + owners[part] + head
        begin = end


def owners_in(row: bytes, wanted: int) -> bytes:
    """The numbers of a run's blocks that hold the hash ``wanted``, a byte each, in the row of its bucket."""
    size = int.from_bytes(row[:4], "little")
    second = zlib.decompress(row[4 + 3 * size :])
    key = wanted >> 16 & 255
    begin = second.find(key)
    if begin < 0:
        return b""
    end = second.rfind(key) + 1
    third, fourth = wanted >> 8 & 255, wanted & 255
    at = row.find(third, 4 + begin, 4 + end)
    while at >= 0:
        if row[at + size] == fourth:  # the others of the same hash follow it, each of another block
            last = min(at + RUN, 4 + end)
            same = min(_length(row[at:last], third), _length(row[at + size : last + size], fourth))
            return row[at + 2 * size : at + 2 * size + same]
        at = row.find(third, at + 1, 4 + end)
    return b""


def _length(column: bytes, byte: int) -> int:
    """How often ``byte`` stands at the begin of a column."""
    return len(column) - len(column.lstrip(bytes((byte,))))


def unpacked(data: bytes) -> array[int]:
    """The hashes of a block, as they were written."""
    found: array[int] = array("I")
    found.frombytes(data)
    return found


def blocks_with(connection: sqlite3.Connection, wanted: int) -> set[int]:
    """The ids of the blocks of a segment that hold a hash, as far as they are indexed."""
    found: set[int] = set()
    rows = connection.execute(
        "SELECT runs.blocks, postings.data FROM postings JOIN runs ON runs.id = postings.run WHERE bucket = ?",
        (wanted >> 24,),
    )
    for blocks, row in rows:
        ids: array[int] = array("q")
        ids.frombytes(blocks)
        found.update(map(ids.__getitem__, owners_in(row, wanted)))
    for block, data in connection.execute("SELECT block, hashes FROM terms"):
        hashes = unpacked(data)
        at = bisect_left(hashes, wanted)
        if at < len(hashes) and hashes[at] == wanted:
            found.add(block)
    return found


def merge(connection: sqlite3.Connection, *, fewest: int = RUN) -> None:
    """Merge the oldest blocks whose hashes stand alone into a run, where there are at least ``fewest``."""
    rows = connection.execute("SELECT block, hashes FROM terms ORDER BY block LIMIT ?", (RUN,)).fetchall()
    if len(rows) < max(1, fewest):
        return
    blocks = array("q", [block for block, _ in rows]).tobytes()
    run = connection.execute("INSERT INTO runs (blocks) VALUES (?)", (blocks,)).lastrowid
    connection.executemany(
        "INSERT INTO postings (bucket, run, data) VALUES (?, ?, ?)",
        ((bucket, run, data) for bucket, data in merged(data for _, data in rows)),
    )
    connection.execute("DELETE FROM terms WHERE block <= ?", (rows[-1][0],))

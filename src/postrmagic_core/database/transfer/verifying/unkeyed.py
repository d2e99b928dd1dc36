"""The slow and exact comparison of rows that no key tells apart: of each there must be as many on both sides."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from hashlib import sha256
from typing import Any

from ..copying.batches import Batch
from ..interface import Value
from .differing import Difference, row_shown
from .digest import Hashed

# KiB of the counts that are kept in memory.
_CACHE = 2048
_SURPLUS = "UPDATE wrong SET rows = rows + 1 WHERE hash = ? AND rows < 0"
_MISSING = "UPDATE wrong SET rows = rows - 1 WHERE hash = ? AND rows > 0"


def compare_unkeyed(
    hashed: Hashed, batches: Callable[[], Iterable[Batch]], stored: Callable[[], Iterable[tuple[Any, ...]]]
) -> Iterator[list[Difference]]:
    """For each row that one side has more often, that it is missing or surplus; its values are its key.

    ``batches`` gives all rows of the source, ``stored`` all of the target; each is asked twice. A value that was
    changed makes two differences. The hashes of all rows, about 50 bytes each, are kept in temporary files (of the
    directory that SQLITE_TMPDIR names, or the system's) and not in memory.
    """
    name = hashed.table.name

    def there() -> Iterator[tuple[Value, ...]]:
        for row in stored():
            yield tuple(form.back(value) for form, value in zip(hashed.forms, row, strict=True))

    with closing(_counted(_rows(batches()), there())) as counts:
        for row in there():
            if _taken(counts, _SURPLUS, row):
                yield [Difference("surplus", name, row_shown(row))]
        for row in _rows(batches()):
            if _taken(counts, _MISSING, row):
                yield [Difference("missing", name, row_shown(row))]


def _counted(here: Iterable[tuple[Value, ...]], there: Iterable[tuple[Value, ...]]) -> sqlite3.Connection:
    """A file with the hash of each row that one side has more often than the other, and how much more often."""
    counts = sqlite3.connect("", isolation_level=None)
    for pragma in (f"cache_size = -{_CACHE}", "temp_store = FILE", "journal_mode = OFF", "synchronous = OFF"):
        counts.execute(f"PRAGMA {pragma}")
    counts.execute("BEGIN")
    counts.execute("CREATE TABLE every (hash BLOB, rows INTEGER)")
    for rows, number in ((here, 1), (there, -1)):
        counts.executemany("INSERT INTO every VALUES (?, ?)", ((_hash(row), number) for row in rows))
    # Sorted at once: rows that came in any order would be written all over a tree that is larger than memory.
    counts.execute("CREATE TABLE wrong (hash BLOB PRIMARY KEY, rows INTEGER) WITHOUT ROWID")
    counts.execute("INSERT INTO wrong SELECT hash, sum(rows) FROM every GROUP BY hash HAVING sum(rows) <> 0")
    return counts


def _rows(batches: Iterable[Batch]) -> Iterator[tuple[Value, ...]]:
    for batch in batches:
        yield from zip(*batch.columns, strict=True)


def _taken(counts: sqlite3.Connection, statement: str, row: tuple[Value, ...]) -> bool:
    """Whether such a row is still to be told, which is one less now."""
    return counts.execute(statement, (_hash(row),)).rowcount > 0


def _hash(row: tuple[Value, ...]) -> bytes:
    # The one writing that tells all values apart, also 1 from 1.0 and from '1', and a zero from a negative one.
    return sha256(repr(row).encode(errors="surrogatepass")).digest()

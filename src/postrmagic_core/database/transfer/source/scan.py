"""One pass over a table: what is stored in each column, whatever its declared type says."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from itertools import chain
from sys import getsizeof
from typing import TypeAlias

from ..interface import Key, Report, Value
from ..names import quoted_sqlite
from ..planning.keys import key_columns, rowid_name
from .columnscan import ColumnScan
from .schema import SourceTable, TableStats

# A batch ends with as many rows, or at so many bytes: memory is bounded by that.
ROWS, BYTES = 2000, 2 << 20
# Rows that are fetched at once where they are small, and bytes of a row from which on they are not.
_FETCHED, _LARGE = 25, 1 << 16

_Row: TypeAlias = Sequence[Value | bytearray]


def scan(connection: sqlite3.Connection, table: SourceTable, report: Report) -> TableStats:
    """Read every row of ``table`` once.

    For the time of the pass texts are read as bytes, so that one that is not UTF-8 is counted instead of raised.
    """
    columns = [ColumnScan() for _ in table.columns]
    key = key_columns(table)
    stored = [column.name for column in table.columns]
    places = [stored.index(name) for name in key] if table.primary_key else [-1]
    names = [*map(quoted_sqlite, stored), *([] if table.primary_key else key)]
    alias = stored.index(table.rowid_alias) if table.rowid_alias else None
    rows = zero_keys = 0
    total = _guessed(connection, table)
    before, connection.text_factory = connection.text_factory, bytearray
    try:
        cursor = connection.execute(f"SELECT {', '.join(names)} FROM {quoted_sqlite(table.name)}")  # noqa: S608 - quoted
        for batch in _batches(cursor):
            zero_keys += _add(columns, batch, places, alias)
            rows += len(batch)
            batch.clear()
            report(f"reading {table.name}", rows, total)
    finally:
        connection.text_factory = before
    found = {column.name: scanned.stats() for column, scanned in zip(table.columns, columns, strict=True)}
    return TableStats(rows, found, zero_keys)


def _guessed(connection: sqlite3.Connection, table: SourceTable) -> int | None:
    """How many rows there would be if no rowid was left out: found at both ends, without counting."""
    rowid = quoted_sqlite(table.rowid_alias) if table.rowid_alias else rowid_name(table)
    if not rowid:
        return None
    ends = [f"(SELECT {end}({rowid}) FROM {quoted_sqlite(table.name)})" for end in ("min", "max")]  # noqa: S608 - quoted
    least, most = connection.execute(f"SELECT {', '.join(ends)}").fetchone()
    return 0 if least is None else most - least + 1


def _add(columns: Sequence[ColumnScan], batch: Sequence[_Row], places: Sequence[int], alias: int | None) -> int:
    """Add a batch to each column; how many ids are 0."""

    def key_of(row: int) -> Key:
        return tuple(_shown(batch[row][place]) for place in places)

    by_column = list(zip(*batch, strict=True))
    for column, values in zip(columns, by_column, strict=False):
        column.add(values, key_of)
    return 0 if alias is None else by_column[alias].count(0)


def _batches(cursor: sqlite3.Cursor) -> Iterator[list[_Row]]:
    """Lists of rows; whoever takes one empties it."""
    batch: list[_Row] = []
    size, fetched = 0, 1
    while some := cursor.fetchmany(fetched):
        batch += some
        weight = sum(map(getsizeof, chain.from_iterable(some)))
        fetched = _FETCHED if weight < _LARGE * len(some) else 1
        size += weight
        del some
        if len(batch) >= ROWS or size > BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _shown(value: Value | bytearray) -> Value:
    return value.decode(errors="surrogateescape") if isinstance(value, bytearray) else value

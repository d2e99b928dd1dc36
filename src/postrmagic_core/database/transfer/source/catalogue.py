"""What a SQLite file says of its tables, from its PRAGMAs and, where these are silent, from the text of its schema."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from ....errors import Unsupported
from ..names import folded, quoted_sqlite
from .definitions import TableText, read_index, read_table
from .schema import (
    Source,
    SourceColumn,
    SourceForeignKey,
    SourceIndex,
    SourceIndexPart,
    SourceObject,
    SourceTable,
    affinity_of,
)
from .tokens import capitals

# The first with PRAGMA table_list, which tells virtual tables and their shadows from others.
OLDEST = (3, 37, 0)


@dataclass(frozen=True, slots=True)
class _Listed:
    kind: str
    without_rowid: bool
    strict: bool


def read_source(connection: sqlite3.Connection) -> Source:
    """Every table and object of the main database, as they were made; what SQLite keeps for itself is left out.

    A virtual table is an object, and the tables in which it keeps its data are left out. A primary key is among the
    indexes only where it has another collation than its columns. Raises :class:`Unsupported` before SQLite 3.37.
    """
    if sqlite3.sqlite_version_info < OLDEST:
        raise Unsupported(f"reading a schema needs SQLite 3.37 or later; this is {sqlite3.sqlite_version}")
    with _read_as_text(connection):
        schema = _rows(connection, "SELECT type, name, tbl_name, sql FROM main.sqlite_master ORDER BY rowid")
        listed = {
            row[1]: _Listed(row[2], bool(row[4]), bool(row[5]))
            for row in _rows(connection, "PRAGMA main.table_list")
            if row[0] == "main"
        }
        made = {name: sql for kind, name, _, sql in schema if kind == "index"}
        utf16 = _rows(connection, "PRAGMA main.encoding") != [("UTF-8",)]
        sequences = _sequences(connection, [name for _, name, _, _ in schema])
        tables = []
        for kind, name, _, sql in schema:
            if kind == "table" and not _is_internal(name) and listed[name].kind == "table":
                table = _table(connection, name, sql, listed[name], made)
                tables.append(replace(table, sequence=sequences.get(name, 0), utf16=utf16))
        tables = [replace(table, foreign_keys=_foreign_keys(connection, table, tables)) for table in tables]
    return Source(tuple(tables), tuple(_objects(schema, listed)), _digest(schema))


@contextmanager
def _read_as_text(connection: sqlite3.Connection) -> Iterator[None]:
    """Whoever looks at rows as bytes has set the connection so; names are text."""
    factory = connection.text_factory
    connection.text_factory = str
    try:
        yield
    finally:
        connection.text_factory = factory


def _rows(connection: sqlite3.Connection, sql: str) -> list[tuple[Any, ...]]:
    cursor = connection.cursor()
    cursor.row_factory = None
    return cursor.execute(sql).fetchall()


def _pragma(connection: sqlite3.Connection, pragma: str, name: str) -> list[tuple[Any, ...]]:
    # Not the table-valued functions of the same names: a table of the source may be called so.
    return _rows(connection, f"PRAGMA main.{pragma}({quoted_sqlite(name)})")


def _is_internal(name: str) -> bool:
    return folded(name).startswith("sqlite_")


def _sequences(connection: sqlite3.Connection, names: Sequence[str]) -> dict[str, int]:
    if "sqlite_sequence" not in names:
        return {}
    found = _rows(connection, "SELECT name, seq FROM main.sqlite_sequence")
    # An ordinary table, into which anybody may have written anything.
    return {name: seq for name, seq in found if isinstance(name, str) and isinstance(seq, int)}


def _objects(schema: Sequence[tuple[Any, ...]], listed: Mapping[str, _Listed]) -> Iterator[SourceObject]:
    for kind, name, table, sql in schema:
        if kind == "view":
            yield SourceObject("view", name, name, sql)
        elif kind == "trigger":
            yield SourceObject("trigger", name, table, sql)
        elif kind == "table" and listed[name].kind == "virtual":
            yield SourceObject("virtual table", name, name, sql)


def _digest(schema: Sequence[tuple[Any, ...]]) -> str:
    """By name, as VACUUM writes them in another order, and without ANALYZE's tables, which alter nothing."""
    kept = sorted(list(map(str, row)) for row in schema if not folded(row[1]).startswith("sqlite_stat"))
    return hashlib.sha256(json.dumps(kept).encode()).hexdigest()


def _table(
    connection: sqlite3.Connection, name: str, sql: str, listed: _Listed, made: Mapping[str, str | None]
) -> SourceTable:
    text = read_table(sql)
    rows = [row for row in _pragma(connection, "table_xinfo", name) if row[6] != 1]
    key = tuple(row[1] for row in sorted((row for row in rows if row[5]), key=lambda row: row[5]))
    indexes = _pragma(connection, "index_list", name)[::-1]
    # Where the key is the rowid itself SQLite keeps no index of it: so it decided, whatever the text looks like.
    is_rowid = len(key) == 1 and not listed.without_rowid and all(index[3] != "pk" for index in indexes)
    columns = _columns(rows, text, strict=listed.strict, rowid_alias=key[0] if is_rowid else "")
    read = [(row[3] == "pk", _index(connection, row[1], bool(row[2]), made.get(row[1]))) for row in indexes]
    return SourceTable(
        name,
        sql,
        columns,
        primary_key=key,
        rowid_alias=key[0] if is_rowid else "",
        indexes=tuple(index for is_key, index in read if not is_key or not _is_plain(index, columns)),
        checks=text.checks,
        strict=listed.strict,
        without_rowid=listed.without_rowid,
        autoincrement=text.autoincrement,
        conflicts=text.conflicts,
    )


def _is_plain(key: SourceIndex, columns: Sequence[SourceColumn]) -> bool:
    """Whether a primary key compares as its columns do, so that nothing more is to be said of it."""
    collations = {column.name: column.collation for column in columns}
    return all(part.collation == collations[part.column] for part in key.parts)


def _columns(
    rows: Sequence[tuple[Any, ...]], text: TableText, *, strict: bool, rowid_alias: str
) -> tuple[SourceColumn, ...]:
    return tuple(
        SourceColumn(
            name,
            declared,
            affinity_of(declared, strict=strict),
            nullable=not not_null and name != rowid_alias,
            default=default or "",
            collation=said.collation,
            generated=said.generated,
            stored=hidden == 3,
        )
        for (_, name, declared, not_null, default, _, hidden), said in zip(rows, text.columns, strict=True)
    )


def _index(connection: sqlite3.Connection, name: str, unique: bool, sql: str | None) -> SourceIndex:
    text = read_index(sql) if sql else None
    parts = []
    for place, column_number, column, descending, collation, is_key in _pragma(connection, "index_xinfo", name):
        if is_key:
            expression = text.parts[place] if text and column_number == -2 else ""
            parts.append(SourceIndexPart(column or "", expression, capitals(collation), bool(descending)))
    return SourceIndex(name, unique, tuple(parts), text.predicate if text else "", sql or "")


def _foreign_keys(
    connection: sqlite3.Connection, table: SourceTable, tables: Sequence[SourceTable]
) -> tuple[SourceForeignKey, ...]:
    parts: dict[int, list[tuple[Any, ...]]] = {}
    for row in _pragma(connection, "foreign_key_list", table.name):
        parts.setdefault(row[0], []).append(row)
    named = {folded(each.name): each for each in tables}
    deferred = read_table(table.sql).deferred
    keys = []
    # SQLite numbers them from the last to the first.
    for late, number in zip(deferred, sorted(parts, reverse=True), strict=True):
        rows = sorted(parts[number], key=lambda row: row[1])
        _, _, parent, _, _, on_update, on_delete, _ = rows[0]
        there = named.get(folded(parent))
        keys.append(
            SourceForeignKey(
                tuple(row[3] for row in rows),
                there.name if there else parent,
                _parent_columns([row[4] for row in rows], there),
                on_delete,
                on_update,
                deferred=late,
            )
        )
    return tuple(keys)


def _parent_columns(written: Sequence[str | None], parent: SourceTable | None) -> tuple[str, ...]:
    """The parent's own names of them; its primary key where none are written, and none where that has others."""
    given = [column for column in written if column is not None]
    if not given:
        key = parent.primary_key if parent else ()
        return key if len(key) == len(written) else ()
    actual = {folded(column.name): column.name for column in parent.columns} if parent else {}
    return tuple(actual.get(folded(column), column) for column in given)

"""The rows of the source that break its own rules, or that a finding is about: how many, and the first few of them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

from ..interface import Example, Value
from ..names import quoted_sqlite
from ..planning.keys import key_columns
from .schema import SourceForeignKey, SourceTable

EXAMPLES = 5
# Of a value that is shown to a person.
_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Offenders:
    """``rows`` of them, ``examples`` of the first, and the ``query`` that finds all."""

    rows: int
    examples: tuple[Example, ...]
    query: str


def literal(value: Value | bytearray) -> str:
    """A value as SQLite writes it, cut where it is long; bytes of a text that is not UTF-8 as ``\\xNN``."""
    if value is None:
        return "NULL"
    if isinstance(value, bytes):
        return f"x'{value[:_SHOWN].hex()}'" + ("…" if len(value) > _SHOWN else "")
    if isinstance(value, (bytearray, str)):
        text = value.decode(errors="surrogateescape") if isinstance(value, bytearray) else value
        cut = text[:_SHOWN].encode(errors="surrogateescape").decode(errors="backslashreplace").replace("'", "''")
        return f"'{cut}'" + ("…" if len(text) > _SHOWN else "")
    return repr(value)


def key_text(values: Iterator[Value] | tuple[Value | bytearray, ...]) -> str:
    """The values of a key, as a person reads them."""
    return ", ".join(map(literal, values))


def where(connection: sqlite3.Connection, table: SourceTable, condition: str, column: str = "") -> Offenders:
    """The rows for which ``condition`` holds; ``column`` is the one whose value is shown.

    Raises :class:`sqlite3.Error` where SQLite cannot compute the condition.
    """
    key = [quoted_sqlite(name) if table.primary_key else name for name in key_columns(table)]
    shown = [quoted_sqlite(column)] if column else []
    query = f"SELECT {', '.join([*key, *shown])} FROM {quoted_sqlite(table.name)} WHERE {condition}"  # noqa: S608 - quoted
    before, connection.text_factory = connection.text_factory, bytearray
    rows, examples = 0, []
    try:
        for row in connection.execute(query):
            rows += 1
            if rows <= EXAMPLES:
                value = literal(row[-1]) if column else ""
                examples.append(Example(key_text(row[: len(key)]), value))
    finally:
        connection.text_factory = before
    return Offenders(rows, tuple(examples), query)


def orphans(connection: sqlite3.Connection, table: SourceTable, link: SourceForeignKey) -> Offenders:
    """The rows whose foreign key leads nowhere, however they came to be.

    Asked by a query of our own: ``PRAGMA foreign_key_check`` names no rows of WITHOUT ROWID tables, and checks nothing
    of a table one of whose keys is not possible. The parent's column stands left, as its collation is what counts
    (https://sqlite.org/foreignkeys.html, 3).
    """
    own = [quoted_sqlite(name) for name in link.columns]
    child = quoted_sqlite(table.name)
    pairs = zip(link.parent_columns, own, strict=True)
    met = " AND ".join(f"parent.{quoted_sqlite(there)} = {child}.{here}" for there, here in pairs)
    there = quoted_sqlite(link.parent)
    given = " AND ".join(f"{name} IS NOT NULL" for name in own)
    condition = f"{given} AND NOT EXISTS (SELECT 1 FROM {there} AS parent WHERE {met})"  # noqa: S608 - quoted names
    return where(connection, table, condition, link.columns[0])


def damages(connection: sqlite3.Connection) -> tuple[str, ...]:
    """What SQLite finds wrong with the file, at most a hundred lines; rows that break rules are told elsewhere."""
    found = (str(line) for (line,) in connection.execute("PRAGMA integrity_check(100)"))
    rules = ("NULL value in ", "CHECK constraint failed in ")
    return tuple(line for line in found if line != "ok" and not line.startswith(rules))

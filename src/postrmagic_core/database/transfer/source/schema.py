"""What a SQLite file says of itself: its tables and their parts, as :mod:`.source.catalogue` reads them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from ..interface import Key, ObjectKind, Value
from ..names import folded

Affinity: TypeAlias = Literal["integer", "real", "numeric", "text", "blob"]

_AFFINITIES: tuple[tuple[Affinity, tuple[str, ...]], ...] = (
    ("integer", ("int",)),
    ("text", ("char", "clob", "text")),
    ("blob", ("blob",)),
    ("real", ("real", "floa", "doub")),
)


def affinity_of(declared: str, *, strict: bool = False) -> Affinity:
    """What SQLite makes of a declared type (https://sqlite.org/datatype3.html, section 3.1)."""
    written = folded(declared)
    if not written or (strict and written == "any"):
        return "blob"
    for affinity, marks in _AFFINITIES:
        if any(mark in written for mark in marks):
            return affinity
    return "numeric"


@dataclass(frozen=True, slots=True)
class SourceColumn:
    """A column; ``declared`` is its type as written, ``affinity`` what SQLite makes of that.

    ``default`` and ``generated`` are SQLite's expressions, empty where there are none; ``collation`` is in capitals.
    """

    name: str
    declared: str
    affinity: Affinity
    nullable: bool = True
    default: str = ""
    collation: str = "BINARY"
    generated: str = ""
    stored: bool = False


@dataclass(frozen=True, slots=True)
class SourceIndexPart:
    """One part of an index: a column by its name, or an ``expression``."""

    column: str
    expression: str = ""
    collation: str = "BINARY"
    descending: bool = False


@dataclass(frozen=True, slots=True)
class SourceIndex:
    """An index, made by CREATE INDEX or by a UNIQUE of the table; ``predicate`` is that of a partial one."""

    name: str
    unique: bool
    parts: tuple[SourceIndexPart, ...]
    predicate: str = ""
    sql: str = ""


@dataclass(frozen=True, slots=True)
class SourceForeignKey:
    """A foreign key, with the parent's columns spelt out."""

    columns: tuple[str, ...]
    parent: str
    parent_columns: tuple[str, ...]
    on_delete: str
    on_update: str
    deferred: bool = False


@dataclass(frozen=True, slots=True)
class SourceTable:
    """A table. ``rowid_alias`` is its INTEGER PRIMARY KEY, if it has one; ``sequence`` what AUTOINCREMENT has given.

    ``conflicts`` are the columns and constraints, as written, that say ON CONFLICT and not ABORT. ``utf16``: its texts
    are ordered by their bytes in UTF-16, and not by their characters.
    """

    name: str
    sql: str
    columns: tuple[SourceColumn, ...]
    primary_key: tuple[str, ...] = ()
    rowid_alias: str = ""
    indexes: tuple[SourceIndex, ...] = ()
    foreign_keys: tuple[SourceForeignKey, ...] = ()
    checks: tuple[str, ...] = ()
    strict: bool = False
    without_rowid: bool = False
    autoincrement: bool = False
    sequence: int = 0
    conflicts: tuple[str, ...] = ()
    utf16: bool = False

    def column(self, name: str) -> SourceColumn:
        """The column of that name, however its letters are written; :class:`KeyError` where there is none."""
        for column in self.columns:
            if folded(column.name) == folded(name):
                return column
        raise KeyError(name)


@dataclass(frozen=True, slots=True)
class SourceObject:
    """A view, a trigger or a virtual table, with the text that made it."""

    kind: ObjectKind
    name: str
    table: str
    sql: str


@dataclass(frozen=True, slots=True)
class Source:
    """The whole schema; ``digest`` changes with any of it."""

    tables: tuple[SourceTable, ...]
    objects: tuple[SourceObject, ...]
    digest: str


@dataclass(frozen=True, slots=True)
class ColumnStats:
    """What is stored in a column, of all rows; lengths and digits are the greatest.

    ``misfits`` are rows whose value nothing could hold, with their keys: text that is not UTF-8, infinite numbers,
    a negative zero.
    ``grammar`` is that of every text, where all are written alike (as :attr:`.interface.ColumnPlan.grammar`).
    ``whole_digits`` and ``fraction_digits`` are of the shortest
    decimal that is the same double, of all numbers. ``grammar_digits`` are those of a grammar's fraction of a second.
    ``trailing_spaces``: texts that end with one; ``ascii``: whether no text has another character; ``fewest_bytes``:
    of the shortest text or blob.
    """

    nulls: int = 0
    integers: int = 0
    reals: int = 0
    texts: int = 0
    blobs: int = 0
    least: int = 0
    greatest: int = 0
    whole_digits: int = 0
    fraction_digits: int = 0
    characters: int = 0
    bytes: int = 0
    four_byte: int = 0
    grammar: str = ""
    # One row of each storage class, for examples.
    seen: tuple[tuple[str, Key, Value], ...] = ()
    misfits: int = 0
    misfit_keys: tuple[tuple[Key, str], ...] = ()
    grammar_digits: int = 0
    trailing_spaces: int = 0
    ascii: bool = True
    fewest_bytes: int = 0


@dataclass(frozen=True, slots=True)
class TableStats:
    """What one pass over a table found."""

    rows: int
    columns: dict[str, ColumnStats]
    zero_keys: int = 0

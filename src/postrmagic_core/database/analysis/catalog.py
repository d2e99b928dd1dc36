"""What the database says of its tables: columns, keys, indexes and how many rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, inspect, literal, select, table

from ...errors import PostrMagicError

# Counting a table costs a walk over it.
MOST_COUNTED = 5_000_000


@dataclass(frozen=True, slots=True)
class Index:
    """A key of a table: ``name`` is empty for a primary key, ``unique`` also for what a constraint made.

    ``refers``: whether it finds the rows that a foreign key of the table ties to another row.
    """

    name: str
    columns: tuple[str, ...]
    unique: bool = False
    refers: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A table as it is.

    ``rows`` are counted up to :data:`MOST_COUNTED`. ``wide``: columns that cannot be indexed whole (TEXT, BLOB on
    servers). ``appended``: the key's columns where every index ends with them by itself.
    """

    name: str
    columns: tuple[str, ...]
    primary_key: tuple[str, ...]
    indexes: tuple[Index, ...]
    rows: int
    wide: frozenset[str] = frozenset()
    appended: tuple[str, ...] = ()

    @property
    def declared(self) -> tuple[Index, ...]:
        """The primary key, if there is one, and every index."""
        primary = (Index("", self.primary_key, unique=True),) if self.primary_key else ()
        return (*primary, *self.indexes)

    @property
    def keys(self) -> tuple[Index, ...]:
        """The same, each with the columns it ends with by itself."""
        return tuple(Index(key.name, (*key.columns, *self._tail(key)), key.unique) for key in self.declared)

    def serving(self, equal: Sequence[str], then: Sequence[str] = ()) -> Index | None:
        """A key that begins with the columns ``equal``, in any order, and goes on with ``then``, in this order."""
        end = len(equal) + len(then)
        for key in self.keys:
            if set(key.columns[: len(equal)]) == set(equal) and key.columns[len(equal) : end] == tuple(then):
                return key
        return None

    def is_unique(self, columns: Sequence[str]) -> bool:
        """Whether ``columns`` name at most one row."""
        return any(key.unique and set(key.columns) <= set(columns) for key in self.declared)

    def _tail(self, key: Index) -> tuple[str, ...]:
        return tuple(column for column in self.appended if column not in key.columns)


def read_catalog(connection: Connection, names: Sequence[str]) -> dict[str, Table]:
    """Those of ``names`` that are tables, or virtual tables; others, and what has vanished, are left out."""
    inspector = inspect(connection)
    there = {name.lower(): name for name in inspector.get_table_names()}
    found: dict[str, Table] = {}
    for name in names:
        known = name if name in there.values() else there.get(name.lower())
        if known is not None and known not in found:
            described = _described(connection, inspector, known)
            if described is not None:
                found[known] = described
    return found


def column_names(connection: Connection, name: str, *, computed: bool = True) -> tuple[str, ...]:
    """The columns of a table; without the computed ones, into which nothing can be inserted, if asked so."""
    columns = inspect(connection).get_columns(name)
    return tuple(spelled(connection, part["name"]) for part in columns if computed or not part.get("computed"))


def spelled(connection: Connection, name: str) -> str:
    """A reflected name as it is: SQLAlchemy 2.1 reads a backtick in it as the two of SHOW CREATE TABLE."""
    return name if connection.dialect.name == "sqlite" else name.replace("``", "`")


def _described(connection: Connection, inspector: Any, name: str) -> Table | None:
    try:
        columns = inspector.get_columns(name)
        key = inspector.get_pk_constraint(name)["constrained_columns"]
        some = select(literal(1)).select_from(table(name)).limit(MOST_COUNTED).subquery()
        rows = connection.scalar(select(func.count()).select_from(some))
        return Table(
            name,
            column_names(connection, name),
            tuple(spelled(connection, part) for part in key),
            _indexes(connection, inspector, name),
            int(rows or 0),
            frozenset(column["name"] for column in columns if _is_wide(connection.dialect.name, column["type"])),
            _appended(connection.dialect.name, columns, tuple(key)),
        )
    except PostrMagicError:
        return None


def _indexes(connection: Connection, inspector: Any, name: str) -> tuple[Index, ...]:
    """Indexes of plain columns; one over an expression, a part of the rows or words serves other questions."""
    foreign = [tuple(key["constrained_columns"]) for key in inspector.get_foreign_keys(name)]
    found = [
        Index(
            str(index["name"]),
            tuple(spelled(connection, part) for part in index["column_names"]),
            bool(index["unique"]),
            any(tuple(index["column_names"][: len(key)]) == key for key in foreign),
        )
        for index in inspector.get_indexes(name)
        if None not in index["column_names"] and _is_plain(index)
    ]
    if connection.dialect.name == "sqlite":  # on servers a unique constraint is listed among the indexes
        found += [
            Index(str(key["name"] or ""), tuple(key["column_names"]), unique=True)
            for key in inspector.get_unique_constraints(name)
        ]
    return tuple(found)


def _is_plain(index: Mapping[str, Any]) -> bool:
    options = index.get("dialect_options", {})
    return index.get("type") is None and not any(
        name.endswith(("_where", "_prefix", "_length")) and value for name, value in options.items()
    )


def _is_wide(dialect: str, kind: object) -> bool:
    """InnoDB indexes no TEXT or BLOB without a length; SQLite indexes anything."""
    name = type(kind).__name__.upper()
    return dialect != "sqlite" and (name.endswith(("TEXT", "BLOB")) or name == "JSON")


def _appended(dialect: str, columns: Sequence[Mapping[str, Any]], key: tuple[str, ...]) -> tuple[str, ...]:
    """InnoDB puts the primary key at the end of every index, SQLite its row id, which an INTEGER key is."""
    if dialect != "sqlite":
        return key
    kinds = {column["name"]: column["type"] for column in columns}
    return key if len(key) == 1 and type(kinds.get(key[0])).__name__ == "INTEGER" else ()

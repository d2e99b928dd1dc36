"""The target's statements, from a plan alone. Pure.

A table is made with its columns and its primary key; everything else is added once its rows are there, which is faster
and makes the server itself look at every row.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import TypeVar

from ..interface import CheckPlan, ColumnPlan, ForeignKeyPlan, IndexPart, IndexPlan, Server, TablePlan
from ..names import quoted

T = TypeVar("T")


def create_table(table: TablePlan, server: Server) -> str:
    """The CREATE TABLE of ``table``, which does nothing where it stands already."""
    parts = [_column(column, server, column.target in table.primary_key) for column in table.columns]
    if table.primary_key:
        parts.append(f"PRIMARY KEY ({_names(table.primary_key)})")
    body = ",\n  ".join(parts)
    return (
        f"CREATE TABLE IF NOT EXISTS {quoted(table.target)} (\n  {body}\n) "
        f"ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE {server.exact}"
    )


def add_indexes(table: TablePlan, present: Collection[str] = ()) -> str:
    """One ALTER TABLE for all indexes but those ``present``, by name; empty where none is left."""
    return _altered(table, [_index(index) for index in _absent(table.indexes, lambda index: index.target, present)])


def add_checks(table: TablePlan, present: Collection[str] = ()) -> str:
    """One ALTER TABLE for all CHECKs but those ``present``; empty where none is left."""
    missing = _absent(table.checks, lambda check: check.target, present)
    return _altered(table, [f"CONSTRAINT {quoted(check.target)} CHECK ({check.expression})" for check in missing])


def add_foreign_keys(table: TablePlan, present: Collection[str] = ()) -> str:
    """One ALTER TABLE for all foreign keys but those ``present``; empty where none is left."""
    missing = _absent(table.foreign_keys, lambda key: key.target, present)
    return _altered(table, [_foreign_key(key) for key in missing])


def set_auto_increment(table: TablePlan) -> str:
    """Which id is given next; empty where the table gives none. A server never goes below what is there."""
    return f"ALTER TABLE {quoted(table.target)} AUTO_INCREMENT = {table.auto_increment}" if table.auto_increment else ""


def insert(table: TablePlan) -> str:
    """An INSERT of the columns that are moved, up to its values."""
    names = _names(column.target for column in table.moved)
    return f"INSERT INTO {quoted(table.target)} ({names}) VALUES "  # noqa: S608 - quoted names


def load_data(table: TablePlan, file: str) -> str:
    """A LOAD DATA LOCAL of the columns that are moved; each value is taken by its bytes, in no character set."""
    return (
        f"LOAD DATA LOCAL INFILE '{file}' INTO TABLE {quoted(table.target)} CHARACTER SET binary "
        f"FIELDS TERMINATED BY '\\t' ESCAPED BY '\\\\' LINES TERMINATED BY '\\n' "
        f"({_names(column.target for column in table.moved)})"
    )


def orphan(table: TablePlan, key: ForeignKeyPlan) -> str:
    """A query for the key of one row of ``table`` whose parent is not there; NULL where the table has none."""
    return f"SELECT {_rows_key(table)} {orphans(table, key)} LIMIT 1"


def orphans(table: TablePlan, key: ForeignKeyPlan) -> str:
    """All such rows: what comes after the columns of a SELECT."""
    pairs = zip(key.columns, key.parent_columns, strict=True)
    same = " AND ".join(f"p.{quoted(theirs)} = c.{quoted(ours)}" for ours, theirs in pairs)
    given = " AND ".join(f"c.{quoted(name)} IS NOT NULL" for name in key.columns)
    parent = f"SELECT 1 FROM {quoted(key.parent)} p WHERE {same}"  # noqa: S608 - quoted names
    return f"FROM {quoted(table.target)} c WHERE {given} AND NOT EXISTS ({parent})"


def offender(table: TablePlan, check: CheckPlan) -> str:
    """A query for the key of one row of ``table`` that breaks ``check``."""
    return f"SELECT {_rows_key(table)} {offenders(table, check)} LIMIT 1"


def offenders(table: TablePlan, check: CheckPlan) -> str:
    """All such rows: what comes after the columns of a SELECT."""
    return f"FROM {quoted(table.target)} c WHERE NOT ({check.expression})"


def parents_first(tables: Sequence[TablePlan]) -> list[TablePlan]:
    """The tables, each after those its foreign keys name; within a circle in the order given."""
    by_name = {table.target: table for table in tables}
    found: dict[str, TablePlan] = {}
    entered: set[str] = set()
    for table in tables:
        stack = [(table, False)]
        while stack:
            here, left = stack.pop()
            if left:
                found[here.target] = here
            elif here.target not in entered:
                entered.add(here.target)
                stack.append((here, True))
                stack += [(by_name[key.parent], False) for key in here.foreign_keys if key.parent in by_name]
    return list(found.values())


def _absent(parts: Iterable[T], name: Callable[[T], str], present: Collection[str]) -> list[T]:
    there = {each.lower() for each in present}
    return [part for part in parts if name(part).lower() not in there]


def _altered(table: TablePlan, additions: Sequence[str]) -> str:
    return f"ALTER TABLE {quoted(table.target)} " + ", ".join(f"ADD {each}" for each in additions) if additions else ""


def _column(column: ColumnPlan, server: Server, in_key: bool) -> str:
    words = [quoted(column.target), column.type]
    if column.collation:
        words.append(f"COLLATE {column.collation}")
    # MariaDB takes no NOT NULL on a column that it computes.
    if column.generated:
        words.append(f"GENERATED ALWAYS AS ({column.generated}) {'STORED' if column.stored else 'VIRTUAL'}")
    if (in_key or not column.nullable) and not (column.generated and server.kind == "mariadb"):
        words.append("NOT NULL")
    elif not column.generated:
        words.append("NULL")
    if column.default and not column.generated:
        words.append(f"DEFAULT {column.default}")
    if column.auto_increment:
        words.append("AUTO_INCREMENT")
    if column.hidden:
        words.append("INVISIBLE")
    return " ".join(words)


def _index(index: IndexPlan) -> str:
    parts = ", ".join(_part(part) for part in index.parts)
    return f"{'UNIQUE ' if index.unique else ''}INDEX {quoted(index.target)} ({parts})"


def _part(part: IndexPart) -> str:
    length = f"({part.length})" if part.length is not None else ""
    return f"{quoted(part.column)}{length}{' DESC' if part.descending else ''}"


def _foreign_key(key: ForeignKeyPlan) -> str:
    return (
        f"CONSTRAINT {quoted(key.target)} FOREIGN KEY ({_names(key.columns)}) "
        f"REFERENCES {quoted(key.parent)} ({_names(key.parent_columns)}) "
        f"ON DELETE {key.on_delete} ON UPDATE {key.on_update}"
    )


def _rows_key(table: TablePlan) -> str:
    return ", ".join(f"c.{quoted(name)}" for name in table.primary_key) or "NULL"


def _names(names: Iterable[str]) -> str:
    return ", ".join(quoted(name) for name in names)

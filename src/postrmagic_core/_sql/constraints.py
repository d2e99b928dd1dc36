"""Names of unique constraints and their columns, from a Core table's own metadata."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any


def name_of(table: Any, columns: Sequence[str]) -> str | None:
    """The declared name of the unique constraint or index over exactly ``columns``; ``None`` if it has none."""
    wanted = set(columns)
    return next((name for name, covered in _unique(table) if set(covered) == wanted), None)


def columns_of(table: Any, name: str) -> tuple[str, ...]:
    """The columns of the unique constraint or index ``name``; empty when the metadata does not tell."""
    if name == "PRIMARY" and _is_declared(table):
        return tuple(column.name for column in table.primary_key)
    return next((covered for named, covered in _unique(table) if named == name), ())


def table_of(table: Any, name: str) -> str | None:
    """The table's own name where it declares the unique constraint or index ``name``."""
    return str(table.name) if any(named == name for named, _ in _unique(table)) else None


def _unique(table: Any) -> Iterator[tuple[str, tuple[str, ...]]]:
    if not _is_declared(table):
        return
    from sqlalchemy import Index, PrimaryKeyConstraint, UniqueConstraint

    declared: list[UniqueConstraint | PrimaryKeyConstraint | Index] = [
        constraint
        for constraint in table.constraints
        if isinstance(constraint, UniqueConstraint | PrimaryKeyConstraint)
    ]
    declared += [index for index in table.indexes if index.unique]
    for constraint in declared:
        if constraint.name:
            yield str(constraint.name), tuple(column.name for column in constraint.columns)


def _is_declared(table: Any) -> bool:
    """Whether it is a table of SQLAlchemy's, which whoever has none has not loaded either."""
    if table is None:
        return False
    from sqlalchemy import Table

    return isinstance(table, Table)

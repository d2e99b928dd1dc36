"""Which rule of an input a unique constraint speaks for. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import takewhile
from typing import Any

from ...errors import UniqueViolation
from .nodes import Found, Trail, steps
from .rules import Unique

_PRIMARY = "PRIMARY"


def blamed(found: list[Found], violation: UniqueViolation) -> list[Found]:
    """The values that a :class:`.Unique` rule over exactly the columns of the violated constraint is about."""
    return [
        one
        for one in found
        if isinstance(one.placed.rule, Unique)
        and _speaks_for(
            violation,
            one.placed.column.table,
            {one.placed.column.name, *(column.name for _, column in one.placed.scope)},
        )
    ]


def common(found: list[Found]) -> Trail:
    """The way to the innermost part of the input that holds all of these values."""
    first, *others = [list(steps(one.trail)) for one in found]
    for other in others:
        pairs = takewhile(lambda pair: pair[0] == pair[1], zip(first, other, strict=False))
        first = [step for step, _ in pairs]
    trail: Trail = None
    for step in first:
        trail = (trail, step)
    return trail


def _speaks_for(violation: UniqueViolation, table: Any, columns: set[str]) -> bool:
    # Some servers tell every table's name in lower case.
    if violation.table is not None and violation.table.lower() != table.name.lower():
        return False
    if violation.columns and set(violation.columns) != columns:
        return False
    if violation.constraint == _PRIMARY:
        return {column.name for column in table.primary_key} == columns
    names = {name for name, covered in _declared(table) if covered == columns}
    if violation.constraint in names:
        return True
    # Without a name there are only the columns; a name that the metadata lacks was given by the server.
    return bool(violation.columns) and (violation.constraint is None or None in names or not names)


def _declared(table: Any) -> Iterator[tuple[str | None, set[str]]]:
    """The unique constraints and indexes of a table as its metadata has them: name, if any, and columns."""
    for constraint in (*table.constraints, *table.indexes):
        if getattr(constraint, "unique", False) or type(constraint).__name__ == "UniqueConstraint":
            name = None if constraint.name is None else str(constraint.name)
            yield name, {column.name for column in constraint.columns}

"""Which tables a statement changes: those it names, and those that foreign keys change along with them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Any, Final
from weakref import WeakKeyDictionary

from sqlalchemy import ForeignKey, Table, TableClause
from sqlalchemy.exc import NoReferenceError
from sqlalchemy.sql import visitors
from sqlalchemy.sql.elements import ReleaseSavepointClause, RollbackToSavepointClause, SavepointClause

# The option by which textual SQL of this package says which tables it changes.
WRITES: Final = "pm_writes"

_NONE: frozenset[str] = frozenset()
_SAVEPOINTS = (SavepointClause, RollbackToSavepointClause, ReleaseSavepointClause)
# What textual SQL may begin with and change nothing; a function that it calls is not looked into.
_READS = re.compile(r"[\s(]*(?:SELECT|SHOW|DESCRIBE|PRAGMA)\b", re.IGNORECASE)
# ON DELETE and ON UPDATE: what changes the rows that refer.
_ACTIONS = frozenset({"CASCADE", "SET NULL", "SET DEFAULT"})

_known: WeakKeyDictionary[Any, frozenset[str] | None] = WeakKeyDictionary()


def reads_only(compiled: Any) -> bool:
    """Whether it is a SELECT made of Core or ORM constructs."""
    statement: Any = getattr(compiled, "statement", None)
    return statement is not None and statement.is_select and not statement.is_text


def tables_changed(context: Any) -> frozenset[str] | None:
    """The tables that an execution (SQLAlchemy's ExecutionContext) changes; ``None``: it is text that nobody parses.

    Found once for each compiled statement, since SQLAlchemy keeps those.
    """
    compiled = context.compiled
    statement = getattr(compiled, "statement", None)
    if getattr(statement, "is_dml", False):
        if compiled not in _known:
            _known[compiled] = frozenset(_of(compiled))
        return _known[compiled]
    if isinstance(statement, _SAVEPOINTS) or reads_only(compiled) or _READS.match(context.statement):
        return _NONE
    declared: frozenset[str] | None = context.execution_options.get(WRITES)
    return declared


def _of(compiled: Any) -> Iterator[str]:
    statement = compiled.statement
    for element in visitors.iterate(statement.table):
        if isinstance(element, TableClause):
            yield element.name
            if isinstance(element, Table):
                yield from _followers(element, statement, compiled.column_keys or ())
    # MySQL's UPDATE of several tables: the columns of the others are among the values.
    for column in getattr(statement, "_values", None) or ():
        table = getattr(column, "table", None)
        if isinstance(table, TableClause):
            yield table.name


def _followers(table: Table, statement: Any, given: Collection[str]) -> Iterator[str]:
    """The tables with rows that a change of ``table`` changes by ON DELETE and ON UPDATE, as far as metadata tell."""
    table = table.metadata.tables.get(table.key, table)  # without the ORM's annotations
    pending: list[tuple[Table, frozenset[str] | None]] = []
    # INSERT OR REPLACE and the like are prefixes: they delete the row that is in the way.
    if statement.is_delete or statement._prefixes:
        pending.append((table, None))
    if statement.is_update or getattr(statement, "_post_values_clause", None) is not None:
        pending.append((table, _updated(table, statement, given)))
    seen = set(pending)
    while pending:
        parent, columns = pending.pop()
        for key in _references(parent):
            action = key.ondelete if columns is None else key.onupdate
            if (action or "").upper() not in _ACTIONS or (columns is not None and key.column.key not in columns):
                continue
            child = key.parent.table
            yield child.name
            gone = columns is None and (action or "").upper() == "CASCADE"
            following = (child, None if gone else frozenset({key.parent.key}))
            if following not in seen:
                seen.add(following)
                pending.append(following)


def _updated(table: Table, statement: Any, given: Collection[str]) -> frozenset[str]:
    """The columns that an UPDATE may change; of an upsert, any."""
    if statement.is_insert:
        return frozenset(column.key for column in table.columns)
    named = {getattr(column, "key", column) for column in statement._values or ()}
    return frozenset(named | set(given) | {column.key for column in table.columns if column.onupdate is not None})


def _references(table: Table) -> Iterator[ForeignKey]:
    for other in list(table.metadata.tables.values()):
        for key in other.foreign_keys:
            try:
                refers = key.column.table is table
            except NoReferenceError:
                continue
            if refers:
                yield key

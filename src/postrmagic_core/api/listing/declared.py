"""What a list may be sorted by, and over which statement: checked when it is declared, not when it is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Column, FromClause, Join, Select, Table, UniqueConstraint, types
from sqlalchemy.sql import visitors

from ..._sql.types import BinaryKey, Key
from ...errors import ConfigurationError
from .cursors import LONGEST_POSITION
from .interface import Expression, NotNull
from .policy import MOST_KEYS

# Bytes of a value in a cursor; no limit is put on texts here, as their column's length does it.
_WIDTHS: Sequence[tuple[type[types.TypeEngine[Any]], int]] = [
    (types.Boolean, 1),
    (types.Integer, 11),
    (types.Double, 9),
    (types.DateTime, 40),
    (types.Date, 40),
    (types.Uuid, 40),
]
_OVERHEAD = 4  # of a text, and of the list of values


class Declared:
    """The keys of one list, checked. Raises :class:`ConfigurationError` for one that would not give each row once."""

    def __init__(
        self,
        listing: str,
        statement: Select[Any],
        order: Mapping[str, Expression | NotNull],
        unique: Expression | Sequence[Expression],
    ) -> None:
        self._listing = listing
        self.order = {name: self._key(name, declared) for name, declared in order.items()}
        ends = [unique] if not isinstance(unique, Sequence) else unique
        self.unique = [self._key("unique", declared) for declared in ends]
        self._check_unique()
        self._check_statement(statement)
        widths = sorted((self._width(key) for key in self.order.values()), reverse=True)[:MOST_KEYS]
        longest = sum(widths) + sum(self._width(key) for key in self.unique) + _OVERHEAD
        if longest > LONGEST_POSITION:
            raise self._wrong(
                f"a position may have {longest} bytes, and a cursor holds {LONGEST_POSITION}: sort by the beginning of "
                "a long text, not_null(func.substr(column, 1, 60, type_=String(60)))"
            )

    def _key(self, name: str, declared: Expression | NotNull) -> Expression:
        expression = declared.expression if isinstance(declared, NotNull) else declared
        if expression is declared and (not isinstance(expression, Column) or expression.nullable):
            raise self._wrong(f"expected {name!r} to be a column that is NOT NULL, or an expression in not_null()")
        return expression

    def _check_unique(self) -> None:
        columns = [key for key in self.unique if isinstance(key, Column)]
        tables = {key.table for key in columns}
        if len(columns) == len(self.unique) and len(tables) == 1 and _identifies({*columns}, tables.pop()):
            return
        raise self._wrong("expected `unique` to be a primary key, or columns that a unique constraint or index is over")

    def _check_statement(self, statement: Select[Any]) -> None:
        if any((statement._order_by_clauses, statement._group_by_clauses, statement._distinct)) or any(
            part is not None for part in (statement._limit_clause, statement._offset_clause, statement._fetch_clause)
        ):
            raise self._wrong(
                "expected a statement without ORDER BY, GROUP BY, DISTINCT and LIMIT: put it into a subquery"
            )
        present = dict(_tables(statement))
        for key in (*self.order.values(), *self.unique):
            for column in visitors.iterate(key):
                if not isinstance(column, Column):
                    continue
                if column.table not in present:
                    raise self._wrong(f"the statement does not select from {column.table}, which it is sorted by")  # nosec B608 # an error's text
                if present[column.table] and key is column:
                    raise self._wrong(f"{column} is NULL where its outer join finds nothing: declare it by not_null()")

    def _width(self, key: Expression) -> int:
        kind: Any = key.type.impl_instance if isinstance(key.type, types.TypeDecorator) else key.type
        if isinstance(kind, types.Enum) and kind.native_enum:
            raise self._wrong(f"{key} is an ENUM, which MySQL sorts by number and compares as text: sort by a text")
        if isinstance(key.type, Key | BinaryKey):
            return key.type.size + _OVERHEAD
        if isinstance(kind, types.String | types.LargeBinary) and kind.length is not None:
            return kind.length * (4 if isinstance(kind, types.String) else 1) + _OVERHEAD
        if isinstance(kind, types.Numeric) and not isinstance(kind, types.Float) and kind.precision is not None:
            return int(kind.precision) + 6
        for known, width in _WIDTHS:
            if isinstance(kind, known):
                return width
        raise self._wrong(
            f"{key} is of type {kind!r}: expected an integer, a Double, a date, a Uuid, or a text, bytes or Numeric of "
            "a declared length; MySQL rounds a Float when it is read"
        )

    def _wrong(self, problem: str) -> ConfigurationError:
        return ConfigurationError(f"list {self._listing!r}: {problem}")


def _identifies(columns: set[Column[Any]], table: FromClause) -> bool:
    if not isinstance(table, Table):
        return False
    unique = [{*index.columns} for index in table.indexes if index.unique]
    unique += [{*one.columns} for one in table.constraints if isinstance(one, UniqueConstraint)]
    return any(one and one <= columns for one in [{*table.primary_key.columns}, *unique])


def _tables(statement: Select[Any]) -> Iterator[tuple[FromClause, bool]]:
    """What the statement selects from, each with whether an outer join may find nothing of it."""
    for part in statement.get_final_froms():
        yield from _joined(part, optional=False)


def _joined(part: FromClause, *, optional: bool) -> Iterator[tuple[FromClause, bool]]:
    if not isinstance(part, Join):
        yield part, optional
        return
    yield from _joined(part.left, optional=optional or part.full)
    yield from _joined(part.right, optional=optional or part.isouter or part.full)

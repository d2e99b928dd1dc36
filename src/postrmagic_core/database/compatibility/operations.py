"""Alembic's operations as changes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from alembic.operations import ops
from alembic.runtime.migration import MigrationContext
from sqlalchemy.exc import CompileError
from sqlalchemy.sql.elements import ClauseElement, TextClause
from sqlalchemy.types import TypeEngine

from . import changes as c
from .statements import read

_KINDS: dict[str, c.KeyKind] = {"primary": "primary", "unique": "unique", "foreignkey": "foreign", "check": "check"}
_LETS_GO = {"CASCADE", "SET NULL", "SET DEFAULT"}


def changes_of(operation: ops.MigrateOperation, context: MigrationContext) -> list[c.Change]:
    """What ``operation`` does on the dialect of ``context``; what is not Alembic's own is an unknown operation."""
    found = next((read for kind, read in _READERS.items() if isinstance(operation, kind)), None)
    if found is None:
        return [c.Other("unknown-operation", f"{type(operation).__name__} is run")]
    return list(found(operation, context))


def written(statement: Any, context: MigrationContext) -> list[c.Change]:
    """What a statement does: text, or one of SQLAlchemy's."""
    if isinstance(statement, TextClause):
        statement = statement.text
    if isinstance(statement, sa.Executable) and isinstance(statement, ClauseElement):
        try:
            statement = str(statement.compile(dialect=context.dialect))
        except CompileError:
            return [c.Other("unread-sql", f"a {type(statement).__name__} is executed")]
    if not isinstance(statement, str):
        return [c.Other("unread-sql", f"a {type(statement).__name__} is executed")]
    return read(statement, context.dialect.name)


def _named(table: str, schema: str | None) -> str:
    return f"{schema}.{table}" if schema else str(table)


def _full(table: Any) -> str:
    return _named(table.name, getattr(table, "schema", None))


def _table_made(operation: ops.CreateTableOp, context: MigrationContext) -> c.AddTable:
    table = operation.to_table(context)
    counts = table.autoincrement_column
    columns = tuple(replace(_column(column, context), counts=column is counts) for column in table.columns)
    keys = [*_keys(table.constraints), *(_unique(index) for index in table.indexes if index.unique)]
    return c.AddTable(_full(table), columns, tuple(keys), bool(operation.if_not_exists))


def _column(column: sa.Column[Any], context: MigrationContext) -> c.Column:
    # A FetchedValue promises one that a trigger gives, and Identity neither dialect has: the DDL says nothing of them.
    filled = isinstance(column.server_default, sa.DefaultClause | sa.Computed)
    return c.Column(column.name, _type(column.type, context), bool(column.nullable), filled)


def _type(type_: Any, context: MigrationContext) -> str | None:
    made: TypeEngine[Any] = type_() if isinstance(type_, type) else type_
    try:
        return made.compile(dialect=context.dialect)
    except (CompileError, NotImplementedError, AttributeError):
        return None


def _column_added(operation: ops.AddColumnOp, context: MigrationContext) -> Iterator[c.Change]:
    column = operation.column
    if column.table is not None:
        column = column._copy()
    table = sa.Table(operation.table_name, sa.MetaData(), column, schema=operation.schema)
    # What a Boolean or Enum checks by itself lets a NULL and its own default pass.
    own = [each for each in table.constraints | column.constraints if not getattr(each, "_type_bound", False)]
    keys = [key for key in _keys(own) if key.columns or key.kind == "check"]
    keys += [_unique(index) for index in table.indexes if index.unique]
    yield c.AddColumn(_full(table), _column(column, context), tuple(keys))
    for index in table.indexes:
        if not index.unique:
            yield _indexed(index)


def _keys(constraints: Iterable[Any]) -> Iterator[c.Key]:
    for constraint in constraints:
        name = None if constraint.name is None else str(constraint.name)
        match constraint:
            case sa.ForeignKeyConstraint():
                columns = tuple(constraint.column_keys)
                refers = constraint.elements[0].target_fullname.rsplit(".", 1)[0] if constraint.elements else None
                lets_go = (constraint.ondelete or "").upper() in _LETS_GO
                yield c.Key("foreign", columns, name, refers, lets_go)
            case sa.PrimaryKeyConstraint():
                yield c.Key("primary", tuple(column.name for column in constraint.columns), name)
            case sa.UniqueConstraint():
                yield c.Key("unique", tuple(column.name for column in constraint.columns), name)
            case _:
                yield c.Key("check", (), name)


def _unique(index: sa.Index) -> c.Key:
    return c.Key("unique", _columns(index), None if index.name is None else str(index.name))


def _columns(index: sa.Index) -> tuple[str, ...]:
    # An expression is not a column, and may be one value for many rows.
    return tuple(str(getattr(each, "name", None) or each) for each in index.expressions)


def _indexed(index: sa.Index) -> c.AddIndex:
    name = None if index.name is None else str(index.name)
    searched = bool(index.dialect_kwargs.get("mysql_prefix"))
    return c.AddIndex(_full(index.table), name, _columns(index), bool(index.unique), searched)


def _altered(operation: ops.AlterColumnOp, context: MigrationContext) -> list[c.Change]:
    table = _named(operation.table_name, operation.schema)
    default = operation.modify_server_default
    existing = operation.existing_server_default
    type_ = operation.modify_type
    retyped = None if type_ is None else _type(type_, context)
    given = (type_, operation.modify_nullable, operation.modify_name)
    anew = any(each is not None for each in given) or operation.modify_comment is not False
    was_type = None if operation.existing_type is None else _type(operation.existing_type, context)
    found: list[c.Change] = [
        c.AlterColumn(
            table,
            c.Column(operation.column_name, was_type, operation.existing_nullable),
            to=None if operation.modify_name is None else str(operation.modify_name),
            type=retyped,
            nullable=operation.modify_nullable,
            default="unchanged" if default is False else "dropped" if default is None else "set",
            filled_before=None if existing is False else existing is not None,
            anew=anew,
            counts=operation.kw.get("autoincrement", operation.kw.get("existing_autoincrement")),
        )
    ]
    if type_ is not None and retyped is None:
        found.append(c.Other("unknown-type", f"column {table}.{operation.column_name} changes its type", table))
    return found


def _key_made(operation: ops.AddConstraintOp, context: MigrationContext) -> list[c.Change]:
    constraint = operation.to_constraint(context)
    return [c.AddKey(_full(constraint.table), key) for key in _keys([constraint])]


def _key_dropped(operation: ops.DropConstraintOp, _: MigrationContext) -> list[c.Change]:
    name = None if operation.constraint_name is None else str(operation.constraint_name)
    kind = _KINDS.get(operation.constraint_type or "")
    return [c.DropKey(_named(operation.table_name, operation.schema), name, kind)]


def _index_dropped(operation: ops.DropIndexOp, _: MigrationContext) -> list[c.Change]:
    table = _named(operation.table_name, operation.schema) if operation.table_name else None
    return [c.DropIndex(table, str(operation.index_name))]


def _table_renamed(operation: ops.RenameTableOp, _: MigrationContext) -> list[c.Change]:
    schema = operation.schema
    return [c.RenameTable(_named(operation.table_name, schema), _named(operation.new_table_name, schema))]


def _nothing(*_: Any) -> list[c.Change]:
    return []


_READERS: dict[type[ops.MigrateOperation], Callable[[Any, MigrationContext], Iterable[c.Change]]] = {
    ops.CreateTableOp: lambda one, context: [_table_made(one, context)],
    ops.DropTableOp: lambda one, _: [c.DropTable(_named(one.table_name, one.schema))],
    ops.RenameTableOp: _table_renamed,
    ops.AddColumnOp: _column_added,
    ops.DropColumnOp: lambda one, _: [c.DropColumn(_named(one.table_name, one.schema), one.column_name)],
    ops.AlterColumnOp: _altered,
    ops.CreateIndexOp: lambda one, context: [_indexed(one.to_index(context))],
    ops.DropIndexOp: _index_dropped,
    ops.AddConstraintOp: _key_made,
    ops.DropConstraintOp: _key_dropped,
    ops.CreateTableCommentOp: _nothing,
    ops.DropTableCommentOp: _nothing,
    ops.BulkInsertOp: lambda one, _: [c.WriteRows(_full(one.table), "insert")],
    ops.ExecuteSQLOp: lambda one, context: written(one.sqltext, context),
}

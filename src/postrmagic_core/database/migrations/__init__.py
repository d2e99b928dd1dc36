"""The linear history of the package's own tables; its version table is ``pm_alembic_version``.

MySQL commits at each DDL statement, so that a killed migration may have done its work without noting it. Therefore a
revision holds one statement, made by the functions here: run again, they find their work done.
"""

from __future__ import annotations

from typing import Any

from alembic import op
from sqlalchemy import inspect, text

from ..._sql.types import TABLE_OPTIONS


def create_table(name: str, *columns: Any, **options: Any) -> None:
    """``CREATE TABLE``, unless it is there; columns and constraints as for :class:`sqlalchemy.Table`."""
    if _dry() or not has_table(name):
        op.create_table(name, *columns, **TABLE_OPTIONS, **options)


def create_index(name: str, table: str, columns: list[str], *, unique: bool = False) -> None:
    """``CREATE INDEX``, unless it is there."""
    if _dry() or not has_index(name, table):
        op.create_index(name, table, columns, unique=unique)


def add_column(table: str, column: Any) -> None:
    """``ALTER TABLE … ADD COLUMN``, unless it is there."""
    if _dry() or (has_table(table) and not has_column(table, column.name)):
        op.add_column(table, column)


def drop_column(table: str, name: str) -> None:
    """``ALTER TABLE … DROP COLUMN``, unless it is gone."""
    if _dry() or has_column(table, name):
        op.drop_column(table, name)


def drop_table(name: str) -> None:
    """``DROP TABLE``, unless it is gone."""
    if _dry() or has_table(name):
        op.drop_table(name)


def rename_table(name: str, to: str, *, having: str) -> None:
    """``ALTER TABLE … RENAME``, unless it has happened; ``having`` is a column by which the table is known."""
    if _dry() or has_column(name, having):
        op.rename_table(name, to)


def copy_rows(statement: str, source: str) -> None:
    """``INSERT … SELECT`` from ``source``, unless that is gone; the statement leaves out what is there already."""
    if _dry() or has_table(source):
        op.execute(text(statement))


def drop_index(name: str, table: str) -> None:
    """``DROP INDEX``, unless it is gone."""
    if _dry() or has_index(name, table):
        op.drop_index(name, table)


def has_table(name: str) -> bool:
    """Whether an earlier run made it."""
    return inspect(op.get_bind()).has_table(name)


def has_column(table: str, name: str) -> bool:
    """Whether an earlier run made it."""
    return has_table(table) and name in {column["name"] for column in inspect(op.get_bind()).get_columns(table)}


def has_index(name: str, table: str) -> bool:
    """Whether an earlier run made it."""
    return has_table(table) and name in {index["name"] for index in inspect(op.get_bind()).get_indexes(table)}


def _dry() -> bool:
    """Whether statements are only written down."""
    return op.get_context().as_sql

"""The linear history of the package's own tables; its version table is ``pm_alembic_version``.

MySQL commits at each DDL statement, so that a killed migration may have done its work without noting it. Therefore a
revision holds one statement, made by the functions here: run again, they find their work done.
"""

from __future__ import annotations

from typing import Any

from alembic import op
from sqlalchemy import inspect

from ..._sql.types import TABLE_OPTIONS


def create_table(name: str, *columns: Any, **options: Any) -> None:
    """``CREATE TABLE``, unless it is there; columns and constraints as for :class:`sqlalchemy.Table`."""
    if _dry() or not has_table(name):
        op.create_table(name, *columns, **TABLE_OPTIONS, **options)


def create_index(name: str, table: str, columns: list[str], *, unique: bool = False) -> None:
    """``CREATE INDEX``, unless it is there."""
    if _dry() or not has_index(name, table):
        op.create_index(name, table, columns, unique=unique)


def drop_table(name: str) -> None:
    """``DROP TABLE``, unless it is gone."""
    if _dry() or has_table(name):
        op.drop_table(name)


def drop_index(name: str, table: str) -> None:
    """``DROP INDEX``, unless it is gone."""
    if _dry() or has_index(name, table):
        op.drop_index(name, table)


def has_table(name: str) -> bool:
    """Whether an earlier run made it."""
    return inspect(op.get_bind()).has_table(name)


def has_index(name: str, table: str) -> bool:
    """Whether an earlier run made it."""
    return name in {index["name"] for index in inspect(op.get_bind()).get_indexes(table)}


def _dry() -> bool:
    """Whether statements are only written down."""
    return op.get_context().as_sql

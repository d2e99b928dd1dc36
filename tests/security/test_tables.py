"""What the code declares is what the migrations make."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import inspect

from postrmagic_core.database import DatabaseManager
from postrmagic_core.security.tables import metadata

COLUMNS = ("name", "type", "nullable", "default", "autoincrement")


def schema(database: DatabaseManager) -> dict[str, Any]:
    """What the database says of the tables."""
    with database.read() as tx:
        found = inspect(tx.connection)
        return {
            table: (
                [tuple(str(column.get(part)) for part in COLUMNS) for column in found.get_columns(table)],
                found.get_pk_constraint(table)["constrained_columns"],
                sorted((str(index["name"]), *index["column_names"]) for index in found.get_indexes(table)),
            )
            for table in metadata.tables
        }


def test_the_migrations_make_what_the_code_declares(open_database: Callable[..., DatabaseManager]) -> None:
    """Types, keys and indexes are equal."""
    database = open_database()
    database.upgrade()
    migrated = schema(database)
    with database.write() as tx:
        metadata.drop_all(tx.connection)
        metadata.create_all(tx.connection)
    assert migrated == schema(database)

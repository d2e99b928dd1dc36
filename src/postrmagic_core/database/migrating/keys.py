"""Foreign keys on SQLite while tables are made anew.

SQLite cannot alter a column: Alembic copies the table and drops the old one. With foreign keys on, dropping a table
deletes its rows first, so that ``ON DELETE CASCADE`` empties the tables that refer to it. Therefore they are off during
a migration, and what refers to nothing is looked for before the commit (https://sqlite.org/lang_altertable.html,
section 7).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection

from ...errors import IntegrityViolation

Dangling = Counter[tuple[str, str]]


@contextmanager
def keys_off(connection: Connection) -> Iterator[None]:
    """Foreign keys off on a SQLite connection that has no transaction yet; on again at the end."""
    raw: Any = connection.connection.dbapi_connection
    raw.execute("PRAGMA foreign_keys=OFF")
    try:
        yield
    finally:
        connection.rollback()
        raw.execute("PRAGMA foreign_keys=ON")


def dangling(connection: Connection) -> Dangling:
    """How many rows of a table refer to a missing row of another."""
    rows = connection.exec_driver_sql("PRAGMA foreign_key_check")
    return Counter((str(child), str(parent)) for child, _, parent, _ in rows)


def refuse_new(before: Dangling, after: Dangling, revision: str) -> None:
    """Raise :class:`IntegrityViolation` where a revision left rows that refer to nothing."""
    for (child, parent), count in (after - before).items():
        raise IntegrityViolation(
            f"revision {revision} would leave {count} row(s) of {child} that refer to no row of {parent}: "
            "foreign keys, cascades included, rest while a migration runs on SQLite"
        )

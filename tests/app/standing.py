"""A house that stands for a whole run: before each test everything in it is put back as it was furnished.

Opening an application takes longer than most tests that ask it something.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import MetaData, Table, delete, insert, select

from media_library.tables import users
from postrmagic_core.database import DatabaseManager
from tests.app.house import House

PutBack = Callable[[], None]


def putting_back(house: House, tables: PutBack) -> House:
    """``house`` as it was furnished: its ``tables``, its stores, its files, and what its process remembers."""
    application, stack = house.application, house.application.stack
    stack.health()  # its stores make their tables at their first use
    stack.security.audit.flush()
    with stack.database.read() as unit:
        for user_id in unit.scalars(select(users.c.id)).all():
            stack.security.access.invalidate(str(user_id))
    tables()
    with sqlite(stack.settings.stack.data_dir / "kv.db") as stores:
        stores.execute("DELETE FROM pm_kv")
    shutil.rmtree(application.library.storage.root)
    application.library.storage.prepare()
    return house


@contextmanager
def sqlite(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection of its own, whose changes outlive no loss of power."""
    with closing(sqlite3.connect(path, timeout=60)) as connection, connection:
        connection.execute("PRAGMA synchronous = OFF")
        yield connection


def from_copy(house: House, furnished: Path) -> PutBack:
    """Puts the tables back that are the SQLite database ``furnished``."""
    place = house.application.stack.settings.stack.data_dir / furnished.name

    def put_back() -> None:
        with sqlite(furnished) as kept, sqlite(place) as present:
            kept.backup(present)

    return put_back


def from_rows(database: DatabaseManager) -> PutBack:
    """Puts the rows back that ``database`` has now, on a server."""
    metadata = MetaData()
    with database.read() as unit:
        metadata.reflect(unit.connection)
        kept: list[tuple[Table, list[dict[str, Any]]]] = [
            (table, [dict(row) for row in unit.execute(select(table)).mappings()]) for table in metadata.sorted_tables
        ]

    def put_back() -> None:
        with database.write() as tx:
            for table, _ in reversed(kept):
                tx.execute(delete(table))
            for table, rows in kept:
                if rows:
                    tx.execute(insert(table), rows)

    return put_back

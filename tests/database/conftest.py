"""One database per technology: the whole contract runs on each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import text

from postrmagic_core.database import DatabaseManager
from postrmagic_core.database.tables import metadata
from tests.databases import database_url, open_database  # noqa: F401 - pytest looks for fixtures here

COUNTER = "CREATE TABLE counter (id INTEGER PRIMARY KEY, n INTEGER NOT NULL)"


@pytest.fixture
def database(open_database: Callable[..., DatabaseManager]) -> DatabaseManager:  # noqa: F811 - the fixture imported
    """An open database with a table `counter` whose row 1 is at 0."""
    manager = open_database()
    with manager.write() as tx:
        tx.execute(text(COUNTER))
        tx.execute(text("INSERT INTO counter VALUES (1, 0)"))
    return manager


@pytest.fixture
def outbox(database: DatabaseManager) -> DatabaseManager:
    """The database with the package's tables, made faster than by the migrations that are tested to equal them."""
    with database.write() as tx:
        metadata.create_all(tx.connection)
    return database


@pytest.fixture
def value(database: DatabaseManager) -> Callable[[], Any]:
    """Reads the counter."""

    def read() -> Any:
        with database.read() as tx:
            return tx.scalar(text("SELECT n FROM counter WHERE id = 1"))

    return read

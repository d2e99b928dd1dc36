"""A database with the package's tables, of each kind, and the key ring."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import MetaData, delete

from postrmagic_core._crypto import KeyRing
from postrmagic_core.database import DatabaseManager
from postrmagic_core.security.tables import metadata
from tests.databases import kept_url  # noqa: F401 - pytest looks for fixtures here
from tests.outages import house, server  # noqa: F401 - pytest looks for fixtures here

KEY = "an-old-master-value-0123456789-abcdefghij"


@pytest.fixture
def ring() -> KeyRing:
    """A key ring of one key."""
    return KeyRing([KEY])


@pytest.fixture(scope="module")
def kept_database(kept_url: str) -> Iterator[DatabaseManager]:  # noqa: F811 - the fixture imported
    """The same, open, with the tables: made faster than by the migrations, which test_tables holds equal."""
    with DatabaseManager(kept_url) as manager:
        with manager.write() as tx:
            metadata.create_all(tx.connection)
        yield manager


@pytest.fixture
def database(kept_database: DatabaseManager) -> Iterator[DatabaseManager]:
    """An open database whose tables are empty."""
    yield kept_database
    empty(kept_database, metadata)


@pytest.fixture
def database_url(kept_url: str, database: DatabaseManager) -> str:  # noqa: F811 - the fixture imported
    """Its URL, for others who open it."""
    return kept_url


def empty(database: DatabaseManager, tables: MetaData) -> None:
    """Delete every row."""
    with database.write() as tx:
        for table in tables.sorted_tables:
            tx.execute(delete(table))

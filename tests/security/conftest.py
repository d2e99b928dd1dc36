"""A database with the package's tables, of each kind, and the key ring."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from postrmagic_core._crypto import KeyRing
from postrmagic_core.database import DatabaseManager
from postrmagic_core.database.tables import metadata as database_tables
from postrmagic_core.security.tables import metadata as security_tables
from tests.databases import database_url, open_database  # noqa: F401 - pytest looks for fixtures here

KEY = "an-old-master-value-0123456789-abcdefghij"


@pytest.fixture
def ring() -> KeyRing:
    """A key ring of one key."""
    return KeyRing([KEY])


@pytest.fixture
def database(open_database: Callable[..., DatabaseManager]) -> DatabaseManager:  # noqa: F811 - the fixture imported
    """With the tables, made faster than by the migrations, which test_tables holds equal."""
    manager = open_database()
    with manager.write() as tx:
        database_tables.create_all(tx.connection)
        security_tables.create_all(tx.connection)
    return manager

"""A database with the package's tables, of each kind, and the key ring."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import MetaData, delete

from postrmagic_core._crypto import KeyRing
from postrmagic_core.database import DatabaseManager
from postrmagic_core.security.tables import metadata

KEY = "an-old-master-value-0123456789-abcdefghij"


@pytest.fixture
def ring() -> KeyRing:
    """A key ring of one key."""
    return KeyRing([KEY])


@pytest.fixture(
    scope="module",
    params=[
        "sqlite",
        pytest.param("mariadb_server", marks=pytest.mark.mysql, id="mariadb"),
        pytest.param("mysql_server", marks=[pytest.mark.mysql, pytest.mark.soak], id="mysql"),
    ],
)
def kept_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a database that the tests of a module share; each leaves it empty."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path_factory.mktemp('database') / 'app.db'}"
        return
    server: Any = request.getfixturevalue(request.param)
    url = server.create_database()
    yield url
    server.drop_database(url)


@pytest.fixture(scope="module")
def kept_database(kept_url: str) -> Iterator[DatabaseManager]:
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
def database_url(kept_url: str, database: DatabaseManager) -> str:
    """Its URL, for others who open it."""
    return kept_url


def empty(database: DatabaseManager, tables: MetaData) -> None:
    """Delete every row."""
    with database.write() as tx:
        for table in tables.sorted_tables:
            tx.execute(delete(table))

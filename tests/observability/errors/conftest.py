"""A database with the tables of errors, of each kind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import delete

from postrmagic_core.database import DatabaseManager
from postrmagic_core.database.tables import once
from postrmagic_core.observability.tables import metadata
from postrmagic_core.testing import FakeClock

TABLES = [once, *metadata.sorted_tables]


def make_tables(database: DatabaseManager) -> None:
    """Make the tables that errors need: faster than by the migrations, which test_tables holds equal."""
    with database.write() as tx:
        for table in TABLES:
            table.create(tx.connection)


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
    """The same, open, with the tables."""
    with DatabaseManager(kept_url) as manager:
        make_tables(manager)
        yield manager


@pytest.fixture
def database(kept_database: DatabaseManager) -> Iterator[DatabaseManager]:
    """An open database whose tables are empty."""
    yield kept_database
    with kept_database.write() as tx:
        for table in TABLES:
            tx.execute(delete(table))


@pytest.fixture
def database_url(kept_url: str, database: DatabaseManager) -> str:
    """Its URL, for others who open it."""
    return kept_url


@pytest.fixture
def clock() -> FakeClock:
    """Time that passes when told."""
    return FakeClock()

"""A database with the tables of errors, of each kind."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from postrmagic_core.database import DatabaseManager
from postrmagic_core.database.tables import once
from postrmagic_core.observability.tables import metadata
from postrmagic_core.testing import FakeClock
from tests.databases import create_tables, emptied, kept_url, with_tables  # noqa: F401 - pytest looks for fixtures here
from tests.outages import house, server  # noqa: F401 - pytest looks for fixtures here

TABLES = [once, *metadata.sorted_tables]


def make_tables(database: DatabaseManager) -> None:
    """Make the tables that errors need."""
    create_tables(database, TABLES)


@pytest.fixture(scope="module")
def kept_database(kept_url: str) -> Iterator[DatabaseManager]:  # noqa: F811 - the fixture imported
    """The same, open, with the tables."""
    with with_tables(kept_url, TABLES) as manager:
        yield manager


@pytest.fixture
def database(kept_database: DatabaseManager) -> Iterator[DatabaseManager]:
    """An open database whose tables are empty."""
    with emptied(kept_database, TABLES) as empty:
        yield empty


@pytest.fixture
def database_url(kept_url: str, database: DatabaseManager) -> str:  # noqa: F811 - the fixture imported
    """Its URL, for others who open it."""
    return kept_url


@pytest.fixture
def clock() -> FakeClock:
    """Time that passes when told."""
    return FakeClock()

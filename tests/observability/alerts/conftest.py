"""A database with the tables that alerts need, of each kind."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from postrmagic_core.database import DatabaseManager
from postrmagic_core.database.tables import outbox, outbox_keys
from postrmagic_core.observability import tables
from postrmagic_core.testing import FakeClock
from tests.databases import emptied, kept_url, with_tables  # noqa: F401 - pytest looks for fixtures here

TABLES = [
    outbox,
    outbox_keys,
    tables.alerts,
    tables.alert_rounds,
    tables.alert_changes,
    tables.alert_silences,
    tables.alert_notices,
]


@pytest.fixture(scope="module")
def kept_database(kept_url: str) -> Iterator[DatabaseManager]:  # noqa: F811 - the fixture imported
    """A database, open, with the tables: faster than by the migrations, which test_tables holds equal."""
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

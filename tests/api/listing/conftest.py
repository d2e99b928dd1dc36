"""The databases of the lists' tests, with their tables."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from postrmagic_core.database import DatabaseManager
from tests.api.listing.shown import metadata
from tests.databases import database_url, open_database  # noqa: F401 - pytest looks for fixtures here


@pytest.fixture
def database(open_database: Callable[..., DatabaseManager]) -> DatabaseManager:  # noqa: F811 - the fixture above
    """An open database of each technology, with the tables of the tests and no rows."""
    found = open_database()
    with found.write() as tx:
        metadata.create_all(tx.connection)
    return found

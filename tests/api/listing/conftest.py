"""The databases of the lists' tests, with their tables."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import delete

from postrmagic_core.database import DatabaseManager
from tests.api.listing.shown import metadata
from tests.databases import KINDS, empty_database


@pytest.fixture(scope="module", params=KINDS)
def shared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DatabaseManager]:
    """An open database of each technology, with the tables of the tests, for all tests of a module."""
    with (
        empty_database(request.param, request, tmp_path_factory.mktemp("listing")) as url,
        DatabaseManager(url) as found,
    ):
        with found.write() as tx:
            metadata.create_all(tx.connection)
        yield found


@pytest.fixture
def database(shared: DatabaseManager) -> DatabaseManager:
    """That database without a row."""
    with shared.write() as tx:
        for table in metadata.sorted_tables:
            tx.execute(delete(table))
    return shared

"""A database with the tables of experience, of each kind."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import delete

from postrmagic_core._crypto import KeyRing
from postrmagic_core._metrics import Metrics
from postrmagic_core.database import DatabaseManager
from postrmagic_core.observability.experience import Experience
from postrmagic_core.observability.tables import feature_uses, survey_answers
from postrmagic_core.testing import FakeClock
from tests.databases import kept_url  # noqa: F401 - pytest looks for fixtures here

TABLES = [feature_uses, survey_answers]
KEYS = KeyRing(["a7Rk2mQ9xW4vT1pL8sD3fG6hJ0zXcVbN"])


@pytest.fixture(scope="module")
def kept_database(kept_url: str) -> Iterator[DatabaseManager]:  # noqa: F811 - the fixture imported
    """A database that the tests of a module share."""
    with DatabaseManager(kept_url) as manager:
        with manager.write() as tx:
            for table in TABLES:
                table.create(tx.connection)
        yield manager


@pytest.fixture
def database(kept_database: DatabaseManager) -> Iterator[DatabaseManager]:
    """An open database whose tables are empty."""
    yield kept_database
    with kept_database.write() as tx:
        for table in TABLES:
            tx.execute(delete(table))


@pytest.fixture
def clock() -> FakeClock:
    """Time that passes when told."""
    return FakeClock()


@pytest.fixture
def metrics() -> Metrics:
    """Where it is counted."""
    return Metrics()


@pytest.fixture
def experience(database: DatabaseManager, clock: FakeClock, metrics: Metrics) -> Iterator[Experience]:
    """An open one; what it noted is written when a test flushes it."""
    with Experience(database, KEYS, clock=clock, metrics=metrics) as opened:
        opened._uses._errand.is_open = False
        yield opened

"""A database with the tables of experience, of each kind."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from postrmagic_core._crypto import KeyRing
from postrmagic_core._metrics import Metrics
from postrmagic_core.database import DatabaseManager
from postrmagic_core.observability.experience import Experience
from postrmagic_core.observability.tables import feature_uses, survey_answers
from postrmagic_core.testing import FakeClock
from tests.databases import emptied, kept_url, with_tables  # noqa: F401 - pytest looks for fixtures here

TABLES = [feature_uses, survey_answers]
KEYS = KeyRing(["a7Rk2mQ9xW4vT1pL8sD3fG6hJ0zXcVbN"])


@pytest.fixture(scope="module")
def kept_database(kept_url: str) -> Iterator[DatabaseManager]:  # noqa: F811 - the fixture imported
    """A database that the tests of a module share."""
    with with_tables(kept_url, TABLES) as manager:
        yield manager


@pytest.fixture
def database(kept_database: DatabaseManager) -> Iterator[DatabaseManager]:
    """An open database whose tables are empty."""
    with emptied(kept_database, TABLES) as empty:
        yield empty


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

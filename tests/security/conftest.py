"""A database with the package's tables, of each kind, and the key ring."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from postrmagic_core._crypto import KeyRing
from postrmagic_core.database import DatabaseManager
from postrmagic_core.database.tables import metadata as database_tables
from postrmagic_core.security.tables import metadata as security_tables

KEY = "an-old-master-value-0123456789-abcdefghij"
SERVERS = {"mariadb": "mysql_url", "mysql": "mysqld_url"}


@pytest.fixture
def ring() -> KeyRing:
    """A key ring of one key."""
    return KeyRing([KEY])


@pytest.fixture(
    params=[
        "sqlite",
        pytest.param("mariadb", marks=pytest.mark.mysql),
        pytest.param("mysql", marks=[pytest.mark.mysql, pytest.mark.soak]),
    ]
)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of an empty database of this test's own."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'app.db'}"
    url: str = request.getfixturevalue(SERVERS[request.param])
    return url


@pytest.fixture
def open_database(database_url: str) -> Iterator[Callable[..., DatabaseManager]]:
    """A factory of open managers over the same database, closed after the test."""
    with ExitStack() as opened:
        yield lambda **options: opened.enter_context(DatabaseManager(database_url, **options))


@pytest.fixture
def database(open_database: Callable[..., DatabaseManager]) -> DatabaseManager:
    """With the tables, made faster than by the migrations, which test_tables holds equal."""
    manager = open_database()
    with manager.write() as tx:
        database_tables.create_all(tx.connection)
        security_tables.create_all(tx.connection)
    return manager

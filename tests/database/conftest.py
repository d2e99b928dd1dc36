"""One database per technology: the whole contract runs on each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from postrmagic_core.database import DatabaseManager
from postrmagic_core.database.tables import metadata

COUNTER = "CREATE TABLE counter (id INTEGER PRIMARY KEY, n INTEGER NOT NULL)"


SERVERS = {"mariadb": "mysql_url", "mysql": "mysqld_url"}


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
    """An open database with a table `counter` whose row 1 is at 0."""
    manager = open_database()
    with manager.write() as tx:
        tx.execute(text(COUNTER))
        tx.execute(text("INSERT INTO counter VALUES (1, 0)"))
    return manager


@pytest.fixture
def outbox(database: DatabaseManager) -> DatabaseManager:
    """The database with the package's tables, made faster than by the migrations that are tested to equal them."""
    with database.write() as tx:
        metadata.create_all(tx.connection)
    return database


@pytest.fixture
def value(database: DatabaseManager) -> Callable[[], Any]:
    """Reads the counter."""

    def read() -> Any:
        with database.read() as tx:
            return tx.scalar(text("SELECT n FROM counter WHERE id = 1"))

    return read

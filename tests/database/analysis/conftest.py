"""Managers whose query log is on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Column, Integer, MetaData, String, Table

from postrmagic_core.database import DatabaseManager, QueryLogOptions

NUMBERS = Table(
    "numbers",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("n", Integer, nullable=False),
    Column("name", String(40)),
)


@pytest.fixture(params=["sqlite", pytest.param("mariadb", marks=pytest.mark.mysql)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of an empty database of this test's own, of a kind whose plans are analysed."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'app.db'}"
    found: str = request.getfixturevalue("mariadb_url")
    return found


@pytest.fixture
def logged(open_database: Callable[..., DatabaseManager]) -> Callable[..., DatabaseManager]:
    """Opens a manager with these options of its log, and a table `numbers` with ten rows; the log is empty."""

    def open_logged(**options: Any) -> DatabaseManager:
        manager = open_database(queries=QueryLogOptions(**options))
        with manager.write() as tx:
            NUMBERS.create(tx.connection)
            rows = [{"id": number, "n": number % 3, "name": f"row {number}"} for number in range(1, 10)]
            tx.execute(NUMBERS.insert(), [*rows, {"id": 10, "n": 0, "name": "row 0"}])
            tx.execute(NUMBERS.update().where(NUMBERS.c.id == 10).values(id=0))  # MySQL would count 0 up to 1
        assert manager.queries is not None
        manager.queries.reset()
        return manager

    return open_logged

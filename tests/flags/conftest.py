"""A database with the tables of flags and of the audit log, of each kind, and flags over it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from postrmagic_core.database import DatabaseManager
from postrmagic_core.flags import Flags
from postrmagic_core.flags.tables import flags as table
from postrmagic_core.security.access import AuditLog
from postrmagic_core.security.tables import audit as audit_table
from postrmagic_core.testing.servers import MariaDBServer
from tests.databases import emptied, kept_url, with_tables  # noqa: F401 - pytest looks for fixtures here
from tests.outages import House, server  # noqa: F401 - pytest looks for fixtures here

TABLES = [table, audit_table]
RULES: dict[str, dict[str, Any]] = {"gallery": {"percent": 100}, "search": {"percent": 0, "roles": ["staff"]}}
Opener: TypeAlias = Callable[..., Flags]


@pytest.fixture(params=["sqlite", pytest.param("mariadb", marks=pytest.mark.mysql)])
def house(request: pytest.FixtureRequest, tmp_path: Path) -> House:
    """A database's URL, and what takes it away and brings it back, each at a stroke: somebody reads all the while."""
    if request.param == "mariadb":
        own: MariaDBServer = request.getfixturevalue("server")
        return own.create_database(), own.kill, own.start
    file = tmp_path / "app.db"
    return f"sqlite:///{file}", lambda: _rename(file, "pm_flags", "gone"), lambda: _rename(file, "gone", "pm_flags")


def _rename(file: Path, table: str, name: str) -> None:
    """Of SQLite the table: where the file goes while somebody opens it, SQLite makes an empty one in its place."""
    with closing(sqlite3.connect(file)) as connection:
        connection.execute(f"ALTER TABLE {table} RENAME TO {name}")


@pytest.fixture(scope="module")
def kept_database(kept_url: str) -> Iterator[DatabaseManager]:  # noqa: F811 - the fixture imported
    """One for all tests of a module."""
    with with_tables(kept_url, TABLES) as manager:
        yield manager


@pytest.fixture
def database(kept_database: DatabaseManager) -> Iterator[DatabaseManager]:
    """An open database whose tables are empty."""
    with emptied(kept_database, TABLES) as empty:
        yield empty


@pytest.fixture
def audit(database: DatabaseManager) -> Iterator[AuditLog]:
    """The audit log."""
    with AuditLog(database) as opened:
        yield opened


@pytest.fixture
def open_flags(database: DatabaseManager, audit: AuditLog) -> Iterator[Opener]:
    """A factory of managers over the same database, each as in a process of its own; quick to see changes."""
    with ExitStack() as opened:
        options: dict[str, Any] = {"audit": audit, "rules": RULES, "max_age": 0.05}
        yield lambda **given: opened.enter_context(Flags(database, **(options | given)))


@pytest.fixture
def flags(open_flags: Opener) -> Flags:
    """One that learns nothing by itself while a test runs: what it knows it was told."""
    return open_flags(max_age=3600.0)

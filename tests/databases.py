"""The databases that tests run on, of each technology, and what they say of their tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import MetaData, Table, delete, inspect

from postrmagic_core.database import DatabaseManager

SERVERS = {"mariadb": "mariadb_url", "mysql": "mysql_url"}
KINDS = [
    "sqlite",
    pytest.param("mariadb", marks=pytest.mark.mysql),
    pytest.param("mysql", marks=[pytest.mark.mysql, pytest.mark.soak]),
]
_OF_RUN = {"mariadb": "mariadb_server", "mysql": "mysql_server"}
_COLUMN = ("name", "type", "nullable", "default", "autoincrement")


@contextmanager
def empty_database(kind: str, request: pytest.FixtureRequest, directory: Path) -> Iterator[str]:
    """The URL of an empty database, for as long as a fixture of any scope needs it; SQLite's is in ``directory``."""
    if kind == "sqlite":
        yield f"sqlite:///{directory / 'app.db'}"
        return
    server = request.getfixturevalue(_OF_RUN[kind])
    url: str = server.create_database()
    yield url
    server.drop_database(url)


@pytest.fixture(scope="module", params=KINDS)
def kept_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a database that the tests of a module share; each leaves it empty."""
    with empty_database(request.param, request, tmp_path_factory.mktemp("database")) as url:
        yield url


def create_tables(database: DatabaseManager, tables: Sequence[Table]) -> None:
    """Make these tables: faster than by the migrations, which tests hold equal."""
    with database.write() as tx:
        for table in tables:
            table.create(tx.connection)


@contextmanager
def with_tables(url: str, tables: Sequence[Table]) -> Iterator[DatabaseManager]:
    """A database, open, in which these tables are made."""
    with DatabaseManager(url) as manager:
        create_tables(manager, tables)
        yield manager


@contextmanager
def emptied(database: DatabaseManager, tables: Sequence[Table]) -> Iterator[DatabaseManager]:
    """The same for one test, which leaves the tables empty."""
    yield database
    with database.write() as tx:
        for table in tables:
            tx.execute(delete(table))


@pytest.fixture(params=KINDS)
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


def schema(database: DatabaseManager, metadata: MetaData) -> dict[str, Any]:
    """What the database says of the tables that ``metadata`` declares."""
    with database.read() as tx:
        found = inspect(tx.connection)
        return {
            table: (
                [tuple(str(column.get(part)) for part in _COLUMN) for column in found.get_columns(table)],
                found.get_pk_constraint(table)["constrained_columns"],
                sorted((str(index["name"]), *index["column_names"]) for index in found.get_indexes(table)),
                sorted((str(key["name"]), *key["column_names"]) for key in found.get_unique_constraints(table)),
            )
            for table in metadata.tables
        }


def made_by_migrations(database: DatabaseManager, metadata: MetaData) -> tuple[dict[str, Any], dict[str, Any]]:
    """The tables as the migrations make them, and as their declarations do: types, keys and indexes."""
    database.upgrade()
    migrated = schema(database, metadata)
    with database.write() as tx:
        metadata.drop_all(tx.connection)
        metadata.create_all(tx.connection)
    return migrated, schema(database, metadata)

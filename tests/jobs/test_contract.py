"""The brokers over rows keep the published contract: SQLite, MariaDB, a database of their own, MySQL."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest
from sqlalchemy import MetaData, Table, delete

from postrmagic_core.database import DatabaseManager
from postrmagic_core.jobs.adapters.sql import SqlBroker
from postrmagic_core.jobs.interface import SupportsUnits
from postrmagic_core.testing.contracts.broker import BrokerContract
from tests.jobs.conftest import PACKAGE_TABLES, migrate


class OverRows(BrokerContract):
    """The contract of a broker that is the application's database, unless a class says otherwise."""

    broker_class: ClassVar[type[Any]] = SqlBroker
    not_applicable: ClassVar[Mapping[str, str]] = {"namespaces": "a database holds one application's jobs"}

    @pytest.fixture
    def broker_url(self, database_url: str) -> str:
        """The database itself."""
        return database_url


class TestSqlite(OverRows):
    """In the application's own file."""


@pytest.mark.soak
class TestOwnDatabase(OverRows):
    """In a file beside the application's."""

    @pytest.fixture
    def broker_url(self, migrated_sqlite: Path, tmp_path: Path) -> str:
        """A copy of its own."""
        return f"sqlite:///{shutil.copy(migrated_sqlite, tmp_path / 'jobs.db')}"

    @pytest.fixture
    def units(self) -> SupportsUnits:
        """Not the application's."""
        pytest.skip("its rows are in another database than the application's units")


@pytest.mark.mysql
class TestMariaDB(OverRows):
    """In the application's database on a server."""

    @pytest.fixture
    def database_url(self, migrated_mariadb: str) -> str:
        """The run's database, emptied."""
        empty(migrated_mariadb)
        return migrated_mariadb


@pytest.mark.mysql
@pytest.mark.soak
class TestMysql(OverRows):
    """On MySQL itself."""

    @pytest.fixture
    def database_url(self, mysql_url: str) -> str:
        """The test's own database."""
        migrate(mysql_url)
        return mysql_url


def empty(url: str) -> None:
    """Delete every row that a test may have left."""
    with DatabaseManager(url) as database, database.write() as tx:
        for name in PACKAGE_TABLES:
            tx.execute(delete(Table(name, MetaData())))

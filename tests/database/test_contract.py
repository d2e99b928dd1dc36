"""Every shipped database adapter keeps the published contract."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import pytest

from postrmagic_core.testing.contracts.database import DatabaseContract


class TestSqlite(DatabaseContract):
    """In a file."""

    not_applicable: ClassVar[Mapping[str, str]] = {
        "decimals": "SQLite knows integers, floats, text and bytes: keep money in integers",
        "declared sizes": "SQLite keeps what it is given, whatever the column says: use CHECK",
    }

    @pytest.fixture
    def database_url(self, tmp_path: Path) -> str:
        """The test's own file."""
        return f"sqlite:///{tmp_path / 'app.db'}"


@pytest.mark.mysql
class TestMariaDB(DatabaseContract):
    """On a real server."""

    @pytest.fixture
    def database_url(self, mariadb_url: str) -> str:
        """The test's own database."""
        return mariadb_url


@pytest.mark.mysql
@pytest.mark.soak
class TestMySQL(DatabaseContract):
    """On a MySQL server that is none of MariaDB's."""

    @pytest.fixture
    def database_url(self, mysql_url: str) -> str:
        """The test's own database."""
        return mysql_url

"""The reliability promises against real servers that are refused, black-holed, stopped and killed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import pytest

from postrmagic_core.testing.contracts.database_reliability import DatabaseReliabilityContract
from postrmagic_core.testing.contracts.rig import Budget
from postrmagic_core.testing.servers import MariaDBServer, MySQLServer, require

pytestmark = [pytest.mark.mysql, pytest.mark.fault]


class TestDatabase(DatabaseReliabilityContract):
    """MariaDB."""

    @pytest.fixture(scope="class")
    @classmethod
    def server(cls) -> Iterator[MariaDBServer]:
        """Shared by this class's tests: each has a database of its own."""
        require(MariaDBServer.binary(), "faults need a private server: mariadbd is not installed")
        with MariaDBServer() as server:
            yield server


@pytest.mark.soak
class TestMySQL(DatabaseReliabilityContract):
    """MySQL itself, which takes its time to come back."""

    budget: ClassVar[Budget] = Budget(call=0.6, heal=2.0, slack=2.0)

    @pytest.fixture(scope="class")
    @classmethod
    def server(cls) -> Iterator[MySQLServer]:
        """Shared by this class's tests: each has a database of its own."""
        require(MySQLServer.binary(), "faults need a private server: there is no mysqld of MySQL")
        with MySQLServer() as server:
            yield server

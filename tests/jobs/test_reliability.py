"""What the broker over rows promises when its database is refused, silent, stopped or killed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, ClassVar

import pytest

from postrmagic_core.database import DatabaseManager, PoolLimits, Timeouts
from postrmagic_core.database.tables import metadata as outbox_tables
from postrmagic_core.jobs.adapters.sql import SqlBroker
from postrmagic_core.jobs.tables import metadata as jobs_tables
from postrmagic_core.testing.contracts.broker_reliability import BrokerReliabilityContract
from postrmagic_core.testing.servers import MariaDBServer, require

pytestmark = [pytest.mark.mysql, pytest.mark.fault]


class TestMariaDB(BrokerReliabilityContract):
    """MariaDB."""

    broker_class: ClassVar[type[Any]] = SqlBroker
    effect_bytes: ClassVar[bytes] = b"COMMIT"

    @pytest.fixture(scope="class")
    @classmethod
    def server(cls) -> Iterator[MariaDBServer]:
        """Shared by this class's tests: each has a database of its own."""
        require(MariaDBServer.binary(), "faults need a private server: mariadbd is not installed")
        with MariaDBServer() as server:
            yield server

    def units(self, url: str, opened: ExitStack) -> DatabaseManager:
        """Two connections that wait a third of a second at most for anything."""
        timeouts = Timeouts(connect=0.3, statement=0.3, lock=0.3)
        return opened.enter_context(
            DatabaseManager(url, pool=PoolLimits(size=2, overflow=0, timeout=0.3), timeouts=timeouts)
        )

    def prepare(self, url: str) -> None:
        """Make the tables, faster than by migrating."""
        with DatabaseManager(url) as database, database.write() as tx:
            outbox_tables.create_all(tx.connection)
            jobs_tables.create_all(tx.connection)
        super().prepare(url)

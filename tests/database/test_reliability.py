"""The reliability promises against a real server that is refused, black-holed, stopped and killed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import ClassVar

import pytest
from sqlalchemy import text

from postrmagic_core.database import DatabaseManager, PoolLimits, Timeouts
from postrmagic_core.errors import BackendError
from postrmagic_core.testing.contracts.reliability import ReliabilityContract
from postrmagic_core.testing.contracts.rig import Budget
from postrmagic_core.testing.servers import MariaDBServer, require

pytestmark = [pytest.mark.mysql, pytest.mark.fault]


@pytest.fixture(scope="module")
def own_server() -> Iterator[MariaDBServer]:
    """A server that these tests may break."""
    require(MariaDBServer.binary(), "faults need a private server: mariadbd is not installed")
    with MariaDBServer() as server:
        yield server


class TestDatabase(ReliabilityContract[DatabaseManager]):
    """A unit that inserts one row is the effect; its COMMIT is where it may be cut."""

    effect_bytes = b"COMMIT"
    budget: ClassVar[Budget] = Budget(call=0.6, heal=1.0, slack=1.0)

    @pytest.fixture
    def server(self, own_server: MariaDBServer) -> MariaDBServer:
        """Shared by this module's tests: each has a database of its own."""
        return own_server

    def prepare(self, url: str) -> None:
        """The table of effects."""
        with DatabaseManager(url) as database, database.write() as tx:
            tx.execute(text("CREATE TABLE effects (token VARCHAR(40) NOT NULL) ENGINE=InnoDB"))

    def make(self, url: str) -> DatabaseManager:
        """Short time-outs."""
        timeouts = Timeouts(connect=0.3, statement=0.3, lock=0.3)
        return DatabaseManager(url, pool=PoolLimits(size=2, overflow=0, timeout=0.3), timeouts=timeouts).open()

    def close(self, subject: DatabaseManager) -> None:
        """And its pool."""
        subject.close()

    def operation(self, subject: DatabaseManager) -> object:
        """One read."""
        with subject.read() as tx:
            return tx.scalar(text("SELECT 1"))

    def effect(self, subject: DatabaseManager, token: str) -> object:
        """One committed row."""
        with subject.write() as tx:
            return tx.execute(text("INSERT INTO effects VALUES (:token)"), {"token": token})

    def effects(self, subject: DatabaseManager) -> Counter[str]:
        """All rows."""
        with subject.read() as tx:
            return Counter(tx.scalars(text("SELECT token FROM effects")))

    def tagged(self, subject: DatabaseManager, tag: str) -> str:
        """An answer that tells which question it belongs to."""
        with subject.read() as tx:
            return str(tx.scalar(text("SELECT :tag"), {"tag": tag}))

    async def tagged_async(self, subject: DatabaseManager, tag: str) -> str:
        """The same on a lane."""
        async with subject.aio.read() as tx:
            return str(await tx.scalar(text("SELECT :tag"), {"tag": tag}))

    def decide(self, subject: DatabaseManager) -> bool:
        """Whether no such token was used yet."""
        try:
            with subject.read() as tx:
                return bool(tx.scalar(text("SELECT COUNT(*) FROM effects")) == 0)
        except BackendError:
            return False

"""The reliability promises of a database on a server."""

from __future__ import annotations

from collections import Counter
from typing import ClassVar

from sqlalchemy import Column, MetaData, String, Table, func, insert, literal, select

from postrmagic_core._sql.types import TABLE_OPTIONS
from postrmagic_core.database import DatabaseManager, PoolLimits, Timeouts
from postrmagic_core.errors import BackendError
from postrmagic_core.registry import Registry
from postrmagic_core.testing.contracts.reliability import ReliabilityContract
from postrmagic_core.testing.contracts.rig import Budget

_metadata = MetaData()
_effects = Table("effects", _metadata, Column("token", String(40), nullable=False), **TABLE_OPTIONS)


class DatabaseReliabilityContract(ReliabilityContract[DatabaseManager]):
    """The reliability promises for a database on a server: a subclass supplies ``server``.

    A unit that inserts one row is the effect; its COMMIT is where it may be cut. ``registry`` is needed where the
    adapter is not installed as an entry point.
    """

    effect_bytes: ClassVar[bytes] = b"COMMIT"
    budget: ClassVar[Budget] = Budget(call=0.6, heal=1.0, slack=1.0)
    registry: ClassVar[Registry | None] = None

    def open(self, url: str, *, seconds: float) -> DatabaseManager:
        """A manager of two connections that waits ``seconds`` at most for anything."""
        timeouts = Timeouts(connect=seconds, statement=seconds, lock=seconds)
        pool = PoolLimits(size=2, overflow=0, timeout=seconds)
        return DatabaseManager(url, pool=pool, timeouts=timeouts, registry=self.registry).open()

    def prepare(self, url: str) -> None:
        """Make the table of effects."""
        with self.open(url, seconds=30.0) as database, database.write() as tx:
            _metadata.create_all(tx.connection)

    def make(self, url: str) -> DatabaseManager:
        """Open one with short time-outs."""
        return self.open(url, seconds=0.3)

    def close(self, subject: DatabaseManager) -> None:
        """Close it, and its pool."""
        subject.close()

    def operation(self, subject: DatabaseManager) -> object:
        """Read something."""
        with subject.read() as tx:
            return tx.scalar(select(literal(1)))

    def effect(self, subject: DatabaseManager, token: str) -> object:
        """Commit one row."""
        with subject.write() as tx:
            return tx.execute(insert(_effects).values(token=token))

    def effects(self, subject: DatabaseManager) -> Counter[str]:
        """Read all rows."""
        with subject.read() as tx:
            return Counter(tx.scalars(select(_effects.c.token)))

    def tagged(self, subject: DatabaseManager, tag: str) -> str:
        """Ask for an answer that tells which question it belongs to."""
        with subject.read() as tx:
            return str(tx.scalar(select(literal(tag))))

    async def tagged_async(self, subject: DatabaseManager, tag: str) -> str:
        """The same on a lane."""
        async with subject.aio.read() as tx:
            return str(await tx.scalar(select(literal(tag))))

    def decide(self, subject: DatabaseManager) -> bool:
        """Whether a token was not used yet: closed when it cannot be asked."""
        try:
            with subject.read() as tx:
                return bool(tx.scalar(select(func.count()).select_from(_effects)) == 0)
        except BackendError:
            return False

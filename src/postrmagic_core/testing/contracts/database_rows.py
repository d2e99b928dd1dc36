"""The database contract's tables and statements, and the three ways in which it runs a unit."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Numeric,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    Update,
    select,
    update,
)
from sqlalchemy.dialects.mysql import DATETIME
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from postrmagic_core._sql.types import TABLE_OPTIONS, Blob, Key
from postrmagic_core.database import DatabaseManager, Unit

Opener: TypeAlias = Callable[..., DatabaseManager]
Value: TypeAlias = Callable[[], Any]
Write: TypeAlias = Callable[[Callable[[Unit], Any]], Any]

metadata = MetaData()
counter = Table(
    "counter",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("n", Integer, nullable=False),
    **TABLE_OPTIONS,
)
people = Table(
    "people",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("name", String(40), nullable=False),
    Column("city", String(40), nullable=False, server_default="Rome"),
    Column("email", String(80)),
    Column("age", SmallInteger),
    Column("boss", ForeignKey("people.id")),
    CheckConstraint("age >= 0", name="ck_age"),
    UniqueConstraint("name", "city", name="uq_name_city"),
    Index("ix_email", "email", unique=True),
    **TABLE_OPTIONS,
)
samples = Table(
    "samples",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("raw", Blob()),
    Column("body", Text),
    Column("at", DateTime().with_variant(DATETIME(fsp=6), "mysql", "mariadb")),
    Column("price", Numeric(30, 10)),
    Column("big", BigInteger),
    Column("ratio", Double),
    Column("flag", Boolean),
    Column("name", Key(64), unique=True),
    **TABLE_OPTIONS,
)

GET = select(counter.c.n).where(counter.c.id == 1)
ADD = update(counter).where(counter.c.id == 1).values(n=counter.c.n + 1)


class MappedClass(DeclarativeBase):
    """Of the mapped classes here."""

    metadata = metadata


class Note(MappedClass):
    """A row for the ORM."""

    __tablename__ = "note"
    __table_args__ = TABLE_OPTIONS
    id: Mapped[int] = mapped_column(primary_key=True)
    body: Mapped[str] = mapped_column(String(40), unique=True)


def set_to(n: int, row: int = 1) -> Update:
    """The statement that sets a counter."""
    return update(counter).where(counter.c.id == row).values(n=n)


# Long enough for another thread to come in between, if anything lets it.
_THOUGHT = 0.0005


def increment(tx: Unit) -> int:
    """Read, think, write: the way updates get lost."""
    n: int = tx.scalar(GET) + 1
    time.sleep(_THOUGHT)
    tx.execute(set_to(n))
    return n


def read_once(database: DatabaseManager) -> int:
    """The counter, in a reading unit."""
    with database.read() as tx:
        n: int = tx.scalar(GET)
        return n


def write_once(database: DatabaseManager) -> int:
    """Increment, in a write unit."""
    with database.write() as tx:
        return increment(tx)


def fail(*_: object) -> None:
    """A part with a fault."""
    raise ZeroDivisionError


def together(works: Iterable[Callable[[], object]]) -> list[BaseException]:
    """Run each in a thread of its own, to the end; returns what they raised."""
    raised: list[BaseException] = []

    def run(work: Callable[[], object]) -> None:
        try:
            work()
        except Exception as error:
            raised.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return raised


def in_block(database: DatabaseManager, work: Callable[[Unit], Any]) -> Any:
    """``with db.write() as tx``."""
    with database.write() as tx:
        return work(tx)


def in_async_block(database: DatabaseManager, work: Callable[[Unit], Any]) -> Any:
    """``async with db.aio.write() as tx``."""

    async def main() -> Any:
        async with database.aio.write() as tx:
            return await tx.run(work)

    return asyncio.run(main())


def in_one_hop(database: DatabaseManager, work: Callable[[Unit], Any]) -> Any:
    """``await db.aio.transact(work)``."""
    return asyncio.run(database.aio.transact(work))


FACES: dict[str, Callable[[DatabaseManager, Callable[[Unit], Any]], Any]] = {
    "sync": in_block,
    "aio": in_async_block,
    "transact": in_one_hop,
}

"""What many pages take for granted: an application's Stack, and its table."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Column, DateTime, Integer, MetaData, String, Table
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from postrmagic_core.database import DatabaseManager
from postrmagic_core.settings import Settings
from postrmagic_core.stack import Stack
from postrmagic_core.testing.capture import embedded_settings

metadata = MetaData()
media = Table(
    "media",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(200)),
    Column("title", String(200)),
    Column("thumbnail", String(200)),
    Column("user_id", Integer),
    Column("views", Integer, default=0),
)
posters = Table("posters", metadata, Column("id", Integer, primary_key=True), Column("name", String(200)))
uploads = Table("uploads", metadata, Column("id", Integer, primary_key=True), Column("created", DateTime))
orders = Table(
    "orders",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("charged", Integer),
    Column("payment", String(200)),
)
stats = Table("stats", metadata, Column("uploads", Integer))


class Base(DeclarativeBase):
    """Of the ORM's classes."""

    metadata = metadata


class Tag(Base):
    """A word on a poster."""

    __tablename__ = "tags"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(64), unique=True)


tags = Base.metadata.tables["tags"]


def settings(**rooms: dict[str, Any]) -> Settings:
    """Everything in SQLite files of the folder ``var``, which has been open once."""
    return embedded_settings(Path("var").absolute()).replace(**rooms)


def make_tables(database: DatabaseManager) -> None:
    """The application's, in a database whose own tables are there."""
    with database.write() as tx:
        metadata.create_all(tx.connection)


@contextmanager
def opened(**rooms: dict[str, Any]) -> Iterator[Stack]:
    """An open Stack with those tables; it logs nowhere."""
    with Stack(settings(**rooms), configure_logging=False) as stack:
        make_tables(stack.database)
        yield stack

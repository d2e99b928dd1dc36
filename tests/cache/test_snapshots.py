"""Snapshots and the cache: what a snapshot shows is stored only under generations captured before it began."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, insert, select, update

from postrmagic_core.cache import CacheManager
from postrmagic_core.database import DatabaseManager
from postrmagic_core.database.tables import metadata as own_tables
from postrmagic_core.errors import UsageError
from tests.backends import Flaky

numbers = Table("numbers", MetaData(), Column("n", Integer))
ONE = select(numbers.c.n)


@pytest.fixture
def db(tmp_path: Path) -> Iterator[DatabaseManager]:
    """A database with one number, 1."""
    with DatabaseManager(f"sqlite:///{tmp_path / 'app.db'}") as opened:
        with opened.write() as tx:
            own_tables.create_all(tx.connection)
            numbers.create(tx.connection)
            tx.execute(insert(numbers).values(n=1))
        yield opened


@pytest.fixture
def cache(db: DatabaseManager) -> Iterator[CacheManager]:
    """A cache that the database asks for tags."""
    with CacheManager(Flaky(), database=db) as opened:
        db.use_tags(opened)
        yield opened


def change(db: DatabaseManager, cache: CacheManager) -> None:
    """A unit that commits 2."""
    with db.write() as tx:
        tx.execute(update(numbers).values(n=2))
        cache.invalidate("number", tx=tx)


def now(db: DatabaseManager, cache: CacheManager) -> int:
    """What a caller gets who begins now."""

    def load() -> int:
        with db.read() as tx:
            return int(tx.scalar(ONE))

    return cache.get_or_set("number", load, fresh=60, tags=["number"])


def test_an_old_snapshot_fills_nothing(db: DatabaseManager, cache: CacheManager) -> None:
    """A commit since it began has ended the generation that it stores under."""
    with db.read(tags=["number"]) as tx:
        change(db, cache)
        assert cache.get_or_set("number", lambda: tx.scalar(ONE), fresh=60, tags=tx.tags) == 1
    assert now(db, cache) == 2


def test_a_snapshot_that_is_not_overtaken_fills_the_cache(db: DatabaseManager, cache: CacheManager) -> None:
    """And the async face likewise."""

    async def main() -> None:
        async with db.aio.read(tags=["number"]) as tx:
            value = await cache.aio.get_or_set("aio", lambda: tx.scalar(ONE), fresh=60, tags=tx.tags)
            assert value == 1

    with db.read(tags=["number"]) as tx:
        assert cache.get_or_set("number", lambda: tx.scalar(ONE), fresh=60, tags=tx.tags) == 1
    asyncio.run(main())
    assert (cache.get("number"), cache.get("aio")) == (1, 1)
    change(db, cache)
    assert (cache.get("number"), cache.get("aio")) == (None, None)


def test_without_the_store_the_snapshot_reads_and_what_it_stores_is_never_served(
    db: DatabaseManager, cache: CacheManager
) -> None:
    """The database goes on without the cache."""
    assert isinstance(cache.store, Flaky)
    cache.store.away = True
    with db.read(tags=["number"]) as tx:
        cache.store.away = False
        assert set(tx.tags) == {"number"}
        assert cache.get_or_set("number", lambda: tx.scalar(ONE), fresh=60, tags=tx.tags) == 1
    assert cache.get("number") is None


def test_inside_a_write_unit_it_is_that_unit(db: DatabaseManager, cache: CacheManager) -> None:
    """Which reads and stores nothing in the cache anyway."""
    with db.write() as tx:
        tx.execute(update(numbers).values(n=3))
        with db.read(tags=["number"]) as inner:
            assert inner is tx
            assert cache.get_or_set("number", lambda: inner.scalar(ONE), fresh=60, tags=inner.tags) == 3
    assert cache.get("number") is None


def test_a_database_without_a_cache_says_so(db: DatabaseManager) -> None:
    """Before anything is begun."""
    with pytest.raises(UsageError, match="use_tags"), db.read(tags=["number"]):
        pass

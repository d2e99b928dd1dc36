"""The cache beside a real database: commit and invalidation are one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, insert, select, update

from postrmagic_core.cache import CacheManager
from postrmagic_core.database import DatabaseManager
from tests.backends import Flaky

numbers = Table("numbers", MetaData(), Column("value", Integer))


@pytest.fixture
def database(tmp_path: Path) -> Iterator[DatabaseManager]:
    """A database with one number, 1."""
    with DatabaseManager(f"sqlite:///{tmp_path / 'app.db'}") as opened:
        opened.upgrade()
        with opened.write() as tx:
            numbers.create(tx.session.connection())
            tx.execute(insert(numbers).values(value=1))
        yield opened


@pytest.fixture
def cache(database: DatabaseManager) -> Iterator[CacheManager]:
    """A cache that knows the database."""
    with CacheManager(Flaky(), database=database) as opened:
        yield opened


def number(database: DatabaseManager) -> int:
    """What the database says now."""
    with database.read() as tx:
        return int(tx.scalar(select(numbers.c.value)))


def cached(cache: CacheManager, database: DatabaseManager) -> int:
    """What the cache says."""
    return cache.get_or_set("number", lambda: number(database), fresh=60, tags=["number"])


def test_a_commit_invalidates_and_a_rollback_does_not(cache: CacheManager, database: DatabaseManager) -> None:
    """The cached value is the committed one, before, during and after."""
    assert cached(cache, database) == 1

    def change_and_fail() -> None:
        with database.write() as tx:
            tx.execute(update(numbers).values(value=2))
            cache.invalidate("number", tx=tx)
            assert cached(cache, database) == 2
            raise LookupError

    with pytest.raises(LookupError):
        change_and_fail()
    assert (cached(cache, database), cache.get("number")) == (1, 1)
    with database.write() as tx:
        tx.execute(update(numbers).values(value=3))
        cache.invalidate("number", tx=tx)
    assert cache.get("number") is None
    assert cached(cache, database) == 3


def test_the_outbox_makes_up_for_an_invalidation_that_failed(cache: CacheManager, database: DatabaseManager) -> None:
    """The store was away when the unit committed: the relay brings it."""
    assert cached(cache, database) == 1
    assert isinstance(cache.store, Flaky)
    cache.store.away = True
    with database.write() as tx:
        tx.execute(update(numbers).values(value=2))
        cache.invalidate("number", tx=tx)
    cache.store.away = False
    assert cache.get("number") == 1
    assert database.relay({"cache": cache.deliver}).run_once() == 1
    assert cached(cache, database) == 2


def test_a_snapshot_older_than_an_invalidation_fills_nothing(cache: CacheManager, database: DatabaseManager) -> None:
    """Generations captured before the snapshot began void what it computed."""
    captured = cache.capture(["number"])
    with database.read(snapshot=True) as tx:
        old = tx.scalar(select(numbers.c.value))
        writer = asyncio.run(change(database, cache))
        assert writer == 2
        assert cache.get_or_set("number", lambda: old, fresh=60, tags=captured) == 1
    assert cached(cache, database) == 2


async def change(database: DatabaseManager, cache: CacheManager) -> int:
    """Another task writes, by the async face."""
    async with database.aio.write() as tx:
        await tx.execute(update(numbers).values(value=2))
        await cache.aio.invalidate("number", tx=tx)
    return 2

"""After a write unit's commit has returned, no reader that starts later, in any process, gets an older row."""

from __future__ import annotations

import asyncio
import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, insert, select, update

from postrmagic_core.cache import CacheManager, QueryCache
from postrmagic_core.cache.shapes import Shape
from postrmagic_core.database import DatabaseManager
from postrmagic_core.database.tables import metadata as own_tables
from postrmagic_core.database.unit import Unit
from postrmagic_core.stores import open_store
from postrmagic_core.testing import spawn
from tests.crowd import crowd

TIMEOUT = 10.0
ROWS = 2
WRITES = 15  # of each writer
numbers = Table(
    "numbers", MetaData(), Column("id", Integer, primary_key=True, autoincrement=False), Column("n", Integer)
)

# Instants are of CLOCK_MONOTONIC, which the processes of a machine share. A write is (returned at, row, number that the
# commit left), a read (began at, row, number got).
Line = tuple[int, int, int]


def number(row: int) -> Any:
    """The query; a statement of its own each time, as an application makes it."""
    return select(numbers.c.n).where(numbers.c.id == row)


@pytest.fixture(params=["sqlite", pytest.param("mariadb", marks=pytest.mark.mysql)])
def urls(request: pytest.FixtureRequest, tmp_path: Path, redis_url: str) -> tuple[str, str]:
    """A database of two numbers, both 0, and a store that processes share."""
    sqlite = f"sqlite:///{tmp_path / 'app.db'}"
    url = sqlite if request.param == "sqlite" else str(request.getfixturevalue("mariadb_url"))
    with DatabaseManager(url) as db, db.write() as tx:
        own_tables.create_all(tx.connection)
        numbers.create(tx.connection)
        tx.execute(insert(numbers), [{"id": row, "n": 0} for row in range(ROWS)])
    return url, redis_url


def live(url: str, store_url: str, log: str, start: str, seed: int) -> None:
    """A process of two writers, three readers and a reading task; its history goes to ``log``."""
    reads: list[Line] = []
    writes: list[Line] = []
    writing = threading.Event()
    store = open_store(store_url, timeout=TIMEOUT)
    with DatabaseManager(url) as db, CacheManager(store, database=db) as cache:
        queries = QueryCache(cache, db)

        def add(tx: Unit, row: int) -> int:
            tx.execute(update(numbers).where(numbers.c.id == row).values(n=numbers.c.n + 1))
            return int(tx.scalar(number(row)))

        def write(chance: random.Random) -> None:
            for _ in range(WRITES):
                row = chance.randrange(ROWS)
                left = db.transactional(retries=50)(add)(row)
                writes.append((time.monotonic_ns(), row, left))
                time.sleep(chance.random() * 0.08)

        def read(chance: random.Random) -> None:
            while not writing.is_set():
                row, began = chance.randrange(ROWS), time.monotonic_ns()
                reads.append((began, row, int(queries.scalar(number(row), fresh=60, stale=60))))
                time.sleep(0.001)

        async def aread() -> None:
            while not writing.is_set():
                for row in range(ROWS):
                    began = time.monotonic_ns()
                    reads.append((began, row, int(await queries.aio.scalar(number(row), fresh=60, stale=60))))
                await asyncio.sleep(0.001)
            await cache.store.native.close()  # type: ignore[attr-defined]  # the Redis store's own

        print("ready")  # noqa: T201 - the child's voice
        while not Path(start).exists():
            time.sleep(0.005)
        with ThreadPoolExecutor(6) as pool:
            readers = [pool.submit(read, random.Random(seed + each)) for each in range(3)]
            readers.append(pool.submit(asyncio.run, aread()))
            writers = [pool.submit(write, random.Random(-seed - each)) for each in range(2)]
            for each in writers:
                each.result()
            writing.set()
            for each in readers:
                each.result()
        hits = cache.stats().hits
    store.close()
    Path(log).write_text(json.dumps({"reads": reads, "writes": writes, "hits": hits}))


def too_old(reads: list[Line], writes: list[Line]) -> list[tuple[Line, Line]]:
    """Each read that got less than a write had left before it began, with that write."""
    return [
        (read, write)
        for read in reads
        for write in writes
        if write[1] == read[1] and write[0] < read[0] and read[2] < write[2]
    ]


def test_the_judge_sees_an_old_read() -> None:
    """A read that begins after a commit returned, and got what was before it."""
    assert too_old([(11, 0, 1)], [(10, 0, 2)]) == [((11, 0, 1), (10, 0, 2))]
    assert too_old([(9, 0, 1), (11, 1, 1), (11, 0, 3)], [(10, 0, 2)]) == []


@pytest.mark.redis
def test_no_reader_gets_a_row_older_than_a_commit_that_had_returned(urls: tuple[str, str], tmp_path: Path) -> None:
    """Two processes, each of writers and readers on both faces, over one database and one Redis."""
    start = tmp_path / "start"
    logs = [tmp_path / f"{each}.json" for each in range(2)]
    with crowd(live, *[(*urls, str(log), str(start), 7 * n) for n, log in enumerate(logs)]) as children:
        assert [child.line() for child in children] == ["ready"] * 2
        start.touch()
        assert [child.wait(120) for child in children] == [0, 0]
    told = [json.loads(log.read_text()) for log in logs]
    reads = [tuple(line) for each in told for line in each["reads"]]
    writes = [tuple(line) for each in told for line in each["writes"]]
    assert too_old(reads, writes) == []
    # It was a history worth the name: values changed, and some were served from the cache, on a slow machine too.
    assert len(writes) == 2 * 2 * WRITES
    assert sum(each["hits"] for each in told) > len(writes) // 4


def die_after_commit(url: str, store_url: str) -> None:
    """A process that commits, and is killed before it can invalidate."""
    store = open_store(store_url, timeout=TIMEOUT)
    with DatabaseManager(url) as db, CacheManager(store, database=db) as cache:
        QueryCache(cache, db)

        def stop() -> None:
            print("committed")  # noqa: T201 - the child's voice
            time.sleep(600)

        with db.write() as tx:
            tx.after_commit(stop)  # comes before the hook that invalidates
            tx.execute(update(numbers).values(n=7))


@pytest.mark.redis
def test_the_relay_invalidates_for_a_process_killed_after_its_commit(urls: tuple[str, str]) -> None:
    """The row was committed with the change: who delivers it ends the old answer."""
    store = open_store(urls[1], timeout=TIMEOUT)
    with DatabaseManager(urls[0]) as db, CacheManager(store, database=db) as cache:
        queries = QueryCache(cache, db)
        assert queries.scalar(number(0), fresh=60) == 0
        with spawn(die_after_commit, *urls) as child:
            assert child.line() == "committed"
            child.kill()
        assert queries.scalar(number(0), fresh=60) == 0
        assert db.relay({"cache": cache.deliver}).run_once() == 1
        assert queries.scalar(number(0), fresh=60) == 7
    store.close()


@pytest.fixture
def queries(tmp_path: Path) -> Iterator[QueryCache]:
    """Query results of the numbers, in this process alone."""
    store = open_store("memory://")
    with DatabaseManager(f"sqlite:///{tmp_path / 'app.db'}") as db, CacheManager(store, database=db) as cache:
        with db.write() as tx:
            own_tables.create_all(tx.connection)
            numbers.create(tx.connection)
            tx.execute(insert(numbers).values(id=0, n=0))
        yield QueryCache(cache, db)
    store.close()


class Held:
    """The first answer read waits, once read, until ``go``."""

    def __init__(self, queries: QueryCache, monkeypatch: pytest.MonkeyPatch) -> None:
        self.read, self.go = threading.Event(), threading.Event()
        self._make = queries.made
        monkeypatch.setattr(queries, "made", self._made)

    def _made(self, shape: Shape, kind: Any, result: Any) -> Any:
        value = self._make(shape, kind, result)
        if not self.read.is_set():
            self.read.set()
            self.go.wait(TIMEOUT)
        return value


def change(queries: QueryCache) -> None:
    """A unit that commits 1."""
    with queries.database.write() as tx:
        tx.execute(update(numbers).values(n=1))


def test_what_was_read_before_a_commit_is_never_served_after_it(
    queries: QueryCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its tags' generations were captured before it was read: it is stored under a generation that is over."""
    held = Held(queries, monkeypatch)
    with ThreadPoolExecutor(1) as pool:
        reader = pool.submit(lambda: queries.scalar(number(0), fresh=60))
        assert held.read.wait(TIMEOUT)
        change(queries)
        held.go.set()
        assert reader.result() == 0
        assert queries.scalar(number(0), fresh=60) == 1


def test_a_reader_after_a_commit_takes_nothing_from_a_computation_before_it(
    queries: QueryCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does not join the computation under way in its process, which may have read before the commit."""
    held, flights = Held(queries, monkeypatch), queries.cache.filling.flights
    join: Callable[..., Any] = flights.join
    asked = count(1)

    def joined(*args: Any) -> Any:
        found = join(*args)
        if next(asked) == 2:
            held.go.set()
        return found

    monkeypatch.setattr(flights, "join", joined)
    with ThreadPoolExecutor(2) as pool:
        before = pool.submit(lambda: queries.scalar(number(0), fresh=60))
        assert held.read.wait(TIMEOUT)
        change(queries)
        after = pool.submit(lambda: queries.scalar(number(0), fresh=60))
        assert (before.result(), after.result()) == (0, 1)

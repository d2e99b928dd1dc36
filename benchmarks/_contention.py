"""Several processes, and several tasks, that read a number and write it back one larger, all at once."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, bindparam, column, create_engine, event, select, table, text, update
from sqlalchemy.exc import DBAPIError

from postrmagic_core.database import DatabaseManager, PoolLimits, Timeouts, Unit
from postrmagic_core.errors import PostrMagicError

from ._processes import forked

PROCESSES = 8
UPDATES = 500
_COUNTER = table("counter", column("id"), column("n"))
_READ = select(_COUNTER.c.n).where(_COUNTER.c.id == 1)
_WRITE = update(_COUNTER).where(_COUNTER.c.id == 1).values(n=bindparam("next"))
# Nobody may starve: what is measured is that nothing is lost, not who gives up.
_PATIENCE = 60.0


@dataclass(frozen=True)
class Contention:
    """What the processes did together: updates that were acknowledged and are not there, errors, updates per second."""

    lost: int
    errors: int
    rate: float


def prepare(url: str) -> None:
    """The counter, at 0."""
    with DatabaseManager(url) as database, database.write() as tx:
        tx.execute(text("DROP TABLE IF EXISTS counter"))
        tx.execute(text("CREATE TABLE counter (id INTEGER PRIMARY KEY, n INTEGER NOT NULL)"))
        tx.execute(text("INSERT INTO counter VALUES (1, 0)"))


def contend(url: str, worker: Callable[[str, int, Barrier, Any], None], updates: int) -> Contention:
    """Let eight processes make ``updates`` each."""
    prepare(url)
    context = forked(__name__)
    barrier, results = context.Barrier(PROCESSES), context.SimpleQueue()
    processes = [context.Process(target=worker, args=[url, updates, barrier, results]) for _ in range(PROCESSES)]
    for process in processes:
        process.start()
    told = [results.get() for _ in processes]
    for process in processes:
        process.join()
    acknowledged, errors, began, ended = zip(*told, strict=True)
    with DatabaseManager(url) as database, database.read() as tx:
        there = int(tx.scalar(_READ))
    return Contention(sum(acknowledged) - there, sum(errors), sum(acknowledged) / (max(ended) - min(began)))


def ours(url: str, updates: int, barrier: Barrier, results: Any) -> None:
    """A process: each update is a unit, run again on a conflict."""
    done = errors = 0
    limits = PoolLimits(timeout=_PATIENCE)
    with DatabaseManager(url, pool=limits, timeouts=Timeouts(lock=_PATIENCE)) as database:

        @database.transactional(retries=1000)
        def increment(tx: Unit) -> None:
            tx.execute(_WRITE, {"next": tx.scalar(_READ) + 1})

        with database.read() as tx:
            tx.scalar(_READ)
        barrier.wait()
        began = time.monotonic()
        for _ in range(updates):
            try:
                increment()
                done += 1
            except PostrMagicError:
                errors += 1
        results.put((done, errors, began, time.monotonic()))


def on_sqlalchemy(url: str, updates: int, barrier: Barrier, results: Any) -> None:
    """A process: the same on SQLAlchemy, with the recipe for BEGIN IMMEDIATE that its documentation gives."""
    engine = create_engine(url, connect_args={"timeout": _PATIENCE})

    @event.listens_for(engine, "connect")
    def set_up(connection: Any, record: object) -> None:
        connection.isolation_level = None
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    done = errors = 0
    with engine.begin() as connection:
        connection.scalar(_READ)
    barrier.wait()
    began = time.monotonic()
    for _ in range(updates):
        try:
            with engine.begin() as connection:
                connection.execute(_WRITE, {"next": connection.execute(_READ).scalar_one() + 1})
            done += 1
        except DBAPIError:
            errors += 1
    results.put((done, errors, began, time.monotonic()))
    engine.dispose()


def on_sqlite3(url: str, updates: int, barrier: Barrier, results: Any) -> None:
    """A process: the same on the driver alone, as one would write it who knows SQLite well."""
    done = errors = 0
    connection = sqlite3.connect(url.removeprefix("sqlite:///"), timeout=_PATIENCE, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    barrier.wait()
    began = time.monotonic()
    for _ in range(updates):
        try:
            connection.execute("BEGIN IMMEDIATE")
            (number,) = connection.execute("SELECT n FROM counter WHERE id = 1").fetchone()
            connection.execute("UPDATE counter SET n = ? WHERE id = 1", [number + 1])
            connection.execute("COMMIT")
            done += 1
        except sqlite3.Error:
            errors += 1
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
    results.put((done, errors, began, time.monotonic()))
    connection.close()


def failed_tasks(url: str, *, tasks: int = 24, lanes: int = 4, units: int = 10) -> int:
    """How many of ``tasks`` fail that each write ``units`` times on ``lanes`` connections, awaiting in between."""
    prepare(url)

    async def write(database: DatabaseManager) -> None:
        for _ in range(units):
            async with database.aio.write() as tx:
                number = await tx.scalar(_READ.with_for_update())
                await asyncio.sleep(0.001)
                await tx.execute(_WRITE, {"next": number + 1})

    async def run() -> int:
        limits = PoolLimits(size=lanes, overflow=0, timeout=_PATIENCE)
        async with DatabaseManager(url, pool=limits, timeouts=Timeouts(lock=_PATIENCE)) as database:
            ended = await asyncio.gather(*(write(database) for _ in range(tasks)), return_exceptions=True)
            async with database.aio.read() as tx:
                there = await tx.scalar(_READ)
        failed = sum(isinstance(each, BaseException) for each in ended)
        if not failed and there != tasks * units:
            raise AssertionError(f"{tasks * units - there} updates were lost")
        return failed

    return asyncio.run(run())


def sqlite_url(folder: str) -> str:
    """A file of its own."""
    return f"sqlite:///{Path(folder) / 'contention.db'}"

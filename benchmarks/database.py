"""What a unit costs beside plain SQLAlchemy, what a pool saves, and what is lost under contention: nothing.

On a private MariaDB (or the server of `--url`, in whose database a table `counter` is made) and on SQLite files. Reads
and writes take turns with SQLAlchemy's defaults, with the pools of DBUtils and peewee, and with Django's persistent
connections, each of which gets the same row by its key.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import pymysql
from sqlalchemy import bindparam, column, create_engine, select, table, update

from postrmagic_core._sql import PoolLimits
from postrmagic_core.database import DatabaseManager
from postrmagic_core.testing.certificates import Authority
from postrmagic_core.testing.servers import MariaDBServer

from . import _contention, _library, _pools, _queries
from ._harness import Bench, Case

TAKES = frozenset({"url", "duration"})

_COUNTER = table("counter", column("id"), column("n"))
_READ = select(_COUNTER.c.n).where(_COUNTER.c.id == bindparam("id"))
_WRITE = update(_COUNTER).where(_COUNTER.c.id == bindparam("key")).values(n=_COUNTER.c.n + 1)
_THREADS = (1, 8, 64)
_DEFAULT = "SQLAlchemy's defaults"


def run(bench: Bench) -> None:
    """Report every figure."""
    with tempfile.TemporaryDirectory() as folder, _server(bench) as url:
        for name, where in (("mariadb", url), ("sqlite", f"sqlite:///{Path(folder) / 'units.db'}")):
            _contention.prepare(where)
            units(bench, name, where)
        pooled(bench, url)
        connects(bench, folder, url)
        contention(bench, folder, url)
    analysis(bench)
    bench.figure("query_log_us", median(_queries.query_log_us(rounds=bench.repeats(200, 30)) for _ in range(3)))


@contextmanager
def _server(bench: Bench) -> Iterator[str]:
    if bench.options.url:
        yield bench.options.url
        return
    with MariaDBServer() as server:
        yield server.create_database()


def units(bench: Bench, name: str, url: str) -> None:
    """``read_*_time_ratio``, ``write_*_time_ratio``: on one thread; the tables show 8 and 64."""
    limits = PoolLimits(size=5, overflow=10, timeout=60)
    with ExitStack() as opened:
        database = opened.enter_context(DatabaseManager(url, pool=limits))
        engine = create_engine(url.replace("mysql://", "mysql+pymysql://"), pool_timeout=60)
        opened.callback(engine.dispose)

        def read() -> object:
            with database.read() as tx:
                return tx.execute(_READ, {"id": 1}).all()

        def read_plainly() -> object:
            with engine.connect() as connection:
                return connection.execute(_READ, {"id": 1}).all()

        def write() -> None:
            with database.write() as tx:
                tx.execute(_WRITE, {"key": 1})

        def write_plainly() -> None:
            with engine.begin() as connection:
                connection.execute(_WRITE, {"key": 1})

        reads = [Case("db.read()", read), Case(_DEFAULT, read_plainly)]
        alone = bench.pair(f"read one row, {name}", reads, rounds=bench.repeats(60, 12), calls=bench.repeats(200, 60))
        bench.figure(f"read_{name}_time_ratio", alone.time_ratio("db.read()", _DEFAULT))
        if name == "sqlite":
            _threaded(bench, f"read one row, {name}", reads)
            return  # a plain write on SQLite loses updates: there is nothing to compare
        writes = [Case("db.write()", write), Case(_DEFAULT, write_plainly)]
        alone = bench.pair(f"write one row, {name}", writes, rounds=bench.repeats(40, 8), calls=bench.repeats(100, 30))
        bench.figure(f"write_{name}_time_ratio", alone.time_ratio("db.write()", _DEFAULT))
        _threaded(bench, f"write one row, {name}", writes)
        cases = [*reads, *_pools.peers(bench, url, opened)]
        for threads in _THREADS:
            title = f"read one row, {name}, {threads} threads"
            bench.load(title, cases, duration=bench.repeats(10, 1), rounds=bench.repeats(5, 2), threads=threads)


def _threaded(bench: Bench, title: str, cases: list[Case]) -> None:
    """The same under load; left out of a quick run, which has no time for it."""
    for threads in _THREADS[1:] if not bench.options.quick else ():
        bench.load(f"{title}, {threads} threads", cases, duration=4, rounds=4, threads=threads)


def pooled(bench: Bench, url: str) -> None:
    """``pool_rate_ratio``, ``reuse_ratio`` and the saturation curve: 15 connections for ever more threads."""
    given = _pools.arguments(url)
    with DatabaseManager(url) as database:

        def read() -> object:
            with database.read() as tx:
                return tx.execute(_READ, {"id": 1}).all()

        def connect_and_read() -> object:
            connection = pymysql.connect(**given)
            try:
                with connection.cursor() as cursor:
                    cursor.execute(_pools.READ)
                    return cursor.fetchall()
            finally:
                connection.close()

        cases = [Case("db.read()", read), Case("a connection for each query", connect_and_read)]
        found = bench.pair("pool or connect", cases, rounds=bench.repeats(12, 5), calls=bench.repeats(10, 5))
        bench.figure("pool_rate_ratio", found.rate_ratio("db.read()", "a connection for each query"))
        bench.load("saturation: 8 threads", cases[:1], duration=bench.repeats(4, 1), rounds=2, threads=8)
        for threads in (16, 32, 64):
            title = f"saturation: {threads} threads on 15 connections"
            bench.load(title, cases[:1], duration=bench.repeats(4, 1), rounds=2, threads=threads)
        taken, opened = (
            database.metrics.histogram(f"db_pool_{what}_seconds", pool="read").count for what in ("hold", "connect")
        )
        bench.figure("reuse_ratio", 1 - opened / taken)
        waits = database.metrics.histogram("db_pool_wait_seconds", pool="read")
        for share, name in ((0.5, "p50"), (0.95, "p95"), (0.99, "p99")):
            bench.figure(f"pool_wait_ms.{name}", waits.quantile(share) * 1e3)


def connects(bench: Bench, folder: str, url: str) -> None:
    """``connect_mysql_time_ratio``, ``connect_mysql_tls_time_ratio``: over PyMySQL's own default on the same server.

    Ours opens a connection and sets up its session; over TLS it verifies the server, which the default does not.
    """
    given = _pools.arguments(url)
    _connecting(bench, "connect_mysql_time_ratio", url, lambda: pymysql.connect(**given))
    if bench.options.url:
        bench.missing["connect_mysql_tls_time_ratio"] = "not measured: it needs the certificate of a private server"
        return
    authority = Authority(Path(folder))
    with MariaDBServer(options=authority.options("127.0.0.1")) as server:
        plain = _pools.arguments(server.url)
        encrypted = f"{server.url}?ssl_ca={authority.file}"
        _connecting(bench, "connect_mysql_tls_time_ratio", encrypted, lambda: pymysql.connect(**plain))


def _connecting(bench: Bench, figure: str, url: str, default: Callable[[], Any]) -> None:
    with DatabaseManager(url) as database:
        engine = database.backend.engine("read")

        def ours() -> None:
            connection = engine.raw_connection()
            connection.invalidate()
            connection.close()

        ours()  # the dialect asks a server once what it is
        cases = [Case("ours, with its session set up", ours), Case("PyMySQL's default", lambda: default().close())]
        found = bench.pair(figure.removesuffix("_time_ratio"), cases, rounds=bench.repeats(20, 8), calls=2)
        bench.figure(figure, found.time_ratio(cases[0].name, cases[1].name))


def contention(bench: Bench, folder: str, url: str) -> None:
    """``lost_updates`` and ``locked_errors`` of eight processes, ``aio_tasks_failed`` of 24 tasks.

    ``sqlite_write_rate_ratio``: over a BEGIN IMMEDIATE loop written by hand on SQLAlchemy;
    ``sqlite_write_driver_rate_ratio``: over one on the bare driver, which has no statements to compile.
    """
    updates = bench.scaled(_contention.UPDATES, 100)
    file = _contention.sqlite_url(folder)
    rounds = []
    for _ in range(bench.repeats(5, 1)):
        sides = (_contention.ours, _contention.on_sqlalchemy, _contention.on_sqlite3)
        rounds.append([_contention.contend(file, side, updates) for side in sides])
    found = [ours for ours, *_ in rounds] + [_contention.contend(url, _contention.ours, updates)]
    bench.figure("lost_updates", sum(each.lost for each in found))
    bench.figure("locked_errors", sum(each.errors for each in found))
    for name, which in (("sqlite_write_rate_ratio", 1), ("sqlite_write_driver_rate_ratio", 2)):
        bench.figure(name, median(sides[0].rate / sides[which].rate for sides in rounds))
    bench.figure("aio_tasks_failed", sum(_contention.failed_tasks(where) for where in (file, url)))


def analysis(bench: Bench) -> None:
    """``analyze_speedup``: the media library's list on SQLite with the index that `db analyze` finds, over without."""
    media = bench.scaled(50_000, 5_000)
    bench.figure("analyze_speedup", _library.analyze_speedup(media).index)


if __name__ == "__main__":
    from .__main__ import main

    raise SystemExit(main(["run", "database", *sys.argv[1:]]))

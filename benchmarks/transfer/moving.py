"""Rows a second and memory, ours beside the peer's in turns; memory for a table that is thirty times as large."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

import pymysql

from postrmagic_core.testing.servers import MariaDBServer

from .._harness import Bench
from .._stats import Comparison, Sample
from . import sides
from .processes import Finished
from .source import fill

T = TypeVar("T")

ROWS, MANY = 300_000, 10_000_000


@contextmanager
def place(rows: int) -> Iterator[tuple[Path, MariaDBServer]]:
    """A file of so many rows, and a private server."""
    with tempfile.TemporaryDirectory() as folder, MariaDBServer() as server:
        yield fill(Path(folder) / "source.db", rows), server


def compared(bench: Bench) -> None:
    """``rows_rate_ratio``, ``verified_rate_ratio``, ``whole_rate_ratio``, ``rss_ratio``: each over the peer's copy."""
    rows = bench.scaled(ROWS, 40_000)
    program = bench.peer(sides.PEER, sides.peer_program)
    names = [sides.OURS, sides.OURS_VERIFIED, sides.OURS_WHOLE, *([sides.PEER] if program else [])]
    found = Comparison(f"move {rows:,} rows", {name: Sample(name) for name in names})
    ours: list[int] = []
    theirs: list[int] = []
    with place(rows) as (source, server):
        for _ in range(bench.repeats(3, 1)):
            plan, run, verify = emptied(server, rows, lambda url: moved(source, url))
            ours.append(max(step.peak for step in (plan, run, verify)))
            _keep(found, sides.OURS, run.seconds)
            _keep(found, sides.OURS_VERIFIED, run.seconds + verify.seconds)
            _keep(found, sides.OURS_WHOLE, plan.seconds + run.seconds + verify.seconds)
            if program is not None:
                copy = emptied(server, rows, lambda url: sides.copied(program, source, url))
                theirs.append(copy.peak)
                _keep(found, sides.PEER, copy.seconds)
    bench.comparisons.append(found)
    bench.figure("rows_rate", rows * found[sides.OURS].rate)
    bench.figure("verified_rate", rows * found[sides.OURS_VERIFIED].rate)
    bench.figure("rss_bytes", median(ours))
    if program is not None:
        bench.figure("rows_rate_ratio", found.rate_ratio(sides.OURS, sides.PEER))
        bench.figure("verified_rate_ratio", found.rate_ratio(sides.OURS_VERIFIED, sides.PEER))
        bench.figure("whole_rate_ratio", found.rate_ratio(sides.OURS_WHOLE, sides.PEER))
        bench.figure("rss_ratio", median(one / other for one, other in zip(ours, theirs, strict=True)))


def memory(bench: Bench) -> None:
    """``memory_flat_ratio``: the highest memory with 300,000 rows over that with ten million; flat is 1."""
    peaks = []
    for rows in (ROWS, MANY):
        with place(rows) as (source, server):
            steps = emptied(server, rows, lambda url: moved(source, url))
        peaks.append(max(step.peak for step in steps))
    bench.figure("memory_flat_ratio", peaks[0] / peaks[1])
    bench.figure("rss_bytes.10m", peaks[1])


def moved(source: Path, url: str) -> list[Finished]:
    """Our three steps."""
    with tempfile.TemporaryDirectory() as folder:
        ours = sides.Ours(source, url, Path(folder))
        return [ours.plan(), ours.run(), ours.verify()]


def emptied(server: MariaDBServer, rows: int, move: Callable[[str], T]) -> T:
    """What ``move`` tells, into a database of its own; :class:`RuntimeError` where not every row arrived."""
    url = server.create_database()
    try:
        told = move(url)
        ((arrived,),) = asked(server, url, "SELECT COUNT(*) FROM events")
        if arrived != rows:
            raise RuntimeError(f"{arrived:,} of {rows:,} rows arrived")
        return told
    finally:
        server.drop_database(url)


def asked(server: MariaDBServer, url: str, *statements: str) -> tuple[tuple[Any, ...], ...]:
    """What the last of these statements finds in the database of ``url``."""
    database = url.rpartition("/")[2]
    with (
        pymysql.connect(host=server.host, port=server.port, user="root", database=database) as connection,
        connection.cursor() as cursor,
    ):
        for statement in statements:
            cursor.execute(statement)
        connection.commit()
        return tuple(cursor.fetchall())


def _keep(found: Comparison, name: str, seconds: float) -> None:
    found[name].times.append(seconds)
    found[name].rounds.append(seconds)

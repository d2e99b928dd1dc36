"""How long an application waits for the source while it is moved: it is read, and written, all along."""

from __future__ import annotations

import sqlite3
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from .._harness import Bench
from . import sides
from .moving import emptied, place

# Seconds between two looks.
_PAUSE = 0.002


@dataclass
class Waits:
    """The longest wait for one read and for one write, in seconds, and how many of both there were."""

    read: float = 0.0
    write: float = 0.0
    looks: int = 0


def read_all_along(bench: Bench) -> None:
    """``source_reads_blocked_ms``, ``source_writes_blocked_ms``: the longest wait while the plan is made and run."""
    rows = bench.scaled(300_000, 40_000)
    with place(rows) as (source, server), tempfile.TemporaryDirectory() as folder, watched(source) as waits:
        emptied(server, rows, lambda url: _planned_and_run(sides.Ours(source, url, Path(folder))))
    bench.figure("source_reads_blocked_ms", waits.read * 1e3)
    bench.figure("source_writes_blocked_ms", waits.write * 1e3)


def _planned_and_run(ours: sides.Ours) -> None:
    ours.plan()
    ours.run()


@contextmanager
def watched(source: Path) -> Iterator[Waits]:
    """Read a row and write another, over and over, for the length of the block; raises what that raised."""
    waits, ended = Waits(), threading.Event()
    errors: list[BaseException] = []

    def look() -> None:
        try:
            with closing(sqlite3.connect(source, timeout=60, isolation_level=None)) as connection:
                while not ended.wait(_PAUSE):
                    _look(connection, waits)
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield waits
    finally:
        ended.set()
        thread.join()
    if errors:
        raise errors[0]


def _look(connection: sqlite3.Connection, waits: Waits) -> None:
    waits.looks += 1
    begin = time.perf_counter()
    connection.execute("SELECT title FROM events WHERE id = ?", (waits.looks % 1000 + 1,)).fetchall()
    read = time.perf_counter()
    connection.execute("UPDATE beats SET n = n + 1")
    waits.read = max(waits.read, read - begin)
    waits.write = max(waits.write, time.perf_counter() - read)

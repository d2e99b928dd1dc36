"""What the query log costs a statement."""

from __future__ import annotations

import gc
import random
import tempfile
from collections.abc import Callable
from contextlib import ExitStack, nullcontext
from pathlib import Path
from statistics import quantiles
from time import perf_counter

from sqlalchemy import Connection, column, select, table, text

from postrmagic_core._work import working
from postrmagic_core.database import DatabaseManager
from postrmagic_core.database.analysis import QueryLogOptions

_COUNTERS = table("counters", column("id"), column("n"))
_SELECT = select(_COUNTERS.c.n).where(_COUNTERS.c.id == 1)
# One of so many executions is looked at closely: each batch pays for one.
_BATCH = 256


def query_log_us(*, rounds: int = 200, in_work: bool = False) -> float:
    """Microseconds that a SELECT of one row by key takes longer with the log than without, fetching included.

    Two SQLite files, each read on one connection that stays open, take turns in batches; the figure is the difference
    of the lower quartiles, which other programs on the machine disturb least. ``in_work``: as in a request, whose
    statements are also tallied.
    """
    with tempfile.TemporaryDirectory() as folder, ExitStack() as opened:
        plain = opened.enter_context(_ready(Path(folder) / "plain.db", None))
        logged = opened.enter_context(_ready(Path(folder) / "logged.db", QueryLogOptions(repeated=10**9)))
        connections = [opened.enter_context(database.read()).connection for database in (plain, logged)]
        around: Callable[[], object] = (lambda: opened.enter_context(working("benchmark"))) if in_work else nullcontext
        around()
        times: list[list[float]] = [[], []]
        gc.collect()
        gc.disable()
        try:
            for _ in range(rounds):
                for which in random.sample((0, 1), 2):
                    times[which].append(_batch(connections[which]))
        finally:
            gc.enable()
        plain_batch, logged_batch = (quantiles(each, n=4)[0] for each in times)
        return (logged_batch - plain_batch) * 1e6


def _ready(path: Path, queries: QueryLogOptions | None) -> DatabaseManager:
    database = DatabaseManager(f"sqlite:///{path}", queries=queries).open()
    with database.write() as tx:
        tx.execute(text("CREATE TABLE counters (id INTEGER PRIMARY KEY, n INTEGER NOT NULL)"))
        tx.execute(text("INSERT INTO counters VALUES (1, 0)"))
    return database


def _batch(connection: Connection) -> float:
    began = perf_counter()
    for _ in range(_BATCH):
        connection.execute(_SELECT).all()
    return (perf_counter() - began) / _BATCH

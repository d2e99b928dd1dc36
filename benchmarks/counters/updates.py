"""Eight processes that read a number and write it back one larger, in one SQLite file, without anything asked for."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from importlib import import_module
from multiprocessing.synchronize import Barrier
from typing import Any

from sqlalchemy import bindparam, column, create_engine, select, table, update
from sqlalchemy.exc import DBAPIError

from .. import _contention
from .._harness import Bench

_COUNTER = table("counter", column("id"), column("n"))
_READ = select(_COUNTER.c.n).where(_COUNTER.c.id == 1)
_WRITE = update(_COUNTER).where(_COUNTER.c.id == 1).values(n=bindparam("next"))


def lost(bench: Bench) -> None:
    """``lost_updates``: acknowledged and not there; ``failed_updates``: those that ended with an error.

    The peers have their defaults: SQLAlchemy ``engine.begin()``, Django ``transaction.atomic()``.
    """
    updates = bench.scaled(_contention.UPDATES, 100)
    sides: dict[str, Callable[[], Callable[[str, int, Barrier, Any], None]]] = {
        "": lambda: _contention.ours,
        "sqlalchemy": lambda: on_sqlalchemy,
        "django": _django,
    }
    for name, load in sides.items():
        worker = bench.peer(name, load)
        if worker is None:
            continue
        with tempfile.TemporaryDirectory() as folder:
            found = _contention.contend(_contention.sqlite_url(folder), worker, updates)
        end = f"_peer.{name}" if name else ""
        bench.figure(f"lost_updates{end}", found.lost)
        bench.figure(f"failed_updates{end}", found.errors)


def _django() -> Callable[[str, int, Barrier, Any], None]:
    import_module("django")
    return on_django


def on_sqlalchemy(url: str, updates: int, barrier: Barrier, results: Any) -> None:
    """A process: each update in a transaction of SQLAlchemy's, as its tutorial shows it."""
    engine = create_engine(url)

    def increment() -> None:
        with engine.begin() as connection:
            connection.execute(_WRITE, {"next": connection.execute(_READ).scalar_one() + 1})

    with engine.begin() as connection:
        connection.scalar(_READ)
    _worked(increment, DBAPIError, updates, barrier, results)
    engine.dispose()


def on_django(url: str, updates: int, barrier: Barrier, results: Any) -> None:
    """A process: each update in an atomic block of Django's."""
    settings, package = import_module("django.conf").settings, import_module("django")
    name = url.removeprefix("sqlite:///")
    settings.configure(DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": name}})
    package.setup()
    database = import_module("django.db")

    def increment() -> None:
        with database.transaction.atomic(), database.connection.cursor() as cursor:
            cursor.execute("SELECT n FROM counter WHERE id = 1")
            (number,) = cursor.fetchone()
            cursor.execute("UPDATE counter SET n = %s WHERE id = 1", [number + 1])

    database.connection.ensure_connection()
    _worked(increment, database.DatabaseError, updates, barrier, results)
    database.connection.close()


def _worked(
    increment: Callable[[], None], error: type[Exception], updates: int, barrier: Barrier, results: Any
) -> None:
    done = failed = 0
    barrier.wait()
    began = time.monotonic()
    for _ in range(updates):
        try:
            increment()
            done += 1
        except error:
            failed += 1
    results.put((done, failed, began, time.monotonic()))

"""DB15: a migration killed after any statement is completed by the next process, each effect once."""

# ruff: noqa: T201 - a child process speaks by printing
from __future__ import annotations

import hashlib
import os
import re
import signal
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event, inspect

from postrmagic_core.database import DatabaseManager, Migrations
from postrmagic_core.database.migrating.interface import Step
from postrmagic_core.database.migrating.migrator import Migrator
from postrmagic_core.testing import spawn
from tests.database.histories import BILLED, BILLS, billed, written

pytestmark = pytest.mark.fault

WRITES = re.compile(r"\s*(ALTER|CREATE|DROP|INSERT|UPDATE|DELETE)\b")
MOST = 20  # statements between two states that outlast a kill
# How many statements beyond a state the search for the next one begins.
EACH = pytest.param(1, marks=pytest.mark.soak)


def fingerprint(database: DatabaseManager, pattern: str) -> str:
    """All that outlasts a process: tables whose names match, their columns, indexes and rows."""
    with database.read() as tx:
        found = inspect(tx.connection)
        parts: list[Any] = []
        for table in sorted(name for name in found.get_table_names() if re.match(pattern, name)):
            columns = [(column["name"], str(column["type"])) for column in found.get_columns(table)]
            indexes = sorted((str(index["name"]), *index["column_names"]) for index in found.get_indexes(table))
            rows = tx.connection.exec_driver_sql(f"SELECT * FROM {table}").all()
            parts.append((table, columns, indexes, [str(row) for row in rows]))
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def die_after(engine: Engine, statements: int) -> None:
    """SIGKILL for this process, right after its so-manieth statement or commit that changes something."""
    left = statements

    def count(*_: object) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    if engine.dialect.name == "sqlite":

        def executed(connection: Any, cursor: Any, statement: str, *_: object) -> None:
            if WRITES.match(statement):
                count()

        event.listen(engine, "after_cursor_execute", executed)
        plain = engine.dialect.do_commit

        def commit(connection: Any) -> None:
            plain(connection)
            count()

        engine.dialect.do_commit = commit  # type: ignore[assignment, method-assign]  # SQLAlchemy tells of commits before they happen
        return
    from postrmagic_core._sql.mysql_connection import ServerConnection

    query, commit_there = ServerConnection.query, ServerConnection.commit

    def queried(self: Any, sql: Any, unbuffered: bool = False) -> Any:
        done = query(self, sql, unbuffered)
        if WRITES.match(sql if isinstance(sql, str) else sql.decode()):
            count()
        return done

    def committed(self: Any) -> None:
        commit_there(self)
        count()

    ServerConnection.query = queried  # type: ignore[method-assign]  # below all that might be told differently
    ServerConnection.commit = committed  # type: ignore[method-assign]  # as above


def climb(url: str, folder: str | None, stride: int) -> None:
    """Process after process migrates and is killed ``stride`` statements on, or later where nothing came of that."""
    from postrmagic_core.database.migrating import migrator  # noqa: F401 - so that each fork has it

    migrations = None if folder is None else Migrations(folder)
    assert threading.active_count() == 1
    statements, killed, states = stride, 0, set[str]()
    before = ""
    while statements < stride + MOST:
        child = os.fork()
        if child == 0:
            database = DatabaseManager(url, migrations=migrations)
            database.open()
            die_after(database.backend.engine("write"), statements)
            database.upgrade()
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if status == 0:
            break
        assert os.WIFSIGNALED(status), status
        killed += 1
        with DatabaseManager(url) as database:
            now = fingerprint(database, "pm_" if folder is None else "(?!pm_)|pm_migration")
        statements = stride if now != before else statements + 1
        before = now
        states.add(now)
    print(statements < stride + MOST, killed, len(states), flush=True)


def climbed(url: str, folder: Path | None, stride: int) -> int:
    """How many states the kills left; every one led on to the next, and the last to the end."""
    with spawn(climb, url, None if folder is None else str(folder), stride) as child:
        (told,) = child.lines(timeout=100)
    arrived, killed, states = told.split()
    assert arrived == "True"
    assert int(killed) >= int(states)
    return int(states)


@pytest.mark.parametrize("stride", [EACH, 15])
def test_the_packages_migration_killed_after_each_statement_gets_there(database_url: str, stride: int) -> None:
    """Every state a kill can leave is one from which the next process goes on."""
    assert climbed(database_url, None, stride) > 15
    with DatabaseManager(database_url) as database:
        assert database.schema_current()


@pytest.mark.parametrize("stride", [EACH, 7])
def test_an_applications_migration_killed_after_each_statement_gets_there(
    database_url: str, tmp_path: Path, stride: int
) -> None:
    """SQLite takes a killed revision back, a server keeps each of its statements: none is lost, none happens twice."""
    migrations = written(tmp_path / "app", BILLS)
    with DatabaseManager(database_url) as database:
        database.upgrade()
    assert climbed(database_url, tmp_path / "app", stride) > (
        2 if database_url.startswith("sqlite") else min(10, 40 // stride)
    )
    with DatabaseManager(database_url, migrations=migrations) as database:
        assert database.schema_current()
        assert billed(database) == BILLED


def migrate(url: str, folder: str) -> None:
    """In a process of its own; inside its first revision it waits for the other, which comes if nothing stops it."""
    begun, arrived = (Path(folder) / name for name in ("begun", "arrived"))

    def both(place: Path, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while len(list(place.iterdir())) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)

    def meet(step: Step) -> None:
        if step.history == "package" or step.revision != "one":
            return
        (arrived / str(os.getpid())).touch()
        both(begun, 30)
        both(arrived, 0.5)

    migrations = Migrations(folder)
    with DatabaseManager(url, migrations=migrations) as database:
        print("ready", flush=True)
        (begun / str(os.getpid())).touch()
        Migrator(database.backend, migrations, report=meet).upgrade()
        print(database.schema_current(), flush=True)


def test_of_two_processes_one_applies_the_applications_revisions(database_url: str, tmp_path: Path) -> None:
    """Both succeed, and nothing happened twice."""
    migrations = written(tmp_path / "app", BILLS)
    for name in ("begun", "arrived"):
        (tmp_path / "app" / name).mkdir()
    with ExitStack() as stack:
        children = [stack.enter_context(spawn(migrate, database_url, str(tmp_path / "app"))) for _ in range(2)]
        assert [list(child.lines()) for child in children] == [["ready", "True"]] * 2
    with DatabaseManager(database_url, migrations=migrations) as database:
        assert billed(database) == BILLED

"""What becomes of an awkward SQLite file that is moved to MariaDB: it is exact, refused, or lost without a word."""

from __future__ import annotations

import sqlite3
import tempfile
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeAlias

import pymysql
from sqlalchemy import MetaData, create_engine, insert, select
from sqlalchemy.exc import SQLAlchemyError

from postrmagic_core.errors import PostrMagicError
from postrmagic_core.testing.servers import MariaDBServer

from .._harness import Bench
from ..transfer import sides
from ..transfer.moving import asked

Outcome: TypeAlias = Literal["exact", "refused", "lost"]
_Move: TypeAlias = Callable[[Path, str], None]


class Refused(Exception):
    """The side says that it does not move this, or ends with an error."""


@dataclass(frozen=True)
class Awkward:
    """A database, what a question is answered there if nothing is lost, and a statement that must be refused there."""

    name: str
    script: str
    rows: tuple[tuple[Any, ...], ...]
    expected: tuple[tuple[Any, ...], ...]
    ask: str = "SELECT * FROM t ORDER BY id"
    refuse: str | None = None

    def write(self, folder: Path) -> Path:
        """The file."""
        path = folder / "awkward.db"
        with closing(sqlite3.connect(path)) as connection:
            connection.executescript(self.script)
            for row in self.rows:
                connection.execute(f"INSERT INTO t VALUES ({', '.join('?' * len(row))})", row)
            connection.commit()
        return path


def _value(name: str, declared: str, value: Any) -> Awkward:
    return Awkward(name, f"CREATE TABLE t (id INTEGER PRIMARY KEY, v {declared})", ((1, value),), ((1, value),))


AWKWARD = (
    _value("an integer of 64 bits", "INTEGER", 10010000000000001),
    _value("70,000 characters", "TEXT", "x" * 70_000),
    _value("19.99 in NUMERIC", "NUMERIC", 19.99),
    _value("2.55 in DECIMAL", "DECIMAL", 2.55),
    _value("1234567.891 in FLOAT", "FLOAT", 1234567.891),
    _value("an epoch in DATETIME", "DATETIME", 1700000000),
    _value("ten characters in VARCHAR(5)", "VARCHAR(5)", "abcdefghij"),
    Awkward(
        "keys that differ by case",
        "CREATE TABLE t (k TEXT PRIMARY KEY, n INTEGER)",
        (("ABC", 1), ("abc", 2)),
        ((1,), (2,)),
        ask="SELECT n FROM t ORDER BY n",
    ),
    Awkward(
        "the row 0",
        "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, v TEXT)",
        ((0, "zero"), (1, "one"), (2, "two")),
        ((0, "zero"), (1, "one"), (2, "two")),
    ),
    Awkward(
        "a row that leads nowhere",
        "CREATE TABLE p (id INTEGER PRIMARY KEY); INSERT INTO p VALUES (1);"
        "CREATE TABLE t (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES p (id));",
        ((1, 1), (77, 99)),
        (),  # there is no exact copy of it under a foreign key that holds
    ),
    Awkward(
        "a CHECK",
        "CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER CHECK (n >= 0))",
        ((1, 0),),
        ((1, 0),),
        refuse="INSERT INTO t VALUES (2, -1)",
    ),
    Awkward(
        "a generated column",
        "CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER, twice INTEGER AS (n * 2));"
        "INSERT INTO t (id, n) VALUES (1, 4);",
        (),
        ((8,),),
        ask="SELECT twice FROM t",
        refuse="INSERT INTO t (id, n, twice) VALUES (2, 1, 3)",
    ),
    Awkward(
        "an index that is unique for some rows",
        "CREATE TABLE t (id INTEGER PRIMARY KEY, owner INTEGER NOT NULL, active INTEGER NOT NULL);"
        "CREATE UNIQUE INDEX one ON t (owner) WHERE active = 1;",
        ((1, 7, 1), (2, 7, 0), (3, 7, 0)),
        ((1, 7, 1), (2, 7, 0), (3, 7, 0)),
        refuse="INSERT INTO t VALUES (4, 7, 1)",
    ),
)


def losses(bench: Bench, server: MariaDBServer) -> None:
    """``migration_losses``: of the databases, how many are other than they were, without an error or a word.

    ``migration_refused``: those that a side ends at, and names. Ours is `postrmagic db transfer` in one process, every
    decision accepted; sqlite3-to-mysql has its defaults; ``sqlalchemy`` reflects the tables, creates them, copies rows.
    """
    program = bench.peer(sides.PEER, sides.peer_program)
    moves: dict[str, _Move] = {"": moved, "_peer.sqlalchemy": by_reflection}
    if program is not None:
        moves["_peer.sqlite3_to_mysql"] = partial(by_command, program)
    cases = AWKWARD[-bench.scaled(len(AWKWARD), 5) :]
    bench.figure("migration_cases", len(cases))
    for end, move in moves.items():
        with ThreadPoolExecutor(2) as pool:
            found = Counter(pool.map(partial(outcome, server, move), cases))
        bench.figure(f"migration_losses{end}", found["lost"])
        bench.figure(f"migration_refused{end}", found["refused"])


def outcome(server: MariaDBServer, move: _Move, awkward: Awkward) -> Outcome:
    """What became of it, into a database of its own."""
    url = server.create_database()
    try:
        with tempfile.TemporaryDirectory() as folder:
            move(awkward.write(Path(folder)), url)
        there = asked(server, url, awkward.ask)
        if not _same(there, awkward.expected):
            return "lost"
        if awkward.refuse is not None:
            with suppress(pymysql.MySQLError):
                asked(server, url, awkward.refuse)
                return "lost"
    except Refused:
        return "refused"
    finally:
        server.drop_database(url)
    return "exact"


def _same(there: tuple[tuple[Any, ...], ...], expected: tuple[tuple[Any, ...], ...]) -> bool:
    def plain(value: Any) -> Any:
        return float(value) if isinstance(value, Decimal) else value

    return tuple(tuple(plain(value) for value in row) for row in there) == expected


def moved(source: Path, url: str) -> None:
    """Ours: planned, run, verified."""
    from postrmagic_core.database.transfer.copying.options import RunOptions
    from postrmagic_core.database.transfer.copying.run import run
    from postrmagic_core.database.transfer.interface import unreported
    from postrmagic_core.database.transfer.planning.plan import plan
    from postrmagic_core.database.transfer.verifying.verify import verify

    planned = plan(source, url, unreported)
    planned = replace(planned, findings=tuple(replace(one, accepted=True) for one in planned.findings))
    try:
        run(planned, url, RunOptions(), unreported)
    except PostrMagicError as error:
        raise Refused(str(error)) from error
    if not verify(planned, url).equal:
        raise Refused("the verifier found a difference")


def by_command(program: Path, source: Path, url: str) -> None:
    """sqlite3-to-mysql with its defaults."""
    try:
        sides.copied(program, source, url)
    except RuntimeError as error:
        raise Refused(str(error)) from error


def by_reflection(source: Path, url: str) -> None:
    """What one would write by hand: the tables as SQLAlchemy reflects them, created there, and every row inserted."""
    here, there, tables = create_engine(f"sqlite:///{source}"), create_engine(_with_driver(url)), MetaData()
    try:
        tables.reflect(here)
        tables.create_all(there)
        with here.connect() as reading, there.begin() as writing:
            for table in tables.sorted_tables:
                rows = [dict(row) for row in reading.execute(select(table)).mappings()]
                if rows:
                    writing.execute(insert(table), rows)
    except (SQLAlchemyError, TypeError, ValueError) as error:
        raise Refused(str(error)) from error
    finally:
        here.dispose()
        there.dispose()


def _with_driver(url: str) -> str:
    return url.replace("mysql://", "mysql+pymysql://", 1)

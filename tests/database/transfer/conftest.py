"""A SQLite file to move, and an empty database of each server to move it into."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from postrmagic_core.database.transfer.interface import Server
from postrmagic_core.database.transfer.server import Target, open_target
from postrmagic_core.database.transfer.session import Session

SERVERS = {"mariadb": "mariadb_url", "mysql": "mysql_url"}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the source is: a file that is not there yet."""
    return tmp_path / "source.db"


@pytest.fixture
def fill(file: Path) -> Callable[..., None]:
    """Run a script on it, then each further statement with its rows."""

    def run(script: str, *inserts: tuple[str, list[tuple[object, ...]]]) -> None:
        with closing(sqlite3.connect(file)) as connection, connection:
            connection.executescript(script)
            for statement, rows in inserts:
                connection.executemany(statement, rows)

    return run


@pytest.fixture(params=["mariadb", pytest.param("mysql", marks=pytest.mark.soak)])
def url(request: pytest.FixtureRequest) -> str:
    """URL of an empty database on MariaDB, and on MySQL itself."""
    found: str = request.getfixturevalue(SERVERS[request.param])
    if request.param == "mysql":  # which takes no rows by LOAD DATA LOCAL unless it is told to
        with closing(open_target(found).connect()) as session:
            session.execute("SET GLOBAL local_infile = 1")
    return found


@pytest.fixture
def target(url: str) -> Target:
    """The same, asked what it is."""
    return open_target(url)


@pytest.fixture
def server(target: Target) -> Server:
    """What a plan is made for."""
    return target.server


@pytest.fixture
def session(target: Target) -> Iterator[Session]:
    """A session on it, closed after the test."""
    with closing(target.connect()) as session:
        yield session

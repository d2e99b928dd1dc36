"""A server, or a file, without room: units fail whole, reads go on, and with room so do writes."""

from __future__ import annotations

import contextlib
import resource
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import text

from postrmagic_core.database import DatabaseManager, Unit
from postrmagic_core.errors import OutOfSpace
from postrmagic_core.testing.servers import MariaDBServer, MySQLServer, require
from tests.disks import Ballast

pytestmark = pytest.mark.fault

ROWS = 200
MB = 1024 * 1024
# Rows that fit a page: where a rollback of longer values finds no room, MariaDB 10.11 ends itself.
FILES = text("CREATE TABLE files (unit INTEGER NOT NULL, body VARCHAR(3000) NOT NULL)")
TALLY = text("CREATE TABLE tally (id INTEGER PRIMARY KEY, n INTEGER NOT NULL)")
INSERT = text("INSERT INTO files VALUES (:unit, :body)")
KINDS = [
    pytest.param(MariaDBServer, id="mariadb"),
    pytest.param(MySQLServer, id="mysql", marks=pytest.mark.soak),
]
COUNT = text("UPDATE tally SET n = n + 1 WHERE id = 1")


def add(tx: Unit, number: int) -> None:
    """What a unit writes: something small and old, then much that is new."""
    tx.execute(COUNT)
    tx.execute(INSERT, [{"unit": number, "body": "x" * 2000} for _ in range(ROWS)])


def held(database: DatabaseManager) -> tuple[int, dict[int, int]]:
    """The tally, and how many rows there are of each unit."""
    with database.read() as tx:
        rows = tx.execute(text("SELECT unit, COUNT(*) FROM files GROUP BY unit ORDER BY unit"))
        return tx.scalar(text("SELECT n FROM tally")), dict(tuple(row) for row in rows)


def prove(url: str, use_up: Callable[[], None], make_room: Callable[[], None], restart: Callable[[], None]) -> None:
    """What is promised, on a database whose room is used up, made again, and which then dies and returns."""
    with DatabaseManager(url) as database:
        with database.write() as tx:
            tx.execute(FILES)
            tx.execute(TALLY)
            tx.execute(text("INSERT INTO tally VALUES (1, 0)"))
        use_up()
        acknowledged = 0
        with contextlib.suppress(OutOfSpace):
            while acknowledged < 200:
                database.transact(add, acknowledged)
                acknowledged += 1
        assert 0 < acknowledged < 200, "the room was never used up"
        expected = acknowledged, dict.fromkeys(range(acknowledged), ROWS)
        assert held(database) == expected
        with pytest.raises(OutOfSpace) as caught, database.write() as careless, contextlib.suppress(OutOfSpace):
            add(careless, acknowledged)
        assert not caught.value.retryable
        assert held(database) == expected, "what its caller overlooked was committed in part"
        make_room()
        database.transact(add, acknowledged)
        expected = acknowledged + 1, dict.fromkeys(range(acknowledged + 1), ROWS)
        assert held(database) == expected
        restart()
        assert held(database) == expected


def die(server: MariaDBServer) -> None:
    """As by ``kill -9``, and back."""
    server.kill()
    server.start()


def allow_files(server: MariaDBServer, size: int) -> None:
    """Let no file of the server grow beyond ``size`` bytes: its disk is full, though nobody else's."""
    _, hard = resource.prlimit(server.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (size, hard))


@pytest.mark.mysql
@pytest.mark.parametrize("kind", KINDS)
def test_a_server_without_room_fails_units_whole_and_heals(kind: type[MariaDBServer]) -> None:
    """OutOfSpace, whoever catches it; what was acknowledged is there, also after the server was killed."""
    require(kind.binary(), f"faults need a private server: there is no {kind.name}")
    with kind() as server:

        def use_up() -> None:
            allow_files(server, 20 * MB)

        def make_room() -> None:
            allow_files(server, resource.RLIM_INFINITY)

        prove(server.create_database(), use_up, make_room, partial(die, server))


@pytest.mark.mysql
@pytest.mark.soak
@pytest.mark.parametrize("kind", KINDS)
def test_a_full_disk_fails_units_whole_and_heals(kind: type[MariaDBServer], small_disk: Path) -> None:
    """The same with the data on a disk that is full to the last page: no file of the server's finds room."""
    require(kind.binary(), f"faults need a private server: there is no {kind.name}")
    with kind() as server:
        server.stop()
        data = server.directory / "data"
        shutil.move(data, small_disk / "data")
        data.symlink_to(small_disk / "data")
        server.start()
        ballast = Ballast(small_disk, 12 * MB)
        prove(server.create_database(), ballast.load, ballast.drop, partial(die, server))


@pytest.mark.soak
def test_a_full_disk_fails_units_of_a_file_whole_and_heals(small_disk: Path) -> None:
    """SQLite in the same place, file and write-ahead log; nothing is damaged."""
    ballast, url = Ballast(small_disk, 4 * MB), f"sqlite:///{small_disk / 'app.db'}"
    prove(url, ballast.load, ballast.drop, lambda: None)
    with DatabaseManager(url) as database, database.read() as tx:
        assert tx.scalar(text("PRAGMA integrity_check")) == "ok"

"""Whatever dies while rows come back: a file of the name is there only if everything is in it."""

# ruff: noqa: T201 - a child process speaks by printing
from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from postrmagic_core.database.transfer.interface import Plan
from postrmagic_core.database.transfer.reversing.file import PARTIAL
from postrmagic_core.database.transfer.reversing.reverse import reverse
from postrmagic_core.database.transfer.server import open_target
from postrmagic_core.errors import BackendError, BackendUnavailable, ConfigurationError, OutOfSpace, RowRefused
from postrmagic_core.testing import FaultProxy, spawn
from postrmagic_core.testing.servers import MariaDBServer

pytestmark = [pytest.mark.mysql, pytest.mark.fault]

ROWS = 20_000
MB = 2**20
# Of a whole process, in MiB; most of it is Python and its modules.
MOST_MEMORY = 60
MILLION = 1_000_000


class Stopped(Exception):
    """Raised where a test has seen enough."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the file shall be."""
    return tmp_path / "back.db"


def seed(url: str, rows: int) -> None:
    """A table of so many rows of about 220 bytes."""
    with closing(open_target(url).connect()) as session:
        session.execute(
            "CREATE TABLE t (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, title VARCHAR(80), body TEXT, n BIGINT,"
            " price DECIMAL(12,2), ratio DOUBLE, made DATETIME, flag TINYINT(1))"
        )
        session.execute(
            "INSERT INTO t (title, body, n, price, ratio, made, flag) WITH RECURSIVE s (i) AS (SELECT 1 UNION ALL "
            "SELECT i + 1 FROM s WHERE i < 1000) SELECT CONCAT('title ', i), REPEAT('body text ', 12), i * 1000003, "
            "i / 100, i / 7, '2024-01-01' + INTERVAL i MINUTE, i % 2 FROM s"
        )
        session.commit()
        while (there := session.rows("SELECT COUNT(*) FROM t")[0][0]) < rows:
            session.execute(
                "INSERT INTO t (title, body, n, price, ratio, made, flag) SELECT title, body, n + 1, price, ratio,"
                f" made, flag FROM t LIMIT {min(there, rows - there)}"
            )
            session.commit()


@pytest.fixture
def seeded(url: str) -> str:
    """A server with such a table."""
    seed(url, ROWS)
    return url


def at_first_rows(act: Callable[[], Any]) -> Callable[[str, int, int | None], None]:
    """Do something once rows have come."""
    acts: Iterator[Callable[[], Any]] = iter([act])

    def report(what: str, done: int, total: int | None) -> None:
        for one in acts:
            one()
            break

    return report


def is_whole(path: Path) -> bool:
    """Whether the file is sound and has every row."""
    with closing(sqlite3.connect(path)) as file:
        found = [file.execute(each).fetchone()[0] for each in ("PRAGMA integrity_check", "SELECT COUNT(*) FROM t")]
    return found == ["ok", ROWS]


def child(url: str, path: str) -> None:
    """Copy, and after some rows wait to be killed."""

    def report(what: str, done: int, total: int | None) -> None:
        print(f"{what} {done}", flush=True)
        if done > ROWS // 2:
            time.sleep(60)

    reverse(url, Path(path), report=report)


def test_after_a_kill_half_way_the_next_run_begins_anew(seeded: str, path: Path) -> None:
    """There is no file of the name, and what was begun is in nobody's way."""
    with spawn(child, seeded, str(path)) as running:
        for line in running.lines():
            if int(line.split()[1]) > ROWS // 2:
                break
        running.kill()
    assert [one.name for one in path.parent.iterdir()] == [path.name + PARTIAL]
    reverse(seeded, path)
    assert is_whole(path)
    assert list(path.parent.iterdir()) == [path]


def test_two_runs_for_one_file_do_not_meet(seeded: str, path: Path) -> None:
    """The second is refused, and the first completes."""
    refused: list[str] = []

    def again() -> None:
        with pytest.raises(ConfigurationError, match="another process") as error:
            reverse(seeded, path)
        refused.append(str(error.value))

    reverse(seeded, path, report=at_first_rows(again))
    assert len(refused) == 1
    assert is_whole(path)


def test_a_file_that_appears_meanwhile_is_not_replaced(seeded: str, path: Path) -> None:
    """Whoever wrote it keeps it."""
    with pytest.raises(ConfigurationError, match="there already"):
        reverse(seeded, path, report=at_first_rows(lambda: path.write_text("mine")))
    assert path.read_text() == "mine"
    assert list(path.parent.iterdir()) == [path]


def test_a_run_killed_at_the_very_end_harms_not_its_file(seeded: str, path: Path) -> None:
    """Both names may lead to the complete file then; the next run removes one of them alone."""
    reverse(seeded, path)
    kept = path.with_name("kept.db")
    os.link(path, path.with_name(path.name + PARTIAL))
    path.rename(kept)
    reverse(seeded, path)
    assert is_whole(kept)
    assert is_whole(path)


@pytest.mark.parametrize("code", [errno.EPERM, errno.ENOTSUP])
def test_a_file_system_without_links_will_do(
    seeded: str, path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """The file is renamed there."""

    def link(*_: object) -> None:
        raise OSError(code, "no links")

    monkeypatch.setattr(os, "link", link)
    reverse(seeded, path)
    assert is_whole(path)
    assert list(path.parent.iterdir()) == [path]


def test_a_server_that_dies_leaves_no_file(path: Path, own_mariadb_server: Callable[..., MariaDBServer]) -> None:
    """The error says that it is gone."""
    server = own_mariadb_server()
    url = server.create_database()
    seed(url, ROWS)
    with pytest.raises(BackendError):
        reverse(url, path, report=at_first_rows(server.kill))
    assert list(path.parent.iterdir()) == []


@pytest.mark.parametrize("after", [0, 3, 100, 70_001])
def test_a_connection_that_breaks_anywhere_leaves_no_file(seeded: str, path: Path, after: int) -> None:
    """Between two packets, or within the head or the body of one."""
    with FaultProxy(seeded) as proxy:
        proxy.cut(after, on=b"FROM `t`")
        with pytest.raises(BackendUnavailable):
            reverse(proxy.url, path)
        assert proxy.hits == 1
    assert list(path.parent.iterdir()) == []


def test_small_pieces_make_the_same_rows(seeded: str, path: Path) -> None:
    """However the network parts what the server sends."""
    with FaultProxy(seeded) as proxy:
        proxy.slice(1021)
        reverse(proxy.url, path)
        assert proxy.hits
    assert is_whole(path)


def test_values_of_many_packets_come_whole(url: str, path: Path) -> None:
    """A packet ends at 16 MiB; a row goes on in the next, even if that is empty."""
    sizes = [2**24 - 10, 2**24, 2 * 2**24 + 5]
    with closing(open_target(url).connect()) as session:
        (most,) = session.rows("SELECT @@max_allowed_packet")[0]
        session.execute("CREATE TABLE t (id INT PRIMARY KEY, v LONGBLOB)")
        for size in sizes:
            if size < most:
                session.execute("INSERT INTO t VALUES (%s, REPEAT('x', %s))", [size, size])
        # The row is the packet: the length of the value takes four bytes, the id nine.
        session.execute("INSERT INTO t VALUES (1, REPEAT('x', %s))", [2**24 - 1 - 4 - 2])
        session.commit()
    reverse(url, path)
    with closing(sqlite3.connect(path)) as file:
        found = file.execute("SELECT id, length(v), replace(CAST(v AS TEXT), 'x', '') FROM t").fetchall()
    assert found == [(1, 2**24 - 7, ""), *((size, size, "") for size in sizes if size < most)]


def test_an_interrupt_leaves_no_file_and_no_query(seeded: str, path: Path) -> None:
    """Nothing more is read of what the server would still send."""

    def stop() -> None:
        raise Stopped

    with pytest.raises(Stopped):
        reverse(seeded, path, report=at_first_rows(stop))
    assert list(path.parent.iterdir()) == []


def test_a_row_that_cannot_come_back_ends_the_run_at_once(seeded: str, path: Path) -> None:
    """It is named, and there is no file."""
    with closing(open_target(seeded).connect()) as session:
        session.execute("ALTER TABLE t MODIFY n BIGINT UNSIGNED")
        session.execute("UPDATE t SET n = 18446744073709551615 WHERE id = 3")
        session.commit()
    with pytest.raises(RowRefused, match=r"t\.n, row 3:"):
        reverse(seeded, path)
    assert list(path.parent.iterdir()) == []


def test_a_full_disk_leaves_no_file(seeded: str, small_disk: Path) -> None:
    """And says so."""
    with (small_disk / "ballast").open("wb") as ballast:
        ballast.write(bytes(shutil.disk_usage(small_disk).free - MB))
    with pytest.raises(OutOfSpace):
        reverse(seeded, small_disk / "back.db")
    assert [one.name for one in small_disk.iterdir()] == ["ballast"]


MEASURED = """
import re, sys
from pathlib import Path
from postrmagic_core.database.transfer.reversing.reverse import reverse
rows = reverse(sys.argv[1], Path(sys.argv[2])).rows
# Of this program alone: getrusage() knows that of the process which started it too.
print(rows, int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) // 1024)
"""


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_a_million_rows_come_in_little_memory(url: str, path: Path) -> None:
    """What a run keeps does not grow with the table, and both sides have the same sums."""
    seed(url, MILLION)
    # An interpreter of its own: what is forked from the tests has what these import.
    command = [sys.executable, "-c", MEASURED, url, str(path)]
    rows, memory = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    assert int(rows) == MILLION
    assert int(memory) <= MOST_MEMORY
    sums = "SELECT COUNT(*), SUM(n), SUM(LENGTH(body)), SUM(flag), COUNT(DISTINCT id) FROM t"
    with closing(open_target(url).connect()) as session, closing(sqlite3.connect(path)) as file:
        assert [int(one) for one in session.rows(sums)[0]] == list(file.execute(sums).fetchone())


def test_a_plan_without_tables_makes_an_empty_file(url: str, path: Path) -> None:
    """Nothing to copy is no error."""
    server = open_target(url).server
    report = reverse(url, path, plan=Plan("app.db", "mysql:127.0.0.1", "0123", server, ()))
    assert (report.rows, report.plan.tables) == (0, ())
    assert path.exists()

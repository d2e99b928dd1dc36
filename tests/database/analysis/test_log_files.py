"""Each process keeps its statistics in a file; whoever analyses reads and adds them up."""

from __future__ import annotations

import json
import logging
import os
import stat
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from postrmagic_core._metrics import LATENCY_BOUNDS
from postrmagic_core.database import DatabaseManager, QueryLogOptions
from postrmagic_core.database.analysis.files import KEPT, merged, read_logs
from postrmagic_core.database.analysis.interface import Caller, QueryLogFile, QueryStats
from postrmagic_core.testing import spawn, until

Logged = Callable[..., DatabaseManager]
BY_ID = text("SELECT n FROM numbers WHERE id = :id")
NONE = (0,) * (len(LATENCY_BOUNDS) + 1)
QUERY = QueryStats("a" * 16, "SELECT ?", 1, 0, 1.0, 1.0, (1, *NONE[1:]), 1, (Caller("app.py:1 (f)", 1),), ("SCAN a",))


def ask(db: DatabaseManager) -> None:
    """One statement."""
    with db.read() as tx:
        tx.scalar(BY_ID, {"id": 1})


def test_closing_writes_the_file(logged: Logged, tmp_path: Path) -> None:
    """What was counted is there afterwards, word for word, for the owner's eyes only."""
    db = logged(directory=tmp_path / "queries")
    ask(db)
    assert db.queries is not None
    counted = tuple(db.queries.stats())
    db.close()
    (path,) = (tmp_path / "queries").iterdir()
    (file,) = read_logs(tmp_path / "queries")
    assert path.name.startswith(f"{os.getpid()}-")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert (file.dialect, file.database_id, file.pid) == (db.dialect, db.database_id, os.getpid())
    assert 0 < file.since_us <= file.until_us
    assert file.queries == counted


def test_what_changed_is_written_by_and_by(logged: Logged, tmp_path: Path) -> None:
    """A thread of its own writes, without anybody asking, and again when something changed."""
    db = logged(directory=tmp_path, interval=0.02)

    def counted() -> list[int]:
        return [file.queries[0].count for file in read_logs(tmp_path) if file.queries]

    ask(db)
    until(lambda: 1 in counted())
    ask(db)
    until(lambda: 2 in counted())


def test_without_a_statement_there_is_no_file(open_database: Callable[..., DatabaseManager], tmp_path: Path) -> None:
    """A manager that is opened and closed leaves nothing, and starts no thread."""
    open_database(queries=QueryLogOptions(directory=tmp_path / "queries")).close()
    assert not (tmp_path / "queries").exists()


def test_a_database_opened_again_goes_on(logged: Logged, tmp_path: Path) -> None:
    """The thread ends with the manager and comes back with its next statement."""
    db = logged(directory=tmp_path)
    for count in (1, 2):
        ask(db)
        db.close()
        assert [file.queries[0].count for file in read_logs(tmp_path)] == [count]
        db.open()


def count_in_child(url: str, directory: str) -> None:
    """In another process: three statements."""
    with DatabaseManager(url, queries=QueryLogOptions(directory=Path(directory))) as db:
        for _ in range(3):
            ask(db)


def test_processes_are_added_up(logged: Logged, database_url: str, tmp_path: Path) -> None:
    """Two processes, two files, one sum."""
    db = logged(directory=tmp_path)
    with spawn(count_in_child, database_url, str(tmp_path)) as child:
        assert child.wait() == 0
    ask(db)
    db.close()
    found = read_logs(tmp_path)
    assert len({file.pid for file in found}) == 2
    (query,) = merged(found)
    assert (query.count, sum(query.buckets)) == (4, 4)


def test_a_forked_child_has_a_file_of_its_own(logged: Logged, tmp_path: Path) -> None:
    """It never writes to its parent's."""
    db = logged(directory=tmp_path)
    log = db.queries
    assert log is not None
    ask(db)
    child = os.fork()
    if child == 0:
        ask(db)
        ask(db)
        log.flush()
        os._exit(0)
    os.waitpid(child, 0)
    db.close()
    assert sorted((file.pid == os.getpid(), file.queries[0].count) for file in read_logs(tmp_path)) == [
        (False, 2),
        (True, 1),
    ]


def test_merging_adds_what_adds_and_keeps_the_newest_plan() -> None:
    """Sums, the slowest of all, lines together, and the plan that was captured last."""
    older = QueryLogFile("sqlite", "x", 1, 0, 10, (QUERY,))
    newer_query = replace(
        QUERY,
        count=4,
        errors=1,
        slowest=3.0,
        seconds=5.0,
        plan=("SEARCH a",),
        callers=(Caller("app.py:2 (g)", 3), Caller("app.py:1 (f)", 1)),
    )
    other = replace(QUERY, fingerprint="b" * 16, seconds=100.0)
    newer = QueryLogFile("sqlite", "x", 2, 0, 20, (newer_query, other))
    first, second = merged([newer, older])
    assert first == other
    assert (second.count, second.errors, second.seconds, second.slowest, second.rows) == (5, 1, 6.0, 3.0, 2)
    assert second.buckets[0] == 2
    assert second.callers == (Caller("app.py:2 (g)", 3), Caller("app.py:1 (f)", 2))
    assert second.plan == ("SEARCH a",)
    assert merged([]) == ()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"{}",
        b'{"version": 99, "queries": []}',
        b'{"version": 1, "queries": [{}]}',
        b"[" * 100_000,
    ],
)
def test_what_cannot_be_read_is_passed_over_and_told(
    content: bytes, logged: Logged, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A torn, foreign or newer file does not hide the others."""
    db = logged(directory=tmp_path)
    ask(db)
    db.close()
    (tmp_path / "7-0000000000000000.json").write_bytes(content)
    assert len(read_logs(tmp_path)) == 1
    assert "7-0000000000000000.json" in caplog.text


def test_a_missing_directory_holds_no_logs(tmp_path: Path) -> None:
    """Nothing was logged yet."""
    assert read_logs(tmp_path / "absent") == []


def test_files_of_processes_long_gone_are_removed(logged: Logged, tmp_path: Path) -> None:
    """After 14 days; drafts of a process that died too, other files never."""
    names = ("5-aa.json", "5-aa.01020304.tmp", "6-bb.json", "notes.txt")
    for name in names:
        (tmp_path / name).write_text("{}")
        age = time.time() - (KEPT - 60 if name.startswith("6") else KEPT + 60)
        os.utime(tmp_path / name, (age, age))
    db = logged(directory=tmp_path)
    ask(db)
    db.close()
    assert sorted({path.name for path in tmp_path.iterdir()} & set(names)) == ["6-bb.json", "notes.txt"]


def test_a_disk_that_takes_nothing_is_told_once(
    logged: Logged, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Statements go on; the warning names the directory."""

    def full(*_: Any, **__: Any) -> int:
        raise OSError(28, "No space left on device")

    db = logged(directory=tmp_path / "queries")
    monkeypatch.setattr("postrmagic_core.database.analysis.files.os.open", full)
    assert db.queries is not None
    publisher = db.queries._publisher
    assert publisher is not None
    for _ in range(3):
        ask(db)
        publisher._turn()
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert [str(tmp_path / "queries") in record.getMessage() for record in warnings] == [True]
    with pytest.raises(OSError, match="No space"):
        db.queries.flush()
    assert not list((tmp_path / "queries").iterdir())


def test_the_format_says_its_version(logged: Logged, tmp_path: Path) -> None:
    """So that a later one may change it."""
    db = logged(directory=tmp_path / "queries")
    ask(db)
    assert db.queries is not None
    db.queries.flush()
    (path,) = (tmp_path / "queries").iterdir()
    assert json.loads(path.read_text())["version"] == 1

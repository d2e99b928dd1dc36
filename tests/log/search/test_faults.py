"""What may break under the index: the process, the disk, a segment; and what is read meanwhile."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from postrmagic_core.log.query import parse
from postrmagic_core.log.search import segment
from postrmagic_core.log.search.reader import Plan
from postrmagic_core.log.search.writer import LINES
from postrmagic_core.testing import until
from tests.log.search.rig import PATIENCE, Logs

COLLECT = """
import sys
import time
from pathlib import Path
from postrmagic_core.log.search import Collector
from postrmagic_core.testing.faults import apply_from_environment

apply_from_environment()
collector = Collector(Path(sys.argv[1]), Path(sys.argv[2]))
with collector:
    print("open", flush=True)
    sys.stdin.read()
"""


def started(logs: Logs) -> subprocess.Popen[str]:
    """A process that collects."""
    command = [sys.executable, "-c", COLLECT, str(logs.spool), str(logs.index)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "open\n"
    return process


def ended(process: subprocess.Popen[str], how: int) -> None:
    """It is gone."""
    process.send_signal(how)
    process.wait(30)
    for stream in (process.stdin, process.stdout):
        assert stream is not None
        stream.close()


@pytest.mark.fault
@pytest.mark.parametrize("kills", [2, pytest.param(12, marks=pytest.mark.soak)])
def test_kill_9_while_collecting_loses_nothing_and_doubles_nothing(logs: Logs, kills: int) -> None:
    """Whenever it happens: the place in the spool is kept with the lines."""
    total = 0
    for kill in range(kills):
        logs.log_all(logs.record("kept", number=total + n) for n in range(16 * LINES))
        total += 16 * LINES
        before = blocks(logs)
        process = started(logs)
        # Something was collected: from here on at whichever moment it is.
        until(partial(collected, logs, before), "nothing was collected", PATIENCE)
        time.sleep(0.003 * kill)
        ended(process, signal.SIGKILL)
    logs.collect()
    assert numbers(logs) == list(range(total))


def collected(logs: Logs, before: int) -> bool:
    """Whether there are more blocks than there were."""
    return blocks(logs) > before


def blocks(logs: Logs) -> int:
    """How many there are in the first segment, in which all of this has room."""
    connection = segment.read(segment.path_of(logs.index, 1))
    if connection is None:
        return 0
    with closing(connection):
        return int(connection.execute("SELECT COUNT(*) FROM blocks").fetchone()[0])


def numbers(logs: Logs) -> list[int]:
    """Every record's number, oldest first."""
    found: list[int] = []
    cursor = "0.0"
    while True:
        page = logs.found.tail("kept", cursor)
        if page.cursor == cursor:
            return found
        found += [record["number"] for record in page.records]
        cursor = page.cursor


@pytest.mark.fault
def test_what_is_killed_between_two_segments_goes_on(logs: Logs) -> None:
    """A segment that nothing was written into yet knows no place; the one before it does."""
    logs.log("first", number=0)
    logs.collect()
    segment.write(segment.path_of(logs.index, 2)).close()
    logs.log("second", number=1)
    logs.collect()
    assert logs.events() == ["second", "first"]
    assert logs.count("log_indexed_lines_total") == 2


@pytest.mark.fault
def test_a_disk_that_is_full_stops_it_until_there_is_room(logs: Logs, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is counted and told once; then everything is there, once."""
    collector = logs.collector()
    logs.log("first")
    assert collector.catch_up()
    limit = 0
    write = segment.write

    def small(path: Path) -> sqlite3.Connection:
        connection = write(path)
        if limit:
            connection.execute(f"PRAGMA max_page_count = {limit}")
        return connection

    monkeypatch.setattr(segment, "write", small)
    limit = 20
    logs.log_all(logs.record(os.urandom(60).hex()) for _ in range(8 * LINES))
    with collector:
        until(lambda: logs.count("log_index_failures_total") >= 1, timeout=PATIENCE)
        assert logs.events() == ["first"]
        limit = 0
        until(lambda: logs.count("log_indexed_lines_total") == 8 * LINES + 1, timeout=PATIENCE)
    assert logs.found.search("", limit=1000, before=logs.found.tail("").cursor).records
    assert len(logs.events(limit=1000)) == 1000


@pytest.mark.fault
@pytest.mark.parametrize("damage", ["all", "head", "body"])
def test_a_segment_that_cannot_be_read_is_put_aside(logs: Logs, damage: str, caplog: pytest.LogCaptureFixture) -> None:
    """It is told; whoever looks sees the rest; what the spool still has is indexed again."""
    logs.log("old")
    logs.collect()
    logs.clock.advance(86_400)
    logs.collect()
    assert segment.segments(logs.index) == [1, 2]
    logs.log_all(logs.record(f"new {n}", user_id=n) for n in range(3 * LINES))
    logs.collect()
    spoil(segment.path_of(logs.index, 2), damage)
    assert logs.events("old") == ["old"]
    assert "could not be read" in caplog.text or damage == "body"
    logs.log("newest")
    collector = logs.collector()
    with collector:
        until(lambda: logs.events("newest") == ["newest"], timeout=PATIENCE)
    assert logs.events("user:77") == ["new 77"]
    assert logs.count("log_index_unreadable_total") == 1
    assert list(logs.index.glob("*.db.unreadable"))
    assert "put aside" in caplog.text


def spoil(path: Path, damage: str) -> None:
    """Overwrite a segment."""
    size = path.stat().st_size
    begin, end = {"all": (0, size), "head": (0, 4096), "body": (8192, size)}[damage]
    with path.open("r+b") as file:
        file.seek(begin)
        file.write(b"\xa5" * (end - begin))


@pytest.mark.fault
def test_a_search_reads_on_while_its_segment_is_removed(logs: Logs) -> None:
    """What was there when it began is there to its end; the next search has it no more."""
    logs.log_all(logs.record(f"e{n}") for n in range(LINES + 10))
    logs.collect()
    index = logs.found._index
    opened = index.opened(index.numbers())
    one = next(opened)
    headers = one.headers()
    segment.remove(segment.path_of(logs.index, 1))
    assert sum(block.lines for block in headers) == LINES + 10
    assert all(list(one.found(plan(""), block, range(block.lines))) for block in headers)
    assert next(opened, None) is None
    assert logs.events() == []


def plan(text: str) -> Plan:
    """What a query means."""
    return Plan(parse(text, 0))


@pytest.mark.fault
def test_a_forked_child_leaves_the_collecting_to_its_parent(logs: Logs) -> None:
    """Neither the lock nor the file is its own: what lives on holds nothing."""
    collector = logs.collector()
    logs.log("first")
    with collector:
        until(lambda: logs.count("log_indexed_lines_total") == 1, timeout=PATIENCE)
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                os.close(writing)
                os.read(reading, 1)  # until its parent has had its answer
                collector.close()
            finally:
                os._exit(0)
        os.close(reading)
        logs.log("second")
        until(lambda: logs.count("log_indexed_lines_total") == 2, timeout=PATIENCE)
    taken_over = logs.collector().catch_up()
    os.close(writing)
    assert os.waitpid(child, 0)[1] == 0
    assert taken_over
    assert logs.events() == ["second", "first"]


@pytest.mark.fault
@pytest.mark.parametrize("removed", ["*", "*.db*"])
def test_an_index_that_is_removed_is_begun_anew(logs: Logs, removed: str) -> None:
    """While it is written: from what the spool has, which another process could collect meanwhile too."""
    with logs.collector():
        logs.log("first")
        until(lambda: logs.events() == ["first"], timeout=PATIENCE)
        for path in logs.index.glob(removed):
            path.unlink()
        logs.log("second")
        until(lambda: logs.events() == ["second", "first"], timeout=PATIENCE)
        assert not logs.collector().catch_up(1.0)  # its lock is the one that is there


@pytest.mark.fault
def test_an_open_block_that_cannot_be_unpacked_is_put_aside(logs: Logs) -> None:
    """It is read again from the spool, as of any segment that cannot be read."""
    logs.log("first")
    logs.collect()
    with sqlite3.connect(segment.path_of(logs.index, 1)) as connection:
        connection.execute("UPDATE blocks SET body = x'00'")
    connection.close()
    logs.collect()
    assert logs.events() == ["first"]
    assert logs.count("log_index_unreadable_total") == 1


@pytest.mark.fault
def test_words_that_lead_nowhere_are_told_and_searched_without(logs: Logs, caplog: pytest.LogCaptureFixture) -> None:
    """Where the disk changed them."""
    logs.log_all(logs.record(f"e{number}") for number in range(LINES))
    logs.collect()
    with sqlite3.connect(segment.path_of(logs.index, 1)) as connection:
        connection.execute("UPDATE terms SET hashes = x'000000'")
    connection.close()
    assert logs.events("e7") == ["e7"]
    assert "could not be read" in caplog.text


@pytest.mark.fault
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")
def test_who_may_only_read_the_directory_searches(logs: Logs, tmp_path: Path) -> None:
    """Also while nobody writes, when SQLite's files beside it are not there."""
    logs.log("seen")
    logs.collect()
    for path in (logs.index, *logs.index.iterdir()):
        path.chmod(0o755 if path.is_dir() else 0o644)
    above = [path for path in (tmp_path, *tmp_path.parents[:-2]) if not path.stat().st_mode & 0o001]
    modes = [path.stat().st_mode for path in above]
    for path in above:
        path.chmod(0o755)
    os.seteuid(65534)
    try:
        assert logs.events() == ["seen"]
    finally:
        os.seteuid(0)
        for path, mode in zip(above, modes, strict=True):
            path.chmod(mode)

"""Collecting: once each, by one process, whatever the lines are, and only so much for so long."""

from __future__ import annotations

import fcntl
import io
import logging
import os
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing, suppress
from functools import partial
from pathlib import Path

import orjson
import pytest

from postrmagic_core._clock import from_us
from postrmagic_core.errors import ConfigurationError
from postrmagic_core.log import configure
from postrmagic_core.log.search import Collector, LogIndex, segment
from postrmagic_core.log.search.packing import LONGEST
from postrmagic_core.log.search.writer import LINES
from postrmagic_core.log.spool import LEAST, Spool
from postrmagic_core.testing import FakeClock, until
from tests.log.search.rig import NOON, PATIENCE, Logs


def test_what_is_logged_is_found_soon(tmp_path: Path) -> None:
    """Within about a second, while the collector is open."""
    with (
        Collector(tmp_path / "spool", tmp_path / "index"),
        configure(stream=io.StringIO(), format="json", spool=tmp_path / "spool"),
    ):
        logging.getLogger("tests.collector").warning("it was %s", "seen", extra={"user_id": 7})
        index = LogIndex(tmp_path / "index")
        until(lambda: index.search("user:7 seen level:warning").records, timeout=PATIENCE)
        assert len(index.search("user:7").records) == 1


def test_each_line_is_indexed_once_however_often_it_is_begun(logs: Logs) -> None:
    """A collector that comes after another goes on where that stopped."""
    for number in range(5):
        logs.log_all(logs.record(f"e{number}-{n}") for n in range(LINES // 3))
        logs.collect()
        logs.collect()
    expected = [f"e{number}-{n}" for number in range(5) for n in range(LINES // 3)]
    assert logs.count("log_indexed_lines_total") == len(expected)
    seen = [record["event"] for record in logs.found.tail("", "0.0", limit=10_000).records]
    assert seen == expected


def test_lines_of_any_kind_are_borne(logs: Logs) -> None:
    """What is no JSON object is counted; the others are found; one that is far too long is cut."""
    long = orjson.dumps(logs.record("long", request_id="r1", text="x" * 2 * LONGEST))
    deep = b'{"event":"deep","a":' + b"[" * 5000 + b"]" * 5000 + b"}"
    shallow = b'{"event":"shallow","a":' + b"[" * 200 + b"7" + b"]" * 200 + b"}"
    logs.put(
        [
            orjson.dumps(logs.record("first")),
            b"{torn}",
            b'{"event":"nul \x00"}',
            b'{"event":"half \\ud800"}',
            b'{"event":"one"},{"event":"two"}',
            b'{"event":"open [","a":[1}',
            deep,
            shallow,
            long,
            b'{"ts":5,"level":[],"logger":{},"event":null}',
            b'{"ts":"9999-99-99T99:99:99.999999Z","level":"loud","event":"odd"}',
            b"{}",
            orjson.dumps(logs.record("last")),
        ]
    )
    logs.collect()
    assert logs.count("log_index_unreadable_total") == 6
    assert logs.count("log_indexed_lines_total") == 7
    found = logs.found.search("").records
    assert [record.get("event") for record in found] == ["last", None, "odd", None, "long", "shallow", "first"]
    assert found[4]["cut_bytes"] == len(long)
    assert logs.events("request:r1") == ["long"]
    assert logs.found.stats().total >= 0


def test_of_two_collectors_one_collects(logs: Logs) -> None:
    """The other tells that it does not, and takes over when the first has ended."""
    first, second = logs.collector(), logs.collector()
    logs.log("seen")
    with first:
        until(lambda: logs.count("log_indexed_lines_total") == 1, timeout=PATIENCE)
        assert not second.catch_up()
        assert [name for name, _, _ in logs.metrics.gauges()] == ["log_index_bytes"]
    logs.log("later")
    assert second.catch_up()
    assert logs.count("log_indexed_lines_total") == 2


def test_closing_and_opening_again_goes_on(logs: Logs) -> None:
    """A collector is no more used up by its end than other managers."""
    collector = logs.collector()
    for number in range(2):
        logs.log(f"e{number}")
        with collector:
            until(partial(_indexed, logs, number + 1), timeout=PATIENCE)
    assert logs.events() == ["e1", "e0"]


def _indexed(logs: Logs, lines: int) -> bool:
    return logs.count("log_indexed_lines_total") == lines


def test_a_day_or_a_share_of_the_bytes_is_a_segment_and_the_oldest_go(logs: Logs) -> None:
    """By age, and by size; the one that is written stays."""
    for day in range(4):
        logs.log(f"day {day}", at=day * 86_400)
        logs.collect(days=2.5)
        logs.clock.advance(86_400)
        logs.collect(days=2.5)  # turns
    assert logs.events() == ["day 3", "day 2"]
    for part in range(6):
        logs.log_all(logs.record(f"{part}", text=os.urandom(400).hex(), at=4 * 86_400) for _ in range(4 * LINES))
        logs.collect(max_bytes=2_000_000)
    found = set(logs.events(limit=1000))
    assert "5" in found
    assert "day 3" not in logs.events("day")
    kept = segment.segments(logs.index)
    assert kept[0] > 2
    assert sum(segment.size_of(segment.path_of(logs.index, number)) for number in kept) < 2_500_000


def test_a_cursor_goes_on_where_its_segment_is_gone(logs: Logs) -> None:
    """With what is older, or newer, than it was."""
    for day in range(3):
        logs.log(f"day {day}", at=day * 86_400)
        logs.collect()
        logs.clock.advance(86_400)
        logs.collect()
    cursor = logs.found.search("", limit=2).cursor
    segment.remove(segment.path_of(logs.index, 2))
    assert logs.events(before=cursor) == ["day 0"]
    assert [record["event"] for record in logs.found.tail("", cursor).records] == ["day 2"]


def test_lines_that_the_spool_removed_are_counted(logs: Logs) -> None:
    """Nobody says that everything is there when it is not."""
    small = Spool(logs.spool, max_bytes=LEAST)
    with closing(small):
        small.write([b'{"event":"first"}'])
        logs.collect()
        for number in range(3000):
            small.write([orjson.dumps({"event": f"e{number}", "text": "x" * 50})])
    logs.collect()
    assert logs.count("log_index_lost_bytes_total") > 0
    assert logs.events(limit=1) == ["e2999"]


def _of_a_later_version(logs: Logs) -> None:
    logs.log("seen")
    logs.collect()
    with closing(sqlite3.connect(segment.path_of(logs.index, 1))) as connection:
        connection.execute("PRAGMA user_version = 99")


def test_an_index_of_a_later_version_is_refused(logs: Logs) -> None:
    """By its number, to whoever reads, and it is not written."""
    _of_a_later_version(logs)
    with pytest.raises(ConfigurationError, match="version 99"):
        logs.found.search("")
    with pytest.raises(ConfigurationError, match="version 99"):
        logs.collector().catch_up()


def test_what_cannot_be_indexed_at_all_is_told_and_does_not_spin(logs: Logs, caplog: pytest.LogCaptureFixture) -> None:
    """Its thread waits a minute."""
    _of_a_later_version(logs)
    with logs.collector():
        until(lambda: "the log cannot be indexed" in caplog.text, timeout=PATIENCE)
    assert caplog.text.count("the log cannot be indexed") == 1


def test_a_process_that_only_logs_loads_no_search() -> None:
    """Nor SQLite for it."""
    code = "import sys, postrmagic_core.log; print([m for m in sys.modules if 'log.search' in m or 'log.query' in m])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_nobody_else_may_read_the_index(logs: Logs) -> None:
    """Nor what lies beside it while it is written."""
    with logs.collector():
        logs.log("seen")
        until(lambda: _indexed(logs, 1), timeout=PATIENCE)
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in logs.index.iterdir()}
        assert {"00000001.db", "00000001.db-wal"} < modes.keys()
        assert not any(mode & 0o137 for mode in modes.values())
    assert stat.S_IMODE(logs.index.stat().st_mode) == 0o750


def test_a_record_of_the_future_keeps_no_others(logs: Logs) -> None:
    """What is collected long ago goes, whatever time it says to be of."""
    logs.log("old", at=0)
    logs.log("of another century", at=10**9)
    logs.collect(days=2.5)
    for day in range(1, 6):
        logs.clock.advance(86_400)
        logs.collect(days=2.5)  # turns
        logs.log(f"day {day}", at=day * 86_400)
        logs.collect(days=2.5)
    assert logs.events() == ["day 5", "day 4", "day 3"]


def test_the_place_in_the_spool_outlives_all_segments(logs: Logs) -> None:
    """Also where nothing was logged for longer than anything is kept."""
    logs.log("old")
    logs.collect(days=2.5)
    logs.clock.advance(10 * 86_400)
    logs.collect(days=2.5)  # turns, and removes
    logs.collect(days=2.5)
    assert (logs.events(), logs.count("log_indexed_lines_total")) == ([], 1)


def test_what_was_put_aside_is_not_kept_for_ever(logs: Logs) -> None:
    """It is of the log, too."""
    logs.log("seen")
    logs.collect(days=2.5)
    aside = [logs.index / f"0000000{number}.db{segment.ASIDE}" for number in (7, 8)]
    for path, age in zip(aside, (3, 2), strict=True):
        path.write_bytes(b"nothing that can be read")
        at = NOON / 1e6 - age * 86_400
        os.utime(path, (at, at))
    logs.collect(days=2.5)
    assert [path.exists() for path in aside] == [False, True]


def test_who_cannot_index_leaves_it_to_others(logs: Logs, caplog: pytest.LogCaptureFixture) -> None:
    """An older version that finds an index of a later one does not hold the lock."""
    test_an_index_of_a_later_version_is_refused(logs)
    with logs.collector(), (logs.index / "collector.lock").open("rb") as lock:
        until(lambda: "the log cannot be indexed" in caplog.text, timeout=PATIENCE)
        until(lambda: _taken(lock), timeout=PATIENCE)


def _taken(lock: io.BufferedReader) -> bool:
    with suppress(BlockingIOError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False


def test_a_clock_that_was_put_back_ends_its_segment(logs: Logs) -> None:
    """Else nothing would leave it before that time comes."""
    day = 86_400
    logs.clock.advance(1000 * day)
    logs.log("too early", at=1000 * day)
    logs.collect(days=2.5)
    logs.clock = logs.found._clock = FakeClock(start=from_us(NOON))
    for number in range(5):
        logs.log(f"day {number}", at=number * day)
        logs.collect(days=2.5)
        logs.clock.advance(day)
    assert "too early" not in logs.events()
    assert logs.events("day")[-1] == "day 1"

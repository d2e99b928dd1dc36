"""The transfer's benchmark measures whole commands, their time and their memory, and sees that every row arrived."""

from __future__ import annotations

import sqlite3
import sys
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path

import pytest

from benchmarks._harness import Bench, Options
from benchmarks._stats import better
from benchmarks.transfer import moving, watching
from benchmarks.transfer.processes import finished
from benchmarks.transfer.source import fill

OURS = {"rows_rate", "verified_rate", "rss_bytes"}
RATIOS = {"rows_rate_ratio", "verified_rate_ratio", "whole_rate_ratio", "rss_ratio"}
NINE = ("CREATE TABLE events (id INT)", "INSERT INTO events VALUES (1),(2),(3),(4),(5),(6),(7),(8),(9)")


class Short(Bench):
    """One round with few rows."""

    def repeats(self, full: int, quick: int) -> int:
        """Always one."""
        return 1

    def scaled(self, full: int, quick: int) -> int:
        """Always a thousand."""
        return 1_000


def python(code: str) -> list[str]:
    """A command."""
    return [sys.executable, "-c", code]


def test_a_row_has_some_220_bytes(tmp_path: Path) -> None:
    """And they are as many as were asked for, all different."""
    path = fill(tmp_path / "source.db", 5_000)
    assert 200 < path.stat().st_size / 5_000 < 240
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT COUNT(*), COUNT(DISTINCT title) FROM events").fetchone() == (5_000, 5_000)


def test_a_command_is_timed_with_its_memory_alone() -> None:
    """What it had at most and gave back, not what the process has that started it."""
    small = finished(python("import time; time.sleep(0.3)"))
    large = finished(python("import time; kept = bytearray(2**27); del kept; time.sleep(0.1)"))
    assert small.seconds >= 0.3
    assert small.peak < 30 * 2**20
    assert 2**27 < large.peak < 2**27 + 30 * 2**20


def test_a_command_that_fails_ends_the_run() -> None:
    """With what it said; an exit status that is expected is none."""
    with pytest.raises(RuntimeError, match=r"ended with 3:\s*alas"):
        finished(python("import sys; print('alas'); sys.exit(3)"))
    assert finished(python("raise SystemExit(3)"), frozenset({3})).seconds > 0


def test_less_memory_than_the_peer_is_better() -> None:
    """Where other ratios are shares, or rates, of which more is better."""
    assert [better(name) for name in ("rss_ratio", "memory_flat_ratio", "rss_bytes")] == ["lower", "higher", "lower"]


def test_who_waits_for_the_source_is_seen(tmp_path: Path) -> None:
    """A lock held for a while is the longest wait of a write; reads go on in a write-ahead log."""
    path = fill(tmp_path / "source.db", 1_000)
    with watching.watched(path) as waits, closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        looked = waits.looks
        finished(python("import time; time.sleep(0.2)"))
        connection.execute("COMMIT")
    assert waits.looks > looked
    assert waits.write > 0.1 > waits.read


@pytest.mark.mysql
@pytest.mark.soak
def test_both_sides_move_every_row() -> None:
    """The peer is measured, or named."""
    bench = Short(Options(quick=True))
    moving.compared(bench)
    peer = find_spec("sqlite3_to_mysql") is not None
    assert bench.figures.keys() == OURS | (RATIOS if peer else set())
    assert all(value > 0 for value in bench.figures.values())
    assert bool(bench.missing) is not peer


@pytest.mark.mysql
def test_the_source_is_read_and_written_all_along() -> None:
    """While a plan is made of it, and while it is moved."""
    bench = Short(Options(quick=True))
    watching.read_all_along(bench)
    assert bench.figures.keys() == {"source_reads_blocked_ms", "source_writes_blocked_ms"}


@pytest.mark.mysql
def test_a_row_that_is_missing_ends_the_run() -> None:
    """No rate is told of rows that did not arrive."""
    with moving.place(10) as (_, server), pytest.raises(RuntimeError, match="9 of 10 rows"):
        moving.emptied(server, 10, lambda url: moving.asked(server, url, *NINE))

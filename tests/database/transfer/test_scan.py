"""What one pass over a table finds, whatever is declared, and in how much memory."""

from __future__ import annotations

import sqlite3
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postrmagic_core.database.transfer.forms.form import form_of
from postrmagic_core.database.transfer.interface import ColumnPlan, unreported
from postrmagic_core.database.transfer.planning.choose_numbers import numbers
from postrmagic_core.database.transfer.source.catalogue import read_source
from postrmagic_core.database.transfer.source.columnscan import EXAMPLES, ColumnScan
from postrmagic_core.database.transfer.source.scan import scan
from postrmagic_core.database.transfer.source.schema import ColumnStats, SourceColumn, TableStats

Scanned = Callable[..., TableStats]


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    """An empty database."""
    with closing(sqlite3.connect(":memory:")) as connection:
        yield connection


@pytest.fixture
def scanned(connection: sqlite3.Connection) -> Scanned:
    """Scans the table ``t`` of the given columns, after the rows are in it."""

    def run(columns: str, *rows: tuple[Any, ...], options: str = "") -> TableStats:
        connection.execute(f"CREATE TABLE t ({columns}) {options}")
        for row in rows:
            connection.execute(f"INSERT INTO t VALUES ({', '.join('?' * len(row))})", row)
        (table,) = read_source(connection).tables
        return scan(connection, table, unreported)

    return run


def test_classes_ranges_and_lengths_are_those_of_the_values(scanned: Scanned) -> None:
    """Nothing is taken from what is declared: an untyped column is told class by class."""
    rows = [(-3,), (2**63 - 1,), (0.25,), ("é😀",), ("a ",), (b"\0\1\2\3\4\5\6",), (None,)]
    found = scanned("v", *rows).columns["v"]
    assert (found.integers, found.reals, found.texts, found.blobs, found.nulls) == (2, 1, 2, 1, 1)
    assert (found.least, found.greatest) == (-3, 2**63 - 1)
    assert (found.characters, found.bytes, found.fewest_bytes) == (2, 7, 2)
    assert (found.four_byte, found.trailing_spaces, found.ascii) == (1, 1, False)
    keys = {kind: key for kind, key, _ in found.seen}
    assert keys == {"integer": (1,), "real": (3,), "text": (4,), "blob": (6,)}


@pytest.mark.parametrize(
    ("value", "whole", "fraction"),
    [(19.99, 2, 2), (0.5, 1, 1), (-0.0001, 1, 4), (1e-7, 1, 7), (1.5e-9, 1, 10), (2.5e20, 21, 0), (-1e16, 17, 0)],
)
def test_digits_are_those_of_the_shortest_decimal(scanned: Scanned, value: float, whole: int, fraction: int) -> None:
    """Also of a number that Python writes with an exponent."""
    found = scanned("v REAL", (value,)).columns["v"]
    assert (found.whole_digits, found.fraction_digits) == (whole, fraction)


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_the_digits_found_are_enough_for_a_decimal(values: list[float]) -> None:
    """Where a DECIMAL is chosen from them, its form takes every value, and gives it back."""
    column = ColumnScan()
    column.add(values, lambda row: (row,))
    declared = SourceColumn("v", "NUMERIC", "numeric")
    chosen = numbers(declared, column.stats())
    assert chosen is not None
    form = form_of(ColumnPlan("v", "v", chosen.type, declared="NUMERIC"))
    kept = [value for value in values if not value.is_integer() or abs(value) >= 2**63]
    assert form.misfit(kept) is None


def test_text_that_is_not_utf_8_is_counted_with_its_keys(scanned: Scanned, connection: sqlite3.Connection) -> None:
    """The pass goes on behind it; as many keys are told as a person reads."""
    connection.execute("CREATE TABLE t (k TEXT PRIMARY KEY, v TEXT)")
    for number in range(9):
        connection.execute("INSERT INTO t VALUES (?, CAST(x'ff41' AS TEXT))", (f"k{number}",))
    connection.execute("INSERT INTO t VALUES ('last', 'fine')")
    (table,) = read_source(connection).tables
    found = scan(connection, table, unreported)
    assert (found.rows, found.columns["v"].misfits) == (10, 9)
    assert found.columns["v"].misfit_keys[0] == (("k0",), "not UTF-8")
    assert len(found.columns["v"].misfit_keys) == EXAMPLES
    assert connection.text_factory is str


def test_a_text_that_another_would_complete_is_still_none() -> None:
    """Each text is read by itself: the halves of a character in two rows are two broken texts."""
    column = ColumnScan()
    column.add([bytearray(b"\xc3"), bytearray(b"\xa9")], lambda row: (row,))
    assert column.stats().misfits == 2


def test_infinite_numbers_are_misfits(scanned: Scanned) -> None:
    """The finite ones beside them are measured."""
    found = scanned("v REAL", (float("inf"),), (1.25,), (float("-inf"),)).columns["v"]
    assert (found.misfits, found.fraction_digits) == (2, 2)
    assert found.misfit_keys == (((1,), "infinite"), ((3,), "infinite"))


def test_a_negative_zero_is_a_misfit_where_sqlite_keeps_it(scanned: Scanned) -> None:
    """Without an affinity; elsewhere it has become another zero."""
    found = scanned("a, b REAL, c NUMERIC", (1.5, -0.0, -0.0), (-0.0, 0.0, 0.0), (0.0, 1.5, 1.5)).columns
    assert [found[name].misfits for name in "abc"] == [1, 0, 0]
    assert found["a"].misfit_keys == (((2,), "negative zero"),)


def test_a_grammar_is_that_of_every_text(scanned: Scanned) -> None:
    """Over all batches: one that is written otherwise at the end takes it away."""
    dates = [
        (f"2024-01-01 10:{n // 60 % 60:02}:{n % 60:02}", f"2024-01-01T10:00:00.{n % 1000:03}Z") for n in range(4500)
    ]
    found = scanned("a DATETIME, b DATETIME", *dates, ("2024-01-01 10:00", None)).columns
    assert (found["a"].grammar, found["b"].grammar, found["b"].grammar_digits) == ("", "%Y-%m-%dT%H:%M:%S.%fZ", 3)


def test_keys_are_those_of_a_person(scanned: Scanned) -> None:
    """The primary key in its own order; zero ids are counted."""
    infinite = float("inf")
    found = scanned("v REAL, b TEXT, a INT, PRIMARY KEY (a, b)", (infinite, "x", 7), options="WITHOUT ROWID")
    assert found.columns["v"].misfit_keys == (((7, "x"), "infinite"),)


def test_zero_ids_are_counted(scanned: Scanned) -> None:
    """A server would take one for no id at all."""
    assert scanned("id INTEGER PRIMARY KEY", (0,), (1,), (-1,)).zero_keys == 1


def test_columns_may_have_the_rowids_name(scanned: Scanned) -> None:
    """The number of a row is then asked for by another of its names."""
    found = scanned("rowid TEXT, _rowid_ TEXT, v REAL", ("a", "b", float("inf")))
    assert found.columns["v"].misfit_keys == (((1,), "infinite"),)


def test_an_empty_table_has_empty_statistics(scanned: Scanned) -> None:
    """For each of its columns."""
    assert scanned("a, b INT") == TableStats(0, {"a": ColumnStats(), "b": ColumnStats()})


def test_memory_is_that_of_a_batch(connection: sqlite3.Connection) -> None:
    """Also where a row is large: 200 MB pass in less than 30."""
    connection.execute("CREATE TABLE t (v TEXT)")
    connection.execute(
        "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 100) "
        "INSERT INTO t SELECT hex(zeroblob(1000000)) FROM n"
    )
    (table,) = read_source(connection).tables
    tracemalloc.start()
    try:
        found = scan(connection, table, unreported)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found.columns["v"].characters == 2_000_000
    assert peak < 30_000_000


def test_progress_is_told(connection: sqlite3.Connection) -> None:
    """Batch by batch, with the table's name; how many there are is guessed from the first and the last rowid."""
    connection.execute("CREATE TABLE t (v)")
    connection.executemany("INSERT INTO t (rowid, v) VALUES (?, 1)", [(n,) for n in range(-10, 4990)])
    connection.execute("DELETE FROM t WHERE rowid = 0")
    (table,) = read_source(connection).tables
    told: list[tuple[str, int, int | None]] = []
    scan(connection, table, lambda *progress: told.append(progress))
    assert {(what, total) for what, _, total in told} == {("reading t", 5000)}
    done = [rows for _, rows, _ in told]
    assert len(done) == 3
    assert done == sorted(done)
    assert done[-1] == 4999


@pytest.mark.parametrize(("first", "second"), [(-(2**63), 2**63 - 1), (5, 5)])
def test_guesses_need_not_be_near(connection: sqlite3.Connection, first: int, second: int) -> None:
    """Rowids at both ends of their range are a long way apart."""
    connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY)")
    connection.executemany("INSERT OR IGNORE INTO t VALUES (?)", [(first,), (second,)])
    (table,) = read_source(connection).tables
    told: list[tuple[str, int, int | None]] = []
    scan(connection, table, lambda *progress: told.append(progress))
    assert told == [("reading t", 1 if first == second else 2, second - first + 1)]


def test_a_table_without_rowid_has_no_guess(connection: sqlite3.Connection) -> None:
    """Counting would read it once more."""
    connection.execute("CREATE TABLE t (id TEXT PRIMARY KEY) WITHOUT ROWID")
    connection.execute("INSERT INTO t VALUES ('a')")
    (table,) = read_source(connection).tables
    told: list[tuple[str, int, int | None]] = []
    scan(connection, table, lambda *progress: told.append(progress))
    assert told == [("reading t", 1, None)]

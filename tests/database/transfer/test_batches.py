"""Rows in the order of a key: all of them once, however they are cut, and from any place on."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postrmagic_core.database.transfer.copying.batches import Reading, ahead, key_as_sql, key_from_json, key_to_json
from postrmagic_core.database.transfer.interface import Key, TablePlan, Value
from postrmagic_core.errors import PlanRefused, RowRefused
from tests.database.transfer.handmade import HIDDEN, column, table, words

VALUES = st.one_of(
    st.none(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=["Cs"])),
    st.binary(),
)


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    """An empty SQLite database."""
    with closing(sqlite3.connect(":memory:")) as connection:
        yield connection


def read(connection: sqlite3.Connection, plan: TablePlan, after: Key | None = None, rows: int = 3) -> list[Key]:
    """The rows, in batches of ``rows``, one after another."""
    found: list[tuple[Value, ...]] = []
    for batch in Reading(plan).batches(connection, after=after, rows=rows):
        assert len(batch) <= rows
        found += zip(*batch.columns, strict=True)
    return found


@given(key=st.lists(VALUES, min_size=1, max_size=3).map(tuple))
def test_a_key_is_kept_exactly(key: Key) -> None:
    """Value and class, through JSON; and as SQL it names the same row."""
    again = key_from_json(key_to_json(key))
    assert repr(again) == repr(key)
    if "\0" not in repr(key) and not any(isinstance(part, str) and "\0" in part for part in key):
        with closing(sqlite3.connect(":memory:")) as connection:
            found = connection.execute(f"SELECT {key_as_sql(key).removeprefix('(').removesuffix(')')}").fetchone()
        assert found == key


@pytest.mark.parametrize(
    ("made", "plan"),
    [
        ("t (a INTEGER PRIMARY KEY, b)", table("t", column("a"), column("b"))),
        ("t (a, b, PRIMARY KEY (a)) WITHOUT ROWID", table("t", column("a"), column("b"))),
        ("t (b, a, PRIMARY KEY (a, b)) WITHOUT ROWID", table("t", column("a"), column("b"), key=("b", "a"))),
        ("t (a, b, PRIMARY KEY (b DESC, a))", table("t", column("a"), column("b"), key=("b", "a"))),
        ("t (a, b)", table("t", HIDDEN, column("a"), column("b"))),
        ("t (a, b)", table("t", column("a"), column("b"), key=("rowid",))),
        ('t (a, "rowid" AS (1), b)', table("t", HIDDEN, column("a"), column("b"), column("rowid", generated="1"))),
    ],
)
def test_every_row_once_from_any_key_on(connection: sqlite3.Connection, made: str, plan: TablePlan) -> None:
    """Keys of one column and several, declared or SQLite's own, and one that a column's name hides."""
    connection.execute(f"CREATE TABLE {made}")
    connection.executemany("INSERT INTO t (a, b) VALUES (?, ?)", [(-n, n % 4) for n in range(20)])
    whole = read(connection, plan)
    assert len(set(whole)) == 20
    for rows in (1, 7, 20, 21):
        assert read(connection, plan, rows=rows) == whole
    place = 0
    for batch in Reading(plan).batches(connection, after=None, rows=3):
        place += len(batch)
        assert read(connection, plan, batch.key(-1)) == whole[place:]
    end = next(Reading(plan).batches(connection, after=None, rows=5)).key(-1)
    (bounded,) = Reading(plan).batches(connection, after=None, up_to=end)
    assert len(bounded) == 5


def test_a_row_number_that_cannot_be_asked_for_is_refused() -> None:
    """Columns hide it by all of its names: another column would be taken for it."""
    hiding = (column("rowid"), column("_ROWID_"), column("oid"))
    with pytest.raises(PlanRefused, match="hides: its columns have all the names"):
        Reading(table("hides", HIDDEN, *hiding))
    Reading(table("hides", *hiding, key=("rowid",)))


def test_text_keys_are_compared_by_their_bytes(connection: sqlite3.Connection) -> None:
    """Case, trailing spaces, and characters beyond the first plane."""
    connection.execute("CREATE TABLE t (k TEXT PRIMARY KEY)")
    names = ["", "A", "a", "a ", "b", "ä", "\uffff", "\U0001f389"]
    connection.executemany("INSERT INTO t VALUES (?)", [(name,) for name in reversed(names)])
    plan = table("t", words("k"))
    assert read(connection, plan, rows=1) == [(name,) for name in names]
    assert read(connection, plan, ("a",)) == [(name,) for name in names[3:]]


def test_a_whole_real_that_is_computed_stays_one_when_it_is_sorted(connection: sqlite3.Connection) -> None:
    """SQLite's own sorter makes an integer of it (3.40); text that a REAL column computes stays text."""
    computed = "r REAL AS (k + 1), t REAL AS ('a' || k)"
    made = f"CREATE TABLE t (k INTEGER PRIMARY KEY COLLATE NOCASE, {computed}) WITHOUT ROWID"
    connection.execute(made)
    connection.execute("INSERT INTO t (k) VALUES (1), (2)")
    plan = table("t", column("k"), *(column(name, "DOUBLE", declared="REAL") for name in "rt"), sql=made)
    (batch,) = Reading(plan).batches(connection, after=None)
    _, reals, texts = batch.columns
    assert repr([*reals, *texts]) == "[2.0, 3.0, 'a1', 'a2']"


def test_a_batch_ends_at_its_bytes_but_has_a_row(connection: sqlite3.Connection) -> None:
    """Long values of any kind count, short ones hardly."""
    connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, body TEXT, data BLOB)")
    sizes = [10, 500_000, 10, 2_000_000, 3_000_000, 10]
    connection.executemany("INSERT INTO t (body, data) VALUES (?, ?)", [("x" * n, bytes(n)) for n in sizes])
    plan = table("t", column("id"), words("body", "LONGTEXT"), column("data", "LONGBLOB"))
    cut = [len(batch) for batch in Reading(plan).batches(connection, after=None, rows=100, size=1_000_000)]
    assert cut == [2, 2, 1, 1]


def test_text_that_is_no_utf8_is_named(connection: sqlite3.Connection) -> None:
    """By table, column and key, also where many rows before it were read; its value is told to nobody."""
    connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, b TEXT)")
    connection.executemany("INSERT INTO t (a, b) VALUES (?, 'ok')", [("fine",)] * 10)
    connection.execute("UPDATE t SET b = CAST(x'41ff42' AS TEXT) WHERE id = 8")
    plan = table("t", column("id"), words("a"), words("b"))
    with pytest.raises(RowRefused) as refused:
        read(connection, plan)
    assert (refused.value.table, refused.value.column, refused.value.key) == ("t", "b", "8")
    assert refused.value.__cause__ is None


def test_the_next_is_made_while_one_is_worked_on() -> None:
    """In another thread, one at a time, and an end before the last ends the maker too."""
    made: list[int] = []
    ended = threading.Event()
    main = threading.get_ident()

    def numbers() -> Generator[int, None, None]:
        try:
            for number in range(1, 10):
                assert threading.get_ident() != main
                made.append(number)
                yield number
        finally:
            ended.set()

    with closing(ahead(numbers())) as items:
        assert next(items) == 1
        assert next(items) == 2
    assert made in ([1, 2], [1, 2, 3])
    assert ended.is_set()
    assert list(ahead(number for number in range(1, 4))) == [1, 2, 3]


def test_what_the_maker_raises_is_raised() -> None:
    """Where its item would have come."""

    def failing() -> Generator[int, None, None]:
        yield 1
        raise LookupError

    items = ahead(failing())
    assert next(items) == 1
    with pytest.raises(LookupError):
        next(items)


def test_rows_without_a_key_come_all_and_in_no_order(connection: sqlite3.Connection) -> None:
    """From no place on, as none could be named."""
    connection.executescript("CREATE TABLE t (a TEXT); INSERT INTO t VALUES ('b'), ('a'), ('b'), (NULL)")
    plan = replace(table("t", column("a")), key=())
    assert sorted(map(str, read(connection, plan))) == ["('a',)", "('b',)", "('b',)", "(None,)"]
    with pytest.raises(PlanRefused, match="without a key"):
        read(connection, plan, after=())
    connection.execute("INSERT INTO t VALUES (CAST(X'FF' AS TEXT))")
    with pytest.raises(RowRefused, match="UTF-8"):
        read(connection, plan)


@pytest.mark.parametrize(
    ("made", "declared", "keys"),
    [
        ("k TEXT COLLATE NOCASE PRIMARY KEY", "TEXT", ["B", "C", "a", "b_", "é"]),
        ("k NUMERIC PRIMARY KEY", "NUMERIC", [-1, 0.5, 1e16, 9, 10, "B", "a"]),
        ("k TEXT, PRIMARY KEY (k COLLATE NOCASE)", "TEXT", ["B", "C", "a", "b_"]),
    ],
)
def test_text_of_a_key_is_read_in_the_order_of_its_characters(
    connection: sqlite3.Connection, made: str, declared: str, keys: list[Value]
) -> None:
    """Also where SQLite ignores case, or would sort numbers before text, and from any key on."""
    sql = f"CREATE TABLE t ({made}) WITHOUT ROWID"
    connection.execute(sql)
    connection.executemany("INSERT INTO t VALUES (?)", [(key,) for key in keys])
    plan = replace(table("t", replace(column("k"), type="VARCHAR(191)", declared=declared), key=("k",)), sql=sql)
    expected = sorted(((key,) for key in keys), key=lambda key: str(key[0]))
    for place in range(len(keys) + 1):
        assert read(connection, plan, expected[place - 1] if place else None, rows=2) == expected[place:]
    (bounded,) = Reading(plan).batches(connection, after=expected[0], up_to=expected[2])
    assert list(zip(*bounded.columns, strict=True)) == expected[1:3]


def test_an_index_serves_where_both_sides_sort_alike(connection: sqlite3.Connection) -> None:
    """Nothing is sorted for it, and nothing read before the place."""
    sql = "CREATE TABLE t (a TEXT, b INTEGER, PRIMARY KEY (a, b)) WITHOUT ROWID"
    connection.execute(sql)
    plan = replace(
        table("t", replace(column("a"), type="VARCHAR(191)", declared="TEXT"), column("b"), key=("a", "b")), sql=sql
    )
    (explained,) = connection.execute(f"EXPLAIN QUERY PLAN {Reading(plan).sql(('x', 1))}", ("x", 1))
    assert explained[-1].startswith("SEARCH t USING PRIMARY KEY")

"""What sqlite3-to-mysql 2.6.1 loses without a word, exit code 0, moves exactly here, or stops and is named."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pymysql
import pytest

from postrmagic_core.database.transfer.copying.options import RunOptions
from postrmagic_core.database.transfer.copying.run import run
from postrmagic_core.database.transfer.interface import unreported
from postrmagic_core.database.transfer.planning.plan import plan
from postrmagic_core.errors import PlanRefused, PostrMagicError
from tests.database.transfer.moving import accepted, moved, stops
from tests.database.transfer.oracle import asked, compare

pytestmark = pytest.mark.mysql

Source = Callable[..., Path]


@pytest.fixture
def source(tmp_path: Path) -> Source:
    """Makes a SQLite file of a script, and of rows for its table ``t``."""

    def make(script: str, *rows: tuple[Any, ...]) -> Path:
        path = tmp_path / "app.db"
        with closing(sqlite3.connect(path)) as connection:
            connection.executescript(script)
            for row in rows:
                connection.execute(f"INSERT INTO t VALUES ({', '.join('?' * len(row))})", row)
            connection.commit()
        return path

    return make


@pytest.mark.parametrize(
    ("declared", "value", "there"),
    [
        pytest.param("INTEGER", 10010000000000001, 10010000000000001, id="an integer of 64 bits, there 2147483647"),
        pytest.param("TEXT", "é" * 70_000, "é" * 70_000, id="70,000 characters, there 65,535"),
        pytest.param("NUMERIC", 19.99, Decimal("19.99"), id="19.99 in NUMERIC, there 20"),
        pytest.param("DECIMAL", 2.55, Decimal("2.55"), id="2.55 in DECIMAL, there 3"),
        pytest.param("FLOAT", 1234567.891, 1234567.891, id="1234567.891 in FLOAT, there 1234570"),
        pytest.param("DATETIME", 1700000000, 1700000000, id="an epoch in DATETIME, there 0000-00-00"),
        pytest.param("VARCHAR(5)", "abcdefghij", "abcdefghij", id="ten characters in VARCHAR(5), there five"),
    ],
)
def test_a_value_is_the_same_there(source: Source, url: str, declared: str, value: Any, there: Any) -> None:
    """As the driver reads it, beside a row of the smallest kind."""
    path = source(f"CREATE TABLE t (id INTEGER PRIMARY KEY, v {declared})", (1, value), (2, None))
    compare(path, url, moved(path, url))
    assert asked(url, "SELECT id, v FROM t ORDER BY id") == [(1, there), (2, None)]


def test_keys_that_differ_by_case_stay_two(source: Source, url: str) -> None:
    """There, one row was left; accents and trailing spaces are of the same kind."""
    keys = ["ABC", "abc", "abc ", "äbc", "a\u0308bc"]
    path = source("CREATE TABLE t (k TEXT PRIMARY KEY, n INTEGER)", *[(key, at) for at, key in enumerate(keys)])
    compare(path, url, moved(path, url))
    assert sorted(asked(url, "SELECT n FROM t")) == [(at,) for at in range(5)]
    assert asked(url, "SELECT n FROM t WHERE k = 'abc'") == [(1,)]


def test_a_row_that_leads_nowhere_stops_the_plan(source: Source, url: str) -> None:
    """There, it was moved, and the foreign key called valid: here table, column and key are told, and nothing runs."""
    script = """
        CREATE TABLE p (id INTEGER PRIMARY KEY);
        CREATE TABLE t (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES p (id));
        INSERT INTO p VALUES (1);
    """
    path = source(script, (1, 1), (77, 99))
    planned = plan(path, url, unreported)
    (finding,) = [one for one in planned.findings if one.severity == "stop"]
    assert (finding.table, finding.rows) == ("t", 1)
    assert "parent" in finding.text
    assert "77" in finding.examples[0].key
    with pytest.raises(PlanRefused):
        run(accepted(planned), url, RunOptions(), unreported)
    assert asked(url, "SHOW TABLES") == []


def test_a_foreign_key_holds_there(source: Source, url: str) -> None:
    """With its action; it was made after the rows, and they were checked."""
    script = """
        CREATE TABLE t (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES t (id) ON DELETE CASCADE);
    """
    path = source(script, (1, 2), (2, None), (3, 1))
    moved(path, url)
    with pytest.raises(pymysql.err.IntegrityError):
        asked(url, "INSERT INTO t VALUES (4, 99)")
    asked(url, "DELETE FROM t WHERE id = 2")
    assert asked(url, "SELECT * FROM t") == []


def test_a_check_holds_there(source: Source, url: str) -> None:
    """There, it was gone."""
    columns = "id INTEGER PRIMARY KEY, s TEXT CHECK (s IN ('on', 'off')), n INTEGER CHECK (n >= 0)"
    path = source(f"CREATE TABLE t ({columns})", (1, "on", 0))
    moved(path, url)
    for refused in ("(2, 'ON', 0)", "(2, 'other', 0)", "(2, 'off', -1)"):
        with pytest.raises(pymysql.err.DatabaseError):
            asked(url, f"INSERT INTO t VALUES {refused}")
    asked(url, "INSERT INTO t VALUES (2, NULL, NULL)")


@pytest.mark.parametrize("kind", ["VIRTUAL", "STORED"])
def test_a_generated_column_is_computed_there(source: Source, url: str, kind: str) -> None:
    """There, it was a plain column."""
    script = f"CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER, twice INTEGER AS (n * 2) {kind});"
    path = source(f"{script} INSERT INTO t (id, n) VALUES (1, 4), (2, NULL)")
    compare(path, url, moved(path, url))
    asked(url, "INSERT INTO t (id, n) VALUES (3, 6)")
    assert asked(url, "SELECT twice FROM t ORDER BY id") == [(8,), (None,), (12,)]


def test_a_partial_index_is_partial_there(source: Source, url: str) -> None:
    """There, it was a full one: here only the rows of its predicate have to differ."""
    script = """
        CREATE TABLE t (id INTEGER PRIMARY KEY, owner INTEGER NOT NULL, active INTEGER NOT NULL);
        CREATE UNIQUE INDEX one ON t (owner) WHERE active = 1;
    """
    path = source(script, (1, 7, 1), (2, 7, 0), (3, 7, 0))
    compare(path, url, moved(path, url))
    asked(url, "INSERT INTO t (id, owner, active) VALUES (4, 7, 0)")
    with pytest.raises(pymysql.err.IntegrityError):
        asked(url, "INSERT INTO t (id, owner, active) VALUES (5, 7, 1)")


@pytest.mark.parametrize("rows", [300, pytest.param(300_000, marks=pytest.mark.soak)])
def test_the_row_zero_is_row_zero(source: Source, url: str, rows: int) -> None:
    """There, one row less arrived, and row 1 held what was row 0's."""
    script = "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, v TEXT)"
    path = source(script, *[(n, f"row {n}") for n in range(-1, rows)])
    moved(path, url)
    assert asked(url, "SELECT COUNT(*), MIN(id), MAX(id) FROM t") == [(rows + 1, -1, rows - 1)]
    assert asked(url, "SELECT v FROM t WHERE id IN (-1, 0, 1) ORDER BY id") == [("row -1",), ("row 0",), ("row 1",)]
    asked(url, "INSERT INTO t (v) VALUES ('next')")
    assert asked(url, "SELECT id FROM t WHERE v = 'next'") == [(rows,)]


def test_a_given_id_is_not_given_again(source: Source, url: str) -> None:
    """AUTOINCREMENT remembers the ids of rows that are gone."""
    script = """
        CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, v TEXT);
        INSERT INTO t VALUES (50, 'gone'); DELETE FROM t;
    """
    moved(source(script, (3, "stays")), url)
    asked(url, "INSERT INTO t (v) VALUES ('next')")
    assert asked(url, "SELECT id FROM t WHERE v = 'next'") == [(51,)]


def test_what_stands_in_the_target_is_never_kept_in_silence(source: Source, url: str) -> None:
    """There, updating was a no-op, and the old value stayed: here nothing runs over rows that are not the source's."""
    asked(url, "CREATE TABLE t (id BIGINT PRIMARY KEY, v VARCHAR(20))")
    asked(url, "INSERT INTO t VALUES (1, 'old')")
    path = source("CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)", (1, "new"), (2, "more"))
    with pytest.raises(PostrMagicError, match=r"\bt\b"):
        run(accepted(plan(path, url, unreported)), url, RunOptions(), unreported)
    assert asked(url, "SELECT * FROM t") == [(1, "old")]


def test_long_names_stay_different(source: Source, url: str) -> None:
    """There, they were cut at 64 characters, whatever they met."""
    names = ["c" * 64 + "_first", "c" * 64 + "_second"]
    path = source(f"CREATE TABLE t (id INTEGER PRIMARY KEY, {names[0]} TEXT, {names[1]} TEXT)", (1, "a", "b"))
    compare(path, url, moved(path, url))


def test_views_and_triggers_are_told_of(source: Source, url: str) -> None:
    """There, triggers were gone without a word: here nothing runs until somebody has said that they may stay behind."""
    script = """
        CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER);
        CREATE VIEW doubled AS SELECT id, n * 2 AS n FROM t;
        CREATE TRIGGER counted AFTER INSERT ON t BEGIN UPDATE t SET n = n + 1; END;
    """
    path = source(script)
    planned = plan(path, url, unreported)
    assert {(one.kind, one.name) for one in planned.objects} == {("view", "doubled"), ("trigger", "counted")}
    assert stops(planned) == []
    with pytest.raises(PlanRefused):
        run(planned, url, RunOptions(), unreported)
    run(accepted(planned), url, RunOptions(), unreported)


def test_no_password_is_in_the_plan(source: Source, url: str) -> None:
    """It is asked for again where the plan is run."""
    asked(url, "CREATE USER IF NOT EXISTS 'mover'@'%' IDENTIFIED BY 'hush-hush'")
    asked(url, "GRANT ALL ON *.* TO 'mover'@'%'")
    path = source("CREATE TABLE t (id INTEGER PRIMARY KEY)")
    planned = plan(path, url.replace("//root@", "//mover:hush-hush@"), unreported)
    assert "hush-hush" not in repr(planned)

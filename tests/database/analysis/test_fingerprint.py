"""A statement is known by its text without values, whatever style its values were written in."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, Text, insert, select
from sqlalchemy.dialects import mysql, sqlite

from postrmagic_core.database.analysis.fingerprint import CUT, KEPT, normalized, read

CANARY = "hunter2"


@pytest.mark.parametrize("dialect", ["sqlite", "mysql"])
@pytest.mark.parametrize(
    "sql",
    [
        "SELECT n FROM t WHERE id = ? AND n > ?",
        "SELECT n FROM t WHERE id = %s AND n > %s",
        "SELECT n FROM t WHERE id = :id AND n > :n_1",
        "SELECT n FROM t WHERE id = %(id)s AND n > %(n_1)s",
        "SELECT n FROM t WHERE id = ?1 AND n > ?2",
        "SELECT n FROM t WHERE id = 17 AND n > -2.5e3",
        "SELECT n\n  FROM t -- a note\n WHERE id='it''s' /* another;\n one */ AND n>0xFF;",
        "SELECT n FROM t WHERE id = x'00ff' AND n>'--';",
    ],
)
def test_values_of_every_style_are_one_statement(dialect: str, sql: str) -> None:
    """Marks of every style, literals, comments and spacing make no difference."""
    assert normalized(sql, dialect) == "SELECT n FROM t WHERE id = ? AND n > ?"


@pytest.mark.parametrize(
    ("dialect", "sql", "expected"),
    [
        ("mysql", 'SELECT 1 FROM t WHERE a = "hunter2" AND b = 1', "SELECT ? FROM t WHERE a = ? AND b = ?"),
        ("mysql", r"SELECT * FROM t WHERE a = 'hunt\'er2 -- ' AND b = 1", "SELECT * FROM t WHERE a = ? AND b = ?"),
        ("mysql", "SELECT a FROM t # hunter2\nWHERE b = _utf8mb4'hunter2'", "SELECT a FROM t WHERE b = ?"),
        ("mysql", "SELECT a - 1, `a``b` FROM t", "SELECT a - ?, `a``b` FROM t"),
        ("mysql", "SELECT a %% 2 FROM t", "SELECT a % ? FROM t"),
        ("sqlite", r"SELECT * FROM t WHERE a = 'hunter2\' AND b = 1", "SELECT * FROM t WHERE a = ? AND b = ?"),
        ("sqlite", 'SELECT "a""b", t."order" FROM t', 'SELECT "a""b", t."order" FROM t'),
        ("sqlite", 'SELECT a FROM t WHERE t."b" = "hunter2"', 'SELECT a FROM t WHERE t."b" = ?'),
        ("sqlite", 'SELECT a FROM t WHERE "b" IN ("hunter2", 3)', 'SELECT a FROM t WHERE "b" IN (?)'),
        ("sqlite", 'SELECT a FROM "t" JOIN u ON "t"."a" = "u"."a"', 'SELECT a FROM "t" JOIN u ON "t"."a" = "u"."a"'),
        ("sqlite", "SELECT a FROM t LIMIT -1 OFFSET 3", "SELECT a FROM t LIMIT ? OFFSET ?"),
        ("sqlite", "SELECT count(*), t.*, a * 2 FROM t", "SELECT count(*), t.*, a * ? FROM t"),
        ("sqlite", "SELECT 'hunter2", "SELECT ?"),
        ("sqlite", "SELECT a /* hunter2", "SELECT a"),
    ],
)
def test_each_dialect_is_read_as_its_server_reads_it(dialect: str, sql: str, expected: str) -> None:
    """Quotes, escapes, comments and introducers mean what they mean there, and an unfinished value is one."""
    assert normalized(sql, dialect) == expected


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT a FROM t WHERE a IN (?, ?, NULL, 4)", "SELECT a FROM t WHERE a IN (?)"),
        ("SELECT a FROM t WHERE (a, b) IN ((1, 2), (3, 4))", "SELECT a FROM t WHERE (a, b) IN ((?, ?))"),
        ("SELECT a FROM t WHERE (a, b) IN (VALUES (1, 2), (3, 4))", "SELECT a FROM t WHERE (a, b) IN (VALUES (?, ?))"),
        (
            "SELECT a FROM t WHERE a IN (SELECT b FROM u WHERE c IN (1, 2))",
            "SELECT a FROM t WHERE a IN (SELECT b FROM u WHERE c IN (?))",
        ),
        (
            "INSERT INTO t (a, b) VALUES (?, NULL), (?, ?), (?, lower(?)) ON CONFLICT (a) DO NOTHING",
            "INSERT INTO t (a, b) VALUES (?, ?) ON CONFLICT (a) DO NOTHING",
        ),
        (
            "INSERT INTO t (a, b) VALUES ROW(1, 2), ROW(3, 4) ON DUPLICATE KEY UPDATE b = VALUES(b), a = VALUES(a)",
            "INSERT INTO t (a, b) VALUES ROW (?, ?) ON DUPLICATE KEY UPDATE b = VALUES (b), a = VALUES (a)",
        ),
    ],
)
def test_lists_collapse(sql: str, expected: str) -> None:
    """How many values a list or an insert has does not make another statement."""
    assert normalized(sql, "mysql") == expected


def test_what_sqlalchemy_compiles_is_the_same_for_both_drivers() -> None:
    """A Core statement is known by one fingerprint on SQLite and MySQL."""
    table = Table("media", MetaData(), Column("id", Integer), Column("name", Text))
    statements = [
        select(table.c.id).where(table.c.name.in_([CANARY, "b", "c"]), table.c.id > 3).limit(5),
        insert(table).values([{"id": 1, "name": CANARY}, {"id": 2, "name": CANARY}]),
    ]
    for statement in statements:
        lite = str(statement.compile(dialect=sqlite.dialect(), compile_kwargs={"render_postcompile": True}))
        my = str(statement.compile(dialect=mysql.dialect(), compile_kwargs={"render_postcompile": True}))
        marks = lite.replace("LIMIT ? OFFSET ?", "LIMIT ?")
        assert read(marks, "sqlite").fingerprint == read(my, "mysql").fingerprint
        assert len(read(my, "mysql").fingerprint) == 16


def test_every_process_knows_it_by_the_same_digits() -> None:
    """Another process, with another hash seed, comes to the same fingerprint."""
    code = (
        "from postrmagic_core.database.analysis.fingerprint import read; print(read('SELECT 1', 'sqlite').fingerprint)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": "77"}
    )
    assert done.stdout.strip() == read("SELECT  2", "sqlite").fingerprint


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("SELECT 1", "data"),
        ("WITH x AS (SELECT 1) SELECT * FROM x", "data"),
        ("(SELECT 1) UNION (SELECT 2)", "data"),
        ("delete FROM t", "data"),
        ("CREATE TABLE t (a INT)", "other"),
        ("PRAGMA user_version", "other"),
        ("", "other"),
        ("BEGIN IMMEDIATE", "control"),
        ("SAVEPOINT sa_savepoint_1", "control"),
        ("SET SESSION sql_mode = 'x'", "control"),
        ("SELECT @@max_allowed_packet", "control"),
    ],
)
def test_queries_are_told_from_what_only_surrounds_them(sql: str, kind: str) -> None:
    """Transactions and session variables are no queries; neither are definitions."""
    assert read(sql, "mysql").kind == kind


_PIECES = ["(?, ?), ", "IN (", "IN ((", "IN (VALUES (", '"a",', "'", '"', "x'", "/*", "\\", "(", "-", "a", "1", ","]


@pytest.mark.parametrize(
    ("piece", "dialect"),
    [*((piece, "mysql") for piece in _PIECES), *((piece, "sqlite") for piece in ("'", '"', "x'", "/*", "\\"))],
)
def test_a_monstrous_text_takes_bounded_time(piece: str, dialect: str) -> None:
    """Of anything 100,000 characters are read in a moment, where time that grew by its square would be many seconds.

    What is kept of it is short.
    """
    begin = time.thread_time()
    found = read("INSERT INTO t VALUES " + piece * (100_000 // len(piece)), dialect)
    assert time.thread_time() - begin < 2
    assert len(found.sql) <= KEPT + len(CUT)

"""An expression that is translated gives on the server what it gives in SQLite, for whatever a column holds."""

from __future__ import annotations

import random
import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from postrmagic_core.database.transfer.interface import Server
from postrmagic_core.database.transfer.names import quoted, quoted_sqlite
from postrmagic_core.database.transfer.session import Session
from postrmagic_core.database.transfer.translating.defaults import translate_default
from postrmagic_core.database.transfer.translating.expressions import (
    Translated,
    translate_check,
    translate_generated,
    translate_predicate,
    translated,
)
from postrmagic_core.database.transfer.translating.parsing import Node, Unreadable, parsed
from postrmagic_core.errors import PostrMagicError

TEXTS = [
    None,
    "",
    "a",
    "A",
    "b",
    "é",
    "É",
    "e\u0301",
    "ß",
    "ss",
    "a ",
    "a\x00b",
    "\x00",
    "10",
    "5",
    "\\",
    "it's",
    "😀",
    "a" * 300,
]
TEXTS += ['{"a": 1}', "{", "\n", "null", "%"]
WHOLE = [None, 0, 1, -1, 2, 5, 10, 2**53, 2**53 + 1, -(2**53) - 1, 2**62, 2**63 - 1, -(2**63)]
DOUBLES = [None, 0.0, -0.0, 0.1, 0.5, 1.0, -1.5, 0.3, 0.1 + 0.2, 1e308, -1e308, 5e-324, 2.0**53, 2.0**63, 3.14]
DECIMALS = [None, 0, 0.1, 0.5, 19.99, -2.55, 100, 0.1 + 0.2, 999999999999999, 123456.7, 5]
BYTES = [None, b"", b"\x00", b"a", b"\xff", b"a\x00b", b"A"]
INSTANTS = [None, "2024-02-29 12:00:00", "1000-01-01 00:00:00", "9999-12-31 23:59:59", "2024-02-29 11:59:59"]
DAYS = [None, "2024-02-29", "1000-01-01", "9999-12-31"]
# Each column's kind, how SQLite and how the server declares it, and what is in it.
COLUMNS: dict[str, tuple[str, str, str, Sequence[Any]]] = {
    "i": ("integer", "INTEGER", "BIGINT", WHOLE),
    "j": ("integer", "INTEGER", "BIGINT", WHOLE),
    "r": ("real", "REAL", "DOUBLE", DOUBLES),
    "r2": ("real", "REAL", "DOUBLE", DOUBLES),
    "d": ("decimal", "DECIMAL(10,2)", "DECIMAL(35,20)", DECIMALS),
    "d2": ("decimal", "DECIMAL(10,2)", "DECIMAL(35,20)", DECIMALS),
    "s": ("text", "TEXT", "TEXT COLLATE {exact}", TEXTS),
    "u v": ("text", "TEXT", "VARCHAR(400) COLLATE {exact}", TEXTS),
    "f": ("folded", "TEXT COLLATE NOCASE", "TEXT COLLATE {nocase}", TEXTS),
    "b": ("bytes", "BLOB", "BLOB", BYTES),
    "t": ("datetime(0) %Y-%m-%d %H:%M:%S", "DATETIME", "DATETIME", INSTANTS),
    "t2": ("datetime(0) %Y-%m-%d %H:%M:%S", "DATETIME", "DATETIME", INSTANTS),
    "day": ("date %Y-%m-%d", "DATE", "DATE", DAYS),
}
MODERATE = 100
PARTS = (f"WHERE n < {MODERATE} ORDER BY n", f"WHERE n >= {MODERATE} ORDER BY n")
NAMES = {name: f"{name}`x" for name in COLUMNS}
KINDS = {name: kind for name, (kind, *_) in COLUMNS.items()}
NUMBERS = [
    "0",
    "1",
    "5",
    "-1",
    "- 5",
    "007",
    "0.1",
    ".5",
    "1.",
    "1e3",
    "1E-7",
    "0.3",
    "0.30000000000000004",
    "3.0",
    "5e-324",
]
NUMBERS += ["9007199254740993", "9223372036854775807", "9223372036854775808", "-9223372036854775808", "1e999", "0x10"]
NUMBERS += ["123456789012345678.5", "4611686018427387905", "TRUE", "false", "NULL", "x'61'", "X''"]
STRINGS = ["'" + text.replace("'", "''") + "'" for text in TEXTS if text is not None and "\x00" not in text]
FOR_NUMBERS = ["i", "j", "r", "r2", "d", "d2", "I", '"i"', "[r]", "`d`"]
FOR_TEXTS = ["s", "S", '"u v"', "[u v]", "f", "b"]
DATES = ["t", "t2", "day"]
COMPARING = ["=", "==", "<>", "!=", "<", "<=", ">", ">=", "IS", "IS NOT", "IS NOT DISTINCT FROM", "IS DISTINCT FROM"]


@st.composite
def an_expression(draw: st.DrawFn, depth: int = 3, sort: str = "any") -> str:
    """An expression as people write it and as nobody would, mostly of one class, with parentheses here and there."""
    if sort == "any":
        sort = draw(st.sampled_from(["truth", "truth", "number", "text"]))
    if draw(st.integers(0, 19)) == 0:
        sort = draw(st.sampled_from(["truth", "number", "text"]))
    if depth == 0:
        return draw(st.sampled_from([*FOR_TEXTS, *STRINGS] if sort == "text" else [*FOR_NUMBERS, *NUMBERS]))

    def pick(choices: Sequence[Any]) -> Any:
        return draw(st.sampled_from(choices))

    def inner(sort: str, shallow: int = 1) -> str:
        return draw(an_expression(max(depth - shallow, 0), sort))

    other = draw(st.sampled_from(["number", "text"]))
    shapes = {
        "truth": [
            lambda: f"{inner(other, 2)} {pick(COMPARING)} {inner(other, 2)}",
            lambda: f"{inner('truth')} {pick(['AND', 'OR', '=', 'IS', 'and'])} {inner('truth')}",
            lambda: f"NOT {inner('truth')}",
            lambda: f"{inner(other)} {pick(['IS NULL', 'NOTNULL', 'ISNULL', 'NOT NULL', 'IS NOT NULL'])}",
            lambda: f"{inner('number')} {pick(['IS TRUE', 'IS NOT TRUE', 'IS FALSE', 'IS NOT FALSE'])}",
            lambda: f"{inner(other)} {pick(['', 'NOT '])}IN ({inner(other, 9)}, {inner(other, 9)}, NULL)",
            lambda: f"{inner(other)} {pick(['', 'NOT '])}BETWEEN {inner(other, 9)} AND {inner(other, 9)}",
            lambda: f"typeof({pick(FOR_TEXTS + FOR_NUMBERS)}) = '{pick(['text', 'integer', 'null', 'blob', 'Text'])}'",
            lambda: f"{pick(DATES)} {pick(COMPARING)} {pick(DATES)}",
        ],
        "number": [
            lambda: f"{inner('number')} {pick(['+', '-', '*'])} {inner('number')}",
            lambda: f"-{inner('number')}",
            lambda: f"abs({inner('number')})",
            lambda: f"length({inner('text')})",
            lambda: f"coalesce({inner('number')}, {inner('number')})",
            lambda: f"CASE WHEN {inner('truth')} THEN {inner('number')} ELSE {inner('number')} END",
            lambda: f"CASE {inner('number')} WHEN {inner('number')} THEN {inner('number')} END",
            lambda: inner("truth"),
        ],
        "text": [
            lambda: f"{inner('text')} || {inner('text')}",
            lambda: f"substr({inner('text')}, {pick(['1', '2', '0', '-1', 'i'])})",
            lambda: f"substr({inner('text')}, 2, {pick(['1', '2', '3000000000'])})",
            lambda: f"ifnull({inner('text')}, {inner('text')})",
            lambda: f"iif({inner('truth')}, {inner('text')}, {inner('text')})",
            lambda: inner("text", 9),
        ],
    }
    text = pick(shapes[sort])()
    return f"({text})" if draw(st.booleans()) else text


@pytest.fixture(scope="module")
def here() -> Iterator[sqlite3.Connection]:
    """SQLite's table, each row another pick of what columns can hold."""
    with closing(sqlite3.connect(":memory:")) as connection:
        columns = ", ".join(f'"{name}" {declared}' for name, (_, declared, *_) in COLUMNS.items())
        connection.execute(f"CREATE TABLE t (n INTEGER PRIMARY KEY, {columns})")
        connection.executemany(f"INSERT INTO t VALUES ({', '.join('?' * (len(COLUMNS) + 1))})", rows())
        yield connection


def rows() -> list[tuple[Any, ...]]:
    """The same rows for both, numbered; the first :data:`MODERATE` without numbers that overflow."""
    drawn = random.Random(12)
    picked = []
    for number in range(2 * MODERATE):
        choices = [
            [value for value in values if number >= MODERATE or not isinstance(value, int | float) or abs(value) < 1e6]
            for *_, values in COLUMNS.values()
        ]
        picked.append((number, *map(drawn.choice, choices)))
    return picked


def declared(server: Server) -> str:
    """The server's columns."""
    return ", ".join(
        f"{quoted(NAMES[name])} {there.format(exact=server.exact, nocase=server.nocase)}"
        for name, (_, _, there, _) in COLUMNS.items()
    )


@pytest.fixture
def there(session: Session, server: Server) -> Session:
    """The server's table, with the same rows."""
    session.execute(f"CREATE TABLE t (n INT PRIMARY KEY, {declared(server)}) CHARACTER SET utf8mb4")
    marks = ", ".join(["%s"] * (len(COLUMNS) + 1))
    for row in rows():
        session.execute(f"INSERT INTO t VALUES ({marks})", row)
    session.commit()
    return session


def values_here(connection: sqlite3.Connection, sql: str) -> list[list[Any]] | None:
    """What SQLite makes of it in moderate and in other rows; nothing where it refuses it."""
    try:
        return [[value for (value,) in connection.execute(f"SELECT {sql} FROM t {rows}")] for rows in PARTS]
    except sqlite3.Error:
        return None


def values_there(session: Session, sql: str) -> list[list[Any] | None]:
    """What the server makes of it, as :func:`values_here`; nothing where it says that a number is out of range."""
    found: list[list[Any] | None] = []
    for rows in PARTS:
        try:
            found.append([plain(value) for (value,) in session.rows(f"SELECT {sql} FROM t {rows}")])
        except PostrMagicError:
            assert session.code == 1690, sql
            found.append(None)
    return found


def plain(value: Any) -> Any:
    """Numbers by their value, whatever type has them."""
    if isinstance(value, Decimal):
        whole = value == value.to_integral_value()
        return int(value) if whole else float(value)
    return int(value) if isinstance(value, float) and value.is_integer() else value


@pytest.mark.mysql
@pytest.mark.parametrize("examples", [60, pytest.param(2_000, marks=pytest.mark.soak)])
@pytest.mark.timeout(1800)
def test_what_is_translated_gives_the_same(here: sqlite3.Connection, there: Session, examples: int) -> None:
    """Value by value, or the server says that a number is out of range; never something else."""
    seen: Counter[str] = Counter()

    @settings(max_examples=examples, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(an_expression())
    @example("0 - i = i")
    def same(sql: str) -> None:
        expected = values_here(here, sql)
        translation = translated(sql, NAMES, KINDS)
        there_sql = translation.sql if translation else None
        seen["all"] += 1
        if there_sql is None or expected is None:
            return
        for known, found in zip(expected, values_there(there, there_sql), strict=True):
            seen["compared" if found is not None else "out of range"] += 1
            assert found is None or found == list(map(plain, known)), there_sql

    same()
    assert seen["compared"] > seen["all"] / 4, seen


@pytest.mark.mysql
def test_a_check_takes_and_refuses_the_same(here: sqlite3.Connection, there: Session, server: Server) -> None:
    """The server takes what is translated for a CHECK, and it has SQLite's truth: only 0 refuses a row."""
    number = 0
    names = ", ".join(["n", *map(quoted, NAMES.values())])

    @settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(an_expression())
    def same(sql: str) -> None:
        nonlocal number
        expected = values_here(here, f"CASE WHEN ({sql}) IS NULL THEN 1 WHEN {sql} THEN 1 ELSE 0 END")
        there_sql = translate_check(sql, NAMES, KINDS)
        if there_sql is None or expected is None:
            return
        number += 1
        there.execute(
            f"CREATE TABLE c{number} (n INT PRIMARY KEY, {declared(server)}, CHECK ({there_sql}), "
            f"met INT AS (CASE WHEN {there_sql} THEN 1 ELSE 0 END)) CHARACTER SET utf8mb4"
        )
        marks = ", ".join(["%s"] * len(rows()[0]))
        truths = [truth for part in expected for truth in part]
        for row, holds in list(zip(rows(), truths, strict=True))[MODERATE - 10 : MODERATE + 5]:
            try:
                there.execute(f"INSERT INTO c{number} ({names}) VALUES ({marks})", row)
                taken = True
            except PostrMagicError:
                taken = there.code == 1690 and bool(holds)
            assert taken == bool(holds), (there_sql, row)
        there.execute(f"DROP TABLE c{number}")

    same()
    assert number > 5


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(an_expression())
def test_precedence_is_sqlites(here: sqlite3.Connection, sql: str) -> None:
    """What was read, with parentheses around every part, is the same to SQLite."""
    try:
        node = parsed(sql)
    except Unreadable:
        return
    assert values_here(here, spelt_out(node)) == values_here(here, sql)


def spelt_out(node: Node) -> str:
    """A tree in SQLite's words, every part in parentheses."""
    parts = [spelt_out(part) for part in node.parts]
    string = node.text.replace("'", "''")
    whens = " ".join(f"WHEN {when} THEN {then}" for when, then in zip(parts[:-1:2], parts[1::2], strict=False))
    texts = {
        "null": "NULL",
        "number": node.text,
        "string": f"'{string}'",
        "blob": f"x'{node.text}'",
        "column": quoted_sqlite(node.text) if node.quoted else node.text,
        "call": f"{node.text}({', '.join(parts)})",
        "in": f"({''.join(parts[:1])} IN ({', '.join(parts[1:])}))",
        "between": "({} BETWEEN {} AND {})".format(*[*parts, "", "", ""][:3]),
        "case": f"CASE {whens} ELSE {''.join(parts[-1:])} END",
        "NOT": f"(NOT {''.join(parts)})",
        "unary -": f"(- {''.join(parts)})",
        "unary +": f"(+ {''.join(parts)})",
    }
    return texts.get(node.op) or f"({f' {node.op} '.join(parts)})"


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("i > 0", "`i``x` > 0"),
        ("I IN (0, 1)", "`i``x` IN (0, 1)"),
        ('t.i IS NOT NULL AND (r >= 0 OR "d" < .5)', "(`i``x` IS NOT NULL) AND ((`r``x` >= 0) OR (`d``x` < 0.5))"),
        ("s IN ('draft', 'it''s', 'a\\b')", "`s``x` IN ('draft', 'it''s', CONVERT(X'615C62' USING utf8mb4))"),
        ("length(s) <= 80", "CHAR_LENGTH(SUBSTRING_INDEX(`s``x`, CONVERT(X'00' USING utf8mb4), 1)) <= 80"),
        ("t < t2", "`t``x` < `t2``x`"),
        ("i", "`i``x` <> 0"),
        ("r > 0.1", "`r``x` > 0.1e0"),
        ("i > 0.5 -- a half", "`i``x` > 0.5"),
        ("json_valid(s)", "JSON_VALID(`s``x`)"),
        ("typeof(i) IN ('integer', 'null')", "1 = 1"),
        ("typeof(s) = 'text'", "`s``x` IS NOT NULL"),
        ("i IS 1", "`i``x` <=> 1"),
        ("i - 1 >= 0", "(`i``x` - 1) >= 0"),
        ("i - j >= 0", "(`i``x` + -(`j``x`)) >= 0"),
    ],
)
def test_common_checks_are_translated(sql: str, expected: str) -> None:
    """In words that a person can read."""
    assert translate_check(sql, NAMES, KINDS) == expected


@pytest.mark.parametrize(
    "sql",
    [
        "s LIKE 'a%'",
        "s GLOB '[a-z]*'",
        "s REGEXP 'a'",
        "i / 2 = 1",
        "i % 2 = 0",
        "i & 1",
        "random() > 0",
        "t > datetime('now')",
        "t > CURRENT_TIMESTAMP",
        "t > '2024-01-01'",
        "t < day",
        "i = (SELECT 1)",
        "EXISTS (SELECT 1)",
        "i = 'a'",
        "s = 5",
        "s > i",
        "b = s",
        "f = 'a'",
        "f || 'a'",
        "s COLLATE NOCASE = 'a'",
        "'a' = 'A'",
        's = "no column"',
        "unknown > 0",
        "rowid > 0",
        "i IN ()",
        "i IN (SELECT 1)",
        "i IN (j, 1)",
        "lower(s) = 'a'",
        "upper(s) = s",
        "i > r",
        "d + 1 > 0",
        "i > 9223372036854775808",
        "i > 0x10",
        "i > 1e999",
        "r > 9007199254740993",
        "substr(s, -1) = 'a'",
        "substr(s, 0, 1) = 'a'",
        "substr(b, 1) IS NULL",
        "length(i) > 1",
        "s AND i",
        "CAST(s AS INTEGER) > 0",
        "(i, j) = (1, 2)",
        "i > 0) OR (1",
        "i > 0; DROP TABLE t",
        "i >",
        "",
        "coalesce(i, 's') = 1",
        "CASE WHEN i THEN 's' ELSE 1 END = 's'",
        "i -> 'a'",
        "~i",
        "i > ?",
        "(" * 2000 + "i" + ")" * 2000,
        "s || 5 = 'a'",
        "count(*) > 0",
    ],
)
def test_what_might_differ_is_not_translated(sql: str) -> None:
    """By a whitelist: whatever is not known to be the same."""
    assert translated(sql, NAMES, KINDS) is None
    assert translate_check(sql, NAMES, KINDS) is None


@pytest.mark.parametrize(
    ("sql", "taken"),
    [("s < 'a'", False), ("s BETWEEN 'a' AND 'b'", False), ("'a' >= s", False), ("s = 'a'", True), ("i < 5", True)],
)
def test_text_of_another_order_is_only_asked_whether_it_is_the_same(sql: str, taken: bool) -> None:
    """As in a file of UTF-16, which SQLite sorts by its bytes."""
    assert (translate_check(sql, NAMES, KINDS, ordered=False) is not None) == taken
    assert translate_check(sql, NAMES, KINDS) is not None


def test_a_column_of_unknown_kind_is_only_asked_for_null() -> None:
    """What it holds may be of several classes."""
    assert translate_predicate("i IS NULL", NAMES, {}) == "`i``x` IS NULL"
    assert translated("i = 1", NAMES, {}) is None
    assert translated("coalesce(i, j)", NAMES, {}) is None


def test_text_is_neither_true_nor_false() -> None:
    """SQLite takes a number from its beginning, MySQL refuses most of them."""
    assert translated("s", NAMES, KINDS) == Translated("`s``x`", "text")
    assert translate_check("s", NAMES, KINDS) is None


def test_json_is_only_checked() -> None:
    """As a value the server's stricter answer would be a silent difference."""
    assert translated("json_valid(s)", NAMES, KINDS) is None
    assert translate_predicate("json_valid(s)", NAMES, KINDS) is None


def test_a_predicate_is_the_truth_of_an_expression() -> None:
    """A number is true unless it is 0."""
    assert translate_predicate("r", NAMES, KINDS) == "`r``x` <> 0"
    assert translate_predicate("i IS NULL", NAMES, KINDS) == "`i``x` IS NULL"
    assert translate_predicate("s", NAMES, KINDS) is None


def test_what_an_expression_gives_is_told() -> None:
    """Who makes a column of it needs a type."""
    assert translated("i > 0", NAMES, KINDS) == Translated("`i``x` > 0", "integer")
    assert translated("coalesce(d, 0)", NAMES, KINDS) == Translated("COALESCE(`d``x`, 0)", "decimal")
    assert translated("NULL", NAMES, KINDS) == Translated("NULL", "null")


@pytest.mark.parametrize(
    ("sql", "kind", "fits"),
    [
        ("i * 2", "integer", True),
        ("i * 2", "real", True),
        ("i * 2", "text", False),
        ("r * 2", "real", True),
        ("r * 2", "integer", False),
        ("s || '!'", "text", True),
        ("s || '!'", "bytes", False),
        ("f", "text", True),
        ("d", "decimal", False),
        ("t", "text", False),
        ("NULL", "text", True),
    ],
)
def test_a_generated_column_holds_what_it_is_given(sql: str, kind: str, fits: bool) -> None:
    """Where the column would make another value of it, it is not translated."""
    assert (translate_generated(sql, NAMES, KINDS, kind) is not None) == fits


# Each default, the column's kind and its digits, what SQLite and what the server declares, and what comes of it.
DEFAULTS = [
    ("0", "integer", 0, "INTEGER", "BIGINT", "0"),
    ("-5", "integer", 0, "INTEGER", "BIGINT", "-5"),
    ("'7'", "integer", 0, "INTEGER", "BIGINT", "7"),
    ("TRUE", "integer", 0, "BOOLEAN", "TINYINT(1)", "1"),
    ("false", "integer", 0, "BOOLEAN", "TINYINT(1)", "0"),
    ("9223372036854775807", "integer", 0, "INTEGER", "BIGINT", "9223372036854775807"),
    ("NULL", "integer", 0, "INTEGER", "BIGINT", "NULL"),
    ("1.0", "integer", 0, "INTEGER", "BIGINT", "1"),
    ("0.1", "real", 0, "REAL", "DOUBLE", "0.1e0"),
    ("1e300", "real", 0, "REAL", "DOUBLE", "1e+300"),
    ("0", "real", 0, "REAL", "DOUBLE", "0.0e0"),
    ("19.99", "decimal", 2, "DECIMAL(10,2)", "DECIMAL(10,2)", "19.99"),
    ("0", "decimal", 2, "DECIMAL(10,2)", "DECIMAL(10,2)", "0"),
    ("'1.50'", "decimal", 2, "DECIMAL(10,2)", "DECIMAL(10,2)", "1.5"),
    ("'draft'", "text", 0, "TEXT", "TEXT", "('draft')"),
    ("'it''s \\ 😀'", "text", 0, "TEXT", "VARCHAR(20)", "(CONVERT(X'69742773205C20F09F9880' USING utf8mb4))"),
    ("''", "text", 0, "TEXT", "LONGTEXT", "('')"),
    ('"word"', "text", 0, "TEXT", "TEXT", "('word')"),
    ("word", "text", 0, "TEXT", "TEXT", "('word')"),
    ("5", "text", 0, "TEXT", "TEXT", "('5')"),
    ("('x' /* ) */)", "folded", 0, "TEXT COLLATE NOCASE", "TEXT", "('x')"),
    ("x'00FF'", "bytes", 0, "BLOB", "BLOB", "(X'00FF')"),
    ("x''", "bytes", 0, "BLOB", "VARBINARY(10)", "(X'')"),
    ("'2024-02-29'", "date %Y-%m-%d", 0, "DATE", "DATE", "'2024-02-29'"),
    ("'2024-02-29 12:00:00'", "datetime(0) %Y-%m-%d %H:%M:%S", 0, "DATETIME", "DATETIME", "'2024-02-29 12:00:00'"),
    (
        "'2024-02-29T12:00:00.120Z'",
        "datetime(3) %Y-%m-%dT%H:%M:%S.%fZ",
        3,
        "TIMESTAMP",
        "DATETIME(3)",
        "'2024-02-29 12:00:00.120'",
    ),
]
CLOCKS = [
    ("CURRENT_TIMESTAMP", "text", 0, "TEXT", "TEXT"),
    ("CURRENT_DATE", "text", 0, "TEXT", "TEXT"),
    ("CURRENT_TIME", "text", 0, "TEXT", "VARCHAR(20)"),
    ("(datetime('now'))", "text", 0, "TEXT", "TEXT"),
    ("(strftime('%Y-%m-%dT%H:%M:%SZ', 'now'))", "text", 0, "TEXT", "TEXT"),
    ("(strftime('%d/%m/%Y 100%%', 'now'))", "text", 0, "TEXT", "TEXT"),
    ("CURRENT_TIMESTAMP", "datetime(0) %Y-%m-%d %H:%M:%S", 0, "DATETIME", "DATETIME"),
    ("(date('now'))", "date %Y-%m-%d", 0, "DATE", "DATE"),
    ("(strftime('%s', 'now'))", "integer", 0, "INTEGER", "BIGINT"),
    ("(CAST(strftime('%s', 'now') AS INTEGER))", "integer", 0, "INTEGER", "BIGINT"),
    ("(unixepoch())", "integer", 0, "INTEGER", "BIGINT"),
]


def default_here(sql: str, declared: str) -> tuple[str, Any]:
    """What PRAGMA says of the default, and what SQLite fills in."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute(f"CREATE TABLE t (n, x {declared} DEFAULT {sql})")
        connection.execute("INSERT INTO t (n) VALUES (1)")
        (value,) = connection.execute("SELECT x FROM t").fetchone()
        return connection.execute("PRAGMA table_info(t)").fetchall()[1][4], value


def default_there(session: Session, declared: str, default: str) -> Any:
    """What the server fills in, dates as text."""
    session.execute(f"CREATE TABLE t (n INT, x {declared} DEFAULT {default}) CHARACTER SET utf8mb4")
    session.execute("INSERT INTO t (n) VALUES (1)")
    ((value,),) = session.rows("SELECT x FROM t")
    return str(value) if declared.startswith("DATE") else plain(value)


@pytest.mark.parametrize(("sql", "kind", "digits", "declared", "there", "expected"), DEFAULTS)
def test_defaults_are_translated(sql: str, kind: str, digits: int, declared: str, there: str, expected: str) -> None:
    """As the column's affinity would have them."""
    written, _ = default_here(sql, declared)
    assert translate_default(written, kind, digits) == expected


@pytest.mark.mysql
@pytest.mark.parametrize(("sql", "kind", "digits", "declared", "there", "expected"), DEFAULTS)
def test_the_server_fills_in_the_same(
    session: Session, sql: str, kind: str, digits: int, declared: str, there: str, expected: str
) -> None:
    """A default of SQLite's and its translation, each in a row."""
    _, value = default_here(sql, declared)
    found = default_there(session, there, expected)
    if kind.startswith("datetime"):
        value, found = value[:10] + " " + value[11:19], found[:19]
    assert found == plain(value)


@pytest.mark.mysql
@pytest.mark.parametrize("text", ["a\\", "\\a", "\\'", "a\nb", "\t\x1a\x01", "x00", "é\\😀", "%s \\%"])
def test_a_text_within_an_expression_that_the_server_keeps_stays_itself(session: Session, text: str) -> None:
    """In a default, a CHECK, a computed column and the function that looks for NUL: it is written out and read anew."""
    sql = "'" + text.replace("'", "''") + "'"
    default = translate_default(sql, "text", 0)
    check = translate_check(f"s = {sql} AND length(s) = {len(text)}", {"s": "s"}, {"s": "text"})
    computed = translate_generated(f"s || {sql}", {"s": "s"}, {"s": "text"}, "text")
    session.execute(
        f"CREATE TABLE t (n INT, s VARCHAR(20) COLLATE utf8mb4_bin DEFAULT {default}, "
        f"c VARCHAR(40) COLLATE utf8mb4_bin AS ({computed}) VIRTUAL, CHECK ({check})) CHARACTER SET utf8mb4"
    )
    session.execute("INSERT INTO t (n) VALUES (1)")
    assert list(session.rows("SELECT s, c FROM t")) == [(text, text + text)]


@pytest.mark.mysql
@pytest.mark.parametrize(("sql", "kind", "digits", "declared", "there"), CLOCKS)
def test_the_servers_clock_is_read_as_sqlites(
    session: Session, sql: str, kind: str, digits: int, declared: str, there: str
) -> None:
    """In UTC, in the same words; between two looks at SQLite's."""
    session.execute("SET time_zone = '+05:00'")
    written, before = default_here(sql, declared)
    default = translate_default(written, kind, digits)
    assert default is not None
    found = default_there(session, there, default)
    _, after = default_here(sql, declared)

    assert type(found) is type(before)
    assert before <= found <= after or before > after  # midnight


@pytest.mark.mysql
def test_milliseconds_are_written_as_sqlites(session: Session) -> None:
    """Three digits of the second, where MySQL's letter gives six."""
    default = translate_default("strftime('%Y-%m-%dT%H:%M:%fZ', 'now')", "text", 0)
    assert default is not None
    found = default_there(session, "TEXT", default)

    _, now = default_here("(strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))", "TEXT")
    assert len(found) == len(now)
    assert (found[10], found[-5], found[-1]) == ("T", ".", "Z")
    assert found <= now


@pytest.mark.parametrize(
    ("sql", "kind", "digits"),
    [
        ("1.5", "integer", 0),
        ("'x'", "integer", 0),
        ("9223372036854775808", "integer", 0),
        ("0x10", "integer", 0),
        ("1.5", "text", 0),
        ("'x'", "bytes", 0),
        ("x'00'", "text", 0),
        ("0.125", "decimal", 2),
        ("random()", "integer", 0),
        ("datetime('now', 'localtime')", "text", 0),
        ("datetime('now', 'localtime')", "datetime(0) %Y-%m-%d %H:%M:%S", 0),
        ("strftime('%j', 'now')", "text", 0),
        ("strftime('%s', 'now')", "real", 0),
        ("julianday('now')", "real", 0),
        ("lower(hex(randomblob(16)))", "text", 0),
        ("1 + 1", "integer", 0),
        ("'2024-02-30'", "date %Y-%m-%d", 0),
        ("'2024-02-29'", "datetime(0) %Y-%m-%d %H:%M:%S", 0),
        ("'2024-02-29 12:00:00.12'", "datetime(3) %Y-%m-%d %H:%M:%S.%f", 3),
        ("0", "datetime(0) %Y-%m-%d %H:%M:%S", 0),
        ("CURRENT_TIMESTAMP", "date %Y-%m-%d", 0),
        ("CURRENT_TIME", "integer", 0),
        ("'", "text", 0),
        ("1 2", "integer", 0),
    ],
)
def test_defaults_that_might_differ_are_not_translated(sql: str, kind: str, digits: int) -> None:
    """A default that is left out is told, one that is another is not."""
    assert translate_default(sql, kind, digits) is None

"""What is read of a schema is what SQLite does with it."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postrmagic_core.database.transfer.names import quoted_sqlite
from postrmagic_core.database.transfer.source.catalogue import read_source
from postrmagic_core.database.transfer.source.schema import (
    Source,
    SourceColumn,
    SourceForeignKey,
    SourceTable,
    affinity_of,
)
from postrmagic_core.errors import Unsupported

VALUES: list[Any] = [
    None,
    0,
    1,
    -1,
    5,
    10,
    1.5,
    "",
    "a",
    "A",
    "a ",
    "B",
    "b",
    "é",
    "É",
    "10",
    "x,y",
    b"",
    b"\x00",
    b"a",
]
HOSTILE = [
    "CREATE TABLE t (a)",
    "CREATE TABLE t (a, b)",
    "CREATE TABLE t (a INT, b TEXT, c REAL, d BLOB)",
    "CREATE TABLE t (a INTEGER PRIMARY KEY, b)",
    "CREATE TABLE t (a integer primary key, b)",
    "CREATE TABLE t (a INT PRIMARY KEY, b)",
    "CREATE TABLE t (a BIGINT PRIMARY KEY, b)",
    "CREATE TABLE t (a INTEGER PRIMARY KEY DESC, b)",
    "CREATE TABLE t (a INTEGER, b, PRIMARY KEY (a DESC))",
    "CREATE TABLE t (a INTEGER, b, PRIMARY KEY (a))",
    "CREATE TABLE t (a INTEGER PRIMARY KEY AUTOINCREMENT, b)",
    "CREATE TABLE t (a INTEGER, b, PRIMARY KEY (a AUTOINCREMENT))",
    'CREATE TABLE t (a "INTEGER" PRIMARY KEY, b)',
    "CREATE TABLE t (a INTEGER PRIMARY KEY, b) WITHOUT ROWID",
    "CREATE TABLE t (a TEXT, b INT, PRIMARY KEY (b, a)) WITHOUT ROWID",
    "CREATE TABLE t (a TEXT, b INT, PRIMARY KEY (b, a))",
    "CREATE TABLE t (a TEXT PRIMARY KEY UNIQUE, b)",
    "CREATE TABLE t (a INTEGER PRIMARY KEY UNIQUE, b)",
    "CREATE TABLE t (a TEXT COLLATE NOCASE PRIMARY KEY, b)",
    "CREATE TABLE t (a TEXT, b, PRIMARY KEY (a COLLATE NOCASE))",
    "CREATE TABLE t (a TEXT COLLATE nocase UNIQUE, b TEXT COLLATE RTRIM)",
    "CREATE TABLE t (a TEXT COLLATE binary COLLATE NOCASE, b)",
    'CREATE TABLE t (a TEXT COLLATE "NOCASE", b TEXT COLLATE [RTRIM])',
    "CREATE TABLE t (a TEXT, b, UNIQUE (a COLLATE NOCASE, b DESC))",
    "CREATE TABLE t (a, b, UNIQUE (a), UNIQUE (b), UNIQUE (a, b))",
    "CREATE TABLE t (a CHECK (a > 0), b CHECK (b <> 'a') CHECK (b IS NOT 5))",
    "CREATE TABLE t (a, b, CHECK (a > 0) CHECK (b < 5))",
    "CREATE TABLE t (a, b, CHECK (a > 0), CONSTRAINT x CHECK (b < 5))",
    "CREATE TABLE t (a CONSTRAINT \"CHECK\" CHECK (a > 0), b CONSTRAINT 'it''s' NOT NULL)",
    "CREATE TABLE t (a CONSTRAINT alone, b CONSTRAINT one CONSTRAINT two CHECK (b > 0))",
    "CREATE TABLE t (a, b, CHECK (a IN ('x,y', ')', '(', 'it''s')))",
    "CREATE TABLE t (a, b, CHECK (a <> ')' /* ) */ AND b > 0 -- ) CHECK (a)\n))",
    "CREATE TABLE t (a, -- the first, with CHECK (0)\n b /* , c */)",
    "CREATE TABLE t (a INT --,\n, b CHECK--\n(b--)\n>/**/0))",
    "CREATE TABLE t /* (x) */ (a, b CHECK (b > /* ' */ 0) /* ' */)",
    'CREATE TABLE "t" ("a b" TEXT, "c""d" INT CHECK ("c""d" > 0))',
    "CREATE TABLE [t] ([a, b] TEXT, [c (d] INT CHECK ([c (d] > 0))",
    "CREATE TABLE `t` (`a``b` TEXT COLLATE NOCASE, `c` INT)",
    "CREATE TABLE 't' ('a' TEXT, 'it''s' INT CHECK (\"it's\" > 0))",
    'CREATE TABLE t ("CHECK" TEXT, "PRIMARY" INT, "CONSTRAINT" CHECK ("CONSTRAINT" > 0))',
    'CREATE TABLE t (key INT, "default" DEFAULT \'CHECK (0)\', "select")',
    "CREATE TABLE t (generated INT, always TEXT, action CHECK (action > 0))",
    'CREATE TABLE t ("naïve 😀" TEXT, 漢字 INT CHECK (漢字 <> 5))',
    'CREATE TABLE t ("two\nlines" TEXT, "tab\there" CHECK ("tab\there" > 0))',
    "CREATE TABLE t (a DECIMAL(10, 2), b VARCHAR ( 255 ) CHECK (length(b) < 3))",
    "CREATE TABLE t (a UNSIGNED BIG INT, b DOUBLE PRECISION NOT NULL)",
    "CREATE TABLE t (a FLOATING POINT, b CHARINT, c STRING, d BLOBTEXT)",
    "CREATE TABLE t (a 'weird type', b \"my CHECK\" CHECK (b > 0), c [x y] )",
    "CREATE TABLE t (a DECIMAL(10,2) DEFAULT 1.50, b TEXT DEFAULT 'it''s', c DEFAULT (1 + 2), d DEFAULT -5)",
    "CREATE TABLE t (a DEFAULT x'00', b DEFAULT NULL, c DEFAULT TRUE, d DEFAULT word)",
    "CREATE TABLE t (a TEXT DEFAULT \"CHECK (0)\", b DEFAULT (')') CHECK (b <> 5))",
    "CREATE TABLE t (a INT DEFAULT +5 NOT NULL COLLATE NOCASE CHECK (a > 0), b)",
    "CREATE TABLE t (a INT NOT NULL ON CONFLICT IGNORE CHECK (a > 0) , b UNIQUE ON CONFLICT REPLACE)",
    "CREATE TABLE t (a INT, b GENERATED ALWAYS AS (a + 1))",
    "CREATE TABLE t (a INT, b INT GENERATED ALWAYS AS (a || ')') STORED NOT NULL)",
    "CREATE TABLE t (a INT, b TEXT AS (CASE WHEN a > 0 THEN 'x' ELSE ')' END) VIRTUAL CHECK (b <> 'y'))",
    "CREATE TABLE t (a INT, b AS (a /* the ) first */ * 2) stored UNIQUE, c CHECK (c > b))",
    "CREATE TABLE t (a REFERENCES p, b REFERENCES p (x) ON DELETE SET DEFAULT CHECK (b > 0))",
    "CREATE TABLE t (a REFERENCES p ON UPDATE CASCADE DEFERRABLE INITIALLY DEFERRED, b REFERENCES p DEFERRABLE)",
    "CREATE TABLE t (a REFERENCES p NOT DEFERRABLE INITIALLY DEFERRED, b REFERENCES p MATCH FULL)",
    "CREATE TABLE t (a, b, FOREIGN KEY (a, b) REFERENCES q (X, y) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED)",
    'CREATE TABLE t (a, b, FOREIGN KEY (a, b) REFERENCES q, FOREIGN KEY (b) REFERENCES "P" ON DELETE SET NULL)',
    "CREATE TABLE t (a REFERENCES missing, b REFERENCES t (a), FOREIGN KEY (a) REFERENCES q)",
    "CREATE TABLE t (a INT, b TEXT, c ANY) STRICT",
    "CREATE TABLE t (a TEXT CHECK (a GLOB '*'), b, c, d, CHECK (a || b <> 'aab'), UNIQUE (c, b), UNIQUE (d))",
    "CREATE TABLE t (a CHECK(a>0)CHECK(a<9)UNIQUE COLLATE NOCASE,b CHECK(b<>'a')COLLATE RTRIM)",
    "CREATE TABLE t (a INT AS(b+1)STORED CHECK(a>0), b INT)",
    "CREATE TABLE t\t(\f a\r\n INT\t, b CHECK\n(b\n>\t0)\n)",
    "CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT COLLATE NOCASE CHECK (b > 'a'), c REAL) STRICT, WITHOUT ROWID",
    "CREATE TABLE t (a INT PRIMARY KEY, b ANY NOT NULL) WITHOUT ROWID, STRICT",
    "CREATE TABLE t AS SELECT 1 AS a, 'x' AS \"b, c\", 1.5 AS 'd'",
    "CREATE TABLE IF NOT EXISTS main.t (a CHECK (a > 0))",
    "CREATE TABLE t (a CHECK ((a > 0) OR ((a) IS NULL)), b CHECK (b > 0))",
    "CREATE TABLE t (rowid TEXT, oid INT CHECK (oid > 0), _rowid_)",
    "CREATE TABLE t (a\u00a0b INT, c CHECK (c > 0))",
    "CREATE TABLE t (a INT CHECK (a > 0) CHECK (a < 10) CHECK (a <> 5), b, CHECK (a <> b), CHECK (b <> 'a'))",
    'CREATE TABLE t (a CHECK ("no such column" <> a), b)',
    "CREATE TABLE t (a CHECK (a LIKE '%)%' ESCAPE '\\' OR a GLOB '[(]*' OR typeof(a) = 'null'), b)",
    "CREATE TABLE t (A TEXT, b INT, CHECK (a <> 'a' AND B > 0))",
    "CREATE TABLE t (a NOT NULL DEFAULT 'x' COLLATE NOCASE, b DEFAULT (lower('X)')))",
]
ALTERED = [
    "ALTER TABLE t ADD COLUMN \"new (\" TEXT NOT NULL DEFAULT ')' COLLATE NOCASE CHECK (\"new (\" <> 'a')",
    "ALTER TABLE t ADD COLUMN n2 INT REFERENCES p DEFERRABLE INITIALLY DEFERRED",
    "ALTER TABLE t ADD COLUMN n3 INT AS (1 + 1)",
    'ALTER TABLE t RENAME TO "it\'s"',
]


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    """An empty database with two parents of foreign keys."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as opened:
        opened.execute("CREATE TABLE p (x INTEGER PRIMARY KEY)")
        opened.execute("CREATE TABLE Q (x, y, PRIMARY KEY (y, x))")
        yield opened


def made(connection: sqlite3.Connection, *statements: str) -> SourceTable:
    """The table `t` that these make, as it is read."""
    for statement in statements:
        connection.execute(statement)
    return table(read_source(connection), "t")


def table(source: Source, name: str) -> SourceTable:
    """The table of that name."""
    return next(table for table in source.tables if table.name == name)


def rebuilt(table: SourceTable, name: str) -> Iterator[str]:
    """The statements that make a table of what was read, in other words than the source's."""
    lines = [column_text(column, table) for column in table.columns]
    if table.primary_key and "PRIMARY KEY" not in " ".join(lines):
        # A rowid alias that is written in the table form is one even with DESC.
        lines.append(f"PRIMARY KEY ({', '.join(map(quoted_sqlite, table.primary_key))})")
    lines += [f"CHECK ({check})" for check in table.checks]
    lines += [foreign_key_text(key) for key in table.foreign_keys]
    options = ", ".join(["STRICT"] * table.strict + ["WITHOUT ROWID"] * table.without_rowid)
    yield f"CREATE TABLE {quoted_sqlite(name)} ({', '.join(lines)}) {options}"
    for number, index in enumerate(table.indexes):
        parts = ", ".join(
            f"{part.expression or quoted_sqlite(part.column)} COLLATE {part.collation}{' DESC' * part.descending}"
            for part in index.parts
        )
        where = f" WHERE {index.predicate}" if index.predicate else ""
        unique = "UNIQUE " * index.unique
        yield f"CREATE {unique}INDEX {quoted_sqlite(f'{name} {number}')} ON {quoted_sqlite(name)} ({parts}){where}"


def column_text(column: SourceColumn, table: SourceTable) -> str:
    """A column's definition."""
    text = quoted_sqlite(column.name)
    text += f" {quoted_sqlite(column.declared)}" if column.declared else ""
    text += f" COLLATE {column.collation}"
    text += f" DEFAULT {default_text(column)}" if column.default else ""
    text += f" AS ({column.generated}) {'STORED' * column.stored}" if column.generated else ""
    if table.autoincrement and column.name == table.rowid_alias:
        text += " PRIMARY KEY AUTOINCREMENT"
    elif table.primary_key == (column.name,) and not table.rowid_alias and not table.without_rowid:
        text += " PRIMARY KEY DESC"
    return text + ("" if column.nullable or column.name == table.rowid_alias else " NOT NULL")


def default_text(column: SourceColumn) -> str:
    """In parentheses a word is no string, and outside them an expression is none."""
    is_word = column.default == "word" or column.default.startswith('"')
    return column.default if is_word else f"({column.default})"


def foreign_key_text(key: SourceForeignKey) -> str:
    """A foreign key's definition."""
    text = f"FOREIGN KEY ({', '.join(map(quoted_sqlite, key.columns))}) REFERENCES {quoted_sqlite(key.parent)}"
    if key.parent_columns:
        text += f" ({', '.join(map(quoted_sqlite, key.parent_columns))})"
    text += f" ON DELETE {key.on_delete} ON UPDATE {key.on_update}"
    return text + " DEFERRABLE INITIALLY DEFERRED" * key.deferred


def rows_for(table: SourceTable, count: int = 120) -> Iterator[dict[str, Any]]:
    """Rows of arbitrary values; now and then a column is left to its default."""
    drawn = random.Random(table.sql)
    written = [column.name for column in table.columns if not column.generated]
    for _ in range(count):
        row = {name: drawn.choice(VALUES) for name in written if drawn.random() < 0.9}
        yield row or {written[0]: None}


def outcome(connection: sqlite3.Connection, name: str, row: dict[str, Any]) -> str:
    """What becomes of an insertion: nothing, or the sort of its refusal."""
    names = ", ".join(map(quoted_sqlite, row))
    marks = ", ".join("?" * len(row))
    try:
        connection.execute(f"INSERT OR ABORT INTO {quoted_sqlite(name)} ({names}) VALUES ({marks})", list(row.values()))
    except sqlite3.Error as error:
        return str(error).split(":", maxsplit=1)[0].replace(f" {name}.", " ")
    return ""


def contents(connection: sqlite3.Connection, table: SourceTable, name: str) -> list[list[tuple[Any, ...]]]:
    """Every row with the class of each value, by each column in turn."""
    names = [quoted_sqlite(column.name) for column in table.columns]
    shown = ", ".join(f"typeof({column}), {column}" for column in names)
    ties = ", ".join(f"quote({column})" for column in names)
    return [
        connection.execute(f"SELECT {shown} FROM {quoted_sqlite(name)} ORDER BY {column}, {ties}").fetchall()
        for column in names
    ]


def without_text(table: SourceTable) -> Any:
    """What was read, but for the text it was read from and names of indexes."""
    columns = [
        (column.name, column.declared, column.affinity, column.nullable, column.collation) for column in table.columns
    ]
    indexes = [(index.unique, index.parts, index.predicate) for index in table.indexes]
    generated = [(column.generated, column.stored) for column in table.columns]
    rest = (table.primary_key, table.rowid_alias, table.foreign_keys, table.checks, table.strict, table.without_rowid)
    return columns, indexes, generated, rest, table.autoincrement


@pytest.mark.parametrize("altered", [0, 3], ids=["as made", "altered"])
@pytest.mark.parametrize("sql", HOSTILE)
def test_a_table_made_of_what_was_read_takes_and_refuses_the_same(
    connection: sqlite3.Connection, sql: str, altered: int
) -> None:
    """Constraints, defaults, affinities, collations and computed columns are all that a table does to a row."""
    read = made(connection, sql, *ALTERED[:altered])
    connection.execute("DELETE FROM t")  # CREATE TABLE … AS has filled it

    for statement in rebuilt(read, "copy"):
        connection.execute(statement)

    for row in rows_for(read):
        assert outcome(connection, "t", row) == outcome(connection, "copy", row), row
    assert contents(connection, read, "t") == contents(connection, read, "copy")
    assert without_text(table(read_source(connection), "copy")) == without_text(read)


def test_a_renamed_table_is_read_under_its_new_name(connection: sqlite3.Connection) -> None:
    """SQLite rewrites the text."""
    made(connection, "CREATE TABLE t (a CHECK (a > 0), b REFERENCES t)")
    connection.execute(ALTERED[-1])

    renamed = table(read_source(connection), "it's")

    assert renamed.checks == ("a > 0",)
    assert renamed.foreign_keys[0].parent == "it's"


def test_comments_are_no_part_of_an_expression(connection: sqlite3.Connection) -> None:
    """One to the end of a line would swallow what is written behind it."""
    read = made(connection, "CREATE TABLE t (a CHECK (a > 0 -- never )\n AND a < 9 /* ( */))")
    assert read.checks == ("a > 0 AND a < 9",)


@pytest.mark.parametrize(
    ("sql", "parts", "predicate"),
    [
        ("CREATE INDEX i ON t (a, b DESC)", [("a", "", False), ("b", "", True)], ""),
        ("CREATE INDEX i ON t (lower(a), b)", [("", "lower(a)", False), ("b", "", False)], ""),
        ("CREATE INDEX i ON t (a + b COLLATE NOCASE DESC)", [("", "a + b", True)], ""),
        ("CREATE INDEX i ON t ((a), substr(b, 1, 2) ASC)", [("a", "", False), ("", "substr(b, 1, 2)", False)], ""),
        ("CREATE INDEX i ON t (a) WHERE b > 0 -- why", [("a", "", False)], "b > 0"),
        (
            'CREATE UNIQUE INDEX IF NOT EXISTS main."i (" ON "t" (a) WHERE b IN (1, 2)',
            [("a", "", False)],
            "b IN (1, 2)",
        ),
        (
            "CREATE INDEX [on t (x)] ON t (a || ')' , b) WHERE a <> 'WHERE'",
            [("", "a || ')'", False), ("b", "", False)],
            "a <> 'WHERE'",
        ),
    ],
)
def test_an_index_has_its_parts_and_its_predicate(
    connection: sqlite3.Connection, sql: str, parts: list[tuple[str, str, bool]], predicate: str
) -> None:
    """Columns are known by PRAGMA, expressions by the text alone."""
    (index,) = made(connection, "CREATE TABLE t (a, b)", sql).indexes

    assert [(part.column, part.expression, part.descending) for part in index.parts] == parts
    assert index.predicate == predicate
    assert index.sql
    assert index.unique == ("UNIQUE" in sql)


def test_indexes_have_their_collations(connection: sqlite3.Connection) -> None:
    """The part's own before the column's."""
    read = made(
        connection, "CREATE TABLE t (a COLLATE NOCASE, b)", "CREATE INDEX i ON t (a, b COLLATE rtrim, a COLLATE BINARY)"
    )
    assert [part.collation for part in read.indexes[0].parts] == ["NOCASE", "RTRIM", "BINARY"]


def test_a_foreign_key_without_columns_refers_to_the_parents_key(connection: sqlite3.Connection) -> None:
    """By the parent's own names, in the order of its key; to nothing where there is no such key."""
    read = made(
        connection, "CREATE TABLE t (a REFERENCES p, b, FOREIGN KEY (a, b) REFERENCES q, FOREIGN KEY (b) REFERENCES q)"
    )

    assert [(key.columns, key.parent, key.parent_columns) for key in read.foreign_keys] == [
        (("a",), "p", ("x",)),
        (("a", "b"), "Q", ("y", "x")),
        (("b",), "Q", ()),
    ]


def test_only_initially_deferred_is_deferred(connection: sqlite3.Connection) -> None:
    """NOT DEFERRABLE INITIALLY DEFERRED is not, and DEFERRABLE alone is not."""
    read = made(
        connection,
        "CREATE TABLE t (a REFERENCES p DEFERRABLE INITIALLY DEFERRED, b REFERENCES p DEFERRABLE, "
        "c REFERENCES p NOT DEFERRABLE INITIALLY DEFERRED, FOREIGN KEY (c) REFERENCES p DEFERRABLE INITIALLY DEFERRED)",
    )
    assert [key.deferred for key in read.foreign_keys] == [True, False, False, True]


def test_sequences_are_read(connection: sqlite3.Connection) -> None:
    """What AUTOINCREMENT has given, also where that row is gone; whatever else somebody wrote there is none."""
    connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT)")
    connection.execute("CREATE TABLE u (id INTEGER PRIMARY KEY AUTOINCREMENT)")
    connection.execute("INSERT INTO t VALUES (41)")
    connection.execute("DELETE FROM t")
    connection.execute("INSERT INTO sqlite_sequence VALUES ('u', 'many')")

    source = read_source(connection)

    assert [(read.autoincrement, read.sequence) for read in source.tables[2:]] == [(True, 41), (True, 0)]


def test_views_triggers_and_virtual_tables_are_objects(connection: sqlite3.Connection) -> None:
    """The tables in which a virtual one keeps its data are part of it; an ordinary one of a like name is not."""
    connection.executescript(
        """
        CREATE VIRTUAL TABLE docs USING fts5 (title);
        CREATE TABLE docs_notes (a);
        CREATE VIEW seen AS SELECT a FROM docs_notes;
        CREATE TRIGGER kept AFTER DELETE ON docs_notes BEGIN SELECT 1; END;
        ANALYZE;
        """
    )

    source = read_source(connection)

    assert [table.name for table in source.tables] == ["p", "Q", "docs_notes"]
    assert [(found.kind, found.name, found.table) for found in source.objects] == [
        ("virtual table", "docs", "docs"),
        ("view", "seen", "seen"),
        ("trigger", "kept", "docs_notes"),
    ]
    assert all(found.sql.startswith("CREATE") for found in source.objects)


def test_tables_named_as_sqlites_own_do_not_mislead(connection: sqlite3.Connection) -> None:
    """An application may call its tables as SQLite's functions, and another schema have one of the same name."""
    connection.execute("CREATE TABLE pragma_table_xinfo (a)")
    connection.execute("CREATE TEMP TABLE t (x)")
    connection.execute("ATTACH ':memory:' AS other")
    connection.execute("CREATE TABLE other.t (y)")

    read = made(connection, "CREATE TABLE main.t (a INTEGER PRIMARY KEY, b UNIQUE)")

    assert [column.name for column in read.columns] == ["a", "b"]
    assert len(read.indexes) == 1


def test_a_connection_that_reads_bytes_is_left_so(connection: sqlite3.Connection) -> None:
    """Whoever looks for text that is not UTF-8 reads bytes; names are text all the same."""
    connection.text_factory = bytes
    connection.row_factory = sqlite3.Row

    assert [read.name for read in read_source(connection).tables] == ["p", "Q"]
    assert connection.text_factory is bytes


def test_the_digest_changes_with_the_schema_alone(connection: sqlite3.Connection) -> None:
    """Rows, VACUUM and ANALYZE leave it; an index changes it."""
    connection.execute("CREATE TABLE t (a)")
    connection.execute("CREATE INDEX i ON t (a)")
    connection.execute("CREATE TABLE u (a)")
    before = read_source(connection).digest

    connection.execute("INSERT INTO t VALUES (1)")
    connection.execute("VACUUM")
    connection.execute("ANALYZE")
    same = read_source(connection).digest
    connection.execute("CREATE INDEX j ON t (a)")

    assert same == before
    assert read_source(connection).digest != before


def test_a_sqlite_too_old_says_so(connection: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without PRAGMA table_list virtual tables could not be told from others."""
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 36, 0))
    with pytest.raises(Unsupported, match="3\\.37"):
        read_source(connection)


@given(
    st.lists(
        st.sampled_from(["INT", "CHAR", "clob", "Text", "BLOB", "REAL", "floa", "DOUB", "x", " ", "\u0131NT", "\u017f"])
    )
)
def test_affinities_are_sqlites(words: list[str]) -> None:
    """By the order of its five rules, and only the letters of ASCII; asked of SQLite by what it does to values."""
    declared = "".join(words)
    seen = {
        "integer": ("integer", "integer", "text", "integer"),
        "numeric": ("integer", "integer", "text", "integer"),
        "real": ("real", "real", "text", "real"),
        "text": ("text", "text", "text", "text"),
        "blob": ("text", "integer", "text", "real"),
    }
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute(f"CREATE TABLE t (a {quoted_sqlite(declared) if declared.strip() else ''})")
        (actual,) = connection.execute("PRAGMA table_info(t)").fetchall()
        connection.executemany("INSERT INTO t VALUES (?)", [("7",), (7,), ("x",), (7.0,)])
        classes = tuple(found for (found,) in connection.execute("SELECT typeof(a) FROM t"))

    assert seen[affinity_of(actual[2])] == classes


def test_columns_are_found_as_sqlite_finds_them() -> None:
    """Only the letters of ASCII have two cases: these are three columns."""
    columns = tuple(SourceColumn(name, "", "blob") for name in ("Ä", "ä", "A"))
    table = SourceTable("t", "", columns)
    assert [table.column(name).name for name in ("Ä", "ä", "a")] == ["Ä", "ä", "A"]
    with pytest.raises(KeyError):
        table.column("\u212a")


def test_the_order_of_texts_is_that_of_the_encoding() -> None:
    """Which is the file's, and so each table's."""
    for encoding, utf16 in (("UTF-8", False), ("UTF-16le", True), ("UTF-16be", True)):
        with closing(sqlite3.connect(":memory:")) as connection:
            connection.executescript(f"PRAGMA encoding = '{encoding}'; CREATE TABLE t (a)")
            assert [table.utf16 for table in read_source(connection).tables] == [utf16]


def test_integer_and_numeric_differ_in_a_cast_alone() -> None:
    """Both make whole numbers of text that is one; the declared types tell them apart."""
    assert affinity_of("INTEGER") == "integer"
    assert affinity_of("DECIMAL(10,2)") == "numeric"
    assert affinity_of("ANY") == "numeric"
    assert affinity_of("ANY", strict=True) == "blob"
    assert affinity_of("") == "blob"

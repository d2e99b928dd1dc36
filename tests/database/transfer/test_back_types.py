"""What a server's column, default, rule or table is in SQLite."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from postrmagic_core.database.transfer.forms.back import back_form_of
from postrmagic_core.database.transfer.interface import ColumnPlan, ServerKind
from postrmagic_core.database.transfer.reversing.catalogue import (
    ServerColumn,
    ServerForeignKey,
    ServerIndex,
    ServerPart,
    ServerTable,
)
from postrmagic_core.database.transfer.reversing.expressions import Untranslatable, default_of, translated
from postrmagic_core.database.transfer.reversing.schema import BackTable, back_table
from postrmagic_core.database.transfer.reversing.types import BackColumn, back_column, family_of, planned_type
from postrmagic_core.errors import PlanRefused

EXACT = "utf8mb4_nopad_bin"
FAMILIES = {"n": "integer", "m": "integer", "price": "number", "name": "text"}
BOTH = pytest.mark.parametrize("server", ["mysql", "mariadb"])


def back(kind: str, **more: object) -> BackColumn:
    """The column `c` of that type, from MariaDB."""
    column = ServerColumn("c", kind, **more)  # type: ignore[arg-type]  # each test gives what it is about
    family = family_of(kind)
    assert family is not None
    return back_column(column, "mariadb", {"c": family})


def texts(column: BackColumn) -> str:
    """All that is told of it."""
    return "; ".join(text for _, text in column.told)


def brought(*columns: ServerColumn, **more: object) -> BackTable:
    """The table `t` of those columns, from MySQL."""
    table = ServerTable("t", columns, **more)  # type: ignore[arg-type]  # each test gives what it is about
    return back_table(table, "mysql", {"t": table}, {"t", "t_taken"})


def accepts(made: BackTable) -> None:
    """SQLite takes its texts."""
    with closing(sqlite3.connect(":memory:")) as file:
        for statement in (*made.create, *made.after):
            file.execute(statement)


@pytest.mark.parametrize(
    ("kind", "declared"),
    [
        ("tinyint(1)", "BOOLEAN"),
        ("tinyint(1) unsigned", "INTEGER"),
        ("tinyint(4)", "INTEGER"),
        ("int(10) unsigned zerofill", "INTEGER"),
        ("bigint unsigned", "INTEGER"),
        ("double", "REAL"),
        ("float(7,2)", "REAL"),
        ("decimal(15,4)", "DECIMAL(15,4)"),
        ("decimal(16,4)", "TEXT"),
        ("decimal(18,0)", "DECIMAL(18,0)"),
        ("decimal(19,0)", "TEXT"),
        ("char(5)", "CHAR(5)"),
        ("varchar(191)", "VARCHAR(191)"),
        ("longtext", "LONGTEXT"),
        ("binary(4)", "BLOB"),
        ("varbinary(10)", "BLOB"),
        ("tinyblob", "BLOB"),
        ("datetime(6)", "DATETIME"),
        ("timestamp", "DATETIME"),
        ("date", "DATE"),
        ("time(3)", "TEXT"),
        ("year(4)", "INTEGER"),
        ("bit(64)", "INTEGER"),
        ("enum('a','b')", "TEXT"),
        ("set('a','b')", "TEXT"),
        ("json", "TEXT"),
        ("uuid", "TEXT"),
        ("inet6", "TEXT"),
    ],
)
def test_each_type_has_one_in_sqlite(kind: str, declared: str) -> None:
    """And a form by which its values come back."""
    column = back(kind)
    assert column.plan.declared == declared
    assert back_form_of(column.plan).select_sql("`c`")


@pytest.mark.parametrize("kind", ["point", "geometry", "vector(3)", "multipolygon"])
def test_what_sqlite_could_not_hold_stops_by_its_name(kind: str) -> None:
    """Table, column and type are told."""
    with pytest.raises(PlanRefused, match=r"t\.place \("):
        brought(ServerColumn("id", "int"), ServerColumn("place", kind))


def test_the_words_of_an_enum_are_a_check() -> None:
    """With the quotes and backslashes that the server shows in its own way."""
    assert back(r"enum('a','it''s','b\\c')").check == r""""c" IN ('a', 'it''s', 'b\c')"""


@pytest.mark.parametrize(
    ("collation", "collate", "told"),
    [
        ("", "", ""),
        ("utf8mb4_nopad_bin", "", ""),
        ("utf8mb4_0900_as_cs", "", ""),
        ("utf8mb4_0900_as_ci", "NOCASE", "the case of A to Z alone"),
        ("utf8mb4_general_ci", "NOCASE", "tells accented letters"),
    ],
)
def test_a_collation_that_ignores_case_says_what_differs(collation: str, collate: str, told: str) -> None:
    """NOCASE knows the letters of ASCII, and no accents."""
    column = back("varchar(10)", collation=collation)
    assert column.collate == collate
    assert told in texts(column)
    assert bool(told) == bool(column.told)


@pytest.mark.parametrize(
    ("server", "value", "extra", "family", "expected"),
    [
        ("mysql", None, "", "text", ""),
        ("mariadb", "NULL", "", "text", ""),
        ("mysql", "NULL", "", "text", "'NULL'"),
        ("mariadb", "'NULL'", "", "text", "'NULL'"),
        ("mysql", "it's", "", "text", "'it''s'"),
        ("mariadb", "'it''s'", "", "text", "'it''s'"),
        ("mariadb", r"'a\\b\nc'", "", "text", "'a\\b\nc'"),
        ("mysql", "-5", "", "integer", "-5"),
        ("mariadb", "-5", "", "integer", "-5"),
        ("mysql", "1.50", "", "number", "1.50"),
        ("mariadb", "1.50", "", "text", "'1.50'"),
        ("mysql", "b'101'", "", "integer", "5"),
        ("mariadb", "b'101'", "", "integer", "5"),
        ("mysql", "0x6162", "", "bytes", "X'6162'"),
        ("mariadb", "'a''b'", "", "bytes", "X'612762'"),
        ("mysql", "CURRENT_TIMESTAMP", "default_generated", "text", "CURRENT_TIMESTAMP"),
        ("mariadb", "current_timestamp()", "", "text", "CURRENT_TIMESTAMP"),
        ("mysql", "utc_timestamp()", "default_generated", "text", "CURRENT_TIMESTAMP"),
        ("mariadb", "utc_timestamp()", "", "text", "CURRENT_TIMESTAMP"),
        ("mariadb", "curdate()", "", "text", "CURRENT_DATE"),
        ("mysql", "CURRENT_TIMESTAMP(3)", "default_generated", "text", "(strftime('%Y-%m-%d %H:%M:%f', 'now'))"),
        ("mysql", "CURRENT_TIMESTAMP(6)", "default_generated", "text", "(strftime('%Y-%m-%d %H:%M:%f000', 'now'))"),
        ("mysql", r"_utf8mb4\'[]\'", "default_generated", "text", "'[]'"),
        ("mariadb", "1 + 1", "", "integer", "(1 + 1)"),
    ],
)
def test_a_default_means_the_same(
    server: ServerKind, value: str | None, extra: str, family: str, expected: str
) -> None:
    """Both servers describe theirs in grammars of their own."""
    assert default_of(value, extra, server, family) == expected  # type: ignore[arg-type]  # a family


@pytest.mark.parametrize(
    ("server", "value", "extra", "family"),
    [
        ("mysql", "uuid()", "default_generated", "text"),
        ("mysql", "CURRENT_TIMESTAMP(2)", "default_generated", "text"),
        ("mariadb", "json_object()", "", "text"),
        ("mariadb", r"'ab\0\0'", "", "bytes"),
        ("mysql", "abc", "", "bytes"),
        ("mysql", "abc", "", "integer"),
    ],
)
def test_a_default_that_would_mean_another_thing_is_not_made(
    server: ServerKind, value: str, extra: str, family: str
) -> None:
    """It is told instead."""
    with pytest.raises(Untranslatable):
        default_of(value, extra, server, family)  # type: ignore[arg-type]  # a family


@pytest.mark.parametrize(
    ("expression", "row", "expected"),
    [
        ("`n` + `m` * 2", {"n": 1, "m": 3}, 7),
        ("`n` between -(10) and 5 and not `m` <=> NULL", {"n": 1, "m": None}, 0),
        ("concat(`name`,'-',`n`)", {"name": "a", "n": 5}, "a-5"),
        ("concat(`n`,`n` + 1)", {"n": 5}, "56"),
        ("concat(`name`,`n`)", {"name": None, "n": 5}, None),
        ("char_length(`name`) > 2", {"name": "äöü"}, 1),
        ("if(`n` is null,'none',coalesce(`name`,''))", {"n": 1, "name": "x"}, "x"),
        ("case when `n` > 0 then 'it\\'s' else `name` end", {"n": 1, "name": ""}, "it's"),
        ("`name` in ('a','b')", {"name": "b"}, 1),
        ("`price` >= 0.1", {"price": 0.1}, 1),
    ],
)
def test_an_expression_gives_the_same(expression: str, row: dict[str, object], expected: object) -> None:
    """SQLite computes what the server would."""
    written = translated(expression, "mariadb", FAMILIES)  # type: ignore[arg-type]  # families
    columns = ", ".join(f'? AS "{name}"' for name in row)
    with closing(sqlite3.connect(":memory:")) as file:
        (found,) = file.execute(f"SELECT {written} FROM (SELECT {columns})", tuple(row.values())).fetchone()
    assert found == expected


def test_mysql_shows_its_expressions_escaped_once_more() -> None:
    """Quotes and backslashes of it are seen through."""
    shown = r"(`name` in (_utf8mb4\'it\\\'s\',_utf8mb4\'a\\\\b\'))"
    assert translated(shown, "mysql", FAMILIES) == r"""("name" IN ('it''s', 'a\b'))"""  # type: ignore[arg-type]  # families


@pytest.mark.parametrize(
    "expression",
    [
        "`name` like 'a%'",
        "`name` regexp 'a'",
        "upper(`name`)",
        "`price` * 2",
        "concat(`price`,'')",
        "`n` / 2",
        "`n` || `m`",
        "`name` = 5",
        "length(`name`)",
        "`n` & 1",
        "json_extract(`name`,'$.a')",
        "rand()",
        "`name` = _binary'a'",
        "(select 1)",
        "`name` = 'a\\0b'",
    ],
)
@BOTH
def test_what_the_two_would_compute_differently_is_not_translated(expression: str, server: ServerKind) -> None:
    """Case, precision, bytes and randomness are not the same in both."""
    shown = expression if server == "mariadb" else expression.replace("\\", "\\\\").replace("'", "\\'")
    with pytest.raises(Untranslatable):
        translated(shown, server, FAMILIES)  # type: ignore[arg-type]  # families


@pytest.mark.parametrize(
    ("kind", "planned"),
    [
        ("int(11)", "INT"),
        ("tinyint(1)", "TINYINT(1)"),
        ("bigint(20) unsigned zerofill", "BIGINT UNSIGNED"),
        ("decimal(10,2)", "DECIMAL(10,2)"),
        ("varchar(5)", "VARCHAR(5)"),
    ],
)
def test_a_type_is_written_as_in_a_plan(kind: str, planned: str) -> None:
    """Whatever width the server shows."""
    assert planned_type(kind) == planned


def test_a_numbered_key_is_sqlites_own() -> None:
    """AUTO_INCREMENT becomes AUTOINCREMENT, and any other only integer key an INTEGER PRIMARY KEY."""
    numbered = brought(ServerColumn("id", "bigint", nullable=False, extra="auto_increment"), primary_key=("id",))
    plain = brought(ServerColumn("id", "int", nullable=False), primary_key=("id",))
    assert '"id" INTEGER PRIMARY KEY AUTOINCREMENT' in numbered.create[0]
    assert plain.create[0].splitlines()[1] == '  "id" INTEGER PRIMARY KEY'
    assert numbered.plan.key == plain.plan.key == ("id",)
    accepts(numbered)


@pytest.mark.parametrize(
    ("column", "sorted_alike"),
    [
        (ServerColumn("k", "varchar(10)", nullable=False, collation=EXACT), True),
        (ServerColumn("k", "varchar(10)", nullable=False, collation="utf8mb4_0900_bin"), True),
        (ServerColumn("k", "varchar(10)", nullable=False, collation="utf8mb4_bin"), True),
        (ServerColumn("k", "varchar(10)", nullable=False, collation="latin1_bin"), False),
        (ServerColumn("k", "varchar(10)", nullable=False, collation="utf8mb4_general_ci"), False),
        (ServerColumn("k", "enum('b','a')", nullable=False, collation=EXACT), False),
        (ServerColumn("k", "varbinary(10)", nullable=False), True),
        (ServerColumn("k", "datetime", nullable=False), True),
        (ServerColumn("k", "decimal(10,2)", nullable=False), False),
    ],
)
def test_rows_are_paired_by_a_key_that_both_sort_alike(column: ServerColumn, sorted_alike: bool) -> None:
    """A collation that folds case has another order than SQLite, as have other character sets and an ENUM."""
    assert brought(column, primary_key=("k",)).plan.key == (("k",) if sorted_alike else ())


def test_indexes_come_back_with_what_they_are_over() -> None:
    """A unique beginning, a descending part, an expression, and the part of a plan for some rows only."""
    indexes = (
        ServerIndex("a", True, "BTREE", (ServerPart("name", 3), ServerPart("n", None, True))),
        ServerIndex("b", False, "BTREE", (ServerPart("name", 3),)),
        ServerIndex("c", True, "BTREE", (ServerPart("", None, False, "(`n` + 1)"),)),
        ServerIndex("d", True, "BTREE", (ServerPart("pm_ix_d_1"),)),
        ServerIndex("e", False, "FULLTEXT", (ServerPart("name"),)),
        ServerIndex("f", False, "BTREE", (ServerPart("", None, False, "lower(`name`)"),)),
    )
    made = brought(
        ServerColumn("n", "int"),
        ServerColumn("name", "varchar(9)", collation="utf8mb4_0900_ai_ci"),
        ServerColumn(
            "pm_ix_d_1", "int", extra="virtual generated invisible", generated="(case when `n` > 0 then `n` end)"
        ),
        indexes=indexes,
    )
    assert made.after == (
        'CREATE UNIQUE INDEX "t_a" ON "t" (substr("name", 1, 3) COLLATE NOCASE, "n" DESC)',
        'CREATE INDEX "t_b" ON "t" ("name")',
        'CREATE UNIQUE INDEX "t_c" ON "t" ((("n" + 1)))',
        'CREATE UNIQUE INDEX "t_d" ON "t" (((CASE WHEN "n" > 0 THEN "n" END)))',
    )
    assert [column.name for column in made.plan.columns] == ["n", "name"]
    told = "; ".join(one.text for one in made.findings)
    assert "FULLTEXT index e" in told
    assert "index f is not translated" in told
    accepts(made)


def test_the_name_of_an_index_is_one_of_the_whole_file() -> None:
    """Where it is a table's or another index's already, a number is added."""
    indexes = tuple(ServerIndex(name, False, "BTREE", (ServerPart("n"),)) for name in ("taken", "TAKEN_2"))
    made = brought(ServerColumn("n", "int"), indexes=indexes)
    assert [index.name for index in made.plan.indexes] == ["t_taken_2", "t_TAKEN_2_2"]


def test_a_foreign_key_without_its_parent_is_told() -> None:
    """The others come back with what happens to them."""
    key = ServerForeignKey("own", ("up",), "t", ("id",), "CASCADE", "RESTRICT")
    away = ServerForeignKey("away", ("up",), "elsewhere", ("id",), "CASCADE", "RESTRICT")
    loose = ServerForeignKey("loose", ("up",), "t", ("up",), "CASCADE", "RESTRICT")
    made = brought(
        ServerColumn("id", "int", nullable=False),
        ServerColumn("up", "int"),
        primary_key=("id",),
        foreign_keys=(key, away, loose),
    )
    assert 'CONSTRAINT "own" FOREIGN KEY ("up") REFERENCES "t" ("id") ON DELETE CASCADE' in made.create[0]
    assert [one.target for one in made.plan.foreign_keys] == ["own"]
    assert sorted(one.text.split()[3] for one in made.findings) == ["away", "loose"]
    accepts(made)


def test_what_is_lost_is_accepted_by_whoever_asks_for_the_way_back() -> None:
    """Nothing blocks the check that follows."""
    made = brought(ServerColumn("at", "datetime", default="CURRENT_TIMESTAMP", extra="default_generated on update"))
    assert [(one.severity, one.blocks) for one in made.findings] == [("decide", False), ("note", False)]


def test_a_table_that_sqlite_keeps_to_itself_is_refused() -> None:
    """Its name cannot be had there."""
    table = ServerTable("sqlite_mine", (ServerColumn("a", "int"),))
    with pytest.raises(PlanRefused, match="sqlite_mine"):
        back_table(table, "mysql", {}, set())


def test_a_generated_column_that_is_not_translated_keeps_its_values() -> None:
    """It becomes a plain one, and is moved as such."""
    made = brought(
        ServerColumn("name", "text"), ServerColumn("loud", "text", extra="virtual generated", generated="upper(`name`)")
    )
    assert [column.name for column in made.plan.moved] == ["name", "loud"]
    assert "GENERATED" not in made.create[0]


def test_the_hidden_row_number_is_the_row_number_again() -> None:
    """It is no column of the file."""
    number = ServerColumn("pm_rowid", "bigint", nullable=False, extra="auto_increment invisible")
    made = brought(number, ServerColumn("a", "int"), primary_key=("pm_rowid",))
    assert made.create[0] == 'CREATE TABLE "t" (\n  "a" INTEGER\n)'
    assert made.plan.key == ("rowid",)
    assert made.plan.columns[0] == ColumnPlan(
        "rowid", "pm_rowid", "BIGINT", nullable=False, auto_increment=True, hidden=True
    )

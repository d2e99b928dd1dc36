"""What a plan says of a source: every thing that would be lost or differ, by its table, column and key."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from postrmagic_core.database.transfer.copying import ddl
from postrmagic_core.database.transfer.interface import ROWID, Finding, IndexPart, Plan, TablePlan
from postrmagic_core.database.transfer.planfile.edits import problems
from postrmagic_core.database.transfer.planning.plan import plan
from postrmagic_core.database.transfer.session import Session
from postrmagic_core.errors import ConfigurationError
from tests.database.transfer.oracle import asked

pytestmark = pytest.mark.mysql

Planned = Callable[..., Plan]


@pytest.fixture
def planned(file: Path, url: str) -> Planned:
    """Makes the source by a script, with rows for its table ``t``, and the plan of it."""

    def make(script: str, *rows: tuple[Any, ...]) -> Plan:
        with closing(sqlite3.connect(file)) as connection:
            connection.executescript(script)
            for row in rows:
                connection.execute(f"INSERT INTO t VALUES ({', '.join('?' * len(row))})", row)
            connection.commit()
        return plan(file, url)

    return make


def only(made: Plan) -> TablePlan:
    """The one table of a plan."""
    (table,) = made.tables
    return table


def types(made: Plan) -> dict[str, str]:
    """The types of the columns of its one table."""
    return {column.name: column.type for column in only(made).columns}


def told(made: Plan) -> dict[str, Finding]:
    """Its findings by their ids."""
    found = {finding.id: finding for finding in made.findings}
    assert len(found) == len(made.findings)
    return found


def keys(finding: Finding) -> list[str]:
    """The keys of the rows that it shows."""
    return [example.key for example in finding.examples]


def made_on(session: Session, made: Plan) -> None:
    """Make the tables of a plan, to the last foreign key."""
    assert list(problems(made)) == []
    for statements in (
        [ddl.create_table(table, made.server) for table in made.tables],
        [text for table in made.tables for text in (ddl.add_indexes(table), ddl.add_checks(table)) if text],
        [text for table in made.tables if (text := ddl.add_foreign_keys(table))],
    ):
        for statement in statements:
            session.execute(statement)


@pytest.mark.parametrize(
    ("declared", "value", "kind"),
    [
        ("INTEGER", 10010000000000001, "BIGINT"),
        ("TEXT", "é" * 70_000, "MEDIUMTEXT"),
        ("NUMERIC", 19.99, "DECIMAL(19,4)"),
        ("DECIMAL", 2.55, "DECIMAL(19,4)"),
        ("FLOAT", 1234567.891, "DOUBLE"),
        ("DATETIME", 1700000000, "BIGINT"),
        ("VARCHAR(5)", "abcdefghij", "VARCHAR(15)"),
    ],
)
def test_a_column_is_as_wide_as_what_is_in_it(planned: Planned, declared: str, value: Any, kind: str) -> None:
    """Whatever is declared; nothing has to be decided, and a reason and what was seen stand beside the type."""
    made = planned(f"CREATE TABLE t (id INTEGER PRIMARY KEY, v {declared})", (1, value))
    assert types(made)["v"] == kind
    assert made.blocking == ()
    column = only(made).columns[1]
    assert column.reason
    assert column.seen


def test_keys_that_differ_by_case_are_noted(planned: Planned) -> None:
    """They stay two: the collation of the key tells them apart."""
    made = planned("CREATE TABLE t (k TEXT PRIMARY KEY)", ("abc",), ("ABC",))
    note = told(made)["same-but-capitals:t.the primary key"]
    assert (note.severity, note.rows, keys(note)) == ("note", 1, ["'ABC'"])
    assert (only(made).key, only(made).columns[0].collation) == (("k",), made.server.exact)


def test_orphans_are_named(planned: Planned) -> None:
    """By table, column and key, also in a table WITHOUT ROWID; the query finds them all."""
    made = planned(
        """
        CREATE TABLE p (id INTEGER PRIMARY KEY, code TEXT UNIQUE);
        CREATE TABLE t (k TEXT PRIMARY KEY, p INTEGER REFERENCES p, code TEXT REFERENCES p (code)) WITHOUT ROWID;
        INSERT INTO p VALUES (1, 'a');
        """,
        ("good", 1, "a"), ("none", None, None), ("bad", 2, "a"), ("worse", 3, "b"),
    )  # fmt: skip
    stop = told(made)["orphans:t.p>p"]
    assert (stop.severity, stop.rows, keys(stop)) == ("stop", 2, ["'bad'", "'worse'"])
    assert keys(told(made)["orphans:t.code>p"]) == ["'worse'"]
    with closing(sqlite3.connect(made.source)) as connection:
        assert connection.execute(stop.query).fetchall() == [("bad", 2), ("worse", 3)]


def test_checks_generated_columns_and_partial_indexes_are_kept(planned: Planned, session: Session) -> None:
    """As the server's own; the server takes every one of them."""
    made = planned(
        """
        CREATE TABLE t (
            id INTEGER PRIMARY KEY, owner INTEGER CHECK (owner > 0), active INTEGER, name TEXT COLLATE NOCASE,
            twice INTEGER AS (owner * 2)
        );
        CREATE UNIQUE INDEX one ON t (owner) WHERE active = 1;
        CREATE UNIQUE INDEX two ON t (length(name), owner DESC);
        CREATE UNIQUE INDEX exact ON t (name COLLATE BINARY);
        CREATE INDEX some ON t (owner) WHERE active = 1;
        INSERT INTO t (id, owner, active, name) VALUES (1, 5, 1, 'x');
        """
    )
    table = only(made)
    assert [check.source for check in table.checks] == ["owner > 0"]
    assert {column.name: bool(column.generated) for column in table.columns}["twice"]
    parts = {index.name: index.parts for index in table.indexes}
    assert parts["one"] == (IndexPart("pm_ix_one_1"),)
    assert parts["two"] == (IndexPart("pm_ix_two_1"), IndexPart("owner", None, True))
    assert parts["some"] == (IndexPart("owner"),)
    hidden = {column.target: column for column in table.columns if column.hidden}
    assert all(column.generated for column in hidden.values())
    assert hidden["pm_ix_exact_1"].collation == made.server.exact
    assert told(made)["partial-index:t.some"].severity == "note"
    assert made.blocking == ()
    made_on(session, made)


def test_what_has_no_sure_translation_is_decided_by_a_person(planned: Planned, session: Session) -> None:
    """It is listed as the source wrote it; a generated column's values move all the same."""
    made = planned(
        """
        CREATE TABLE t (
            id INTEGER PRIMARY KEY, s TEXT CHECK (s LIKE 'a%'), u TEXT AS (upper(s)) STORED,
            d TEXT DEFAULT (hex(randomblob(4)))
        );
        CREATE UNIQUE INDEX one ON t (lower(s));
        CREATE VIEW v AS SELECT 1;
        CREATE TRIGGER tr AFTER INSERT ON t BEGIN SELECT 1; END;
        CREATE VIRTUAL TABLE words USING fts5 (body);
        INSERT INTO t (id, s) VALUES (1, 'abc');
        """
    )
    assert {(one.kind, one.name) for one in made.objects} == {
        ("check", "t_check_1"), ("generated column", "u"), ("index", "one"), ("view", "v"), ("trigger", "tr"),
        ("virtual table", "words"),
    }  # fmt: skip
    assert {finding.id for finding in made.blocking} == {
        "check:t.t_check_1", "generated-column:t.u", "index:t.one", "view:v.v", "trigger:t.tr",
        "virtual-table:words.words", "default:t.d",
    }  # fmt: skip
    assert {finding.severity for finding in made.blocking} == {"decide"}
    assert [column.name for column in only(made).moved] == ["id", "s", "u", "d"]
    made_on(session, made)


def test_the_id_zero_and_the_next_id_are_told(planned: Planned) -> None:
    """AUTOINCREMENT's own counter too, which remembers ids of rows that are gone."""
    script = "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT); INSERT INTO t VALUES (50); DELETE FROM t;"
    made = planned(script, (0,), (1,))
    assert keys(told(made)["zero-key:t.id"]) == ["0"]
    assert only(made).auto_increment == 51
    assert only(made).columns[0].auto_increment


def test_a_table_without_a_key_gets_the_rowid(planned: Planned, session: Session) -> None:
    """Hidden, also where the primary key has NULLs, of which the target's may have none."""
    script = """
        CREATE TABLE a (v TEXT);
        CREATE TABLE b (k TEXT, n INTEGER, PRIMARY KEY (k, n));
        INSERT INTO a (rowid, v) VALUES (7, 'x');
        INSERT INTO b VALUES (NULL, 1), ('x', 1);
    """
    made = planned(script)
    assert [(one.key, one.primary_key) for one in made.tables] == [(("rowid",), (ROWID,))] * 2
    assert [one.auto_increment for one in made.tables] == [8, 3]
    (unique,) = made.table("b").indexes
    assert (unique.unique, [part.column for part in unique.parts]) == (True, ["k", "n"])
    assert {"rowid:a", "rowid:b"} <= set(told(made))
    made_on(session, made)


@pytest.mark.parametrize(
    ("script", "stop", "key"),
    [
        ("CREATE TABLE t (v TEXT); INSERT INTO t VALUES (CAST(x'ff' AS TEXT))", "misfit:t.v", "1"),
        ("CREATE TABLE t (v REAL); INSERT INTO t VALUES (1), (9e999)", "misfit:t.v", "2"),
        ("CREATE TABLE t (v TEXT); INSERT INTO t VALUES ('a'), ('b'), (x'00')", "mixed:t.v", "3"),
        ("CREATE TABLE t (v); INSERT INTO t VALUES (1), ('1')", "mixed:t.v", "1"),
        ("CREATE TABLE t (v); INSERT INTO t VALUES (1), (1.5)", "mixed:t.v", "1"),
        ("CREATE TABLE t (v TEXT UNIQUE); INSERT INTO t VALUES (hex(zeroblob(2000)))", "too-long:t.v", "1"),
        (
            "CREATE TABLE t (v INT CHECK (v > 0)); PRAGMA ignore_check_constraints = 1; INSERT INTO t VALUES (1), (-1)",
            "check-broken:t.check 1",
            "2",
        ),
        (
            "CREATE TABLE t (v INT); INSERT INTO t VALUES (1), (NULL); PRAGMA writable_schema = 1;"
            "UPDATE sqlite_schema SET sql = 'CREATE TABLE t (v INT NOT NULL)'",
            "null:t.v",
            "2",
        ),
        (
            "CREATE TABLE t (v TEXT UNIQUE COLLATE NOCASE); INSERT INTO t VALUES ('É'), ('é')",
            "conflict:t.UNIQUE (v)",
            "'É'",
        ),
    ],
)
def test_what_cannot_move_stops_by_its_key(planned: Planned, script: str, stop: str, key: str) -> None:
    """Nothing is silent, and nothing else is said to stop it."""
    made = planned(script)
    assert [finding.id for finding in made.findings if finding.severity == "stop"] == [stop]
    finding = told(made)[stop]
    assert key in keys(finding)
    assert finding.rows >= 1


def test_a_damaged_file_stops(planned: Planned, file: Path, url: str) -> None:
    """What its indexes do not know would not be read."""
    planned("CREATE TABLE t (k TEXT PRIMARY KEY)", *[(f"k{n}",) for n in range(20)])
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript(
            "CREATE TABLE other (k TEXT PRIMARY KEY); PRAGMA writable_schema = 1;"
            "UPDATE sqlite_schema SET rootpage = (SELECT rootpage FROM sqlite_schema WHERE name LIKE '%_other_1') "
            "WHERE name LIKE '%_t_1'"
        )
    finding = told(plan(file, url))["damaged:"]
    assert finding.severity == "stop"
    assert finding.examples


def test_foreign_keys_are_told_of_where_they_change(planned: Planned, session: Session) -> None:
    """What the target has not, or can only have in another shape; the columns of both sides are made one."""
    made = planned(
        """
        CREATE TABLE p (a TEXT, b SMALLINT, c TEXT, UNIQUE (a, b));
        CREATE TABLE t (
            id INTEGER PRIMARY KEY, b INTEGER, a TEXT, c TEXT REFERENCES p (c), d INT REFERENCES nowhere (id),
            e INT DEFAULT 1 REFERENCES t ON DELETE SET DEFAULT DEFERRABLE INITIALLY DEFERRED,
            f INT NOT NULL DEFAULT 1 REFERENCES t ON DELETE SET NULL,
            FOREIGN KEY (b, a) REFERENCES p (b, a)
        );
        CREATE TABLE u (k INTEGER REFERENCES t ON DELETE SET NULL, PRIMARY KEY (k DESC));
        INSERT INTO p VALUES ('x', 1, 'y');
        """,
        (1, 1, "x", None, None, 1, 1),
    )
    found = {name: finding.severity for name, finding in told(made).items() if name.partition(":")[2].startswith("t.")}
    assert found == {
        "foreign-key:t.c>p": "decide",
        "foreign-key:t.d>nowhere": "decide",
        "on-delete:t.e>t": "decide",
        "deferred:t.e>t": "note",
        "on-delete:t.f>t": "decide",
    }
    assert told(made)["on-delete:u.k>t"].severity == "decide"
    links = {link.parent_columns: link for link in made.table("t").foreign_keys}
    assert links["a", "b"].columns == ("a", "b")
    assert types_of(made.table("p"))["b"] == "BIGINT"
    made_on(session, made)


def test_an_id_stays_a_number_whatever_it_refers_to(planned: Planned, session: Session) -> None:
    """The foreign key stays behind, if a person agrees."""
    made = planned("CREATE TABLE p (k TEXT PRIMARY KEY); CREATE TABLE t (id INTEGER PRIMARY KEY REFERENCES p)")
    assert types_of(made.table("t"))["id"] == "BIGINT"
    assert [finding.id for finding in made.blocking] == ["foreign-key:t.id>p"]
    made_on(session, made)


def test_what_is_computed_of_a_foreign_key_is_not_kept(planned: Planned, session: Session) -> None:
    """No server would compute it anew when another table's change writes the key, or check what is so written."""
    made = planned(
        """
        CREATE TABLE t (
            id INTEGER PRIMARY KEY, up INTEGER REFERENCES t ON DELETE SET NULL CHECK (up > 0),
            other INTEGER REFERENCES t ON DELETE CASCADE CHECK (other > 0), more INTEGER AS (up + other) STORED,
            n INTEGER, twice INTEGER AS (n * 2) STORED
        )
        """
    )
    assert {column.name for column in only(made).columns if column.stored} == {"twice"}
    assert [(one.kind, one.sql) for one in made.objects] == [("check", "up > 0")]
    assert [check.source for check in only(made).checks] == ["other > 0"]
    made_on(session, made)


def types_of(table: TablePlan) -> dict[str, str]:
    """The types of its columns."""
    return {column.name: column.type for column in table.columns}


def test_long_indexes_have_prefixes_and_reasons(planned: Planned, session: Session) -> None:
    """One that is not unique may look at the beginnings; wide rows keep their longest texts outside."""
    columns = ", ".join(f"v{n} VARCHAR(9000)" for n in range(3))
    made = planned(
        f"CREATE TABLE t (a TEXT, b VARCHAR(700), c VARCHAR(700), {columns}); CREATE INDEX one ON t (a, b, c);",
        ("x" * 5000, "y", "z", "1", "2", "3"),
    )
    (index,) = only(made).indexes
    assert all(part.length for part in index.parts)
    assert index.reason
    assert [types(made)[f"v{n}"] for n in range(3)].count("TEXT") == 2
    made_on(session, made)


def test_more_than_a_table_can_have_is_told(planned: Planned) -> None:
    """Columns stop, indexes stay behind."""
    columns = ", ".join(f"c{n} INT" for n in range(1100))
    indexes = ";".join(f"CREATE INDEX i{n} ON t (c{n})" for n in range(66))
    made = planned(
        f"CREATE TABLE t ({columns}); {indexes}; CREATE INDEX wide ON t ({', '.join(f'c{n}' for n in range(17))})"
    )
    found = [finding.id for finding in made.blocking]
    assert found == ["columns:t", "index:t.i64", "index:t.i65", "index:t.wide"]


def test_hostile_names_get_others_and_are_noted(planned: Planned, session: Session) -> None:
    """Reserved words are only noted."""
    long = "n" * 70
    made = planned(
        f'CREATE TABLE "select" (id INTEGER PRIMARY KEY, "{long}1" INT, "{long}2" INT, "group" INT, {ROWID} INT)'
    )
    targets = [column.target for column in only(made).columns]
    assert len({name.lower() for name in targets}) == 5
    assert ROWID not in targets
    assert {f"renamed:select.{long}1", f"renamed:select.{long}2", f"renamed:select.{ROWID}"} < set(told(made))
    assert "group, select" in told(made)["reserved:select"].text
    made_on(session, made)


def test_keys_that_are_sorted_otherwise_there(planned: Planned, session: Session) -> None:
    """NOCASE gives way to the rowid, or, WITHOUT ROWID, to a person's decision."""
    made = planned(
        "CREATE TABLE a (k TEXT COLLATE NOCASE PRIMARY KEY);"
        "CREATE TABLE b (k TEXT COLLATE NOCASE PRIMARY KEY) WITHOUT ROWID"
    )
    assert [table.key for table in made.tables] == [("rowid",), ("k",)]
    assert told(made)["key-collation:b.k"].severity == "decide"
    made_on(session, made)


def test_a_strict_any_column_has_no_affinity(planned: Planned) -> None:
    """Text that looks like a number stays text, there and back."""
    made = planned("CREATE TABLE t (id INTEGER PRIMARY KEY, v ANY) STRICT", (1, "5"), (2, "x"))
    column = only(made).columns[1]
    assert (column.type, column.declared) == ("TEXT", "")
    assert made.blocking == ()


def test_a_table_that_stands_in_the_target_is_measured(planned: Planned, url: str) -> None:
    """Its columns stay as they are; what would not fit into them stops, and so do rows that are there already."""
    asked(url, "CREATE TABLE T2 (Id BIGINT PRIMARY KEY AUTO_INCREMENT, s VARCHAR(3) NOT NULL, more INT NOT NULL)")
    asked(url, "CREATE TABLE full (id BIGINT PRIMARY KEY, j JSON)")
    asked(url, "INSERT INTO full VALUES (1, NULL)")
    made = planned(
        """
        CREATE TABLE T2 (id INTEGER PRIMARY KEY, s TEXT, gone INT); INSERT INTO T2 VALUES (1, 'abcd', 1), (2, NULL, 1);
        CREATE TABLE full (id INTEGER PRIMARY KEY, j TEXT); INSERT INTO full VALUES (1, '{}');
        """
    )
    table = made.table("T2")
    assert (table.existing, table.columns[0].target, table.columns[1].type) == (True, "Id", "VARCHAR(3)")
    texts = [(finding.table, finding.column, keys(finding)) for finding in made.findings if finding.severity == "stop"]
    assert ("T2", "s", ["1"]) in texts
    assert ("T2", "s", ["2"]) in texts
    assert [finding.text for finding in made.findings if (finding.table, finding.column) == ("T2", "")][:2] == [
        "the table in the target has no column gone",
        "the target's column more must have a value, and the source has no such column",
    ]
    assert any("holds rows" in finding.text for finding in made.findings if finding.table == "full")


VERSIONS = "CREATE TABLE versions (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"


def test_a_table_with_the_same_rows_is_kept(planned: Planned, url: str) -> None:
    """As migrations leave it on both sides: a note, and nothing in the way."""
    asked(url, VERSIONS)
    asked(url, "INSERT INTO versions VALUES ('0007'), ('ä')")
    made = planned(f"{VERSIONS}; INSERT INTO versions VALUES ('ä'), ('0007')")
    assert only(made).kept
    assert (told(made)["kept:versions"].severity, made.blocking) == ("note", ())


@pytest.mark.parametrize(
    ("inserts", "why"),
    [
        ("INSERT INTO versions VALUES ('0007', 1)", "the row '0008' is only in the target"),
        ("INSERT INTO versions VALUES ('0007', 1), ('0008', 2), ('0009', 3)", "the row '0009' is only in the source"),
        ("INSERT INTO versions VALUES ('0007', 1), ('0008', 3)", "the row '0008' has 2 in n, and 3 in the source"),
        ("INSERT INTO versions VALUES ('0007', 1), (CAST(x'ff' AS TEXT), 1)", "cannot be compared"),
        (
            "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 1001)"
            "INSERT INTO versions SELECT n, n FROM n",
            "too many to be compared",
        ),
    ],
)
def test_a_table_with_other_rows_stops_with_one_of_them(planned: Planned, url: str, inserts: str, why: str) -> None:
    """Neither side's rows are given up silently."""
    table = "CREATE TABLE versions (k VARCHAR(32) PRIMARY KEY, n BIGINT)"
    asked(url, table)
    asked(url, "INSERT INTO versions VALUES ('0007', 1), ('0008', 2)")
    made = planned(f"{table}; {inserts}")
    assert not only(made).kept
    stop = told(made)["existing:versions"]
    assert stop.severity == "stop"
    assert why in stop.text


def test_keys_are_weighed_by_the_collation_that_stands(planned: Planned, url: str) -> None:
    """A table of the target that takes two keys for one cannot have both."""
    asked(url, "CREATE TABLE t (k VARCHAR(20) COLLATE utf8mb4_general_ci PRIMARY KEY)")
    made = planned("CREATE TABLE t (k TEXT PRIMARY KEY)", ("a",), ("A",), ("á",), ("b",))
    assert told(made)["conflict:t.the primary key"].rows == 1


def test_spaces_at_the_end_count_as_the_table_that_stands_counts_them(planned: Planned, url: str) -> None:
    """utf8mb4_bin pads: its unique key takes only one of two such names."""
    asked(url, "CREATE TABLE t (k BIGINT PRIMARY KEY, name VARCHAR(20) COLLATE utf8mb4_bin UNIQUE)")
    made = planned("CREATE TABLE t (k INTEGER PRIMARY KEY, name TEXT UNIQUE)", (1, "ann"), (2, "ann "), (3, "Ann"))
    stop = told(made)["conflict:t.UNIQUE (name)"]
    assert (stop.severity, stop.rows, keys(stop)) == ("stop", 1, ["'ann '"])


def test_keys_that_only_the_table_in_the_target_has_are_asked_of_it(planned: Planned, url: str) -> None:
    """Whether they are text or not; those over the beginning of a text alone cannot be."""
    asked(
        url,
        "CREATE TABLE t (k BIGINT PRIMARY KEY, n BIGINT UNIQUE, name VARCHAR(20) COLLATE utf8mb4_bin, other TEXT, "
        "UNIQUE (name, n), UNIQUE (other (3)))",
    )
    made = planned(
        "CREATE TABLE t (k INTEGER PRIMARY KEY, n INTEGER, name TEXT, other TEXT)",
        (1, 7, "ann", "abcd"), (2, 7, "ann ", "abce"), (3, 8, "ann", "x"), (4, None, "ann", "x"), (5, None, "ann", "x"),
    )  # fmt: skip
    found = {finding.id: keys(finding) for finding in made.findings if finding.severity == "stop"}
    assert found == {
        "conflict:t.the target's unique key (n)": ["7"],
        "conflict:t.the target's unique key (name, n)": ["'ann ', 7"],
    }


def test_a_negative_zero_stops_where_sqlite_keeps_it(planned: Planned) -> None:
    """Which is in a column without an affinity alone."""
    made = planned("CREATE TABLE t (a, b REAL)", (1.5, -0.0), (-0.0, 1.5))
    assert [finding.id for finding in made.blocking] == ["misfit:t.a"]
    assert keys(told(made)["misfit:t.a"]) == ["2"]


def test_on_conflict_is_noted(planned: Planned) -> None:
    """The target refuses the row; ABORT does so in SQLite too."""
    made = planned(
        """
        CREATE TABLE t (
            k TEXT PRIMARY KEY ON CONFLICT REPLACE, a INT NOT NULL ON CONFLICT IGNORE UNIQUE ON CONFLICT ABORT,
            b INT UNIQUE ON CONFLICT ABORT DEFAULT 'ON CONFLICT FAIL', UNIQUE (a, b) ON CONFLICT ROLLBACK
        )
        """
    )
    notes = [finding for name, finding in told(made).items() if name.startswith("on-conflict:t")]
    assert {finding.severity for finding in notes} == {"note"}
    assert [finding.text.partition(":")[0] for finding in notes] == [
        "k TEXT PRIMARY KEY ON CONFLICT REPLACE",
        "a INT NOT NULL ON CONFLICT IGNORE UNIQUE ON CONFLICT ABORT",
        "UNIQUE (a, b) ON CONFLICT ROLLBACK",
    ]


def test_a_file_in_utf_16_is_told_apart_by_numbers(planned: Planned) -> None:
    """It sorts texts by their bytes: a key of text gives way to the rowid, and without one it stops."""
    made = planned(
        """
        PRAGMA encoding = 'UTF-16le';
        CREATE TABLE a (k TEXT PRIMARY KEY, n INT CHECK (n < 5), s TEXT CHECK (s = 'x') CHECK (s < 'y'));
        CREATE TABLE b (k TEXT PRIMARY KEY) WITHOUT ROWID;
        CREATE TABLE c (k INT PRIMARY KEY) WITHOUT ROWID;
        """
    )
    assert [table.key for table in made.tables] == [("rowid",), ("k",), ("k",)]
    assert [check.source for check in made.table("a").checks] == ["n < 5", "s = 'x'"]
    assert {finding.id: finding.severity for finding in made.blocking} == {
        "utf-16:b": "stop",
        "check:a.a_check_3": "decide",
    }
    assert "sqlite3 OLD .dump | sqlite3 NEW" in told(made)["utf-16:b"].text


def test_a_table_that_stands_is_read_by_its_own_key(planned: Planned, url: str) -> None:
    """Also from a file in UTF-16, which then stops."""
    asked(url, "CREATE TABLE t (k VARCHAR(20) PRIMARY KEY)")
    made = planned("PRAGMA encoding = 'UTF-16be'; CREATE TABLE t (k TEXT PRIMARY KEY)")
    assert [finding.id for finding in made.blocking] == ["utf-16:t"]


def test_what_is_computed_is_kept_as_what_it_is(planned: Planned, session: Session) -> None:
    """A generated column or an index that would make another value of it stays behind."""
    made = planned(
        """
        CREATE TABLE t (
            id INTEGER PRIMARY KEY, n INTEGER, s TEXT, mixed INTEGER,
            a INTEGER AS (n + 1), b TEXT AS (n + 1)
        );
        CREATE UNIQUE INDEX "primary" ON t (n);
        CREATE UNIQUE INDEX alive ON t (n) WHERE mixed IS NULL;
        CREATE UNIQUE INDEX mine ON t (mixed) WHERE n;
        CREATE UNIQUE INDEX empty ON t (n * 2);
        CREATE UNIQUE INDEX ids ON t (id) WHERE n > 1;
        CREATE UNIQUE INDEX own ON t (n) WHERE id > 1;
        """
    )
    table = only(made)
    assert {column.name: bool(column.generated) for column in table.columns if column.name in "ab"} == {
        "a": True, "b": False,
    }  # fmt: skip
    types_there = {column.target: column.type for column in table.columns if column.hidden}
    assert types_there == dict.fromkeys(("pm_ix_alive_1", "pm_ix_mine_1", "pm_ix_empty_1"), "BIGINT")
    assert {one.name for one in made.objects} == {"b", "ids", "own"}
    assert "primary" not in {index.target for index in table.indexes}
    made_on(session, made)


@pytest.mark.parametrize(
    "content", [b"SQLite format 2\0" * 300, b"\x8f" * 4096, b"** This file contains an SQLite 2.1"]
)
def test_what_is_no_database_is_told_with_the_remedy(file: Path, url: str, content: bytes) -> None:
    """An older format, or an encrypted file."""
    file.write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"no SQLite 3 database.*Decrypt it.*\.dump"):
        plan(file, url)


def test_a_missing_file_is_told(file: Path, url: str) -> None:
    """And none is made."""
    with pytest.raises(ConfigurationError, match="there is no file"):
        plan(file, url)
    assert not file.exists()


def test_the_source_is_as_it_was_and_a_plan_is_the_same_again(planned: Planned, file: Path, url: str) -> None:
    """Nothing is written, and the same is found by the same ids."""
    first = planned("CREATE TABLE t (k TEXT PRIMARY KEY, v)", ("a", 1), ("A", "x"))
    before = hashlib.sha256(file.read_bytes()).hexdigest()
    assert plan(file, url) == first
    assert hashlib.sha256(file.read_bytes()).hexdigest() == before


def test_the_source_is_seen_in_one_state(file: Path, url: str) -> None:
    """Whoever goes on writing does not wait, and what he writes belongs to the next plan."""
    with closing(sqlite3.connect(file)) as writer:
        writer.executescript(
            "PRAGMA journal_mode = WAL; CREATE TABLE a (v); CREATE TABLE b (v); INSERT INTO b VALUES (1)"
        )

        def meanwhile(what: str, done: int, total: int | None) -> None:
            with writer:
                writer.execute("INSERT INTO b VALUES (2)")

        made = plan(file, url, meanwhile)
        assert made.table("b").rows == 1
        assert writer.execute("SELECT count(*) > 1 FROM b").fetchone() == (1,)

"""From a server into a SQLite file: each type at its ends, hostile names, the way back of a plan, and what stops it."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from postrmagic_core.database.transfer.interface import (
    ROWID,
    CheckPlan,
    ColumnPlan,
    IndexPart,
    IndexPlan,
    ObjectPlan,
    Plan,
    Server,
    TablePlan,
)
from postrmagic_core.database.transfer.reversing.reverse import ReverseReport, reverse
from postrmagic_core.database.transfer.session import Session
from postrmagic_core.database.transfer.source.schema import affinity_of
from postrmagic_core.errors import ConfigurationError, PlanRefused, RowRefused

pytestmark = pytest.mark.mysql

Reversed = Callable[..., ReverseReport]
TWO_63 = 2**63


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the file shall be."""
    return tmp_path / "back.db"


@pytest.fixture
def reversed_(url: str, path: Path) -> Reversed:
    """The database of the test, copied into the file."""
    return lambda **options: reverse(url, path, **options)


def rows(path: Path, query: str) -> list[tuple[Any, ...]]:
    """What the file answers."""
    with closing(sqlite3.connect(path)) as file:
        return file.execute(query).fetchall()


def schema(path: Path) -> set[str]:
    """The texts by which everything in the file was made."""
    return {sql for (sql,) in rows(path, "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")}


def make(session: Session, *statements: str) -> None:
    """Run them on the server, where even what is no date may be kept."""
    session.execute("SET SESSION sql_mode = ''")
    for statement in statements:
        session.execute(statement)
    session.commit()


def planned(server: Server, *tables: TablePlan, objects: tuple[ObjectPlan, ...] = ()) -> Plan:
    """A plan by which these tables went."""
    return Plan("app.db", "mysql:127.0.0.1", "0123", server, tables, objects)


def told(report: ReverseReport) -> str:
    """All findings, as text."""
    return "; ".join(f"{one.table}.{one.column}: {one.text}" for one in report.plan.findings)


VALUES: list[tuple[str, list[object], list[object]]] = [
    ("TINYINT(1)", [0, 1, -128, 127], [0, 1, -128, 127]),
    ("TINYINT UNSIGNED", [0, 255], [0, 255]),
    ("SMALLINT", [-32768, 32767], [-32768, 32767]),
    ("MEDIUMINT UNSIGNED", [0, 16777215], [0, 16777215]),
    ("INT(4) ZEROFILL", [7, 4294967295], [7, 4294967295]),
    ("BIGINT", [-TWO_63, TWO_63 - 1, 2**53 + 1], [-TWO_63, TWO_63 - 1, 2**53 + 1]),
    ("BIGINT UNSIGNED", [0, TWO_63 - 1], [0, TWO_63 - 1]),
    ("DOUBLE", [0.1, 5e-324, -1.7976931348623157e308, 3.0, 1e22], [0.1, 5e-324, -1.7976931348623157e308, 3.0, 1e22]),
    ("DOUBLE(10,2)", [1.1, 12345678.91], [1.1, 12345678.91]),
    ("FLOAT", [0.1, 16777217, 1.17549e-38], [0.10000000149011612, 16777216.0, 1.1754900067970481e-38]),
    ("FLOAT(7,2)", [1.1], [1.100000023841858]),
    ("DECIMAL(15,4)", ["12345678901.2345", "-0.0001", "3"], [12345678901.2345, -0.0001, 3]),
    ("DECIMAL(18,0)", ["999999999999999999"], [999999999999999999]),
    ("DECIMAL(40,10)", ["123456789012345678901234567890.0123456789"], ["123456789012345678901234567890.0123456789"]),
    ("DECIMAL(65,30)", ["-0.000000000000000000000000000001"], ["-0.000000000000000000000000000001"]),
    ("CHAR(5)", ["a", "", "a  "], ["a", "", "a"]),
    ("VARCHAR(20)", ["a  ", "5", "\0\t\n\\'\"\x1a", "😀é"], ["a  ", "5", "\0\t\n\\'\"\x1a", "😀é"]),
    ("VARCHAR(20) CHARACTER SET latin1", ["é€"], ["é€"]),
    ("LONGTEXT", ["x" * 70_000, ""], ["x" * 70_000, ""]),
    ("BINARY(3)", [b"a", b"\xff\0\xff"], [b"a\0\0", b"\xff\0\xff"]),
    ("VARBINARY(9)", [b"", b"\0\xff\xfe5", b"5"], [b"", b"\0\xff\xfe5", b"5"]),
    ("LONGBLOB", [b"\xff" * 70_000], [b"\xff" * 70_000]),
    ("DATETIME", ["1000-01-01 00:00:00", "0000-00-00 00:00:00"], ["1000-01-01 00:00:00", "0000-00-00 00:00:00"]),
    ("DATETIME(6)", ["9999-12-31 23:59:59.999999"], ["9999-12-31 23:59:59.999999"]),
    ("TIMESTAMP NULL", ["1970-01-01 00:00:01", "2038-01-19 03:14:07"], ["1970-01-01 00:00:01", "2038-01-19 03:14:07"]),
    ("DATE", ["2024-02-29", "2024-02-00"], ["2024-02-29", "2024-02-00"]),
    ("TIME(3)", ["-838:59:59", "00:00:00.001"], ["-838:59:59.000", "00:00:00.001"]),
    ("YEAR", [1901, 2155, 0], [1901, 2155, 0]),
    ("BIT(1)", [1, 0], [1, 0]),
    ("BIT(64)", [TWO_63 - 1], [TWO_63 - 1]),
    ("ENUM('a','it''s','b\\\\c','')", ["a", "it's", "b\\c", ""], ["a", "it's", "b\\c", ""]),
    ("SET('x','y')", ["x,y", ""], ["x,y", ""]),
    ("JSON", ['{"a": [1, "é"]}', "null"], ['{"a": [1, "é"]}', "null"]),
]


@pytest.mark.parametrize(("kind", "given", "expected"), VALUES, ids=[kind for kind, _, _ in VALUES])
def test_each_type_comes_back_at_its_ends(
    session: Session, reversed_: Reversed, path: Path, kind: str, given: list[object], expected: list[object]
) -> None:
    """With NULL beside them, and in the storage class that the column gives back."""
    make(session, f"CREATE TABLE t (id INT PRIMARY KEY, v {kind})", "INSERT INTO t VALUES (0, NULL)")
    for number, value in enumerate(given, 1):
        session.execute("INSERT INTO t VALUES (%s, %s)", (number, value))
    session.commit()
    report = reversed_()
    found = rows(path, "SELECT v FROM t ORDER BY id")
    assert [value for (value,) in found] == [None, *expected]
    declared = report.plan.tables[0].columns[1].declared
    if affinity_of(declared) != "numeric":  # which makes an integer of a real that is one
        assert [type(value) for (value,) in found[1:]] == [type(value) for value in expected]


@pytest.mark.parametrize(("kind", "value"), [("BIGINT UNSIGNED", TWO_63), ("BIT(64)", 2**64 - 1)])
def test_an_integer_beyond_sqlites_names_its_row(
    session: Session, reversed_: Reversed, path: Path, kind: str, value: int
) -> None:
    """And there is no file."""
    make(session, f"CREATE TABLE t (a VARCHAR(9), n INT, v {kind}, PRIMARY KEY (a, n))")
    session.execute("INSERT INTO t VALUES ('x', 1, 5), ('it''s', 7, %s)", [value])
    session.commit()
    with pytest.raises(RowRefused, match=r"t\.v, row \('it''s', 7\)") as refused:
        reversed_()
    assert (refused.value.table, refused.value.column) == ("t", "v")
    assert list(path.parent.iterdir()) == []


@pytest.mark.parametrize(
    ("key", "named"), [(", PRIMARY KEY (a)", "'it''s'"), ("", "LIMIT 1 OFFSET 1")], ids=["ignoring case", "none"]
)
def test_a_row_is_named_whatever_its_table_has_for_a_key(
    session: Session, reversed_: Reversed, key: str, named: str
) -> None:
    """By a key that SQLite sorts otherwise too, and by its place where there is none."""
    make(session, f"CREATE TABLE t (a VARCHAR(9) COLLATE utf8mb4_general_ci, v BIGINT UNSIGNED{key})")
    session.execute("INSERT INTO t VALUES ('A', 5), ('it''s', %s)", [TWO_63])
    session.commit()
    with pytest.raises(RowRefused) as refused:
        reversed_()
    assert refused.value.key == named


def test_what_sqlite_has_nothing_for_stops_before_a_row(session: Session, reversed_: Reversed, path: Path) -> None:
    """Table, column and type are told."""
    make(session, "CREATE TABLE places (id INT PRIMARY KEY, at POINT)")
    with pytest.raises(PlanRefused, match=r"places\.at \(point\)"):
        reversed_()
    assert list(path.parent.iterdir()) == []


def test_hostile_names_come_back(session: Session, reversed_: Reversed, path: Path) -> None:
    """Quotes, percent signs, braces, words of SQL, and what SQLite calls a row's number."""
    make(
        session,
        "CREATE TABLE `a\"b``c%s{}` (`select` INT PRIMARY KEY, `x\"y%s{0}` FLOAT, `rowid` INT, `[]` ENUM('%s'))",
        "INSERT INTO `a\"b``c%s{}` VALUES (1, 0.5, 9, '%s')",
        'CREATE INDEX `i%%"``` ON `a"b``c%s{}` (`x"y%s{0}`)',
    )
    reversed_()
    assert rows(path, 'SELECT "select", "x""y%s{0}", "rowid", "[]" FROM "a""b`c%s{}"') == [(1, 0.5, 9, "%s")]


def test_rules_come_back(session: Session, reversed_: Reversed, path: Path) -> None:
    """Keys with what they do, CHECKs, defaults and computed columns; the last id that was given is not given again."""
    make(
        session,
        "CREATE TABLE users (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, name VARCHAR(20) NOT NULL DEFAULT 'it''s',"
        " n INT NOT NULL DEFAULT 3, twice INT AS (n * 2) STORED, made DATETIME NOT NULL DEFAULT (UTC_TIMESTAMP()),"
        " UNIQUE KEY by_name (name), CONSTRAINT small CHECK (n < 10))",
        "CREATE TABLE posts (id INT PRIMARY KEY, user BIGINT, CONSTRAINT whose FOREIGN KEY (user) REFERENCES users (id)"
        " ON DELETE CASCADE ON UPDATE SET NULL)",
        "INSERT INTO users (id, name) VALUES (5, 'a'), (9, 'b')",
        "DELETE FROM users WHERE id = 9",
        "INSERT INTO posts VALUES (1, 5)",
    )
    report = reversed_()
    assert report.rows == 2
    with closing(sqlite3.connect(path, isolation_level=None)) as file:
        file.execute("PRAGMA foreign_keys = ON")
        file.execute("INSERT INTO users DEFAULT VALUES")
        assert file.execute("SELECT id, name, n, twice, length(made) FROM users").fetchall() == [
            (5, "a", 3, 6, 19),
            (10, "it's", 3, 6, 19),
        ]
        with pytest.raises(sqlite3.IntegrityError, match=r"UNIQUE.*name"):
            file.execute("INSERT INTO users (name) VALUES ('a')")
        with pytest.raises(sqlite3.IntegrityError, match=r"CHECK.*small"):
            file.execute("UPDATE users SET n = 10")
        file.execute("DELETE FROM users WHERE id = 5")
        assert file.execute("SELECT COUNT(*) FROM posts").fetchone() == (0,)


def test_what_stays_behind_is_told(session: Session, reversed_: Reversed) -> None:
    """Views, triggers, words in an index, collations, and what writes the time of an update."""
    make(
        session,
        "CREATE TABLE t (id INT PRIMARY KEY, x TEXT COLLATE utf8mb4_general_ci, at DATETIME NULL"
        " ON UPDATE CURRENT_TIMESTAMP, loud VARCHAR(9) AS (UPPER(LEFT(x, 9))), FULLTEXT KEY words (x))",
        "CREATE VIEW v AS SELECT 1 AS one",
        "CREATE TRIGGER tr BEFORE INSERT ON t FOR EACH ROW SET NEW.id = 1",
        "CREATE TABLE old (id INT PRIMARY KEY) ENGINE=MyISAM",
    )
    found = told(reversed_())
    for part in ("view v", "trigger tr", "index words", "t.x:", "t.at:", "t.loud:", "old.: MyISAM"):
        assert part in found


def test_the_file_is_its_owners_and_replaces_nothing(session: Session, reversed_: Reversed, path: Path) -> None:
    """The second run is refused, and nothing lies beside the first one's file."""
    make(session, "CREATE TABLE t (id INT PRIMARY KEY)")
    reversed_()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(ConfigurationError, match="there already"):
        reversed_()
    assert list(path.parent.iterdir()) == [path]


def test_only_the_named_tables_come(session: Session, reversed_: Reversed, path: Path) -> None:
    """A foreign key to another one is left out and told; a name that is none is refused."""
    make(
        session,
        "CREATE TABLE a (id INT PRIMARY KEY)",
        "CREATE TABLE b (id INT PRIMARY KEY, a INT, FOREIGN KEY (a) REFERENCES a (id))",
        "INSERT INTO a VALUES (1)",
        "INSERT INTO b VALUES (1, 1)",
    )
    with pytest.raises(PlanRefused, match="no table nothing"):
        reversed_(tables=["b", "nothing"])
    report = reversed_(tables=["b"])
    assert [table.name for table in report.plan.tables] == ["b"]
    assert "a does not come along" in told(report)
    assert rows(path, "SELECT * FROM b") == [(1, 1)]


def test_tables_that_sqlite_takes_for_one_are_refused(session: Session, reversed_: Reversed) -> None:
    """Servers on Linux tell names apart by case, SQLite does not."""
    make(session, "CREATE TABLE Users (id INT PRIMARY KEY)", "CREATE TABLE users (id INT PRIMARY KEY)")
    with pytest.raises(PlanRefused, match="Users, users"):
        reversed_()


def test_one_moment_of_the_server_comes(session: Session, reversed_: Reversed, path: Path) -> None:
    """What others write while rows are read is not among them."""
    make(
        session,
        "CREATE TABLE a (id INT PRIMARY KEY)",
        "CREATE TABLE b (id INT PRIMARY KEY)",
        "INSERT INTO a VALUES (1)",
    )

    def write(what: str, done: int, total: int | None) -> None:
        if what == "a":
            session.execute("INSERT INTO b VALUES (1)")
            session.commit()

    reversed_(report=write)
    assert rows(path, "SELECT * FROM b") == []


ITEMS = """CREATE TABLE items (
  name TEXT PRIMARY KEY, -- a comment that comes back
  price NUMERIC, twice AS (price * 2), at DATETIME, flag BOOLEAN DEFAULT 0, CHECK (price >= 0)
)"""


def items(server: Server) -> TablePlan:
    """A table of a plan, under another name on the server."""
    text = ColumnPlan("name", "name", "VARCHAR(191)", nullable=False, collation=server.exact, declared="TEXT")
    return TablePlan(
        "items",
        "app_items",
        ("name",),
        ("name",),
        (
            text,
            ColumnPlan("price", "price", "DECIMAL(20,2)", declared="NUMERIC"),
            ColumnPlan("twice", "twice", "DOUBLE", generated="`price` * 2"),
            ColumnPlan("at", "when", "DATETIME(3)", grammar="%Y-%m-%dT%H:%M:%S.%fZ", declared="DATETIME"),
            ColumnPlan("flag", "flag", "TINYINT(1)", declared="BOOLEAN"),
        ),
        indexes=(IndexPlan("by_at", "by_at", (IndexPart("when"),), sql="CREATE INDEX by_at ON items (at DESC)"),),
        checks=(CheckPlan("c", "price >= 0", "`price` >= 0"),),
        sql=ITEMS,
    )


APP_ITEMS = (
    "CREATE TABLE app_items (name VARCHAR(191) COLLATE {exact} PRIMARY KEY, price DECIMAL(20,2), "
    "twice DOUBLE AS (price * 2), `when` DATETIME(3), flag TINYINT(1){more})"
)
TRIGGER = "CREATE TRIGGER stamp AFTER INSERT ON items BEGIN UPDATE items SET flag = 1; END"


def test_with_a_plan_everything_is_made_by_its_own_text(
    session: Session, server: Server, reversed_: Reversed, path: Path
) -> None:
    """Rows in the source's grammar and names; the trigger is made when they are there."""
    make(
        session,
        APP_ITEMS.format(exact=server.exact, more=""),
        "INSERT INTO app_items (name, price, `when`, flag) VALUES ('b', 2.5, '2024-02-29 12:00:00.120', 0), "
        "('a', 3, NULL, NULL)",
    )
    trigger = ObjectPlan("trigger", "stamp", "items", TRIGGER)
    report = reversed_(plan=planned(server, items(server), objects=(trigger,)))
    assert schema(path) == {ITEMS, "CREATE INDEX by_at ON items (at DESC)", TRIGGER}
    assert rows(path, "SELECT name, price, typeof(price), twice, at, flag FROM items ORDER BY name") == [
        ("a", 3, "integer", 6, None, None),
        ("b", 2.5, "real", 5.0, "2024-02-29T12:00:00.120Z", 0),
    ]
    assert report.plan.findings == ()


def test_what_the_server_has_by_now_comes_too(
    session: Session, server: Server, reversed_: Reversed, path: Path
) -> None:
    """Columns and tables that the plan does not know are made as the server describes them, and told."""
    make(
        session,
        APP_ITEMS.format(exact=server.exact, more=", added ENUM('x','y') NOT NULL DEFAULT 'y'"),
        "CREATE TABLE later (id INT PRIMARY KEY)",
        "INSERT INTO app_items (name) VALUES ('a')",
    )
    report = reversed_(plan=planned(server, items(server)))
    assert rows(path, "SELECT name, added FROM items") == [("a", "y")]
    assert rows(path, "SELECT * FROM later") == []
    assert "items.added: new on the server" in told(report)


def test_what_the_server_has_no_more_is_told(session: Session, server: Server, reversed_: Reversed, path: Path) -> None:
    """A column comes back with its default, a table empty; one that must have a value stops."""
    make(session, "CREATE TABLE app_items (name VARCHAR(191) PRIMARY KEY)", "INSERT INTO app_items VALUES ('a')")
    gone = TablePlan("gone", "gone", ("rowid",), (), (), sql="CREATE TABLE gone (a)")
    report = reversed_(plan=planned(server, items(server), gone))
    assert rows(path, "SELECT name, price, flag FROM items") == [("a", None, 0)]
    assert rows(path, "SELECT * FROM gone") == []
    for part in ("items.price: the server has it no more", "gone.: the server has it no more"):
        assert part in told(report)
    needed = TablePlan(
        "items", "app_items", ("name",), ("name",), items(server).columns, sql="CREATE TABLE items (name, at NOT NULL)"
    )
    path.unlink()
    with pytest.raises(PlanRefused, match=r"items\.at"):
        reversed_(plan=planned(server, needed))


@pytest.mark.parametrize(
    ("kind", "declared", "value"),
    [
        ("VARCHAR(20)", "NUMERIC", "007"),
        ("VARCHAR(20)", "DATETIME", " 2024 "),
        ("BIGINT", "TEXT", 5),
        ("BIGINT", "REAL", 2**53 + 1),
        ("DECIMAL(30,2)", "NUMERIC", "12345678901234567890.12"),
        ("VARCHAR(20)", "BLOB", None),
    ],
)
def test_a_value_that_the_file_would_make_another_of_names_its_row(
    session: Session, server: Server, reversed_: Reversed, kind: str, declared: str, value: object
) -> None:
    """The affinity of the source's column converts what somebody has written on the server since."""
    make(session, f"CREATE TABLE t (id INT PRIMARY KEY, v {kind})")
    session.execute("INSERT INTO t VALUES (1, NULL), (2, %s)", [value])
    session.commit()
    columns = (
        ColumnPlan("id", "id", "BIGINT", declared="INTEGER"),
        ColumnPlan("v", "v", kind, declared=declared),
    )
    table = TablePlan("t", "t", ("id",), ("id",), columns, sql=f"CREATE TABLE t (id INTEGER PRIMARY KEY, v {declared})")
    if value is None:  # without an affinity everything is kept
        assert reversed_(plan=planned(server, table)).rows == 2
        return
    with pytest.raises(RowRefused, match=r"t\.v, row 2: the file would not hold"):
        reversed_(plan=planned(server, table))


def test_a_time_that_the_grammar_has_no_letters_for_names_its_row(
    session: Session, server: Server, reversed_: Reversed
) -> None:
    """Somebody has written half a second where the source knows whole ones."""
    make(
        session,
        "CREATE TABLE t (id INT PRIMARY KEY, at DATETIME(3))",
        "INSERT INTO t VALUES (1, '2024-01-01 10:00:00'), (2, '2024-01-01 10:00:00.5')",
    )
    at = ColumnPlan("at", "at", "DATETIME(3)", grammar="%Y-%m-%dT%H:%M:%SZ", declared="DATETIME")
    columns = (ColumnPlan("id", "id", "BIGINT", declared="INTEGER"), at)
    table = TablePlan("t", "t", ("id",), ("id",), columns, sql="CREATE TABLE t (id INTEGER PRIMARY KEY, at DATETIME)")
    with pytest.raises(RowRefused, match=r"t\.at, row 2:"):
        reversed_(plan=planned(server, table))


def test_a_row_that_the_sources_own_rules_refuse_is_named(
    session: Session, server: Server, reversed_: Reversed, path: Path
) -> None:
    """The server allows by now what the source's CHECK does not."""
    make(
        session,
        APP_ITEMS.format(exact=server.exact, more=""),
        "INSERT INTO app_items (name, price) VALUES ('a', 1), ('b', -1)",
    )
    with pytest.raises(RowRefused, match="items, row 'b': a CHECK"):
        reversed_(plan=planned(server, items(server)))
    assert list(path.parent.iterdir()) == []


def test_rows_that_are_the_same_to_an_index_of_the_source_are_named(
    session: Session, server: Server, reversed_: Reversed
) -> None:
    """The server has its unique index no more."""
    make(session, "CREATE TABLE t (id INT PRIMARY KEY, v INT)", "INSERT INTO t VALUES (1, 5), (2, 6), (3, 6)")
    columns = (ColumnPlan("id", "id", "INT", declared="INT"), ColumnPlan("v", "v", "INT", declared="INT"))
    index = IndexPlan("once", "once", (IndexPart("v"),), unique=True, sql="CREATE UNIQUE INDEX once ON t (v)")
    text = "CREATE TABLE t (id INTEGER PRIMARY KEY, v INT)"
    table = TablePlan("t", "t", ("id",), ("id",), columns, indexes=(index,), sql=text)
    with pytest.raises(RowRefused, match=r"t, row [23]: another row is the same for .* INDEX once ON t"):
        reversed_(plan=planned(server, table))


def test_a_row_that_refers_to_none_is_named(session: Session, reversed_: Reversed) -> None:
    """Rows may have been written while the server looked away."""
    make(
        session,
        "CREATE TABLE a (id INT PRIMARY KEY)",
        "CREATE TABLE b (id INT PRIMARY KEY, a INT, FOREIGN KEY (a) REFERENCES a (id))",
        "SET SESSION foreign_key_checks = 0",
        "INSERT INTO b VALUES (7, 1)",
    )
    with pytest.raises(RowRefused, match="b, row rowid 7: a foreign key names no row of a"):
        reversed_()


def test_a_table_without_a_key_keeps_its_row_numbers(
    session: Session, server: Server, reversed_: Reversed, path: Path
) -> None:
    """They stand in the hidden column."""
    make(
        session,
        f"CREATE TABLE t ({ROWID} BIGINT NOT NULL AUTO_INCREMENT INVISIBLE PRIMARY KEY, rowid INT)",
        f"INSERT INTO t ({ROWID}, rowid) VALUES (-3, 1), (7, 2)",
    )
    reversed_()
    assert rows(path, "SELECT _rowid_, rowid FROM t") == [(-3, 1), (7, 2)]


def test_progress_is_told(session: Session, reversed_: Reversed) -> None:
    """How many rows of which table are there."""
    make(session, "CREATE TABLE t (id INT PRIMARY KEY)", "INSERT INTO t VALUES (1), (2)")
    seen: list[tuple[str, int, int | None]] = []
    reversed_(report=lambda *progress: seen.append(progress))
    assert ("t", 2, None) in seen


def test_mariadbs_own_types_come_back_as_text(mariadb_url: str, path: Path) -> None:
    """Identifiers and addresses, as it writes them."""
    from postrmagic_core.database.transfer.server import open_target

    with closing(open_target(mariadb_url).connect()) as session:
        make(
            session,
            "CREATE TABLE t (u UUID PRIMARY KEY, a INET6)",
            "INSERT INTO t VALUES ('123e4567-e89b-12d3-a456-426655440000', '::ffff:1.2.3.4')",
        )
    reverse(mariadb_url, path)
    assert rows(path, "SELECT * FROM t") == [("123e4567-e89b-12d3-a456-426655440000", "::ffff:1.2.3.4")]

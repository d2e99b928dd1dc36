"""Whatever is not the same on both sides is found and named: table, key, column and both values."""

from __future__ import annotations

import math
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from postrmagic_core.database.transfer.copying.batches import key_as_sql
from postrmagic_core.database.transfer.copying.snapshot import make_snapshot
from postrmagic_core.database.transfer.interface import (
    CheckPlan,
    ForeignKeyPlan,
    IndexPart,
    IndexPlan,
    Plan,
    Server,
    unreported,
)
from postrmagic_core.database.transfer.server import Target
from postrmagic_core.database.transfer.session import Session
from postrmagic_core.database.transfer.verifying.differing import Difference
from postrmagic_core.database.transfer.verifying.integrity import Failure
from postrmagic_core.database.transfer.verifying.verify import TOLD, TableVerdict, verify
from postrmagic_core.errors import PlanRefused
from tests.database.transfer.verified import HIDDEN, column, copied, insert, plan_of, serial, table

ALL = """CREATE TABLE everything (
    id INTEGER PRIMARY KEY, small SMALLINT, n INTEGER, r REAL, money DECIMAL(10,2), name VARCHAR(40), t TEXT,
    long TEXT, b BLOB, large BLOB, word VARCHAR(40), at DATETIME, day DATE, mixed INTEGER
)"""
INSERT = f"INSERT INTO everything VALUES ({', '.join('?' * 14)})"
LONG, LARGE = "é" * 70_000, bytes(range(256)) * 400


def row(number: int) -> tuple[Any, ...]:
    """A row with something in every column."""
    return (
        number, number, 2**62 + number, 0.1 + 0.2 * number, number + 0.25, f"Name {number}", f"text {number}\n\x00\\",
        f"{LONG}{number}", bytes([number, 0, 255]), LARGE, "word", f"2024-02-29T12:00:00.{number:06d}Z", "2024-02-29",
        "one" if number % 2 else 1,
    )  # fmt: skip


@pytest.fixture
def everything(file: Path, url: str, session: Session, server: Server, fill: Callable[..., None]) -> Plan:
    """A plan that was carried out, of a table with every kind of column and ten rows."""
    fill(ALL, (INSERT, [row(number) for number in range(10, 101, 10)]))
    found = table(
        "everything",
        serial(),
        column("small", "SMALLINT", "SMALLINT"),
        column("n", "BIGINT", "INTEGER"),
        column("r", "DOUBLE", "REAL"),
        column("money", "DECIMAL(12,2)", "DECIMAL(10,2)"),
        column("name", "VARCHAR(191)", "VARCHAR(40)", collation=server.exact),
        column("t", "TEXT", "TEXT", collation=server.exact),
        column("long", "MEDIUMTEXT", "TEXT", collation=server.exact),
        column("b", "BLOB", "BLOB"),
        column("large", "LONGBLOB", "BLOB"),
        column("word", "VARBINARY(160)", "VARCHAR(40)"),
        column("at", "DATETIME(6)", "DATETIME", grammar="%Y-%m-%dT%H:%M:%S.%fZ"),
        column("day", "DATE", "DATE", grammar="%Y-%m-%d"),
        column("mixed", "VARCHAR(191)", "INTEGER", collation=server.exact),
        auto_increment=101,
        rows=10,
    )
    return copied(file, session, plan_of(file, url, server, found))


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three rows a batch: every test has several ranges of keys."""
    monkeypatch.setattr("postrmagic_core.database.transfer.verifying.verify._ROWS", 3)


def only(plan: Plan, url: str) -> TableVerdict:
    """The report of the only table."""
    (found,) = verify(plan, url).tables
    return found


def change(session: Session, statement: str, *parameters: object) -> None:
    """Change the target behind everybody's back."""
    assert session.execute(statement, parameters) > 0
    session.commit()


def test_what_is_the_same_is_told_as_that(everything: Plan, url: str) -> None:
    """Both sides have ten rows and the same hash, and nothing differs."""
    found = verify(everything, url)
    assert found.equal
    assert found.rows == 10
    (told,) = found.tables
    assert (told.source_rows, told.target_rows, told.differences, told.failures) == (10, 10, (), ())
    assert told.source_hash == told.target_hash != "0" * 32


@pytest.mark.parametrize(
    ("name", "to", "here", "there"),
    [
        ("small", 51, "50", "51"),
        ("n", 2**62 + 51, str(2**62 + 50), str(2**62 + 51)),
        ("r", repr(math.nextafter(10.1, 11)), repr(0.1 + 0.2 * 50), repr(math.nextafter(10.1, 11))),
        ("money", "50.26", "50.25", "50.26"),
        ("money", "50", "50.25", "50"),
        ("name", "Name 50 ", "'Name 50'", "'Name 50 '"),
        ("name", "name 50", "'Name 50'", "'name 50'"),
        ("name", "Náme 50", "'Name 50' (character 2 is U+0061)", "'Náme 50' (character 2 is U+00E1)"),
        ("name", "Na\u0301me 50", "'Name 50' (character 3 is U+006D)", "'Na\u0301me 50' (character 3 is U+0301)"),
        ("name", "Name 50\u200b", "'Name 50' (ends after character 7)", "'Name 50\u200b' (character 8 is U+200B)"),
        ("name", "N\u0430me 50", "'Name 50' (character 2 is U+0061)", "'N\u0430me 50' (character 2 is U+0430)"),
        ("t", "text 50\n\x00", "'text 50\n\x00\\'", "'text 50\n\x00'"),
        ("t", "text 50\n\\", None, None),
        ("t", "", None, "''"),
        ("t", None, None, "NULL"),
        ("b", b"\x33\x00\xff", "X'3200FF'", "X'3300FF'"),
        ("b", b"\x32\x00\xff\x00", "X'3200FF'", "X'3200FF00'"),
        ("b", b"", "X'3200FF'", "X''"),
        ("word", b"Word", "'word'", "'Word'"),
        ("word", b"word ", "'word'", "'word '"),
        ("word", b"\xff", "'word'", "X'FF'"),
        ("at", "2024-02-29 12:00:00.000051", "'2024-02-29T12:00:00.000050Z'", "'2024-02-29T12:00:00.000051Z'"),
        ("day", "2024-03-01", "'2024-02-29'", "'2024-03-01'"),
        ("mixed", "01", "1", "'01'"),
        ("mixed", "1.0", "1", "1.0"),
        ("mixed", None, "1", "NULL"),
    ],
)
def test_one_changed_value_is_named(
    name: str, to: object, here: str | None, there: str | None, everything: Plan, url: str, session: Session
) -> None:
    """A bit, a character, a case, a space, a microsecond: table, key, column and both values are told."""
    change(session, f"UPDATE everything SET {name} = %s WHERE id = 50", to)
    found = only(everything, url)
    (told,) = found.differences
    assert (told.kind, told.table, told.key, told.column) == ("changed", "everything", "50", name)
    assert here in (None, told.source)
    assert there in (None, told.target)
    assert told.source != told.target
    assert (found.changed, found.missing, found.surplus) == (1, 0, 0)
    assert found.source_hash != found.target_hash


def test_the_place_where_long_values_differ_is_shown(everything: Plan, url: str, session: Session) -> None:
    """Of a long value the part is told in which the difference is, and where that is."""
    change(session, "UPDATE everything SET `long` = INSERT(`long`, 65001, 1, 'e') WHERE id = 50")
    change(session, "UPDATE everything SET large = INSERT(large, 100001, 1, X'00') WHERE id = 60")
    text, blob = only(everything, url).differences
    part = "(characters 64961 to 65160 of 70002)"
    assert text.source == f"'{'é' * 200}' {part} (character 65001 is U+00E9)"
    assert text.target == f"'{'é' * 40}e{'é' * 159}' {part} (character 65001 is U+0065)"
    assert (blob.column, blob.key) == ("large", "60")
    assert blob.source != blob.target


@pytest.mark.parametrize("number", [5, 9, 45, 70, 75, 101, 10**12])
def test_a_row_too_many_is_named_wherever_it_is(number: int, everything: Plan, url: str, session: Session) -> None:
    """Before all, between two, between two batches, after all."""
    if number != 70:
        change(session, "INSERT INTO everything (id) VALUES (%s)", number)
        assert only(everything, url).differences == (Difference("surplus", "everything", str(number)),)
    else:
        change(session, "UPDATE everything SET id = 71 WHERE id = 70")
        found = only(everything, url)
        assert {(each.kind, each.key) for each in found.differences} == {("missing", "70"), ("surplus", "71")}


@pytest.mark.parametrize("number", [10, 30, 40, 50, 100])
def test_a_row_too_few_is_named_wherever_it_is(number: int, everything: Plan, url: str, session: Session) -> None:
    """The first, the last of a batch, the first of the next, the last of all."""
    change(session, "DELETE FROM everything WHERE id = %s", number)
    found = only(everything, url)
    assert found.differences == (Difference("missing", "everything", str(number)),)
    assert (found.source_rows, found.target_rows) == (10, 9)


def test_an_empty_target_lacks_every_row(everything: Plan, url: str, session: Session) -> None:
    """All ten are missing."""
    change(session, "DELETE FROM everything")
    found = only(everything, url)
    assert (found.missing, found.target_hash) == (10, "0" * 32)


def test_two_rows_that_changed_places_are_both_named(everything: Plan, url: str, session: Session) -> None:
    """What one row should have and another has is two differences, although no value is lost."""
    change(session, "UPDATE everything SET small = 70 - small WHERE id IN (20, 50)")
    change(session, "UPDATE everything SET name = IF(id = 30, 'Name 40', 'Name 30') WHERE id IN (30, 40)")
    told = {(each.key, each.column) for each in only(everything, url).differences}
    assert told == {("20", "small"), ("50", "small"), ("30", "name"), ("40", "name")}


def test_a_value_that_moved_into_its_neighbour_is_named(everything: Plan, url: str, session: Session) -> None:
    """Two columns whose texts joined are the same are not the same."""
    change(session, "UPDATE everything SET name = 'Name 50t', t = SUBSTR(t, 2) WHERE id = 50")
    assert [each.column for each in only(everything, url).differences] == ["name", "t"]


def test_null_is_not_the_letter_that_stands_for_it(
    file: Path, url: str, session: Session, server: Server, fill: Any
) -> None:
    """NULL, the empty text, the texts N and NULL, and zero are five values."""
    texts = [None, "", "N", "NULL", "0", "1:N", ";", "N;N"]
    fill("CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, b INTEGER)")
    words = column("a", "TEXT", "TEXT", collation=server.exact)
    plan = copied(
        file, session, plan_of(file, url, server, table("t", serial(), words, column("b", "BIGINT", "INTEGER")))
    )
    for one in texts:
        with closing(sqlite3.connect(file)) as connection, connection:
            connection.execute("DELETE FROM t")
            connection.execute("INSERT INTO t VALUES (1, ?, 0)", (one,))
        for other in texts:
            session.execute("DELETE FROM t")
            change(session, "INSERT INTO t VALUES (1, %s, 0)", other)
            assert only(plan, url).equal == (one == other)
        session.execute("DELETE FROM t")
        change(session, "INSERT INTO t VALUES (1, %s, NULL)", one)
        assert [each.column for each in only(plan, url).differences] == ["b"]


KEYS = st.tuples(st.text("aAáb \x00\U0001f600%'\\~", max_size=3), st.integers(-2, 2))
ROWS = st.dictionaries(KEYS, st.sampled_from([None, 0, 1]), max_size=9)


@pytest.mark.parametrize("exact", [True, False])
def test_what_differs_is_named_and_nothing_else(
    exact: bool, file: Path, url: str, session: Session, server: Server, fill: Callable[..., None]
) -> None:
    """With a key of text and number and hostile names: exactly the rows that are not on both sides, or not alike."""
    fill('CREATE TABLE "a`%s" (k TEXT, "%d" INTEGER, v INTEGER, PRIMARY KEY (k, "%d"))')
    collation = server.exact if exact else "utf8mb4_bin"
    # A key that pads would take "a" and "a " for one.
    key = ("k", "%d") if exact else ()
    columns = (
        column("k", "VARCHAR(20)", "TEXT", collation=collation, nullable=False),
        column("%d", "BIGINT", "INTEGER", nullable=False),
        column("v", "BIGINT", "INTEGER"),
    )
    found = table("a`%s", *columns, key=("k", "%d"), primary_key=key)
    plan = copied(file, session, plan_of(file, url, server, found))

    @settings(max_examples=60, suppress_health_check=list(HealthCheck), deadline=None)
    @given(ROWS, ROWS, st.booleans())
    def compared(here: dict[Any, Any], other: dict[Any, Any], alike: bool) -> None:
        there = (here | dict(list(other.items())[:2])) if alike else other
        with closing(sqlite3.connect(file)) as connection, connection:
            connection.execute('DELETE FROM "a`%s"')
            connection.executemany(
                'INSERT INTO "a`%s" VALUES (?, ?, ?)', [(*key, value) for key, value in here.items()]
            )
        session.execute("DELETE FROM `a``%s`")
        rows = [(*key, value) for key, value in there.items()]
        names = ("k", "%d", "v")
        insert(
            session,
            found,
            dict(zip(names, zip(*rows, strict=True), strict=True)) if rows else dict.fromkeys(names, ()),
        )
        session.commit()
        told = only(plan, url)
        missing = {key_as_sql(key) for key in here.keys() - there.keys()}
        surplus = {key_as_sql(key) for key in there.keys() - here.keys()}
        changed = {key_as_sql(key) for key in here.keys() & there.keys() if here[key] != there[key]}
        assert {each.key for each in told.differences if each.kind == "missing"} == missing
        assert {each.key for each in told.differences if each.kind == "surplus"} == surplus
        assert {each.key for each in told.differences if each.kind == "changed"} == changed
        assert (told.missing, told.surplus, told.changed) == (len(missing), len(surplus), len(changed))
        assert (told.source_hash == told.target_hash) == (here == there)

    compared()


def test_a_table_without_a_key_is_compared_by_its_hidden_one(
    file: Path, url: str, session: Session, server: Server, fill: Callable[..., None]
) -> None:
    """Rows that are alike are told apart by SQLite's rowid."""
    fill("CREATE TABLE t (a TEXT)", ("INSERT INTO t VALUES (?)", [("same",)] * 8))
    found = table("t", HIDDEN, column("a", "TEXT", "TEXT", collation=server.exact), key=("rowid",))
    plan = copied(file, session, plan_of(file, url, server, found))
    assert only(plan, url).equal
    change(session, "DELETE FROM t WHERE pm_rowid = 4")
    assert only(plan, url).differences == (Difference("missing", "t", "4"),)


def test_only_so_many_differences_are_told_but_all_are_counted(
    file: Path, url: str, session: Session, server: Server, fill: Callable[..., None]
) -> None:
    """A table that is wrong altogether makes no report of its own size."""
    fill("CREATE TABLE t (id INTEGER PRIMARY KEY, a INTEGER)", ("INSERT INTO t (a) VALUES (?)", [(1,)] * 250))
    plan = copied(file, session, plan_of(file, url, server, table("t", serial(), column("a", "BIGINT", "INTEGER"))))
    change(session, "UPDATE t SET a = 2")
    found = only(plan, url)
    assert (len(found.differences), found.changed) == (TOLD, 250)


def test_what_the_target_computes_is_compared_too(
    file: Path, url: str, session: Session, server: Server, fill: Callable[..., None]
) -> None:
    """A generated column that computes something else is a difference."""
    fill(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a INTEGER, b INTEGER AS (a * 2))",
        ("INSERT INTO t (a) VALUES (?)", [(1,)]),
    )
    right = column("b", "BIGINT", "INTEGER", generated="`a` * 2")
    found = table("t", serial(), column("a", "BIGINT", "INTEGER"), right)
    plan = copied(file, session, plan_of(file, url, server, found))
    assert only(plan, url).equal
    session.execute("ALTER TABLE t DROP COLUMN b, ADD COLUMN b BIGINT AS (a * 3)")
    (told,) = only(plan, url).differences
    assert (told.column, told.source, told.target) == ("b", "2", "3")


@pytest.fixture
def promising(file: Path, url: str, session: Session, server: Server, fill: Callable[..., None]) -> Plan:
    """A plan that was carried out, of two tables with keys of every kind."""
    fill(
        "CREATE TABLE parent (id INTEGER PRIMARY KEY);"
        "CREATE TABLE child (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES parent,"
        " code TEXT UNIQUE CHECK (code <> ''), note INTEGER);"
        "CREATE INDEX of_parent ON child (parent)",
        ("INSERT INTO parent VALUES (?)", [(1,), (2,)]),
        ("INSERT INTO child VALUES (?, ?, ?, 0)", [(1, 1, "a"), (2, None, None), (3, 2, "A"), (4, 2, None)]),
    )
    child = table(
        "child",
        serial(),
        column("parent", "BIGINT", "INTEGER"),
        column("code", "VARCHAR(191)", "TEXT", collation=server.exact),
        column("note", "BIGINT", "INTEGER"),
        indexes=(
            IndexPlan("u", "u_code", (IndexPart("code"),), unique=True),
            IndexPlan("of_parent", "of_parent", (IndexPart("parent"),)),
        ),
        foreign_keys=(ForeignKeyPlan("fk_parent", ("parent",), "parent", ("id",)),),
        checks=(CheckPlan("ck_code", "code <> ''", "`code` <> ''"),),
        auto_increment=9,
    )
    return copied(file, session, plan_of(file, url, server, table("parent", serial()), child))


def test_promises_that_are_made_and_kept_are_no_failures(promising: Plan, url: str) -> None:
    """Keys, unique keys, foreign keys, CHECKs and the next id are there, and no row breaks them."""
    assert verify(promising, url).equal


@pytest.mark.parametrize(
    ("statement", "kind", "name"),
    [
        ("ALTER TABLE child DROP INDEX u_code", "unique key", "u_code"),
        ("ALTER TABLE child DROP INDEX u_code, ADD INDEX u_code (code)", "unique key", "u_code"),
        ("ALTER TABLE child DROP INDEX u_code, ADD UNIQUE INDEX u_code (code(1))", "unique key", "u_code"),
        ("ALTER TABLE child DROP FOREIGN KEY fk_parent", "foreign key", "fk_parent"),
        ("ALTER TABLE child DROP FOREIGN KEY fk_parent, DROP INDEX of_parent", "index", "of_parent"),
        ("ALTER TABLE child DROP CONSTRAINT ck_code", "check", "ck_code"),
        ("ALTER TABLE child AUTO_INCREMENT = 5", "auto increment", "id"),
        ("ALTER TABLE child MODIFY id BIGINT NOT NULL, DROP PRIMARY KEY", "primary key", "PRIMARY"),
        ("ALTER TABLE child MODIFY code VARCHAR(190) COLLATE {exact}", "column", "code"),
        ("ALTER TABLE child MODIFY code VARCHAR(191) COLLATE utf8mb4_bin", "column", "code"),
        ("ALTER TABLE child MODIFY note BIGINT NOT NULL", "column", "note"),
    ],
)
def test_a_promise_that_is_not_made_is_named(
    statement: str, kind: str, name: str, promising: Plan, url: str, session: Session
) -> None:
    """What a table should have and has not is a failure, although every row is right."""
    session.execute(statement.format(exact=promising.server.exact))
    _, child = verify(promising, url).tables
    assert child.differences == ()
    assert (kind, name) in {(failure.kind, failure.name) for failure in child.failures}


def test_a_type_that_rounds_is_named_although_its_values_look_the_same(
    everything: Plan, url: str, session: Session
) -> None:
    """A FLOAT of 0.1 is written as a DOUBLE of 0.1 is, and is another number."""
    session.execute("ALTER TABLE everything MODIFY r FLOAT")
    assert Failure("column", "everything", "r", "its type is float, and not DOUBLE") in only(everything, url).failures


def test_promises_that_rows_break_are_named_with_their_number(promising: Plan, url: str, session: Session) -> None:
    """Orphans, doubles and rows against a CHECK are counted, where the server was told not to look."""
    session.execute("SET SESSION foreign_key_checks = 0")
    session.execute("ALTER TABLE child DROP INDEX u_code, DROP CONSTRAINT ck_code")
    change(session, "UPDATE child SET parent = 7, code = '' WHERE id IN (2, 3, 4)")
    _, child = verify(promising, url).tables
    assert {(failure.kind, failure.rows) for failure in child.failures if failure.rows} == {
        ("foreign key", 3),
        ("unique key", 2),
        ("check", 3),
    }
    assert child.changed == 3


def test_a_table_or_a_column_that_is_not_there_is_named(promising: Plan, url: str, session: Session) -> None:
    """What cannot be compared is a failure, and the other tables are compared all the same."""
    session.execute("ALTER TABLE child DROP CONSTRAINT ck_code, DROP COLUMN code")
    parent, child = verify(promising, url).tables
    assert parent.equal
    assert child.failures == (Failure("column", "child", "code", "the table has no such column"),)
    session.execute("DROP TABLE child")
    _, child = verify(promising, url).tables
    assert child.failures == (Failure("table", "child", "child", "the target has no such table"),)


def test_one_moment_is_compared_whatever_others_write(everything: Plan, url: str, target: Target) -> None:
    """A row that comes while it is compared is not seen."""

    told = []

    def write(what: str, done: int, total: int | None) -> None:
        told.append((what, done, total))
        with closing(target.connect()) as other:
            change(other, "INSERT INTO everything (id) VALUES (%s)", 1000 + len(told))

    assert verify(everything, url, report=write).equal
    assert told == [("verify everything", done, 10) for done in (3, 6, 9, 10, 10)]
    assert only(everything, url).surplus == 5


def test_a_snapshot_is_compared_in_the_place_of_the_source(
    everything: Plan, url: str, file: Path, tmp_path: Path
) -> None:
    """What is written to the source after the snapshot is no difference."""
    snapshot = tmp_path / "snapshot.db"
    make_snapshot(str(file), snapshot, unreported)
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("DELETE FROM everything WHERE id = 50")
    assert verify(everything, url, snapshot).equal
    assert only(everything, url).differences == (Difference("surplus", "everything", "50"),)


def test_another_source_is_refused(everything: Plan, url: str, file: Path) -> None:
    """A source that is not there, or has another schema, is compared with nothing."""
    with pytest.raises(PlanRefused, match="no file"):
        verify(replace(everything, source=str(file) + ".no"), url)
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("CREATE TABLE more (id INTEGER)")
    with pytest.raises(PlanRefused, match="schema"):
        verify(everything, url)


def test_no_library_for_plans_is_loaded_to_compare() -> None:
    """Neither a parser of SQL nor of TOML: each would take a third of the memory that is promised."""
    code = (
        "import sys, postrmagic_core.database.transfer.verifying.verify;"
        "print({'sqlglot', 'tomlkit', 'rich'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"

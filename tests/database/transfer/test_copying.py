"""A plan carried out: everything arrives, nothing that is not planned happens, and what cannot be is refused before."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from postrmagic_core.database.transfer.copying import checkpoint
from postrmagic_core.database.transfer.copying.holding import Hold
from postrmagic_core.database.transfer.copying.options import RunOptions
from postrmagic_core.database.transfer.copying.run import finish, run, snapshot_of
from postrmagic_core.database.transfer.interface import (
    CheckPlan,
    Finding,
    ForeignKeyPlan,
    IndexPart,
    IndexPlan,
    Plan,
    Server,
    TablePlan,
)
from postrmagic_core.database.transfer.server import Target
from postrmagic_core.database.transfer.session import Session
from postrmagic_core.errors import OutOfSpace, PlanRefused, RowRefused, UniqueViolation
from tests.database.transfer.handmade import HIDDEN, column, plan, serial, table, words

pytestmark = pytest.mark.mysql

SMALL = RunOptions(batch_rows=7)
SCHEMA = """
CREATE TABLE users (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT);
CREATE TABLE posts (id INTEGER PRIMARY KEY, by INTEGER REFERENCES users (id), body TEXT);
CREATE TABLE tags (post INTEGER, tag TEXT, PRIMARY KEY (tag, post)) WITHOUT ROWID;
CREATE TABLE log (line TEXT);
"""
Fill = Callable[..., None]


@pytest.fixture
def filled(fill: Fill) -> None:
    """Four tables with 150 rows each, some ids zero and below."""
    numbers = range(-2, 148)
    fill(
        SCHEMA,
        ("INSERT INTO users VALUES (?, ?)", [(n, f"user {n} ä") for n in numbers]),
        ("INSERT INTO posts VALUES (?, ?, ?)", [(n, n if n % 3 else None, "text " * n) for n in numbers]),
        ("INSERT INTO tags VALUES (?, ?)", [(n, f"tag{n % 5} ") for n in numbers]),
        ("INSERT INTO log VALUES (?)", [(f"line {n % 9}",) for n in numbers]),
    )


def tables(server: Server) -> tuple[TablePlan, ...]:
    """What becomes of them; children come first."""
    name = words("name", server=server)
    return (
        table(
            "posts",
            serial(),
            column("by", declared="INTEGER"),
            words("body", "TEXT", server),
            foreign_keys=(ForeignKeyPlan("fk_by", ("by",), "people", ("id",), "CASCADE"),),
            rows=150,
        ),
        table(
            "users",
            serial(),
            name,
            target="people",
            indexes=(IndexPlan("ux", "ux", (IndexPart("name"),), unique=True),),
            checks=(CheckPlan("ck", "id > -9", "CHAR_LENGTH(`name`) > 0"),),
            auto_increment=5000,
            rows=150,
        ),
        table("tags", column("post"), words("tag", server=server), key=("tag", "post"), rows=150),
        table("log", HIDDEN, words("line", server=server), primary_key=(HIDDEN.target,), rows=150),
    )


@pytest.fixture
def planned(file: Path, url: str, server: Server, filled: None) -> Plan:
    """A plan for all four."""
    return plan(file, url, *tables(server), server=server)


def rows(path: Path, query: str) -> list[tuple[object, ...]]:
    """What SQLite answers."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


def arrived(path: Path, session: Session) -> None:
    """Every row is there, and none that is not in the source."""
    session.rollback()
    for ours, theirs in (
        ("SELECT * FROM users ORDER BY id", "SELECT * FROM people ORDER BY id"),
        ("SELECT * FROM posts ORDER BY id", "SELECT * FROM posts ORDER BY id"),
        ("SELECT tag, post FROM tags ORDER BY tag, post", "SELECT tag, post FROM tags ORDER BY tag, post"),
        ("SELECT rowid, line FROM log ORDER BY rowid", "SELECT pm_rowid, line FROM log ORDER BY pm_rowid"),
    ):
        assert list(session.rows(theirs)) == rows(path, ours)


def names(session: Session, query: str) -> set[str]:
    """The first column of an answer, in small letters."""
    return {str(row[0]).lower() for row in session.rows(query)}


INDEXES = "SELECT index_name FROM information_schema.statistics WHERE table_schema = DATABASE()"
CONSTRAINTS = "SELECT constraint_name FROM information_schema.table_constraints WHERE constraint_schema = DATABASE()"
TABLES = "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()"


@pytest.mark.parametrize("options", [SMALL, RunOptions(workers=1), RunOptions(workers=4, batch_bytes=1)])
def test_everything_arrives(file: Path, planned: Plan, url: str, session: Session, options: RunOptions) -> None:
    """Rows, indexes, checks, foreign keys and the next id; what is done is told as it goes."""
    told: list[tuple[str, int, int | None]] = []
    report = run(planned, url, options, lambda *each: told.append(each))
    arrived(file, session)
    assert report.moved == 600
    assert not report.resumed
    assert {each.name: each.rows for each in report.tables} == dict.fromkeys(("users", "posts", "tags", "log"), 150)
    assert "ux" in names(session, INDEXES)
    assert {"fk_by", "ck"} <= names(session, CONSTRAINTS)
    session.execute("INSERT INTO people (name) VALUES ('next')")
    assert session.rows("SELECT id FROM people WHERE name = 'next'") == ((5000,),)
    assert ("users", 150, 150) in told
    assert any(what == "snapshot" for what, _, _ in told)


def test_a_run_that_is_done_does_nothing_more(
    file: Path, planned: Plan, url: str, target: Target, session: Session
) -> None:
    """And what it keeps for the check goes at the end, on request: the snapshot, readable by its owner alone, too."""
    first = run(planned, url, SMALL)
    again = run(planned, url, SMALL)
    assert (again.moved, again.resumed, again.snapshot) == (0, True, first.snapshot)
    assert first.snapshot is not None
    assert first.snapshot == snapshot_of(planned, session)
    assert first.snapshot.stat().st_mode & 0o777 == 0o600
    progress = checkpoint.read_progress(session, planned)
    assert progress is not None
    assert progress.state == "done"
    finish(planned, url)
    assert not first.snapshot.exists()
    assert not checkpoint.is_there(session)
    assert {path.name for path in file.parent.iterdir()} == {"source.db"}
    arrived(file, session)
    finish(planned, url)


def test_the_source_may_change_meanwhile(file: Path, planned: Plan, url: str, session: Session) -> None:
    """What is moved is one state of it, whatever is written while the rows go."""
    before = rows(file, "SELECT * FROM users ORDER BY id")

    def disturb(what: str, done: int, total: int | None) -> None:
        if what == "log" and done < 20:
            with closing(sqlite3.connect(file)) as connection, connection:
                connection.execute("UPDATE users SET name = name || '!'")
                connection.execute("DELETE FROM users WHERE id > 100")

    run(planned, url, replace(SMALL, workers=1), disturb)
    assert list(session.rows("SELECT * FROM people ORDER BY id")) == before


def test_a_source_in_wal_mode_is_read_with_what_is_not_checkpointed(
    file: Path, planned: Plan, url: str, session: Session
) -> None:
    """And its snapshot is a file alone."""
    with closing(sqlite3.connect(file)) as writer:
        writer.execute("PRAGMA journal_mode=WAL")
        writer.execute("PRAGMA wal_autocheckpoint=0")
        writer.execute("UPDATE users SET name = name || ' in WAL'")
        writer.commit()
        report = run(planned, url, SMALL)
        arrived(file, session)
    assert report.snapshot is not None
    assert not list(file.parent.glob(f"{report.snapshot.name}-*"))


def test_a_dry_run_writes_nothing(file: Path, planned: Plan, url: str, session: Session) -> None:
    """It tells the statements in their order, and how many rows."""
    report = run(planned, url, replace(SMALL, dry_run=True))
    assert names(session, TABLES) == set()
    assert list(file.parent.iterdir()) == [file]
    assert [each.rows for each in report.tables] == [150] * 4
    kinds = [" ".join(each.split()[:2]) for each in report.statements]
    assert kinds.count("CREATE TABLE") == 4
    assert kinds.count("LOAD DATA") == 4
    assert "FOREIGN KEY" in report.statements[-1]


def test_undecided_findings_are_listed(planned: Plan, url: str, session: Session) -> None:
    """And nothing is touched before they are decided."""
    stop = Finding("f1", "stop", "users", "a name that is not UTF-8")
    decide = Finding("f2", "decide", "users", "a view stays behind")
    with pytest.raises(PlanRefused, match=r"(?s)2 finding.*f1: a name.*f2: a view"):
        run(replace(planned, findings=(stop, decide)), url)
    with pytest.raises(PlanRefused, match="1 finding"):
        run(replace(planned, findings=(stop, replace(decide, accepted=True))), url)
    assert names(session, TABLES) == set()


def test_another_schema_is_refused(file: Path, planned: Plan, url: str) -> None:
    """The source was altered since the plan was made; or it is gone."""
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("ALTER TABLE users ADD COLUMN late TEXT")
    with pytest.raises(PlanRefused, match="schema of the source"):
        run(planned, url)
    file.unlink()
    with pytest.raises(PlanRefused, match="no file"):
        run(planned, url)


def test_a_table_that_is_not_ours_is_left_alone(planned: Plan, url: str, session: Session) -> None:
    """It is named, all that is wrong at once, and its rows stay."""
    session.execute("CREATE TABLE people (id INT)")
    session.execute("CREATE TABLE tags (id INT)")
    session.execute("INSERT INTO people VALUES (1)")
    session.commit()
    with pytest.raises(PlanRefused, match=r"(?s)people: a table of that name.*tags: a table of that name"):
        run(planned, url)
    assert session.rows("SELECT * FROM people") == ((1,),)
    assert names(session, TABLES) == {"people", "tags"}


def existing(planned: Plan) -> Plan:
    """The same plan for tables that are there."""
    return replace(planned, tables=tuple(replace(each, existing=True) for each in planned.tables))


CREATED = (
    "CREATE TABLE people (id BIGINT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(99) COLLATE utf8mb4_bin UNIQUE)",
    "CREATE TABLE posts (id BIGINT PRIMARY KEY, `by` BIGINT, body LONGTEXT, extra INT DEFAULT 5)",
    "ALTER TABLE posts ADD FOREIGN KEY (`by`) REFERENCES people (id)",
    "CREATE TABLE tags (post BIGINT, tag VARCHAR(20) COLLATE utf8mb4_bin, PRIMARY KEY (tag, post))",
    "CREATE TABLE log (pm_rowid BIGINT AUTO_INCREMENT PRIMARY KEY, line VARCHAR(99))",
)


def test_rows_go_into_tables_that_are_there(file: Path, planned: Plan, url: str, session: Session) -> None:
    """Made by the application's migrations: only rows move, and their parents are looked for afterwards."""
    for statement in CREATED:
        session.execute(statement)
    run(existing(planned), url, SMALL)
    assert session.rows("SELECT COUNT(*), SUM(extra) FROM posts") == ((150, 750),)
    assert list(session.rows("SELECT id, name FROM people ORDER BY id")) == rows(
        file, "SELECT * FROM users ORDER BY id"
    )
    assert "ck" not in names(session, CONSTRAINTS)


def test_a_table_that_is_kept_keeps_its_rows(planned: Plan, url: str, session: Session) -> None:
    """None is moved, and the others are; a parent whose rows are kept is there."""
    run(planned, url, replace(SMALL, tables=("users",)))
    session.execute("DROP TABLE pm_transfer")
    tables = tuple(
        replace(table, existing=table.name == "users", kept=table.name == "users", rows=150) for table in planned.tables
    )
    made = replace(planned, tables=tables)
    rehearsed = run(made, url, replace(SMALL, dry_run=True))
    assert not [text for text in rehearsed.statements if "INTO" in text and "people" in text]
    assert {table.rows for table in rehearsed.tables} == {150}
    report = run(made, url, SMALL)
    assert {table.name: (table.rows, table.moved) for table in report.tables}["users"] == (150, 0)
    assert report.moved == 450
    assert run(made, url, SMALL).moved == 0


@pytest.mark.parametrize(("lose", "why"), [("DROP TABLE people", "not there"), ("DELETE FROM people", "has none")])
def test_a_table_that_was_to_be_kept_is_gone(planned: Plan, url: str, session: Session, lose: str, why: str) -> None:
    """Emptied, or dropped: planning has to look again."""
    session.execute(CREATED[0])
    session.execute("INSERT INTO people VALUES (1, 'one')")
    session.execute(lose)
    session.commit()
    tables = tuple(replace(table, existing=True, kept=True) for table in planned.tables if table.name == "users")
    with pytest.raises(PlanRefused, match=f"people: the plan keeps its rows, but it .*{why}"):
        run(replace(planned, tables=tables), url, SMALL)


def test_a_table_that_is_there_is_looked_at_first(planned: Plan, url: str, session: Session) -> None:
    """Rows, triggers, another engine, columns that lack, and tables that lack altogether."""
    for statement in (
        *CREATED[:2],
        "INSERT INTO people VALUES (1, 'other')",
        "CREATE TRIGGER noted BEFORE INSERT ON posts FOR EACH ROW SET NEW.extra = 1",
        "CREATE TABLE tags (post BIGINT, must INT NOT NULL, may INT NOT NULL DEFAULT 1) ENGINE=MyISAM",
    ):
        session.execute(statement)
    session.commit()
    with pytest.raises(PlanRefused) as refused:
        run(existing(planned), url)
    told = str(refused.value)
    for problem in (
        "people: it holds rows",
        "posts: a trigger",
        "tags: its engine is MyISAM",
        "tags: it has no column tag",
        "tags: it wants a value for must, which",
        "log: the plan moves rows into it, but it is not there",
    ):
        assert problem in told


@pytest.mark.parametrize("there", [True, False], ids=["existing", "made"])
def test_a_row_without_its_parent_is_named(fill: Fill, planned: Plan, url: str, session: Session, there: bool) -> None:
    """The source got it after the plan was made; whether the key is made now or was there."""
    fill("INSERT INTO posts VALUES (777, 4711, 'orphan')")
    for statement in CREATED if there else ():
        session.execute(statement)
    with pytest.raises(RowRefused, match="no such row in people") as refused:
        run(existing(planned) if there else planned, url)
    assert (refused.value.table, refused.value.key, refused.value.column) == ("posts", "777", "by")


def test_a_row_that_breaks_what_is_added_later_is_named(fill: Fill, planned: Plan, url: str) -> None:
    """A CHECK by the row's key, a unique index by its columns."""
    fill("INSERT INTO users VALUES (777, '')")
    with pytest.raises(RowRefused, match="CHECK") as refused:
        run(planned, url)
    assert (refused.value.table, refused.value.key) == ("users", "777")


def test_rows_that_are_the_same_to_a_unique_index_are_told(fill: Fill, planned: Plan, url: str) -> None:
    """By the index and its columns; not by the value."""
    fill("INSERT INTO users VALUES (777, 'user 5 ä')")
    with pytest.raises(UniqueViolation, match=r"users: two rows are the same to the unique index ux \(name\)"):
        run(planned, url)


def test_some_tables_only(file: Path, planned: Plan, url: str, session: Session) -> None:
    """With their foreign keys: a parent comes along or is there already; the rest follows from the same snapshot."""
    with pytest.raises(PlanRefused, match="need these tables too: users"):
        run(planned, url, replace(SMALL, tables=("posts",)))
    with pytest.raises(PlanRefused, match="no table nothing"):
        run(planned, url, replace(SMALL, tables=("nothing",)))
    first = run(planned, url, replace(SMALL, tables=("users", "log")))
    assert names(session, TABLES) == {"people", "log", "pm_transfer"}
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("DELETE FROM tags WHERE post = 1")
    second = run(planned, url, replace(SMALL, tables=("posts",)))
    third = run(planned, url, SMALL)
    assert [len(each.tables) for each in (first, second, third)] == [2, 1, 4]
    assert first.snapshot == third.snapshot
    session.rollback()
    assert session.rows("SELECT COUNT(*) FROM tags") == ((150,),)
    assert "fk_by" in names(session, CONSTRAINTS)


def test_two_at_once_are_refused(planned: Plan, url: str, target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second is told so; after the first it may run."""
    with Hold(target, 5.0), monkeypatch.context() as brief:
        brief.setattr("postrmagic_core.database.transfer.copying.holding._TURN", 0)
        with pytest.raises(PlanRefused, match="another process"):
            run(planned, url)
    # With its turn to wait for: the server lets go of the lock a moment after the first has hung up.
    assert run(planned, url).moved == 600


def test_a_rate_is_kept(planned: Plan, url: str) -> None:
    """Over all workers together."""
    began = time.monotonic()
    run(planned, url, replace(SMALL, rows_per_second=600, workers=3))
    assert time.monotonic() - began > 0.9


def test_a_snapshot_that_is_gone_is_not_replaced(
    fill: Fill, planned: Plan, url: str, session: Session, tmp_path: Path
) -> None:
    """Rows of two states of the source would be mixed."""
    fill("INSERT INTO users VALUES (777, '')")
    with pytest.raises(RowRefused):
        run(planned, url, SMALL)
    path = snapshot_of(planned, session)
    assert path is not None
    path.unlink()
    with pytest.raises(PlanRefused, match="from which rows are in the target already, is gone"):
        run(planned, url, SMALL)


@pytest.mark.parametrize("lose", ["DROP TABLE log", "TRUNCATE TABLE log"])
def test_rows_that_are_gone_are_not_taken_for_moved(planned: Plan, url: str, session: Session, lose: str) -> None:
    """Somebody dropped a table and left the checkpoints."""
    run(planned, url, SMALL)
    session.execute(lose)
    with pytest.raises(PlanRefused, match="log: 150 rows were moved into it and are gone"):
        run(planned, url, SMALL)


def test_a_snapshot_needs_a_directory_that_takes_it(planned: Plan, url: str, tmp_path: Path) -> None:
    """Otherwise it is said which one does not."""
    with pytest.raises(PlanRefused, match=r"no directory .*absent"):
        run(planned, url, replace(SMALL, directory=tmp_path / "absent"))


def test_a_snapshot_needs_room(planned: Plan, url: str, monkeypatch: pytest.MonkeyPatch, session: Session) -> None:
    """It is said before anything is copied, and another directory may have it."""

    class Little:
        free = 10

    monkeypatch.setattr("shutil.disk_usage", lambda _: Little)
    with pytest.raises(OutOfSpace, match="name another directory"):
        run(planned, url)
    assert names(session, TABLES) == {"pm_transfer"}


def test_a_value_that_no_longer_fits_stops_with_its_name(fill: Fill, planned: Plan, url: str, session: Session) -> None:
    """Written to the source after the plan was made; the rows before it are there, none of its batch is."""
    fill("", ("INSERT INTO users VALUES (777, ?)", [("x" * 200,)]))
    with pytest.raises(RowRefused) as refused:
        run(planned, url, replace(SMALL, tables=("users",)))
    assert (refused.value.table, refused.value.column, refused.value.key) == ("users", "name", "777")
    assert session.rows("SELECT COUNT(*) FROM people") == ((147,),)


def test_options_are_checked() -> None:
    """Where they are made."""
    with pytest.raises(ValueError, match="at least 1"):
        RunOptions(workers=0)
    with pytest.raises(ValueError, match="above zero"):
        RunOptions(rows_per_second=0)

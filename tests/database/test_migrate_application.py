"""An application's own migrations: run after the package's, written from its metadata, taken back, never half done."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import pytest
from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, MetaData, String, Table, inspect, text

from postrmagic_core.database import DatabaseManager, Migrations, Timeouts
from postrmagic_core.database.migrating.environment import script
from postrmagic_core.database.migrating.interface import Step
from postrmagic_core.database.migrating.migrator import Migrator
from postrmagic_core.database.schema import PACKAGE, revisions
from postrmagic_core.database.types import TABLE_OPTIONS, BinaryKey, Blob, Id, Key, Micros
from postrmagic_core.errors import (
    BackendTimeout,
    ConfigurationError,
    IntegrityViolation,
    PostrMagicError,
    SchemaMismatch,
)
from tests.copies import packaged
from tests.database.histories import BILLED, BILLS, FIRST, FIRST_BACK, billed, written

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
Open = Callable[..., DatabaseManager]


@pytest.fixture
def open_packaged(database_url: str, open_database: Open) -> Open:
    """A factory of open managers over a database that has the package's tables."""
    packaged(database_url)
    return open_database


def tables_of(database: DatabaseManager) -> set[str]:
    """The names of the tables that are not the package's."""
    with database.read() as tx:
        names = inspect(tx.connection).get_table_names()
    return {name for name in names if not name.startswith("pm_")} - {"alembic_version"}


def posters() -> MetaData:
    """Every type of ours, keys and indexes."""
    metadata = MetaData(info={"unmanaged": ["by_hand*"]})
    Table(
        "posters",
        metadata,
        Column("id", Id(), primary_key=True),
        Column("name", Key(64), nullable=False, unique=True),
        Column("digest", BinaryKey(32)),
        Column("body", Blob()),
        Column("made", Micros(), nullable=False),
        CheckConstraint("made >= 0", name="made_not_negative"),
        **TABLE_OPTIONS,
    )
    Table(
        "marks",
        metadata,
        Column("poster_id", Id(), ForeignKey("posters.id", ondelete="CASCADE", name="fk_marks_poster"), nullable=False),
        Column("mark", String(20), primary_key=True),
        Index("ix_marks_poster_id", "poster_id"),
        **TABLE_OPTIONS,
    )
    return metadata


def migrator(database: DatabaseManager) -> Migrator:
    """The migrator of the manager's histories."""
    return Migrator(database.backend, database.migrations)


def test_the_packages_revisions_run_before_the_applications(open_database: Open, tmp_path: Path) -> None:
    """One call at deployment; each history notes where it is in a table of its own, and each revision is told first."""
    database = open_database(migrations=written(tmp_path / "app", BILLS))
    told: list[Step] = []
    assert not database.schema_current()
    Migrator(database.backend, database.migrations, report=told.append).upgrade()
    [head] = script(PACKAGE).get_heads()
    assert [step.revision for step in told[-3:]] == [head, "one", "two"]
    assert [step.history for step in told[-3:]] == ["package", "application", "application"]
    assert database.schema_current()
    assert billed(database) == BILLED
    with database.read() as tx:
        assert tx.scalar(text("SELECT version_num FROM alembic_version")) == "two"


def test_revisions_are_taken_back_one_by_one_or_all(open_packaged: Open, tmp_path: Path) -> None:
    """`-1`, a revision's name, `base`; upgrading again makes the same."""
    database = open_packaged(migrations=written(tmp_path / "app", BILLS))
    database.upgrade()
    runs = migrator(database)
    assert [step.revision for step in runs.downgrades("base")] == ["two", "one"]
    runs.downgrade()
    assert [step.revision for step in runs.downgrades("one")] == []
    runs.downgrade("base")
    assert tables_of(database) == set()
    assert runs.downgrades() == []
    database.upgrade()
    assert billed(database) == BILLED


def test_the_packages_own_tables_can_be_taken_back_and_made_again(open_database: Open) -> None:
    """Every revision of ours has its way back."""
    database = open_database()
    database.upgrade()
    migrator(database).downgrade("base", package=True)
    with database.read() as tx:
        assert inspect(tx.connection).get_table_names() == ["pm_alembic_version"]
    database.upgrade()
    assert database.schema_current()


def test_what_would_run_can_be_written_down_instead(open_database: Open, tmp_path: Path) -> None:
    """The SQL is there, and nothing happened."""
    database = open_database(migrations=written(tmp_path / "app", {"one": (FIRST, FIRST_BACK)}))
    sql = StringIO()
    migrator(database).upgrade(sql=sql)
    assert "CREATE TABLE pm_outbox" in sql.getvalue()
    assert "CREATE TABLE bills" in sql.getvalue()
    assert tables_of(database) == set()
    assert not database.schema_current()


def test_a_database_newer_than_the_code_is_refused(open_packaged: Open, tmp_path: Path) -> None:
    """A deployment rolled back without its database says which revision it misses, whatever it is asked."""
    migrations = written(tmp_path / "app", BILLS)
    database = open_packaged(migrations=migrations)
    database.upgrade()
    (migrations.versions / "two.py").unlink()
    assert not database.schema_current()
    for ask in (database.upgrade, migrator(database).downgrade, migrator(database).downgrades):
        with pytest.raises(SchemaMismatch, match=r"newer than this code.*revision two"):
            ask()


def test_two_ends_of_a_history_are_refused(open_database: Open, tmp_path: Path) -> None:
    """Two branches were merged, each with a revision: a person decides which comes first."""
    migrations = written(tmp_path / "app", {"one": ("", ""), "two": ("", "")})
    (migrations.versions / "three.py").write_text((migrations.versions / "two.py").read_text().replace("two", "three"))
    with pytest.raises(ConfigurationError, match="2 ends, three, two"):
        open_database(migrations=migrations).upgrade()


def test_a_wrong_place_is_named(open_database: Open, tmp_path: Path) -> None:
    """No folder, no package, no module, no such name and no MetaData: each mistake has its answer."""
    with pytest.raises(ConfigurationError, match=r"no migrations at .*nowhere"):
        open_database(migrations=Migrations(tmp_path / "nowhere")).schema_current()
    with pytest.raises(ConfigurationError, match="no package nowhere"):
        _ = Migrations("nowhere:migrations").versions
    with pytest.raises(ConfigurationError, match="no module nowhere"):
        _ = Migrations(tmp_path, "nowhere:metadata").tables
    with pytest.raises(ConfigurationError, match="the module has no"):
        _ = Migrations(tmp_path, "postrmagic_core.database.tables:absent").tables
    with pytest.raises(ConfigurationError, match=r"is a Table, expected sqlalchemy\.MetaData"):
        _ = Migrations(tmp_path, "postrmagic_core.database.tables:outbox").tables
    assert Migrations("postrmagic_core.database:migrations").versions.is_dir()
    assert Migrations(tmp_path, "postrmagic_core.database.tables:metadata").tables is not None


def test_a_written_revision_makes_what_was_declared(open_packaged: Open, tmp_path: Path) -> None:
    """Autogenerated, run and compared: no difference is left, and there is nothing more to write."""
    database = open_packaged(migrations=Migrations(tmp_path / "app", posters()))
    path = migrator(database).revise("Posters and marks", NOW)
    assert path == tmp_path / "app" / "versions" / "20260102030405_posters_and_marks.py"
    assert "from postrmagic_core.database.types import Key" in path.read_text()
    with pytest.raises(SchemaMismatch, match="run `postrmagic db upgrade` first"):
        migrator(database).revise("Too early", NOW)
    assert migrator(database).check() == [
        "the application's tables are at revision none, the newest one is 20260102030405"
    ]
    database.upgrade()
    assert migrator(database).check() == []
    with pytest.raises(ConfigurationError, match="no difference"):
        migrator(database).revise("Nothing", NOW)
    migrator(database).downgrade("base")
    assert tables_of(database) == set()


@contextmanager
def declared(database: DatabaseManager, folder: Path, metadata: MetaData) -> Iterator[Migrator]:
    """The database with the tables of ``metadata``, made by a revision."""
    database.migrations = Migrations(folder, metadata)
    migrator(database).revise("First", NOW)
    database.upgrade()
    yield migrator(database)


def test_what_is_not_the_applications_is_left_alone(open_packaged: Open, tmp_path: Path) -> None:
    """Neither our tables, nor full text with its shadows, nor what is made by hand are differences."""
    database = open_packaged()
    with declared(database, tmp_path / "app", posters()) as runs:
        with database.write() as tx:
            tx.execute(text("CREATE TABLE by_hand_search (id INTEGER PRIMARY KEY)"))
            if database.dialect == "sqlite":
                tx.execute(text("CREATE VIRTUAL TABLE words USING fts5(terms)"))
        assert runs.check() == []
        with database.write() as tx:
            tx.execute(text("CREATE TABLE words_counted (id INTEGER PRIMARY KEY)"))
            tx.execute(text("CREATE INDEX ix_extra ON marks (mark)"))
        assert sorted(runs.check()) == ["remove index ix_extra on marks (mark)", "remove table words_counted"]


def test_a_changed_column_keeps_rows_checks_and_those_that_refer_to_it(open_packaged: Open, tmp_path: Path) -> None:
    """SQLite makes the table anew: no cascade empties the other one, and the CHECK survives."""
    database = open_packaged()
    with declared(database, tmp_path / "app", posters()):
        with database.write() as tx:
            tx.execute(text("INSERT INTO posters (id, name, made) VALUES (1, 'a', 5)"))
            tx.execute(text("INSERT INTO marks VALUES (1, 'good')"))
        after = posters()
        after.tables["posters"].append_column(Column("note", String(40), server_default="-", nullable=False))
        after.tables["posters"].c.made.nullable = True
        database.migrations = Migrations(tmp_path / "app", after)
        assert len(migrator(database).check()) == 2
        migrator(database).revise("A note", datetime(2026, 1, 3, tzinfo=UTC))
        database.upgrade()
        assert migrator(database).check() == []
        with database.read() as tx:
            assert [row.note for row in tx.execute(text("SELECT note FROM posters WHERE made = 5"))] == ["-"]
            assert tx.scalar(text("SELECT COUNT(*) FROM marks")) == 1
        with pytest.raises(IntegrityViolation), database.write() as tx:
            tx.execute(text("INSERT INTO posters (id, name, made) VALUES (2, 'b', -1)"))
        with pytest.raises(IntegrityViolation), database.write() as tx:
            tx.execute(text("INSERT INTO marks VALUES (7, 'lost')"))


def test_rows_left_without_their_parent_stop_the_revision_on_sqlite(tmp_path: Path) -> None:
    """Foreign keys rest while it runs: what it breaks is found before the commit, and all of it is taken back."""
    packaged(f"sqlite:///{tmp_path}/app.db")
    orphans = {"one": (FIRST, FIRST_BACK), "two": ('op.execute("DELETE FROM bills WHERE id = 1")', "")}
    with DatabaseManager(f"sqlite:///{tmp_path}/app.db", migrations=written(tmp_path / "app", orphans)) as database:
        with pytest.raises(IntegrityViolation, match=r"revision two would leave 1 row\(s\) of items"):
            database.upgrade()
        with database.read() as tx:
            assert tx.scalar(text("SELECT COUNT(*) FROM bills")) == 3
            assert tx.scalar(text("SELECT version_num FROM alembic_version")) == "one"
        with pytest.raises(IntegrityViolation), database.write() as tx:  # the pool's connection has them on again
            tx.execute(text("INSERT INTO items (id, bill_id) VALUES (9, 77)"))


FAILING = FIRST + '\nop.execute("INSERT INTO nowhere VALUES (1)")\n'


def test_a_revision_that_fails_goes_on_where_it_stopped(open_packaged: Open, tmp_path: Path) -> None:
    """SQLite takes all of it back; a server keeps what is done, and the corrected revision does only the rest."""
    database = open_packaged(migrations=written(tmp_path / "app", {"one": (FAILING, FIRST_BACK)}))
    with pytest.raises(PostrMagicError):
        database.upgrade()
    assert tables_of(database) == (set() if database.dialect == "sqlite" else {"bills", "items"})
    database.migrations = written(tmp_path / "app", BILLS)
    database.upgrade()
    assert billed(database) == BILLED


def test_an_error_does_not_become_success_when_it_is_repeated(open_packaged: Open, tmp_path: Path) -> None:
    """A table that somebody else made is in the way as often as one asks: only a kill leaves a statement in doubt."""
    database = open_packaged(migrations=written(tmp_path / "app", {"one": (FIRST, FIRST_BACK)}))
    with database.write() as tx:
        tx.execute(text("CREATE TABLE items (other INTEGER)"))
    for _ in range(2):
        with pytest.raises(PostrMagicError):
            database.upgrade()
    with database.write() as tx:
        tx.execute(text("DROP TABLE items"))
    database.upgrade()
    assert database.schema_current()


@pytest.mark.mysql
def test_an_interrupted_revision_must_be_finished_first(mariadb_url: str, tmp_path: Path) -> None:
    """Statements that are done may not be changed, and nothing else may run before the rest of them."""
    packaged(mariadb_url)
    migrations = written(tmp_path / "app", {"zero": ("", ""), "one": (FAILING, FIRST_BACK)})
    with DatabaseManager(mariadb_url, migrations=migrations) as database:
        with pytest.raises(PostrMagicError):
            database.upgrade()
        with pytest.raises(SchemaMismatch, match="upgrade of revision one was interrupted half-way"):
            migrator(database).downgrade()
        database.migrations = written(tmp_path / "app", {"zero": ("", ""), "one": (FIRST.replace("bills", "b"), "")})
        with pytest.raises(SchemaMismatch, match="have been changed since"):
            database.upgrade()
        assert migrator(database).check() == ["the upgrade of revision one was interrupted half-way"]


BACK = FIRST_BACK.replace('op.drop_table("bills")', 'op.execute("DELETE FROM nowhere")\nop.drop_table("bills")')


@pytest.mark.mysql
def test_a_downgrade_that_stopped_half_way_is_not_current(mariadb_url: str, tmp_path: Path) -> None:
    """The version table still says so, the tables do not: no process starts on them until it is finished."""
    packaged(mariadb_url)
    with DatabaseManager(mariadb_url, migrations=written(tmp_path / "app", {"one": (FIRST, BACK)})) as database:
        database.upgrade()
        with pytest.raises(PostrMagicError):
            migrator(database).downgrade()
        assert not database.schema_current()
        with pytest.raises(SchemaMismatch, match="postrmagic db downgrade"):
            database.upgrade()
        database.migrations = written(tmp_path / "app", {"one": (FIRST, FIRST_BACK)})
        migrator(database).downgrade()
        assert tables_of(database) == set()


@pytest.mark.mysql
def test_a_long_statement_is_not_cut_off(mariadb_url: str, tmp_path: Path) -> None:
    """The statement time-out is for requests: to copy a large table takes as long as it takes."""
    packaged(mariadb_url)
    migrations = written(tmp_path / "app", {"one": ('op.execute("DO SLEEP(0.9)")', "")})
    with DatabaseManager(mariadb_url, migrations=migrations, timeouts=Timeouts(statement=0.3)) as database:
        database.upgrade()
        with pytest.raises(BackendTimeout), database.write() as tx:
            tx.execute(text("SELECT SLEEP(5)"))
    with DatabaseManager(mariadb_url, migrations=migrations) as database:
        assert database.schema_current()


def test_an_application_is_not_taken_back_before_the_package_is_up_to_date(open_database: Open, tmp_path: Path) -> None:
    """The package's tables note how far it comes."""
    database = open_database(migrations=written(tmp_path / "app", BILLS))
    with pytest.raises(SchemaMismatch, match="run `postrmagic db upgrade` first"):
        migrator(database).downgrade()


def test_tables_made_by_other_means_are_adopted_if_they_are_the_right_ones(open_packaged: Open, tmp_path: Path) -> None:
    """`create_all` once, revisions from now on; a database that differs is refused, with the differences."""
    metadata = posters()
    with declared(open_packaged(), tmp_path / "app", metadata) as runs:
        with pytest.raises(SchemaMismatch, match="notes a revision already"):
            runs.adopt()
        runs.downgrade("base")
    database = open_packaged(migrations=Migrations(tmp_path / "app", metadata))
    with pytest.raises(SchemaMismatch, match="add table posters"):
        migrator(database).adopt()
    with database.write() as tx:
        metadata.create_all(tx.connection)
    migrator(database).adopt()
    assert database.schema_current()
    assert migrator(database).check() == []


def test_branches_are_read_as_alembic_reads_them(tmp_path: Path) -> None:
    """A revision that merges two, with annotated names, leaves one head."""
    migrations = written(tmp_path, {"one": ("", ""), "two": ("", "")})
    (migrations.versions / "side.py").write_text('revision: str = "side"\ndown_revision: str | None = "one"\n')
    assert revisions(migrations.versions)[0] == {"two", "side"}
    (migrations.versions / "merge.py").write_text('revision = "merge"\ndown_revision = ("two", "side")\n')
    heads, known = revisions(migrations.versions)
    assert heads == {"merge"}
    assert known == {"one", "two", "side", "merge"}

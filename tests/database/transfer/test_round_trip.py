"""There and back: a file that went to a server by a plan comes back as it was, rows and texts, and is verified."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings

from postrmagic_core.database.transfer.copying.options import RunOptions
from postrmagic_core.database.transfer.copying.run import run
from postrmagic_core.database.transfer.interface import Plan, unreported
from postrmagic_core.database.transfer.planning.plan import plan
from postrmagic_core.database.transfer.reversing.reverse import reverse
from postrmagic_core.database.transfer.verifying.verify import verify
from postrmagic_core.errors import PostrMagicError
from tests.database.transfer import oracle
from tests.database.transfer.hostile import Hostile, databases, quoted
from tests.database.transfer.moving import accepted, moved
from tests.database.transfer.seeding import seed

pytestmark = [pytest.mark.mysql, pytest.mark.timeout(1800)]


def texts(path: Path) -> set[tuple[str, str, str]]:
    """How everything in the file was made."""
    with closing(sqlite3.connect(path)) as file:
        return set(file.execute("SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL"))


def differing(source: Path, path: Path) -> dict[str, int]:
    """For each table with other rows in the two files, how many; by the class and the bytes of each value."""
    found: dict[str, int] = {}
    with closing(sqlite3.connect(path)) as file:
        file.execute("ATTACH ? AS source", (str(source),))
        for (name,) in file.execute("SELECT name FROM main.sqlite_master WHERE type = 'table'").fetchall():
            columns = [quoted(row[1]) for row in file.execute(f"PRAGMA main.table_xinfo({quoted(name)})")]
            each = ", ".join(
                f"typeof({one}), CASE typeof({one}) WHEN 'text' THEN hex({one}) ELSE quote({one}) END"
                for one in columns
            )
            # A table from which no number was given has none noted, or zero.
            where = " WHERE seq <> 0" if name == "sqlite_sequence" else ""
            here, there = (
                f"SELECT {each}, COUNT(*) FROM {side}.{quoted(name)}{where} GROUP BY {each}"
                for side in ("main", "source")
            )
            for one, other in ((here, there), (there, here)):
                (rows,) = file.execute(f"SELECT COUNT(*) FROM ({one} EXCEPT {other})").fetchone()
                if rows:
                    found[name] = found.get(name, 0) + rows
    return found


def assert_came_back(source: Path, url: str, planned: Plan, path: Path) -> None:
    """The file is as the source was, and the verifier agrees."""
    report = reverse(url, path, plan=planned)
    assert texts(path) == texts(source)
    assert differing(source, path) == {}
    verified = verify(report.plan, url, snapshot=path)
    assert verified.equal, [one for table in verified.tables for one in (*table.differences, *table.failures)][:3]


@pytest.mark.parametrize("rows", [3_000, pytest.param(1_000_000, marks=pytest.mark.soak)])
def test_the_application_comes_back_as_it_was(tmp_path: Path, url: str, rows: int) -> None:
    """Its view and its trigger too, which no server has seen."""
    source = seed(tmp_path / "app.db", rows)
    planned = accepted(plan(source, url, unreported))
    run(planned, url, RunOptions(), unreported)
    assert_came_back(source, url, planned, tmp_path / "back.db")


def test_what_only_sqlite_has_comes_back(tmp_path: Path, url: str) -> None:
    """Partial and expression indexes, WITHOUT ROWID, STRICT, row numbers, computed columns, odd names."""
    source = tmp_path / "odd.db"
    with closing(sqlite3.connect(source)) as file, file:
        file.executescript(
            """
            CREATE TABLE plain (a, b TEXT);
            INSERT INTO plain (rowid, a, b) VALUES (-5, 1, 'x'), (9, 2, NULL);
            CREATE UNIQUE INDEX some ON plain (b) WHERE a > 1;
            CREATE INDEX low ON plain (lower(b), a DESC);
            CREATE TABLE "we""ird %s" ("select" TEXT PRIMARY KEY, "x y" REAL) WITHOUT ROWID;
            INSERT INTO "we""ird %s" VALUES ('a', 0.1), ('B', 1e300);
            CREATE TABLE tight (id INTEGER PRIMARY KEY AUTOINCREMENT, v INT DEFAULT (1 + 1), w INT AS (v * 2)) STRICT;
            INSERT INTO tight (id) VALUES (41);
            DELETE FROM tight;
            INSERT INTO tight (id) VALUES (7);
            CREATE TABLE dates (id INTEGER PRIMARY KEY, at DATETIME, epoch DATETIME, amount NUMERIC, raw BLOB);
            INSERT INTO dates VALUES (0, '2024-02-29T12:00:00.5Z', 1700000000, 19.99, x'00ff');
            INSERT INTO dates VALUES (-1, '2024-03-01T12:00:00.0Z', -1, 20, x'');
            CREATE VIEW seen AS SELECT a FROM plain;
            """
        )
    assert_came_back(source, url, moved(source, url), tmp_path / "back.db")


def test_without_the_plan_the_values_come_back_all_the_same(tmp_path: Path, url: str) -> None:
    """As the server describes its tables."""
    source = seed(tmp_path / "app.db", 2_000)
    planned = moved(source, url)
    path = tmp_path / "back.db"
    report = reverse(url, path)
    assert {table.name for table in report.plan.tables} == {table.target for table in planned.tables}
    assert report.rows == 2_000
    assert not {"users", "user_sessions", "media_tag_relations", "system_logs"} & set(differing(source, path))


def test_columns_come_back_whatever_they_are_called(tmp_path: Path, url: str) -> None:
    """As the rowid is, or alike but for letters that SQLite does not take for the same."""
    source = tmp_path / "app.db"
    with closing(sqlite3.connect(source)) as connection:
        connection.executescript("""
            CREATE TABLE t (k INTEGER PRIMARY KEY DESC, rowid CLOB NOT NULL);
            INSERT INTO t VALUES (NULL, 'x'), (NULL, 'y');
        """)
    assert_came_back(source, url, moved(source, url), tmp_path / "back.db")


def assert_hostile_comes_back(hostile: Hostile, url: str) -> None:
    """Whatever moves comes back; what does not move is others' concern."""
    oracle.emptied(url)
    with TemporaryDirectory() as directory:
        source = Path(directory) / "source.db"
        hostile.write(source)
        planned = plan(source, url, unreported)
        assume(not any(one.severity == "stop" for one in planned.findings))
        try:
            run(accepted(planned), url, RunOptions(), unreported)
        except PostrMagicError:
            assume(False)
        assume(verify(planned, url).equal)
        assert_came_back(source, url, accepted(planned), Path(directory) / "back.db")


@pytest.mark.parametrize("kind", ["mariadb", pytest.param("mysql", marks=pytest.mark.soak)])
def test_hostile_databases_come_back(kind: str, request: pytest.FixtureRequest) -> None:
    """Every class of value in every kind of column, under any name."""
    url: str = request.getfixturevalue(f"{kind}_url")

    @settings(
        max_examples=12,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
        database=None,
    )
    @given(databases())
    def come_back(hostile: Hostile) -> None:
        assert_hostile_comes_back(hostile, url)

    come_back()

"""Whatever a SQLite file holds moves exactly, or is named: no difference is silent, however the database is made."""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from postrmagic_core.database.transfer.copying.options import RunOptions
from postrmagic_core.database.transfer.copying.run import run
from postrmagic_core.database.transfer.interface import Finding, Plan, unreported
from postrmagic_core.database.transfer.planning.plan import plan
from postrmagic_core.database.transfer.verifying.verify import verify
from postrmagic_core.errors import IntegrityViolation, RowRefused
from tests.database.transfer import oracle
from tests.database.transfer.hostile import Hostile, databases, quoted
from tests.database.transfer.moving import accepted, assert_verified, moved

pytestmark = pytest.mark.mysql


def outcome(source: Path, url: str) -> str:
    """How the move of ``source`` ends; raises :class:`AssertionError` where it is neither exact nor rightly stopped."""
    planned = plan(source, url, unreported)
    if stops := [one for one in planned.findings if one.severity == "stop"]:
        for finding in stops:
            assert_named(source, finding)
        return "stopped"
    try:
        run(accepted(planned), url, RunOptions(), unreported)
    except RowRefused as refused:
        assert_exists(source, planned, refused)
        return "refused"
    oracle.compare(source, url, planned)
    assert_verified(accepted(planned), url)
    return "moved"


def assert_named(source: Path, finding: Finding) -> None:
    """What a plan stops at is a table that has a reason, and the query that it tells finds the rows."""
    assert oracle.justified(source, finding), finding
    if finding.query:
        with oracle.opened(source) as connection:
            assert len(connection.execute(finding.query).fetchall()) >= 1, finding


def assert_exists(source: Path, planned: Plan, refused: RowRefused) -> None:
    """A row that was refused is one of the source's, and it is told by its key."""
    key = planned.table(refused.table).key
    columns = ", ".join("rowid" if key == ("rowid",) else quoted(name) for name in key)
    with oracle.opened(source) as connection:
        sql = f"SELECT count(*) FROM {quoted(refused.table)} WHERE ({columns}) IS {refused.key}"
        found = connection.execute(sql).fetchone()
    assert found == (1,), refused


def search(examples: int, url: str, folder: Path) -> Counter[str]:
    """Move so many hostile databases, one after the other; how many ended how."""
    ended: Counter[str] = Counter()
    source = folder / "hostile.db"

    @settings(max_examples=examples, suppress_health_check=list(HealthCheck))
    @given(databases())
    def moves(database: Hostile) -> None:
        for left in folder.glob("*hostile.db*"):
            left.unlink()
        database.write(source)
        oracle.emptied(url)
        ended[outcome(source, url)] += 1

    moves()
    return ended


@pytest.mark.timeout(600)  # who finds something looks for the least example of it
def test_no_difference_is_silent(url: str, tmp_path: Path) -> None:
    """Fifteen databases; most of them move, or nothing would have been looked at."""
    ended = search(15, url, tmp_path)
    assert ended["moved"] > 7, ended
    assert ended["refused"] < 4, ended


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_no_difference_is_silent_for_long(url: str, tmp_path: Path) -> None:
    """Ten thousand."""
    ended = search(10_000, url, tmp_path)
    assert ended["moved"] > 5_000, ended


FOUND = {
    "numbers as text in a key": ("CREATE TABLE t (c DATE PRIMARY KEY)", "('12:30:00'), ('20240101')", "moved"),
    "reals as a key": ("CREATE TABLE t (k NUMERIC NOT NULL PRIMARY KEY)", "(1e16), (0.30000000000000004)", "moved"),
    "a default with a backslash": ("CREATE TABLE t (c TEXT DEFAULT 'its\\')", "('a')", "moved"),
    "blobs in a column for text": ("CREATE TABLE t (c TEXT)", "(x'0d'), (x'ff')", "moved"),
    "a negative zero": ("CREATE TABLE t (c)", "(-0.0), (2.5)", "stopped"),
    "a default that is no text": ("CREATE TABLE t (n, c VARBINARY(4) DEFAULT x'00ff')", "(1, NULL), (2, x'')", "moved"),
    "a whole real that is computed": (
        "CREATE TABLE t (c INTEGER NOT NULL COLLATE NOCASE PRIMARY KEY, r REAL AS (c + 1)) WITHOUT ROWID",
        "(0), (7)",
        "moved",
    ),
    "an index over a sum beyond 64 bits": (
        "CREATE TABLE t (c BIGINT); CREATE INDEX i ON t (c + 1)",
        "(NULL), (9223372036854775807)",
        "moved",
    ),
    "a computed sum beyond 64 bits": (
        "CREATE TABLE t (c BIGINT, r REAL AS (c + 1), s NUMERIC AS (c + 2) STORED)",
        "(NULL), (9223372036854775807)",
        "moved",
    ),
    "a number that is a text to the collation": (
        "CREATE TABLE t (c JSON COLLATE NOCASE UNIQUE)",
        "('1'), ('\u0661')",
        "stopped",
    ),
    "a key to itself": ("CREATE TABLE t (c INTEGER PRIMARY KEY REFERENCES t (c))", "(1), (2)", "moved"),
}


@pytest.mark.parametrize("case", FOUND)
def test_what_was_found_once_is_not_found_again(url: str, tmp_path: Path, case: str) -> None:
    """The least example of each."""
    made, rows, expected = FOUND[case]
    source = tmp_path / "found.db"
    with closing(sqlite3.connect(source)) as connection:
        connection.executescript(f"{made}; INSERT INTO t VALUES {rows};")
    assert outcome(source, url) == expected


@pytest.mark.parametrize(
    ("made", "told"),
    [
        ("CREATE TABLE t (c BIGINT); CREATE INDEX i ON t (CASE WHEN c + 1 > 0 THEN 1 END)", "for an index or a column"),
        ("CREATE TABLE t (c BIGINT, CHECK (c + 1 > 0))", r"CHECK \(c \+ 1 > 0\) cannot be computed"),
    ],
)
def test_what_the_server_cannot_compute_is_told_by_its_name(url: str, tmp_path: Path, made: str, told: str) -> None:
    """A sum within an expression that no column's type shows: SQLite goes on with a real, the server stops."""
    source = tmp_path / "within.db"
    with closing(sqlite3.connect(source)) as connection:
        connection.executescript(f"{made}; INSERT INTO t VALUES (1), (9223372036854775807);")
    # MySQL computes it when it takes the row, and the row is named; MariaDB when it makes the index.
    named = f"^t(, row 2: |: .*{told}.*take it out of the plan)"
    with pytest.raises((IntegrityViolation, RowRefused), match=named):
        run(accepted(plan(source, url, unreported)), url, RunOptions(), unreported)


CHANGES = {
    "a row less": "DELETE FROM t WHERE id = 2",
    "a row more": "INSERT INTO t (id) VALUES (-9)",
    "a bit of a double": "UPDATE t SET r = 0.1 WHERE id = 1",
    "a space at the end": "UPDATE t SET s = 'abc' WHERE id = 1",
    "a letter's case": "UPDATE t SET s = 'Abc ' WHERE id = 1",
    "NULL for nothing": "UPDATE t SET s = NULL WHERE id = 2",
    "one byte": "UPDATE t SET b = x'0001' WHERE id = 1",
    "rows changed over": "UPDATE t SET n = 3 - n WHERE id IN (1, 2)",
    "a generated column that is none": "ALTER TABLE t DROP COLUMN twice, ADD COLUMN twice BIGINT",
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_difference_is_seen(url: str, tmp_path: Path, change: str) -> None:
    """By the comparison of these tests, where it is one of rows, and by the package's verifier."""
    source = tmp_path / "small.db"
    columns = "id INTEGER PRIMARY KEY, n INTEGER, r REAL, s TEXT, b BLOB, twice INTEGER AS (n * 2)"
    rows = [(1, 1, 0.1 + 2**-56, "abc ", b"\0"), (2, 2, 1e300, "", None)]
    with closing(sqlite3.connect(source)) as connection:
        connection.execute(f"CREATE TABLE t ({columns})")
        connection.executemany("INSERT INTO t VALUES (?, ?, ?, ?, ?)", rows)
        connection.commit()
    planned = moved(source, url)
    oracle.compare(source, url, planned)
    oracle.asked(url, CHANGES[change])
    with pytest.raises(AssertionError, match="t: only in the source"):
        oracle.compare(source, url, planned)
    verified = verify(planned, url)
    assert not verified.equal
    assert [table.name for table in verified.tables if not table.equal] == ["t"]

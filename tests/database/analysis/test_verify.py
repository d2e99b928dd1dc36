"""Indexes are tried on a copy: it is measured, the original stays as it is, and the copy goes."""

# ruff: noqa: T201 - a child process speaks by printing
from __future__ import annotations

import hashlib
import shutil
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import inspect, text

from postrmagic_core._metrics import LATENCY_BOUNDS
from postrmagic_core.database import DatabaseManager
from postrmagic_core.database.analysis import scratch
from postrmagic_core.database.analysis.analyze import AnalysisOptions, analyze
from postrmagic_core.database.analysis.fingerprint import read
from postrmagic_core.database.analysis.interface import QueryStats
from postrmagic_core.database.analysis.plans import Plan
from postrmagic_core.database.analysis.report import Report
from postrmagic_core.database.analysis.verify import Effect, Measure
from postrmagic_core.errors import BackendRejected, BackendUnavailable, OutOfSpace
from postrmagic_core.testing import spawn
from postrmagic_core.testing.servers import MariaDBServer

LIST = "SELECT id, title FROM media WHERE user_id = 1 ORDER BY created_us DESC LIMIT 20"
ROWS = 20_000


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where scratch copies of files go."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr(scratch, "temporary", lambda: folder)
    return folder


@pytest.fixture
def media(url: str) -> str:
    """URL of a database with 20,000 media of two users and no index."""
    fill(url)
    return url


def fill(url: str, rows: int = ROWS) -> None:
    """Media of two users, a few of the second."""
    numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :rows)"
    values = "SELECT i, 1 + (i % 100 = 0), i % 7919, i * 31 % 104729, 'a title that takes some room' FROM n"
    with DatabaseManager(url) as database:
        insert = f"INSERT INTO media (id, user_id, digest, created_us, title) {numbers} {values}"
        if database.dialect == "sqlite":
            insert = f"{numbers} INSERT INTO media (id, user_id, digest, created_us, title) {values}"
        with database.write() as tx:
            tx.execute(
                text(
                    "CREATE TABLE media (id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL, digest INTEGER NOT NULL, "
                    "created_us BIGINT NOT NULL, title VARCHAR(200) NOT NULL)"
                )
            )
            if database.dialect != "sqlite":
                tx.execute(text("SET SESSION max_recursive_iterations = 1000000"))
            tx.execute(text(insert), {"rows": rows})


def stats(*statements: str, dialect: str = "sqlite") -> list[QueryStats]:
    """A log of these statements, each slower than the next."""
    found = []
    for number, sql in enumerate(statements):
        known = read(sql, dialect)
        buckets = (0,) * (len(LATENCY_BOUNDS) - 1) + (10, 0)
        found.append(QueryStats(known.fingerprint, known.sql, 10, 0, 50.0 - number, 6.0, buckets, 200))
    return found


def run(url: str, *statements: str, **options: Any) -> Report:
    """The analysis of these statements."""
    dialect = "sqlite" if url.startswith("sqlite") else "mysql"
    return analyze(url, stats(*statements, dialect=dialect), AnalysisOptions(**options))


def state(url: str) -> Any:
    """What must not change: a file's bytes, or a database's tables, indexes and rows."""
    if url.startswith("sqlite"):
        return hashlib.sha256(Path(url.removeprefix("sqlite:///")).read_bytes()).hexdigest()
    with DatabaseManager(url) as database, database.read() as tx:
        found = inspect(tx.connection)
        return (
            {name: (found.get_indexes(name), found.get_columns(name)) for name in found.get_table_names()}.__repr__(),
            tx.execute(text("SELECT COUNT(*), SUM(created_us) FROM media")).one(),
            [name for name in found.get_schema_names() if name.startswith("pm_scratch_")],
        )


def test_the_slow_list_is_found_indexed_and_verified(media: str, temporary: Path) -> None:
    """Plan and time before and after; the original is as before, and no copy is left."""
    before = state(media)
    report = run(media, LIST)
    (proposal,) = report.proposals
    assert (proposal.candidate.table, proposal.candidate.columns[:2]) == ("media", ("user_id", "created_us"))
    (effect,) = proposal.effects
    assert effect.helps
    assert effect.before.plan.sorts == ("ORDER BY",)
    assert effect.after.plan.sorts == ()
    assert {step.index for step in effect.after.plan.steps} == {proposal.candidate.name}
    assert effect.after.frequent < effect.before.frequent
    assert proposal.size > 0
    assert report.statements[0].after is not None
    assert report.statements[0].after.plan == effect.after.plan
    assert state(media) == before
    assert list(temporary.glob("pm_scratch_*")) == []


def test_an_index_that_does_not_help_is_told_as_tried(media: str) -> None:
    """Nearly all rows are the first user's: no index on the user makes counting their titles faster."""
    report = run(media, "SELECT COUNT(DISTINCT title) FROM media WHERE user_id = 1")
    found = {one.candidate.columns for one in report.rejected}
    assert ("user_id",) in found | {one.candidate.columns[:1] for one in report.proposals}
    assert all(not one.accepted for one in report.rejected)


def test_changes_are_measured_and_undone(media: str) -> None:
    """An UPDATE runs on the copy only, and each run meets the same rows."""
    before = state(media)
    report = run(media, "UPDATE media SET title = 'x' WHERE digest = 5", "DELETE FROM media WHERE digest = 7")
    (proposal,) = report.proposals
    assert proposal.candidate.columns == ("digest",)
    assert len(proposal.effects) == 2
    assert all(effect.helps for effect in proposal.effects)
    assert state(media) == before


def test_a_place_in_an_order_is_asked_for_otherwise(media: str) -> None:
    """The OR that no index can go to gets its bound, and both are timed."""
    report = run(
        media,
        LIST,
        "SELECT id FROM media WHERE user_id = 1 AND (created_us < 5 OR created_us = 5 AND id < 9) "
        "ORDER BY created_us DESC, id DESC LIMIT 20",
    )
    keyset = [one for one in report.rewrites if one.rule == "keyset"]
    if media.startswith("sqlite"):  # a server may see through the OR by itself
        assert len(keyset) == 1
    for one in keyset:
        assert one.measured is not None
        assert one.measured[1] < one.measured[0]
        assert "created_us <= ?" in one.instead


def test_deep_pages_are_measured(media: str) -> None:
    """Where the log's times differ widely, a far OFFSET is tried."""
    sql = "SELECT title FROM media ORDER BY id LIMIT 20 OFFSET 3"
    (one,) = stats(sql)
    wide = tuple({0.001: 90, 1.0: 10}.get(bound, 0) for bound in (*LATENCY_BOUNDS, 0.0))
    report = analyze(media, [QueryStats(one.fingerprint, one.sql, 100, 0, 9.0, 0.9, wide, 2000)])
    (deep,) = [found for found in report.rewrites if found.rule == "offset"]
    assert deep.measured is not None
    assert deep.measured[0] > deep.measured[1]


@pytest.mark.parametrize(
    ("sql", "note"),
    [
        ("SELECT * FROM vanished WHERE a = 1", "there is no table vanished"),
        ("SELECT gone FROM media WHERE user_id = 1", "not run"),
        ("garbage ((", "not understood"),
        ("SELECT id FROM elsewhere.media WHERE id = 1", "it names a database beside its table"),
        ("INSERT INTO media (id) VALUES (1)", "adds rows"),
    ],
)
def test_what_cannot_be_tried_is_said_and_the_rest_goes_on(media: str, sql: str, note: str) -> None:
    """One bad statement costs its own line, not the report."""
    report = run(media, sql, LIST)
    assert note in report.statements[0].verdict
    assert len(report.proposals) == 1


def test_hostile_names(url: str) -> None:
    """Quotes, percent signs, spaces, reserved words and 64 bytes, in tables, columns and indexes."""
    quote = '"' if url.startswith("sqlite") else "`"
    names = ["or%der \"b'y", "sel`ect", "ü" * 32, "100%? :x"]
    table, first, second, third = (f"{quote}{name.replace(quote, quote * 2)}{quote}" for name in names)
    with DatabaseManager(url) as database, database.write() as tx:
        run_sql = tx.connection.exec_driver_sql
        double = "%" if database.dialect == "sqlite" else "%%"
        ddl = f"CREATE TABLE {table} (id INTEGER PRIMARY KEY, {first} INTEGER, {second} INTEGER, {third} INTEGER)"
        run_sql(ddl.replace("%", double))
        mark = "?" if database.dialect == "sqlite" else "%s"
        insert = f"INSERT INTO {table} VALUES ".replace("%", double) + f"({mark}, {mark}, {mark}, {mark})"
        run_sql(insert, [(number, number % 50, number * 31 % 1009, number) for number in range(5000)])
    report = run(url, f"SELECT {third} FROM {table} WHERE {first} = 1 ORDER BY {second} LIMIT 5")
    assert report.statements[0].note == ""
    (proposal,) = report.proposals
    assert proposal.candidate.columns[:2] == (names[1], names[2])
    assert len(proposal.candidate.name.encode()) <= 64


def test_without_a_copy_nothing_is_tried(media: str) -> None:
    """Plans are the original's, and candidates are called what they are."""
    before = state(media)
    report = run(media, LIST, verify=False)
    assert not report.verified
    assert report.proposals == ()
    assert ("user_id", "created_us") in {one.columns for one in report.candidates}
    assert report.statements[0].verdict == "reads all of media; sorts for ORDER BY"
    assert state(media) == before


def test_small_tables_are_left_alone(url: str) -> None:
    """And it is said why."""
    fill(url, rows=50)
    report = run(url, LIST)
    assert (report.proposals, report.rejected) == ((), ())
    assert "media has 50 rows: too few to measure anything on it" in report.remarks


def test_only_the_top_is_looked_at(media: str) -> None:
    """The rest is counted."""
    report = run(media, LIST, "SELECT id FROM media WHERE digest = 1", top=1)
    assert (len(report.statements), report.omitted) == (1, 1)


@pytest.mark.mysql
def test_a_sample_is_called_one(mariadb_url: str) -> None:
    """With fewer rows than the table has, the report names table and number."""
    fill(mariadb_url)
    assert run(mariadb_url, LIST, rows=5000).sampled == {"media": 5000}


def measure(frequent: float, rare: float = 0.001, sorts: tuple[str, ...] = ()) -> Measure:
    """Seconds, with a plan."""
    return Measure(frequent, rare, Plan((), sorts, ()), Plan((), sorts, ()))


@pytest.mark.parametrize(
    ("before", "after", "helps", "harms"),
    [
        (measure(0.010), measure(0.001), True, False),
        (measure(0.010), measure(0.009), False, False),
        (measure(0.010, sorts=("ORDER BY",)), measure(0.009), True, False),
        (measure(0.010), measure(0.001, rare=0.01), False, True),
        (measure(0.00006), measure(0.00003), False, False),
        (measure(0.001), measure(0.002), False, True),
    ],
)
def test_what_counts_as_an_improvement(before: Measure, after: Measure, helps: bool, harms: bool) -> None:
    """1.3 times as fast and visibly so, or rid of a sort; and slower for no values."""
    effect = Effect("f", before, after)
    assert (effect.helps, effect.harms) == (helps, harms)


def test_a_missing_file_is_not_made(tmp_path: Path) -> None:
    """A misspelt URL makes no empty database to analyse."""
    with pytest.raises(BackendUnavailable, match=r"no database file .*typo\.db"):
        run(f"sqlite:///{tmp_path / 'typo.db'}", LIST)
    assert not (tmp_path / "typo.db").exists()


def test_a_file_keeps_its_journal_mode(tmp_path: Path) -> None:
    """Another program's file in rollback mode stays in it."""
    path = tmp_path / "other.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE media (id INTEGER PRIMARY KEY, user_id INTEGER)")
    connection.close()
    run(f"sqlite:///{path}", "SELECT id FROM media WHERE user_id = 1")
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    connection.close()


def test_a_copy_that_does_not_fit_is_not_begun(media: str, monkeypatch: pytest.MonkeyPatch, temporary: Path) -> None:
    """The disk is looked at first; servers look after their own."""
    usage = shutil.disk_usage(temporary)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1000))
    if media.startswith("sqlite"):
        with pytest.raises(OutOfSpace, match="TMPDIR"):
            run(media, LIST)
        assert list(temporary.glob("pm_scratch_*")) == []


@pytest.mark.mysql
def test_missing_rights_are_named(own_mariadb_server: Any) -> None:
    """The GRANT to give is in the error, and nothing is left behind."""
    server: MariaDBServer = own_mariadb_server()
    url = server.create_database()
    fill(url, rows=2000)
    name = url.rpartition("/")[2]
    with DatabaseManager(url) as database, database.write() as tx:
        tx.execute(text("CREATE USER reader@'127.0.0.1'"))
        tx.execute(text(f"GRANT SELECT ON {name}.* TO reader@'127.0.0.1'"))
    poor = url.replace("root@", "reader@")
    with pytest.raises(BackendRejected, match=r"GRANT CREATE, .* TO 'reader'"):
        run(poor, LIST)
    assert run(poor, LIST, verify=False).candidates
    assert state(url)[2] == []


def hold_copy(url: str, folder: str) -> None:
    """In a process of its own: a copy, until it is killed."""
    scratch.temporary = lambda: Path(folder)
    dialect = "sqlite" if url.startswith("sqlite") else "mariadb"
    with scratch.scratch_copy(url, dialect, ["media"], 1000):
        print("copied", flush=True)
        time.sleep(60)


@pytest.mark.fault
def test_a_killed_run_leaves_the_original_and_the_next_one_cleans_up(
    media: str, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its copy stays, and goes once it is surely nobody's any more; a younger one is left alone."""
    before = state(media)
    with spawn(hold_copy, media, str(temporary)) as child:
        assert child.line() == "copied"
        child.kill()
        child.wait()
    assert len(left(media, temporary)) == 1
    with scratch.scratch_copy(media, dialect_of(media), ["media"], 1000):
        pass
    assert len(left(media, temporary)) == 1
    monkeypatch.setattr(scratch, "STALE_AFTER", -3600)
    with scratch.scratch_copy(media, dialect_of(media), ["media"], 1000):
        pass
    assert left(media, temporary) == []
    assert state(media) == before


def dialect_of(url: str) -> str:
    """As a backend would name it."""
    return "sqlite" if url.startswith("sqlite") else "mariadb"


def left(url: str, folder: Path) -> list[str]:
    """Copies that are there."""
    if url.startswith("sqlite"):
        return [path.name for path in folder.glob("pm_scratch_*")]
    return list(state(url)[2])


def test_other_folders_are_not_removed(media: str, temporary: Path) -> None:
    """Only what carries the prefix and a time, and is a folder of one's own."""
    if not media.startswith("sqlite"):
        return
    kept = ["pm_scratch_mine", "other_1_x"]
    for name in kept:
        (temporary / name).mkdir()
    outside = temporary.parent / "outside"
    outside.mkdir()
    (temporary / "pm_scratch_1_link").symlink_to(outside)
    with scratch.scratch_copy(media, "sqlite", [], 1):
        pass
    assert {path.name for path in temporary.iterdir()} >= {*kept, "pm_scratch_1_link"}
    assert outside.exists()

"""A schema like that of the application moves whole, and is verified: on MariaDB, and on MySQL itself."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from postrmagic_core.database.transfer.copying.options import RunOptions
from postrmagic_core.database.transfer.copying.run import run
from postrmagic_core.database.transfer.interface import Plan, unreported
from postrmagic_core.database.transfer.planning.plan import plan
from postrmagic_core.database.transfer.reversing.reverse import reverse
from tests.database.transfer import oracle
from tests.database.transfer.moving import accepted, assert_verified, moved, stops
from tests.database.transfer.seeding import SCHEMA, seed, shares

pytestmark = [pytest.mark.mysql, pytest.mark.timeout(1800)]

TABLES = {
    *("users", "user_sessions", "password_resets", "static_pages", "system_logs", "user_media", "media_tags"),
    *("media_tag_relations", "llm_providers", "llm_configurations", "llm_prompts", "llm_prompt_versions"),
    *("llm_usage_logs", "llm_cost_tracking", "event_categories", "rejected_events", "user_api_keys"),
    *("temporary_uploads", "events", "temporary_events", "event_claims", "social_media_posts", "short_links"),
    "rate_limits",
}
SMALL = 5_000


def texts(database: sqlite3.Connection, table: str) -> Iterator[tuple[str, str]]:
    """The statements that made a table and its indexes."""
    sql = "SELECT name, sql FROM sqlite_master WHERE tbl_name = ? AND type <> 'trigger' ORDER BY name"
    yield from database.execute(sql, [table])


def literals(database: sqlite3.Connection, table: str) -> Iterator[tuple[str, ...]]:
    """Each row as SQLite writes its values, in the order of these."""
    names = [name for _, name, *_ in database.execute(f"PRAGMA table_info({table})")]
    order = ", ".join(str(at + 1) for at in range(len(names)))
    yield from database.execute(f"SELECT {', '.join(f'quote({name})' for name in names)} FROM {table} ORDER BY {order}")


def columns(planned: Plan, table: str) -> dict[str, str]:
    """The types that a table's columns get."""
    return {column.name: column.type for column in planned.table(table).columns}


@pytest.mark.parametrize("rows", [SMALL, pytest.param(1_000_000, marks=pytest.mark.soak)])
def test_the_application_moves(tmp_path: Path, url: str, rows: int) -> None:
    """Every row of every table, read back by the drivers alone; the verifier agrees."""
    source = seed(tmp_path / "app.db", rows)
    planned = plan(source, url, unreported)
    assert stops(planned) == []
    assert {table.name for table in planned.tables} == TABLES
    assert sum(table.rows for table in planned.tables) == rows
    run(accepted(planned), url, RunOptions(), unreported)
    if rows <= SMALL:  # the other size is verified alone: the comparison holds both sides in memory
        oracle.compare(source, url, planned)
    assert_verified(accepted(planned), url)


@pytest.mark.parametrize("rows", [SMALL, pytest.param(1_000_000, marks=pytest.mark.soak)])
def test_the_application_comes_back(tmp_path: Path, url: str, rows: int) -> None:
    """There and back: every table's text, and every row with the class of every value."""
    source, back = seed(tmp_path / "app.db", rows), tmp_path / "back.db"
    planned = moved(source, url)
    assert reverse(url, back, plan=planned).rows == rows
    with closing(sqlite3.connect(source)) as here, closing(sqlite3.connect(back)) as there:
        for table in sorted(TABLES):
            assert list(texts(here, table)) == list(texts(there, table))
            pairs = zip(literals(here, table), literals(there, table), strict=True)
            assert next((pair for pair in pairs if pair[0] != pair[1]), None) is None, table


def test_what_stays_behind_has_to_be_accepted(tmp_path: Path, url: str) -> None:
    """The view and the trigger, with the text that made them."""
    planned = plan(seed(tmp_path / "app.db", 500), url, unreported)
    assert {(one.kind, one.name) for one in planned.objects} == {
        ("view", "upcoming_events"),
        ("trigger", "media_tags_counted"),
    }
    assert all("CREATE" in one.sql for one in planned.objects)
    assert planned.blocking


def test_the_types_fit_what_is_there(tmp_path: Path, url: str) -> None:
    """Long text, money, dates of one grammar, and an instant that is kept as a number."""
    planned = plan(seed(tmp_path / "app.db", 2_000), url, unreported)
    assert columns(planned, "users")["created_at"].startswith("DATETIME")
    assert columns(planned, "users")["credits"] == "DOUBLE"
    assert columns(planned, "static_pages")["body"] == "MEDIUMTEXT"
    assert columns(planned, "rate_limits")["window_started_at"] == "BIGINT"
    assert columns(planned, "events")["starts_at"] == "DATETIME(3)"
    assert columns(planned, "llm_cost_tracking")["total"].startswith("DECIMAL(")
    assert columns(planned, "user_media")["is_public"] == "TINYINT(1)"


def test_the_seed_is_the_same_each_time(tmp_path: Path) -> None:
    """So many rows as were asked for, in the shares that are told, whole by SQLite's own checks."""
    first, second = (seed(tmp_path / name, 3_000) for name in ("one.db", "two.db"))
    with closing(sqlite3.connect(first)) as one, closing(sqlite3.connect(second)) as two:
        assert list(one.iterdump()) == list(two.iterdump())
        assert one.execute("PRAGMA foreign_key_check").fetchall() == []
        assert one.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        counts = {table: one.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in TABLES}
    assert counts == shares(3_000)
    assert sum(counts.values()) == 3_000
    assert all(f"CREATE TABLE {table} " in SCHEMA.read_text(encoding="utf-8") for table in TABLES)

"""Which indexes are worth trying, and which other ways to ask are worth saying."""

from __future__ import annotations

from typing import Any

import pytest

from postrmagic_core._metrics import LATENCY_BOUNDS
from postrmagic_core.database.analysis.advise import Asked, candidates, duplicates, index_name, unused
from postrmagic_core.database.analysis.catalog import Index, Table
from postrmagic_core.database.analysis.interface import Caller, QueryStats
from postrmagic_core.database.analysis.plans import Plan, Step
from postrmagic_core.database.analysis.report import quantile
from postrmagic_core.database.analysis.rewrites import rewrites, spread, with_bound
from postrmagic_core.database.analysis.statements import parse

LIST = "SELECT title FROM media WHERE user_id = ? ORDER BY created_us DESC, id DESC LIMIT ?"
SCAN = Plan((Step("media", "scan"),), (), ("SCAN media",))


def table(*indexes: Index, rows: int = 50_000, **changes: Any) -> Table:
    """The media, with these indexes."""
    columns = ("id", "user_id", "digest", "title", "text", "created_us")
    return Table("media", columns, ("id",), indexes, rows, appended=("id",), **changes)


def wanted(sql: str, known: Table, distinct: dict[tuple[str, str], int] | None = None) -> list[tuple[str, ...]]:
    """Columns of the indexes to try for one statement."""
    catalog = {known.name: known, "tags": Table("tags", ("media_id", "name"), ("media_id", "name"), (), 50_000)}
    statement = parse(sql, "sqlite", {name: one.columns for name, one in catalog.items()})
    return [one.columns for one in candidates([Asked("f", statement, 1.0)], catalog, distinct or {})]


def logged(sql: str, **changes: Any) -> QueryStats:
    """A statement of the log, called 200 times within 20 ms each."""
    buckets = tuple(200 if bound == 0.025 else 0 for bound in (*LATENCY_BOUNDS, 0.0))
    values: dict[str, Any] = {"count": 200, "seconds": 4.0, "slowest": 0.02, "buckets": buckets, "rows": 200}
    return QueryStats(**{"fingerprint": "f", "sql": sql, "errors": 0, **values, **changes})


def advice(sql: str, plan: Plan | None = SCAN, known: Table | None = None, **changes: Any) -> list[str]:
    """The rules that speak for one statement."""
    known = known or table()
    catalog = {name: known if name == "media" else Table(name, ("id",), ("id",), (), 9) for name in ("media", "tags")}
    statement = parse(sql, "sqlite", {name: one.columns for name, one in catalog.items()})
    return [one.rule for one in rewrites(logged(sql, **changes), Asked("f", statement, 1.0), catalog, plan)]


@pytest.mark.parametrize(
    ("sql", "columns"),
    [
        (LIST, [("user_id", "created_us"), ("user_id",)]),
        ("SELECT id FROM media WHERE created_us > ? AND user_id = ?", [("user_id", "created_us"), ("user_id",)]),
        ("SELECT id FROM media WHERE user_id IN (?)", [("user_id",)]),
        ("SELECT title, count(*) FROM media GROUP BY title", [("title",)]),
        ("SELECT id FROM media ORDER BY title DESC, created_us", []),
        ("SELECT id FROM media WHERE title LIKE ?", []),
        ("SELECT id FROM media WHERE user_id = ? OR title = ?", []),
        ("SELECT id FROM media WHERE id = ?", []),
        ("SELECT m.title FROM tags t JOIN media m ON m.id = t.media_id WHERE t.name = ?", [("name",)]),
        ("DELETE FROM media WHERE digest = ?", [("digest",)]),
        ("SELECT id FROM media WHERE nothing = ?", []),
    ],
)  # fmt: skip
def test_equality_first_then_one_thing_in_order(sql: str, columns: list[tuple[str, ...]]) -> None:
    """The key at the end that every index has anyway is left out; what no index serves gets none."""
    assert wanted(sql, table()) == columns


def test_the_selective_column_leads() -> None:
    """Of two that must be equal, the one with more values."""
    sql = "SELECT id FROM media WHERE user_id = ? AND title = ?"
    assert wanted(sql, table(), {("media", "user_id"): 12, ("media", "title"): 40_000}) == [("title", "user_id")]
    assert wanted(sql, table(), {("media", "user_id"): 12, ("media", "title"): 2}) == [("user_id", "title")]


@pytest.mark.parametrize(
    "there",
    [("user_id", "created_us"), ("user_id", "created_us", "title"), ("user_id", "created_us", "id")],
)
def test_what_exists_is_not_proposed(there: tuple[str, ...]) -> None:
    """Neither the same index nor the beginning of one."""
    assert wanted(LIST, table(Index("ix", there))) == []


def test_equal_columns_may_come_in_any_order() -> None:
    """An index that begins with both serves, whichever is first."""
    sql = "SELECT id FROM media WHERE user_id = ? AND title = ?"
    assert wanted(sql, table(Index("ix", ("title", "user_id")))) == []


def test_unique_columns_need_nothing_more() -> None:
    """One row is found already."""
    sql = "SELECT id FROM media WHERE digest = ? AND user_id = ? ORDER BY created_us"
    assert wanted(sql, table(Index("uq", ("digest",), unique=True))) == []


def test_small_tables_and_wide_columns_are_left_alone() -> None:
    """A stopwatch shows noise on the first, and servers index no TEXT."""
    assert wanted(LIST, table(rows=999)) == []
    assert wanted("SELECT id FROM media WHERE text = ?", table(wide=frozenset({"text"}))) == []


def test_statements_share_a_candidate() -> None:
    """Its seconds are those of both, and both are named."""
    catalog = {"media": table()}
    columns = {"media": catalog["media"].columns}
    asked = [Asked(name, parse(LIST, "sqlite", columns), 2.0) for name in ("one", "two")]
    first = candidates(asked, catalog, {})[0]
    assert (first.fingerprints, first.seconds, first.name) == (("one", "two"), 4.0, "ix_media_user_id_created_us")
    assert (first.covering, first.widened().columns) == (("title",), ("user_id", "created_us", "title"))


def test_names_are_cut_to_what_a_server_takes() -> None:
    """Whole characters, and two long names that begin alike stay apart."""
    long = [index_name("ü" * 32, ("ö" * 32, last)) for last in ("a", "b")]
    assert all(len(name.encode()) <= 64 for name in long)
    assert long[0] != long[1]
    assert index_name("media", ("user_id",)) == "ix_media_user_id"


def test_needless_indexes_are_remarked() -> None:
    """One that another begins with; of two equal ones, one; never a constraint."""
    indexes = [
        Index("ix_a", ("user_id",)),
        Index("ix_b", ("user_id", "title")),
        Index("ix_c", ("digest",)),
        Index("ix_d", ("digest",)),
        Index("uq_e", ("created_us",), unique=True),
        Index("ix_f", ("created_us", "title")),
    ]
    assert duplicates({"media": table(*indexes)}) == [("media", "ix_a", "ix_b"), ("media", "ix_d", "ix_c")]


def test_unused_indexes_are_remarked() -> None:
    """By no plan, guarding no rule and serving no foreign key."""
    indexes = [Index("a", ("title",)), Index("b", ("digest",)), Index("c", ("text",), unique=True)]
    refers = Index("d", ("user_id",), refers=True)
    assert unused({"media": table(*indexes, refers)}, ["b"]) == [("media", "a")]


@pytest.mark.parametrize(
    ("sql", "rule"),
    [
        ("SELECT id FROM media WHERE title LIKE ? || ? || ?", "contains"),
        ("SELECT id FROM media WHERE title LIKE ?", "pattern"),
        ("SELECT id FROM media WHERE lower(title) = ?", "function"),
        ("SELECT id FROM media WHERE date(created_us) = ?", "function"),
        ("SELECT id FROM media WHERE id NOT IN (SELECT id FROM tags)", "not in"),
        ("SELECT count(*) FROM media WHERE user_id = ?", "count all"),
    ],
)
def test_other_ways_to_ask(sql: str, rule: str) -> None:
    """Each rule speaks where it should, and not of a plain statement."""
    assert rule in advice(sql)
    assert rule not in advice("SELECT title FROM media WHERE id = ? ORDER BY title", callers=())


def test_a_range_is_advised_for_dates_and_an_index_for_the_rest() -> None:
    """What to write instead depends on the function."""
    known, columns = {"media": table()}, {"media": table().columns}
    told = {}
    for sql in ("SELECT id FROM media WHERE date(created_us) = ?", "SELECT id FROM media WHERE lower(title) = ?"):
        asked = Asked("f", parse(sql, "sqlite", columns), 1.0)
        (found,) = [one for one in rewrites(logged(sql), asked, known, SCAN) if one.rule == "function"]
        told[sql] = found.instead
    assert ["range" in text for text in told.values()] == [True, False]
    assert "LOWER(title)" in list(told.values())[1]


def test_asking_in_a_loop_is_seen_by_its_line() -> None:
    """Many calls from one line, each for one row by its key; not when they come from everywhere or bring many."""
    sql = "SELECT title FROM media WHERE id = ?"
    one_line = (Caller("app.py:7", 190), Caller("app.py:9", 10))
    assert advice(sql, callers=one_line) == ["repeated"]
    assert advice(sql, callers=tuple(Caller(f"app.py:{line}", 50) for line in range(4))) == []
    assert advice(sql, callers=one_line, count=99) == []
    assert advice("SELECT title FROM media WHERE user_id = ?", callers=one_line) == []


def test_every_column_of_many_rows_is_remarked() -> None:
    """Not that of a single row."""
    sql = "SELECT * FROM media WHERE user_id = ?"
    assert (advice(sql, rows=200 * 500), advice(sql, rows=200)) == (["all columns"], [])


def test_nothing_is_said_of_small_tables() -> None:
    """There it does not matter."""
    assert advice("SELECT id FROM media WHERE lower(title) LIKE ? || ? || ?", known=table(rows=10)) == []


def test_the_bound_that_follows_is_added() -> None:
    """``a < ? OR a = ? AND b < ?`` lies within ``a <= ?``; the new mark takes the value of the first."""
    columns = {"media": table().columns}
    sql = "SELECT id FROM media WHERE user_id = ? AND (created_us < ? OR created_us = ? AND id < ?) LIMIT ?"
    found = with_bound(parse(sql, "sqlite", columns), "sqlite", columns)
    assert found is not None
    statement, order = found
    assert "created_us <= ? AND (created_us < ? OR created_us = ? AND id < ?)" in statement.sql
    assert order == (0, 1, 1, 2, 3, 4)
    assert with_bound(statement, "sqlite", columns) is None


def test_quantiles_come_from_the_buckets() -> None:
    """Within the bucket that holds the call, and never beyond the slowest."""
    assert quantile(logged("SELECT 1"), 0.5) == pytest.approx(0.0175)
    assert quantile(logged("SELECT 1", slowest=0.012), 0.95) == 0.012
    two = tuple({0.001: 180, 1.0: 20}.get(bound, 0) for bound in (*LATENCY_BOUNDS, 0.0))
    assert spread(logged("SELECT 1", buckets=two, slowest=0.9))
    assert not spread(logged("SELECT 1"))
    assert quantile(logged("SELECT 1", buckets=(0,) * (len(LATENCY_BOUNDS) + 1), slowest=0.0), 0.95) == 0.0

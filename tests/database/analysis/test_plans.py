"""EXPLAIN's answers of each database, in one form."""

from __future__ import annotations

import pytest

from postrmagic_core.database.analysis.plans import Step, mysql_plan, sqlite_plan


@pytest.mark.parametrize(
    ("line", "step"),
    [
        ("SCAN media", Step("media", "scan")),
        ("SCAN my table USING INDEX", Step("my table USING INDEX", "scan")),
        ("SCAN m USING COVERING INDEX ix a b", Step("m", "index scan", "ix a b", covering=True)),
        ("SEARCH m USING INDEX ix (a=? AND b>?)", Step("m", "search", "ix")),
        ("SEARCH m USING INTEGER PRIMARY KEY (rowid=?)", Step("m", "search", "primary key")),
        ("SEARCH m USING AUTOMATIC COVERING INDEX (a=?)", Step("m", "scan")),
        ("SCAN s VIRTUAL TABLE INDEX 0:M1", Step("s", "other")),
        ("SCAN CONSTANT ROW", Step("CONSTANT ROW", "other")),
        ("SEARCH m USING INDEX ix (a=?) LEFT-JOIN", Step("m", "search", "ix")),
    ],
)
def test_a_line_of_sqlite(line: str, step: Step) -> None:
    """Which source, by which index, how much of it."""
    assert sqlite_plan([line]).steps == (step,)


def test_sqlite_sorts() -> None:
    """Temporary B-trees are named by what they are for."""
    plan = sqlite_plan(["SCAN media", "USE TEMP B-TREE FOR ORDER BY"])
    assert (plan.sorts, plan.verdict) == (("ORDER BY",), "reads all of media; sorts for ORDER BY")


def test_rows_of_a_server() -> None:
    """Full scans, lookups and index-only reads, with the server's estimates; derived tables are none."""
    plan = mysql_plan(
        [
            {"id": 1, "table": "m", "type": "ALL", "key": None, "rows": 2000, "Extra": "Using where; Using filesort"},
            {"id": 1, "table": "b", "type": "eq_ref", "key": "PRIMARY", "rows": 1, "Extra": ""},
            {"id": 1, "table": "t", "type": "index", "key": "ix", "rows": 9, "Extra": "Using index; Using temporary"},
            {"id": 2, "table": "<derived2>", "type": "ALL", "key": None, "rows": 2, "Extra": None},
            {"id": 3, "table": None, "type": None, "key": None, "rows": None, "Extra": "No tables used"},
        ]
    )
    assert plan.steps == (
        Step("m", "scan", rows=2000),
        Step("b", "search", "PRIMARY", rows=1),
        Step("t", "index scan", "ix", covering=True, rows=9),
    )
    assert plan.verdict == "reads all of m; reads all of ix; sorts for ORDER BY; makes a temporary table"
    assert plan.lines[0] == "m, ALL, 2,000 rows, Using where; Using filesort"

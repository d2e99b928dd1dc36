"""Statements that an index alone does not make fast, and how else to ask; each rule says what it saw."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from .advise import FEWEST_ROWS, Asked
from .catalog import Table
from .interface import QueryStats
from .plans import Plan
from .report import quantile
from .sqltext import numbered, parser_of, unnumbered
from .statements import Slot, Statement, Unreadable, parse

Rule: TypeAlias = Literal[
    "offset", "keyset", "contains", "pattern", "function", "not in", "repeated", "count all", "all columns"
]
# A 95th percentile so many times the median: some calls read much more than others.
SPREAD = 3.0
_ENOUGH = 20
# Seconds: what is faster deserves no remark.
SLOW = 0.005
# Calls of one line, each for one row: as many come of asking in a loop.
REPEATED = 100
_FROM_ONE_LINE = 0.8


@dataclass(frozen=True, slots=True)
class Rewrite:
    """Another way to ask: the rule, the statement (fingerprint), why, what to write instead; ``measured``: seconds
    before and after, where it was tried on the copy."""

    rule: Rule
    fingerprint: str
    reason: str
    instead: str
    measured: tuple[float, float] | None = None


def rewrites(query: QueryStats, asked: Asked, catalog: Mapping[str, Table], plan: Plan | None) -> Iterator[Rewrite]:
    """What can be said of one statement from the log, its text and its plan."""
    statement = asked.statement
    large = [source for source in statement.sources if _rows(catalog, source.table) >= FEWEST_ROWS]
    if "count all" in statement.traits and large and quantile(query, 0.95) >= SLOW:
        yield _rewrite(
            "count all", query, "it counts rows one by one, each time", "keep the number, or cache the answer"
        )
    if not large:
        return
    yield from _patterns(query, statement, plan)
    for number, column, expression in statement.functions:
        table = statement.sources[number].table
        if _rows(catalog, table) >= FEWEST_ROWS:
            reason = (
                f"`{expression}` must be computed for each row before it can be compared: no index of {column} serves"
            )
            yield _rewrite("function", query, reason, _for_function(expression, column))
    if "not in" in statement.traits and quantile(query, 0.95) >= SLOW:
        reason = "NOT IN (SELECT …) is never true once the list holds a NULL, and hinders the planner"
        yield _rewrite("not in", query, reason, "NOT EXISTS (SELECT 1 FROM … WHERE … = …)")
    if "star" in statement.traits and query.count and query.rows / query.count >= 100:
        reason = f"it reads every column of about {query.rows / query.count:,.0f} rows a call"
        yield _rewrite("all columns", query, reason, "name the columns that are used")
    if _repeats(query, statement, catalog):
        line = query.callers[0].line
        reason = f"{query.count:,} calls, nearly all from {line}, each for one row: as from a loop"
        yield _rewrite("repeated", query, reason, "one statement for all: WHERE … IN (…), or a join")


def spread(query: QueryStats) -> bool:
    """Whether some calls took much longer than most."""
    return query.count >= _ENOUGH and quantile(query, 0.95) >= SPREAD * quantile(query, 0.5) > 0


def with_bound(
    statement: Statement, dialect: str, columns: Mapping[str, tuple[str, ...]]
) -> tuple[Statement, tuple[int, ...]] | None:
    """``a < ? OR a = ? AND b < ?`` with the bound ``a <= ?`` that follows from it; and the order of its values."""
    from sqlglot import exp

    from .reading import is_bounded, keyset_bound

    tree = parser_of(dialect).parse(numbered(statement.sql, statement.positions))[0]
    if tree is None or statement.kind != "select":
        return None
    added = False
    for either in list(tree.find_all(exp.Or)):
        bound = keyset_bound(either)
        if bound is not None and not is_bounded(either, bound):
            either.replace(exp.And(this=bound, expression=exp.Paren(this=either.copy())))
            added = True
    if not added:
        return None
    sql, order = unnumbered(tree.sql(dialect="sqlite" if dialect == "sqlite" else "mysql"))
    try:
        return parse(sql, dialect, columns), order
    except Unreadable:
        return None


def _rewrite(rule: Rule, query: QueryStats, reason: str, instead: str) -> Rewrite:
    return Rewrite(rule, query.fingerprint, reason, instead)


def _patterns(query: QueryStats, statement: Statement, plan: Plan | None) -> Iterator[Rewrite]:
    words = "a full-text index (FTS5 on SQLite, FULLTEXT on MySQL and MariaDB)"
    if "contains" in statement.traits:
        yield _rewrite("contains", query, "LIKE '%…%' has to read every value to its end; no index serves it", words)
    elif "pattern" in statement.traits and plan is not None and plan.scanned:
        reason = (
            f"it reads all of {', '.join(plan.scanned)} for a LIKE; the log does not tell whether patterns begin with %"
        )
        yield _rewrite(
            "pattern", query, reason, f"if they do: {words}; if they do not: a range, name >= 'ab' AND name < 'ac'"
        )


def _for_function(expression: str, column: str) -> str:
    name = expression.partition("(")[0].upper()
    if name in {"DATE", "YEAR", "MONTH", "STRFTIME", "DATE_FORMAT"}:
        return f"a range of {column} itself: {column} >= the first instant AND {column} < the first one after"
    return (
        f"an index over the expression (SQLite, MySQL 8: CREATE INDEX … (({expression}))), a generated column "
        "(MariaDB), or store the value as it is compared"
    )


def _repeats(query: QueryStats, statement: Statement, catalog: Mapping[str, Table]) -> bool:
    called = sum(caller.count for caller in query.callers)
    if query.count < REPEATED or not called or query.callers[0].count < _FROM_ONE_LINE * called:
        return False
    if statement.kind != "select" or len(statement.sources) != 1 or any(_lists(slot) for slot in statement.slots):
        return False
    table = catalog.get(statement.sources[0].table)
    return table is not None and table.is_unique(statement.sources[0].equal)


def _lists(slot: Slot) -> bool:
    return slot.role == "list"


def _rows(catalog: Mapping[str, Table], name: str) -> int:
    table = catalog.get(name)
    return 0 if table is None else table.rows

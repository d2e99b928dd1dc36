"""The database: its pools and who holds them, what its statements cost, which index might help."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ....database import schema
from ....database.window import look
from .. import reading_queries
from ..interface import Ask, Page, Shown
from ..reading_figures import Figures, figures
from ..reading_repeats import QUERY, repeated
from ..reading_series import Drawn, charts_of

if TYPE_CHECKING:
    from ....database.migrating.interface import SchemaState

_HOLDERS = 50
_PER_PAGE = 25
_CHARTS = (
    Drawn("query", "Time at the database", [("query_p95", "95 of 100", "")]),
    Drawn("uses", "Uses of the database", [("queries_per_second", "uses", "")]),
    Drawn("pool", "Connections in use", [("pool_in_use_share", "of those that may be open", "")]),
)


@dataclass(frozen=True, slots=True)
class Pool:
    """One kind of pool in all processes: connections, callers that wait; seconds that 95 of 100 stayed below."""

    role: str
    capacity: float
    open: float
    in_use: float
    waiting: float
    wait: float | None
    hold: float | None
    connect: float | None
    exhausted: int


@dataclass(frozen=True, slots=True)
class Held:
    """Who holds a connection, in one of this machine's processes, for ``seconds``."""

    pid: int
    command: str
    role: str
    work: str
    line: str
    thread: str
    seconds: float


def view(ask: Ask) -> Shown:
    """Pools, statements, repetitions, advice and the schema; one statement where the query names it."""
    queries, analysis = reading_queries.of(ask.stack)
    monotonic = ask.clock.monotonic
    statements = ask.part("the query log", lambda: queries.read(ask.stack.database, monotonic))
    named = ask.text("statement", 16)
    if named:
        found = () if statements.value is None else statements.value.found
        one = next((each for each in found if each.fingerprint == named), None)
        data = {"statement": one, "named": named, "slow": ask.stack.settings.database.slow_query}
        return Shown("database_statement.html", data, "Statement", 200 if one else 404)
    told = figures(ask.stack, monotonic)
    whose, search = ask.text("of"), ask.text("q")
    chosen = [] if statements.value is None else reading_queries.chosen(statements.value.found, whose, search)
    listed = ask.sorted(chosen, reading_queries.SORTS, "-total")
    first = ask.number("after", 0, most=max(0, len(listed) - 1))
    return Shown(
        "database.html",
        {
            "charts": charts_of(ask, *_CHARTS),
            "window": ask.window,
            "pools": ask.part("the pools", lambda: _pools(told)),
            "holders": ask.part("who holds connections", lambda: _holders(ask.stack.database)),
            "budget": ask.stack.settings.database.pool_hold_budget,
            "conflicts": told.total("db_conflicts_total"),
            "hook_errors": told.total("db_hook_errors_total"),
            "everybody": told.everybody,
            "statements": statements,
            "whose_statements": whose if whose in reading_queries.WHOSE else "",
            "search": search,
            "listed": listed[first : first + _PER_PAGE],
            "first": first,
            "number": len(listed),
            "following": str(first + _PER_PAGE) if first + _PER_PAGE < len(listed) else "",
            "repeated": ask.part("repeated statements", lambda: repeated(ask)),
            "repeated_query": QUERY,
            "repeats": ask.stack.settings.database.repeated_query,
            "analysis": analysis,
            "schema": ask.part("the schema", lambda: _schema(ask.stack.database)),
            "dialect": ask.part("the dialect", lambda: ask.stack.database.dialect).value,
        },
    )


def analyze(ask: Ask, form: Mapping[str, str]) -> str:
    """Explain the costliest statements and guess which indexes would help: the database is only read."""
    _, analysis = reading_queries.of(ask.stack)
    begun = analysis.start(ask.stack.database, ask.stack.settings.database_url(), ask.clock.now_us)
    return "The analysis runs: what it finds appears here." if begun else "An analysis runs already."


def _pools(told: Figures) -> list[Pool]:
    def below(name: str, role: str) -> float | None:
        return told.quantile(f"db_pool_{name}_seconds", 0.95, pool=role)

    def now(name: str) -> dict[str, float]:
        return told.gauges(f"db_pool_{name}", "pool")

    capacity, opened, in_use, waiting = map(now, ("capacity", "open", "in_use", "waiting"))
    return [
        Pool(
            role=role,
            capacity=capacity[role],
            open=opened.get(role, 0),
            in_use=in_use.get(role, 0),
            waiting=waiting.get(role, 0),
            wait=below("wait", role),
            hold=below("hold", role),
            connect=below("connect", role),
            exhausted=told.total("db_pool_exhausted_total", pool=role),
        )
        for role in sorted(capacity)
    ]


def _holders(database: Any) -> list[Held]:
    found = [
        Held(report.pid, report.command, told.pool.role, each.work, each.line, each.thread, each.seconds)
        for report in look(database.database_id)
        for told in report.pools
        for each in told.pool.holders
    ]
    return sorted(found, key=lambda each: -each.seconds)[:_HOLDERS]


def _schema(database: Any) -> list[SchemaState]:
    return schema.states(database.backend, database.migrations)


PAGE = Page("database", "Database", "Backends", view, {"analyze": analyze}, key="d")

"""Requests: how many, how fast, how many failed; and by route."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..interface import Ask, Page, Shown
from ..reading_series import Drawn
from ..signals import alerts, drawn, marks, releases, signals
from .overview import golden

if TYPE_CHECKING:
    from ...history import Route

_SERIES = ("requests_per_second", "error_share", "response_p95", "pool_in_use_share", "jobs_waiting")
_CHARTS = (
    Drawn("requests", "Requests", [("requests_per_second", "all", "")]),
    Drawn("failed", "Requests that failed", [("error_share", "share", "bad")]),
    Drawn(
        "response",
        "Response time",
        [("response_p95", "95 of 100", ""), ("response_p50", "median", "soft"), ("response_p99", "99 of 100", "warn")],
    ),
    Drawn("queries", "Time at the database", [("query_p95", "95 of 100", "")]),
)
_MOST = 100


@dataclass(frozen=True, slots=True)
class Row:
    """A route over the window: ``rate`` a second, ``failed`` a share, ``time`` of all its requests as a share."""

    route: Route
    rate: float
    failed: float


SORTED: Mapping[str, Callable[[Row], Any]] = {
    "route": lambda row: (row.route.route, row.route.method),
    "rate": lambda row: row.rate,
    "failed": lambda row: row.failed,
    "p50": lambda row: row.route.p50,
    "p95": lambda row: row.route.p95,
    "p99": lambda row: row.route.p99,
}


def view(ask: Ask) -> Shown:
    """Charts, and a table by route."""
    found = signals(ask, _SERIES, *_CHARTS)
    routes = ask.part("routes", lambda: _routes(ask))
    rows = ask.sorted(routes.value or [], SORTED, "-rate")
    search = ask.text("q").lower()
    if search:
        rows = [row for row in rows if search in f"{row.route.method} {row.route.route}".lower()]
    data = {
        "charts": drawn(found, _CHARTS, marks(ask.window, releases(ask), alerts(ask))),
        "golden": golden(found.value)[:3],
        "more": max(0, len(rows) - _MOST),
        "routes": routes,
        "rows": rows[:_MOST],
        "search": search,
        "signals": found,
        "window": ask.window,
    }
    return Shown("requests.html", data)


def _routes(ask: Ask) -> list[Row] | None:
    history, window = ask.source("history"), ask.window
    if history is None:
        return None
    found = history.routes(window.since, window.until)
    return [
        Row(one, one.requests / window.seconds, one.errors / one.requests if one.requests else 0.0) for one in found
    ]


PAGE = Page("requests", "Requests", "Watch", view, key="r")

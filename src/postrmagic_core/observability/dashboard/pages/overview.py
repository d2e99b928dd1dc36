"""Overview: the golden signals, what success is measured by, what fires, what is new."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from .. import words
from ..charts import Tile, Tone
from ..interface import Ask, Page, Part, Shown
from ..reading_adoption import adoption
from ..reading_series import Drawn
from ..signals import Signals, alerts, drawn, marks, releases, signals

if TYPE_CHECKING:
    from ...releases import Release
    from ...uptime import ProbeStatus

_SERIES = (
    "requests_per_second",
    "error_share",
    "response_p50",
    "response_p95",
    "query_p95",
    "cache_hit_share",
    "memory_bytes",
    "jobs_waiting",
    "pool_in_use_share",
    "page_load_p75",
)
_CHARTS = (
    Drawn("requests", "Requests", [("requests_per_second", "all", "")]),
    Drawn("failed", "Requests that failed", [("error_share", "share", "bad")]),
    Drawn(
        "response",
        "Response time",
        [("response_p95", "95 of 100", ""), ("response_p50", "median", "soft"), ("response_p99", "99 of 100", "warn")],
    ),
    Drawn("saturation", "Connections in use", [("pool_in_use_share", "share", "")]),
)
_NEWEST = 6
_WEEKS = 4
_MONTH = 30  # days


def view(ask: Ask) -> Shown:
    """All that one looks at first."""
    found, fired, released = signals(ask, _SERIES, *_CHARTS), alerts(ask), releases(ask)
    uptime = ask.part("uptime", lambda: _statuses(ask))
    return Shown(
        "overview.html",
        {
            "alerts": fired,
            "charts": drawn(found, _CHARTS, marks(ask.window, released, fired)),
            "errors": ask.part("errors", lambda: ask.source("errors").find(limit=_NEWEST)),
            "golden": golden(found.value),
            "releases": released,
            "newest": (released.value or [])[:_NEWEST],
            "signals": found,
            "success": [*_measured(found.value), *_delivered(ask, uptime, released), *_felt(ask, found.value)],
            "troubles": [part for part in (found, uptime) if part.trouble],
            "watched": ask.stack.settings.watches or bool(found.value and found.value.latest),
            "window": ask.window,
        },
    )


def golden(found: Signals | None) -> list[Tile]:
    """Traffic, errors, latency, saturation; nothing where nothing is written down."""
    if found is None or found.empty:
        return []
    used, waiting = found.latest.get("pool_in_use_share"), found.latest.get("jobs_waiting")
    note = "connections in use" if waiting is None else f"connections in use · {words.number(waiting)} jobs wait"
    return [
        found.tile("requests_per_second", "Traffic", "requests", "requests"),
        found.tile("error_share", "Errors", "of requests failed", "requests"),
        found.tile("response_p95", "Latency", "95 of 100 are answered within", "requests"),
        found.tile(
            "pool_in_use_share", "Saturation", note if used is not None else "no connection was taken", "database"
        ),
    ]


def _measured(found: Signals | None) -> list[Tile]:
    """What the history tells of success by itself."""
    if found is None:
        return []
    return [
        found.tile("response_p95", "Response time", "95 of 100 requests", "requests"),
        found.tile("response_p50", "API response", "median of requests", "requests"),
        found.tile("query_p95", "Query time", "95 of 100 uses of the database", "database"),
        found.tile("cache_hit_share", "Cache hit rate", "reads that the cache answered", "cache"),
        found.tile("memory_bytes", "Memory", "all processes"),
        found.tile("error_share", "Error rate", "requests that failed", "errors"),
    ]


def _delivered(ask: Ask, uptime: Part[list[ProbeStatus]], released: Part[list[Release]]) -> list[Tile]:
    """Uptime, how soon it recovers, how often there is a release."""
    probes = uptime.value or ()
    shares = [(probe.availability_month, probe.name) for probe in probes if probe.availability_month is not None]
    share, worst = min(shares, default=(None, ""))
    recoveries = [probe.mean_recovery_seconds for probe in probes if probe.mean_recovery_seconds is not None]
    recent = [each for each in released.value or () if each.began_at > ask.now - timedelta(weeks=_WEEKS)]
    up: Tone = "" if share is None else "good" if share >= 0.999 else "warn" if share >= 0.99 else "bad"
    watched = "no probe has looked yet" if share is None else f"30 days · {worst}"
    mean = sum(recoveries) / len(recoveries) if recoveries else None
    return [
        Tile("Uptime", words.percent(share), watched, up, page="uptime"),
        Tile(
            "Time to recovery",
            words.duration(mean),
            "mean of 30 days" if recoveries else "no outage ended in 30 days",
            page="uptime",
        ),
        Tile("Releases", f"{len(recent) / _WEEKS:.2g} / week", f"over {_WEEKS} weeks"),
    ]


def _felt(ask: Ask, found: Signals | None) -> list[Tile]:
    """Page loads, adoption, satisfaction."""
    page = "experience"
    tiles = [] if found is None else [found.tile("page_load_p75", "Page load", "75 of 100 loads", page)]
    source = ask.source("experience")
    if source is None:
        return [
            *tiles,
            *(Tile(title, words.NOTHING, "not measured here", page=page) for title in ("Adoption", "Satisfaction")),
        ]
    adopted = ask.part("adoption", lambda: adoption(ask, _MONTH))
    first = next(iter(adopted.value or ()), None)
    tiles.append(
        Tile("Adoption", words.NOTHING, adopted.trouble or "no use was counted yet", page=page)
        if first is None
        else Tile("Adoption", words.percent(first.share), f"of {first.active_users} users: {first.feature}", page=page)
    )
    answered = ask.part("survey", lambda: _survey(source))
    survey = answered.value
    if survey is None or not survey.count:
        return [*tiles, Tile("Satisfaction", words.NOTHING, answered.trouble or "nobody has answered yet", page=page)]
    good: Tone = "good" if survey.mean >= 4 else "warn" if survey.mean >= 3 else "bad"
    return [*tiles, Tile("Satisfaction", f"{survey.mean:.1f} of 5", f"{survey.count} answers", good, page=page)]


def _survey(source: Any) -> Any:
    question = next(iter(source.questions()), None)
    return None if question is None else source.survey(question, comments=0)


def _statuses(ask: Ask) -> list[ProbeStatus] | None:
    source = ask.source("uptime")
    return None if source is None else source.status()


PAGE = Page("", "Overview", "Watch", view, key="o")

"""Alerts and rules as a page shows them: in plain words, with where to read on, and what a rule reads now."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Final

from ..alerts.rules import Absence, Expression, RateOfChange, Rule, Threshold
from . import words
from .interface import Ask, Part
from .reading_figures import figures
from .reading_logs import Lead, plain

if TYPE_CHECKING:
    from ..alerts import Alert, Reading
    from ..alerts.interface import Change

_ORDER: Final = {"critical": 0, "warning": 1, "info": 2}
TONES: Final[Mapping[str, str]] = {"critical": "bad", "warning": "warn", "info": ""}
_READINGS = 5
_LABELS = 12
_WEB = ("https://", "http://")
# Which page tells more of a figure, by how its name begins.
_PAGES: Final = (
    (("requests", "error_share", "response", "http"), "Requests", "requests"),
    (("jobs", "job_"), "Jobs", "jobs"),
    (("outbox", "events", "event_"), "Events", "events"),
    (("query", "queries", "pool", "database", "db_"), "Database", "database"),
    (("cache",), "Cache", "cache"),
    (("log", "errors"), "Errors", "errors"),
    (("uptime",), "Uptime", "uptime"),
    (("session", "login"), "Sessions", "sessions"),
    (("page_load", "feature", "survey"), "Experience", "experience"),
)


@dataclass(frozen=True, slots=True)
class Shown:
    """An alert as it is shown; ``runbook`` is an address, ``guide`` a place that is none."""

    alert: Alert
    rule: str
    summary: str
    labels: Sequence[tuple[str, str]]
    tone: str
    runbook: str
    guide: str
    leads: Sequence[Lead]
    by: str
    channels: str


@dataclass(frozen=True, slots=True)
class Became:
    """A change as it is shown."""

    change: Change
    rule: str
    summary: str
    labels: Sequence[tuple[str, str]]
    tone: str
    by: str


@dataclass(frozen=True, slots=True)
class Ruled:
    """A rule as it is shown; ``readings`` are what it reads now, ``trouble`` why that cannot be told."""

    name: str
    of: str
    condition: str
    severity: str
    tone: str
    for_: float
    channels: str
    readings: Sequence[tuple[str, str]]
    trouble: str
    leads: Sequence[Lead]
    fires: int


def shown(alert: Alert, rules: Mapping[str, Rule]) -> Shown:
    """An alert as it is shown; of one whose rule is no more, what it says itself."""
    web = alert.runbook.startswith(_WEB)
    return Shown(
        alert,
        plain(alert.rule, 190),
        plain(alert.summary, 400),
        labels(alert.labels),
        TONES.get(alert.severity, ""),
        alert.runbook if web else "",
        "" if web else plain(alert.runbook, 300),
        leads(rules.get(alert.rule), alert.labels, alert.began_at),
        plain(alert.acknowledged_by, 100),
        plain(", ".join(alert.channels), 200),
    )


def ordered(alerts: Sequence[Alert]) -> list[Alert]:
    """Those that fire first, the gravest of them before the others; then the newest."""
    newest = sorted(alerts, key=lambda one: one.since, reverse=True)
    return sorted(newest, key=lambda one: (one.state != "firing", _ORDER.get(one.severity, 9)))


def became(change: Change) -> Became:
    """A change as it is shown."""
    tone = (
        TONES.get(change.severity, "") if change.became == "firing" else "good" if change.became == "resolved" else ""
    )
    return Became(
        change, plain(change.rule, 190), plain(change.summary, 400), labels(change.labels), tone, plain(change.by, 100)
    )


def labels(given: Mapping[str, str]) -> list[tuple[str, str]]:
    """Labels by name."""
    return [(plain(name, 60), plain(value, 200)) for name, value in sorted(given.items())[:_LABELS]]


def leads(rule: Rule | None, of: Mapping[str, str], since: datetime | None = None) -> list[Lead]:
    """Where to read on: what the rule is about, and what its labels name."""
    found: list[Lead] = []
    if of.get("error"):
        found.append(Lead("The error", "errors", {"id": of["error"][:64]}))
    if of.get("probe"):
        found.append(Lead("The probe", "uptime", {"name": of["probe"][:64]}))
    if of.get("queue"):
        found.append(Lead("The queue", "jobs", {"queue": of["queue"][:64]}))
    about = rule.of if rule is not None else None
    if isinstance(about, Expression):
        if about.source == "logs":
            found.append(Lead("Its records", "logs", {"q": about.text}))
        elif about.source == "errors" and not of.get("error"):
            found.append(Lead("Errors", "errors", {"state": about.text}))
        elif about.source == "uptime" and not of.get("probe"):
            found.append(Lead("Uptime", "uptime", {}))
        elif about.source in ("metric", "time_left"):
            page = next((Lead(title, page, {}) for names, title, page in _PAGES if about.text.startswith(names)), None)
            found += [page] if page is not None and page.page not in {one.page for one in found} else []
    if since is not None:
        begin = int((since.timestamp() - 300) * 1e6)
        found.append(Lead("The log of when it began", "logs", {"since": str(begin), "until": str(begin + 900_000_000)}))
    return found


def condition(rule: Rule) -> str:
    """When a rule is broken, in words."""
    if isinstance(rule, Threshold):
        return f"above {_value(rule, rule.above)}" if rule.above is not None else f"below {_value(rule, rule.below)}"
    if isinstance(rule, RateOfChange):
        by = f"{abs(rule.by):.0%}" if rule.share else f"{abs(rule.by):g}"
        return f"{'falls' if rule.by < 0 else 'grows'} by more than {by} within {words.duration(rule.within)}"
    return "is not there" if isinstance(rule, Absence) else ""


def ruled(ask: Ask, rules: Sequence[Rule], current: Sequence[Alert]) -> list[Ruled]:
    """Rules with what they read now: each source is asked once, for all of them."""
    read = _reader(ask)
    found = []
    for rule in rules:
        readings: Part[list[Reading]] = ask.part("a rule", partial(_read, read, rule))
        about = str(rule.of) if isinstance(rule.of, Expression) else getattr(rule.of, "__qualname__", "a callable")
        found.append(
            Ruled(
                plain(rule.name, 190),
                plain(about, 300),
                condition(rule),
                rule.severity,
                TONES.get(rule.severity, ""),
                rule.for_,
                plain(", ".join(rule.channels) or "all", 200),
                [_told(rule, one) for one in (readings.value or ())[:_READINGS]],
                readings.trouble,
                leads(rule, {}),
                sum(one.rule == rule.name and one.state == "firing" for one in current),
            )
        )
    return found


def _told(rule: Rule, reading: Reading) -> tuple[str, str]:
    told = ", ".join(value for _, value in labels(reading.labels))
    return told, _value(rule, reading.value)


def _value(rule: Rule, value: float | None) -> str:
    """How long it is until an instant is in seconds; of the rest nobody knows the unit."""
    seconds = isinstance(rule.of, Expression) and rule.of.source == "time_left"
    return words.duration(value) if seconds else words.number(value)


def _read(read: Callable[[Expression], list[Reading]], rule: Rule) -> list[Reading] | None:
    """What a rule reads. Records are not counted for that, and what an application gives itself is not called."""
    if not isinstance(rule.of, Expression) or rule.of.source == "logs":
        return None
    return read(rule.of)


def _reader(ask: Ask) -> Callable[[Expression], list[Reading]]:
    from ..alerts.sources import Sources

    observability: Any = ask.stack.observability
    history, uptime = ask.source("history"), ask.source("uptime")
    told = cache(lambda: figures(ask.stack, ask.clock.monotonic).totals)
    sources = Sources(
        series=None if history is None else cache(history.latest),
        totals=told,
        errors=cache(lambda state: observability.errors.find(state=state, limit=_READINGS)),
        uptime=None if uptime is None else cache(uptime.status),
        clock=ask.clock,
    )
    return sources.read

"""The log: asked in the language of its search, counted over time, told as it comes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from ...._clock import from_us, to_us
from ....log.query import LENGTH, QueryError, parse
from ....log.query_time import instant_text, us_of
from ....log.search.terms import bounds
from .. import assets
from ..interface import RANGES, Ask, Page, Shown
from ..reading_logs import Column, both, columns, like, plain, rows

if TYPE_CHECKING:
    from ....log.search import LogIndex, Stats
    from ....log.search import Page as Found

_STEP = 50
_BUCKETS = 60
_DAY_US = 86_400_000_000
_LATEST_US = 32_503_680_000_000_000  # the year 3000: nobody looks beyond

HELP: Final[Mapping[str, str]] = {
    "level>=warning": "warnings and worse",
    '"timed out"': "these words in a row",
    "user:42": "a field",
    "duration_ms>500": "a number",
    "-retry": "without a word",
    "(task:mail OR task:scale)": "one of two",
    "since:2h until:1h": "a time",
    "trace:…  request:…  job:…": "what belongs together",
}
"""The language in examples."""


@dataclass(frozen=True, slots=True)
class Span:
    """The time that is looked through (µs), as far as it is said; ``named``: as the query ``range`` says it."""

    since: int | None = None
    until: int | None = None
    named: str = ""

    @property
    def terms(self) -> str:
        """What asks for it."""
        parts = [] if self.since is None else [f"since:{instant_text(self.since)}"]
        return " ".join(parts if self.until is None else [*parts, f"until:{instant_text(self.until)}"])


@dataclass(frozen=True, slots=True)
class Counted:
    """The message of a group: how often now, and before; ``query`` asks for its records."""

    event: str
    logger: str
    level: str
    count: int
    before: int
    query: str


@dataclass(frozen=True, slots=True)
class Drawn:
    """A histogram; ``total`` records in it."""

    columns: Sequence[Column]
    since: datetime
    until: datetime
    total: int


def view(ask: Ask) -> Shown:
    """What was logged, by a query; the most frequent messages where the query ``tab`` says ``stats``."""
    index: LogIndex | None = ask.source("logs")
    asked = ask.text("q", LENGTH + 1).strip()
    span = _span(ask)
    about = {
        "style": assets.version(),
        "said": asked,
        "span": span,
        "since": None if span.since is None else from_us(span.since),
        "until": None if span.until is None else from_us(span.until),
        "ranges": list(RANGES),
        "tab": "stats" if ask.text("tab") == "stats" else "records",
        "index": index is not None,
        "error": "",
        "days": ask.stack.settings.log.search_days,
        "help": HELP,
    }
    if index is None:
        return Shown("logs.html", about)
    if about["tab"] == "stats":
        return Shown("logs.html", about | _stats(ask, index, span))
    try:
        own = bounds(parse(asked, ask.clock.now_us()).node)
        whole = both(asked, span.terms)
        parse(whole, ask.clock.now_us())
    except QueryError as error:
        return Shown("logs.html", about | {"error": str(error)})
    return Shown("logs.html", about | _records(ask, index, whole, span, own))


def _records(ask: Ask, index: LogIndex, whole: str, span: Span, own: tuple[int | None, int | None]) -> dict[str, Any]:
    before = ask.text("before", 40)

    def search() -> Found:
        try:
            return index.search(whole, limit=_STEP, before=before or None)
        except ValueError:  # a cursor that somebody typed: the newest are what they get
            return index.search(whole, limit=_STEP)

    found = ask.part("the records", search)
    page = found.value
    asked = ask.text("q", LENGTH).strip()
    drawn = _drawn_span(ask, span, own, page)
    return {
        "found": found,
        "rows": [] if page is None else rows(page.records, asked),
        "older": "" if page is None else page.cursor or "",
        "until_when": None if page is None or not to_us(page.searched_until) else page.searched_until,
        "histogram_part": ask.part("the counts", lambda: _histogram(index, whole, drawn)),
    }


def _span(ask: Ask) -> Span:
    since, until = _instant(ask, "since"), _instant(ask, "until")
    if since or until:
        return Span(since or None, max(until, since + 1) if until else None)
    named = ask.text("range")
    if named not in RANGES:
        return Span()
    return Span(to_us(ask.now - RANGES[named]), None, named)


def _instant(ask: Ask, name: str) -> int:
    given = ask.text(name, 18)
    return min(int(given), _LATEST_US) if given.isascii() and given.isdigit() else 0


def _drawn_span(ask: Ask, span: Span, own: tuple[int | None, int | None], page: Found | None) -> tuple[int, int]:
    """From when to when is drawn: the time that is asked for; else all that was found, if that is all; else a day."""
    now = ask.clock.now_us()
    since, until = span.since or own[0], span.until or own[1]
    if since is None:
        times = [us for record in (page.records if page else ()) if (us := us_of(record.get("ts"))) is not None]
        whole = page is not None and page.cursor is None and times and not ask.text("before")
        since = min(times) if whole else (until or now) - _DAY_US
        if whole and until is None:
            until = max(times) + 1
    return since, max(until or now, since + 1)


def _histogram(index: LogIndex, whole: str, span: tuple[int, int]) -> Drawn:
    since, until = span
    # Whole steps, so that what has not changed stands where it stood.
    step = max(1, -(-(until - since) // _BUCKETS))
    until = -(-until // step) * step
    since = until - _BUCKETS * step
    begin, end = from_us(max(0, since)), from_us(until)
    drawn = columns(index.histogram(whole, _BUCKETS, begin, end), end)
    return Drawn(drawn, begin, end, sum(column.total for column in drawn))


def _stats(ask: Ask, index: LogIndex, span: Span) -> dict[str, Any]:
    now = ask.clock.now_us()
    until = span.until or now
    since = min(span.since or until - _DAY_US, until - 1)
    stats = ask.part("the counts", lambda: index.stats(from_us(since), from_us(until)))
    told: Stats | None = stats.value
    if told is None:
        return {"stats": stats}
    return {
        "stats": stats,
        "levels": [(plain(name, 20), count, told.before.get(name, 0)) for name, count in reversed(told.levels.items())],
        "most": max([*told.levels.values(), 1]),
        "messages": _counted(told.messages),
        "new": _counted(told.new),
    }


def _counted(messages: Sequence[Any]) -> list[Counted]:
    return [
        Counted(
            plain(one.event, 300),
            plain(one.logger, 120),
            plain(one.level, 20),
            one.count,
            one.before,
            like(one.event, one.logger, one.level),
        )
        for one in messages
    ]


PAGE = Page("logs", "Logs", "Watch", view, every=4.0, key="l")

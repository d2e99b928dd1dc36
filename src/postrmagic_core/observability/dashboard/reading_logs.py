"""Records of the log as pages show them: cut, without what a browser would act on, with what leads on from them."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b
from typing import Any, Final

from ..._clock import from_us
from ...log.query_nodes import LEVELS
from ...log.query_time import us_of

CUT: Final = 800
"""Characters of a value that are shown."""
_BRIEF = 70
_BRIEFS = 6
_FIELDS = 50
_FRAMES = 40
_ASKED = 300
_KEY = re.compile(r"[A-Za-z_@][\w.@-]*", re.ASCII)
# What turns the text around, ends a line or is nothing to see; joiners belong to words and to signs.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_JOINERS = "\u200c\u200d"
LEADS: Final[Mapping[str, str]] = {
    "trace_id": "Its trace",
    "request_id": "Its request",
    "job_id": "Its job",
    "event_id": "Its event",
}
"""Ids by which a story is told."""
_USERS = ("user_id", "user")
_HEAD = frozenset({"ts", "level", "logger", "event"})
_QUIET = frozenset({*_HEAD, *LEADS, "span_id", "parent_id", "service", "release", "environment", "exception"})
TONES: Final[Mapping[str, str]] = {"critical": "bad", "error": "bad", "warning": "warn", "debug": "soft"}


@dataclass(frozen=True, slots=True)
class Lead:
    """A link to ``page`` of the dashboard with ``query``."""

    title: str
    page: str
    query: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a record; ``only`` and ``without`` ask for records that have the same, and for those that have not."""

    name: str
    value: str
    only: str = ""
    without: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A record: ``key`` names it on its page; ``at`` is ``None`` where it says no instant."""

    key: str
    at: datetime | None
    level: str
    tone: str
    logger: str
    event: str
    brief: Sequence[tuple[str, str]]
    fields: Sequence[Field]
    leads: Sequence[Lead]
    exception: str = ""
    left: int = 0
    """Fields that are not shown."""


def plain(text: object, most: int = CUT, *, lines: bool = False) -> str:
    """A text that does nothing but stand there: signs that nobody sees or that turn others around are told by number.

    Line breaks stay where ``lines`` says so.
    """
    given = str(text)
    cut, more = given[:most], len(given) > most
    if not (cut.isascii() and cut.isprintable()):
        cut = "".join(one if _seen(one, lines=lines) else ascii(one)[1:-1] for one in cut)
    return f"{cut}…" if more else cut


def _seen(sign: str, *, lines: bool) -> bool:
    return (lines and sign in "\n\t") or sign in _JOINERS or unicodedata.category(sign) not in _UNSEEN


def rows(records: Iterable[Mapping[str, Any]], asked: str) -> list[Row]:
    """Records as rows; ``asked`` is the query that fields are added to."""
    found: list[Row] = []
    seen: dict[str, int] = {}
    for record in records:
        row = row_of(record, asked)
        seen[row.key] = seen.get(row.key, 0) + 1
        found.append(row if seen[row.key] == 1 else _renamed(row, seen[row.key]))
    return found


def _renamed(row: Row, number: int) -> Row:
    values = {name: getattr(row, name) for name in Row.__dataclass_fields__}
    return Row(**{**values, "key": f"{row.key}-{number}"})


def row_of(record: Mapping[str, Any], asked: str | None = None) -> Row:
    """One record as a row; without a query its fields narrow none."""
    us = us_of(record.get("ts"))
    shown = list(record.items())[:_FIELDS]
    level = str(record.get("level", ""))
    return Row(
        key=_key(record),
        at=None if us is None else from_us(us),
        level=plain(level, 20) or "?",
        tone=TONES.get(level, ""),
        logger=plain(record.get("logger", ""), 120),
        event=plain(record.get("event", ""), 400),
        brief=list(_brief(record)),
        fields=[_field(name, value, asked) for name, value in shown if name != "exception"],
        leads=list(_leads(record)),
        exception=plain(raised(record.get("exception")), 8 * CUT, lines=True),
        left=len(record) - len(shown),
    )


def _key(record: Mapping[str, Any]) -> str:
    told = json.dumps(record, sort_keys=True, default=str)
    return "r" + blake2b(told.encode("utf-8", "replace"), digest_size=6).hexdigest()


def _brief(record: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    error = record.get("exception")
    if isinstance(error, Mapping):
        yield "exception", plain(error.get("type", ""), _BRIEF)
    told = [(name, value) for name, value in record.items() if name not in _QUIET and value not in (None, "")]
    for name, value in told[:_BRIEFS]:
        yield plain(name, 40), plain(written(value), _BRIEF)


def written(value: object) -> str:
    """A value as text: what is no text as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _field(name: str, value: object, asked: str | None) -> Field:
    term = term_of(name, value)
    shown = plain(written(value), lines=True)
    if not term or asked is None:
        return Field(plain(name, 80), shown)
    return Field(plain(name, 80), shown, both(asked, term), both(asked, f"-{term}"))


def term_of(name: str, value: object) -> str:
    """What asks for records whose field ``name`` is ``value``; an empty text where that cannot be asked."""
    if name == "ts" or value is None or _KEY.fullmatch(name) is None or isinstance(value, Mapping | list | tuple):
        return ""
    text = written(value)
    if len(text) > _ASKED or not text:
        return ""
    if name == "level":
        return f"level:{text}" if text in LEVELS else ""
    return f"{name}={quoted(text)}"


def quoted(text: str) -> str:
    """A text as a query says it."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def both(asked: str, term: str) -> str:
    """What asks for records that ``asked`` and ``term`` ask for."""
    if not asked.strip() or not term:
        return asked.strip() or term
    return f"({asked}) {term}" if "OR" in asked else f"{asked} {term}"


def _leads(record: Mapping[str, Any]) -> Iterator[Lead]:
    for name, title in LEADS.items():
        value = record.get(name)
        if isinstance(value, str) and value:
            yield Lead(title, "traces", {"id": value[:100]})
    event = record.get("event")
    if isinstance(event, str) and event:
        term = term_of("event", event[:_ASKED])
        yield Lead("The same event", "logs", {"q": both(term, term_of("logger", record.get("logger")))})
    for name in _USERS:
        term = term_of(name, record.get(name))
        if term:
            yield Lead("The same user", "logs", {"q": term})
            return


def raised(error: object) -> str:
    """An exception as a traceback tells it: the innermost frame last, causes first; nothing where it is none."""
    parts: list[str] = []
    while isinstance(error, Mapping) and len(parts) < 10:
        frames = error.get("frames")
        told = (
            [_frame(one) for one in frames[-_FRAMES:] if isinstance(one, Mapping)] if isinstance(frames, list) else []
        )
        parts.append("\n".join([*told, f"{error.get('type', '')}: {error.get('message', '')}"]))
        error = error.get("cause")
    return "\n\nwhich led to\n\n".join(reversed(parts)) if parts else written(error) if error else ""


def _frame(frame: Mapping[str, Any]) -> str:
    return f"{frame.get('file', '')}:{frame.get('line', '')} {frame.get('function', '')}"


def like(event: str, logger: str, level: str) -> str:
    """What asks for records of a message in which digits are told as ``#``: its longest part without any, as words."""
    runs: list[list[str]] = [[]]
    for word in event.split():
        if "#" in word:
            runs.append([])
        else:
            runs[-1].append(word)
    phrase = " ".join(max(runs, key=lambda run: len(" ".join(run))))[:_ASKED]
    terms = [term_of("level", level), term_of("logger", logger)]
    if any(one.isalnum() for one in phrase):
        terms.append(f"event:{quoted(phrase)}")
    return " ".join(one for one in terms if one)


@dataclass(frozen=True, slots=True)
class Column:
    """A span of a histogram: counts by level, and where each level's bar stands in a box of 100 by 100."""

    since: datetime
    until: datetime
    x: float
    width: float
    counts: Sequence[tuple[str, int]]
    bars: Sequence[tuple[str, float, float]] = field(default_factory=tuple)

    @property
    def total(self) -> int:
        """All levels."""
        return sum(count for _, count in self.counts)


def columns(buckets: Sequence[tuple[datetime, Mapping[str, int]]], until: datetime) -> list[Column]:
    """The columns of a histogram whose last span ends at ``until``; the gravest level stands at the bottom."""
    most = max((sum(levels.values()) for _, levels in buckets), default=0) or 1
    ends = [at for at, _ in buckets[1:]] + [until]
    width = 100 / max(1, len(buckets))
    found = []
    for place, ((since, levels), end) in enumerate(zip(buckets, ends, strict=True)):
        counts = [(level, levels[level]) for level in _GRAVE if levels.get(level)]
        bars, top = [], 100.0
        for level, count in counts:
            tall = max(2.0, 98 * count / most)
            top -= tall
            bars.append((level, max(0.0, top), tall))
        found.append(Column(since, end, place * width, width, counts, bars))
    return found


_GRAVE = ("critical", "error", "warning", "info", "debug", "other")

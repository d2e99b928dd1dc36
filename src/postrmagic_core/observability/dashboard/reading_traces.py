"""Stories of the log drawn: spans, requests, jobs and lines, each where and as long as it was."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from ..._clock import from_us
from ...log.query_time import us_of
from .reading_logs import Row, plain, quoted, row_of
from .words import NOTHING

if TYPE_CHECKING:
    from ...log.search import Branch, Story

LOGGER: Final = "postrmagic_core.observability.traces"
"""Whose records spans are."""
SLOW_MS: Final = 1000
MOST: Final = 400
"""Things of a story that are shown."""
_DEEPEST = 12
_THIN = 0.4
"""Per cent of a story's time that everything is wide at least, so that it is seen."""


@dataclass(frozen=True, slots=True)
class Trace:
    """A trace by the span that it begins with: ``seconds`` it took, ``share`` of the longest that is shown."""

    id: str
    name: str
    kind: str
    failed: bool
    at: datetime | None
    seconds: float | None
    share: float
    service: str


def query(name: str, only: str) -> str:
    """What asks for the spans that traces begin with."""
    terms = [f'logger="{LOGGER}" event=span (-parent_id:* OR kind=server OR kind=consumer)']
    if name:
        worded = any(one.isalnum() for one in name)
        terms.append(f"name{':' if worded else '='}{quoted(name)}")
    if only == "failed":
        terms.append("status=error")
    elif only == "slow":
        terms.append(f"duration_ms>={SLOW_MS}")
    return " ".join(terms)


def traces(records: Iterable[Mapping[str, Any]]) -> list[Trace]:
    """One of each trace, in the order in which they came: by its span without a parent, else by the longest."""
    chosen: dict[str, Mapping[str, Any]] = {}
    for record in records:
        trace_id = record.get("trace_id")
        if isinstance(trace_id, str) and trace_id:
            known = chosen.get(trace_id)
            if known is None or _outer(record) > _outer(known):
                chosen[trace_id] = record
    longest = max((seconds(one) or 0.0 for one in chosen.values()), default=0.0) or 1.0
    return [_trace(name, one, longest) for name, one in chosen.items()]


def _outer(record: Mapping[str, Any]) -> tuple[bool, float]:
    return not record.get("parent_id"), seconds(record) or 0.0


def _trace(trace_id: str, record: Mapping[str, Any], longest: float) -> Trace:
    us, took = us_of(record.get("ts")), seconds(record)
    began = None if us is None else from_us(max(0, us - int((took or 0.0) * 1e6)))
    return Trace(
        plain(trace_id, 64),
        plain(record.get("name", ""), 200) or NOTHING,
        plain(record.get("kind", ""), 20),
        record.get("status") == "error",
        began,
        took,
        (took or 0.0) / longest,
        plain(record.get("service", ""), 60),
    )


def seconds(record: Mapping[str, Any]) -> float | None:
    """How long it took, where it says so."""
    value = record.get("duration_ms")
    known = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e12
    return value / 1000 if known and value is not None else None


@dataclass(frozen=True, slots=True)
class Step:
    """Something in a story, ``depth`` things deep: drawn from ``left`` on, ``width`` wide, both in per cent."""

    kind: str
    name: str
    depth: int
    tone: str
    left: float
    width: float
    offset: float
    seconds: float | None
    row: Row | None
    job: str = ""


def steps(story: Story) -> tuple[list[Step], bool]:
    """The story from top to bottom, and whether that is all of it."""
    whole = max(story.seconds, 1e-6)
    found: list[Step] = []
    waiting = [(branch, 0) for branch in reversed(story.branches)]
    while waiting:
        branch, depth = waiting.pop()
        if len(found) >= MOST:
            return found, False
        found.append(_step(branch, depth, whole))
        waiting.extend((inner, depth + 1) for inner in reversed(branch.branches))
    return found, True


def _step(branch: Branch, depth: int, whole: float) -> Step:
    record = branch.record
    left = min(100 - _THIN, max(0.0, 100 * branch.offset / whole))
    width = max(_THIN, min(100 - left, 100 * (branch.seconds or 0.0) / whole))
    job = record.get("job_id")
    name = branch.name or (str(job) if branch.kind == "job" else str(record.get("request_id", "")))
    return Step(
        branch.kind,
        plain(name, 300) or NOTHING,
        min(depth, _DEEPEST),
        _tone(branch),
        left,
        width,
        branch.offset,
        branch.seconds,
        row_of(record) if "ts" in record else None,
        plain(job, 64) if branch.kind == "job" and isinstance(job, str) else "",
    )


def _tone(branch: Branch) -> str:
    if branch.record.get("status") == "error" or branch.level in ("error", "critical"):
        return "bad"
    return "warn" if branch.level == "warning" else ""


def ids(story: Story, most: int = 10) -> Sequence[tuple[str, str]]:
    """The ids that go together, by name; so many of each."""
    return [(name, value) for name, values in story.ids.items() for value in values[:most] if len(value) <= 100]

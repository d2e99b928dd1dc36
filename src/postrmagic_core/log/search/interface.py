"""What a search answers with."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, NamedTuple, TypeAlias

Record: TypeAlias = dict[str, Any]
"""One record, as its line says it."""
Buckets: TypeAlias = list[tuple[datetime, dict[str, int]]]
"""When each span of time begins, and how many records of each level are in it; a level without any is left out."""


class Page(NamedTuple):
    """Records of a search, newest first.

    ``cursor`` asks for what is older, ``None``: there is nothing. ``searched_until``: everything newer was looked at;
    a page without records says by it how far the search came within its time.
    """

    records: list[Record]
    cursor: str | None
    searched_until: datetime


class Tail(NamedTuple):
    """Records that came since a cursor, oldest first, and the cursor to go on from."""

    records: list[Record]
    cursor: str


@dataclass(frozen=True, slots=True)
class Branch:
    """Something in a story: a span, a request, a job or a line, and what happened inside it.

    ``offset``: seconds after the story began; ``seconds``: how long it took, where it says so. ``record`` is the line
    that tells of it; a request or a job of which none does has an empty one.
    """

    kind: Literal["span", "request", "job", "line"]
    name: str
    offset: float
    seconds: float | None
    level: str
    record: Record
    branches: list[Branch] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Story:
    """Everything that was logged under an id and the ids that go with it, as trees in the order in which they began.

    ``ids``: by ``trace_id``, ``request_id`` and ``job_id``, those that the records name. ``complete``: no more was
    there than was taken.
    """

    id: str
    ids: dict[str, list[str]]
    began: datetime | None
    seconds: float
    records: int
    complete: bool
    branches: list[Branch]


@dataclass(frozen=True, slots=True)
class Message:
    """An event that was logged ``count`` times, and ``before`` times in the span of the same length before."""

    event: str
    logger: str
    level: str
    count: int
    before: int


@dataclass(frozen=True, slots=True)
class Stats:
    """What was logged from ``since`` to ``until``, to the minute.

    ``levels`` and ``before``: records by level, then and in the span of the same length before. ``messages``: the most
    frequent, digits in them told as ``#``; ``new``: those that the span before had not. ``rates``: records of each of
    sixty equal parts, by level.
    """

    since: datetime
    until: datetime
    total: int
    levels: dict[str, int]
    before: dict[str, int]
    messages: list[Message]
    new: list[Message]
    rates: Buckets

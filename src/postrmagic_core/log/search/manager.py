"""The public face of the index: search, follow, tell stories, count."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from ..._clock import Clock, SystemClock, from_us, to_us
from ..query import parse
from ..query_nodes import Either, Equal, Every, Instant, Query, Within
from ..query_time import us_of
from . import counting, telling
from .interface import Buckets, Page, Record, Stats, Story, Tail
from .reader import Index, Opened, Place, Plan
from .segment import Header

BUDGET: Final = 2.0
"""Seconds after which a search stops and tells how far it came."""
LIMIT: Final = 1000
_STORY = 2000
_STORY_BUDGET = 10.0
_ROUNDS = 3
_LEADS = ("trace_id", "request_id", "job_id")
_MOST_IDS = 40


class LogIndex:
    """Looks into the index in ``directory``, from any process, also while it is written.

    Nothing is kept open between calls. A query that cannot be understood is :class:`~.query.QueryError`, a cursor that
    none of these methods gave :class:`ValueError`. Where there is no index, nothing is found. Records come in the
    order in which they were collected, which is that of time but for what several processes logged at once.
    """

    def __init__(self, directory: Path, clock: Clock | None = None, *, budget: float = BUDGET) -> None:
        self._index = Index(directory)
        self._clock = clock or SystemClock()
        self._budget = budget

    def search(self, query_text: str, *, limit: int = 50, before: str | None = None) -> Page:
        """The newest ``limit`` records (at most 1,000) that ``query_text`` asks for; ``before``: older than a cursor.

        A search that takes longer than two seconds ends with what it has, and a cursor to go on from.
        """
        plan = self._plan(query_text)
        return self._search(plan, min(max(1, limit), LIMIT), before, self._budget)

    def _search(self, plan: Plan, limit: int, before: str | None, budget: float) -> Page:
        deadline = self._clock.monotonic() + budget
        found: list[Record] = []
        looked, begun = self._clock.now_us(), False
        for opened, block, end in self._backwards(plan, None if before is None else Place.of(before)):
            if begun and self._clock.monotonic() > deadline:
                return Page(found, str(Place(opened.number, end)), from_us(looked))
            begun = True
            for number, record in opened.found(plan, block, range(end - block.id), backwards=True):
                found.append(record)
                if len(found) == limit:
                    us = us_of(record.get("ts")) or looked
                    return Page(found, str(Place(opened.number, block.id + number)), from_us(us))
            looked = block.first_us or looked
        return Page(found, None, from_us(looked if plan.since is None else plan.since))

    def tail(self, query_text: str, after: str | None = None, *, limit: int = LIMIT) -> Tail:
        """What came after the cursor ``after``, oldest first, at most ``limit`` records; without one: the end."""
        plan = self._plan(query_text)
        if after is None:
            return Tail([], str(self._index.end()))
        place = begun = Place.of(after)
        deadline = self._clock.monotonic() + self._budget
        found: list[Record] = []
        for opened in self._index.opened([one for one in self._index.numbers() if one >= begun.segment]):
            begin = begun.line if opened.number == begun.segment else 0
            place = Place(opened.number, begin)
            for block in opened.headers(backwards=False, begin=begin):
                if plan.may_hold(block):
                    numbers = range(max(0, begin - block.id), block.lines)
                    for number, record in opened.found(plan, block, numbers):
                        found.append(record)
                        if len(found) >= limit:
                            return Tail(found, str(Place(opened.number, block.id + number + 1)))
                place = Place(opened.number, block.id + block.lines)
                if self._clock.monotonic() > deadline:
                    return Tail(found, str(place))
        return Tail(found, str(place))

    def story(self, id_text: str) -> Story:
        """Everything of one trace, request, job or event: what its id names, and the ids that these records name.

        At most 2,000 records, the newest; :attr:`Story.complete` tells.
        """
        ids = {name: {id_text.lower()} for name in (*_LEADS, "event_id")}
        asked: set[str] = set()
        page = Page([], None, from_us(0))
        for _ in range(_ROUNDS):
            texts = {text for found in ids.values() for text in found}
            if texts == asked:
                break
            asked = texts
            nodes = tuple(Equal((name,), text) for name, found in ids.items() for text in sorted(found))
            page = self._search(Plan(Query(Either(nodes))), _STORY, None, _STORY_BUDGET)
            for record in page.records:
                for name in _LEADS:
                    value = record.get(name)
                    if isinstance(value, str) and value and len(ids[name]) < _MOST_IDS:
                        ids[name].add(value.lower())
        return telling.story(id_text, page.records[::-1], complete=page.cursor is None)

    def count(self, query_text: str, since: datetime, until: datetime) -> int:
        """How many records from ``since`` on and before ``until`` (aware) the query asks for: exactly."""
        buckets = self._counted(self._plan(query_text), to_us(since), to_us(until), 1)
        return sum(sum(levels.values()) for _, levels in buckets)

    def histogram(
        self, query_text: str, buckets: int = 60, since: datetime | None = None, until: datetime | None = None
    ) -> Buckets:
        """How many records of each level, in ``buckets`` equal spans (at most 1,000) of the time asked for.

        Left out, ``until`` and ``since`` are those of the query, or now, and an hour before. Counting ends after two
        seconds, the newest first.
        """
        plan = self._plan(query_text)
        end = to_us(until) if until is not None else min(plan.until or self._clock.now_us(), self._clock.now_us())
        begin = to_us(since) if since is not None else plan.since
        if begin is None:
            begin = end - 3_600_000_000
        return self._counted(plan, begin, max(end, begin + 1), min(max(1, buckets), 1000), self._budget)

    def _counted(self, plan: Plan, begin: int, end: int, buckets: int, budget: float | None = None) -> Buckets:
        narrowed = Plan(Query(Every((plan.query.node, Within(Instant(begin), Instant(end))))))
        return counting.counted(narrowed, self._backwards(narrowed, None), begin, end, buckets, self._late(budget))

    def stats(self, since: datetime | None = None, until: datetime | None = None) -> Stats:
        """What was logged from ``since`` (a day before) to ``until`` (now), and how it differs from the span before."""
        end = until or from_us(self._clock.now_us())
        return counting.stats(self._index, since or end - timedelta(days=1), end)

    def _late(self, budget: float | None) -> Callable[[], bool]:
        deadline = None if budget is None else self._clock.monotonic() + budget
        return lambda: deadline is not None and self._clock.monotonic() > deadline

    def _plan(self, query_text: str) -> Plan:
        return Plan(parse(query_text, self._clock.now_us()))

    def _backwards(self, plan: Plan, before: Place | None) -> Iterator[tuple[Opened, Header, int]]:
        """Each block that may hold what is asked for, newest first, and the line before which it counts."""
        numbers = [one for one in self._index.numbers()[::-1] if before is None or one <= before.segment]
        for opened in self._index.opened(numbers):
            end = before.line if before is not None and opened.number == before.segment else None
            candidates = opened.candidates(plan.wanted)
            for block in opened.headers(end=end) if candidates is None else opened.some(candidates, end):
                if plan.may_hold(block):
                    yield opened, block, block.id + block.lines if end is None else min(end, block.id + block.lines)

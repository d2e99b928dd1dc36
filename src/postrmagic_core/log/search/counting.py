"""Counts records: by level and time for a query, by message for everything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Final

from ..._clock import from_us, to_us
from ..query_nodes import LEVELS, rank_of
from ..query_time import us_of
from .interface import Buckets, Message, Stats
from .packing import MINUTE
from .reader import Index, Opened, Plan
from .segment import Header
from .terms import by_level_alone

_NAMES: Final = (*LEVELS, "other")
_PARTS = 60
_MESSAGES = 20


def counted(
    plan: Plan,
    blocks: Iterable[tuple[Opened, Header, int]],
    begin: int,
    end: int,
    buckets: int,
    late: Callable[[], bool],
) -> Buckets:
    """How many records of ``blocks`` match, by level, in each of so many spans from ``begin`` to ``end`` (µs).

    A block that lies in one span is not read where only level and time decide. When it is ``late``, no more are read.
    """
    found: list[Counter[str]] = [Counter() for _ in range(buckets)]
    by_level = by_level_alone(plan.query.node)

    def at(us: int) -> int:
        return (us - begin) * buckets // (end - begin)

    for opened, block, stop in blocks:
        if late():
            break
        inside = begin <= block.first_us and block.last_us < end and at(block.first_us) == at(block.last_us)
        if by_level and inside:
            for rank, count in enumerate(block.ranks):
                if count and plan.ranks >> rank & 1:
                    found[at(block.first_us)][_NAMES[rank]] += count
            continue
        for _, record in opened.found(plan, block, range(stop - block.id)):
            us = us_of(record.get("ts"))
            if us is not None:
                found[at(us)][_NAMES[rank_of(record.get("level"))]] += 1
    return [
        (from_us(begin + (end - begin) * number // buckets), {name: one[name] for name in _NAMES if one[name]})
        for number, one in enumerate(found)
    ]


def stats(index: Index, since: datetime, until: datetime) -> Stats:
    """What was logged in a span of time, and in the one of the same length before it, to the minute."""
    first, last = to_us(since) // MINUTE, max(to_us(since) // MINUTE, (to_us(until) - 1) // MINUTE)
    length = last - first + 1
    now: Counter[tuple[str, str, str]] = Counter()
    before: Counter[tuple[str, str, str]] = Counter()
    parts: list[Counter[str]] = [Counter() for _ in range(_PARTS)]
    for opened in index.opened(index.numbers()):
        for minute, level, logger, event, count in opened.counts(first - length, last):
            if minute < first:
                before[level, logger, event] += count
            else:
                now[level, logger, event] += count
                parts[(minute - first) * _PARTS // length][level] += count
    messages = [
        Message(event, logger, level, count, before[level, logger, event])
        for (level, logger, event), count in now.most_common()
    ]
    return Stats(
        since=from_us(first * MINUTE),
        until=from_us((last + 1) * MINUTE),
        total=sum(now.values()),
        levels=_levels(now),
        before=_levels(before),
        messages=messages[:_MESSAGES],
        new=[one for one in messages if not one.before][:_MESSAGES],
        rates=[
            (from_us((first * _PARTS + length * number) * MINUTE // _PARTS), dict(one))
            for number, one in enumerate(parts)
        ],
    )


def _levels(counts: Counter[tuple[str, str, str]]) -> dict[str, int]:
    found: Counter[str] = Counter()
    for (level, _, _), count in counts.items():
        found[level] += count
    order = {name: rank for rank, name in enumerate(LEVELS)}
    return {name: found[name] for name in sorted(found, key=lambda one: (order.get(one, len(order)), one))}

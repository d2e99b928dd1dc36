"""What durable listeners have still to hear, or were told in vain: within a bound, however much there is of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from ..._clock import from_us
from ...events.tables import deliveries, events

COUNTED = 10_000
"""So many deliveries are counted; where there are more, the figures are of some of them."""

d, e = deliveries.c, events.c


@dataclass(frozen=True, slots=True)
class Backlog:
    """What one listener has before it: ``waiting`` deliveries (the oldest of an event ``since``), and ``dead`` ones."""

    listener: str
    waiting: int
    dead: int
    since: datetime | None


@dataclass(frozen=True, slots=True)
class Backlogs:
    """All of them; ``capped``: there are more deliveries than were counted."""

    found: Sequence[Backlog]
    capped: bool


@dataclass(frozen=True, slots=True)
class DeadDelivery:
    """An event that a listener was given in vain."""

    event_id: str
    type: str
    listener: str
    job_id: str
    dead_at: datetime
    error: str


def backlogs(tx: Any) -> Backlogs:
    """What is left, by listener: those that are dead first, then those that have the most to hear."""
    is_dead = (d.dead_us.is_not(None)).label("is_dead")
    left = select(d.listener, is_dead, d.event_id).where(d.done_us.is_(None)).limit(COUNTED + 1).subquery()
    # The ids of events grow with time: the least is the oldest's.
    first = func.min(left.c.event_id).label("first")
    grouped = select(left.c.listener, left.c.is_dead, func.count().label("number"), first)
    rows = tx.execute(grouped.group_by(left.c.listener, left.c.is_dead)).all()
    oldest = {row.listener: row.first for row in rows if not row.is_dead}
    times = tx.execute(select(e.id, e.occurred_us).where(e.id.in_(list(oldest.values())))).all() if oldest else []
    at = {row.id: from_us(row.occurred_us) for row in times}
    counts: dict[str, list[int]] = {}
    for row in rows:
        counts.setdefault(row.listener, [0, 0])[bool(row.is_dead)] += int(row.number)
    found = [Backlog(name, waiting, dead, at.get(oldest.get(name, ""))) for name, (waiting, dead) in counts.items()]
    found.sort(key=lambda one: (-one.dead, -one.waiting, one.listener))
    return Backlogs(found, sum(waiting + dead for waiting, dead in counts.values()) > COUNTED)


def dead_ones(tx: Any, limit: int) -> list[DeadDelivery]:
    """The dead deliveries of the newest events."""
    shown = select(d.event_id, d.listener, d.job_id, d.dead_us, d.error, e.type)
    chosen = shown.select_from(deliveries.outerjoin(events, e.id == d.event_id))
    rows = chosen.where(d.done_us.is_(None), d.dead_us.is_not(None)).order_by(d.event_id.desc()).limit(limit)
    return [
        DeadDelivery(row.event_id, row.type or "", row.listener, row.job_id, from_us(row.dead_us), row.error or "")
        for row in tx.execute(rows)
    ]

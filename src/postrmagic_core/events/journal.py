"""The log of durable events and their deliveries, as SQL."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, exists, select, update

from .._clock import from_us
from .interface import Delivery, EventRecord
from .tables import deliveries, events

if TYPE_CHECKING:
    from .._protocols import UnitLike

e, d = events.c, deliveries.c


def record(tx: UnitLike, type_name: str, payload: bytes, noted: Mapping[str, object]) -> None:
    """Write an event down; ``noted`` has its id, occurred_us, correlation_id and causation_id."""
    tx.execute(events.insert().values(type=type_name, payload=payload, **noted))


def deliver(tx: UnitLike, event_id: str, listener: str, job_id: str) -> None:
    """Note that ``job_id`` delivers the event to ``listener``, for the first time or again."""
    mine = (d.event_id == event_id, d.listener == listener)
    again = tx.execute(update(deliveries).where(*mine).values(job_id=job_id, done_us=None))
    if again.rowcount == 0:
        tx.execute(deliveries.insert().values(event_id=event_id, listener=listener, job_id=job_id))


def done(tx: UnitLike, event_id: str, listener: str, job_id: str, now_us: int) -> None:
    """Note that the delivery by ``job_id`` is done; the first time counts."""
    mine = (d.event_id == event_id, d.listener == listener, d.job_id == job_id, d.done_us.is_(None))
    tx.execute(update(deliveries).where(*mine).values(done_us=now_us))


def stored(tx: UnitLike, event_id: str) -> Any:
    """The event's row (type, payload), or ``None``."""
    return tx.execute(select(e.type, e.payload).where(e.id == event_id)).first()


def chosen(tx: UnitLike, *where: Any, after: str = "", limit: int = 100) -> list[Any]:
    """Up to ``limit`` rows (id, type) that fulfil ``where``, by id, beginning after one."""
    return list(tx.execute(select(e.id, e.type).where(e.id > after, *where).order_by(e.id).limit(limit)))


def listed(tx: UnitLike, *where: Any, limit: int = 100) -> list[EventRecord]:
    """The newest events that fulfil ``where``, with their deliveries."""
    shown = select(e.id, e.type, e.occurred_us, e.correlation_id, e.causation_id)
    rows = tx.execute(shown.where(*where).order_by(e.occurred_us.desc(), e.id.desc()).limit(limit)).all()
    found: dict[str, list[Delivery]] = {row.id: [] for row in rows}
    sent = select(deliveries).where(d.event_id.in_(list(found))).order_by(d.listener)
    for row in tx.execute(sent):
        done_at = None if row.done_us is None else from_us(row.done_us)
        found[row.event_id].append(Delivery(row.listener, row.job_id, done_at))
    return [
        EventRecord(r.id, r.type, from_us(r.occurred_us), r.correlation_id, r.causation_id, tuple(found[r.id]))
        for r in rows
    ]


def forget(tx: UnitLike, before_us: int, limit: int = 1000) -> int:
    """Delete up to ``limit`` events older than ``before_us`` that every listener is done with; returns how many."""
    waits = exists().where(d.event_id == e.id, d.done_us.is_(None))
    old = [row.id for row in tx.execute(select(e.id).where(e.occurred_us < before_us, ~waits).limit(limit))]
    if old:
        tx.execute(delete(deliveries).where(d.event_id.in_(old)))
        tx.execute(delete(events).where(e.id.in_(old)))
    return len(old)

"""The log of durable events and their deliveries, as SQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import delete, exists, func, select, update

from .. import _codec
from .._clock import from_us
from .interface import Delivery, EventRecord
from .tables import deliveries, events

if TYPE_CHECKING:
    from .._protocols import UnitLike

e, d = events.c, deliveries.c

_LEFT = (d.done_us.is_(None), d.dead_us.is_(None))


class Place(NamedTuple):
    """Where a delivery stands among its listener's: in which stream, as which; and whether it is before all others."""

    stream: str | None = None
    position: int | None = None
    first: bool = True


UNORDERED = Place()
"""Of what has no stream."""


def record(tx: UnitLike, type_name: str, payload: bytes, noted: Mapping[str, object]) -> None:
    """Write an event down; ``noted`` has its id, occurred_us, correlation_id and causation_id."""
    tx.execute(events.insert().values(type=type_name, payload=payload, **noted))


def place(tx: UnitLike, listener: str, stream: str | None) -> Place:
    """The next place in the stream; its last delivery is locked, so that it does not end unseen meanwhile."""
    if stream is None:
        return UNORDERED
    mine = (d.listener == listener, d.stream == stream)
    newest = select(d.position, d.done_us, d.dead_us).where(*mine).order_by(d.position.desc()).limit(1)
    last = tx.execute(newest.with_for_update()).first()
    if last is None:
        return Place(stream, 1)
    return Place(stream, last.position + 1, last.done_us is not None or last.dead_us is not None)


def deliver(tx: UnitLike, event_id: str, listener: str, job_id: str, at: Place = UNORDERED) -> None:
    """Note that ``job_id`` delivers the event to ``listener``, for the first time or again; an empty one: it waits."""
    mine = (d.event_id == event_id, d.listener == listener)
    again = {"job_id": job_id, "done_us": None, "dead_us": None, "error": None}
    if tx.execute(update(deliveries).where(*mine).values(again)).rowcount == 0:
        told = {"event_id": event_id, "listener": listener, "stream": at.stream, "position": at.position}
        tx.execute(deliveries.insert().values(**told, job_id=job_id))


def end(tx: UnitLike, event_id: str, listener: str, job_id: str, ended: Mapping[str, object]) -> str | None:
    """Note once how the delivery by ``job_id`` ended; the id of the event whose delivery may go next, if one waits."""
    mine = (d.event_id == event_id, d.listener == listener, d.job_id == job_id, *_LEFT)
    if tx.execute(update(deliveries).where(*mine).values(ended)).rowcount == 0:
        return None
    own = select(d.stream, d.position).where(d.event_id == event_id, d.listener == listener)
    at = tx.execute(own).one()
    if at.stream is None:
        return None
    later = (d.listener == listener, d.stream == at.stream, d.position > at.position, d.job_id == "")
    following = select(d.event_id).where(*later).order_by(d.position).limit(1)
    return tx.execute(following.with_for_update()).scalar()


def stored(tx: UnitLike, event_id: str, listener: str, job_id: str) -> tuple[Any, bool]:
    """The event's row (type, payload) or ``None``; and whether this delivery of it has ended already."""
    row = tx.execute(select(e.type, e.payload).where(e.id == event_id)).first()
    mine = (d.event_id == event_id, d.listener == listener, d.job_id == job_id)
    left = tx.execute(select(d.event_id).where(*mine, *_LEFT)).first()
    return row, left is None


def fields(tx: UnitLike, event_id: str) -> Mapping[str, object] | None:
    """The fields of an event; what cannot be read raises :class:`DecodeError`."""
    payload = tx.execute(select(e.payload).where(e.id == event_id)).scalar()
    found: Mapping[str, object] | None = None if payload is None else _codec.decode(payload)[-1]
    return found


def chosen(tx: UnitLike, *where: Any, after: str = "", limit: int = 100) -> list[Any]:
    """Up to ``limit`` rows (id, type) that fulfil ``where``, by id, beginning after one."""
    return list(tx.execute(select(e.id, e.type).where(e.id > after, *where).order_by(e.id).limit(limit)))


def with_dead(listener: str | None = None) -> Any:
    """The condition that an event has a dead delivery, to ``listener`` or to any."""
    mine = () if listener is None else (d.listener == listener,)
    return exists().where(d.event_id == e.id, d.done_us.is_(None), d.dead_us.is_not(None), *mine)


def dead_of(tx: UnitLike, ids: Sequence[str]) -> set[tuple[str, str]]:
    """Event and listener of each dead delivery of these events."""
    found = select(d.event_id, d.listener).where(d.event_id.in_(ids), d.done_us.is_(None), d.dead_us.is_not(None))
    return {(row.event_id, row.listener) for row in tx.execute(found)}


def left(tx: UnitLike, after: str, limit: int) -> list[Any]:
    """Deliveries (event_id, listener, job_id) that have a job and have not ended, by event, beginning after one."""
    shown = select(d.event_id, d.listener, d.job_id).where(*_LEFT, d.job_id != "", d.event_id > after)
    return list(tx.execute(shown.order_by(d.event_id).limit(limit)))


def count_left(tx: UnitLike) -> int:
    """How many deliveries have not ended."""
    return int(tx.execute(select(func.count()).select_from(deliveries).where(*_LEFT)).scalar_one())


def listed(tx: UnitLike, *where: Any, limit: int = 100) -> list[EventRecord]:
    """The newest events that fulfil ``where``, with their deliveries."""
    shown = select(e.id, e.type, e.occurred_us, e.correlation_id, e.causation_id)
    rows = tx.execute(shown.where(*where).order_by(e.occurred_us.desc(), e.id.desc()).limit(limit)).all()
    found: dict[str, list[Delivery]] = {row.id: [] for row in rows}
    sent = select(deliveries).where(d.event_id.in_(list(found))).order_by(d.listener)
    for row in tx.execute(sent):
        done_at, dead_at = (None if us is None else from_us(us) for us in (row.done_us, row.dead_us))
        found[row.event_id].append(Delivery(row.listener, row.job_id, done_at, dead_at, row.error, row.stream))
    return [
        EventRecord(r.id, r.type, from_us(r.occurred_us), r.correlation_id, r.causation_id, tuple(found[r.id]))
        for r in rows
    ]


def chain(tx: UnitLike, event_id: str, limit: int = 1000) -> list[EventRecord]:
    """The events that have the first cause of one, the oldest first."""
    first = select(e.correlation_id).where(e.id == event_id).scalar_subquery()
    return listed(tx, e.correlation_id == first, limit=limit)[::-1]


def forget(tx: UnitLike, before_us: int, limit: int = 1000) -> int:
    """Delete up to ``limit`` events older than ``before_us`` that every listener is done with; returns how many."""
    waits = exists().where(d.event_id == e.id, d.done_us.is_(None))
    old = [row.id for row in tx.execute(select(e.id).where(e.occurred_us < before_us, ~waits).limit(limit))]
    if old:
        tx.execute(delete(deliveries).where(d.event_id.in_(old)))
        tx.execute(delete(events).where(e.id.in_(old)))
    return len(old)

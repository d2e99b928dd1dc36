"""What an operator does with rows of the outbox: list them, look at one, give dead ones another chance, delete.

Functions of a unit, for both faces: ``db.transact(undelivered.retry, topic="mail")``, or ``await db.aio.transact(…)``.
Those that change rows do so for ``limit`` of them: call again while they return it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Row, func, select, update

from .._clock import from_us, to_us
from ..errors import UsageError
from . import claims
from .interface import OutboxEntry, RowState, Staged
from .outbox import reserve
from .tables import outbox

if TYPE_CHECKING:
    from .unit import Unit

c = outbox.c
_SHOWN = (
    c.id,
    c.topic,
    c.okey,
    c.created_us,
    c.due_us,
    c.attempts,
    c.dead,
    c.error,
    func.length(c.payload).label("size"),
)


def entries(
    tx: Unit, *, topic: str | None = None, key: str | None = None, state: RowState | None = None, limit: int = 100
) -> list[OutboxEntry]:
    """Rows in the order they were staged, topics without a route included."""
    now_us = tx.now_us
    where = _of(topic) + ([] if key is None else [c.okey == key])
    if state is not None:
        where += [c.dead == 1] if state == "dead" else [c.dead == 0, (c.due_us > now_us) == (state == "delayed")]
    found = tx.execute(select(*_SHOWN).where(*where).order_by(c.id).limit(limit))
    return [_entry(row, now_us) for row in found]


def entry(tx: Unit, row_id: int) -> OutboxEntry | None:
    """One row; ``None`` if there is none: it was delivered, or never existed."""
    row = tx.execute(select(*_SHOWN).where(c.id == row_id)).first()
    return None if row is None else _entry(row, tx.now_us)


def payload(tx: Unit, row_id: int) -> bytes | None:
    """A row's bytes."""
    found = tx.scalar(select(c.payload).where(c.id == row_id))
    return None if found is None else bytes(found)


def retry(
    tx: Unit,
    *,
    ids: Sequence[int] | None = None,
    topic: str | None = None,
    everything: bool = False,
    limit: int = 500,
) -> int:
    """Let dead rows wait again, due now and with all their attempts; returns how many.

    Those of ``ids``, of a topic, or with ``everything`` all. Raises :class:`UsageError` unless it is one of these: a
    list of ids that turns out empty lets nothing wait again.

    A row with a key goes to the end of that key: those that were behind it have passed it when it died, so that its
    target sees it late.
    """
    if bool(ids) + (topic is not None) + everything != 1:
        raise UsageError("retry which rows? Give either ids=, at least one, or topic=, or everything=True")
    where = [c.dead == 1, *_of(topic), *([] if ids is None else [c.id.in_(ids)])]
    dead = tx.execute(select(c.id, c.topic, c.okey).where(*where).order_by(c.id).limit(limit)).all()
    now_us = tx.now_us
    staged = [Staged(row.topic, b"", row.okey, now_us) for row in dead]
    numbers = reserve(tx.connection, staged)
    count = 0
    for row in dead:
        values = {"dead": 0, "attempts": 0, "error": None, "due_us": now_us}
        if row.okey is not None:
            values["seq"] = numbers[row.okey]
            numbers[row.okey] += 1
        count += tx.execute(update(outbox).where(c.id == row.id, c.dead == 1).values(values)).rowcount
    return count


def count_purgeable(tx: Unit, before: datetime, *, topic: str | None = None, waiting: bool = False) -> int:
    """How many rows :func:`purge` would delete."""
    where = _staged_before(before, topic, waiting=waiting)
    return int(tx.scalar(select(func.count()).select_from(outbox).where(*where)))


def purge(tx: Unit, before: datetime, *, topic: str | None = None, waiting: bool = False, limit: int = 500) -> int:
    """Delete dead rows that were staged before an instant (with its time zone); returns how many.

    ``waiting`` deletes what was not given up as well: it will never be delivered, and a key goes on without it.
    """
    where = _staged_before(before, topic, waiting=waiting)
    found = tx.execute(select(c.id, c.okey, c.dead).where(*where).order_by(c.id).limit(limit)).all()
    keys = {row.okey for row in found if row.okey is not None and not row.dead}
    claims.lock_keys(tx.connection, keys)
    count = claims.delete(tx.connection, [row.id for row in found])
    claims.move_on(tx.connection, keys)
    return count


def _of(topic: str | None) -> list[ColumnElement[bool]]:
    return [] if topic is None else [c.topic == topic]


def _staged_before(before: datetime, topic: str | None, *, waiting: bool) -> list[ColumnElement[bool]]:
    return [c.created_us < to_us(before), *_of(topic), *([] if waiting else [c.dead == 1])]


def _entry(row: Row[Any], now_us: int) -> OutboxEntry:
    state: RowState = "dead" if row.dead else "delayed" if row.due_us > now_us else "waiting"
    # Rows staged without a delay carry 0: they are due since they were staged.
    due = from_us(max(row.due_us, row.created_us))
    return OutboxEntry(
        row.id, row.topic, row.okey, state, from_us(row.created_us), due, row.attempts, row.error, int(row.size)
    )

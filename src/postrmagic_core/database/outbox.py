"""Staged rows into the outbox, inside the unit's transaction, just before it commits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, func, insert, select
from sqlalchemy.dialects import mysql, sqlite

from .._clock import from_us
from .interface import OutboxCount, Staged
from .tables import outbox, outbox_keys


def write_staged(connection: Connection, staged: Sequence[Staged], now_us: int) -> None:
    """Insert ``staged``; rows with a key are numbered under the key's lock, which is held until the commit."""
    numbers = reserve(connection, staged)
    values: list[dict[str, Any]] = []
    for row in staged:
        number = None
        if row.key is not None:
            number = numbers[row.key]
            numbers[row.key] += 1
        values.append(
            {
                "topic": row.topic,
                "okey": row.key,
                "seq": number,
                "payload": row.payload,
                "created_us": now_us,
                "due_us": row.due_us,
                "attempts": 0,
                "dead": 0,
            }
        )
    connection.execute(insert(outbox), values)


def _by_key(staged: Sequence[Staged]) -> list[tuple[str, list[Staged]]]:
    """Rows by key, in the keys' order: two units that lock the same keys do so in the same order."""
    keys = sorted({row.key for row in staged if row.key is not None})
    return [(key, [row for row in staged if row.key == key]) for key in keys]


def reserve(connection: Connection, staged: Sequence[Staged]) -> dict[str, int]:
    """Lock the keys' rows, making those of keys without waiting rows; returns the first number of ``staged`` by key.

    All are locked before any is read: a snapshot taken in between would conflict with who moved the next key meanwhile.
    """
    keyed = _by_key(staged)
    if not keyed:
        return {}
    values = [
        {"okey": key, "last_seq": len(rows), "topic": rows[0].topic, "due_us": rows[0].due_us} for key, rows in keyed
    ]
    last = outbox_keys.c.last_seq
    if connection.dialect.name == "sqlite":
        upsert = sqlite.insert(outbox_keys).values(values)
        connection.execute(
            upsert.on_conflict_do_update(index_elements=["okey"], set_={"last_seq": last + upsert.excluded.last_seq})
        )
    else:
        insertion = mysql.insert(outbox_keys).values(values)
        connection.execute(insertion.on_duplicate_key_update(last_seq=last + insertion.inserted.last_seq))
    counts = {key: len(rows) for key, rows in keyed}
    mine = select(outbox_keys.c.okey, last).where(outbox_keys.c.okey.in_(counts))
    # Under SERIALIZABLE, as on MySQL, a read locks too: it must not pass over the keys of others.
    found = connection.execute(mine.with_hint(outbox_keys, "FORCE INDEX (PRIMARY)"))
    return {row.okey: int(row.last_seq) - counts[row.okey] + 1 for row in found}


def counted(connection: Connection) -> dict[str, OutboxCount]:
    """What waits and what is dead, by topic."""
    rows = connection.execute(
        select(outbox.c.topic, outbox.c.dead, func.count(), func.min(outbox.c.created_us)).group_by(
            outbox.c.topic, outbox.c.dead
        )
    ).all()
    counts: dict[str, OutboxCount] = {}
    for topic, is_dead, number, oldest_us in rows:
        known = counts.get(topic, OutboxCount(0, 0, None))
        if is_dead:
            counts[topic] = OutboxCount(known.waiting, int(number), known.oldest_at)
        else:
            counts[topic] = OutboxCount(int(number), known.dead, from_us(int(oldest_us)))
    return counts

"""Staged rows into the outbox, inside the unit's transaction, just before it commits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, func, insert, select
from sqlalchemy.dialects import mysql, sqlite

from .interface import OutboxCount, Staged
from .tables import outbox, outbox_keys


def write_staged(connection: Connection, staged: Sequence[Staged], now_us: int) -> None:
    """Insert ``staged``; rows with a key are numbered under the key's lock, which is held until the commit."""
    numbers = {key: _reserve(connection, rows) for key, rows in _by_key(staged)}
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


def _reserve(connection: Connection, rows: Sequence[Staged]) -> int:
    """Lock the key's row, making it if no other row of the key waits; returns the first number of this unit's."""
    first = rows[0]
    values = {"okey": first.key, "last_seq": len(rows), "topic": first.topic, "due_us": first.due_us}
    grown = {"last_seq": outbox_keys.c.last_seq + len(rows)}
    if connection.dialect.name == "sqlite":
        connection.execute(
            sqlite.insert(outbox_keys).values(values).on_conflict_do_update(index_elements=["okey"], set_=grown)
        )
    else:
        connection.execute(mysql.insert(outbox_keys).values(values).on_duplicate_key_update(grown))
    last = connection.execute(select(outbox_keys.c.last_seq).where(outbox_keys.c.okey == first.key)).scalar_one()
    return int(last) - len(rows) + 1


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
            counts[topic] = OutboxCount(known.waiting, int(number), known.oldest_us)
        else:
            counts[topic] = OutboxCount(int(number), known.dead, int(oldest_us))
    return counts

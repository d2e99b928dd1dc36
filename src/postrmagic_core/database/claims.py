"""SQL of the relay: what is ready, who has it, what becomes of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, select, update
from sqlalchemy import delete as sql_delete

from .interface import OutboxRow
from .tables import outbox, outbox_keys

_COLUMNS = (outbox.c.id, outbox.c.topic, outbox.c.okey, outbox.c.payload, outbox.c.created_us, outbox.c.attempts)


def ready_rows(connection: Connection, topics: Sequence[str], now_us: int, limit: int) -> list[int]:
    """Ids of due rows without a key, oldest first; another relay may take them first."""
    statement = (
        select(outbox.c.id)
        .where(outbox.c.okey.is_(None), outbox.c.dead == 0, outbox.c.due_us <= now_us, outbox.c.topic.in_(topics))
        .order_by(outbox.c.due_us, outbox.c.id)
        .limit(limit)
    )
    return list(connection.scalars(statement))


def ready_keys(connection: Connection, topics: Sequence[str], now_us: int, limit: int) -> list[str]:
    """Keys whose first row is due."""
    statement = (
        select(outbox_keys.c.okey)
        .where(outbox_keys.c.due_us <= now_us, outbox_keys.c.topic.in_(topics))
        .order_by(outbox_keys.c.due_us)
        .limit(limit)
    )
    return list(connection.scalars(statement))


def claim_row(connection: Connection, row_id: int, now_us: int) -> OutboxRow | None:
    """Lock a row for this transaction; ``None`` if it is gone, put off or locked by another relay."""
    wanted = select(*_COLUMNS).where(outbox.c.id == row_id, outbox.c.dead == 0, outbox.c.due_us <= now_us)
    row = connection.execute(_locking(wanted)).first()
    return None if row is None else _outbox_row(row)


def claim_key(connection: Connection, key: str, topics: Sequence[str], now_us: int) -> OutboxRow | None:
    """Lock a key for this transaction; returns its first row, ``None`` if that is not ready or the key is taken."""
    ready = select(outbox_keys.c.okey).where(
        outbox_keys.c.okey == key, outbox_keys.c.due_us <= now_us, outbox_keys.c.topic.in_(topics)
    )
    if connection.execute(_locking(ready)).first() is None:
        return None
    row = connection.execute(_first_of(key, *_COLUMNS)).first()
    return None if row is None else _outbox_row(row)


def delete(connection: Connection, row: OutboxRow) -> None:
    """Remove a delivered row; its key moves on."""
    connection.execute(sql_delete(outbox).where(outbox.c.id == row.id))
    if row.key is not None:
        _move_on(connection, row.key)


def postpone(connection: Connection, row: OutboxRow, due_us: int | None, error: str) -> None:
    """Note a failed attempt and when the next is due; ``None`` sets the row aside as dead, and its key moves on."""
    if row.key is not None:
        # The key first, as everywhere: two transactions that lock both never wait for each other.
        connection.execute(select(outbox_keys.c.okey).where(outbox_keys.c.okey == row.key).with_for_update())
    values: dict[str, Any] = {"attempts": row.attempts + 1, "error": error}
    values |= {"dead": 1, "seq": None} if due_us is None else {"due_us": due_us}
    seen = (outbox.c.id == row.id) & (outbox.c.attempts == row.attempts)
    connection.execute(update(outbox).where(seen).values(values))
    if row.key is not None:
        _move_on(connection, row.key)


def _move_on(connection: Connection, key: str) -> None:
    """Make the key's row tell of its first waiting row; without one the key is forgotten."""
    first = connection.execute(_first_of(key, outbox.c.topic, outbox.c.due_us)).first()
    mine = outbox_keys.c.okey == key
    if first is None:
        connection.execute(sql_delete(outbox_keys).where(mine))
    else:
        connection.execute(update(outbox_keys).where(mine).values(topic=first.topic, due_us=first.due_us))


def _first_of(key: str, *columns: ColumnElement[Any]) -> Select[Any]:
    return select(*columns).where(outbox.c.okey == key, outbox.c.dead == 0).order_by(outbox.c.seq).limit(1)


def _locking(statement: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
    """Pass over what another relay holds; on SQLite the transaction is the lock, and SQLAlchemy leaves this out."""
    return statement.with_for_update(skip_locked=True)


def _outbox_row(row: Row[Any]) -> OutboxRow:
    return OutboxRow(row.id, row.topic, row.okey, bytes(row.payload), row.created_us, row.attempts)

"""SQL of the relay: what is ready, who has it, what becomes of it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sqlalchemy import Column, Connection, Row, Select, Table, bindparam, func, select, text, update
from sqlalchemy import delete as sql_delete

from .interface import OutboxRow
from .tables import outbox, outbox_keys
from .written import WRITES

T = TypeVar("T", int, str)

_COLUMNS = (outbox.c.id, outbox.c.topic, outbox.c.okey, outbox.c.payload, outbox.c.created_us, outbox.c.attempts)

# Under SERIALIZABLE, as on MySQL, reads lock too: they look at the rows of their keys and pass over no others.
_IN_ORDER = "FORCE INDEX (uq_pm_outbox_order)"


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


@dataclass(frozen=True, slots=True)
class Claimed:
    """Rows that this transaction has locked, themselves or by their key, in the order of delivery.

    ``idle`` keys have no row that is ready; of ``beyond`` nothing was read, since the limit was reached before.
    """

    rows: list[OutboxRow] = field(default_factory=list)
    idle: frozenset[str] = frozenset()
    beyond: frozenset[str] = frozenset()


def claim_rows(connection: Connection, ids: Sequence[int], now_us: int) -> Claimed:
    """Lock rows without a key, in the order of ``ids``; without those gone, put off or locked by another relay."""
    wanted = select(*_COLUMNS).where(outbox.c.id.in_(ids), outbox.c.dead == 0, outbox.c.due_us <= now_us)
    rows = {row.id: _outbox_row(row) for row in connection.execute(_locking(wanted, outbox))}
    return Claimed([rows[row_id] for row_id in ids if row_id in rows])


def claim_keys(
    connection: Connection, keys: Sequence[str], topics: Collection[str], now_us: int, limit: int
) -> Claimed:
    """Lock keys, and read at most ``limit`` of their rows; without keys that are not ready or locked by another."""
    ready = select(outbox_keys.c.okey).where(
        outbox_keys.c.okey.in_(keys), outbox_keys.c.due_us <= now_us, outbox_keys.c.topic.in_(topics)
    )
    locked = frozenset(connection.scalars(_locking(ready, outbox_keys)))
    if not locked:
        return Claimed()
    # Read after the keys were locked, so that a snapshot taken now holds all of their rows.
    found = connection.execute(_waiting_of(locked).limit(limit)).all()
    rows: list[OutboxRow] = []
    ended: set[str] = set()
    for row in found:
        if row.okey not in ended and row.due_us <= now_us and row.topic in topics:
            rows.append(_outbox_row(row))
        else:
            ended.add(row.okey)
    read = locked if len(found) < limit else frozenset(row.okey for row in found)
    return Claimed(rows, read - {row.key for row in rows if row.key is not None}, locked - read)


def delete(connection: Connection, ids: Sequence[int]) -> int:
    """Remove rows, and return how many there were; their keys are moved on by :func:`move_on`."""
    return _delete_exactly(connection, outbox.c.id, ids)


def postpone(connection: Connection, row: OutboxRow, due_us: int | None, error: str) -> None:
    """Note a failed attempt and when the next is due; ``None`` sets the row aside as dead."""
    values: dict[str, Any] = {"attempts": row.attempts + 1, "error": error}
    values |= {"dead": 1, "seq": None} if due_us is None else {"due_us": due_us}
    seen = (outbox.c.id == row.id) & (outbox.c.attempts == row.attempts)
    connection.execute(update(outbox).where(seen).values(values))


def _waiting_of(keys: Collection[str]) -> Select[*tuple[Any, ...]]:
    """The waiting rows of ``keys``, each key's in its order."""
    waiting = select(*_COLUMNS, outbox.c.due_us).where(outbox.c.okey.in_(keys), outbox.c.dead == 0)
    return waiting.order_by(outbox.c.okey, outbox.c.seq).with_hint(outbox, _IN_ORDER)


def lock_keys(connection: Connection, keys: Collection[str]) -> None:
    """Wait for keys, in their order: two transactions that lock the same ones never wait for each other.

    Whoever changes rows of a key locks it first.
    """
    for key in sorted(keys):
        connection.execute(select(outbox_keys.c.okey).where(outbox_keys.c.okey == key).with_for_update())


def move_on(connection: Connection, keys: Collection[str]) -> None:
    """Make the rows of locked keys tell of their first waiting rows; keys without one are forgotten."""
    if not keys:
        return
    numbers = select(outbox.c.okey, func.min(outbox.c.seq).label("seq")).where(outbox.c.okey.in_(keys))
    least = numbers.group_by(outbox.c.okey).with_hint(outbox, _IN_ORDER).subquery()
    firsts = select(outbox.c.okey, outbox.c.topic, outbox.c.due_us).join(
        least, (outbox.c.okey == least.c.okey) & (outbox.c.seq == least.c.seq)
    )
    waiting = connection.execute(firsts).all()
    for row in waiting:
        mine = outbox_keys.c.okey == row.okey
        connection.execute(update(outbox_keys).where(mine).values(topic=row.topic, due_us=row.due_us))
    _delete_exactly(connection, outbox_keys.c.okey, sorted(set(keys) - {row.okey for row in waiting}))


def _delete_exactly(connection: Connection, column: Column[T], values: Sequence[T]) -> int:
    """Delete by primary key in one statement that locks these rows and nothing else.

    For ``id IN (…)`` a server reads a small table whole, and waits on its way for rows that others have locked, who may
    wait for ours: a deadlock. Joined in this order each row is looked up by its key.
    """
    if not values:
        return 0
    table: Table = column.table
    if connection.dialect.name == "sqlite":
        return connection.execute(sql_delete(table).where(column.in_(values))).rowcount
    names = [f"v{number}" for number in range(len(values))]
    listed = " UNION ALL ".join(f"SELECT :{name} AS v" for name in names)
    statement = text(f"DELETE t FROM ({listed}) AS d STRAIGHT_JOIN {table.name} AS t ON t.{column.name} = d.v")
    typed = [bindparam(name, type_=column.type) for name in names]
    told = statement.bindparams(*typed).execution_options(**{WRITES: frozenset({table.name})})
    return connection.execute(told, dict(zip(names, values, strict=True))).rowcount


def _locking(statement: Select[*tuple[Any, ...]], table: Table) -> Select[*tuple[Any, ...]]:
    """Pass over what another relay holds; on SQLite the transaction is the lock, and SQLAlchemy leaves this out.

    By primary key: rows are locked, and no gap into which somebody else may want to insert.
    """
    return statement.with_for_update(skip_locked=True).with_hint(table, "FORCE INDEX (PRIMARY)")


def _outbox_row(row: Row[Any]) -> OutboxRow:
    return OutboxRow(row.id, row.topic, row.okey, bytes(row.payload), row.created_us, row.attempts)

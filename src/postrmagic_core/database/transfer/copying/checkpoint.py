"""How far a transfer has come, kept in the target and written in the same transaction as the rows it tells of.

One row for the transfer itself (its ``table_name`` is empty) and one for each table. What is written is conditional on
what was read: of two processes that take themselves for the same transfer only one can go on.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeAlias, cast

from ....errors import Conflict
from ..interface import Key, Plan, TablePlan
from ..server import CHECKPOINTS
from .batches import key_from_json, key_to_json

if TYPE_CHECKING:
    from ..session import Session

# Of a table: its rows are being moved; they are all there; so are its indexes, CHECKs and foreign keys. The transfer
# itself is at "rows" until it is done.
State: TypeAlias = Literal["rows", "loaded", "done"]

_CREATE = f"""
CREATE TABLE IF NOT EXISTS {CHECKPOINTS} (
  transfer VARBINARY(32) NOT NULL,
  table_name VARBINARY(256) NOT NULL,
  last_key LONGBLOB NULL,
  moved BIGINT NOT NULL DEFAULT 0,
  state VARBINARY(16) NOT NULL,
  snapshot VARBINARY(64) NOT NULL DEFAULT '',
  PRIMARY KEY (transfer, table_name)
) ENGINE=InnoDB
"""
_SELECT = f"SELECT table_name, last_key, moved, state FROM {CHECKPOINTS} WHERE transfer = %s"  # noqa: S608 - a constant
_ADVANCE = (
    f"UPDATE {CHECKPOINTS} SET last_key = %s, moved = %s "  # noqa: S608 - a constant
    "WHERE transfer = %s AND table_name = %s AND moved = %s AND state = 'rows'"
)


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a table has come: the key of the last row that is there, and how many are."""

    table: str
    key: Key | None = None
    moved: int = 0
    state: State = "rows"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a transfer has come; ``snapshot`` names the copy of the source that its rows are from."""

    snapshot: str
    state: State
    marks: dict[str, Mark]


def transfer_id(plan: Plan) -> str:
    """The same for the same plan of the same source, whatever its findings and reasons say."""
    tables = [
        replace(table, rows=0, sql="", columns=tuple(replace(column, seen="", reason="") for column in table.columns))
        for table in plan.tables
    ]
    return hashlib.sha256(repr((plan.schema, tables)).encode()).hexdigest()[:32]


def read_progress(session: Session, plan: Plan) -> Progress | None:
    """How far this plan's transfer has come in the target; ``None`` where none has begun."""
    if not is_there(session):
        return None
    transfer = transfer_id(plan)
    head = session.rows(
        f"SELECT snapshot, state FROM {CHECKPOINTS} WHERE transfer = %s AND table_name = ''",  # noqa: S608 - a constant
        [transfer],
    )
    marks = {mark.table: mark for mark in map(_mark, session.rows(_SELECT, [transfer])) if mark.table}
    session.rollback()
    if not head:
        return None
    return Progress(head[0][0].decode(), cast("State", head[0][1].decode()), marks)


def is_there(session: Session) -> bool:
    """Whether the target has a table of checkpoints."""
    return bool(
        session.rows(
            "SELECT 1 FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = %s", [CHECKPOINTS]
        )
    )


def begin(session: Session, plan: Plan, snapshot: str) -> None:
    """Note that a transfer has begun, and from which snapshot."""
    session.execute(_CREATE)
    _insert(session, transfer_id(plan), "", snapshot)
    session.commit()


def enter(session: Session, plan: Plan, tables: list[TablePlan]) -> None:
    """Note that these tables are this transfer's; those that are so already stay as they are."""
    for table in tables:
        _insert(session, transfer_id(plan), table.target, "")
    session.execute(
        f"UPDATE {CHECKPOINTS} SET state = 'rows' WHERE transfer = %s AND table_name = ''",  # noqa: S608 - a constant
        [transfer_id(plan)],
    )
    session.commit()


def mark_of(session: Session, transfer: str, table: str) -> Mark:
    """How far a table has come; waits for a transaction of a dead process that is not rolled back yet, and commits."""
    (row,) = session.rows(_SELECT + " AND table_name = %s FOR UPDATE", [transfer, table])
    session.commit()
    return _mark(row)


def advance(session: Session, transfer: str, mark: Mark, key: Key, rows: int) -> Mark:
    """Note, in the session's transaction, that ``rows`` more up to ``key`` are there.

    Raises :class:`Conflict` where the table is further than ``mark`` says, and has its row locked from here on.
    """
    after = replace(mark, key=key, moved=mark.moved + rows)
    given = [key_to_json(key).encode(), after.moved, transfer, mark.table, mark.moved]
    if session.execute(_ADVANCE, given) != 1:
        raise Conflict("another process has moved this table on; this one was rolled back")
    return after


def settle(session: Session, transfer: str, table: str, state: State) -> None:
    """Note that a table, or the transfer if it is empty, has come to ``state``."""
    session.execute(
        f"UPDATE {CHECKPOINTS} SET state = %s WHERE transfer = %s AND table_name = %s",  # noqa: S608 - a constant
        [state, transfer, table],
    )
    session.commit()


def forget(session: Session, plan: Plan) -> None:
    """Remove what is noted of this plan's transfer, and the table with the last of them."""
    if not is_there(session):
        return
    session.execute(f"DELETE FROM {CHECKPOINTS} WHERE transfer = %s", [transfer_id(plan)])  # noqa: S608 - a constant
    session.commit()
    if not session.rows(f"SELECT 1 FROM {CHECKPOINTS} LIMIT 1"):  # noqa: S608 - a constant
        session.execute(f"DROP TABLE {CHECKPOINTS}")


def _insert(session: Session, transfer: str, table: str, snapshot: str) -> None:
    session.execute(
        f"INSERT INTO {CHECKPOINTS} (transfer, table_name, state, snapshot) VALUES (%s, %s, 'rows', %s) "  # noqa: S608 - a constant
        "ON DUPLICATE KEY UPDATE transfer = transfer",
        [transfer, table.encode(), snapshot],
    )


def _mark(row: tuple[bytes, bytes | None, int, bytes]) -> Mark:
    table, key, moved, state = row
    return Mark(
        table.decode(), None if key is None else key_from_json(key.decode()), moved, cast("State", state.decode())
    )

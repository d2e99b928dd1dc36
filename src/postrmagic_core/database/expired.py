"""Sweeping ``pm_once``: what has happened and may be forgotten, since nobody will try it again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sqlalchemy import delete, select

from .tables import once

if TYPE_CHECKING:
    from .manager import DatabaseManager
    from .unit import Unit

# Rows are swept this long (microseconds) after they expired: who has taken one may yet commit.
_GRACE_US = 3_600 * 1_000_000
_BATCH = 100


def expired(tx: Unit) -> list[str]:
    """Some rows that may go, of whatever kind."""
    old = once.c.expires_us < tx.now_us - _GRACE_US
    return list(tx.scalars(select(once.c.id).where(old).order_by(once.c.expires_us).limit(_BATCH)))


def forget(tx: Unit, rows: Sequence[str]) -> None:
    """Delete those of ``rows`` that are still expired: each by its key, in order, so that no gap is locked."""
    limit = tx.now_us - _GRACE_US
    for row in sorted(rows):
        tx.execute(delete(once).where(once.c.id == row, once.c.expires_us < limit))


def sweep(database: DatabaseManager) -> int:
    """Delete some of the rows that expired an hour ago or longer; how many were found. It only reads where none did."""
    with database.read() as tx:
        rows = expired(tx)
    if rows:
        with database.write() as tx:
            forget(tx, rows)
    return len(rows)

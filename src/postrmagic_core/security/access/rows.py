"""Who has which role: the rows of ``pm_user_roles``."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from ..._protocols import UnitLike
from ...errors import UniqueViolation
from ..tables import user_roles

_ROWS = user_roles.c


def insert(tx: UnitLike, user_id: str, role: str, now_us: int) -> bool:
    """Give the user the role; ``False`` if they had it."""
    try:
        tx.execute(user_roles.insert().values(user_id=user_id, role=role, granted_us=now_us))
    except UniqueViolation:
        return False
    return True


def delete(tx: UnitLike, user_id: str, role: str) -> bool:
    """Take the role away; ``False`` if they did not have it."""
    return bool(tx.execute(user_roles.delete().where(_ROWS.user_id == user_id, _ROWS.role == role)).rowcount)


def hold(tx: UnitLike, role: str) -> set[str]:
    """Who has the role, as it stays until the transaction ends.

    Locked, so that of two transactions, each of which leaves the other's user as the last one, the second waits and
    then sees what the first did. SQLite has one writer and needs no lock.
    """
    rows: Any = tx.execute(select(_ROWS.user_id).where(_ROWS.role == role).with_for_update())
    return {row.user_id for row in rows}


def of(tx: UnitLike, user_id: str) -> list[str]:
    """The user's roles, by name."""
    return sorted(row.role for row in tx.execute(select(_ROWS.role).where(_ROWS.user_id == user_id)))


def holders(tx: UnitLike, role: str, limit: int) -> list[str]:
    """Users who have the role, by name."""
    rows = tx.execute(select(_ROWS.user_id).where(_ROWS.role == role).order_by(_ROWS.user_id).limit(limit))
    return [row.user_id for row in rows]

"""The rows of access tokens: a token is good while its row says so, and each request asks."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, bindparam, delete, insert, or_, select, update

from ..._clock import from_us
from ..._protocols import UnitLike
from ..tables import access_tokens
from .interface import TokenInfo

c = access_tokens.c

_USED: BindParameter[int] = bindparam("used")
_BEFORE: BindParameter[int] = bindparam("before")
_TOKEN: BindParameter[str] = bindparam("token")
_ENDED = 100

# Made once: each request asks it.
_FIND = select(c.digest, c.user_id, c.permissions, c.expires_us, c.used_us, c.revoked_us).where(c.id == _TOKEN)


def find(tx: Any, token_id: str) -> Any:
    """What is needed to verify a token; one row by its primary key."""
    return tx.execute(_FIND, {"token": token_id}).first()


def good(user_id: str, now_us: int) -> list[ColumnElement[bool]]:
    """The condition under which a token is the user's and can be used."""
    return [c.user_id == user_id, c.revoked_us.is_(None), c.expires_us > now_us]


def put(tx: UnitLike, digest: bytes, user_id: str, info: TokenInfo, times: tuple[int, int]) -> None:
    """A new row; ``times`` are when it was made and when it ends."""
    created_us, expires_us = times
    row = {"id": info.id, "digest": digest, "user_id": user_id, "name": info.name, "created_us": created_us}
    limited = None if info.permissions is None else json.dumps(info.permissions).encode()
    tx.execute(insert(access_tokens).values(permissions=limited, expires_us=expires_us, **row))


def count(tx: UnitLike, user_id: str, now_us: int) -> int:
    """How many good tokens the user has, to be asked in the unit that has put another one.

    Whoever put one at the same time is waited for, as its row is locked: of two who wait for each other one is run
    again, and then counts the other's. SQLite has one writer and needs no lock.
    """
    return len(tx.execute(select(c.id).where(*good(user_id, now_us)).with_for_update()).all())


def listed(tx: Any, user_id: str, now_us: int, *, ended: bool) -> list[TokenInfo]:
    """The user's good tokens, or those that have ended (the newest hundred); the newest first."""
    mine = [c.user_id == user_id, or_(c.revoked_us.is_not(None), c.expires_us <= now_us)]
    wanted = select(access_tokens).where(*(mine if ended else good(user_id, now_us)))
    ordered = wanted.order_by(c.created_us.desc(), c.id)
    return [_info(row) for row in tx.execute(ordered.limit(_ENDED) if ended else ordered)]


def end(tx: UnitLike, user_id: str, token_id: str | None, now_us: int) -> int:
    """Revoke one of the user's good tokens, or all; how many there were."""
    which = good(user_id, now_us) if token_id is None else [c.id == token_id, *good(user_id, now_us)]
    return tx.execute(update(access_tokens).where(*which).values(revoked_us=now_us)).rowcount


def note_used(tx: UnitLike, uses: Mapping[str, int], every_us: int) -> None:
    """Write when tokens were used, each unless it was noted shortly before; in the order of their keys."""
    noted = update(access_tokens).where(c.id == _TOKEN, or_(c.used_us.is_(None), c.used_us <= _BEFORE))
    tx.execute(
        noted.values(used_us=_USED),
        [{"token": name, "used": used, "before": used - every_us} for name, used in sorted(uses.items())],
    )


def ended(tx: Any, before_us: int, limit: int) -> list[str]:
    """Tokens that ended before an instant, at most so many."""
    for condition in (c.expires_us <= before_us, c.revoked_us <= before_us):
        if found := list(tx.scalars(select(c.id).where(condition).limit(limit))):
            return found
    return []


def delete_each(tx: UnitLike, names: Sequence[str]) -> int:
    """One by one by their key: to delete a range would lock rows that are being used or issued."""
    return tx.execute(delete(access_tokens).where(c.id == _TOKEN), [{"token": name} for name in names]).rowcount


def permissions(stored: bytes | None) -> tuple[str, ...] | None:
    """What a token is limited to; :class:`ValueError` where that is not as it was written: then nothing is allowed."""
    if stored is None:
        return None
    found = json.loads(bytes(stored))
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise ValueError("expected a list of texts")
    return tuple(found)


def _info(row: Any) -> TokenInfo:
    try:
        limited = permissions(row.permissions)
    except ValueError:
        limited = ()
    used, revoked = (None if us is None else from_us(us) for us in (row.used_us, row.revoked_us))
    return TokenInfo(row.id, row.name, limited, from_us(row.created_us), from_us(row.expires_us), used, revoked)

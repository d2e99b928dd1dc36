"""The rows of one-time tokens: who deletes a token's row has redeemed it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import BindParameter, bindparam, delete, insert, select

from ..._protocols import UnitLike
from ..tables import login_tokens

c = login_tokens.c

_GONE: BindParameter[bytes] = bindparam("gone")


def replace(tx: UnitLike, digest: bytes, purpose: str, user_id: str, detail: bytes | None, expires_us: int) -> None:
    """A new token, in place of those that the user has for the purpose."""
    tx.execute(delete(login_tokens).where(c.user_id == user_id, c.purpose == purpose))
    row = {"digest": digest, "purpose": purpose, "user_id": user_id, "detail": detail, "expires_us": expires_us}
    tx.execute(insert(login_tokens).values(row))


def find(tx: Any, digests: Sequence[bytes], purpose: str, now_us: int, *, lock: bool) -> Any:
    """The row of a token that has not ended, by any of its names; with ``lock`` held until the transaction ends."""
    wanted = select(c.digest, c.user_id, c.detail)
    found = wanted.where(c.digest.in_(digests), c.purpose == purpose, c.expires_us > now_us)
    return tx.execute(found.with_for_update() if lock else found).first()


def take(tx: UnitLike, digest: bytes, now_us: int) -> bool:
    """Delete a token that has not ended; whether it was still there."""
    return tx.execute(delete(login_tokens).where(c.digest == digest, c.expires_us > now_us)).rowcount == 1


def end(tx: UnitLike, user_id: str, purpose: str | None) -> int:
    """Delete a user's tokens, of one purpose or of all; how many there were."""
    mine = delete(login_tokens).where(c.user_id == user_id)
    return tx.execute(mine if purpose is None else mine.where(c.purpose == purpose)).rowcount


def expired(tx: Any, now_us: int, limit: int) -> list[bytes]:
    """The names of tokens that have ended, at most so many."""
    return [bytes(digest) for digest in tx.scalars(select(c.digest).where(c.expires_us <= now_us).limit(limit))]


def delete_each(tx: UnitLike, digests: Sequence[bytes]) -> int:
    """One by one by their key: to delete a range would lock rows that are being redeemed or issued."""
    return tx.execute(delete(login_tokens).where(c.digest == _GONE), [{"gone": digest} for digest in digests]).rowcount

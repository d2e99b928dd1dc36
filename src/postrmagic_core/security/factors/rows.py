"""The SQL of second factors: who may change a row is decided by one statement's count of rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from sqlalchemy import ColumnElement, delete, func, insert, select, update

from ..._protocols import UnitLike
from ..tables import authenticators, recovery_codes

a, r = authenticators.c, recovery_codes.c


@dataclass(frozen=True, slots=True)
class Authenticator:
    """A row of ``pm_authenticators``, its secret sealed."""

    sealed: bytes = field(repr=False)
    created_us: int
    confirmed_us: int | None


def find(tx: UnitLike, user_id: str) -> Authenticator | None:
    """The user's row."""
    row = tx.execute(select(a.secret, a.created_us, a.confirmed_us).where(a.user_id == user_id)).first()
    return None if row is None else Authenticator(row.secret, row.created_us, row.confirmed_us)


def replace_pending(tx: UnitLike, user_id: str, sealed: bytes, now_us: int) -> None:
    """Begin an enrolment in the place of one that was not confirmed; :class:`UniqueViolation` beside a confirmed."""
    fresh = {"secret": sealed, "created_us": now_us, "last_step": 0}
    pending = update(authenticators).where(a.user_id == user_id, a.confirmed_us.is_(None)).values(fresh)
    if tx.execute(pending).rowcount == 0:
        tx.execute(insert(authenticators).values(user_id=user_id, **fresh))


def confirm(tx: UnitLike, user_id: str, seen: Authenticator, step: int, now_us: int) -> bool:
    """Make the enrolment that was seen the user's factor, its first code used; once."""
    changed = (
        update(authenticators)
        .where(a.user_id == user_id, a.confirmed_us.is_(None), a.secret == seen.sealed, unused(step))
        .values(confirmed_us=now_us, last_step=step)
    )
    return tx.execute(changed).rowcount == 1


def unused(step: int) -> ColumnElement[bool]:
    """The condition under which a step may be used: no step as late was used before."""
    return a.last_step < step


def advance(
    tx: UnitLike, user_id: str, step: int, seen: Authenticator | None = None, resealed: bytes | None = None
) -> bool:
    """Use a step, if no step as late was used before; of the enrolment that was ``seen``, and sealed anew."""
    changed = update(authenticators).where(a.user_id == user_id, a.confirmed_us.is_not(None), unused(step))
    if seen is not None:
        changed = changed.where(a.secret == seen.sealed)
    values = {"last_step": step} if resealed is None else {"last_step": step, "secret": resealed}
    return tx.execute(changed.values(values)).rowcount == 1


def hold(tx: UnitLike, user_id: str) -> bool:
    """Lock the user's confirmed factor for the unit; ``False``: there is none."""
    kept = update(authenticators).where(a.user_id == user_id, a.confirmed_us.is_not(None))
    return tx.execute(kept.values(confirmed_us=a.confirmed_us)).rowcount == 1


def remove(tx: UnitLike, user_id: str) -> bool:
    """Delete what the user has; whether a confirmed factor was among it."""
    confirmed = tx.execute(delete(authenticators).where(a.user_id == user_id, a.confirmed_us.is_not(None))).rowcount
    tx.execute(delete(authenticators).where(a.user_id == user_id))
    tx.execute(delete(recovery_codes).where(r.user_id == user_id))
    return confirmed == 1


def replace_codes(tx: UnitLike, user_id: str, digests: Iterable[bytes]) -> None:
    """These recovery codes in place of those before."""
    tx.execute(delete(recovery_codes).where(r.user_id == user_id))
    tx.execute(insert(recovery_codes).values([{"user_id": user_id, "digest": digest} for digest in digests]))


def use_code(tx: UnitLike, user_id: str, digests: Sequence[bytes]) -> bool:
    """Delete the recovery code of any of these names: whoever deletes it has used it."""
    return tx.execute(delete(recovery_codes).where(r.user_id == user_id, r.digest.in_(digests))).rowcount > 0


def count_codes(tx: UnitLike, user_id: str) -> int:
    """How many recovery codes are left."""
    left: int = tx.execute(select(func.count()).select_from(recovery_codes).where(r.user_id == user_id)).scalar_one()
    return left

"""The rows of one-time tokens, and the steps of their life; a token is redeemed by who deletes its row."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import BindParameter, bindparam, delete, select

from ..._clock import Clock
from ..._crypto import KeyRing
from ..._metrics import Metrics
from ..._protocols import UnitLike, Units
from ..._unit import in_own_unit
from ...errors import OutsideUnit, SealBroken
from ..tables import login_tokens
from . import policy
from .interface import Detail, Redeemed

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

R = TypeVar("R")

_log = logging.getLogger("postrmagic_core.security")
_BATCH = 500

_GONE: BindParameter[bytes] = bindparam("gone")

c = login_tokens.c


class Tokens:
    """One database's; each method takes the unit to work in, or ``None`` for one of its own."""

    def __init__(self, units: Units, ring: KeyRing, longest: float, clock: Clock, metrics: Metrics) -> None:
        self._units = units
        self._names = policy.Names(ring)
        self._longest = longest
        self._clock = clock
        self._metrics = metrics

    def issue(self, purpose: str, user_id: str, lifetime: float, detail: Detail, tx: UnitLike | None) -> str:
        """See :meth:`LoginTokens.issue`."""
        policy.check_purpose(purpose)
        raw = secrets.token_bytes(policy.TOKEN)
        digest = self._names.digests(purpose, raw)[0]
        row = {
            "digest": digest,
            "purpose": purpose,
            "user_id": policy.check_user(user_id),
            "detail": self._names.seal(detail, digest),
            "expires_us": self._clock.now_us() + policy.lifetime_us(lifetime, self._longest),
        }

        def put(unit: UnitLike) -> None:
            unit.execute(delete(login_tokens).where(c.user_id == user_id, c.purpose == purpose))
            unit.execute(login_tokens.insert().values(row))
            unit.after_commit(partial(self._event, "issued", purpose, user_id))

        self._in_unit(put, tx)
        return policy.write(raw)

    def peek(self, purpose: str, token: str) -> Redeemed | None:
        """See :meth:`LoginTokens.peek`."""
        with self._units.read() as unit:
            found = self._found(unit, purpose, token)
        return None if found is None else found[1]

    def redeem(self, purpose: str, token: str, tx: UnitLike | None) -> Redeemed | None:
        """See :meth:`LoginTokens.redeem`."""
        if tx is not None:
            redeemed = self._redeemed_in(tx, purpose, token)
        else:
            self.refuse_open_unit()
            redeemed = self._redeemed(purpose, token)
        if redeemed is None:
            self._event("refused", purpose, None)
        return redeemed

    def revoke(self, user_id: str, purpose: str | None, tx: UnitLike | None) -> int:
        """See :meth:`LoginTokens.revoke`."""
        mine: list[ColumnElement[bool]] = [c.user_id == policy.check_user(user_id)]
        if purpose is not None:
            mine.append(c.purpose == policy.check_purpose(purpose))

        def end(unit: UnitLike) -> int:
            ended = unit.execute(delete(login_tokens).where(*mine)).rowcount
            if ended:
                unit.after_commit(partial(self._event, "revoked", purpose or "all", user_id))
            return ended

        return self._in_unit(end, tx)

    def sweep(self) -> int:
        """See :meth:`LoginTokens.sweep`."""
        swept = 0
        while True:
            now_us = self._clock.now_us()
            with self._units.read() as unit:
                expired = list(unit.scalars(select(c.digest).where(c.expires_us <= now_us).limit(_BATCH)))
            if not expired:
                return swept
            gone = [{"gone": bytes(digest)} for digest in expired]
            swept += self._in_unit(partial(_delete_each, gone), None)

    def refuse_open_unit(self) -> None:
        """Raise :class:`OutsideUnit` where a unit is open: it was forgotten to pass it."""
        if self._units.current() is not None:
            raise OutsideUnit("a unit of this database is open here: pass tx= to do it in that unit")

    def _redeemed(self, purpose: str, token: str) -> Redeemed | None:
        # Read first, without a transaction: guesses, which find nothing, then lock nothing.
        with self._units.read() as unit:
            found = self._found(unit, purpose, token)
        if found is None:
            return None
        digest, redeemed = found
        return self._in_unit(lambda unit: self._taken(unit, purpose, digest, redeemed), None)

    def _redeemed_in(self, unit: UnitLike, purpose: str, token: str) -> Redeemed | None:
        found = self._found(unit, purpose, token, lock=True)
        return None if found is None else self._taken(unit, purpose, *found)

    def _found(self, unit: Any, purpose: str, token: str, *, lock: bool = False) -> tuple[bytes, Redeemed] | None:
        policy.check_purpose(purpose)
        raw = policy.read(token, policy.TOKEN)
        if raw is None:
            return None
        digests = self._names.digests(purpose, raw)
        wanted = select(c.digest, c.user_id, c.detail).where(
            c.digest.in_(digests), c.purpose == purpose, c.expires_us > self._clock.now_us()
        )
        row = unit.execute(wanted.with_for_update() if lock else wanted).first()
        if row is None:
            return None
        digest = bytes(row.digest)
        try:
            return digest, self._names.open(row.user_id, row.detail, digest)
        except SealBroken:
            self._event("seal_broken", purpose, row.user_id, logging.ERROR)
            return None

    def _taken(self, unit: UnitLike, purpose: str, digest: bytes, redeemed: Redeemed) -> Redeemed | None:
        live = (c.digest == digest, c.expires_us > self._clock.now_us())
        if unit.execute(delete(login_tokens).where(*live)).rowcount != 1:
            return None
        unit.after_commit(partial(self._event, "redeemed", purpose, redeemed.user_id))
        return redeemed

    def _in_unit(self, work: Callable[[UnitLike], R], tx: UnitLike | None) -> R:
        if tx is not None:
            return work(tx)
        self.refuse_open_unit()
        return in_own_unit(self._units, work)

    def _event(self, what: str, purpose: str, user_id: str | None, level: int = logging.INFO) -> None:
        self._metrics.counter(f"login_tokens_{what}_total", purpose=purpose).add()
        told = {"event": f"security.token_{what}", "purpose": purpose, "user_id": user_id}
        _log.log(level, "a one-time token: %s", what.replace("_", " "), extra=told)


def _delete_each(gone: list[dict[str, bytes]], unit: UnitLike) -> int:
    """One by one by their key: to delete a range would lock rows that are being redeemed or issued."""
    return unit.execute(delete(login_tokens).where(c.digest == _GONE), gone).rowcount

"""What users let clients do: listed, and ended at once with everything that followed from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..._protocols import UnitLike
from ..checks import check_user
from ..units import in_unit
from . import rows, texts
from .interface import GrantInfo
from .means import subject

if TYPE_CHECKING:
    from .means import Means


class Grants:
    """The rows of ``pm_oauth_grants``: while one is good, so are its tokens; nothing else has to be looked for."""

    def __init__(self, means: Means) -> None:
        self._means = means

    def of(self, user_id: str) -> list[GrantInfo]:
        """The user's good ones, the newest first."""
        check_user(user_id)
        with self._means.database.read() as unit:
            return rows.good_grants(unit, user_id, self._means.clock.now_us())

    def revoke(self, user_id: str, grant_id: str, actor: str | None, tx: UnitLike | None) -> bool:
        """End one of the user's."""
        check_user(user_id)
        if not texts.is_grant_id(grant_id):
            return False

        def end(unit: UnitLike) -> bool:
            row = rows.grant(unit, grant_id)
            return row is not None and row.user_id == user_id and self.end(unit, row, "revoked", actor or user_id)

        return in_unit(self._means.database, tx, end)

    def revoke_all(self, user_id: str, actor: str | None, tx: UnitLike | None) -> int:
        """End all of the user's, and use up what would become another one."""
        check_user(user_id)

        def end(unit: UnitLike) -> int:
            now_us = self._means.clock.now_us()
            found = [info.id for info in rows.good_grants(unit, user_id, now_us)]
            count = rows.end_grants(unit, found, "revoked", now_us)
            for digest in rows.waiting_codes(unit, user_id, now_us):
                rows.redeem(unit, digest, None, now_us)
            if count:
                detail = {"grant": "all", "count": count, "reason": "revoked"}
                self._means.record(unit, "grant_revoked", actor=actor or user_id, subject=user_id, detail=detail)
                unit.after_commit(lambda: self._count("revoked", count))
            return count

        return in_unit(self._means.database, tx, end)

    def end(self, unit: UnitLike, row: Any, reason: str, actor: str) -> bool:
        """Revoke the grant of a row, as :func:`rows.grant` finds it; whether it was good until now."""
        if not rows.end_grants(unit, [row.id], reason, self._means.clock.now_us()):
            return False
        detail = {"grant": row.id, "client": row.client_id, "reason": reason}
        whose = subject(row.user_id, row.client_id)
        self._means.record(unit, "grant_revoked", actor=actor, subject=whose, detail=detail)
        unit.after_commit(lambda: self._count(reason, 1))
        return True

    def end_oldest(self, unit: UnitLike, user_id: str, client_id: str) -> None:
        """End what a client has of one user beyond the policy's number, the oldest first.

        Not counted to the letter: of consents given at the same instant each may see the others not yet.
        """
        mine = rows.good_grants(unit, user_id, self._means.clock.now_us())
        beyond = [each.id for each in mine if each.client_id == client_id][self._means.terms.policy.max_grants :]
        for grant_id in beyond:
            self.end(unit, rows.grant(unit, grant_id), "superseded", client_id)

    def _count(self, reason: str, count: int) -> None:
        self._means.metrics.counter("oauth_grants_revoked_total", reason=reason).add(count)

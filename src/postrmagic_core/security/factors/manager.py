"""SecondFactors: the sync face."""

from __future__ import annotations

import secrets
from functools import cached_property, partial
from typing import TYPE_CHECKING

from ..._bridge import Bridge
from ..._clock import Clock, SystemClock, from_us
from ..._crypto import KeyRing
from ..._lifecycle import Lifecycle
from ..._protocols import UnitLike, Units
from ...errors import SealBroken, UniqueViolation, UsageError
from ...limits.manager import RateLimiter
from ..checks import check_user
from ..units import in_unit
from . import policy as rules
from . import qr, rows
from .guessing import Guessing
from .interface import Enrolment, FactorDecision, FactorStatus, GuessLimits
from .ledgers import DatabaseLedger
from .policy import TotpPolicy
from .telling import tell
from .totp import told

if TYPE_CHECKING:
    from .aio import AsyncSecondFactors

_SECRET, _RECOVERY = "totp-secret", "recovery-code"


class SecondFactors(Lifecycle):
    """The second factors of an application's users, in its database.

    ``issuer`` is the application's name in authenticator apps. ``limiter`` counts guesses over all processes that share
    its store; without it each process counts its own. Both it and ``database`` are borrowed: who opened them closes
    them. Every method may raise :class:`BackendError`: then nothing was accepted. With ``tx`` what is written belongs
    to that unit, and is undone with it.

    Verify the password first: :meth:`verify` says whether a user has a factor, and its delays are a user's.
    """

    def __init__(
        self,
        database: Units,
        keys: KeyRing,
        *,
        issuer: str,
        limiter: RateLimiter | None = None,
        policy: TotpPolicy = TotpPolicy(),  # noqa: B008 - frozen value object
        limits: GuessLimits = GuessLimits(),  # noqa: B008 - frozen value object
        clock: Clock | None = None,
    ) -> None:
        super().__init__()
        rules.check_label(issuer)
        self.database = database
        self.bridge = Bridge(name="postrmagic-factors")
        self._keys = keys
        self._issuer = issuer
        self._policy = policy
        self._clock = clock or SystemClock()
        self._ledger = DatabaseLedger(database)
        self._guessing = Guessing(keys, limiter, limits, self._clock)

    @cached_property
    def aio(self) -> AsyncSecondFactors:
        """The same factors for asyncio, with the same names."""
        from .aio import AsyncSecondFactors

        return AsyncSecondFactors(self)

    def enrol(self, user_id: str, account: str, *, tx: UnitLike | None = None) -> Enrolment:
        """Begin: a new secret, pending until :meth:`confirm` within an hour; it replaces one that is pending.

        ``account`` names the user in the app: an e-mail address, say. Raises :class:`UsageError` while a factor is
        enabled: it stays until :meth:`disable`.
        """
        self.ensure_open()
        check_user(user_id)
        rules.check_label(self._issuer, account)
        raw = secrets.token_bytes(self._policy.secret_bytes)
        secret = rules.base32(raw)
        uri = rules.uri(secret, account, self._issuer, self._policy)
        alt = f"QR code for {self._issuer} ({account})"
        enrolment = Enrolment(account, alt, secret, uri, qr.svg(uri, alt))
        sealed = self._keys.seal(raw, purpose=_SECRET, context=user_id.encode())
        now_us = self._clock.now_us()
        try:
            in_unit(self.database, tx, lambda unit: rows.replace_pending(unit, user_id, sealed, now_us))
        except UniqueViolation as error:
            raise UsageError(
                "the user's second factor is enabled, or another enrolment began in this moment: "
                "disable() a factor before a new one is enrolled"
            ) from error
        return enrolment

    def confirm(self, user_id: str, code: object, *, tx: UnitLike | None = None) -> list[str] | None:
        """Enable the pending factor by its first code, which is used by that, and return the recovery codes.

        Show them now: only their HMACs are kept. ``None``: not the right code, or nothing is pending.
        """
        self.ensure_open()
        check_user(user_id)
        seen, now_us = self._find(user_id, tx), self._clock.now_us()
        step = None
        if seen and seen.confirmed_us is None and now_us - seen.created_us <= rules.PENDING_US:
            step = self._step(user_id, seen, code, now_us)
        codes = None
        if seen and step is not None:
            codes = in_unit(self.database, tx, lambda unit: self._enable(unit, user_id, seen, step, now_us))
        if codes is None:
            tell("factor_refused", user_id, reason="not_confirmed")
        return codes

    def verify(self, user_id: str, code: object, *, challenge: str = "", tx: UnitLike | None = None) -> FactorDecision:
        """Whether ``code`` is the user's of now, and was not used before; it is from then on.

        ``challenge`` names this login, so that guesses in another one delay it less: the pending session's id, or any
        text that the server chose; without it only the user's guesses are counted. Each well-formed code is counted
        before it is looked at, right ones too. Raises :class:`SealBroken` where the secret does not open.
        """
        self.ensure_open()
        check_user(user_id)
        if not rules.is_code(code, self._policy):
            return _refused(user_id, FactorDecision(False, "wrong"))
        wait = self._guessing.wait(user_id, challenge)
        if wait:
            return _refused(user_id, FactorDecision(False, "delayed", wait))
        seen = self._find(user_id, tx)
        if seen is None or seen.confirmed_us is None:
            return _refused(user_id, FactorDecision(False, "not_enrolled"))
        step = self._step(user_id, seen, code, self._clock.now_us())
        if step is None:
            return _refused(user_id, FactorDecision(False, "wrong"))
        resealed = self._resealed(user_id, seen)
        return told(user_id, self._ledger.advance(user_id, step, seen=seen, resealed=resealed, tx=tx))

    def recover(self, user_id: str, code: object, *, tx: UnitLike | None = None) -> bool:
        """Whether ``code`` is one of the user's recovery codes; it is none any more.

        In any case, with or without its hyphens. No number of guesses delays it: it has 114 bits.
        """
        self.ensure_open()
        check_user(user_id)
        letters = rules.typed_recovery_code(code)

        def use(unit: UnitLike) -> bool:
            digests = self._keys.macs(_named(user_id, letters or ""), purpose=_RECOVERY)
            if used := rows.use_code(unit, user_id, digests):
                unit.after_commit(partial(tell, "recovery_code_used", user_id))
            return used

        if letters is not None and in_unit(self.database, tx, use):
            return True
        tell("factor_refused", user_id, reason="wrong_recovery_code")
        return False

    def recovery_left(self, user_id: str) -> int:
        """How many recovery codes the user has left."""
        self.ensure_open()
        check_user(user_id)
        with self.database.read() as tx:
            return rows.count_codes(tx, user_id)

    def renew_recovery(self, user_id: str, *, tx: UnitLike | None = None) -> list[str] | None:
        """New recovery codes in place of all before, to be shown now; ``None``: no factor is enabled."""
        self.ensure_open()
        check_user(user_id)

        def renew(unit: UnitLike) -> list[str] | None:
            return self._new_codes(unit, user_id) if rows.hold(unit, user_id) else None

        return in_unit(self.database, tx, renew)

    def disable(self, user_id: str, *, tx: UnitLike | None = None) -> bool:
        """Remove the factor, a pending one, and the recovery codes: none of their codes is accepted from then on.

        Whether a factor was enabled.
        """
        self.ensure_open()
        check_user(user_id)

        def remove(unit: UnitLike) -> bool:
            if removed := rows.remove(unit, user_id):
                unit.after_commit(partial(tell, "factor_disabled", user_id))
            return removed

        return in_unit(self.database, tx, remove)

    def status(self, user_id: str) -> FactorStatus:
        """How the user's factor stands."""
        self.ensure_open()
        check_user(user_id)
        with self.database.read() as tx:
            row = rows.find(tx, user_id)
            if row is None or row.confirmed_us is None:
                return FactorStatus(pending=row is not None)
            return FactorStatus(True, False, from_us(row.confirmed_us), rows.count_codes(tx, user_id))

    def _find(self, user_id: str, tx: UnitLike | None) -> rows.Authenticator | None:
        if tx is not None:
            return rows.find(tx, user_id)
        with self.database.read() as unit:
            return rows.find(unit, user_id)

    def _step(self, user_id: str, seen: rows.Authenticator, code: object, now_us: int) -> int | None:
        if not rules.is_code(code, self._policy):
            return None
        try:
            raw = self._keys.open(seen.sealed, purpose=_SECRET, context=user_id.encode())
        except SealBroken:
            tell("factor_refused", user_id, reason="seal_broken")
            raise
        return rules.matching_step(rules.base32(raw), code, rules.step_at(now_us, self._policy), self._policy)

    def _enable(
        self, unit: UnitLike, user_id: str, seen: rows.Authenticator, step: int, now_us: int
    ) -> list[str] | None:
        if not rows.confirm(unit, user_id, seen, step, now_us):
            return None
        unit.after_commit(partial(tell, "factor_enabled", user_id))
        return self._new_codes(unit, user_id)

    def _new_codes(self, unit: UnitLike, user_id: str) -> list[str]:
        codes: dict[bytes, str] = {}
        while len(codes) < rules.RECOVERY_CODES:
            code = rules.recovery_code(secrets.choice)
            codes[self._keys.mac(_named(user_id, code.replace("-", "")), purpose=_RECOVERY)] = code
        rows.replace_codes(unit, user_id, codes)
        return list(codes.values())

    def _resealed(self, user_id: str, seen: rows.Authenticator) -> bytes | None:
        if self._keys.is_current(seen.sealed):
            return None
        context = user_id.encode()
        raw = self._keys.open(seen.sealed, purpose=_SECRET, context=context)
        return self._keys.seal(raw, purpose=_SECRET, context=context)

    def _open(self) -> None:
        self._guessing.open()

    def _close(self) -> None:
        self._guessing.close()
        self.bridge.close()


def _named(user_id: str, letters: str) -> bytes:
    return f"{user_id}\0{letters}".encode()


def _refused(user_id: str, decision: FactorDecision) -> FactorDecision:
    tell("factor_refused", user_id, reason=decision.reason)
    return decision

"""LoginThrottle and LoginTokens: the sync faces."""

from __future__ import annotations

import logging
import secrets
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Final

from ..._bridge import Bridge
from ..._clock import Clock, SystemClock
from ..._crypto import KeyRing
from ..._lifecycle import Lifecycle
from ..._metrics import Metrics
from ..._protocols import UnitLike, Units
from ..._steps import drive
from ..._unit import in_own_unit
from ...errors import ConfigurationError, SealBroken
from ...limits import RateLimiter
from ...limits.interface import Unavailable
from ..checks import check_user, lifetime_us
from ..units import in_unit, refuse_open_unit
from . import policy, rows
from .interface import Admission, Detail, Redeemed, ThrottleLimits
from .throttling import Address, Terms, Throttling

if TYPE_CHECKING:
    from .aio import AsyncLoginThrottle, AsyncLoginTokens

_log = logging.getLogger("postrmagic_core.security")

_BATCH: Final = 500


class LoginThrottle:
    """Slows guessing down: exactly, over all processes that share the limiter's store, and without locking out.

    ``limiter`` is borrowed; its namespace holds all that is stored. Who has logged in to the account from their network
    within ``device_lifetime`` seconds, or shows the token that :meth:`remember` gave their device, is judged by a
    bucket of their own, which no attempt of others takes from. Accounts stand in keys and logs as HMACs of ``keys``.
    While the store is away, ``unavailable`` holds: ``"closed"`` admits nobody, ``"local"`` limits in each process; a
    login is never open.

    Counts ``logins_throttled_total`` (by ``judged``), ``logins_failed_total``, ``logins_succeeded_total`` and
    ``logins_unremembered_total``.
    """

    def __init__(
        self,
        limiter: RateLimiter,
        keys: KeyRing,
        *,
        limits: ThrottleLimits = ThrottleLimits(),  # noqa: B008 - frozen value object
        unavailable: Unavailable = "closed",
        device_lifetime: float = 90 * 86_400.0,
        clock: Clock | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        if unavailable not in {"closed", "local"}:
            raise ConfigurationError(
                f"expected unavailable='closed' or 'local', as a login is never open, got {unavailable!r}"
            )
        policy.check_limits(limits)
        self.limiter = limiter
        terms = Terms(limits, unavailable, device_lifetime)
        self.throttling = Throttling(limiter, keys, terms, clock or SystemClock(), metrics or Metrics())

    @cached_property
    def aio(self) -> AsyncLoginThrottle:
        """The same throttle for asyncio, with the same names."""
        from .aio import AsyncLoginThrottle

        return AsyncLoginThrottle(self)

    def admit(self, account: str, address: Address, *, device: str | None = None) -> Admission:
        """Whether the attempt may be made, asked before the password is verified: it is counted here, in any case.

        ``account`` is the name as typed, whether there is such an account or not; ``address`` the client's, as found
        behind trusted proxies; ``device`` the cookie with what :meth:`remember` gave.
        """
        return drive(self.throttling.admit(account, address, device), self.limiter)

    def failed(self, account: str, address: Address) -> None:
        """The attempt was wrong: told to the log, as :meth:`admit` has counted it."""
        self.throttling.failed(account, address)

    def succeeded(self, account: str, address: Address, *, device: str | None = None) -> None:
        """The login is complete, second factor included: its network is known from now on, and its own bucket full.

        With the store away nothing is remembered, and nothing raised: the login counts.
        """
        drive(self.throttling.succeeded(account, address, device), self.limiter)

    def remember(self, account: str) -> str:
        """A token for a cookie of the device that has just logged in (75 characters); it proves no more than that."""
        return self.throttling.remember(account)


class LoginTokens(Lifecycle):
    """One-time tokens on ``pm_login_tokens``: for a reset of the password, an e-mail address to be confirmed.

    The table holds their HMACs; ``detail`` is sealed, and opens beside its own token alone. A new key goes to the front
    of ``keys``: what older ones named is redeemed as long as they are there. ``max_lifetime``: seconds that a token may
    live, whatever is asked for (a day; never more than 30).

    Counts ``login_tokens_issued_total``, ``…_redeemed_total``, ``…_refused_total``, ``…_revoked_total`` and
    ``…_seal_broken_total``, by ``purpose``.
    """

    def __init__(
        self,
        database: Units,
        keys: KeyRing,
        *,
        max_lifetime: float = 86_400.0,
        clock: Clock | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        super().__init__()
        if not 0 < max_lifetime <= policy.MAX_LIFETIME:
            raise ConfigurationError(
                f"expected max_lifetime of more than 0 and at most {policy.MAX_LIFETIME:g} seconds, got {max_lifetime}"
            )
        self.database = database
        self.bridge = Bridge(name="postrmagic-login-tokens")
        self._names = policy.Names(keys)
        self._max_lifetime = max_lifetime
        self._clock = clock or SystemClock()
        self._metrics = metrics or Metrics()

    @cached_property
    def aio(self) -> AsyncLoginTokens:
        """The same tokens for asyncio, with the same names."""
        from .aio import AsyncLoginTokens

        return AsyncLoginTokens(self)

    def issue(
        self, user_id: str, *, purpose: str, lifetime: float, detail: Detail = None, tx: UnitLike | None = None
    ) -> str:
        """A token of 256 random bits (43 characters of base64url) for ``lifetime`` seconds.

        It ends those that the user has for the purpose; with ``tx``, if and when that unit commits. ``purpose`` is at
        most 32 of ``a-z 0-9 _ . -``. Raises :class:`ValueError` for a lifetime above ``max_lifetime``.
        """
        self.ensure_open()
        policy.check_purpose(purpose)
        check_user(user_id)
        raw = secrets.token_bytes(policy.TOKEN)
        digest = self._names.digests(purpose, raw)[0]
        sealed = self._names.seal(detail, digest)
        expires_us = self._clock.now_us() + lifetime_us(lifetime, self._max_lifetime)

        def put(unit: UnitLike) -> None:
            rows.replace(unit, digest, purpose, user_id, sealed, expires_us)
            unit.after_commit(partial(self._tell, "issued", purpose, user_id))

        in_unit(self.database, tx, put)
        return policy.write(raw)

    def peek(self, token: str, *, purpose: str) -> Redeemed | None:
        """What :meth:`redeem` would return now; the token remains good."""
        self.ensure_open()
        with self.database.read() as unit:
            found = self._found(unit, purpose, token)
        return None if found is None else found[1]

    def redeem(self, token: str, *, purpose: str, tx: UnitLike | None = None) -> Redeemed | None:
        """Whose it is, once: of any number of callers at once one gets it.

        ``None`` alike for a token that is malformed, unknown, used, expired, ended by a newer one or of another
        purpose. With ``tx`` it is used if and when that unit commits.
        """
        self.ensure_open()
        redeemed = self._redeemed(purpose, token) if tx is None else self._redeemed_in(tx, purpose, token)
        if redeemed is None:
            self._tell("refused", purpose, None)
        return redeemed

    def revoke(self, user_id: str, *, purpose: str | None = None, tx: UnitLike | None = None) -> int:
        """End a user's tokens, of one purpose or of all; returns how many there were."""
        self.ensure_open()
        check_user(user_id)
        if purpose is not None:
            policy.check_purpose(purpose)

        def end(unit: UnitLike) -> int:
            ended = rows.end(unit, user_id, purpose)
            if ended:
                unit.after_commit(partial(self._tell, "revoked", purpose or "all", user_id))
            return ended

        return in_unit(self.database, tx, end)

    def sweep(self) -> int:
        """Delete expired tokens, 500 at a time; returns how many."""
        self.ensure_open()
        swept = 0
        while True:
            with self.database.read() as unit:
                digests = rows.expired(unit, self._clock.now_us(), _BATCH)
            if not digests:
                return swept
            swept += in_own_unit(self.database, partial(rows.delete_each, digests=digests))

    def _redeemed(self, purpose: str, token: str) -> Redeemed | None:
        refuse_open_unit(self.database)
        # Read first, without a transaction: guesses, which find nothing, then lock nothing.
        with self.database.read() as unit:
            found = self._found(unit, purpose, token)
        if found is None:
            return None
        digest, redeemed = found
        return in_unit(self.database, None, lambda unit: self._taken(unit, purpose, digest, redeemed))

    def _redeemed_in(self, unit: UnitLike, purpose: str, token: str) -> Redeemed | None:
        found = self._found(unit, purpose, token, lock=True)
        return None if found is None else self._taken(unit, purpose, *found)

    def _found(self, unit: Any, purpose: str, token: str, *, lock: bool = False) -> tuple[bytes, Redeemed] | None:
        policy.check_purpose(purpose)
        raw = policy.read(token, policy.TOKEN)
        if raw is None:
            return None
        row = rows.find(unit, self._names.digests(purpose, raw), purpose, self._clock.now_us(), lock=lock)
        if row is None:
            return None
        digest = bytes(row.digest)
        try:
            return digest, self._names.open(row.user_id, row.detail, digest)
        except SealBroken:
            self._tell("seal_broken", purpose, row.user_id, logging.ERROR)
            return None

    def _taken(self, unit: UnitLike, purpose: str, digest: bytes, redeemed: Redeemed) -> Redeemed | None:
        if not rows.take(unit, digest, self._clock.now_us()):
            return None
        unit.after_commit(partial(self._tell, "redeemed", purpose, redeemed.user_id))
        return redeemed

    def _tell(self, what: str, purpose: str, user_id: str | None, level: int = logging.INFO) -> None:
        self._metrics.counter(f"login_tokens_{what}_total", purpose=purpose).add()
        told = {"event": f"security.token_{what}", "purpose": purpose, "user_id": user_id}
        _log.log(level, "one-time token %s", what.replace("_", " "), extra=told)

    def _open(self) -> None:
        pass

    def _close(self) -> None:
        self.bridge.close()

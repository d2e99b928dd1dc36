"""AccessTokens: the sync face."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterable, Mapping
from functools import cached_property, partial
from typing import TYPE_CHECKING, Final

from ..._bridge import Bridge
from ..._clock import Clock, SystemClock, from_us
from ..._lifecycle import Lifecycle
from ..._metrics import Metrics
from ..._protocols import UnitLike, Units
from ..._unit import in_own_unit
from ...errors import TooManyTokens
from ..checks import check_user, lifetime_us
from ..units import in_unit
from . import policy as rules
from . import rows
from .interface import IssuedToken, TokenInfo, TokenPolicy, VerifiedToken
from .uses import Uses

if TYPE_CHECKING:
    from ..access import Access
    from .aio import AsyncAccessTokens

_log = logging.getLogger("postrmagic_core.security")

NOTED_EVERY_US: Final = 60 * 1_000_000
_BATCH = 500


class AccessTokens(Lifecycle):
    """The access tokens of an application's users, on ``pm_access_tokens``, which holds their SHA-256 alone.

    ``database`` and ``access``, whose roles tell what permissions there are and whose audit log is written, are
    borrowed. Each :meth:`verify` asks the database, so that a revoked token is refused from the next request on, in
    every process; while it is away :class:`BackendError` is raised: who cannot be asked is not nobody.

    Counts ``access_tokens_issued_total``, ``…_verified_total``, ``…_refused_total`` (by ``reason``),
    ``…_revoked_total`` and ``…_unnoted_total``, the uses that could not be written.
    """

    def __init__(
        self,
        database: Units,
        access: Access,
        *,
        policy: TokenPolicy = TokenPolicy(),  # noqa: B008 - frozen value object
        clock: Clock | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        super().__init__()
        self.bridge = Bridge(name="postrmagic-access-tokens")
        self.database = database
        self._access = access
        self._policy = policy
        self._clock = clock or SystemClock()
        self._metrics = metrics or Metrics()
        self._verified = self._metrics.counter("access_tokens_verified_total")
        self._uses = Uses(self._write_uses)

    @cached_property
    def aio(self) -> AsyncAccessTokens:
        """The same tokens for asyncio, with the same names."""
        from .aio import AsyncAccessTokens

        return AsyncAccessTokens(self)

    def issue(
        self,
        user_id: str,
        name: str,
        *,
        permissions: Iterable[str] | None = None,
        lifetime: float | None = None,
        actor: str | None = None,
        tx: UnitLike | None = None,
    ) -> IssuedToken:
        """A token of 256 random bits for ``lifetime`` seconds, or as the policy says; with ``tx``, if that commits.

        ``permissions`` are grants as roles have them (``media:read``, ``media:*``, ``media:edit:own``); with none,
        ``[]``, it may nothing, without them all that its owner may. ``actor`` did it, if not the user, as the audit log
        tells. :class:`ValueError` for a name, permission or lifetime that cannot be, :class:`TooManyTokens` at the
        limit.
        """
        self._check_user(user_id)
        span_us = lifetime_us(self._policy.lifetime if lifetime is None else lifetime, self._policy.max_lifetime)
        limited = rules.check_permissions(permissions, self._access.roles)
        text = rules.token(secrets.choice)
        given = rules.taken_apart(text)
        now_us = self._clock.now_us()
        times = (now_us, now_us + span_us)
        info = TokenInfo(given.id, rules.check_name(name), limited, *map(from_us, times))

        def put(unit: UnitLike) -> None:
            rows.put(unit, given.digest, user_id, info, times)
            if rows.count(unit, user_id, now_us) > self._policy.max_per_user:
                rows.delete_each(unit, [info.id])  # the caller of a unit may go on in it
                raise TooManyTokens(f"the user has {self._policy.max_per_user} tokens: revoke one of them first")
            detail = {
                "token": info.id,
                "name": info.name,
                "permissions": limited,
                "expires": info.expires_at.isoformat(),
            }
            self._note(unit, "issued", user_id, actor, detail)

        in_unit(self.database, tx, put)
        return IssuedToken(text, info)

    def verify(self, token: object) -> VerifiedToken | None:
        """Whose token it is and what it is limited to; one read, which locks nothing.

        ``None`` alike for a text that is malformed, unknown, revoked or expired, and for what is no text. That it was
        used is written later, once a minute at most and by a thread of its own; if that fails, nothing else does.
        """
        self.ensure_open()
        found = self._judged(token)
        if isinstance(found, rules.Refusal):
            self._refused(found)
            return None
        self._verified.add()
        return found

    def tokens_of(self, user_id: str, *, ended: bool = False) -> list[TokenInfo]:
        """The user's tokens that are good, the newest first; with ``ended`` those that are not, as long as kept."""
        self._check_user(user_id)
        with self.database.read() as unit:
            return rows.listed(unit, user_id, self._clock.now_us(), ended=ended)

    def revoke(self, user_id: str, token_id: str, *, actor: str | None = None, tx: UnitLike | None = None) -> bool:
        """End one of the user's tokens; ``False`` if there is none such that is good."""
        self._check_user(user_id)
        if not rules.is_id(token_id):
            return False
        return in_unit(self.database, tx, partial(self._end, user_id, token_id, actor)) > 0

    def revoke_all(self, user_id: str, *, actor: str | None = None, tx: UnitLike | None = None) -> int:
        """End all of the user's tokens; returns how many there were."""
        self._check_user(user_id)
        return in_unit(self.database, tx, partial(self._end, user_id, None, actor))

    def flush(self) -> None:
        """Write all uses that were noted so far, now."""
        self._uses.flush()

    def sweep(self) -> int:
        """Delete tokens that ended longer ago than the policy keeps them, 500 at a time; returns how many."""
        self.ensure_open()
        before_us, swept = self._clock.now_us() - round(self._policy.keep * 1_000_000), 0
        while True:
            with self.database.read() as unit:
                names = rows.ended(unit, before_us, _BATCH)
            if not names:
                return swept
            swept += in_own_unit(self.database, partial(rows.delete_each, names=names))

    def _judged(self, token: object) -> VerifiedToken | rules.Refusal:
        given = rules.read(token)
        if given is None:
            return rules.Refusal("malformed")
        with self.database.read() as unit:
            row = rows.find(unit, given.id)
        if row is None:
            return rules.Refusal("unknown")
        now_us = self._clock.now_us()
        why = rules.refusal(bytes(row.digest), given.digest, row.revoked_us, row.expires_us, now_us)
        if why is not None:
            return rules.Refusal(why, given.id, row.user_id)
        try:
            limited = rows.permissions(row.permissions)
        except ValueError:
            return rules.Refusal("unreadable", given.id, row.user_id)
        if row.used_us is None or now_us - row.used_us >= NOTED_EVERY_US:
            self._uses.note(given.id, now_us)
        scopes = None if limited is None else frozenset(limited)
        return VerifiedToken(given.id, row.user_id, scopes, from_us(row.expires_us))

    def _end(self, user_id: str, token_id: str | None, actor: str | None, unit: UnitLike) -> int:
        ended = rows.end(unit, user_id, token_id, self._clock.now_us())
        if ended:
            self._note(unit, "revoked", user_id, actor, {"token": token_id or "all", "count": ended})
        return ended

    def _note(self, unit: UnitLike, what: str, user_id: str, actor: str | None, detail: Mapping[str, object]) -> None:
        """Into the audit log, in the transaction; once that has committed, into the log and the counters."""
        action, actor = f"access_token.{what}", user_id if actor is None else actor
        self._access.audit.record(action, actor=actor, subject=user_id, detail=detail, tx=unit)
        told = {"event": f"security.{action}", "user_id": user_id, "actor": actor, "access_id": detail["token"]}
        unit.after_commit(self._metrics.counter(f"access_tokens_{what}_total").add)
        unit.after_commit(partial(_log.info, "an access token was %s", what, extra=told))

    def _refused(self, refusal: rules.Refusal) -> None:
        self._metrics.counter("access_tokens_refused_total", reason=refusal.reason).add()
        # Of what names no token nothing is logged but in the access log: anybody can send as much of it as they like.
        if refusal.id is not None:
            level = logging.ERROR if refusal.reason == "unreadable" else logging.WARNING
            told = {"event": "security.access_token.refused", "user_id": refusal.user_id, "access_id": refusal.id}
            _log.log(level, "an access token was refused: %s", refusal.reason, extra=told | {"reason": refusal.reason})

    def _write_uses(self, uses: Mapping[str, int]) -> None:
        try:
            # Once: a use that could not be written is noted again when the token is used again.
            with self.database.write() as unit:
                rows.note_used(unit, uses, NOTED_EVERY_US)
        except Exception as error:
            self._metrics.counter("access_tokens_unnoted_total").add(len(uses))
            kind = type(error).__qualname__
            told = {"event": "security.access_token.unnoted", "error": kind}
            _log.warning("the last use of access tokens could not be written: %s", kind, extra=told)

    def _check_user(self, user_id: object) -> None:
        self.ensure_open()
        check_user(user_id)

    def _open(self) -> None:
        self._uses.open()

    def _close(self) -> None:
        self._uses.close()
        self.bridge.close()

"""Security: what accounts need, made for one application from its database, its keys and its limiter."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from .._clock import Clock
from .._crypto import KeyRing
from .._lifecycle import Lifecycle
from .._metrics import Metrics
from ..errors import ConfigurationError, UsageError

if TYPE_CHECKING:
    from ..database import DatabaseManager
    from ..limits import RateLimiter
    from .access import Access, AuditLog, Roles
    from .access_tokens import AccessTokens
    from .factors import SecondFactors
    from .logins import LoginThrottle, LoginTokens
    from .oauth import AuthorizationServer, Scopes
    from .passwords import Passwords
    from .terms import SecurityTerms

P = TypeVar("P", bound=Lifecycle)

_SWEEP_EVERY = 3600.0


class Security(Lifecycle):
    """What accounts need, each made when asked for.

    Passwords, throttled logins, one-time tokens, second factors, roles, access tokens, the authorization server and the
    audit log. ``database``, ``limiter`` and ``keys`` are borrowed. Used once it is open, as the Stack opens it.
    """

    def __init__(
        self,
        database: DatabaseManager,
        limiter: RateLimiter,
        keys: KeyRing,
        *,
        terms: SecurityTerms,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        super().__init__()
        self._database = database
        self._limiter = limiter
        self._keys = keys
        self._terms = terms
        self._clock = clock
        self._metrics = metrics
        self._roles: Roles | None = None
        self._scopes: Scopes | None = None
        self._making = threading.RLock()
        self._swept: float | None = None
        self._parts: dict[str, Lifecycle] = {}

    def use_roles(self, roles: Roles) -> None:
        """Decide by these roles; to be called before :attr:`access` is first used. Without, there are none."""
        if "access" in self._parts:
            raise UsageError("use_roles() comes too late: call it before the first use of security.access")
        self._roles = roles

    def use_scopes(self, scopes: Scopes) -> None:
        """Let clients ask for these; to be called before :attr:`oauth` is first used."""
        if "oauth" in self._parts:
            raise UsageError("use_scopes() comes too late: call it before the first use of security.oauth")
        self._scopes = scopes

    @property
    def passwords(self) -> Passwords:
        """Hashing and verifying, and the rules for new ones; needs the extra ``security``."""

        def make() -> Passwords:
            from .passwords import Passwords

            return Passwords(metrics=self._metrics)

        return self._part("passwords", make)

    @cached_property
    def throttle(self) -> LoginThrottle:
        """Guessing slowed down without locking anybody out."""
        from .logins import LoginThrottle

        return LoginThrottle(self._limiter, self._keys, clock=self._clock, metrics=self._metrics)

    @property
    def login_tokens(self) -> LoginTokens:
        """Tokens that are good for one use: to reset a password, to prove an address."""

        def make() -> LoginTokens:
            from .logins import LoginTokens

            return LoginTokens(self._database, self._keys, clock=self._clock, metrics=self._metrics)

        return self._part("login_tokens", make)

    @property
    def factors(self) -> SecondFactors:
        """Time-based one-time passwords and recovery codes; needs the extra ``security``."""

        def make() -> SecondFactors:
            from .factors import SecondFactors

            return SecondFactors(
                self._database, self._keys, issuer=self._terms.issuer, limiter=self._limiter, clock=self._clock
            )

        return self._part("factors", make)

    @property
    def audit(self) -> AuditLog:
        """What was refused, and who changed what others may do."""

        def make() -> AuditLog:
            from .access import AuditLog

            return AuditLog(self._database, clock=self._clock, metrics=self._metrics)

        return self._part("audit", make)

    @property
    def access(self) -> Access:
        """Who may do what, and who has which role."""

        def make() -> Access:
            from .access import Access, Roles

            roles = self._roles if self._roles is not None else Roles([])
            return Access(
                roles,
                self._database,
                audit=self.audit,
                max_age=self._terms.role_max_age,
                strict=self._terms.strict,
                clock=self._clock,
                metrics=self._metrics,
            )

        return self._part("access", make)

    @property
    def access_tokens(self) -> AccessTokens:
        """Tokens with which users' scripts use the API."""

        def make() -> AccessTokens:
            from .access_tokens import AccessTokens

            return AccessTokens(self._database, self.access, clock=self._clock, metrics=self._metrics)

        return self._part("access_tokens", make)

    @property
    def has_oauth(self) -> bool:
        """Whether settings and scopes make an authorization server of the application."""
        return self._terms.oauth is not None and self._scopes is not None

    @property
    def oauth(self) -> AuthorizationServer:
        """The authorization server, with which users let other programs use the API; needs the extra ``security``.

        :class:`ConfigurationError` without ``oauth.issuer`` in the settings, or without :meth:`use_scopes`.
        """

        def make() -> AuthorizationServer:
            from .oauth import AuthorizationServer

            if self._terms.oauth is None:
                raise ConfigurationError("no authorization server: set POSTRMAGIC_OAUTH__ISSUER to its URL")
            if self._scopes is None:
                raise ConfigurationError("no authorization server: call security.use_scopes(Scopes([…])) first")
            return AuthorizationServer(
                self._database,
                self.access,
                self._keys,
                terms=self._terms.oauth,
                scopes=self._scopes,
                clock=self._clock,
                metrics=self._metrics,
            )

        return self._part("oauth", make)

    def sweep(self) -> None:
        """Delete tokens that have ended, once an hour at most: each worker calls it every few seconds."""
        now = self._clock.monotonic()
        if self._swept is None or now - self._swept >= _SWEEP_EVERY:
            self._swept = now
            self.login_tokens.sweep()
            self.access_tokens.sweep()
            if self.has_oauth:
                self.oauth.sweep()

    def _part(self, name: str, make: Callable[[], P]) -> P:
        found = self._parts.get(name)
        if found is None:
            with self._making:
                found = self._parts.get(name)
                if found is None:
                    found = make()
                    if self.is_open:
                        found.open()
                    self._parts[name] = found
        return found  # type: ignore[return-value]  # of the type that make() gives

    def _open(self) -> None:
        for part in self._parts.values():
            part.open()

    def _close(self) -> None:
        for part in reversed(self._parts.values()):
            part.close()

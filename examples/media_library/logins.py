"""Logging in: the password first, then, where the account has one, the second factor. The first step gives no rights.

Between the two the session knows whose code is awaited, and still belongs to nobody.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Any

from postrmagic_core._clock import Clock
from postrmagic_core.database import DatabaseManager, Unit
from postrmagic_core.errors import PostrMagicError, ValidationFailed
from postrmagic_core.security import Security

from .accounts import Accounts, User

# Seconds in which the second step must follow.
PENDING = 300.0
_PENDING, _PASSWORD = "login", "password_us"  # in the session


class LoginRefused(PostrMagicError):
    """The name or the password is wrong: which of them is not told."""

    code = "login.refused"


class CodeRefused(PostrMagicError):
    """The code is wrong, was used, or there is nothing that it could belong to: which of them is not told."""

    code = "login.code_refused"


class StartAgain(PostrMagicError):
    """No password was verified in this session, or too long ago."""

    code = "login.start_again"


class Throttled(PostrMagicError):
    """Too many attempts: ``retry_after`` says for how many seconds."""

    code = "login.throttled"

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a request came from: its client's address, and the token its device was given at an earlier login."""

    address: str | None
    device: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Pending:
    """A login whose code is awaited until ``until_us``; ``challenge`` counts its guesses."""

    user_id: int
    password_us: int
    until_us: int
    challenge: str = field(repr=False)


class Logins:
    """The steps of a login."""

    def __init__(self, accounts: Accounts, database: DatabaseManager, security: Security, clock: Clock) -> None:
        self._accounts = accounts
        self._database = database
        self._security = security
        self._clock = clock

    def password(self, name: str, password: str, origin: Origin) -> tuple[User, bool]:
        """The account whose name and password these are, and whether its second factor must follow.

        Raises :class:`Throttled` before the password is looked at, or :class:`LoginRefused`.
        """
        user = self._verified(name, password, origin)
        if user is None:
            raise LoginRefused("the name or the password is wrong")
        return user, self._security.factors.status(user.key).enabled

    def again(self, user: User, password: str, origin: Origin, *, pointer: str = "/password") -> None:
        """Make sure that who is logged in knows the password, before something that a thief must not do."""
        if self._verified(user.name, password, origin) is None:
            told = {"pointer": pointer, "code": "password.wrong", "message": "this is not your password"}
            raise ValidationFailed([told])
        self._security.throttle.succeeded(user.name, origin.address, device=origin.device)

    def code(self, pending: Pending, code: str | None, recovery_code: str | None) -> User:
        """The account whose login was pending, after its second factor or one of its recovery codes.

        Raises :class:`CodeRefused`, :class:`Throttled`, or :class:`StartAgain` if the password was changed meanwhile.
        """
        user = self._accounts.find(pending.user_id)
        if user is None or user.password_us != pending.password_us:
            raise StartAgain("the password was changed since it was verified")
        if recovery_code is not None:
            self._recover(user, recovery_code)
            return user
        decision = self._security.factors.verify(user.key, code, challenge=pending.challenge)
        if decision.reason == "delayed":
            raise Throttled("too many codes", decision.retry_after)
        if not decision:
            raise CodeRefused("the code is wrong or was used")
        return user

    def succeeded(self, user: User, origin: Origin) -> str:
        """The login is complete: its network and device are known from now on. Returns the device's token."""
        self._security.throttle.succeeded(user.name, origin.address, device=origin.device)
        return self._security.throttle.remember(user.name)

    def begin(self, session: Any, user: User) -> None:
        """Let the session, which is nobody's, remember whose code is awaited; it gets a new id."""
        if session.user_id is not None:
            session.logout()
        session.rotate()
        session.data[_PENDING] = {
            "user_id": user.id,
            "password_us": user.password_us,
            "until_us": self._clock.now_us() + round(PENDING * 1e6),
            "challenge": secrets.token_urlsafe(16),
        }

    def pending(self, session: Any) -> Pending:
        """The login that the session waits with; :class:`StartAgain` without one, or when its time is over."""
        found = session.data.get(_PENDING)
        if found is None or found["until_us"] <= self._clock.now_us():
            self.forget(session)
            raise StartAgain("no password was verified within the last minutes")
        return Pending(**found)

    def forget(self, session: Any) -> None:
        """Let no code be awaited any more."""
        session.data.pop(_PENDING, None)

    def complete(self, session: Any, user: User) -> None:
        """From here on the session is the user's, under a new id."""
        self.forget(session)
        session.login(user.key)
        session.data[_PASSWORD] = user.password_us

    def renew(self, session: Any, user: User) -> None:
        """The session goes on with the password that its user has just set."""
        session.rotate()
        session.data[_PASSWORD] = user.password_us

    @staticmethod
    def began_with(session: Any) -> object:
        """Which password the session's login was with: 0, as the upgrade noted it, for logins of earlier versions."""
        return session.data.get(_PASSWORD, 0)

    def _verified(self, name: str, password: str, origin: Origin) -> User | None:
        throttle = self._security.throttle
        admitted = throttle.admit(name, origin.address, device=origin.device)
        if not admitted:
            raise Throttled("too many attempts", admitted.retry_after)
        user = self._accounts.verify(name, password)
        if user is None:
            throttle.failed(name, origin.address)
        return user

    def _recover(self, user: User, recovery_code: str) -> None:
        def unit(tx: Unit) -> bool:
            used = self._security.factors.recover(user.key, recovery_code, tx=tx)
            if used:
                self._accounts.note("factor.recovery_code_used", user, tx)
            return used

        if not self._database.transact(unit):
            raise CodeRefused("the recovery code is wrong or was used")

"""The HTTP interface of accounts: signing up, logging in and out, and what everybody can do with their own."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from starlette.concurrency import run_in_threadpool

from postrmagic_core._clock import to_us
from postrmagic_core.api import Call, Reply, delete, get, post
from postrmagic_core.api.envelope import Data, DataWith
from postrmagic_core.api.interface import Refusal
from postrmagic_core.database import Unit
from postrmagic_core.errors import UsageError, ValidationFailed
from postrmagic_core.security import User as Identity
from postrmagic_core.security.factors import Enrolment as NewFactor
from postrmagic_core.stack import Stack
from postrmagic_core.validation import Validator

from .accounts import Accounts, User
from .answers import Device, Enrolment, Factor, Me, Notification, RecoveryCodes, SecondStepNeeded, Unread
from .calls import locale_of, origin_of, session_of, user_of
from .forms import Again, Confirmation, Login, PasswordChange, Reset, SecondStep, Seen, SignUp, sign_up_form
from .logins import PENDING, Logins, StartAgain
from .notifications import Notifications
from .problems import PROBLEMS
from .roles import ADMIN

_GUESSED = ["login.throttled", "rate.limited"]


@dataclass(frozen=True, slots=True)
class LoginApi:
    """Signing up, logging in and out. Nothing that is secret stands in a path or a query."""

    group = "logins"

    stack: Stack
    accounts: Accounts
    logins: Logins
    sign_up_form: Validator[SignUp] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "sign_up_form", sign_up_form(self.stack.database))

    @get(
        "/me",
        Data[Me],
        access="public",
        callers=["token", "session"],
        problems=["authentication.required", "access.denied"],
    )
    async def show_me(self, call: Call) -> dict[str, Any] | Refusal:
        """Tell who is asking.

        To nobody it is 401, with the ``notices`` that were left for them.
        """
        identity: Identity | None = call.state["identity"]
        if identity is not None:
            return _who(user_of(call), identity)
        session = await session_of(call)
        notices = [flash.text for flash in session.flashes()]
        return Refusal(PROBLEMS.problem("authentication.required", extra={"notices": notices}))

    @post("/signup", Data[Me], access="public", status=201, problems=["rate.limited"])
    async def sign_up(self, call: Call, body: SignUp) -> dict[str, Any]:
        """Sign up.

        Makes an account and logs in to it; what is wrong is told field by field.
        """
        # Of two who want one name at once the second is told by the database, in the words of the form.
        async with self.sign_up_form.aio.refusing(body, locale=locale_of(call)):
            user = await run_in_threadpool(self.accounts.sign_up, body.name, body.password)
        return await self._let_in(call, user)

    @post(
        "/login",
        Data[Me],
        access="public",
        also={202: Data[SecondStepNeeded]},
        problems=["login.refused", *_GUESSED],
    )
    async def log_in(self, call: Call, body: Login) -> dict[str, Any] | Reply:
        """Log in.

        A wrong name and a wrong password look the same. Without a second factor that is all: a session with a new id.
        With one the answer is 202, and the second step is awaited for five minutes.
        """
        user, needs_code = await run_in_threadpool(self.logins.password, body.name, body.password, origin_of(call))
        if not needs_code:
            return await self._let_in(call, user)
        self.logins.begin(await session_of(call), user)
        return Reply({"second_factor": "required", "expires_in": PENDING}, status=202)

    @post(
        "/login/second-factor",
        Data[Me],
        access="public",
        callers=["session"],
        problems=["login.code_refused", "login.start_again", *_GUESSED],
    )
    async def log_in_with_code(self, call: Call, body: SecondStep) -> dict[str, Any]:
        """Complete a login.

        The second step: a code of the authenticator app, or a recovery code.
        """
        session = await session_of(call)
        pending = self.logins.pending(session)
        try:
            user = await run_in_threadpool(self.logins.code, pending, body.code, body.recovery_code)
        except StartAgain:
            self.logins.forget(session)
            raise
        return await self._let_in(call, user)

    @post("/logout", None, access="public", callers=["session"])
    async def log_out(self, call: Call) -> None:
        """Log out.

        The session ends, here and in every process.
        """
        session = await session_of(call)
        session.logout()

    @post("/password-reset", None, access="public", problems=["reset.ended", "rate.limited"])
    async def reset_password(self, body: Reset) -> Refusal | None:
        """Reset the password.

        By the token of a link. It logs nobody in: password and second factor are asked for. Every session of the
        account ends.
        """
        user = await run_in_threadpool(self.accounts.reset, body.token, body.password)
        if user is None:
            return Refusal(PROBLEMS.problem("reset.ended"))
        await self.stack.sessions.aio.revoke_all(user.key)
        return None

    async def _let_in(self, call: Call, user: User) -> dict[str, Any]:
        self.logins.complete(await session_of(call), user)
        call.state["device_token"] = await run_in_threadpool(self.logins.succeeded, user, origin_of(call))
        return _who(user, await self.stack.security.access.aio.identity(user.key))


@dataclass(frozen=True, slots=True)
class AccountApi:
    """One's own account: password, second factor, sessions, notifications."""

    group = "account"
    callers = ("session",)

    stack: Stack
    accounts: Accounts
    logins: Logins
    notifications: Notifications

    @post("/account/password", None, access="account:manage", problems=["login.throttled"])
    async def change_password(self, call: Call, body: PasswordChange) -> None:
        """Change the password.

        The present one is needed; every other session ends.
        """
        user, session = user_of(call), await session_of(call)
        await self._again(call, body.current, pointer="/current")
        changed = await run_in_threadpool(lambda: self.accounts.set_password(user, body.new, pointer="/new"))
        self.logins.renew(session, changed)
        await self._alone(session)

    @get("/account/factor", Data[Factor], access="account:manage")
    async def show_factor(self, call: Call) -> Any:
        """Show the second factor.

        Whether there is one, since when, and how many recovery codes are left.
        """
        return await self.stack.security.factors.aio.status(user_of(call).key)

    @post(
        "/account/factor",
        Data[Enrolment],
        access="account:manage",
        status=201,
        problems=["factor.enabled", "login.throttled"],
    )
    async def enrol_factor(self, call: Call, body: Again) -> NewFactor | Refusal:
        """Set up a second factor.

        The secret for an authenticator app, as a text and as a QR code. The password is needed.
        """
        user = user_of(call)
        await self._again(call, body.password)
        try:
            return await self.stack.security.factors.aio.enrol(user.key, _label(user))
        except UsageError:
            return Refusal(PROBLEMS.problem("factor.enabled"))

    @post("/account/factor/confirm", Data[RecoveryCodes], access="account:manage")
    async def confirm_factor(self, call: Call, body: Confirmation) -> dict[str, Any]:
        """Confirm the second factor.

        By the app's first code: from here on it is asked for. The recovery codes are shown once; other sessions end.
        """
        user, session = user_of(call), await session_of(call)
        codes = await run_in_threadpool(self.stack.database.transact, self._confirm, user, body.code)
        if codes is None:
            told = "this is not the code of now; if you began an hour ago, begin again"
            raise ValidationFailed([{"pointer": "/code", "code": "factor.wrong_code", "message": told}])
        session.rotate()
        await self._alone(session)
        return {"recovery_codes": codes}

    @post("/account/factor/disable", None, access="account:manage", problems=["login.throttled"])
    async def disable_factor(self, call: Call, body: Again) -> None:
        """Turn the second factor off.

        The password is needed.
        """
        await self._again(call, body.password)
        await run_in_threadpool(self.stack.database.transact, self._disable, user_of(call))

    @post(
        "/account/recovery-codes",
        Data[RecoveryCodes],
        access="account:manage",
        problems=["factor.not_enabled", "login.throttled"],
    )
    async def renew_recovery_codes(self, call: Call, body: Again) -> dict[str, Any] | Refusal:
        """Renew recovery codes.

        All before end; the new ones are shown once. The password is needed.
        """
        await self._again(call, body.password)
        codes = await run_in_threadpool(self.stack.database.transact, self._renew, user_of(call))
        return Refusal(PROBLEMS.problem("factor.not_enabled")) if codes is None else {"recovery_codes": codes}

    @get("/account/devices", Data[list[Device]], access="account:manage")
    async def list_devices(self, call: Call) -> Any:
        """List devices.

        Where the user is logged in, the last used first.
        """
        session = await session_of(call)
        return await self.stack.sessions.aio.devices(user_of(call).key, session)

    @delete("/account/devices/{id}", access="account:manage", problems=["device.not_found"])
    async def end_device(self, call: Call, id: str) -> Refusal | None:
        """End a device's session.

        Its next request is nobody's.
        """
        there = await self.stack.sessions.aio.revoke(user_of(call).key, id)
        return None if there else Refusal(PROBLEMS.problem("device.not_found"))

    @delete("/account/devices", access="account:manage")
    async def end_other_devices(self, call: Call) -> None:
        """End all other sessions.

        Every session of the user but this one.
        """
        await self._alone(await session_of(call))

    @get(
        "/notifications", DataWith[list[Notification], Unread], access="notification:read", callers=["token", "session"]
    )
    async def list_notifications(self, call: Call) -> Reply:
        """List notifications.

        The latest come first; ``meta`` tells how many are new.
        """
        found = await run_in_threadpool(self.notifications.latest, user_of(call).id)
        return Reply(found, meta={"unread": sum(each["read_us"] is None for each in found)})

    @post("/notifications/read", None, access="notification:read", callers=["token", "session"])
    async def read_notifications(self, call: Call, body: Seen) -> None:
        """Mark notifications as read.

        Those that changed up to ``until``.
        """
        await run_in_threadpool(self.notifications.read, user_of(call).id, to_us(body.until))

    async def _again(self, call: Call, password: str, *, pointer: str = "/password") -> None:
        user, origin = user_of(call), origin_of(call)
        await run_in_threadpool(lambda: self.logins.again(user, password, origin, pointer=pointer))

    async def _alone(self, session: Any) -> None:
        await self.stack.sessions.aio.revoke_others(session)

    def _confirm(self, tx: Unit, user: User, code: str) -> list[str] | None:
        codes = self.stack.security.factors.confirm(user.key, code, tx=tx)
        if codes is not None:
            self.accounts.note("factor.enabled", user, tx)
        return codes

    def _disable(self, tx: Unit, user: User) -> None:
        if self.stack.security.factors.disable(user.key, tx=tx):
            self.accounts.note("factor.disabled", user, tx)

    def _renew(self, tx: Unit, user: User) -> list[str] | None:
        codes = self.stack.security.factors.renew_recovery(user.key, tx=tx)
        if codes is not None:
            self.accounts.note("factor.codes_renewed", user, tx)
        return codes


def _who(user: User, identity: Identity) -> dict[str, Any]:
    return {"id": user.id, "name": user.name, "roles": sorted(identity.roles), "admin": ADMIN in identity.roles}


def _label(user: User) -> str:
    """What authenticator apps show; names that an operator gave may hold what those cannot."""
    return user.name if user.name.isprintable() and ":" not in user.name else f"account {user.id}"

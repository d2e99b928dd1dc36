"""The HTTP interface of accounts: signing up, logging in and out, and what everybody can do with their own."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from postrmagic_core._problem import Problem
from postrmagic_core.database import Unit
from postrmagic_core.errors import UsageError, ValidationFailed
from postrmagic_core.security.access import User as Identity
from postrmagic_core.stack import Stack
from postrmagic_core.validation import Validator

from .accounts import Accounts, User
from .answers import DEVICES, ENROLMENT, FACTOR, ME, RECOVERY_CODES, SECOND_STEP, answer
from .forms import (
    SignUp,
    again_form,
    confirmation_form,
    login_form,
    password_form,
    reset_form,
    second_step_form,
    sign_up_form,
)
from .logins import PENDING, Logins, StartAgain
from .roles import ADMIN
from .wire import origin_of, problem, read, session_of, user_of

_NO_DEVICE = Problem(404, "device.not_found", detail="There is no such session of yours.")
_NO_FACTOR = Problem(409, "factor.not_enabled", detail="No second factor is set up.")
_HAS_FACTOR = Problem(409, "factor.enabled", detail="A second factor is set up: turn it off first.")
_NO_LINK = Problem(410, "reset.ended", detail="This link was used or is too old: ask for another.")


@dataclass(frozen=True, slots=True)
class AccountApi:
    """The routes over one Stack and its accounts. Nothing that is secret stands in a path or a query."""

    stack: Stack
    accounts: Accounts
    logins: Logins
    sign_up_form: Validator[SignUp] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "sign_up_form", sign_up_form(self.stack.database))

    def routes(self) -> list[Route]:
        """Every route of the interface."""
        own = "/api/v1/account"
        return [
            Route("/api/v1/me", self.me, methods=["GET"]),
            Route("/api/v1/signup", self.sign_up, methods=["POST"]),
            Route("/api/v1/login", self.login, methods=["POST"]),
            Route("/api/v1/login/second-factor", self.second_step, methods=["POST"]),
            Route("/api/v1/logout", self.logout, methods=["POST"]),
            Route("/api/v1/password-reset", self.reset_password, methods=["POST"]),
            Route(own + "/password", self.change_password, methods=["POST"]),
            Route(own + "/factor", self.factor, methods=["GET"]),
            Route(own + "/factor", self.enrol, methods=["POST"]),
            Route(own + "/factor", self.disable, methods=["DELETE"]),
            Route(own + "/factor/confirm", self.confirm, methods=["POST"]),
            Route(own + "/recovery-codes", self.renew_recovery_codes, methods=["POST"]),
            Route(own + "/devices", self.devices, methods=["GET"]),
            Route(own + "/devices", self.end_others, methods=["DELETE"]),
            Route(own + "/devices/{id}", self.end_device, methods=["DELETE"]),
        ]

    async def me(self, request: Request) -> Response:
        """Who is asking; to nobody 401, with the ``notices`` that were left for them."""
        identity: Identity | None = request.state.identity
        if identity is not None:
            return answer(ME, _who(user_of(request), identity))
        session = await session_of(request)
        notices = [flash.text for flash in session.flashes()]
        detail = "This needs valid credentials."
        return problem(Problem(401, "authentication.required", detail=detail, extra={"notices": notices}))

    async def sign_up(self, request: Request) -> Response:
        """Make an account and log in to it; what is wrong is told field by field."""
        form = await read(request, self.sign_up_form)
        # Of two who want one name at once the second is told by the database, in the words of the form.
        async with self.sign_up_form.aio.refusing(form):
            user = await run_in_threadpool(self.accounts.sign_up, form.name, form.password)
        return await self._let_in(request, user, status=201)

    async def login(self, request: Request) -> Response:
        """The first step; a wrong name and a wrong password look the same.

        Without a second factor it is all: a session with a new id. With one, the second step is awaited for five
        minutes.
        """
        form = await read(request, login_form)
        user, needs_code = await run_in_threadpool(self.logins.password, form.name, form.password, origin_of(request))
        if not needs_code:
            return await self._let_in(request, user)
        self.logins.begin(await session_of(request), user)
        return answer(SECOND_STEP, {"second_factor": "required", "expires_in": PENDING})

    async def second_step(self, request: Request) -> Response:
        """The second step: a code of the authenticator app, or a recovery code."""
        form = await read(request, second_step_form)
        session = await session_of(request)
        pending = self.logins.pending(session)
        try:
            user = await run_in_threadpool(self.logins.code, pending, form.code, form.recovery_code)
        except StartAgain:
            self.logins.forget(session)
            raise
        return await self._let_in(request, user)

    async def logout(self, request: Request) -> Response:
        """End the session, here and in every process."""
        session = await session_of(request)
        session.logout()
        return Response(status_code=204)

    async def reset_password(self, request: Request) -> Response:
        """Set a new password by the token of a link. It logs nobody in: password and second factor are asked for."""
        form = await read(request, reset_form)
        user = await run_in_threadpool(self.accounts.reset, form.token, form.password)
        if user is None:
            return problem(_NO_LINK)
        await self.stack.sessions.aio.revoke_all(user.key)
        return Response(status_code=204)

    async def change_password(self, request: Request) -> Response:
        """Change the password, which the present one is needed for; every other session ends."""
        form = await read(request, password_form)
        user, session = user_of(request), await session_of(request)
        await self._again(request, form.current, pointer="/current")
        changed = await run_in_threadpool(lambda: self.accounts.set_password(user, form.new, pointer="/new"))
        self.logins.renew(session, changed)
        await self._alone(session)
        return Response(status_code=204)

    async def factor(self, request: Request) -> Response:
        """How the second factor stands."""
        return answer(FACTOR, await self.stack.security.factors.aio.status(user_of(request).key))

    async def enrol(self, request: Request) -> Response:
        """Begin with an authenticator app: its secret, as a text and as a QR code. The password is needed."""
        user = await self._who_knows_the_password(request)
        try:
            enrolment = await self.stack.security.factors.aio.enrol(user.key, _label(user))
        except UsageError:
            return problem(_HAS_FACTOR)
        return answer(ENROLMENT, enrolment, status=201)

    async def confirm(self, request: Request) -> Response:
        """The app's first code: from here on it is asked for. Recovery codes are shown once; other sessions end."""
        form = await read(request, confirmation_form)
        user, session = user_of(request), await session_of(request)
        codes = await run_in_threadpool(self.stack.database.transact, self._confirm, user, form.code)
        if codes is None:
            told = "this is not the code of now; if you began an hour ago, begin again"
            raise ValidationFailed([{"pointer": "/code", "code": "factor.wrong_code", "message": told}])
        session.rotate()
        await self._alone(session)
        return answer(RECOVERY_CODES, {"recovery_codes": codes})

    async def disable(self, request: Request) -> Response:
        """Turn the second factor off; the password is needed."""
        user = await self._who_knows_the_password(request)
        await run_in_threadpool(self.stack.database.transact, self._disable, user)
        return Response(status_code=204)

    async def renew_recovery_codes(self, request: Request) -> Response:
        """New recovery codes in place of all before, shown once; the password is needed."""
        user = await self._who_knows_the_password(request)
        codes = await run_in_threadpool(self.stack.database.transact, self._renew, user)
        return problem(_NO_FACTOR) if codes is None else answer(RECOVERY_CODES, {"recovery_codes": codes})

    async def devices(self, request: Request) -> Response:
        """Where the user is logged in, the last used first."""
        session = await session_of(request)
        return answer(DEVICES, await self.stack.sessions.aio.devices(user_of(request).key, session))

    async def end_device(self, request: Request) -> Response:
        """End one of the user's sessions; its next request is nobody's."""
        there = await self.stack.sessions.aio.revoke(user_of(request).key, request.path_params["id"])
        return Response(status_code=204) if there else problem(_NO_DEVICE)

    async def end_others(self, request: Request) -> Response:
        """End every session of the user but this one."""
        await self._alone(await session_of(request))
        return Response(status_code=204)

    async def _let_in(self, request: Request, user: User, *, status: int = 200) -> Response:
        self.logins.complete(await session_of(request), user)
        request.state.device_token = await run_in_threadpool(self.logins.succeeded, user, origin_of(request))
        identity = await self.stack.security.access.aio.identity(user.key)
        return answer(ME, _who(user, identity), status=status)

    async def _who_knows_the_password(self, request: Request) -> User:
        form = await read(request, again_form)
        await self._again(request, form.password)
        return user_of(request)

    async def _again(self, request: Request, password: str, *, pointer: str = "/password") -> None:
        user, origin = user_of(request), origin_of(request)
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

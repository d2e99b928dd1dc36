"""The HTTP interface of access tokens: what a script uses in the place of a login."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from starlette.concurrency import run_in_threadpool

from postrmagic_core.api import Call, delete, get, post
from postrmagic_core.api.envelope import Data
from postrmagic_core.api.interface import Refusal
from postrmagic_core.security.access_tokens.interface import DAY
from postrmagic_core.stack import Stack

from .answers import NewToken, Token
from .calls import origin_of, user_of
from .forms import TokenWanted
from .logins import Logins
from .problems import PROBLEMS


@dataclass(frozen=True, slots=True)
class TokenApi:
    """Access tokens: what a script sends as ``Authorization: Bearer …``. One cannot make another."""

    group = "tokens"
    callers = ("session",)

    stack: Stack
    logins: Logins

    @get("/tokens", Data[list[Token]], access="account:manage")
    async def list_tokens(self, call: Call) -> Any:
        """List tokens.

        Those of the user that are good, the newest first.
        """
        return await self.stack.security.access_tokens.aio.tokens_of(user_of(call).key)

    @post(
        "/tokens",
        Data[NewToken],
        access="account:manage",
        status=201,
        problems=["access_token.too_many", "login.throttled"],
    )
    async def issue_token(self, call: Call, body: TokenWanted) -> dict[str, Any]:
        """Make a token.

        It is shown once; the password is needed. It may do what its owner may, as long as they may, and no more than
        its ``permissions`` say, if any are given.
        """
        user, origin = user_of(call), origin_of(call)
        await run_in_threadpool(lambda: self.logins.again(user, body.password, origin))
        tokens = self.stack.security.access_tokens.aio
        issued = await tokens.issue(user.key, body.name, permissions=body.permissions, lifetime=body.days * DAY)
        return {"token": issued.token, "about": issued.info}

    @delete("/tokens/{id}", access="account:manage", problems=["token.not_found"])
    async def revoke_token(self, call: Call, id: str) -> Refusal | None:
        """Revoke a token.

        Its next request is nobody's.
        """
        there = await self.stack.security.access_tokens.aio.revoke(user_of(call).key, id)
        return None if there else Refusal(PROBLEMS.problem("token.not_found"))

"""The HTTP interface of consent: what an application asks for by OAuth, what it is answered, and which were allowed.

The endpoints for applications themselves are those of :mod:`postrmagic_core.middleware.oauth_endpoints`.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from postrmagic_core.api import Call, delete, get, post
from postrmagic_core.api.envelope import Data
from postrmagic_core.api.interface import Refusal
from postrmagic_core.errors import OAuthRefused, ValidationFailed
from postrmagic_core.stack import Stack

from .answers import Authorization, Onward, Question
from .calls import user_of
from .forms import Asking, Decision
from .problems import PROBLEMS
from .roles import SCOPES

_REFUSED = ["authorization.refused"]


@dataclass(frozen=True, slots=True)
class AuthorizationApi:
    """Applications that a user lets use their library (OAuth 2.0): asked by the page, allowed or not, and ended."""

    group = "authorizations"
    callers = ("session",)

    stack: Stack

    @post("/authorizations/preview", Data[Question], access="account:manage", problems=_REFUSED)
    async def preview_authorization(self, body: Asking) -> dict[str, Any] | Refusal:
        """Show what an application asks for.

        In words, to be allowed or denied. Nothing is allowed by it.
        """
        if not self.stack.security.has_oauth:
            return _absent()
        try:
            asked = await self.stack.security.oauth.aio.ask(body.query)
        except OAuthRefused as error:
            return _refusal(error)
        return {
            "client": {"id": asked.client.id, "name": asked.client.name},
            "host": _host(asked.redirect_uri),
            "scopes": list(asked.scopes),
            "lifetime": self.stack.security.oauth.terms.policy.grant_lifetime,
        }

    @post("/authorizations", Data[Onward], access="account:manage", problems=_REFUSED)
    async def decide_authorization(self, call: Call, body: Decision) -> dict[str, Any] | Refusal:
        """Allow or deny it.

        The browser then goes on to ``location``, where the application gets a code, or is told that it was denied.
        """
        if not self.stack.security.has_oauth:
            return _absent()
        oauth, user = self.stack.security.oauth.aio, user_of(call)
        try:
            asked = await oauth.ask(body.query)
            if not body.allow:
                return {"location": await oauth.deny(asked, user.key)}
            scopes = _chosen(body.scopes, [scope.name for scope in asked.scopes])
            return {"location": await oauth.approve(asked, user.key, scopes=scopes)}
        except OAuthRefused as error:
            return _refusal(error)

    @get("/authorizations", Data[list[Authorization]], access="account:manage")
    async def list_authorizations(self, call: Call) -> list[dict[str, Any]]:
        """List connected applications.

        Those that may use the library of the user now, the newest first.
        """
        if not self.stack.security.has_oauth:
            return []
        found = await self.stack.security.oauth.aio.grants_of(user_of(call).key)
        return [
            {
                "id": grant.id,
                "client": {"id": grant.client_id, "name": grant.client_name},
                "scopes": list(SCOPES.named(grant.scopes)),
                "created_at": grant.created_at,
                "expires_at": grant.expires_at,
                "last_used_at": grant.last_used_at,
            }
            for grant in found
        ]

    @delete("/authorizations/{id}", access="account:manage", problems=["authorization.not_found"])
    async def revoke_authorization(self, call: Call, id: str) -> Refusal | None:
        """Disconnect an application.

        Its tokens are nobody's from their next request on.
        """
        security = self.stack.security
        there = security.has_oauth and await security.oauth.aio.revoke_grant(user_of(call).key, id)
        return None if there else Refusal(PROBLEMS.problem("authorization.not_found"))


def _chosen(given: Collection[str] | None, asked: Collection[str]) -> Collection[str]:
    """Those that the user left, of those that are asked for: one at least."""
    chosen = asked if given is None else given
    if chosen and set(chosen) <= set(asked):
        return chosen
    told = "choose one at least, and none that it does not ask for"
    raise ValidationFailed([{"pointer": "/scopes", "code": "scopes.expected", "message": told}])


def _refusal(error: OAuthRefused) -> Refusal:
    told = {"error": error.error, "location": error.location}
    return Refusal(PROBLEMS.problem("authorization.refused", detail=error.description, extra=told))


def _absent() -> Refusal:
    return _refusal(
        OAuthRefused("invalid_request", "Nobody lets other applications use this library: it is not set up.")
    )


def _host(uri: str) -> str:
    """Where the browser is sent, as a person can judge it: of an app nothing but its scheme tells."""
    parts = urlsplit(uri)
    return parts.netloc or f"{parts.scheme}:"

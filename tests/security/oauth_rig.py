"""An authorization server by one of its faces, a client of it, and a browser that does as it is told."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from postrmagic_core.errors import OAuthRefused
from postrmagic_core.security.access import Role, Roles
from postrmagic_core.security.oauth import (
    AuthorizationServer,
    GrantInfo,
    IssuedClient,
    Scope,
    Scopes,
    ServerTerms,
    VerifiedAccess,
)
from tests.faces import Caller

ISSUER = "https://app.example.org"
BACK = "https://client.example/back"
TERMS = ServerTerms(ISSUER)
ROLES = Roles([Role("editor", allow=["media:read", "media:edit:own"]), Role("admin", allow=["*:*"])])
SCOPES = Scopes(
    [
        Scope("media.read", ["media:read:own"], "See your posters"),
        Scope("media.edit", ["media:edit:own", "media:read:own"], "Change your posters"),
        Scope("job.read", ["job:read"], "See what is being done"),
    ]
)
VERIFIER = "a-verifier.of~43_characters-0123456789abcdef"
WEB: dict[str, Any] = {
    "redirect_uris": [BACK],
    "scopes": ["media.read", "media.edit"],
    "grant_types": ["authorization_code", "refresh_token"],
}
MACHINE: dict[str, Any] = {"scopes": ["media.read", "job.read"], "grant_types": ["client_credentials"]}
RESOURCE_SERVER: dict[str, Any] = {"scopes": [], "grant_types": [], "introspects": True}


def challenge(verifier: str = VERIFIER) -> str:
    """What a verifier's challenge is."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


def basic(client: IssuedClient, secret: str | None = None) -> str:
    """The client's ``Authorization`` header."""
    shown = f"{client.info.id}:{secret or client.secret}"
    return "Basic " + base64.b64encode(shown.encode()).decode()


def answer(location: str) -> dict[str, str]:
    """What a browser takes along."""
    return {name: values[0] for name, values in parse_qs(urlsplit(location).query, strict_parsing=True).items()}


class _Clients:
    def __init__(self, server: AuthorizationServer) -> None:
        self._clients = server.clients
        self.aio = server.aio.clients

    def __getattr__(self, name: str) -> Any:
        return getattr(self._clients, name)


class Rig:
    """One face of ``server``, waited for."""

    def __init__(self, server: AuthorizationServer, runner: asyncio.Runner | None = None) -> None:
        self.server = server
        self.face = Caller(server, runner)
        self.clients = Caller(_Clients(server), runner)

    def add(self, kind: Mapping[str, Any] = WEB, name: str = "Posters to go", **options: Any) -> IssuedClient:
        """A client."""
        issued: IssuedClient = self.clients.add(name, **{**kind, **options})
        return issued

    def query(self, client: IssuedClient, **changes: str | None) -> str:
        """A query that is all right, but for ``changes``."""
        fields = {
            "response_type": "code",
            "client_id": client.info.id,
            "redirect_uri": BACK,
            "state": "a state",
            "code_challenge": challenge(),
            "code_challenge_method": "S256",
            **changes,
        }
        return urlencode({name: value for name, value in fields.items() if value is not None})

    def code(self, client: IssuedClient, user: str = "7", scopes: list[str] | None = None, **changes: Any) -> str:
        """A code, for a user who agrees."""
        request = self.face.ask(self.query(client, **changes))
        return answer(self.face.approve(request, user, scopes=scopes))["code"]

    def redeem(self, client: IssuedClient, code: str, **changes: str) -> dict[str, Any]:
        """What a client is answered that comes with a code."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": BACK,
            "code_verifier": VERIFIER,
            **changes,
        }
        return self.post(client, form)

    def tokens(self, client: IssuedClient, user: str = "7", **options: Any) -> dict[str, Any]:
        """All of it: asked, agreed to and redeemed."""
        return self.redeem(client, self.code(client, user, **options))

    def refresh(self, client: IssuedClient, token: str, request_id: str | None = None, **more: str) -> dict[str, Any]:
        """What a client is answered that comes with a refresh token."""
        return self.post(client, {"grant_type": "refresh_token", "refresh_token": token, **more}, request_id=request_id)

    def machine(self, client: IssuedClient, **more: str) -> dict[str, Any]:
        """What a client is answered that asks for itself."""
        return self.post(client, {"grant_type": "client_credentials", **more})

    def post(self, client: IssuedClient, form: Mapping[str, str], **options: Any) -> dict[str, Any]:
        """The token endpoint."""
        found: dict[str, Any] = self.face.token({**form, **self.shown(client)}, **options)
        return found

    def shown(self, client: IssuedClient) -> dict[str, str]:
        """How a client proves who it is, in the form."""
        secret = {} if client.secret is None else {"client_secret": client.secret}
        return {"client_id": client.info.id, **secret}

    def verify(self, token: object) -> VerifiedAccess | None:
        """See :meth:`AuthorizationServer.verify`."""
        found: VerifiedAccess | None = self.face.verify(token)
        return found

    def introspect(self, client: IssuedClient, token: str) -> dict[str, Any]:
        """What a client is told of a token."""
        found: dict[str, Any] = self.face.introspect({"token": token, **self.shown(client)})
        return found

    def grants(self, user: str = "7") -> list[GrantInfo]:
        """See :meth:`AuthorizationServer.grants_of`."""
        found: list[GrantInfo] = self.face.grants_of(user)
        return found

    def audited(self) -> list[tuple[str, str | None, str | None]]:
        """What stands in the audit log: action, actor and subject, the oldest first."""
        log = self.server._means.access.audit
        log.flush()
        return [(entry.action, entry.actor, entry.subject) for entry in log.find()[::-1]]


def refusal(call: Any, *arguments: Any, **options: Any) -> OAuthRefused:
    """How the call is refused."""
    try:
        found = call(*arguments, **options)
    except OAuthRefused as refused:
        return refused
    raise AssertionError(f"expected a refusal, got {type(found).__name__}")

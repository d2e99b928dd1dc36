"""Programs of others, which ask users of the media library by OAuth: registered in the house, without HTTP."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from media_library.seed import DEMO
from postrmagic_core.security.oauth import AuthorizationServer, IssuedClient
from tests.app.house import House

BACK = "http://127.0.0.1:8401/back"
CODE_GRANTS = ("authorization_code", "refresh_token")


def register(
    server: AuthorizationServer,
    name: str = "Wall of Posters",
    *,
    scopes: Collection[str] = ("media.read",),
    redirect_uris: Collection[str] = (BACK,),
    grant_types: Collection[str] = CODE_GRANTS,
    **more: Any,
) -> IssuedClient:
    """A program, as its operator registers it."""
    issued: IssuedClient = server.clients.add(
        name, redirect_uris=redirect_uris, scopes=scopes, grant_types=grant_types, actor=None, **more
    )
    return issued


def challenged(verifier: str) -> str:
    """What stands for a verifier in a question (RFC 7636, section 4.2)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def question(client_id: str, scopes: Collection[str], verifier: str) -> dict[str, str]:
    """What the address of a program's question has in its query."""
    return {
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": BACK,
        "scope": " ".join(scopes),
        "state": "k3Jq",
        "code_challenge": challenged(verifier),
        "code_challenge_method": "S256",
    }


def answered(location: str) -> dict[str, str]:
    """What the browser brings back to the program."""
    return {name: value for name, (value,) in parse_qs(urlsplit(location).query, keep_blank_values=True).items()}


@dataclass
class Program:
    """A public one, with what it remembers from its question to the answer."""

    house: House
    scopes: Collection[str] = ("media.read",)
    client: IssuedClient = field(init=False)
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48))

    def __post_init__(self) -> None:
        self.client = register(self.server, scopes=self.scopes, public=True)

    @property
    def server(self) -> AuthorizationServer:
        """The authorization server."""
        return self.house.application.stack.security.oauth

    @property
    def id(self) -> str:
        """The client's."""
        return self.client.info.id

    def query(self, **changed: str | None) -> str:
        """What it asks for; ``None`` leaves a parameter out."""
        asked: dict[str, str | None] = {**question(self.id, self.scopes, self.verifier)}
        return urlencode({name: value for name, value in (asked | changed).items() if value is not None})

    def code(self, user: str = DEMO["name"], **changed: str | None) -> str:
        """The code that it gets when the user allows it."""
        asked = self.server.ask(self.query(**changed))
        return answered(self.server.approve(asked, str(self.house.user_id(user))))["code"]

    def redeem(self, code: str) -> dict[str, Any]:
        """The tokens that it gets for a code."""
        form = {"grant_type": "authorization_code", "client_id": self.id, "redirect_uri": BACK}
        return self.server.token(form | {"code": code, "code_verifier": self.verifier}, authorization=None)

    def connect(self, user: str = DEMO["name"]) -> dict[str, Any]:
        """What it gets when the user allows it: an access token and a refresh token among others."""
        return self.redeem(self.code(user))

"""OAuth 2.0: an authorization server, with which users let other programs use the API on their behalf.

::

    scopes = Scopes([Scope("media.read", ["media:read:own"], "See your posters")])
    terms = ServerTerms("https://app.example.org")
    server = AuthorizationServer(database, access, keys, terms=terms, scopes=scopes).open()

    request = server.ask(query)  # of GET /oauth/authorize; OAuthRefused tells whom to tell
    redirect(server.approve(request, "7"))  # once the user has agreed to request.scopes

    answer = server.token(form, authorization=header)  # of POST /oauth/token

    verified = server.verify(bearer)  # of a request to the API
    if verified is not None:
        who = verified.restrict(access.identity(verified.subject))

Authorization code with PKCE, refresh tokens that are good for one use, and client credentials: RFC 6749, 7636, 9700.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..._lazy import lazily

if TYPE_CHECKING:
    from .interface import (
        AuthorizationRequest,
        ClientInfo,
        Endpoints,
        GrantInfo,
        IssuedClient,
        OAuthPolicy,
        Scope,
        Scopes,
        ServerTerms,
        VerifiedAccess,
    )
    from .introspection import Introspector
    from .manager import AuthorizationServer
else:  # a resource server that only asks another one loads no database
    __getattr__ = lazily(
        __name__,
        {
            "AuthorizationRequest": "interface",
            "AuthorizationServer": "manager",
            "ClientInfo": "interface",
            "Endpoints": "interface",
            "GrantInfo": "interface",
            "Introspector": "introspection",
            "IssuedClient": "interface",
            "OAuthPolicy": "interface",
            "Scope": "interface",
            "Scopes": "interface",
            "ServerTerms": "interface",
            "VerifiedAccess": "interface",
        },
    )

__all__ = [
    "AuthorizationRequest",
    "AuthorizationServer",
    "ClientInfo",
    "Endpoints",
    "GrantInfo",
    "Introspector",
    "IssuedClient",
    "OAuthPolicy",
    "Scope",
    "Scopes",
    "ServerTerms",
    "VerifiedAccess",
]

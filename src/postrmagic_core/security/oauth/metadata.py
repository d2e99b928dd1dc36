"""The document by which clients learn what an authorization server can do: RFC 8414."""

from __future__ import annotations

from .interface import Endpoints, Scopes
from .policy import GRANT_TYPES

_WITH_SECRET = ("client_secret_basic", "client_secret_post")


def document(issuer: str, scopes: Scopes, endpoints: Endpoints) -> dict[str, object]:
    """RFC 8414, section 2; that each answer of the authorization endpoint says who gives it is RFC 9207's."""
    return {
        "issuer": issuer,
        "authorization_endpoint": endpoints.authorize,
        "token_endpoint": endpoints.token,
        "jwks_uri": endpoints.jwks,
        "revocation_endpoint": endpoints.revoke,
        "introspection_endpoint": endpoints.introspect,
        "scopes_supported": list(scopes.names),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": list(GRANT_TYPES),
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": [*_WITH_SECRET, "none"],
        "revocation_endpoint_auth_methods_supported": [*_WITH_SECRET, "none"],
        "introspection_endpoint_auth_methods_supported": list(_WITH_SECRET),
        "authorization_response_iss_parameter_supported": True,
    }

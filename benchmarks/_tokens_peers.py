"""A signed token verified by other libraries, each asked for what ours checks as far as it can be."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable
from typing import Any

ISSUER, AUDIENCE = "https://posters.example", "https://api.posters.example"
_REQUIRED = ("exp", "iat", "sub", "jti")


def pyjwt(token: str, algorithm: str, public: Any) -> Callable[[], object]:
    """``jwt.decode`` with the key as an object, its algorithm, the issuer, the audience and the claims required."""
    jwt = importlib.import_module("jwt")
    options = {"require": list(_REQUIRED)}

    def verified() -> object:
        return jwt.decode(token, public, algorithms=[algorithm], issuer=ISSUER, audience=AUDIENCE, options=options)

    return verified


def joserfc(token: str, algorithm: str, jwk: dict[str, Any]) -> Callable[[], object]:
    """joserfc's ``decode`` and its claims registry, which is what Authlib verifies tokens by."""
    jwt, keys = importlib.import_module("joserfc.jwt"), importlib.import_module("joserfc.jwk")
    # Of the name EdDSA, which RFC 9864 replaces; none of ours is affected by it.
    warnings.filterwarnings("ignore", "EdDSA is deprecated")
    key = keys.import_key(jwk)
    claims = jwt.JWTClaimsRegistry(
        iss={"essential": True, "value": ISSUER},
        aud={"essential": True, "value": AUDIENCE},
        **{name: {"essential": True} for name in _REQUIRED},
    )

    def verified() -> object:
        found = jwt.decode(token, key, algorithms=[algorithm])
        claims.validate(found.claims)
        return found

    return verified


def authlib(token: str, algorithm: str, jwk: dict[str, Any]) -> Callable[[], object]:
    """Authlib's validator of RFC 9068, which knows ES256, RS256 and HS256 alone."""
    rfc9068, keys = importlib.import_module("authlib.oauth2.rfc9068"), importlib.import_module("joserfc.jwk")
    ring = keys.KeySet.import_key_set({"keys": [jwk]})

    class Validator(rfc9068.JWTBearerTokenValidator):  # type: ignore[misc, name-defined] # Authlib has no types
        def get_jwks(self) -> Any:
            return ring

    validator = Validator(ISSUER, AUDIENCE)

    def verified() -> object:
        found = validator.authenticate_token(token)
        validator.validate_token(found, ["media.read"], None)
        return found

    return verified

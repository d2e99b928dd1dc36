"""Signed tokens: access tokens in JWT, as RFC 9068 profiles them, issued and verified without asking a database.

::

    keys = SigningKeys([SigningKey.from_pem(text)])
    token = keys.sign({"iss": "https://posters.example", "aud": "https://posters.example", "sub": "7", …})

    verifier = TokenVerifier(keys, issuer="https://posters.example", audience="https://posters.example")
    claims = verifier.verify(token)  # None for whatever is not good

The keys of another server come from a :class:`RemoteKeys`. PyJWT makes and checks the signatures; what a token may say
is decided here, as the library accepts more than a resource server must (RFC 8725, RFC 9068, section 4).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..._lazy import lazily

if TYPE_CHECKING:
    from .interface import KeySource, TokenClaims, TokenRefusal
    from .keys import SigningKey, SigningKeys
    from .remote import RemoteKeys
    from .verifier import TokenVerifier
else:  # whoever verifies with keys of their own loads no client of HTTP
    __getattr__ = lazily(
        __name__,
        {
            "KeySource": "interface",
            "TokenRefusal": "interface",
            "RemoteKeys": "remote",
            "SigningKey": "keys",
            "SigningKeys": "keys",
            "TokenClaims": "interface",
            "TokenVerifier": "verifier",
        },
    )

__all__ = [
    "KeySource",
    "TokenRefusal",
    "RemoteKeys",
    "SigningKey",
    "SigningKeys",
    "TokenClaims",
    "TokenVerifier",
]

"""Keys of each kind, claims that are good, and tokens as an attacker writes them."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from postrmagic_core.security.signed_tokens import SigningKey, SigningKeys, TokenRefusal, TokenVerifier
from postrmagic_core.testing import FakeClock

ISSUER, AUDIENCE = "https://posters.example", "https://api.posters.example"
NOW = FakeClock().now_us() // 1_000_000
ALGORITHMS = ("EdDSA", "ES256", "RS256", "HS256")


def private(algorithm: str, number: int = 0) -> Any:
    """A private key of `cryptography`, or a secret; another one for each number."""
    return _private(algorithm, number)


@cache
def _private(algorithm: str, number: int) -> Any:
    if algorithm == "EdDSA":
        return ed25519.Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32)
    if algorithm == "ES256":
        return ec.derive_private_key(10**70 + number, ec.SECP256R1())
    if algorithm == "RS256":
        return rsa.generate_private_key(65537, 3072)
    return base64.b64encode(bytes(range(number, number + 40)))


def pem(key: Any) -> bytes:
    """A private key as PKCS #8 has it."""
    text: bytes = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return text


def public_pem(key: Any) -> bytes:
    """The public half, as SPKI has it."""
    text: bytes = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return text


def signing_key(algorithm: str, number: int = 0) -> SigningKey:
    """A key that signs; another one for each number."""
    key = private(algorithm, number)
    return SigningKey.from_secret(key) if algorithm == "HS256" else SigningKey.from_pem(pem(key))


def keys(algorithm: str = "EdDSA", number: int = 0) -> SigningKeys:
    """A ring of one key."""
    return SigningKeys([signing_key(algorithm, number)])


def verifier(algorithm: str = "EdDSA", **options: Any) -> TokenVerifier:
    """Of the tokens of :func:`keys`, at the time of :data:`NOW`."""
    given = {"issuer": ISSUER, "audience": AUDIENCE, "algorithms": (algorithm,), "clock": FakeClock(), **options}
    return TokenVerifier(given.pop("keys", None) or keys(algorithm), **given)


def claims(**changes: Any) -> dict[str, Any]:
    """What a good token says, but for the changes."""
    good = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "7",
        "client_id": "reader",
        "jti": "01J0",
        "iat": NOW,
        "exp": NOW + 600,
        "scope": "media.read media.write",
        "grant": "g1",
    }
    return good | changes


def without(*names: str) -> dict[str, Any]:
    """What a good token says, but for some claims."""
    return {name: value for name, value in claims().items() if name not in names}


def b64(data: bytes) -> str:
    """base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def segment(content: Mapping[str, Any] | str | bytes) -> str:
    """A segment of a token: JSON as it is given, or of a mapping."""
    if isinstance(content, Mapping):
        content = json.dumps(content)
    return b64(content.encode() if isinstance(content, str) else content)


def header(key: SigningKey, **changes: Any) -> dict[str, Any]:
    """What the header of a good token says, but for the changes."""
    return {"alg": key.algorithm, "kid": key.id, "typ": "at+jwt", **changes}


def signed(
    head: Mapping[str, Any] | str | bytes, payload: Mapping[str, Any] | str | bytes, key: SigningKey | None = None
) -> str:
    """A token whose signature is good, whatever it says; by the key of :func:`verifier` for EdDSA."""
    message = f"{segment(head)}.{segment(payload)}"
    return f"{message}.{b64((key or signing_key('EdDSA')).sign(message.encode()))}"


def saying(payload: Mapping[str, Any] | str | bytes) -> str:
    """A token with a good header and signature."""
    return signed(header(signing_key("EdDSA")), payload)


def headed(head: Mapping[str, Any] | str | bytes) -> str:
    """A token with good claims and signature."""
    return signed(head, claims())


def reason(judge: TokenVerifier, token: object) -> str | None:
    """Why it is refused; ``None``: it is good. Its two answers must agree."""
    found = judge.judge(token)
    assert (judge.verify(token) is None) == isinstance(found, TokenRefusal)
    return found.reason if isinstance(found, TokenRefusal) else None

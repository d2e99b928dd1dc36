"""Signed tokens and the libraries of others: each verifies what the other signed."""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Iterator
from typing import Any

import jwt as pyjwt
import pytest
from authlib.oauth2.rfc9068 import JWTBearerTokenValidator  # type: ignore[import-untyped] # Authlib has no types
from joserfc import jwt as joserfc
from joserfc.errors import SecurityWarning
from joserfc.jwk import KeySet, OctKey, import_key

from postrmagic_core.security.signed_tokens import SigningKey, SigningKeys

from .signed_tokens_rig import (
    ALGORITHMS,
    AUDIENCE,
    ISSUER,
    claims,
    header,
    keys,
    pem,
    private,
    saying,
    signed,
    signing_key,
    verifier,
)

PUBLIC = ("EdDSA", "ES256", "RS256")


@pytest.fixture(autouse=True)
def known_name() -> Iterator[None]:
    """joserfc warns of ``EdDSA``, the only name of Ed25519 that all of them know (RFC 9864 has a newer one)."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "EdDSA is deprecated", SecurityWarning)
        yield


@pytest.fixture
def lasting() -> dict[str, Any]:
    """Claims that are good by the machine's own clock, which is the only one they know."""
    now = int(time.time())
    return claims(iat=now, exp=now + 600)


@pytest.mark.parametrize("algorithm", PUBLIC)
def test_pyjwt_verifies_ours_by_what_is_told_of_the_keys(algorithm: str, lasting: dict[str, Any]) -> None:
    """It finds the key by the token's ``kid`` in the document."""
    ring = SigningKeys([signing_key(algorithm), signing_key(algorithm, 1)])
    token = ring.sign(lasting)
    known = pyjwt.PyJWKSet.from_dict(ring.jwks())
    key = known[pyjwt.get_unverified_header(token)["kid"]]
    found = pyjwt.decode(token, key, algorithms=[algorithm], audience=AUDIENCE, issuer=ISSUER)
    assert found == lasting


@pytest.mark.parametrize("algorithm", PUBLIC)
def test_joserfc_verifies_ours_by_what_is_told_of_the_keys(algorithm: str, lasting: dict[str, Any]) -> None:
    """The same."""
    ring = SigningKeys([signing_key(algorithm), signing_key(algorithm, 1)])
    told: Any = ring.jwks()
    found = joserfc.decode(ring.sign(lasting), KeySet.import_key_set(told), algorithms=[algorithm])
    assert found.claims == lasting
    assert found.header == header(signing_key(algorithm))


@pytest.mark.parametrize("algorithm", ["ES256", "RS256"])
def test_authlib_s_resource_server_takes_ours(algorithm: str, lasting: dict[str, Any]) -> None:
    """Its validator of RFC 9068, which knows these two as they are, and EdDSA when told."""
    ring = SigningKeys([signing_key(algorithm)])
    told: Any = ring.jwks()

    class Validator(JWTBearerTokenValidator):  # type: ignore[misc] # Authlib has no types
        def get_jwks(self) -> Any:
            return KeySet.import_key_set(told)

    there = Validator(ISSUER, AUDIENCE)
    found = there.authenticate_token(ring.sign(lasting))
    there.validate_token(found, ["media.read"], None)
    assert found["sub"] == "7"


def test_a_shared_secret_is_the_same_to_them(lasting: dict[str, Any]) -> None:
    """HMAC, which no document tells."""
    token = keys("HS256").sign(lasting)
    secret = private("HS256")
    assert pyjwt.decode(token, secret, algorithms=["HS256"], audience=AUDIENCE) == lasting
    assert joserfc.decode(token, OctKey.import_key(secret)).claims == lasting


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_theirs_are_verified_here(algorithm: str) -> None:
    """PyJWT's and joserfc's, by the same key; not if it is another one's."""
    key = private(algorithm)
    head = header(signing_key(algorithm))
    theirs = OctKey.import_key(key) if algorithm == "HS256" else import_key(pem(key), _kind(algorithm))
    made = [
        pyjwt.encode(claims(), key, algorithm=algorithm, headers={"kid": head["kid"], "typ": "at+jwt"}),
        joserfc.encode(head, claims(), theirs, algorithms=[algorithm]),
    ]
    for token in made:
        found = verifier(algorithm).verify(token)
        assert found is not None
        assert found.subject == "7"
        assert verifier(algorithm, keys=keys(algorithm, 1)).verify(token) is None


@pytest.mark.parametrize("algorithm", PUBLIC)
def test_their_keys_are_read(algorithm: str) -> None:
    """As joserfc tells them, with the name that it gives them, and without what it should not have told."""
    theirs = import_key(pem(private(algorithm)), _kind(algorithm))
    for told in (theirs.as_dict(private=False), theirs.as_dict(private=True)):
        key = SigningKey.from_jwk(told)
        assert not key.can_sign
        assert theirs.thumbprint() == signing_key(algorithm).id
        assert key.verify(b"text", signing_key(algorithm).sign(b"text"))


def _kind(algorithm: str) -> Any:
    return {"EdDSA": "OKP", "ES256": "EC", "RS256": "RSA"}[algorithm]


def test_what_they_take_is_not_taken_here(lasting: dict[str, Any]) -> None:
    """PyJWT reads a name that stands twice as its last, a token without an end as good, and any type as any other."""
    key = private("EdDSA").public_key()
    twice = json.dumps(lasting)[:-1] + ', "sub": "1"}'
    endless = {name: value for name, value in lasting.items() if name != "exp"}
    other = signed(header(signing_key("EdDSA"), typ="logout+jwt"), lasting)
    for token in (saying(twice), saying(endless), other):
        assert pyjwt.decode(token, key, algorithms=["EdDSA"], audience=AUDIENCE)["iss"] == ISSUER
        assert verifier(clock=None).verify(token) is None
    assert verifier(clock=None).verify(saying(lasting)) is not None

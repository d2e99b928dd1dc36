"""Keys of signed tokens: which are taken, which never, and what is told of them."""

from __future__ import annotations

import base64
import datetime
import hashlib
import hmac
import json
import re
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st

from postrmagic_core._crypto import KeyRing
from postrmagic_core.errors import ConfigurationError
from postrmagic_core.security.signed_tokens import SigningKey, SigningKeys

from .signed_tokens_rig import ALGORITHMS, b64, claims, keys, pem, private, public_pem, reason, signing_key, verifier

PUBLIC = ("EdDSA", "ES256", "RS256")
# RFC 7638, section 3.1.
RFC_7638 = {
    "kty": "RSA",
    "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjB"
    "ZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8"
    "KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_"
    "xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
    "e": "AQAB",
    "alg": "RS256",
}
# RFC 8037, appendix A.
RFC_8037 = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}


def test_a_key_is_named_by_its_thumbprint() -> None:
    """As the examples of RFC 7638 and RFC 8037 are."""
    assert SigningKey.from_jwk(RFC_7638).id == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
    assert SigningKey.from_jwk(RFC_8037).id == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


@pytest.mark.parametrize("algorithm", PUBLIC)
def test_a_key_is_the_same_in_each_writing(algorithm: str) -> None:
    """Private or public PEM, as text or bytes, or its JWK: of one name, and each verifies."""
    key = private(algorithm)
    made = [SigningKey.from_pem(text) for text in (pem(key), pem(key).decode(), public_pem(key))]
    made.append(SigningKey.from_jwk(made[0].jwk() or {}))
    assert {each.id for each in made} == {signing_key(algorithm).id}
    assert {each.algorithm for each in made} == {algorithm}
    assert [each.can_sign for each in made] == [True, True, False, False]
    assert all(each.verify(b"text", made[0].sign(b"text")) for each in made)
    assert not any(each.verify(b"texT", made[0].sign(b"text")) for each in made)
    assert [each.jwk() for each in made] == [made[0].jwk()] * 4


def test_older_forms_of_pem_are_read() -> None:
    """PKCS #1 and SEC 1, as openssl wrote them."""
    for algorithm in ("RS256", "ES256"):
        text = private(algorithm).private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
        assert SigningKey.from_pem(text).id == signing_key(algorithm).id


def shapes(key: Any) -> dict[str, bytes]:
    """A public key in every writing that somebody may take for a secret."""
    public, encoding, form = key.public_key(), serialization.Encoding, serialization.PublicFormat
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "posters.example")])
    start = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(public)
        .serial_number(7)
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=1))
        .sign(key, None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256())
    )
    jwk = (SigningKey.from_pem(pem(key)).jwk()) or {}
    found = {
        "SPKI": public.public_bytes(encoding.PEM, form.SubjectPublicKeyInfo),
        "SPKI DER": public.public_bytes(encoding.DER, form.SubjectPublicKeyInfo),
        "X.509": certificate.public_bytes(encoding.PEM),
        "X.509 DER": certificate.public_bytes(encoding.DER),
        "ssh": public.public_bytes(encoding.OpenSSH, form.OpenSSH),
        "JWK": json.dumps(jwk).encode(),
        "JWK, private": json.dumps({**jwk, "d": "AAAA"}, indent=1).encode(),
        "JWKS": json.dumps({"keys": [jwk]}).encode(),
        "JWKS, a list": json.dumps([jwk]).encode(),
        "JWK in UTF-16": json.dumps(jwk).encode("utf-16"),
        "private": pem(key),
        "private DER": key.private_bytes(encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
        "private, encrypted": key.private_bytes(
            encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"x" * 12)
        ),
        "private DER, encrypted": key.private_bytes(
            encoding.DER, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"x" * 12)
        ),
    }
    if isinstance(key, rsa.RSAPrivateKey):
        found["PKCS1"] = public.public_bytes(encoding.PEM, form.PKCS1)
        found["PKCS1 DER"] = public.public_bytes(encoding.DER, form.PKCS1)
    for shape in ("SPKI", "X.509", "ssh", "JWK"):
        found[f"{shape}, spaces before"] = b"\n  \t" + found[shape]
    for shape in ("SPKI", "X.509"):
        found[f"{shape}, CRLF"] = found[shape].replace(b"\n", b"\r\n")
        found[f"{shape}, words before"] = b"subject=CN = posters.example\n" + found[shape]
        found[f"{shape}, no armour"] = b"".join(found[shape].splitlines()[1:-1])
        found[f"{shape}, no armour, base64url"] = b64(found[f"{shape} DER"]).encode()
        found[f"{shape}, in one line"] = found[shape].replace(b"\n", b" ")
    return found


@pytest.mark.parametrize("algorithm", PUBLIC)
def test_no_public_key_is_a_secret(algorithm: str) -> None:
    """In whatever writing: who knows it, as everybody does, could sign (CVE-2017-11424, CVE-2022-29217, and others)."""
    taken = []
    for shape, data in shapes(private(algorithm)).items():
        for text in (data, data.decode("latin-1") if data.isascii() else data):
            try:
                SigningKey.from_secret(text)
            except ConfigurationError:
                continue
            taken.append(shape)
    assert taken == []


@pytest.mark.parametrize("algorithm", PUBLIC)
def test_what_is_signed_with_a_public_key_as_secret_is_refused(algorithm: str) -> None:
    """Where the key is known by its name, too, and where secrets are what the verifier wants."""
    public = SigningKey.from_pem(public_pem(private(algorithm)))
    ring = SigningKeys([public])
    head = b64(json.dumps({"alg": "HS256", "kid": public.id, "typ": "at+jwt"}).encode())
    message = f"{head}.{b64(json.dumps(claims()).encode())}"
    for data in shapes(private(algorithm)).values():
        token = f"{message}.{b64(hmac.digest(data, message.encode(), 'sha256'))}"
        assert reason(verifier(algorithm, keys=ring), token) == "algorithm"
        assert reason(verifier("HS256", keys=ring), token) == "algorithm"


@pytest.mark.parametrize("algorithm", PUBLIC)
def test_secrets_and_public_keys_are_never_together(algorithm: str) -> None:
    """Neither in one ring, whichever stands first, nor when it is made later."""
    mixed = [signing_key(algorithm), signing_key("HS256")]
    for ring in (mixed, mixed[::-1]):
        with pytest.raises(ConfigurationError, match="one kind"):
            SigningKeys(ring)
        late = SigningKeys(lambda ring=ring: ring)  # type: ignore[misc] # bound now, as the loop goes on
        with pytest.raises(ConfigurationError, match="one kind"):
            late.find(ring[0].id)


def test_a_ring_has_keys_of_different_names() -> None:
    """At least one, and each once."""
    with pytest.raises(ConfigurationError, match="at least one"):
        SigningKeys([])
    with pytest.raises(ConfigurationError, match="of one name"):
        SigningKeys([signing_key("EdDSA"), signing_key("EdDSA")])
    assert SigningKeys([signing_key(name) for name in PUBLIC]).algorithms == set(PUBLIC)


def test_a_key_that_signs_is_longer_than_one_that_verifies() -> None:
    """RSA of 2048 bits has 112 bits of security: others may sign so, and nothing here does."""
    short = rsa.generate_private_key(65537, 2048)
    with pytest.raises(ConfigurationError, match="3072 bits"):
        SigningKey.from_pem(pem(short))
    assert SigningKey.from_pem(public_pem(short)).algorithm == "RS256"


@pytest.mark.parametrize(
    "secret",
    [
        b"",
        b"x",
        b"0123456789abcdefghijklmnopqrstu",
        b"a" * 64,
        b"ab" * 40,
        b"my-very-secret-key-for-production-0123456789",
        b"CHANGEME-CHANGEME-0123456789-abcdefghij",
        b"\x00" * 32,
    ],
)
def test_a_secret_is_one(secret: bytes) -> None:
    """At least 32 bytes, as RFC 7518, section 3.2, has it, and not made up; no warning is what tells."""
    for given_secret in (secret, secret.decode()):
        with pytest.raises(ConfigurationError, match=r"at least 32 bytes|placeholder"):
            SigningKey.from_secret(given_secret)


@given(st.binary())
def test_random_bytes_are_a_secret(seed: bytes) -> None:
    """Nothing in them is taken for the begin of a key, and the name says nothing of them."""
    raw = hashlib.sha256(seed).digest()
    for secret in (raw, raw.hex(), b64(raw)):
        key = SigningKey.from_secret(secret)
        assert re.fullmatch("[0-9a-f]{16}", key.id)
        assert key.verify(
            b"text", hmac.digest(secret.encode() if isinstance(secret, str) else secret, b"text", "sha256")
        )


def test_no_other_key_signs() -> None:
    """Other curves, short RSA, DSA, Ed448, a certificate, an encrypted key, a text."""
    short = rsa.generate_private_key(65537, 1024)  # noqa: S505 - what is to be refused
    others = [
        *(ec.generate_private_key(curve) for curve in (ec.SECP384R1(), ec.SECP256K1(), ec.SECP521R1())),
        short,
        dsa.generate_private_key(2048),
        ed448.Ed448PrivateKey.generate(),
    ]
    found = shapes(private("ES256"))
    wrong: list[Any] = [pem(each) for each in others] + [public_pem(each) for each in others]
    wrong += [found[shape] for shape in ("X.509", "ssh", "JWK", "SPKI DER", "private, encrypted", "private DER")]
    wrong += ["", "x", b"\xff", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "\u00e4"]
    for text in wrong:
        with pytest.raises(ConfigurationError):
            SigningKey.from_pem(text)
    numbers = short.public_key().public_numbers()
    jwk = {"kty": "RSA", "e": "AQAB", "n": b64(numbers.n.to_bytes(128, "big"))}
    with pytest.raises(ConfigurationError, match="2048"):
        SigningKey.from_jwk(jwk)


@pytest.mark.parametrize(
    "change",
    [
        {"kty": "oct", "k": "AAAA"},
        {"kty": None},
        {"kty": ["OKP"]},
        {"kty": {}},
        {"kty": "okp"},
        {"crv": "Ed448"},
        {"crv": "X25519"},
        {"crv": None},
        {"crv": ["Ed25519"]},
        {"alg": "none"},
        {"alg": "HS256"},
        {"alg": "ES256"},
        {"alg": None},
        {"use": "enc"},
        {"use": None},
        {"key_ops": ["encrypt"]},
        {"key_ops": []},
        {"key_ops": "verify"},
        {"x": None},
        {"x": ""},
        {"x": 7},
        {"x": "AAAA"},
        {"x": "\u00e4" * 43},
        {"x": "A" * 100_000},
        {"kid": ""},
        {"kid": 7},
        {"kid": "x" * 191},
        {"kty": "EC", "crv": "P-256", "y": "A" * 43},
        {"kty": "EC", "crv": "P-384", "y": "A" * 43},
        {"kty": "EC", "crv": "P-256"},
        {"kty": "RSA", "n": "AQAB", "e": "AQAB"},
        {"kty": "RSA", "n": RFC_7638["n"], "e": "AA"},
        {"kty": "RSA", "n": "_" * 1500, "e": "AQAB"},
        {"kty": "RSA"},
    ],
    ids=lambda change: str(change)[:40],
)
def test_a_jwk_is_a_public_key_for_signatures(change: dict[str, Any]) -> None:
    """Of our kinds, on its curve, and of a size that can be verified with."""
    with pytest.raises(ConfigurationError):
        SigningKey.from_jwk({**RFC_8037, **change})


def test_a_jwk_may_say_what_it_is_for() -> None:
    """And be named by its owner."""
    said = {**RFC_8037, "alg": "EdDSA", "use": "sig", "key_ops": ["verify"], "kid": "2026-11", "x5t": "AAAA"}
    key = SigningKey.from_jwk(said)
    assert (key.id, key.algorithm) == ("2026-11", "EdDSA")
    assert SigningKey.from_jwk({**said, "kid": None}).id == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def test_the_private_half_of_a_jwk_is_not_kept() -> None:
    """A mistake of its owner's is not made worse here."""
    secret = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"
    key = SigningKey.from_jwk({**RFC_8037, "d": secret})
    assert not key.can_sign
    assert secret not in str([repr(key), key.jwk(), SigningKeys([key]).jwks()])


PRIVATE_MEMBERS = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}


def test_what_is_told_of_keys_is_public() -> None:
    """No private member, of no kind of key; of secrets nothing at all."""
    ring = SigningKeys([signing_key(name) for name in PUBLIC])
    told: Any = ring.jwks()
    assert [jwk["alg"] for jwk in told["keys"]] == list(PUBLIC)
    assert all(jwk["use"] == "sig" and jwk["kid"] for jwk in told["keys"])
    assert not any(PRIVATE_MEMBERS & set(jwk) for jwk in told["keys"])
    assert keys("HS256").jwks() == {"keys": []}
    assert signing_key("HS256").jwk() is None
    derived: Any = SigningKeys.of_ring(KeyRing(["abcdefghijklmnopqrstuvwxyz-0123456789"])).jwks()
    assert not any(PRIVATE_MEMBERS & set(jwk) for jwk in derived["keys"])


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_nothing_shows_a_key(algorithm: str) -> None:
    """Neither ``repr`` nor the name of a secret."""
    key = signing_key(algorithm)
    shown = f"{key!r} {[key]} {SigningKeys([key])!r} {key.id}"
    held = private(algorithm)
    secret = held if isinstance(held, bytes) else pem(held)
    for text in (secret.decode(), base64.b64encode(secret).decode(), secret.hex()):
        assert not any(text[at : at + 8] in shown for at in range(len(text) - 8) if "KEY" not in text[at : at + 8])


def test_an_error_does_not_show_the_key() -> None:
    """Nor what was tried with it before."""
    text = pem(private("ES256")).replace(b"-----END", b"A-----END")
    with pytest.raises(ConfigurationError) as caught:
        SigningKey.from_pem(text)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    assert text.splitlines()[1].decode() not in str(caught.value)

"""The keys with which tokens are signed and verified: one of them, and a ring that can be rotated."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, Final

from ...errors import ConfigurationError, MissingExtra
from ..checks import TOKEN_LENGTH
from . import policy as rules

if TYPE_CHECKING:
    from jwt.algorithms import Algorithm

    from ..._crypto import KeyRing

# What others sign with is theirs to choose; who signs here has the 128 bits of security that ASVS 11.2.3 asks for.
_RSA_BITS: Final = range(2048, 8192 + 1)
_OWN_RSA_BITS: Final = 3072
_OF_RING: Final = b"Ed25519 key of access tokens"


class SigningKey:
    """One key: made by :meth:`from_pem`, :meth:`from_secret` or :meth:`from_jwk`, never by what a token says.

    ``algorithm`` is the only one it is used with: ``EdDSA`` (Ed25519), ``ES256``, ``RS256`` or ``HS256``. ``id`` is the
    ``kid`` of its tokens: the thumbprint of RFC 7638; of a JWK its own ``kid``, if it has one; of a secret 16
    characters of a digest. Neither ``repr`` nor an error shows the key.
    """

    __slots__ = ("_private", "_public", "_scheme", "algorithm", "id")

    id: str
    algorithm: str

    def __init__(self, algorithm: str, public: Any, private: Any = None, *, kid: str | None = None) -> None:
        self.algorithm = algorithm
        self._scheme = _schemes()[algorithm]
        self._public = public
        self._private = private
        if kid is None:
            members = self._members()
            kid = rules.secret_id(public) if members is None else rules.thumbprint(members)
        self.id = kid

    def __repr__(self) -> str:
        return f"SigningKey({self.algorithm}, {self.id!r})"

    @classmethod
    def from_pem(cls, text: str | bytes) -> SigningKey:
        """The key of a PEM text: a private one signs and verifies, a public one verifies.

        Ed25519, P-256, or RSA of 2048 to 8192 bits, a private one of 3072 at least, and not encrypted;
        :class:`ConfigurationError` for anything else.
        """
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import rsa

        data = text.encode() if isinstance(text, str) else bytes(text)
        try:
            if b"PRIVATE KEY-----" in data:
                private = serialization.load_pem_private_key(data, password=None)
                if isinstance(private, rsa.RSAPrivateKey) and private.key_size < _OWN_RSA_BITS:
                    raise ConfigurationError(f"an RSA key that signs has {_OWN_RSA_BITS} bits at least")
                return cls(_algorithm_of(private.public_key()), private.public_key(), private)
            public = serialization.load_pem_public_key(data)
            return cls(_algorithm_of(public), public)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise ConfigurationError(
                "a signing key cannot be read: expected a PEM text of one key, PKCS #8 or SPKI, not encrypted"
            ) from None

    @classmethod
    def from_secret(cls, secret: bytes | str) -> SigningKey:
        """The key for HS256 of a secret that both sides share, at least 32 bytes (RFC 7518, section 3.2).

        :class:`ConfigurationError` for a short one, one that looks made up, and for all that looks like another kind of
        key: whoever knows a public key could sign with it.
        """
        from jwt.exceptions import InvalidKeyError

        raw = secret.encode() if isinstance(secret, str) else bytes(secret)
        rules.check_secret(raw)
        if any(_is_key(der) for der in rules.possible_der(raw)):
            raise ConfigurationError(rules.OTHER_KEY)
        try:
            raw = _schemes()["HS256"].prepare_key(raw)
        except InvalidKeyError:
            raise ConfigurationError(rules.OTHER_KEY) from None
        return cls("HS256", raw, raw)

    @classmethod
    def from_jwk(cls, jwk: Mapping[str, object]) -> SigningKey:
        """The public key of a JWK (RFC 7517): its private members are neither read nor kept.

        :class:`ConfigurationError` for a secret (``oct``), a key that is not for signatures, and one that
        :meth:`from_pem` would refuse.
        """
        from cryptography.exceptions import UnsupportedAlgorithm
        from jwt.exceptions import PyJWTError

        found = rules.public_jwk(jwk)
        try:
            public = _schemes()[found.algorithm].from_jwk(found.members)
        except (PyJWTError, ValueError, TypeError, UnsupportedAlgorithm):
            raise ConfigurationError("a JWK cannot be read: its members make no key") from None
        _algorithm_of(public)
        return cls(found.algorithm, public, kid=found.kid)

    @property
    def can_sign(self) -> bool:
        """Whether the private half is there."""
        return self._private is not None

    def sign(self, message: bytes) -> bytes:
        """The signature; :class:`ConfigurationError` if only the public half is there."""
        if self._private is None:
            raise ConfigurationError("a public key cannot sign: configure the private one")
        return self._scheme.sign(message, self._private)

    def verify(self, message: bytes, signature: bytes) -> bool:
        """Whether it is the signature of ``message`` under this key."""
        return self._scheme.verify(message, self._public, signature)

    def jwk(self) -> dict[str, object] | None:
        """The public key as a JWK; ``None`` for a secret."""
        members = self._members()
        return None if members is None else members | {"kid": self.id, "alg": self.algorithm, "use": "sig"}

    def _members(self) -> dict[str, object] | None:
        if self.algorithm in rules.SYMMETRIC:
            return None
        made: dict[str, object] = self._scheme.to_jwk(self._public, as_dict=True)
        return {name: made[name] for name in rules.MEMBERS[str(made["kty"])]}


class SigningKeys:
    """A ring of keys: the first that can sign signs, each verifies. To rotate, put a new one first.

    ``keys`` are all secrets or none is; a callable is asked at first use. :class:`ConfigurationError` for no key at
    all, for both kinds together, and for two of one name. It is a :class:`KeySource`.
    """

    def __init__(self, keys: Sequence[SigningKey] | Callable[[], Sequence[SigningKey]]) -> None:
        self._load = keys if callable(keys) else lambda: keys
        if not callable(keys):
            self._by_id  # noqa: B018 - wrong keys fail here, not at the first request

    def __repr__(self) -> str:
        return "SigningKeys(…)"

    @classmethod
    def of_ring(cls, ring: KeyRing) -> SigningKeys:
        """An Ed25519 key for each master key of ``ring``, derived from it: the same in each process, made when used.

        They rotate with the ring: its new first key signs, tokens of the older ones verify until they are taken out.
        """

        def derived() -> list[SigningKey]:
            from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

            # A master key that is in the ring twice makes one key.
            seeds = dict.fromkeys(ring.macs(_OF_RING, purpose="oauth-signing"))
            private = [Ed25519PrivateKey.from_private_bytes(seed) for seed in seeds]
            return [SigningKey("EdDSA", key.public_key(), key) for key in private]

        return cls(derived)

    @property
    def algorithms(self) -> frozenset[str]:
        """The algorithms of the keys: what a verifier of their tokens allows."""
        return frozenset(key.algorithm for key in self._by_id.values())

    def find(self, kid: str) -> SigningKey | None:
        """The key of this name."""
        return self._by_id.get(kid)

    def sign(self, claims: Mapping[str, object]) -> str:
        """A token of these claims, of type ``at+jwt`` (RFC 9068, section 2.1).

        :class:`ConfigurationError` if no key can sign; :class:`ValueError` for claims that are no JSON, or make a token
        of more than 8,192 characters, which no verifier takes.
        """
        head, key = self._signer
        payload = json.dumps(dict(claims), separators=(",", ":"), allow_nan=False).encode()
        signed = f"{head}.{rules.encoded(payload)}"
        token = f"{signed}.{rules.encoded(key.sign(signed.encode()))}"
        if len(token) > TOKEN_LENGTH:
            raise ValueError(f"the claims make a token of {len(token):,} characters: at most {TOKEN_LENGTH:,}")
        return token

    def jwks(self) -> dict[str, object]:
        """The public keys (RFC 7517, section 5), to be told to anybody; of secrets nothing."""
        return {"keys": [jwk for key in self._by_id.values() if (jwk := key.jwk()) is not None]}

    @cached_property
    def _by_id(self) -> dict[str, SigningKey]:
        keys = list(self._load())
        found = {key.id: key for key in keys}
        if not keys or len(found) != len(keys):
            raise ConfigurationError("expected at least one signing key, and no two of one name")
        rules.check_one_family(key.algorithm for key in keys)
        return found

    @cached_property
    def _signer(self) -> tuple[str, SigningKey]:
        key = next((key for key in self._by_id.values() if key.can_sign), None)
        if key is None:
            raise ConfigurationError("no key can sign tokens: all of them are public")
        return rules.header_of(key.algorithm, key.id), key


@cache
def _schemes() -> dict[str, Algorithm]:
    try:
        from jwt.algorithms import get_default_algorithms
    except ImportError:
        raise MissingExtra(
            "tokens are signed by PyJWT, which is not installed: pip install 'postrmagic-core[security]'"
        ) from None
    known = get_default_algorithms()
    return {name: known[name] for name in rules.ALGORITHMS}


def _algorithm_of(public: object) -> str:
    """The algorithm for a public key of `cryptography`; :class:`ConfigurationError` if there is none."""
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    if isinstance(public, ed25519.Ed25519PublicKey):
        return "EdDSA"
    if isinstance(public, ec.EllipticCurvePublicKey) and isinstance(public.curve, ec.SECP256R1):
        return "ES256"
    if isinstance(public, rsa.RSAPublicKey) and public.key_size in _RSA_BITS:
        return "RS256"
    raise ConfigurationError("a signing key is none of Ed25519, P-256 and RSA of 2048 to 8192 bits")


def _is_key(der: bytes) -> bool:
    """Whether these bytes are a key or a certificate in DER."""
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization

    def private(data: bytes) -> object:
        return serialization.load_der_private_key(data, password=None)

    for load in (serialization.load_der_public_key, x509.load_der_x509_certificate, private):
        try:
            load(der)
        except ValueError:
            continue
        except (TypeError, UnsupportedAlgorithm):
            return True  # encrypted, or of a kind that is not supported: a key all the same
        return True
    return False

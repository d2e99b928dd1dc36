"""Every decision about what a token's text, header and claims may be, and which keys may sign one. Pure.

A token is three segments of base64url (RFC 7515, section 7.1), at most 8,192 characters, which is asked before any of
them is decoded. base64url and JSON are taken in one form only: without padding or spare bits, no name twice, no number
that is none. So no two texts are the same token, and no two parsers can read one differently.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
from binascii import a2b_base64
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final, Literal, NamedTuple, TypeAlias, TypeGuard

from ...errors import ConfigurationError
from ..checks import TOKEN_LENGTH, USER_BYTES, unique_names
from .interface import Reason, TokenClaims, TokenRefusal

ALGORITHMS: Final = ("EdDSA", "ES256", "RS256", "HS256")
SYMMETRIC: Final = frozenset({"HS256"})
MEMBERS: Final = {"OKP": ("crv", "kty", "x"), "EC": ("crv", "kty", "x", "y"), "RSA": ("e", "kty", "n")}
"""The members of a public JWK by which RFC 7638, section 3.2, and RFC 8037, section 2, know it, in their order."""

_OPENED: Final = 100
_AHEAD: Final = 5.0
"""Seconds by which a token may come from the future: the clock of the host that issued it is another one than ours."""
TYPE: Final = "at+jwt"
_TYPES: Final = {TYPE, f"application/{TYPE}"}
_HEADER: Final = {"alg", "kid", "typ"}

_IS_COMPACT = re.compile(r"([\w-]+)\.([\w-]+)\.([\w-]+)", re.ASCII).fullmatch
_STANDARD = bytes.maketrans(b"-_", b"+/")
# The last character of a segment whose length leaves 2 or 3 over, when the bits that are to spare are zero.
_ENDS: Final = {2: "AQgw", 3: "AEIMQUYcgkosw048"}
_PADDING: Final = (b"", b"===", b"==", b"=")

# RFC 6749, section 3.3.
_IS_SCOPE = re.compile(r"[!#-\[\]-~]+(?: [!#-\[\]-~]+)*").fullmatch
_NO_SCOPE: Final = "-"  # in its place where there is none, as a null is not
# 9999-12-31T23:59:59Z, the last second that a datetime tells.
_LAST_SECOND: Final = 253_402_300_799
_NUMBER: Final = 20

_SECRET_BYTES, _DISTINCT = 32, 8
_WEAK = (b"secret", b"changeme", b"password", b"postrmagic", b"development")
_KEY_TEXT = re.compile(rb"-----BEGIN|---- BEGIN|\A\s*(?:ssh-|sk-|ecdsa-)")
OTHER_KEY: Final = (
    "a secret to sign tokens with looks like a key of another kind or a certificate, which others may know: "
    "make one with secrets.token_urlsafe(32)"
)

_JWK_KINDS: Final = {"EdDSA": ("OKP", "Ed25519"), "ES256": ("EC", "P-256"), "RS256": ("RSA", None)}


class Segments(NamedTuple):
    """The segments of a token, in base64url, whose meaning is not known yet."""

    header: str
    payload: str
    signature: str


class Header(NamedTuple):
    """What a token's header says: how it claims to be signed, and by the key of which name."""

    algorithm: str
    kid: str


class Read(NamedTuple):
    """A text that can be a token: what is signed, and how and by which key it claims to be."""

    segment: str
    header: Header
    message: bytes
    signature: bytes
    payload: bytes


class Terms(NamedTuple):
    """What a verifier asks of claims: from whom, for whom, and how many microseconds clocks may differ."""

    issuer: str
    audience: str
    leeway_us: int


class PublicJwk(NamedTuple):
    """What of a JWK is read: the public members alone."""

    algorithm: str
    members: dict[str, Any]
    kid: str | None


HeaderReason: TypeAlias = Literal["malformed", "header", "type", "algorithm", "key"]


def read(token: object, algorithms: Collection[str], known: Mapping[str, Header]) -> Read | HeaderReason:
    """What a text says, or why it is refused before any key is looked for; ``known``: headers that were read before."""
    parts = segments(token)
    if parts is None:
        return "malformed"
    found = known.get(parts.header) or header(parts.header, algorithms)
    if isinstance(found, str):
        return found
    payload, signature = decoded(parts.payload), decoded(parts.signature)
    if payload is None or signature is None:
        return "malformed"
    return Read(parts.header, found, f"{parts.header}.{parts.payload}".encode(), signature, payload)


def segments(token: object) -> Segments | None:
    """The segments of a text that can be a token; ``None`` for whatever else, long texts without looking at them."""
    if not isinstance(token, str) or len(token) > TOKEN_LENGTH:
        return None
    found = _IS_COMPACT(token)
    return None if found is None else Segments(*found.groups())


def decoded(segment: str) -> bytes | None:
    """The bytes of a segment of base64url characters; ``None`` unless it is how :func:`encoded` would write them."""
    rest = len(segment) & 3
    if rest and segment[-1] not in _ENDS.get(rest, ""):
        return None
    return a2b_base64(segment.encode().translate(_STANDARD) + _PADDING[rest])


def encoded(data: bytes) -> str:
    """base64url without padding (RFC 7515, section 2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def header(segment: str, algorithms: Collection[str]) -> Header | HeaderReason:
    """What the header says, or why it is refused.

    Nothing but ``alg``, ``typ`` and ``kid`` may stand in it: what else there is (``crit``, ``jwk``, ``jku``, ``x5u``,
    ``x5c``, ``zip``, ``b64``) brings a key along or another way to read the token. ``typ`` is an access token's, in any
    case (RFC 9068, section 4).
    """
    data = decoded(segment)
    if data is None:
        return "malformed"
    found = _parsed(data)
    if found is None or not found.keys() <= _HEADER or not all(type(value) is str for value in found.values()):
        return "header"
    if found.get("typ", "").lower() not in _TYPES:
        return "type"
    if found.get("alg") not in algorithms:
        return "algorithm"
    return Header(found["alg"], found["kid"]) if _is_text(found.get("kid")) else "key"


def header_of(algorithm: str, kid: str) -> str:
    """The header segment of the tokens of a key."""
    return encoded(json.dumps({"alg": algorithm, "kid": kid, "typ": TYPE}, separators=(",", ":")).encode())


def claims(payload: bytes, terms: Terms, now_us: int) -> TokenClaims | TokenRefusal:
    """What a token says whose signature is good, or why it is refused (RFC 9068, sections 2.2 and 4)."""
    found = _parsed(payload)
    token_id = None if found is None else found.get("jti")
    if found is None or not _is_text(token_id):
        return TokenRefusal("claims")
    why = _doubt(found, terms, now_us)
    return _told(found) if why is None else TokenRefusal(why, token_id)


def _doubt(found: Mapping[str, Any], terms: Terms, now_us: int) -> Reason | None:
    get = found.get
    # Exactly: neither a part of the text nor another case of it is the issuer, or the audience.
    if get("iss") != terms.issuer:
        return "issuer"
    if terms.audience not in _audiences(get("aud")):
        return "audience"
    expires, issued, begins = get("exp"), get("iat"), get("nbf", 0)
    if not (_is_time(expires) and _is_time(issued) and _is_time(begins)):
        return "claims"
    if not (_is_text(get("sub")) and _is_text(get("client_id")) and _is_scope(get("scope", _NO_SCOPE))):
        return "claims"
    return _untimely(expires, max(issued - _AHEAD, begins), terms.leeway_us, now_us)


def _told(found: dict[str, Any]) -> TokenClaims:
    take = found.pop
    take("nbf", None)
    scope = take("scope", None)
    return TokenClaims(
        issuer=take("iss"),
        audience=_audiences(take("aud")),
        subject=take("sub"),
        client_id=take("client_id"),
        id=take("jti"),
        issued_at=datetime.fromtimestamp(take("iat"), UTC),
        expires_at=datetime.fromtimestamp(take("exp"), UTC),
        scopes=frozenset() if scope is None else frozenset(scope.split(" ")),
        extra=MappingProxyType(found),
    )


def _untimely(expires: float, begins: float, leeway_us: int, now_us: int) -> Literal["expired", "early"] | None:
    """At the instant of its end a token is no longer good, at that of its begin it is."""
    if expires * 1_000_000 <= now_us - leeway_us:
        return "expired"
    return "early" if begins * 1_000_000 > now_us + leeway_us else None


def _audiences(given: object) -> tuple[str, ...]:
    """Whom a token is for: a text or a list of texts (RFC 7519, section 4.1.3); nobody, if it is neither."""
    if type(given) is str:
        return (given,)
    if type(given) is list and all(type(each) is str for each in given):
        return tuple(given)
    return ()


def _is_text(given: object) -> bool:
    if type(given) is not str or not 0 < len(given) <= USER_BYTES:
        return False
    try:
        return given.isascii() or len(given.encode()) <= USER_BYTES
    except UnicodeEncodeError:
        return False


def _is_scope(given: object) -> bool:
    return type(given) is str and _IS_SCOPE(given) is not None


def _is_time(given: object) -> TypeGuard[float]:
    """A NumericDate (RFC 7519, section 2) that a datetime can tell; ``True`` is a number to Python, but none here."""
    return (type(given) is int or type(given) is float) and 0 <= given <= _LAST_SECOND


def _parsed(data: bytes) -> dict[str, Any] | None:
    """The JSON object that these bytes are in UTF-8; ``None`` for what is none, or could be read in two ways.

    Nor for what opens so many lists and objects, one in another or not, as no token has: how deep the parser of a
    Python goes is its own affair, and whoever goes through the claims may go less deep.
    """
    if data.count(b"[") + data.count(b"{") > _OPENED:
        return None
    try:
        found = _DECODER.decode(data.decode())
    except (ValueError, RecursionError):
        return None
    return found if type(found) is dict else None


def _refused(text: str) -> Any:
    raise ValueError("NaN and infinity are no JSON")


def _whole(text: str) -> int:
    if len(text) > _NUMBER:
        raise ValueError("a number of too many digits")
    return int(text)


def _fraction(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("a number is too large")
    return value


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=unique_names, parse_constant=_refused, parse_int=_whole, parse_float=_fraction
)


def check_algorithms(given: Collection[str]) -> frozenset[str]:
    """The algorithms that a verifier allows; :class:`ConfigurationError` for ``none``, unknown ones, or both kinds."""
    if not given or not set(given) <= set(ALGORITHMS):
        raise ConfigurationError(f"expected a list of algorithms, of {', '.join(ALGORITHMS)}")
    check_one_family(given)
    return frozenset(given)


def check_one_family(algorithms: Iterable[str]) -> None:
    """:class:`ConfigurationError` for secrets beside public keys: one could be taken for the other."""
    if len({algorithm in SYMMETRIC for algorithm in algorithms}) > 1:
        raise ConfigurationError("secrets and public keys cannot verify the same tokens: use one kind")


def check_secret(secret: bytes) -> None:
    """:class:`ConfigurationError` for a secret that is short, looks made up, or looks like a key in a text."""
    if len(secret) < _SECRET_BYTES:
        raise ConfigurationError(
            f"a secret to sign tokens with needs at least {_SECRET_BYTES} bytes, got {len(secret)}"
        )
    if _KEY_TEXT.search(secret):
        raise ConfigurationError(OTHER_KEY)
    if len(set(secret)) < _DISTINCT or any(word in secret.lower() for word in _WEAK):
        raise ConfigurationError(
            "a secret to sign tokens with looks like a placeholder: make one with secrets.token_urlsafe(32)"
        )


def possible_der(secret: bytes) -> Iterator[bytes]:
    """The bytes that would be a key if the secret were one: its own, and those it writes in base64."""
    yield secret
    text = b"".join(secret.split()).translate(_STANDARD).rstrip(b"=")
    try:
        yield a2b_base64(text + _PADDING[len(text) & 3], strict_mode=True)
    except ValueError:
        return


def secret_id(secret: bytes) -> str:
    """The name of a secret, which says nothing about it."""
    return hashlib.sha256(b"kid" + secret).hexdigest()[:16]


def thumbprint(members: Mapping[str, object]) -> str:
    """The name of a public key, of its required members (RFC 7638, section 3)."""
    written = json.dumps(dict(members), separators=(",", ":"), sort_keys=True)
    return encoded(hashlib.sha256(written.encode()).digest())


def public_jwk(jwk: Mapping[str, object]) -> PublicJwk:
    """What of a JWK makes a public key; :class:`ConfigurationError` if it is none with which tokens are verified."""
    kty, crv, kid = (jwk.get(name) for name in ("kty", "crv", "kid"))
    algorithm = next((name for name, kind in _JWK_KINDS.items() if kind == (kty, crv if kind[1] else None)), None)
    if algorithm is None or jwk.get("alg", algorithm) != algorithm:
        raise ConfigurationError("a JWK is none of Ed25519, P-256 and RSA, or is for another algorithm")
    operations = jwk.get("key_ops", ["verify"])
    if jwk.get("use", "sig") != "sig" or not isinstance(operations, list) or "verify" not in operations:
        raise ConfigurationError("a JWK is not for signatures")
    members = {name: jwk.get(name) for name in MEMBERS[str(kty)]}
    if not all(isinstance(value, str) for value in members.values()):
        raise ConfigurationError("a JWK cannot be read: its members make no key")
    if kid is not None and not _is_text(kid):
        raise ConfigurationError(f"expected as a JWK's kid a text of 1 to {USER_BYTES} bytes")
    return PublicJwk(algorithm, members, None if kid is None else str(kid))


def check_leeway(seconds: float) -> int:
    """The microseconds; :class:`ConfigurationError` unless it is 0 to 60 seconds."""
    if isinstance(seconds, bool) or not 0 <= seconds <= 60:
        raise ConfigurationError(f"expected a leeway of 0 to 60 seconds, got {seconds!r}")
    return round(seconds * 1_000_000)


def check_name(what: str, given: object) -> str:
    """The issuer or audience; :class:`ConfigurationError` unless it is a text."""
    if not isinstance(given, str) or not given:
        raise ConfigurationError(f"expected as {what} a text, got {type(given).__name__}")
    return given

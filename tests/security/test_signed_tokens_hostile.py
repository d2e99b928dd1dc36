"""What others send in the place of a token: changed, cut, unsigned, with keys of their own, long, deep, or noise."""

from __future__ import annotations

import json
import socket
import string
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from hypothesis import example, given
from hypothesis import strategies as st

from postrmagic_core._clock import from_us
from postrmagic_core.security.signed_tokens import SigningKey, SigningKeys
from postrmagic_core.security.signed_tokens import policy as rules

from .signed_tokens_rig import (
    ALGORITHMS,
    NOW,
    b64,
    claims,
    headed,
    header,
    keys,
    reason,
    saying,
    segment,
    signed,
    signing_key,
    verifier,
)

BASE64URL = string.ascii_letters + string.digits + "-_"
KEY = signing_key("EdDSA")


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever opens a connection fails."""

    def refuse(*args: object, **options: object) -> Any:
        raise AssertionError("a token made somebody open a connection")

    for name in ("socket", "create_connection", "getaddrinfo"):
        monkeypatch.setattr(socket, name, refuse)


# 9.1.1: the signature comes first.


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_no_character_can_be_changed(algorithm: str) -> None:
    """Each to several others: of the alphabet, its neighbours, and what some decoders skip or take for another."""
    ours, token = verifier(algorithm), keys(algorithm).sign(claims())
    assert ours.verify(token) is not None
    taken = []
    for at, old in enumerate(token):
        there = BASE64URL.find(old)
        near = {BASE64URL[(there + step) % 64] for step in (1, 2, 4, 16, 32, -1)}
        for new in (near | set("A_.=+/ \n\x00\u00e4\uff21")) - {old}:
            changed = token[:at] + new + token[at + 1 :]
            if ours.verify(changed) is not None:
                taken.append((at, old, new))
    assert taken == []


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_token_is_written_in_one_way(algorithm: str) -> None:
    """The last character of a segment has bits to spare, and decoders skip padding: only the one text is the token."""
    ours, token = verifier(algorithm), keys(algorithm).sign(claims())
    parts = token.split(".")
    taken = []
    for number in range(3):
        part = parts[number]
        others = [part[:-1] + last for last in BASE64URL if last != part[-1]]
        others += [
            part + more for more in ("=", "==", "===", "A", "AA", "AAA", "AAAA", " ", "\n", "\r\n", "%3D", "\x00")
        ]
        others += [
            "=" + part,
            " " + part,
            part + "=" * (-len(part) % 4),
            part.replace("-", "+").replace("_", "/") + "=",
        ]
        for other in set(others) - {part}:
            changed = ".".join([*parts[:number], other, *parts[number + 1 :]])
            if ours.verify(changed) is not None:
                taken.append(changed)
    assert taken == []


@given(st.text(BASE64URL, min_size=1, max_size=12))
def test_no_two_texts_are_the_same_bytes(text: str) -> None:
    """Whatever is decoded is written again as it was."""
    found = rules.decoded(text)
    assert found is None or rules.encoded(found) == text


@given(st.binary(max_size=40))
def test_whatever_is_written_is_read(data: bytes) -> None:
    """The same bytes."""
    assert rules.decoded(rules.encoded(data) or "AA") == (data or b"\x00")


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_no_token_can_be_cut(algorithm: str) -> None:
    """At any length, from either end, nor made longer."""
    ours, token = verifier(algorithm), keys(algorithm).sign(claims())
    assert [at for at in range(len(token)) if ours.verify(token[:at]) or (at and ours.verify(token[at:]))] == []
    longer = [token + more for more in (".", "..", ".A", "A", " ", "\n", "\x00", "=", f".{token}")]
    longer += [more + token for more in (".", "A.", " ", "\ufeff", "Bearer ", "\n")]
    assert [text for text in longer if ours.verify(text) is not None] == []


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_no_signature_of_nothing_is_one(algorithm: str) -> None:
    """Zeros, which broken curves take for a signature (CVE-2022-21449), of any length, and another key's."""
    ours = verifier(algorithm)
    key = signing_key(algorithm)
    message = f"{segment(header(key))}.{segment(claims())}"
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    bad = [b"\x00" * size for size in (1, 31, 32, 63, 64, 65, 256, 512)]
    bad += [b"\xff" * 64, order.to_bytes(32, "big") * 2, order.to_bytes(32, "big") + b"\x00" * 32]
    bad += [signing_key(algorithm, 1).sign(message.encode()), b"\x00" + key.sign(message.encode())]
    assert [reason(ours, f"{message}.{b64(signature)}") for signature in bad] == ["signature"] * len(bad)


def test_a_signature_is_in_the_form_of_jose() -> None:
    """A signature that is good in DER is none here (RFC 7518, section 3.4): it could be written in several ways."""
    key = signing_key("ES256")
    message = f"{segment(header(key))}.{segment(claims())}"
    raw = key.sign(message.encode())
    der = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    assert reason(verifier("ES256"), f"{message}.{b64(raw)}") is None
    assert reason(verifier("ES256"), f"{message}.{b64(der)}") == "signature"


def test_claims_are_not_read_before_the_signature(monkeypatch: pytest.MonkeyPatch) -> None:
    """What nobody known has signed is not even parsed."""
    token = keys(number=1).sign(claims()).split(".")
    good = keys().sign(claims()).split(".")

    def refuse(*args: object) -> Any:
        raise AssertionError("claims were read")

    monkeypatch.setattr(rules, "claims", refuse)
    assert reason(verifier(), f"{good[0]}.{token[1]}.{token[2]}") == "signature"
    assert reason(verifier(), ".".join(token)) == "key"


# 9.1.2: algorithms.

NONE = ["none", "None", "NONE", "nOnE", "NoNe", "", "null", "none ", "\u0000none"]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_none_is_no_algorithm(algorithm: str) -> None:
    """In any case, with any signature or without one, by a key that is known."""
    ours, key = verifier(algorithm), signing_key(algorithm)
    for name in NONE:
        head, body = segment(header(key, alg=name)), segment(claims())
        assert reason(ours, f"{head}.{body}.") == "malformed"
        assert reason(ours, f"{head}.{body}") == "malformed"
        for signature in (b"\x00", key.sign(f"{head}.{body}".encode())):
            assert reason(ours, f"{head}.{body}.{b64(signature)}") == "algorithm"


def test_an_algorithm_is_its_key_s() -> None:
    """Of those allowed each key has one, and no name beside those four is known."""
    ring = keys("ES256")
    ours = verifier(keys=ring, algorithms=("EdDSA", "ES256", "RS256"))
    key = signing_key("ES256")
    assert reason(ours, signed(header(key), claims(), key)) is None
    for other in ("EdDSA", "RS256"):
        assert reason(ours, signed(header(key, alg=other), claims(), key)) == "algorithm"
    others = ["HS256", "HS384", "HS512", "RS384", "RS512", "PS256", "ES384", "ES512", "ES256K", "Ed25519", "es256"]
    for other in others:
        assert reason(ours, signed(header(key, alg=other), claims(), key)) == "algorithm"
    no_texts: list[Any] = [None, 0, True, ["ES256"], {"alg": "ES256"}]
    for none in no_texts:
        assert reason(ours, signed(header(key, alg=none), claims(), key)) == "header"


def test_an_algorithm_is_one_of_those_allowed() -> None:
    """A key that is known does not allow what its verifier did not."""
    both = SigningKeys([signing_key("EdDSA"), signing_key("ES256")])
    token = signed(header(signing_key("ES256")), claims(), signing_key("ES256"))
    assert reason(verifier(keys=both, algorithms=("EdDSA",)), token) == "algorithm"
    assert reason(verifier(keys=both, algorithms=("EdDSA", "ES256")), token) is None


# 9.1.3: keys come from where they were configured.


class Asked:
    """A source of keys that notes what it was asked for."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def find(self, kid: str) -> SigningKey | None:
        """The key, if that is its name."""
        self.names.append(kid)
        return KEY if kid == KEY.id else None


ATTACKER = signing_key("EdDSA", 7)
OWN_KEY: list[dict[str, Any]] = [
    {"jwk": ATTACKER.jwk()},
    {"jku": "https://attacker.example/jwks.json"},
    {"jku": "http://127.0.0.1:1/jwks.json"},
    {"x5u": "https://attacker.example/cert.pem"},
    {"x5u": "file:///etc/passwd"},
    {"x5c": ["MIIB"]},
    {"x5t": "AAAA"},
    {"x5t#S256": "AAAA"},
    {"jwk": None},
]
OTHER_MEMBERS: list[dict[str, Any]] = [
    {"crit": ["exp"]},
    {"crit": []},
    {"crit": ["b64", "b64"], "b64": True},
    {"crit": ["http://example.com/UNDEFINED"], "http://example.com/UNDEFINED": True},
    {"crit": "exp"},
    {"crit": {"exp": 1}},
    {"crit": None},
    {"crit": [7]},
    {"b64": False, "crit": ["b64"]},
    {"b64": True},
    {"zip": "DEF"},
    {"cty": "JWT"},
    {"enc": "A128GCM"},
    {"epk": {}},
    {"nonce": "x"},
    {"url": "https://attacker.example"},
    {"iss": "https://posters.example"},
    {"": ""},
    {"ALG": "EdDSA"},
    {"Kid": "x"},
]


@pytest.mark.parametrize("more", OWN_KEY + OTHER_MEMBERS, ids=lambda more: str(more)[:40])
def test_a_header_brings_nothing_along(more: dict[str, Any]) -> None:
    """Neither a key, nor where one is, nor another way to read the token; no key is asked for before that is seen."""
    asked = Asked()
    ours = verifier(keys=asked)
    for key in (KEY, ATTACKER):
        for kid in (KEY.id, ATTACKER.id):
            assert reason(ours, signed(header(key, kid=kid, **more), claims(), key)) == "header"
    assert asked.names == []
    assert reason(ours, signed(header(KEY), claims(), KEY)) is None


KIDS: list[Any] = [
    "../../../../dev/null",
    "/dev/null",
    "file:///dev/null",
    "https://attacker.example/key",
    "' UNION SELECT 'key' --",
    "; sleep 5",
    "\x00",
    KEY.id + "\x00",
    KEY.id + " ",
    KEY.id.lower(),
    KEY.id[:-1],
    "0",
    "None",
    "\u00e4" * 95,
]
NO_KIDS: list[Any] = ["", "x" * 191, "\u00e4" * 96, "\ud800"]
NO_TEXTS: list[Any] = [None, 0, -1, True, 1.5, [KEY.id], {"kid": KEY.id}, []]


def test_a_kid_is_a_name_and_nothing_else() -> None:
    """It is looked up as it is, or not at all."""
    asked = Asked()
    ours = verifier(keys=asked)
    for kid in KIDS:
        assert reason(ours, headed(header(KEY, kid=kid))) == "key"
    assert asked.names == [kid for kid in KIDS for _ in range(2)]
    for kid in NO_KIDS:
        assert reason(ours, headed(header(KEY, kid=kid))) == "key"
    for kid in NO_TEXTS:
        assert reason(ours, headed(header(KEY, kid=kid))) == "header"
    assert reason(ours, headed({"alg": "EdDSA", "typ": "at+jwt"})) == "key"
    assert len(asked.names) == 2 * len(KIDS)


def test_no_key_is_asked_for_what_cannot_be_a_token() -> None:
    """Who asks another server for keys asks it nothing for noise."""
    asked = Asked()
    ours = verifier(keys=asked)
    head, body, tail = saying(claims()).split(".")
    for text in (
        f"{head}.{body}",
        f"{head}.{body}.A",
        f"{head}.B.{tail}",
        f"{head}.{body}.{tail}AAA",
        f".{body}.{tail}",
    ):
        assert reason(ours, text) == "malformed"
    assert asked.names == []


def test_an_attacker_s_key_is_not_remembered() -> None:
    """Nor the header of what was refused."""
    ours = verifier()
    for _ in range(3):
        assert reason(ours, signed(header(KEY), claims(), ATTACKER)) == "signature"
        assert reason(ours, signed(header(ATTACKER), claims(), ATTACKER)) == "key"
    assert ours._headers == {}


# Whatever else there is.

NO_TOKENS: list[Any] = [
    None,
    "",
    ".",
    "..",
    "...",
    "a.b.c",
    b"a.b.c",
    7,
    1.5,
    True,
    [],
    {},
    "\ud800",
    "\u0000",
    "\uff21.\uff21.\uff21",
    "\u0661.\u0661.\u0661",
    "null",
    "[object Object]",
    "pm_" + "0" * 66,
]


@pytest.mark.parametrize("given_token", NO_TOKENS, ids=repr)
def test_what_is_no_token_is_malformed(given_token: object) -> None:
    """Of whatever type, and digits of other scripts are none of base64url's."""
    assert reason(verifier(), given_token) in {"malformed", "header"}


def test_a_token_is_a_text() -> None:
    """Its bytes are not, nor a list of it."""
    token = saying(claims())
    ours = verifier()
    assert [ours.verify(each) for each in (token.encode(), [token], bytearray(token.encode()))] == [None] * 3


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just("EdDSA") | st.just(KEY.id),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
OURS = verifier()
GOOD = saying(claims())


@given(st.text() | st.text(BASE64URL + ".=") | st.binary() | JSON)
@example("\x00.\x00.\x00")
def test_nothing_that_is_sent_raises(text: object) -> None:
    """It is refused."""
    assert OURS.verify(text) is None


@given(st.integers(0, len(GOOD)), st.integers(0, len(GOOD)), st.text(max_size=6))
def test_nothing_that_was_a_token_raises(begin: int, end: int, middle: str) -> None:
    """With a part of it in another's place."""
    text = GOOD[:begin] + middle + GOOD[end:]
    assert (OURS.verify(text) is None) == (text != GOOD)


@given(st.dictionaries(st.sampled_from(["alg", "kid", "typ", "crit", "x"]), JSON) | JSON, JSON)
def test_no_signed_header_raises(head: Any, payload: Any) -> None:
    """Whoever signs it."""
    assert OURS.verify(signed(json.dumps(head), json.dumps(payload))) is None


@given(st.dictionaries(st.sampled_from([*claims(), "nbf", "x"]), JSON))
def test_no_signed_claim_raises(changes: dict[str, Any]) -> None:
    """What is told of a token that is good has the types it says."""
    found = OURS.verify(saying(claims(**changes)))
    if found is not None:
        texts = [found.subject, found.client_id, found.id, *found.audience, *found.scopes]
        assert all(type(text) is str and text for text in texts)
        assert found.expires_at > from_us(NOW * 1_000_000) >= found.issued_at


@given(st.binary(max_size=200))
def test_no_signed_bytes_raise(data: bytes) -> None:
    """As claims, or as a header."""
    assert OURS.verify(saying(data or b"\x00")) is None
    assert OURS.verify(headed(data or b"\x00")) is None

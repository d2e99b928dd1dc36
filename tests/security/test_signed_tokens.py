"""Signed tokens: what a good one says, how keys are rotated, what is counted, and what cannot be configured."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from postrmagic_core._crypto import KeyRing
from postrmagic_core._metrics import Metrics
from postrmagic_core.errors import BackendUnavailable, ConfigurationError
from postrmagic_core.security.signed_tokens import SigningKey, SigningKeys, TokenClaims, TokenRefusal, TokenVerifier

from .signed_tokens_rig import (
    ALGORITHMS,
    AUDIENCE,
    ISSUER,
    NOW,
    claims,
    header,
    keys,
    reason,
    saying,
    signed,
    signing_key,
    verifier,
    without,
)

MASTERS = [f"{number}-abcdefghijklmnopqrstuvwxyz-0123456789" for number in range(3)]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_good_token_says_what_was_signed(algorithm: str) -> None:
    """With each algorithm, once and again, by the key that signed it."""
    token = keys(algorithm).sign(claims(nbf=NOW, more={"a": [1, 2.5, None]}))
    ours = verifier(algorithm)
    expected = TokenClaims(
        issuer=ISSUER,
        audience=(AUDIENCE,),
        subject="7",
        client_id="reader",
        id="01J0",
        issued_at=datetime.fromtimestamp(NOW, UTC),
        expires_at=datetime.fromtimestamp(NOW, UTC) + timedelta(minutes=10),
        scopes=frozenset({"media.read", "media.write"}),
        extra={"grant": "g1", "more": {"a": [1, 2.5, None]}},
    )
    assert [ours.verify(token), ours.verify(token)] == [expected, expected]
    assert verifier(algorithm, keys=keys(algorithm, 1)).verify(token) is None


def test_what_is_told_cannot_be_changed() -> None:
    """Two who verify a token do not see each other's."""
    found: Any = verifier().verify(keys().sign(claims()))
    with pytest.raises(TypeError):
        found.extra["grant"] = "g2"
    with pytest.raises(AttributeError):
        found.subject = "8"


def test_a_token_need_not_say_what_it_may() -> None:
    """Without a scope there is none, which is not all of them."""
    found = verifier().verify(saying(without("scope", "grant")))
    assert found is not None
    assert (found.scopes, dict(found.extra)) == (frozenset(), {})


# Keys are rotated.


def test_a_new_key_signs_while_the_old_one_verifies() -> None:
    """Until it is taken out: a header that was good is not remembered beyond its key."""
    old, new = signing_key("EdDSA"), signing_key("EdDSA", 1)
    ring = [old]
    shared = SigningKeys(lambda: ring)
    before = shared.sign(claims())
    both, after = SigningKeys([new, old]), SigningKeys([new])
    token = both.sign(claims())
    for verifying in (verifier(keys=both), verifier(keys=SigningKeys([old, new]))):
        assert verifying.verify(before) is not None
        assert verifying.verify(token) is not None
    assert reason(verifier(keys=after), before) == "key"
    assert reason(verifier(keys=after), token) is None

    class Changing:
        ring: Any = both

        def find(self, kid: str) -> SigningKey | None:
            found: SigningKey | None = self.ring.find(kid)
            return found

    source = Changing()
    living = verifier(keys=source)
    assert living.verify(before) is not None
    source.ring = after
    assert reason(living, before) == "key"
    assert living.verify(token) is not None


def test_a_public_key_in_front_does_not_sign() -> None:
    """The first that can does; where none can, that is said."""
    public = SigningKey.from_jwk(signing_key("EdDSA", 1).jwk() or {})
    ring = SigningKeys([public, signing_key("EdDSA")])
    assert verifier(keys=ring).verify(ring.sign(claims())) is not None
    with pytest.raises(ConfigurationError, match="all of them are public"):
        SigningKeys([public]).sign(claims())
    with pytest.raises(ConfigurationError, match="cannot sign"):
        public.sign(b"")
    assert (public.can_sign, signing_key("EdDSA").can_sign) == (False, True)


def test_keys_of_a_ring_are_the_same_in_each_process() -> None:
    """A token of one is good in the other, whose memory it does not share."""
    token = SigningKeys.of_ring(KeyRing(MASTERS[:1])).sign(claims())
    ask = (
        "import sys, json\n"
        "from postrmagic_core._crypto import KeyRing\n"
        "from postrmagic_core.security.signed_tokens import SigningKeys\n"
        "given = json.load(sys.stdin)\n"
        "keys = SigningKeys.of_ring(KeyRing(given['masters']))\n"
        "print(json.dumps([keys.jwks(), keys.sign(given['claims'])]))\n"
    )
    there = subprocess.run(
        [sys.executable, "-I", "-c", ask],
        input=json.dumps({"masters": MASTERS[:1], "claims": claims()}),
        capture_output=True,
        text=True,
        check=True,
    )
    keys_here = SigningKeys.of_ring(KeyRing(MASTERS[:1]))
    assert json.loads(there.stdout) == [keys_here.jwks(), token]


def test_keys_of_a_ring_rotate_with_it() -> None:
    """Its new first key signs; what an older one signed is good until that is taken out."""
    one, two = SigningKeys.of_ring(KeyRing(MASTERS[:1])), SigningKeys.of_ring(KeyRing([MASTERS[1], MASTERS[0]]))
    last = SigningKeys.of_ring(KeyRing(MASTERS[1:2]))
    old, new = one.sign(claims()), two.sign(claims())
    assert [reason(verifier(keys=two), token) for token in (old, new)] == [None, None]
    assert [reason(verifier(keys=one), token) for token in (old, new)] == [None, "key"]
    assert [reason(verifier(keys=last), token) for token in (old, new)] == ["key", None]
    assert SigningKeys.of_ring(KeyRing([MASTERS[0], MASTERS[0]])).jwks() == one.jwks()


def test_keys_of_a_ring_are_made_when_they_are_used() -> None:
    """A ring that cannot be had yet harms nobody who only wires things up."""
    asked: list[int] = []

    def load() -> list[str]:
        asked.append(1)
        return MASTERS[:1]

    ring = SigningKeys.of_ring(KeyRing(load))
    verifier(keys=ring)
    assert asked == []
    ring.jwks()
    assert asked == [1]


# What its operator is told.


def test_refusals_are_counted_and_those_of_signed_tokens_logged(caplog: pytest.LogCaptureFixture) -> None:
    """By reason, without the token; what anybody can write is counted alone."""
    metrics = Metrics()
    ours = verifier(metrics=metrics)
    caplog.set_level(logging.INFO)
    good = keys().sign(claims())
    bad = [None, "x", good[:-1] + "!", keys(number=1).sign(claims()), saying(claims(exp=1)), saying(claims(aud="x"))]
    assert [ours.verify(each) for each in [*bad, good]][:-1] == [None] * len(bad)
    counted = {(name, dict(labels).get("reason")): value for name, labels, value in metrics.counters()}
    assert counted == {
        ("signed_tokens_verified_total", None): 1,
        ("signed_tokens_refused_total", "malformed"): 3,
        ("signed_tokens_refused_total", "key"): 1,
        ("signed_tokens_refused_total", "expired"): 1,
        ("signed_tokens_refused_total", "audience"): 1,
    }
    told = [vars(record) for record in caplog.records]
    assert [(each["event"], each["jti"], each["reason"]) for each in told] == [
        ("security.signed_token.refused", "01J0", "expired"),
        ("security.signed_token.refused", "01J0", "audience"),
    ]
    assert not any(
        part in str(told) for token in bad if isinstance(token, str) for part in token.split(".") if part > "z"
    )


def test_judging_tells_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """Who judges counts and logs for itself."""
    metrics = Metrics()
    ours = verifier(metrics=metrics)
    caplog.set_level(logging.DEBUG)
    assert ours.judge(saying(claims(exp=1))) == TokenRefusal("expired", "01J0")
    assert ours.judge(saying(claims(exp=1, jti=5))) == TokenRefusal("claims")
    assert ours.judge("x") == TokenRefusal("malformed")
    assert isinstance(ours.judge(saying(claims())), TokenClaims)
    assert [value for _, _, value in metrics.counters() if value] == []
    assert caplog.records == []


def test_a_source_that_cannot_answer_is_not_an_answer() -> None:
    """Its error passes through: a token is not bad because the other server is away."""

    class Away:
        def find(self, kid: str) -> SigningKey | None:
            raise BackendUnavailable("away")

    with pytest.raises(BackendUnavailable):
        verifier(keys=Away()).verify(saying(claims()))


def test_headers_that_were_good_are_kept_in_small_number() -> None:
    """However many ways its issuer finds to write one."""
    ours = verifier()
    key = signing_key("EdDSA")
    for spaces in range(200):
        head = json.dumps(header(key)) + " " * spaces
        assert ours.verify(signed(head, claims())) is not None
    assert len(ours._headers) <= 16


# Configuring.


@pytest.mark.parametrize(
    "wrong",
    [
        {"algorithms": ()},
        {"algorithms": "EdDSA"},
        {"algorithms": ["none"]},
        {"algorithms": ["EdDSA", "none"]},
        {"algorithms": ["EdDSA", "NONE"]},
        {"algorithms": ["HS384"]},
        {"algorithms": ["HS256", "RS256"]},
        {"algorithms": ["EdDSA", "HS256"]},
        {"issuer": ""},
        {"issuer": None},
        {"audience": ""},
        {"audience": [AUDIENCE]},
        {"leeway": -1},
        {"leeway": 60.5},
        {"leeway": float("nan")},
        {"leeway": True},
    ],
    ids=str,
)
def test_what_would_accept_too_much_cannot_be_configured(wrong: dict[str, Any]) -> None:
    """No ``none``, no secret beside public keys, nobody's tokens, and no clock that is hours off."""
    given: dict[str, Any] = {"issuer": ISSUER, "audience": AUDIENCE, **wrong}
    with pytest.raises(ConfigurationError):
        TokenVerifier(keys(), **given)


def test_no_token_is_made_that_no_verifier_takes() -> None:
    """Neither too long, nor with a number that JSON has not."""
    with pytest.raises(ValueError, match="at most 8,192"):
        keys().sign(claims(more="x" * 8000))
    with pytest.raises(ValueError, match="JSON"):
        keys().sign(claims(more=float("nan")))

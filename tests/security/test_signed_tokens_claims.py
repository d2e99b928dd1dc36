"""What claims may be: scopes, times, names, from whom and for whom, and what kind of token."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from postrmagic_core.testing import FakeClock

from .signed_tokens_rig import NOW, claims, headed, header, reason, saying, signing_key, verifier, without


@pytest.mark.parametrize(
    ("scope", "good"),
    [
        ("a", True),
        ("a b", True),
        ("a a", True),
        ("!~#[]:/", True),
        ("", False),
        (" ", False),
        ("a  b", False),
        (" a", False),
        ("a ", False),
        ("a\tb", False),
        ('a"b', False),
        ("a\\b", False),
        ("\u00e4", False),
        ("a\n", False),
        (["a"], False),
        (None, False),
        (0, False),
        ({}, False),
    ],
)
def test_scopes_are_words(scope: object, good: bool) -> None:
    """As RFC 6749, section 3.3, writes them: no list, and no word that is empty."""
    assert (reason(verifier(), saying(claims(scope=scope))) is None) is good


# Time: 9.2.1.

LEEWAY = 30


@pytest.mark.parametrize("leeway", [0, LEEWAY, 0.5])
def test_a_token_is_good_for_its_time(leeway: float) -> None:
    """At the instant of its end it is not, at that of its begin it is; clocks may differ by the leeway.

    When it was issued may be five seconds ahead besides: of two hosts behind one balancer the other one did.
    """
    ours = verifier(leeway=leeway)
    least = 1e-3
    for change, expected in (
        ({"exp": NOW - leeway}, "expired"),
        ({"exp": NOW - leeway + least}, None),
        ({"exp": NOW - leeway - 1}, "expired"),
        ({"exp": 0}, "expired"),
        ({"nbf": NOW + leeway}, None),
        ({"nbf": NOW + leeway + least}, "early"),
        ({"iat": NOW + leeway + 5}, None),
        ({"iat": NOW + leeway + 5 + least}, "early"),
        ({"iat": 0, "nbf": 0}, None),
        ({"iat": 0, "nbf": NOW + leeway + 1}, "early"),
        ({"iat": NOW + leeway + 6, "nbf": 0}, "early"),
    ):
        assert reason(ours, saying(claims(**change))) == expected, change


def test_a_token_ends_while_the_clock_runs() -> None:
    """It was good a microsecond ago."""
    clock = FakeClock()
    ours = verifier(clock=clock)
    token = saying(claims(exp=NOW + 10))
    clock.advance(9.999999)
    assert ours.verify(token) is not None
    clock.advance(0.000001)
    assert ours.verify(token) is None


NO_TIMES: list[Any] = [
    None,
    True,
    False,
    f"{NOW + 60}",
    "",
    [NOW + 60],
    {},
    -1,
    -0.5,
    253_402_300_800,
    10**19,
    10**300,
    1e18,
]


@pytest.mark.parametrize("claim", ["exp", "iat", "nbf"])
@pytest.mark.parametrize("value", NO_TIMES, ids=str)
def test_a_time_is_a_number(claim: str, value: object) -> None:
    """Not a text, ``true`` or a list of one, none that is negative, and none that no calendar has."""
    assert reason(verifier(), saying(claims(**{claim: value}))) == "claims"


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999", "1" * 5000, "0x7fffffff", "01"])
@pytest.mark.parametrize("claim", ["exp", "iat", "nbf", "other"])
def test_a_number_is_one_in_json(claim: str, number: str) -> None:
    """Python reads more of them than there are, and some take long."""
    text = json.dumps(claims(**{claim: 4711471147})).replace("4711471147", number)
    assert number in text
    assert reason(verifier(), saying(text)) == "claims"


def test_the_last_second_there_is_can_be_told() -> None:
    """Of the year 9999."""
    found = verifier().verify(saying(claims(exp=253_402_300_799)))
    assert found is not None
    assert found.expires_at == datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    assert verifier().verify(saying(claims(exp=253_402_300_799.5))) is None


@pytest.mark.parametrize("claim", ["iss", "aud", "exp", "iat", "sub", "client_id", "jti"])
def test_no_claim_may_be_missing(claim: str) -> None:
    """Of those that RFC 9068, section 2.2, requires."""
    expected = {"iss": "issuer", "aud": "audience"}.get(claim, "claims")
    assert reason(verifier(), saying(without(claim))) == expected
    assert reason(verifier(), saying(claims(**{claim: None}))) == expected


@pytest.mark.parametrize("claim", ["sub", "client_id", "jti"])
@pytest.mark.parametrize("value", ["", 7, True, ["7"], {}, "x" * 191, "\u00e4" * 96, "\ud800"], ids=ascii)
def test_a_name_is_a_text_that_a_column_takes(claim: str, value: object) -> None:
    """Not a number, which would be another user's text, and at most 190 bytes."""
    assert reason(verifier(), saying(claims(**{claim: value}))) == "claims"
    for longest in ("x" * 190, "\u00e4" * 95):
        assert verifier().verify(saying(claims(**{claim: longest}))) is not None


# For whom, and from whom: 9.2.3, 9.2.4 and GHSA-75c5.


@pytest.mark.parametrize(
    "issuer",
    ["acme", "acme.co", "acme.com/", "acme.comm", "ACME.COM", " acme.com", "acme.com ", ["acme.com"], "", None, 0, {}],
    ids=str,
)
def test_the_issuer_is_the_whole_text(issuer: object) -> None:
    """Neither a part of it, nor what holds it, nor a list."""
    ours = verifier(issuer="acme.com")
    assert reason(ours, saying(claims(iss="acme.com"))) is None
    assert reason(ours, saying(claims(iss=issuer))) == "issuer"
    if isinstance(issuer, str) and issuer:
        assert reason(verifier(issuer=issuer), saying(claims(iss="acme.com"))) == "issuer"


@pytest.mark.parametrize(
    ("audience", "good"),
    [
        ("api", True),
        (["api"], True),
        (["other", "api"], True),
        ("other", False),
        (["other"], False),
        ([], False),
        ("ap", False),
        ("api2", False),
        ("API", False),
        ("api ", False),
        (["other api"], False),
        (["api", 1], False),
        (["api", None], False),
        ([["api"]], False),
        ({"api": "api"}, False),
        (True, False),
        (None, False),
        ("", False),
    ],
    ids=str,
)
def test_the_audience_is_one_of_the_texts(audience: object, good: bool) -> None:
    """Exactly, in a list or by itself; a list with anything else in it is none."""
    assert reason(verifier(audience="api"), saying(claims(aud=audience))) == (None if good else "audience")


# What kind of token: 9.2.2.


@pytest.mark.parametrize("kind", ["at+jwt", "AT+JWT", "at+JWT", "application/at+jwt", "Application/AT+jwt"])
def test_an_access_token_says_that_it_is_one(kind: str) -> None:
    """In any case, and as a media type (RFC 9068, section 4)."""
    assert reason(verifier(), headed(header(signing_key("EdDSA"), typ=kind))) is None


@pytest.mark.parametrize(
    "kind",
    ["JWT", "jwt", "", "id+jwt", "refresh+jwt", "rt+jwt", "logout+jwt", "secevent+jwt", "dpop+jwt", "at", "at+jwt "],
)
def test_no_other_token_is_an_access_token(kind: str) -> None:
    """Neither one that says nothing, nor an ID token of the same issuer and key."""
    key = signing_key("EdDSA")
    assert reason(verifier(), headed(header(key, typ=kind))) == "type"
    assert reason(verifier(), headed({"alg": "EdDSA", "kid": key.id})) == "type"

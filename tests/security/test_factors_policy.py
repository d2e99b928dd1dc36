"""Which texts are codes, and of which time: the vectors of the RFCs, hostile texts, and no code but the right one."""

from __future__ import annotations

import base64
import re
import string
from hmac import compare_digest
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postrmagic_core.security.factors import TotpPolicy, policy, qr
from postrmagic_core.security.factors.policy import Algorithm

# RFC 4226, appendix D, and RFC 6238, appendix B, with its erratum 2866: seeds as long as the digest.
SEED = b"12345678901234567890" * 4
HOTP = ["755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"]
TOTP = [
    (59, "94287082", "46119246", "90693936"),
    (1111111109, "07081804", "68084774", "25091201"),
    (1111111111, "14050471", "67062674", "99943326"),
    (1234567890, "89005924", "91819424", "93441116"),
    (2000000000, "69279037", "90698825", "38618901"),
    (20000000000, "65353130", "77737706", "47863826"),
]
COLUMNS: list[tuple[Algorithm, int, int]] = [("SHA1", 20, 1), ("SHA256", 32, 2), ("SHA512", 64, 3)]

SECRET = policy.base32(SEED[:20])
DEFAULT = TotpPolicy()
NOW = 50_000_000  # a step
TWENTY = "CDFHJ-KLMNP-QRTVW-XY898"  # letters of a recovery code
HOSTILE: list[Any] = [
    "755\uff1224",  # a full-width digit
    "\uff17\uff15\uff15\uff12\uff12\uff14",
    "\u00b2\u00b2\u00b2\u00b2\u00b2\u00b2",
    "\u2460\u2461\u2462\u2463\u2464\u2465",
    "\u0667\u0665\u0665\u0662\u0662\u0664",
    "\u096d\u096b\u096b\u0968\u0968\u096a",
    " 55224",
    "755 224",
    "755224 ",
    "755224\n",
    "755224\0",
    "-55224",
    "+55224",
    "7_5224",
    "7552.4",
    "0x7552",
    "75522",
    "7552244",
    "",
    "7" * 1_000_000,
    755224,
    755224.0,
    True,
    None,
    b"755224",
    bytearray(b"755224"),
    ["755224"],
    {"755224": 1},
]


@pytest.mark.parametrize(("step", "code"), list(enumerate(HOTP)))
def test_codes_are_those_of_rfc_4226(step: int, code: str) -> None:
    """HOTP's test values, counter by counter."""
    assert policy.code_at(SECRET, step, DEFAULT) == code


@pytest.mark.parametrize(("algorithm", "length", "column"), COLUMNS)
@pytest.mark.parametrize("row", TOTP, ids=lambda row: str(row[0]))
def test_codes_are_those_of_rfc_6238(row: tuple[Any, ...], algorithm: Algorithm, length: int, column: int) -> None:
    """TOTP's test values: eight digits, under each digest, at each of its instants."""
    eight = TotpPolicy(digits=8, algorithm=algorithm)
    step = policy.step_at(row[0] * 1_000_000, eight)
    secret = policy.base32(SEED[:length])
    assert policy.code_at(secret, step, eight) == row[column]
    assert policy.matching_step(secret, row[column], step, eight) == step


@pytest.mark.parametrize("given", HOSTILE, ids=lambda given: ascii(given)[:24])
def test_only_six_digits_of_ascii_are_a_code(given: Any) -> None:
    """Nothing is converted, stripped or normalised: full-width, superscript and circled digits, spaces, numbers."""
    assert not policy.is_code(given, DEFAULT)


@given(st.text(alphabet=st.characters(), max_size=8) | st.text(alphabet=string.digits, max_size=8))
def test_a_code_is_what_the_pattern_says(given: str) -> None:
    """Exactly ``[0-9]{6}``."""
    assert policy.is_code(given, DEFAULT) == bool(re.fullmatch(r"[0-9]{6}", given, re.ASCII))


@given(st.from_regex(r"[0-9]{6}", fullmatch=True))
def test_no_code_but_those_of_the_window_matches(code: str) -> None:
    """The present step and the one before, the newest that fits; no other text of six digits."""
    window = {policy.code_at(SECRET, step, DEFAULT): step for step in (NOW - 1, NOW)}
    assert policy.matching_step(SECRET, code, NOW, DEFAULT) == window.get(code)


@pytest.mark.parametrize(
    ("behind", "ahead", "accepted"), [(1, 0, [-1, 0]), (0, 0, [0]), (0, 1, [0, 1]), (2, 2, [-2, -1, 0, 1, 2])]
)
def test_the_window_is_policy(behind: int, ahead: int, accepted: list[int]) -> None:
    """By default the present step and one before; just those that were asked for."""
    window = TotpPolicy(behind=behind, ahead=ahead)
    codes = {offset: policy.code_at(SECRET, NOW + offset, window) for offset in range(-4, 5)}
    found = [offset for offset, code in codes.items() if policy.matching_step(SECRET, code, NOW, window) is not None]
    assert found == accepted


def test_a_step_ends_on_the_second() -> None:
    """Thirty seconds, to the microsecond."""
    assert [policy.step_at(us, DEFAULT) for us in (0, 29_999_999, 30_000_000, 59_999_999)] == [0, 0, 1, 1]


@pytest.mark.parametrize("offset", [None, -1, 0])
def test_every_code_is_compared_with_every_step(offset: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """In constant time, and not fewer times for a code that fits early."""
    compared = []

    def watched(one: bytes, other: bytes) -> bool:
        compared.append(one)
        return compare_digest(one, other)

    monkeypatch.setattr(policy, "compare_digest", watched)
    code = "000000" if offset is None else policy.code_at(SECRET, NOW + offset, DEFAULT)
    policy.matching_step(SECRET, code, NOW, DEFAULT)
    assert compared == [policy.code_at(SECRET, step, DEFAULT).encode() for step in (NOW - 1, NOW)]


@pytest.mark.parametrize(
    "options",
    [
        {"digits": 5},
        {"digits": 9},
        {"digits": "6"},
        {"period": 0},
        {"period": 120},
        {"behind": -1},
        {"behind": 3},
        {"ahead": 3},
        {"ahead": True},
        {"algorithm": "MD5"},
    ],
)
def test_a_policy_outside_the_bounds_is_refused(options: Any) -> None:
    """Fewer digits, wider windows and older digests are too easily guessed."""
    with pytest.raises(ValueError, match="expected"):
        TotpPolicy(**options)


@pytest.mark.parametrize(("algorithm", "length"), [("SHA1", 20), ("SHA256", 32), ("SHA512", 64)])
def test_a_secret_is_as_long_as_its_digest(algorithm: Algorithm, length: int) -> None:
    """160 bits at least."""
    assert TotpPolicy(algorithm=algorithm).secret_bytes == length


@pytest.mark.parametrize("secret", ["JBSWY3DPEHPK3PXP", "not base32 !", ""])
def test_a_weak_or_broken_secret_is_refused(secret: str) -> None:
    """Under 112 bits, or not base32: an error, which does not show it."""
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the text is pyotp's; what must not be in it is checked
        policy.code_at(secret, NOW, DEFAULT)
    assert not secret or secret not in str(caught.value)


LABELS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=30).filter(
    lambda text: text.isprintable() and ":" not in text
)


@given(LABELS, LABELS)
def test_an_app_reads_what_was_meant(account: str, issuer: str) -> None:
    """Whatever the account and the issuer hold: each comes out whole, and adds no parameter."""
    read = urlsplit(policy.uri(SECRET, account, issuer, DEFAULT))
    assert (read.scheme, read.netloc, read.fragment) == ("otpauth", "totp", "")
    assert unquote(read.path).removeprefix("/").split(":") == [issuer, account]
    assert parse_qs(read.query, strict_parsing=True) == {"secret": [SECRET], "issuer": [issuer]}


def test_other_parameters_are_told_to_the_app() -> None:
    """Digest, digits and period, where they are not the default ones."""
    other = TotpPolicy(digits=8, period=60, algorithm="SHA256")
    query = parse_qs(urlsplit(policy.uri(SECRET, "a", "b", other)).query)
    assert (query["algorithm"], query["digits"], query["period"]) == (["SHA256"], ["8"], ["60"])


@pytest.mark.parametrize("label", ["", "a:b", "a\nb", "\0", "x" * 101, "\u202eevil", "\ud800"])
def test_a_label_that_no_app_shows_is_refused(label: str) -> None:
    """Empty, too long, unprintable, or with the separator in it."""
    with pytest.raises(ValueError, match="expected an account of 1 to 100 printable characters without a colon"):
        policy.check_label("Shop", label)


@pytest.mark.parametrize("title", ["Shop", '<script>alert("x")</script>', "]]>&amp;'"])
def test_a_qr_code_is_inert(title: str) -> None:
    """Two paths and a title: no style, no script, no reference, however hostile the title; black on white."""
    drawn = ElementTree.fromstring(qr.svg("otpauth://totp/a", title))  # noqa: S314 - our own text
    assert [part.tag.rpartition("}")[2] for part in drawn.iter()] == ["svg", "title", "path", "path"]
    assert {name for part in drawn.iter() for name in part.attrib} == {"role", "viewBox", "fill", "stroke", "d"}
    assert drawn.attrib["role"] == "img"
    assert drawn[0].text == title
    assert (drawn[1].attrib["fill"], drawn[2].attrib["stroke"]) == ("#fff", "#000")


def test_a_recovery_code_is_long_and_clear() -> None:
    """At least 112 bits, in letters that nobody takes for each other."""
    assert len(set(policy.RECOVERY_ALPHABET)) ** policy.RECOVERY_LENGTH >= 2**112
    assert not any(
        len(set(alike) & set(policy.RECOVERY_ALPHABET)) > 1 for alike in ("0OQ", "1IL", "5S", "8B", "6G", "UV", "2Z")
    )
    assert policy.recovery_code(lambda letters: letters[0]) == "CCCCC-CCCCC-CCCCC-CCCCC-CCCCC"


@given(st.data())
def test_a_recovery_code_may_be_typed_in_many_ways(data: st.DataObject) -> None:
    """In any case, with hyphens and spaces anywhere."""
    letters = data.draw(st.text(policy.RECOVERY_ALPHABET, min_size=25, max_size=25))
    typed = "".join(
        data.draw(st.sampled_from([letter, letter.lower(), f"-{letter}", f"{letter} "])) for letter in letters
    )
    assert policy.typed_recovery_code(typed) == letters


@pytest.mark.parametrize(
    "given",
    [
        f"{TWENTY}-2346",
        f"{TWENTY}-234678",
        f"{TWENTY}-23460",
        f"{TWENTY}-2346\uff17",  # a full-width 7
        f"{TWENTY}\u201023467",  # another hyphen
        f"{TWENTY}\u00a023467",  # another space
        f"{TWENTY}\t23467",
        f"{TWENTY}-2346\u212a",  # the Kelvin sign, which is k in lower case
        f"{TWENTY}-234\ufb00",  # a ligature, which is FF in upper case
        f"{TWENTY}-2346\0",
        "-" * 1_000_000,
        f"{TWENTY}-23467" + " " * 100,
        f"{TWENTY}-23467".encode(),
        12,
        None,
        [f"{TWENTY}-23467"],
    ],
    ids=lambda given: ascii(given)[:30],
)
def test_what_is_no_recovery_code_is_not_made_one(given: Any) -> None:
    """Letters of other scripts, other hyphens and spaces, other types, other lengths."""
    assert policy.typed_recovery_code(given) is None
    assert policy.typed_recovery_code(f"{TWENTY}-23467") is not None


def test_base32_has_no_padding() -> None:
    """Some apps refuse it; with it the secret is the same."""
    text = policy.base32(SEED[:32])
    assert "=" not in text
    assert base64.b32decode(text + "=" * (-len(text) % 8)) == SEED[:32]

"""A client is answered in the best of the languages there are; no header can do harm."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postrmagic_core.errors import UsageError
from postrmagic_core.testing.growth import growth
from postrmagic_core.validation.locales import negotiate

KNOWN = ["en", "de", "de-AT", "pt-BR", "zh-Hant"]


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, "en"),
        ("", "en"),
        ("de", "de"),
        ("DE", "de"),
        ("de-at", "de-AT"),
        ("de-CH", "de"),
        ("de-AT-1996-x-vienna", "de-AT"),
        ("zh-Hant-CN-x-private1-private2", "zh-Hant"),
        ("de-x-private", "de"),
        ("fr", "en"),
        ("fr, de", "de"),
        ("en, de", "en"),
        ("de, en", "de"),
        ("en;q=0.8, de", "de"),
        ("en;q=0.5, de;q=0.9, pt-BR;q=0.7", "de"),
        ("da, en-GB;q=0.8, en;q=0.7", "en"),
        ("de ; Q=0.2 ,\ten ; q=0.1", "de"),
        ("de;q=0.001, fr;q=1.000", "de"),
        ("pt", "en"),  # RFC 4647 3.4: a range finds itself and what is wider, nothing narrower
        ("zh", "en"),
    ],
)
def test_the_heaviest_range_that_finds_a_language_wins(header: str | None, expected: str) -> None:
    """RFC 9110 12.5.4 with the lookup of RFC 4647 3.4; the first language is the default."""
    assert negotiate(header, KNOWN) == expected


@pytest.mark.parametrize(
    ("header", "known", "expected"),
    [
        ("*", ["en", "de"], "en"),
        ("en;q=0.5, *", ["en", "de"], "de"),
        ("en;q=0.5, *;q=0.1", ["en", "de"], "en"),
        ("de, *;q=0.5", ["en", "de"], "de"),
        ("*-CH, de;q=0.1", ["en", "de"], "de"),
        ("de-*-AT", ["en", "de-AT"], "de-AT"),
        ("en;q=0", ["en", "de"], "de"),
        ("en;q=0, *", ["en", "de"], "de"),
        ("de, de;q=0", ["en", "de"], "en"),
        ("de-AT, de;q=0", ["en", "de"], "en"),
        ("de;q=0, de-AT", ["en", "de-AT", "de-CH"], "de-AT"),
        ("en, de;q=0", ["de-CH", "en"], "en"),
        ("fr, de;q=0", ["de-CH", "en"], "en"),
        ("en;q=0.0, de;q=0.000", ["en", "de"], "en"),
        ("*;q=0", ["en", "de"], "en"),
        ("de, *;q=0", ["en", "de"], "de"),
    ],
)
def test_stars_and_refusals(header: str, known: list[str], expected: str) -> None:
    """``*`` is any language that is not named; weight 0 refuses, but something is always answered."""
    assert negotiate(header, known) == expected


@pytest.mark.parametrize(
    "junk",
    [
        "de;q=2",
        "de;q=-1",
        "de;q=nan",
        "de;q=1e-1",
        "de;q=0.1234",
        "de;q=",
        "de;q=0.5;q=1",
        "de;level=1",
        "de en",
        "de_AT",
        "deutschland",
        "\N{LATIN SMALL LETTER LONG S}v",
        "d\0e",
        "de\n",
        "1de",
        "-de",
        "de-",
        "de-" + "a" * 9,
        "de" + "-a" * 8,
        ";q=1",
        "=",
        "{0.__class__}",
        "../../de",
    ],
)
def test_what_is_no_range_is_passed_over(junk: str) -> None:
    """The rest of the header still counts."""
    assert negotiate(junk, ["en", "de"]) == "en"
    assert negotiate(f"{junk}, de", ["en", "de"]) == "de"
    assert negotiate(f",, {junk},de,", ["en", "de"]) == "de"


def test_only_the_beginning_of_a_long_header_counts() -> None:
    """1,024 characters and 32 ranges; a range that is cut there is none: its first half may name another language."""
    assert negotiate(" " * 1_022 + "de", ["en", "de"]) == "de"
    assert negotiate(" " * 1_022 + "de-AT", ["en", "de"]) == "en"
    assert negotiate("fr," * 31 + "de", ["en", "de"]) == "de"
    assert negotiate("fr," * 32 + "de", ["en", "de"]) == "en"


def test_there_is_a_language() -> None:
    """Without any the call is a mistake."""
    with pytest.raises(UsageError, match="the default first"):
        negotiate("de", [])


@settings(max_examples=60, deadline=None)
@given(
    st.text(max_size=60)
    | st.lists(st.sampled_from(["de", "en", "*", "-", ";q=", "0", "1", ".", ",", " ", "x"]), max_size=30).map("".join),
    st.lists(st.sampled_from(KNOWN), min_size=1, max_size=4),
)
def test_any_header_finds_one_of_the_languages(header: str, known: list[str]) -> None:
    """Exactly as the application spells it, whatever the client sent."""
    assert negotiate(header, known) in known


@pytest.mark.parametrize(
    "pump", ["a", "a-", "*-", "-", ",", " ", ";", "de;q=0.5,", "de;q=0", "\t;", "de-x-", "0.", "de ", "é"]
)
def test_a_header_takes_linear_time(pump: str) -> None:
    """Twice the header, no more than about twice the time; beyond what is read none at all."""
    assert growth(lambda size: [negotiate(pump * size, KNOWN) for _ in range(40)], 512 // len(pump)) < 3
    assert growth(lambda size: negotiate(pump * size, KNOWN), 200_000) < 3

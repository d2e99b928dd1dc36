"""Text that is cleaned rather than refused, and cells that no spreadsheet runs."""

from __future__ import annotations

import contextlib
import unicodedata
from collections.abc import Callable
from typing import Annotated, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postrmagic_core.errors import ValidationFailed
from postrmagic_core.testing.growth import growth
from postrmagic_core.validation import Validator
from postrmagic_core.validation.output import csv_cell
from postrmagic_core.validation.rules import CleanText, CsvText
from postrmagic_core.validation.text import has_control
from tests.validation.fuzzing import quick


def of(kind: Any) -> Validator[Any]:
    """A validator of an annotated type."""
    return Validator(kind)


LINE = of(Annotated[str, CleanText(max=40)])
LINES = of(Annotated[str, CleanText(max=20_000, lines=True)])
CELL = of(Annotated[str, CsvText(max=40)])


def code(validator: Validator[Any], text: str) -> str:
    """The code with which it is refused."""
    with pytest.raises(ValidationFailed) as caught:
        validator.validate(text)
    return caught.value.errors[0]["code"]


@pytest.mark.parametrize(
    ("text", "line", "lines"),
    [
        ("  a b ", "a b", "a b"),
        ("a\r\nb\rc\td", "a b c d", "a\nb\nc\td"),
        ("a\u2028b\u2029c\x85d\x0be", "a b c d e", "a\nb\nc\nd\ne"),
        ("a\0b\x1b[2Jc\x7f\x9f", "ab[2Jc", "ab[2Jc"),
        ("invoice\u202egpj.exe", "invoicegpj.exe", "invoicegpj.exe"),
        ("\u2066a\u2069\u200e\u200f\u061c", "a", "a"),
        ("pa\u200bss\u2060wo\ufeffrd\u00ad\u034f", "password", "password"),
        ("a\u200db\u200cc\u200d", "abc", "abc"),
        ("\u0645\u06cc\u200c\u062e", "\u0645\u06cc\u200c\u062e", "\u0645\u06cc\u200c\u062e"),
        ("👩\u200d💻", "👩\u200d💻", "👩\u200d💻"),
        ("é\u200d\u3000", "é", "é"),
        ("é\u200d\u200cé", "é\u200cé", "é\u200cé"),
        ("hidden\U000e0041\U000e0042", "hidden", "hidden"),
        ("a\ufffe\ufdd0\U0001ffff", "a", "a"),
        ("e\u200b\u0301", "é", "é"),
        ("\u212b\u212a", "ÅK", "ÅK"),
        ("\u200b \u200b", "", ""),
    ],
)
def test_what_is_not_seen_goes(text: str, line: str, lines: str) -> None:
    """Controls, direction changes, zero-width and tag characters; line ends become one kind, or spaces; NFC."""
    assert LINE.validate(text) == line
    assert LINES.validate(text) == lines


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a" * 41, "string_too_long"),
        ("\u200b" * 161, "string_too_long"),
        ("a" + "\u0301" * 31, "text.marks"),
        ("a" + "\u0301\u200b" * 31, "text.marks"),
        ("a" + "\u0344" * 31, "text.marks"),
        ("é" + "\u0345\u200d" * 31, "text.marks"),
    ],
)
def test_what_cannot_be_cleaned_is_refused(text: str, expected: str) -> None:
    """Length first, and more accents than any language has, also where hidden characters keep them apart."""
    assert code(LINE, text) == expected


def test_the_least_counts_what_is_left() -> None:
    """Characters that go do not make a text long enough."""
    assert code(of(Annotated[str, CleanText(max=9, min=1)]), "\u200b\u200e ") == "string_too_short"


ODD = st.text() | st.text(
    alphabet="aA\u0301\u0344\u0345\u1fb3\u0316\u200c\u200d\u200b\u202e\ufeff\u00ad"
    "\u2028\x85\r\n\t \u3000\u212a\u037e\u00e9\u0645",
    max_size=40,
)


@settings(max_examples=120, deadline=None)
@given(ODD)
@pytest.mark.parametrize("validator", [LINE, LINES], ids=["line", "lines"])
def test_cleaning_is_idempotent_and_complete(validator: Validator[Any], text: str) -> None:
    """What is kept is NFC, has nothing hidden, and stays as it is."""
    with contextlib.suppress(ValidationFailed):
        kept = validator.validate(text)
        assert validator.validate(kept) == kept
        assert unicodedata.is_normalized("NFC", kept)
        assert not has_control(kept, "\n\t" if validator is LINES else "")
        assert not set(kept) & set("\u200b\u2060\ufeff\u00ad")


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"),
        ("+1", "'+1"),
        ("-1+1", "'-1+1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        (" \u00a0=1", "' \u00a0=1"),
        ("\uff1d1", "'\uff1d1"),
        ("a=b", "a=b"),
        ("'=1", "'=1"),
        ("", ""),
    ],
)
def test_a_cell_is_no_formula(text: str, cell: str) -> None:
    """It begins with an apostrophe where a spreadsheet would run it; once."""
    assert CELL.validate(text) == cell
    assert CELL.validate(cell) == cell


def test_a_cell_has_room_for_its_apostrophe() -> None:
    """The limit holds for what is kept."""
    assert code(CELL, "=" * 40) == "string_too_long"
    assert CELL.validate("=" * 39) == "'" + "=" * 39


@quick
@given(st.text(alphabet="=+-@|\t\r\n\0 '\"\u00a0\ufeffa1\uff1d", max_size=12))
def test_a_cell_stays_as_it_is(text: str) -> None:
    """The rule applied again, and the encoder on the way out, change nothing."""
    kept = CELL.validate(text)
    assert CELL.validate(kept) == csv_cell(kept) == kept
    assert kept.lstrip()[:1] not in {*"=+-@|\uff1d"}


PUMPS: dict[str, Callable[[int], str]] = {
    "joiners": lambda n: "é\u200d" * n,
    "loose joiners": lambda n: "\u200d" * n,
    "hidden": lambda n: "\u200b" * n,
    "controls": lambda n: "\0" * n,
    "accents": lambda n: "a" + "\u0345\u0316" * n,
    "line ends": lambda n: "\r\n" * n,
}


@pytest.mark.parametrize("pump", PUMPS)
def test_cleaning_takes_linear_time(pump: str) -> None:
    """Twice the hostile text takes less than three times as long."""
    texts = {size: PUMPS[pump](size) for size in (8_000, 16_000)}

    def clean(size: int) -> None:
        with contextlib.suppress(ValidationFailed):
            LINES.validate(texts[size])

    assert growth(clean, 8_000) < 3

"""Check digits find what they are made to find: each wrong digit, and neighbours that changed places."""

from __future__ import annotations

from typing import Any

import pytest

from postrmagic_core.errors import ValidationFailed
from postrmagic_core.validation.rules.tables import COUNTRIES, CURRENCIES, IBAN_LENGTHS
from tests.validation.rules.catalogue import VECTORS
from tests.validation.rules.identifiers import CHECKED
from tests.validation.rules.vectors import checks

KEPT = [(vector.name, vector.rule, kept) for vector in VECTORS if vector in CHECKED for _, kept in vector.valid]
# Luhn and the weights 3 and 1 miss some neighbours (0 and 9; digits 5 apart); the remainders of 11 and 97 miss none.
STRONG = {"Iban", "Issn", "Isbn10"}


def accepts(rule: Any, text: str) -> bool:
    """Whether the rule takes the text."""
    try:
        checks(rule).validate(text)
    except ValidationFailed:
        return False
    return True


@pytest.mark.parametrize(("name", "rule", "text"), KEPT)
def test_every_wrong_digit_is_found(name: str, rule: Any, text: str) -> None:
    """Any one digit replaced by any other."""
    places = [at for at, character in enumerate(text) if character.isdecimal()]
    wrong = [f"{text[:at]}{digit}{text[at + 1 :]}" for at in places for digit in "0123456789" if digit != text[at]]
    assert [one for one in wrong if accepts(rule, one)] == []


@pytest.mark.parametrize(("name", "rule", "text"), [kept for kept in KEPT if kept[0] in STRONG])
def test_digits_that_changed_places_are_found(name: str, rule: Any, text: str) -> None:
    """Any two neighbours that differ."""
    swapped = [
        text[:at] + text[at + 1] + text[at] + text[at + 2 :]
        for at in range(len(text) - 1)
        if text[at].isdecimal() and text[at + 1].isdecimal() and text[at] != text[at + 1]
    ]
    assert swapped
    assert [one for one in swapped if accepts(rule, one)] == []


def test_the_tables_are_whole() -> None:
    """As many entries as their registries have, each of its form."""
    assert len(COUNTRIES) == 249
    assert len(CURRENCIES) == 178
    assert len(IBAN_LENGTHS) == 89
    assert IBAN_LENGTHS.keys() - COUNTRIES == {"XK"}
    assert min(IBAN_LENGTHS.values()) == 15
    assert max(IBAN_LENGTHS.values()) == 33
    assert {len(code) for code in CURRENCIES} == {3}

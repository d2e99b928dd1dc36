"""Check digits. Pure; each takes what its form already admits: ASCII digits, or digits and capital letters."""

from __future__ import annotations

import re

_GROUPED = re.compile(r"[0-9A-Za-z]+(?:[ -][0-9A-Za-z]+)*\Z")


def ungrouped(text: str) -> str:
    """``text`` without the single spaces or hyphens between its groups, in capitals; empty if it is no such text."""
    return text.replace(" ", "").replace("-", "").upper() if _GROUPED.match(text) else ""


def is_digits(text: str) -> bool:
    """Whether ``text`` is ASCII digits and not empty."""
    return text.isascii() and text.isdecimal()


def luhn(digits: str) -> bool:
    """ISO/IEC 7812-1, annex B: every second digit from the right doubled, the sum a multiple of 10."""
    doubled = (2 * int(digit) for digit in digits[-2::-2])
    return (sum(map(int, digits[::-2])) + sum(each - 9 * (each > 9) for each in doubled)) % 10 == 0


def expanded(text: str) -> str:
    """Letters as the numbers 10 to 35 (ISO 13616, ISO 6166)."""
    return "".join(str(int(character, 36)) for character in text)


def mod_97(text: str) -> bool:
    """ISO/IEC 7064, MOD 97-10, of an IBAN: its first four characters at the end, the remainder 1."""
    return int(expanded(text[4:] + text[:4])) % 97 == 1


def mod_10(digits: str) -> bool:
    """GS1 General Specifications, section 7.9: weights 3 and 1 from the right before the check digit."""
    return (sum(map(int, digits[::-2])) + 3 * sum(map(int, digits[-2::-2]))) % 10 == 0


def mod_11(text: str) -> bool:
    """ISO 2108 (ten digits) and ISO 3297: weights descending to 1, a last X is 10, the sum a multiple of 11."""
    values = [10 if character == "X" else int(character) for character in text]
    return sum(weight * value for weight, value in zip(range(len(text), 0, -1), values, strict=True)) % 11 == 0

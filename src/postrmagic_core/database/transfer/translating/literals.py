"""Literals as MySQL and MariaDB read them, the same whatever sql_mode is; pure."""

from __future__ import annotations

import re
from decimal import Decimal

# A double and its shortest decimal stand in the same order to every other up to here.
EXACT = 2**53
LARGEST = 2**63 - 1
_PLAIN = re.compile(r"[^\\\x00-\x1f\x7f]*")
_NUMBER = re.compile(r"[0-9]+|(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][+-]?[0-9]+)?")
# What MySQL takes for a DECIMAL: more digits would be cut, or make a double of it.
_MOST_DIGITS, _MOST_FRACTION = 65, 30


def text_literal(text: str) -> str:
    """``text``; in hexadecimal where it has what a mode of the server's might read differently.

    MariaDB keeps ``_utf8mb4 X'5C61'`` within an expression as another text: it is converted, not introduced.
    """
    if _PLAIN.fullmatch(text):
        return f"'{text.replace(chr(39), chr(39) * 2)}'"
    return f"CONVERT({bytes_literal(text.encode())} USING utf8mb4)"


def bytes_literal(data: bytes) -> str:
    """``data`` in hexadecimal."""
    return f"X'{data.hex().upper()}'"


def number_of(written: str) -> int | float | None:
    """SQLite's value of a literal without a sign; None where it is too large, or is written in hexadecimal."""
    if not _NUMBER.fullmatch(written):
        return None
    if written.isdigit():
        return int(written) if len(written) < 30 and int(written) <= LARGEST else None
    value = float(written)
    return value if abs(value) != float("inf") else None


def double_literal(value: float) -> str:
    """A DOUBLE: only an exponent tells it from a DECIMAL."""
    written = repr(value)
    return written if "e" in written else f"{written}e0"


def decimal_literal(value: float) -> str | None:
    """The DECIMAL of the shortest digits that are ``value``; None where it stands for more than one double."""
    if abs(value) > EXACT:
        return None
    written = format(Decimal(repr(value)), "f")
    whole, _, fraction = written.partition(".")
    fraction = fraction.rstrip("0")
    if len(fraction) > _MOST_FRACTION or len(whole) + len(fraction) > _MOST_DIGITS:
        return None
    return f"{whole}.{fraction or '0'}"

"""Numbers of books, serials, trade items and devices. Kept without the hyphens and spaces people write."""

from __future__ import annotations

import re
from typing import Annotated

from ..rule import TextFormat, refused
from .checksums import is_digits, luhn, mod_10, mod_11, ungrouped

_TEN = re.compile(r"[0-9]{9}[0-9X]\Z")
_EIGHT = re.compile(r"[0-9]{7}[0-9X]\Z")
_WRITTEN = 32


def _isbn(text: str, lengths: tuple[int, ...]) -> str:
    number = ungrouped(text)
    ten, thirteen = bool(_TEN.match(number)), is_digits(number) and number[:3] in {"978", "979"}
    if len(number) not in lengths or not (ten if len(number) == 10 else thirteen):
        raise refused("isbn.form")
    if not (mod_11(number) if len(number) == 10 else mod_10(number)):
        raise refused("isbn.checksum")
    return number


def _isbn_10_or_13(text: str) -> str:
    return _isbn(text, (10, 13))


def _isbn_10(text: str) -> str:
    return _isbn(text, (10,))


def _isbn_13(text: str) -> str:
    return _isbn(text, (13,))


def _issn(text: str) -> str:
    number = ungrouped(text)
    if not _EIGHT.match(number):
        raise refused("issn.form")
    if not mod_11(number):
        raise refused("issn.checksum")
    return f"{number[:4]}-{number[4:]}"


def _gtin(text: str, lengths: tuple[int, ...]) -> str:
    number = ungrouped(text)
    if not is_digits(number) or len(number) not in lengths:
        raise refused("gtin.form")
    if not mod_10(number):
        raise refused("gtin.checksum")
    return number


def _any_gtin(text: str) -> str:
    return _gtin(text, (8, 12, 13, 14))


def _ean(text: str) -> str:
    return _gtin(text, (8, 13))


def _imei(text: str) -> str:
    number = ungrouped(text)
    if not is_digits(number) or len(number) != 15:
        raise refused("imei.form")
    if not luhn(number):
        raise refused("imei.checksum")
    return number


Isbn = Annotated[str, TextFormat("isbn", _isbn_10_or_13, _WRITTEN)]
"""The number of a book (ISO 2108), of 10 or 13 digits with their check digit; hyphens and spaces go."""

Isbn10 = Annotated[str, TextFormat("isbn-10", _isbn_10, _WRITTEN)]
"""The number of a book of 10 digits, the last of which may be X; hyphens and spaces go."""

Isbn13 = Annotated[str, TextFormat("isbn-13", _isbn_13, _WRITTEN)]
"""The number of a book of 13 digits, beginning with 978 or 979; hyphens and spaces go."""

Issn = Annotated[str, TextFormat("issn", _issn, _WRITTEN)]
"""The number of a serial (ISO 3297) with its check digit; kept as ``0378-5955``."""

Gtin = Annotated[str, TextFormat("gtin", _any_gtin, _WRITTEN)]
"""The number of a trade item (GS1) of 8, 12, 13 or 14 digits with its check digit; hyphens and spaces go."""

Ean = Annotated[str, TextFormat("ean", _ean, _WRITTEN)]
"""The number under a European bar code, of 8 or 13 digits with its check digit; hyphens and spaces go."""

Imei = Annotated[str, TextFormat("imei", _imei, _WRITTEN)]
"""The number of a mobile device (3GPP TS 23.003): 15 digits with their check digit; hyphens and spaces go."""

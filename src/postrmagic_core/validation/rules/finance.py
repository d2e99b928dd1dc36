"""Accounts, cards, securities, currencies. Kept without the spaces people write, in capitals."""

from __future__ import annotations

import re
from typing import Annotated

from ..rule import TextFormat, refused
from .checksums import expanded, is_digits, luhn, mod_97, ungrouped
from .tables import COUNTRIES, CURRENCIES, IBAN_LENGTHS

_IBAN = re.compile(r"[A-Z]{2}[0-9]{2}[0-9A-Z]{11,30}\Z")
_BIC = re.compile(r"[A-Z]{4}([A-Z]{2})[0-9A-Z]{2}(?:[0-9A-Z]{3})?\Z")
_ISIN = re.compile(r"[A-Z]{2}[0-9A-Z]{9}[0-9]\Z")


def _luhn(text: str) -> str:
    if not is_digits(text) or len(text) < 2:
        raise refused("luhn.form")
    if not luhn(text):
        raise refused("luhn.checksum")
    return text


def _card_number(text: str) -> str:
    digits = ungrouped(text)
    if not (is_digits(digits) and 12 <= len(digits) <= 19):
        raise refused("card.form")
    if not luhn(digits) or not int(digits):
        raise refused("card.checksum")
    return digits


def _iban(text: str) -> str:
    account = ungrouped(text) if "-" not in text else ""
    if not _IBAN.match(account):
        raise refused("iban.form")
    if account[:2] not in IBAN_LENGTHS:
        raise refused("iban.country")
    if len(account) != IBAN_LENGTHS[account[:2]]:
        raise refused("iban.length")
    if not mod_97(account) or not 2 <= int(account[2:4]) <= 98:
        raise refused("iban.checksum")
    return account


def _bic(text: str) -> str:
    code = text.upper() if text.isascii() else ""
    form = _BIC.match(code)
    if form is None:
        raise refused("bic.form")
    if form[1] not in COUNTRIES | {"XK"}:
        raise refused("bic.country")
    return code


def _isin(text: str) -> str:
    code = ungrouped(text)
    if not _ISIN.match(code):
        raise refused("isin.form")
    if not luhn(expanded(code)):
        raise refused("isin.checksum")
    return code


def _currency(text: str) -> str:
    code = text.upper() if text.isascii() else ""
    if code not in CURRENCIES:
        raise refused("currency.unknown")
    return code


Luhn = Annotated[str, TextFormat("luhn", _luhn, 64, pattern="^[0-9]{2,64}$")]
"""2 to 64 digits, the last of which is their check digit (ISO/IEC 7812-1)."""

CardNumber = Annotated[str, TextFormat("card number", _card_number, 40)]
"""The number of a payment card: 12 to 19 digits with their check digit; spaces and hyphens between them go."""

Iban = Annotated[str, TextFormat("iban", _iban, 64)]
"""An international bank account number (ISO 13616): country, length and check digits; spaces go, in capitals."""

Bic = Annotated[str, TextFormat("bic", _bic, 11)]
"""A business identifier code of a bank (ISO 9362), 8 or 11 characters; in capitals."""

Isin = Annotated[str, TextFormat("isin", _isin, 24)]
"""The number of a security (ISO 6166) with its check digit; spaces and hyphens go, in capitals."""

CurrencyCode = Annotated[str, TextFormat("currency", _currency, 3)]
"""A currency code of ISO 4217, such as ``EUR``; in capitals."""

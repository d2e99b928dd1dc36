"""Rules as annotations: ``title: Annotated[str, PlainText(max=200)]``, ``tags: list[Tag]``, ``account: Iban``.

Each limits the length before it looks at a character, runs in linear time, and gives the same when applied to its own
result. What a rule changes is the value from then on: validate first, store the result, encode on output.

Those with parameters are metadata for ``Annotated`` and follow each other, each on what the one before gave; a
``None`` that the type permits is not checked. Those without are types. A rule of your own subclasses one of
:mod:`postrmagic_core.validation.rule` and is proved by :class:`postrmagic_core.testing.contracts.rule.RuleContract`.
"""

from __future__ import annotations

from ..safe_html import SafeHtml
from ..urls import Url
from .characters import Alpha, Alphanumeric, Ascii, Lowercase, NoControl, NotBlank, SingleLine, Uppercase
from .codes import CountryCode, HexColor, LanguageTag, MimeType, SemVer, Ulid
from .dates import After, Before, MaxAge, MinAge, TimeZoneName, Weekday
from .encoded import Base64Text, JsonText
from .finance import Bic, CardNumber, CurrencyCode, Iban, Isin, Luhn
from .lists import ContainsAll, Distinct, NoneOf, OneOf
from .names import NoConfusables, Username
from .network import E164, DomainName, EmailAddress, Hostname, MacAddress
from .numbers import Between, DecimalPlaces, Digits, Even, Latitude, Longitude, Odd, Percentage, Port, StepOf
from .parts import Contains, EndsWith, Excludes, Matches, StartsWith, Words
from .plain import CleanText, CsvText, Filename, PlainText, Slug, Tag
from .products import Ean, Gtin, Imei, Isbn, Isbn10, Isbn13, Issn

__all__ = [
    # text for people
    "PlainText",
    "CleanText",
    "SafeHtml",
    "Slug",
    "Tag",
    "Filename",
    "NoConfusables",
    "Username",
    "CsvText",
    # characters and parts of text
    "Ascii",
    "Alpha",
    "Alphanumeric",
    "Lowercase",
    "Uppercase",
    "NotBlank",
    "SingleLine",
    "NoControl",
    "StartsWith",
    "EndsWith",
    "Contains",
    "Excludes",
    "Words",
    "Matches",
    # numbers
    "Digits",
    "DecimalPlaces",
    "Between",
    "Percentage",
    "Port",
    "Latitude",
    "Longitude",
    "Even",
    "Odd",
    "StepOf",
    # lists and choices
    "Distinct",
    "ContainsAll",
    "OneOf",
    "NoneOf",
    # dates
    "Before",
    "After",
    "MinAge",
    "MaxAge",
    "Weekday",
    "TimeZoneName",
    # identifiers with check digits
    "Luhn",
    "CardNumber",
    "Iban",
    "Isin",
    "Isbn",
    "Isbn10",
    "Isbn13",
    "Issn",
    "Gtin",
    "Ean",
    "Imei",
    # other identifiers and formats
    "Bic",
    "CurrencyCode",
    "CountryCode",
    "LanguageTag",
    "Hostname",
    "DomainName",
    "EmailAddress",
    "Url",
    "E164",
    "MacAddress",
    "MimeType",
    "Ulid",
    "SemVer",
    "HexColor",
    "Base64Text",
    "JsonText",
]

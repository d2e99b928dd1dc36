"""Identifiers and codes of everyday formats."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated

from ..rule import TextFormat, refused
from .tables import COUNTRIES

_ULID = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}\Z")
_NUMBER = re.compile(r"(?:0|[1-9][0-9]*)\Z")
_IDENTIFIERS = re.compile(r"[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*\Z")
_HEX_COLOR = re.compile(r"#(?:[0-9a-f]{3,4}|[0-9a-f]{6}|[0-9a-f]{8})\Z")
_MIME_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,126}/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}\Z")

# RFC 5646, section 2.1: tags that were registered before its grammar and do not follow it.
_IRREGULAR = (
    "en-gb-oed i-ami i-bnn i-default i-enochian i-hak i-klingon i-lux i-mingo i-navajo i-pwn i-tao i-tay i-tsu sgn- "
    "be-fr sgn-be-nl sgn-ch-de"
)
_LANGUAGE_LENGTH = 100
_VERSION_LENGTH = 256


def _ulid(text: str) -> str:
    code = text.upper() if text.isascii() else ""
    if not _ULID.match(code):
        raise refused("ulid.form")
    return code


def _semver(text: str) -> str:
    rest, plus, build = text.partition("+")
    core, hyphen, early = rest.partition("-")
    numbers = core.split(".")
    identifiers = early.split(".")
    if not (
        len(numbers) == 3
        and all(_NUMBER.match(number) for number in numbers)
        and (not plus or _IDENTIFIERS.match(build))
        and (not hyphen or _IDENTIFIERS.match(early))
        and not any(one.isdecimal() and not _NUMBER.match(one) for one in identifiers)
    ):
        raise refused("semver.form")
    return text


def _hex_color(text: str) -> str:
    color = text.lower() if text.isascii() else ""
    if not _HEX_COLOR.match(color):
        raise refused("color.form")
    return color


def _country(text: str) -> str:
    code = text.upper() if text.isascii() else ""
    if code not in COUNTRIES:
        raise refused("country.unknown")
    return code


def _language(text: str) -> str:
    tag = text.lower() if text.isascii() else ""
    subtags = tag.split("-")
    if tag not in _IRREGULAR.split() and not _is_language(subtags):
        raise refused("language.form")
    return "-".join(_cased(subtag, before) for before, subtag in zip(["x", *subtags], subtags, strict=False))


def _cased(subtag: str, before: str) -> str:
    """RFC 5646, section 2.1.1: regions in capitals, scripts with one, but not at the beginning or after a singleton."""
    if len(before) == 1 or not subtag.isalpha():
        return subtag
    return {2: subtag.upper(), 4: subtag.title()}.get(len(subtag), subtag)


def _is_language(subtags: list[str]) -> bool:
    """RFC 5646, section 2.1: the grammar, read from left to right."""
    if not all(subtag.isalnum() and len(subtag) <= 8 for subtag in subtags):
        return False
    if "x" in subtags:
        private = subtags.index("x")
        if private == len(subtags) - 1:
            return False
        subtags = subtags[:private]
        if not subtags:
            return True
    language, *rest = subtags
    if not (language.isalpha() and len(language) >= 2):
        return False
    if len(language) <= 3:
        rest = _without(rest, 3, lambda subtag: len(subtag) == 3 and subtag.isalpha())
    rest = _without(rest, 1, lambda subtag: len(subtag) == 4 and subtag.isalpha())
    rest = _without(rest, 1, lambda subtag: re.fullmatch("[a-z]{2}|[0-9]{3}", subtag) is not None)
    rest = _without(rest, len(rest), lambda subtag: len(subtag) >= 5 or (len(subtag) == 4 and subtag[0].isdecimal()))
    return _are_extensions(rest)


def _without(subtags: list[str], most: int, fits: Callable[[str], bool]) -> list[str]:
    """``subtags`` without up to ``most`` leading ones that fit."""
    count = 0
    while count < min(most, len(subtags)) and fits(subtags[count]):
        count += 1
    return subtags[count:]


def _are_extensions(subtags: list[str]) -> bool:
    """Whether each singleton has subtags of its own."""
    if not subtags:
        return True
    follows = zip(subtags, [*subtags[1:], "x"], strict=True)
    return len(subtags[0]) == 1 and not any(len(one) == 1 and len(following) == 1 for one, following in follows)


def _mime_type(text: str) -> str:
    kind = text.lower() if text.isascii() else ""
    if not _MIME_TYPE.match(kind):
        raise refused("mime.form")
    return kind


Ulid = Annotated[str, TextFormat("ulid", _ulid, 26, pattern="^[0-7][0-9A-HJKMNP-TV-Za-hjkmnp-tv-z]{25}$")]
"""A sortable identifier of 26 characters in Crockford's base 32; in capitals."""

SemVer = Annotated[str, TextFormat("semver", _semver, _VERSION_LENGTH)]
"""A version as Semantic Versioning 2.0.0 writes it, at most 256 characters."""

HexColor = Annotated[
    str, TextFormat("hex color", _hex_color, 9, pattern="^#([0-9A-Fa-f]{3,4}|[0-9A-Fa-f]{6}|[0-9A-Fa-f]{8})$")
]
"""A colour in hexadecimal as CSS writes it, with or without its opacity; in lower case."""

CountryCode = Annotated[str, TextFormat("country", _country, 2)]
"""A country code of ISO 3166-1 alpha-2, such as ``DE``; in capitals."""

LanguageTag = Annotated[str, TextFormat("language", _language, _LANGUAGE_LENGTH)]
"""A well-formed language tag (BCP 47, RFC 5646), such as ``zh-Hant-TW``; in its usual capitals."""

MimeType = Annotated[str, TextFormat("mime type", _mime_type, 255)]
"""A media type without parameters (RFC 6838), such as ``image/png``; in lower case."""

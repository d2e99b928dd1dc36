"""Which characters a text may consist of. Nothing is changed."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Any

from ..rule import AnyText, refused, require
from ..text import has_control

_PRINTABLE_ASCII = frozenset(map(chr, range(0x20, 0x7F)))
# What ends a line for str.splitlines, and so for most that reads text (UAX #14, class BK and others).
_LINE_ENDS = frozenset("\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029")
# Letters and marks by their category, but shown as nothing: fillers, the braille blank, the grapheme joiner.
UNSEEN = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
"""Characters that take part in words and are not seen."""

_UNSEEN_KINDS = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp", "Zs"})


@dataclass(frozen=True, slots=True)
class Ascii(AnyText):
    """Only printable ASCII: U+0020 to U+007E."""

    def _check(self, value: str) -> str:
        if not _PRINTABLE_ASCII.issuperset(value):
            raise refused("text.ascii")
        return value

    def _said(self) -> dict[str, Any]:
        return {"pattern": "^[ -~]*$"}


@dataclass(frozen=True, slots=True)
class Alpha(AnyText):
    """Only letters of any script with their marks, or with ``ascii`` only ``A-Z a-z``; not empty."""

    ascii: bool = False

    def _check(self, value: str) -> str:
        held = value.isascii() and value.isalpha() if self.ascii else _is_made_of(value, str.isalpha)
        if not held:
            raise refused("text.alpha")
        return value


@dataclass(frozen=True, slots=True)
class Alphanumeric(AnyText):
    """Only letters and decimal digits of any script, or with ``ascii`` only ASCII ones, and those in ``extra``."""

    ascii: bool = False
    extra: str = ""

    def __post_init__(self) -> None:
        self._checked()
        require(not has_control(self.extra), "Alphanumeric: extra must not hold control characters")

    def _check(self, value: str) -> str:
        held = _is_made_of(value, lambda one: (one.isalpha() or one.isdecimal()) or one in self.extra)
        if not held or (self.ascii and not all(one.isascii() or one in self.extra for one in value)):
            raise refused("text.alphanumeric")
        return value


def _is_made_of(text: str, allowed: Any) -> bool:
    """Whether each character is ``allowed``, or a mark on one that is."""
    marked = False
    for character in text:
        marked = bool(allowed(character)) or (marked and unicodedata.category(character)[0] == "M")
        if not marked:
            return False
    return bool(text)


@dataclass(frozen=True, slots=True)
class Lowercase(AnyText):
    """No character that has a lower-case form; checked, not converted."""

    def _check(self, value: str) -> str:
        if value != value.lower():
            raise refused("text.lowercase")
        return value


@dataclass(frozen=True, slots=True)
class Uppercase(AnyText):
    """No character that has an upper-case form; checked, not converted."""

    def _check(self, value: str) -> str:
        if value != value.upper():
            raise refused("text.uppercase")
        return value


@dataclass(frozen=True, slots=True)
class NotBlank(AnyText):
    """At least one character that is seen: no white space, no control, no format character, no filler."""

    def _check(self, value: str) -> str:
        if not any(one not in UNSEEN and unicodedata.category(one) not in _UNSEEN_KINDS for one in value):
            raise refused("text.blank")
        return value

    def _said(self) -> dict[str, Any]:
        return {"minLength": 1}


@dataclass(frozen=True, slots=True)
class SingleLine(AnyText):
    """No character that ends a line, NEL, U+2028 and U+2029 included."""

    def _check(self, value: str) -> str:
        if not _LINE_ENDS.isdisjoint(value):
            raise refused("text.lines")
        return value


@dataclass(frozen=True, slots=True)
class NoControl(AnyText):
    """No control or direction-changing character, surrogate or noncharacter; ``lines`` permits tabs and line ends."""

    lines: bool = False

    def _check(self, value: str) -> str:
        if has_control(value, "\n\r\t" if self.lines else ""):
            raise refused("text.control")
        return value

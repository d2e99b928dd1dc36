"""Text for people: titles and paragraphs, refused or cleaned, slugs, tags, file names, cells of a spreadsheet."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import StringConstraints, WithJsonSchema
from pydantic_core import CoreSchema, core_schema

from ..output import csv_cell
from ..rule import Rule, TextFormat, TextRule, after, inside, limited, refused, require, too_long
from ..text import (
    display_name,
    has_control,
    has_mark_run,
    is_tag,
    normalized,
    tag,
    without_hidden,
    without_loose_joiners,
)

_NFC_SHRINKS = 4  # a Greek letter with three marks is one character in NFC (UAX #15, table 10)
_TAG_LENGTH = 40
_CELL = 32_767  # characters in a cell of Excel and of LibreOffice
# As has_control() has them, but for surrogates, which no JSON text holds, and what is beyond U+FFFF, which not every
# dialect of regular expressions writes alike.
_CONTROLS = (
    r"\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff"
    r"\ufdd0-\ufdef\ufffe\uffff"
)
_LINES = r"\t\n\r"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cleaned(Rule):
    """Text that is changed first, and counted then."""

    max: int
    min: int = 0
    lines: bool = False

    def __post_init__(self) -> None:
        possible = 0 <= self.min <= self.max and self.max >= 1
        require(possible, f"{type(self).__name__}: max must be at least 1 and not below min")

    def _behind(self, schema: CoreSchema) -> CoreSchema:
        counted = core_schema.str_schema(min_length=self.min, max_length=self.max)
        cleaned = after(limited(schema, self.max * _NFC_SHRINKS), self._check)
        return inside(cleaned, lambda inner: core_schema.chain_schema([inner, counted]))


class PlainText(_Cleaned):
    """Text of at most ``max`` characters (code points), and at least ``min``, on one line or on several.

    Changed: composed to NFC, line ends become ``\\n``, surrounding white space goes. Refused, not removed, as removing
    would change what was meant: control and direction-changing characters, surrogates, noncharacters
    (``text.control``), more than 30 accents on one character (``text.marks``).
    """

    __slots__ = ()

    def _said(self) -> dict[str, Any]:
        # What is always taken: a longer text that NFC makes short enough is, too.
        said: dict[str, Any] = {"maxLength": self.max, "pattern": _pattern(lines=self.lines, empty=self.min == 0)}
        return said | ({"minLength": self.min} if self.min else {})

    def _check(self, value: str) -> str:
        if has_control(value, "\n\r\t" if self.lines else ""):
            raise refused("text.control")
        if has_mark_run(value):
            raise refused("text.marks")
        kept = normalized(value)
        if has_mark_run(kept):  # U+0344 is one mark, and two in NFC
            raise refused("text.marks")
        return kept


class CleanText(_Cleaned):
    """Text without what is not seen, of at most ``max`` characters and at least ``min``, on one line or on several.

    Removed: control, direction-changing and zero-width characters, surrogates, noncharacters; joiners stay inside words
    that need them. Changed: composed to NFC, a line end becomes ``\\n``, or a space where there is one line only;
    surrounding white space goes. Refused: more than 30 accents on one character (``text.marks``), and more than four
    times ``max`` before anything is removed.
    """

    __slots__ = ()

    def _said(self) -> dict[str, Any]:
        return {"maxLength": self.max * _NFC_SHRINKS}

    def _check(self, value: str) -> str:
        seen = without_loose_joiners(_composed(without_hidden(value, lines=self.lines)))
        # What was removed may have kept apart what composes.
        return _composed(seen).strip()


def _composed(text: str) -> str:
    if has_mark_run(text):
        raise refused("text.marks")
    return unicodedata.normalize("NFC", text)


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvText(TextRule):
    """Text of at most ``max`` characters that no spreadsheet runs as a formula, by :func:`.output.csv_cell`.

    For text that is stored as a cell and leaves as one. Where it is shown elsewhere too, store it as it is and encode
    it on the way out.
    """

    max: int = _CELL

    def __post_init__(self) -> None:
        require(self.max >= 1, "CsvText: max must be at least 1")

    def _limit(self) -> int:
        return self.max

    def _check(self, value: str) -> str:
        cell = csv_cell(value)
        if len(cell) > self.max:
            raise too_long(self.max)
        return cell


def _pattern(*, lines: bool, empty: bool) -> str:
    """The regular expression (ECMA 262) of text without controls, of which something is left without white space."""
    refused_ = f"{'' if lines else _LINES}{_CONTROLS}"
    return f"^[^{refused_}]*$" if empty else rf"^[^{refused_}]*[^\s{refused_}][^{refused_}]*$"


def _tag(text: str) -> str:
    if has_control(text):
        raise refused("text.control")
    if has_mark_run(text):
        raise refused("text.marks")
    folded = tag(text)
    if has_mark_run(folded):
        raise refused("text.marks")
    if not folded:
        raise refused("text.required")
    if not is_tag(folded):
        raise refused("tag.characters")
    if len(folded) > _TAG_LENGTH:
        raise too_long(_TAG_LENGTH)
    return folded


Slug = Annotated[str, StringConstraints(min_length=1, max_length=80, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
"""1 to 80 of ``a-z 0-9``, parts joined by single hyphens: safe in a URL's path. (Pydantic's patterns are linear.)"""

Tag = Annotated[
    str,
    TextFormat("tag", _tag, _TAG_LENGTH * _NFC_SHRINKS, format="tag"),
    WithJsonSchema({"type": "string", "format": "tag", "minLength": 1, "maxLength": _TAG_LENGTH}),
]
"""1 to 40 letters, digits, spaces and ``- _ + . # & '``; changed to one spelling: NFC, lower case, single spaces."""

Filename = Annotated[str, TextFormat("filename", display_name, 65_536)]
"""A client's file name, changed by :func:`.text.display_name`: to be shown and offered, never a path to store under."""

"""Text that is cleaned rather than refused, and text for spreadsheets.

:class:`.rules.PlainText` refuses what nobody sees, as removing it changes what was meant. :class:`CleanText` is for
what people paste from word processors and chats, which put such characters in without asking.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Any

from pydantic_core import CoreSchema, core_schema

from .output import csv_cell
from .rule import Rule, TextRule, after, inside, limited, refused, require, too_long
from .text import has_mark_run, without_hidden, without_loose_joiners

_SHRINKS = 4  # a Greek letter with three marks is one character in NFC (UAX #15, table 10)
_CELL = 32_767  # characters in a cell of Excel and of LibreOffice


@dataclass(frozen=True, slots=True)
class CleanText(Rule):
    """Text of at most ``max`` characters (code points), and at least ``min``, on one line or on several.

    Removed: control, direction-changing and zero-width characters, surrogates, noncharacters; joiners stay inside words
    that need them. Changed: composed to NFC, a line end becomes ``\\n``, or a space where there is one line only;
    surrounding white space goes. Refused: more than 30 accents on one character (``text.marks``), and more than four
    times ``max`` before anything is removed.
    """

    max: int
    min: int = 0
    lines: bool = False

    def __post_init__(self) -> None:
        require(0 <= self.min <= self.max and self.max >= 1, "CleanText: max must be at least 1 and not below min")

    def _behind(self, schema: CoreSchema) -> CoreSchema:
        counted = core_schema.str_schema(min_length=self.min, max_length=self.max)
        cleaned = after(limited(schema, self.max * _SHRINKS), self._clean)
        return inside(cleaned, lambda inner: core_schema.chain_schema([inner, counted]))

    def _said(self) -> dict[str, Any]:
        return {"maxLength": self.max * _SHRINKS}

    def _clean(self, text: str) -> str:
        text = without_loose_joiners(_composed(without_hidden(text, lines=self.lines)))
        # What was removed may have kept apart what composes.
        return _composed(text).strip()


def _composed(text: str) -> str:
    if has_mark_run(text):
        raise refused("text.marks")
    return unicodedata.normalize("NFC", text)


@dataclass(frozen=True, slots=True)
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

"""Dates and times of one grammar, there and back. Pure.

Every letter of a grammar stands for as many digits each time, so that the source's text and the server's are cut from
each other.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from typing import Any, Final

from ....errors import PlanRefused
from ..interface import Value
from .common import NULL_CANONICAL, NULL_FIELD, all_of, first, foreign, present, with_nulls

# As the server writes each type; with a fraction if it has digits for one.
SERVER_TEXT: Final = {"DATE": "%Y-%m-%d", "DATETIME": "%Y-%m-%d %H:%M:%S", "TIME": "%H:%M:%S"}
_TEXTS = frozenset({str})
_DIGITS = {"Y": 4, "m": 2, "d": 2, "H": 2, "M": 2, "S": 2}
_WITHIN = {
    "Y": "[1-9][0-9]{3}",
    "m": "(?:0[1-9]|1[0-2])",
    "d": "(?:0[1-9]|[12][0-9]|3[01])",
    "H": "(?:[01][0-9]|2[0-3])",
    "M": "[0-5][0-9]",
    "S": "[0-5][0-9]",
}
_ABSENT = {"H": "00", "M": "00", "S": "00"}
_EVERY_MONTH_HAS = "28"


class DateForm:
    """DATE, DATETIME(n) and TIME(n): text of ``grammar`` that names a time there is."""

    def __init__(self, kind: str, digits: int, grammar: str, nullable: bool) -> None:
        self._nullable = nullable
        self._digits = digits
        there = SERVER_TEXT[kind] + (".%f" if digits else "")
        self._pattern = re.compile(
            "".join(
                re.escape(literal) if not letter else "[0-9]" * digits if letter == "f" else _WITHIN[letter]
                for letter, literal in _letters(grammar)
            )
        )
        self._all = re.compile(f"(?:{self._pattern.pattern}\n)*+")
        self._here_places, self._here_width = self._places(grammar)
        self._there_places, self._there_width = self._places(there)
        self._same = grammar == there
        self._day = self._here_places.get("d")
        lost = set(self._here_places) - set(self._there_places)
        missing = set(self._there_places) - set(self._here_places) - set("HMSf")
        if lost or missing:
            raise PlanRefused(f"{kind}({digits}) and the grammar {grammar!r} do not hold the same")
        self._to_there = _cutter(there, self._here_places, digits)
        self._to_here = _cutter(grammar, self._there_places, digits)

    def misfit(self, values: Sequence[Value]) -> int | None:
        """See :class:`.forms.form.Form`."""
        if (self._nullable or None not in values) and self._lines(values) is not None:
            texts: Any = present(values)
            late = self._day and [text for text in texts if text[self._day] > _EVERY_MONTH_HAS]
            if not late or all(map(self._fits, late)):
                return None
        return first(values, self._fits, nullable=self._nullable)

    def fields(self, values: Sequence[Value]) -> list[bytes]:
        """See :class:`.forms.form.Form`."""
        if self._same:
            texts: Any = present(values)
            return with_nulls(values, "\n".join(texts).encode().split(b"\n") if texts else [], NULL_FIELD)
        return [NULL_FIELD if value is None else self._there(value).encode() for value in values]

    def parameters(self, values: Sequence[Value]) -> list[object]:
        """See :class:`.forms.form.Form`."""
        return [None if value is None else self._there(value) for value in values]

    def canonicals(self, values: Sequence[Value]) -> list[bytes]:
        """See :class:`.forms.form.Form`."""
        lines = self._lines(values)
        if lines is not None:
            shown = lines if self._same else [_cut(line, self._to_there) for line in lines]
            return with_nulls(values, "\n".join(shown).encode().split(b"\n") if shown else [], NULL_CANONICAL)
        return [
            NULL_CANONICAL if value is None else self._there(value).encode() if self._matches(value) else foreign(value)
            for value in values
        ]

    def canonical_sql(self, column: str) -> str:
        """See :class:`.forms.form.Form`."""
        return f"COALESCE(CAST({column} AS CHAR), 'N')"

    def select_sql(self, column: str) -> str:
        """See :class:`.forms.form.Form`; as text, since Python's own classes know no zeros."""
        return f"CAST({column} AS CHAR)"

    def back(self, stored: Any) -> Value:
        """See :class:`.forms.form.Form`."""
        if stored is None:
            return None
        text = stored if type(stored) is str else str(stored)
        if len(text) != self._there_width:
            return text.encode()
        here = text if self._same else _cut(text, self._to_here)
        # What the grammar has no letters for must be nothing.
        return here if self._there(here) == text else text.encode()

    def _lines(self, values: Sequence[Value]) -> list[str] | None:
        """All that are not NULL, if every one is of the grammar."""
        if not all_of(values, kinds=_TEXTS, nullable=True):
            return None
        texts: Any = present(values)
        joined = "\n".join((*texts, ""))
        right = len(joined) == len(texts) * (self._here_width + 1) and self._all.fullmatch(joined) is not None
        return list(texts) if right else None

    def _there(self, value: Value) -> str:
        return str(value) if self._same else _cut(str(value), self._to_there)

    def _matches(self, value: Value) -> bool:
        return type(value) is str and self._pattern.fullmatch(value) is not None

    def _fits(self, value: Value) -> bool:
        if type(value) is not str or self._pattern.fullmatch(value) is None:
            return False
        if self._day is None or value[self._day] <= _EVERY_MONTH_HAS:
            return True
        try:
            date.fromisoformat(self._there(value)[:10])
        except ValueError:
            return False
        return True

    def _places(self, grammar: str) -> tuple[dict[str, slice], int]:
        """Where each letter's digits are, and how long a text is."""
        places: dict[str, slice] = {}
        at = 0
        for letter, literal in _letters(grammar):
            width = (self._digits if letter == "f" else _DIGITS[letter]) if letter else len(literal)
            if letter:
                places[letter] = slice(at, at + width)
            at += width
        return places, at


def _letters(grammar: str) -> list[tuple[str, str]]:
    """The letters, each as ``(letter, "")``, and what stands between them, as ``("", text)``."""
    parts: list[tuple[str, str]] = []
    if "\n" in grammar:
        raise PlanRefused(f"the grammar {grammar!r} has a line break")
    for part in re.findall(r"%.|[^%]+", grammar, re.DOTALL):
        if part == "%%":
            parts.append(("", "%"))
        elif not part.startswith("%"):
            parts.append(("", part))
        elif part[1] in _DIGITS or part[1] == "f":
            parts.append((part[1], ""))
        else:
            raise PlanRefused(f"the grammar {grammar!r} has a letter that stands for no fixed number of digits")
    return parts


def _cutter(wanted: str, places: dict[str, slice], digits: int) -> list[slice | str]:
    """What a text is put together from: parts of the other text, or words of its own."""
    absent = _ABSENT | {"f": "0" * digits}
    return [
        literal if not letter else places[letter] if letter in places else absent[letter]
        for letter, literal in _letters(wanted)
    ]


def _cut(text: str, parts: list[slice | str]) -> str:
    return "".join([part if type(part) is str else text[part] for part in parts])  # type: ignore[index]  # else a slice

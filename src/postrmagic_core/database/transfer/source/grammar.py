"""In which grammar dates are written as text. Pure.

A grammar counts only where it gives every text back: fixed places, days that there are, years 1000 to 9999 (those of
MySQL's DATE and DATETIME), no 24:00 and no leap second.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

_DIGITS = {"%Y": "[1-9][0-9]{3}", **dict.fromkeys(("%m", "%d", "%H", "%M", "%S"), "[0-9]{2}")}
_LAYOUT = re.compile(r"\d{4}-\d\d-\d\d(?:([ T])\d\d:\d\d:\d\d(?:\.(\d{1,6}))?(Z|\+00:00)?)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Grammar:
    """``form`` is in the letters of :meth:`datetime.datetime.strftime`; ``%f`` stands for ``digits`` digits."""

    form: str
    digits: int = 0


def grammar_of(text: str) -> Grammar | None:
    """The grammar in which one text is a date; ``None`` where it is none, or would not come back the same."""
    found = _LAYOUT.fullmatch(text)
    if found is None:
        return None
    between, fraction, suffix = found.groups()
    digits = len(fraction or "")
    form = "%Y-%m-%d"
    if between:
        form += f"{between}%H:%M:%S{'.%f' if digits else ''}{suffix or ''}"
    grammar = Grammar(form, digits)
    return grammar if written([text], grammar) else None


def written(texts: Sequence[str], grammar: Grammar) -> bool:
    """Whether every one of ``texts`` is a date of ``grammar``."""
    matches = _pattern(grammar).fullmatch
    # Python's reader knows the calendar; that nothing is left out, or written otherwise, the pattern has seen to.
    read = datetime.fromisoformat if "%H" in grammar.form else date.fromisoformat
    try:
        return all(matches(text) and read(text) for text in texts)
    except ValueError:
        return False


def _pattern(grammar: Grammar) -> re.Pattern[str]:
    return re.compile(
        "".join(
            "[0-9]" * grammar.digits if part == "%f" else _DIGITS[part] if part in _DIGITS else re.escape(part)
            for part in re.split("(%[YmdHMSf])", grammar.form)
        )
    )

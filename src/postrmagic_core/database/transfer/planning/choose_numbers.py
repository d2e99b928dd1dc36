"""Which type a column of numbers becomes. Pure."""

from __future__ import annotations

import re

from ..source.schema import ColumnStats, SourceColumn
from .choices import Choice, Doubt

# Beyond these a double is no longer each integer.
EXACT = 2**53
_NARROW = {"TINYINT": 2**7, "SMALLINT": 2**15, "MEDIUMINT": 2**23}
_INTEGER = re.compile(r"-?\d+", re.ASCII)
_BOOLEAN = ("BOOL", "BOOLEAN")
_DECIMAL = re.compile(r"(?:NUMERIC|DECIMAL|DEC|NUMBER|MONEY|FIXED)\s*(?:\(\s*(\d+)\s*(?:,\s*(\d+)\s*)?\))?")
# What a decimal may have in all, and what it gets after the point before it is taken for a measurement.
_DIGITS, _SCALE = 65, 10
# Of one whose digits are not declared, so that what comes later finds room: MySQL rounds what has too many.
_WHOLE, _PLACES = 15, 4
_AMONG = "typeof({column}) = 'integer'"


def numbers(column: SourceColumn, stats: ColumnStats) -> Choice | None:
    """The type for integers and reals; ``None`` where only text would hold them all."""
    if declared_decimal(column):
        return _decimal(column, stats) or _double(stats, "more digits than a DECIMAL has") or None
    if not stats.reals:
        return integers(column, stats)
    if stats.integers and column.affinity not in ("integer", "numeric"):
        text = (
            f"integers ({stats.integers:,}) and reals ({stats.reals:,}) in a column without a type: no column of the "
            "target tells 1 from 1.0"
        )
        return Choice("DOUBLE", "real", "integers and reals", doubts=(Doubt("mixed", "stop", text, _AMONG),))
    return _double(stats, _why_double(column, stats)) or _decimal(column, stats)


def integers(column: SourceColumn, stats: ColumnStats) -> Choice:
    """The type for integers: 64 bits, unless declared narrower, and they fit."""
    word = column.declared.upper().split("(")[0].strip()
    if word in _BOOLEAN:
        if stats.least >= 0 and stats.greatest <= 1:
            return Choice("TINYINT(1)", "integer", "BOOLEAN, and only 0 and 1")
        return Choice("BIGINT", "integer", "BOOLEAN, but there are other numbers than 0 and 1")
    if word in _NARROW:
        default = int(column.default) if _INTEGER.fullmatch(column.default) else 0
        if -_NARROW[word] <= min(stats.least, default) and max(stats.greatest, default) < _NARROW[word]:
            return Choice(word, "integer", f"declared {word}, and every value fits")
        return Choice("BIGINT", "integer", f"declared {word}, which is too narrow for what is there")
    if is_date(column):
        return Choice("BIGINT", "integer", "numbers where dates are declared: they stay numbers")
    return Choice("BIGINT", "integer", "SQLite's integers have 64 bits")


def empty_decimal(column: SourceColumn) -> Choice | None:
    """The declared type where no number is there to go by."""
    return _decimal(column, ColumnStats())


def declared_decimal(column: SourceColumn) -> bool:
    """Whether a decimal is declared."""
    return column.affinity == "numeric" and _DECIMAL.match(column.declared.upper()) is not None


def is_date(column: SourceColumn) -> bool:
    """Whether a date, or a date and time, is declared."""
    return column.declared.upper().startswith(("DATE", "TIMESTAMP"))


def _decimal(column: SourceColumn, stats: ColumnStats) -> Choice | None:
    found = _DECIMAL.match(column.declared.upper())
    precision, places = (found[1], found[2]) if found else (None, None)
    declared_scale = int(places or 0) if precision else _PLACES
    declared_whole = int(precision) - declared_scale if precision else _WHOLE
    scale = max(declared_scale, stats.fraction_digits)
    whole = max(declared_whole, stats.whole_digits + 2)
    if scale > max(_SCALE, min(declared_scale, 30)) or whole + scale > _DIGITS or scale > 30:
        return None
    reason = "as declared" if precision else f"no digits declared: {_PLACES} after the point, or as many as there are"
    if scale > declared_scale:
        reason = f"there are {scale} digits after the point"
    elif precision and whole > declared_whole:
        reason = f"declared {column.declared}, which is too narrow for what is there"
    return Choice(f"DECIMAL({whole + scale},{scale})", "decimal", reason)


def _double(stats: ColumnStats, reason: str) -> Choice | None:
    if stats.integers and max(-stats.least, stats.greatest) > EXACT:
        return None
    return Choice("DOUBLE", "real", reason)


def _why_double(column: SourceColumn, stats: ColumnStats) -> str:
    if stats.integers:
        return "integers and reals, all of which are doubles"
    return "SQLite's reals are doubles" if column.affinity == "real" else "reals"

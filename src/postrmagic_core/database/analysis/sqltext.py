"""A logged statement's text: its placeholders, and the text a driver takes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ...errors import MissingExtra

if TYPE_CHECKING:
    from sqlglot import Dialect

# A list of values was collapsed to one `?` in the log; it is tried with at most so many, about a page of them.
LIST_VALUES = 20
# No name of a table or column is likely to hold this.
_MARK = "pm_value_"
_NUMBERED = re.compile(rf":{_MARK}(\d+)\b")


def parser_of(dialect: str) -> Dialect:
    """sqlglot's dialect for ``sqlite``, ``mysql`` or ``mariadb``; :class:`MissingExtra` when it is not installed."""
    try:
        from sqlglot import Dialect
    except ModuleNotFoundError as error:
        raise MissingExtra(
            "the analysis of statements needs sqlglot, which is not installed: pip install 'postrmagic-core[analysis]'"
        ) from error
    return Dialect.get_or_raise("sqlite" if dialect == "sqlite" else "mysql")


def placeholders(sql: str, dialect: str) -> list[int]:
    """Where in ``sql`` each ``?`` stands that is neither quoted nor in a comment."""
    from sqlglot import TokenType

    tokens = parser_of(dialect).tokenize(sql)
    return [token.start for token in tokens if token.token_type is TokenType.PLACEHOLDER]


def numbered(sql: str, positions: Sequence[int]) -> str:
    """``sql`` with a numbered mark for each placeholder: a tree no longer tells the order they stood in."""
    return _replaced(sql, positions, [f":{_MARK}{number}" for number in range(len(positions))])


def number_of(name: str) -> int:
    """The number of the mark ``name``."""
    return int(name.removeprefix(_MARK))


def unnumbered(sql: str) -> tuple[str, tuple[int, ...]]:
    """The reverse of :func:`numbered`, where marks may have moved or come twice: the text, and their order."""
    return _NUMBERED.sub("?", sql), tuple(int(number) for number in _NUMBERED.findall(sql))


def bound(sql: str, positions: Sequence[int], values: Sequence[Any], dialect: str) -> tuple[str, tuple[Any, ...]]:
    """Text and parameters for the driver; a value that is a list fills its placeholder with one ``?`` for each."""
    mark = "?" if dialect == "sqlite" else "%s"
    marks = [", ".join([mark] * len(value)) if isinstance(value, list) else mark for value in values]
    flat: list[Any] = []
    for value in values:
        flat.extend(value) if isinstance(value, list) else flat.append(value)
    # PyMySQL puts parameters in by Python's % operator.
    return _replaced(sql, positions, marks, double_percent=dialect != "sqlite"), tuple(flat)


def _replaced(sql: str, positions: Sequence[int], marks: Sequence[str], *, double_percent: bool = False) -> str:
    parts, start = [], 0
    for position, mark in zip(positions, marks, strict=True):
        parts += [_percent(sql[start:position], double_percent), mark]
        start = position + 1
    return "".join([*parts, _percent(sql[start:], double_percent)])


def _percent(text: str, double: bool) -> str:
    return text.replace("%", "%%") if double else text

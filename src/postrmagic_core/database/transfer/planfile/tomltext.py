"""TOML as a person reads it: one line a thing, columns under each other, no character that hides. Pure.

The standard library reads TOML and writes none, and no writer knows how to align. What is needed is one grammar of
strings, and the standard library reads back all that is written here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_SQL = re.compile(r'["\\]')
_NOT_LITERAL = re.compile(r"'''|^'|'$")
_SHORT = {"\\": "\\\\", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}
# Wider than this, a cell does not move those below it.
_WIDTH = 40


def quoted(text: str) -> str:
    """``text`` in quotes, on one line; what cannot be seen, or turns the writing round, is escaped.

    What can be written without escaping its own quotes is: SQL can then be copied from the file.
    """
    if _SQL.search(text) and not _NOT_LITERAL.search(text) and all(one == " " or one.isprintable() for one in text):
        fence = "'''" if "'" in text else "'"
        return f"{fence}{text}{fence}"
    return _basic(text)


def lines(text: str) -> str:
    """``text`` as lines between triple quotes if it has several, else :func:`quoted`."""
    if "\n" not in text:
        return quoted(text)
    body = "".join(character if character == "\n" else _escaped(character) for character in text)
    return '"""\n' + re.sub(r'"(?="|\Z)', r"\"", body) + '"""'


def key(name: str) -> str:
    """A key: bare where it may be."""
    return name if _BARE.fullmatch(name) else _basic(name)


def inline(value: object) -> str:
    """A text, number, truth value, list or table on one line; raises :class:`TypeError` for anything else."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key(name)} = {inline(one)}" for name, one in value.items()) + " }"
    if isinstance(value, Sequence):
        return "[" + ", ".join(map(inline, value)) + "]"
    raise TypeError(f"{type(value).__name__} has no form in TOML")


def rows(tables: Sequence[Mapping[str, object]]) -> str:
    """A list of inline tables, one a line; the keys that all of them begin with stand under each other."""
    if not tables:
        return "[]"
    cells = [[f"{key(name)} = {inline(one)}," for name, one in table.items()] for table in tables]
    common = _common([list(table) for table in tables])
    widths = [max((len(row[at]) for row in cells if len(row[at]) <= _WIDTH), default=0) for at in range(common)]
    padded = [
        [cell.ljust(width) for cell, width in zip(row, [*widths, *[0] * len(row)], strict=False)] for row in cells
    ]
    return "[\n" + "".join(f"    {{ {' '.join(row).rstrip().rstrip(',')} }},\n" for row in padded) + "]"


def _common(names: Sequence[Sequence[str]]) -> int:
    """How many names all begin with."""
    shortest = min(map(len, names))
    return next((at for at in range(shortest) if len({row[at] for row in names}) > 1), shortest)


def _basic(text: str) -> str:
    return '"' + "".join('\\"' if character == '"' else _escaped(character) for character in text) + '"'


def _escaped(character: str) -> str:
    if character in _SHORT:
        return _SHORT[character]
    # TOML has no surrogates, not even escaped ones: as it is, no encoder takes it.
    if character == " " or character.isprintable() or "\ud800" <= character <= "\udfff":
        return character
    code = ord(character)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"

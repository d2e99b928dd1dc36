r"""How a value of a row is asked for and how it is written, so that the same bytes come to lie in the column again.

Text is read as it is stored and written with the name of its character set: nothing is converted on the way. A FLOAT is
read as a DOUBLE, since the server shows a FLOAT with six digits, and written as text, which keeps the sign of ``-0``.
What MySQL holds within JSON beside JSON's own types (a DATETIME, a DECIMAL) is read as the server shows it and is text
or a number afterwards. In a string only ``\`` and ``'`` are escaped:
https://dev.mysql.com/doc/refman/9.4/en/string-literals.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

Write: TypeAlias = Callable[[Sequence[object]], Sequence[bytes]]

_INTEGERS = frozenset({"tinyint", "smallint", "mediumint", "int", "bigint", "year"})
# Two members may read alike, and no member as the empty one: by their numbers all are told apart.
LISTED = frozenset({"enum", "set"})
_CAST = {"float": "DOUBLE", **dict.fromkeys(LISTED, "UNSIGNED")}
_BINARY = frozenset({"binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob", "vector"})
_GEOMETRY = frozenset(
    {
        "geometry",
        "point",
        "linestring",
        "polygon",
        "multipoint",
        "multilinestring",
        "multipolygon",
        "geometrycollection",
        "geomcollection",
    }
)
# In which a string of a statement is written; what is stored in their subsets is the same in it.
_OWN = frozenset({"", "utf8mb4", "utf8mb3", "utf8", "ascii"})
# A value of more bytes is put together in a variable where its row is too large for one statement.
_LARGE = 64 * 1024
_BACKSLASH = 0x5C
_PIECE = re.compile(rb"SET (@pm_\d+) = (?:CONCAT\(@pm_\d+, )?_binary'")
_VALUES = b" VALUES "


@dataclass(frozen=True, slots=True)
class Field:
    """A column that a dump writes; ``type`` as ``DATA_TYPE`` names it, ``charset`` that of its text."""

    name: str
    type: str
    charset: str = ""

    def asked(self) -> str:
        """The expression by which its value is read exactly."""
        name = f"`{self.name.replace('`', '``')}`"
        kind = _CAST.get(self.type)
        return f"CAST({name} AS {kind})" if kind else name

    def writer(self) -> Write:
        """What makes literals of its values."""
        if self.type in _INTEGERS or self.type in LISTED:
            return _integers
        if self.type == "decimal":
            return _plain
        if self.type == "bit":
            return _hex
        if self.type in _BINARY or self.type in _GEOMETRY:
            return _strings(b"_binary'")
        if self.charset in _OWN:
            return _strings(b"'")
        return _strings(f"_{self.charset}'".encode())


def inserts(
    head: bytes, batches: Iterable[list[Sequence[object]]], writers: Sequence[Write], limit: int
) -> Iterator[tuple[list[bytes], int]]:
    """Statements that insert the rows of ``batches`` (columns of some rows each), with how many rows they insert.

    A statement has at most about ``limit`` bytes. A row that does not fit into that has the strings that are too large
    put together in variables of the session first.
    """
    start = head + _VALUES
    some: list[bytes] = []
    size = len(start)
    for columns in batches:
        written = [write(values) for write, values in zip(writers, columns, strict=True)]
        for values in zip(*written, strict=True):
            row = b"(" + b",".join(values) + b")"
            if len(row) + len(start) > limit:
                if some:
                    yield [start + b",\n".join(some)], len(some)
                    some, size = [], len(start)
                yield [*_in_pieces(start, values, limit)], 1
                continue
            if some and size + len(row) + 2 > limit:
                yield [start + b",\n".join(some)], len(some)
                some, size = [], len(start)
            some.append(row)
            size += len(row) + 2
    if some:
        yield [start + b",\n".join(some)], len(some)


def nothing(values: Sequence[object]) -> Sequence[bytes]:
    """Of each row that it is there."""
    return [b""] * len(values)


def _in_pieces(start: bytes, values: Sequence[bytes], limit: int) -> Iterator[bytes]:
    names: list[bytes] = []
    said = list(values)
    for number, value in enumerate(values):
        if len(value) <= _LARGE:
            continue
        name = b"@pm_%d" % number
        introducer, inside = value.split(b"'", 1)
        # Pieces may end within a character: they are bytes until the whole is put together.
        for count, piece in enumerate(_cut(inside[:-1], limit)):
            literal = b"_binary'" + piece + b"'"
            yield b"SET " + name + b" = " + (b"CONCAT(" + name + b", " + literal + b")" if count else literal)
        names.append(name)
        charset = introducer[1:] or b"utf8mb4"
        said[number] = name if charset == b"binary" else b"CONVERT(" + name + b" USING " + charset + b")"
    yield start + b"(" + b",".join(said) + b")"
    if names:
        yield b"SET " + b", ".join(name + b" = NULL" for name in names)


def pieced(statement: bytes) -> tuple[bytes, int]:
    """The variable that a statement of a value in pieces adds to, and how many bytes; of others nothing, and 0."""
    found = _PIECE.match(statement)
    if found is None:
        return b"", 0
    inside = statement[found.end() : statement.rindex(b"'")]
    return found[1], len(inside) - inside.count(b"\\\\") - inside.count(b"\\'")


def _cut(inside: bytes, size: int) -> Iterator[bytes]:
    """Pieces of an escaped string, none of which ends between a backslash and what it escapes."""
    at = 0
    while at < len(inside):
        end = min(at + size, len(inside))
        slashes = 0
        while inside[end - slashes - 1] == _BACKSLASH and end - slashes > at:
            slashes += 1
        end += slashes % 2
        yield inside[at:end]
        at = end


def _integers(values: Sequence[object]) -> Sequence[bytes]:
    return [b"%d" % value if isinstance(value, int) else b"NULL" for value in values]


def _plain(values: Sequence[object]) -> Sequence[bytes]:
    return [value if isinstance(value, bytes) else b"NULL" for value in values]


def _hex(values: Sequence[object]) -> Sequence[bytes]:
    return [b"0x" + value.hex().encode() if isinstance(value, bytes) else b"NULL" for value in values]


def _strings(opening: bytes) -> Write:
    def write(values: Sequence[object]) -> Sequence[bytes]:
        return [
            opening + value.replace(b"\\", b"\\\\").replace(b"'", b"\\'") + b"'"
            if isinstance(value, bytes)
            else b"NULL"
            for value in values
        ]

    return write

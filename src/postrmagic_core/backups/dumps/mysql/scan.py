"""Statements of a text of SQL as MySQL's and MariaDB's dump programs write it: strings, names and comments understood.

What runs by version (``/*!50100 …*/``, ``/*M!…*/``) is part of its statement, other comments are not. The text is in a
mode in which a backslash escapes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from ....errors import BackupFailed

# Each alternative takes all it can and gives nothing back, so that what is found never hangs on what comes behind it.
_TOKEN = re.compile(
    rb"""
      (?P<string>'[^'\\]*+(?:(?:\\.|'')[^'\\]*+)*+' | "[^"\\]*+(?:(?:\\.|"")[^"\\]*+)*+")
    | (?P<name>`[^`]*+(?:``[^`]*+)*+`)
    | (?P<plain>[^'"`/;\-#*]++ | /\*M?! | \*/ | -(?!-) | /(?!\*) | \*(?!/) | --(?=\S))
    | (?P<comment>/\*(?!M?!).*?\*/ | --[ \t\r][^\n]*+\n | --\n | \#[^\n]*+\n)
    | (?P<end>;)
    """,
    re.VERBOSE | re.DOTALL,
)
_FIRST = re.compile(rb"(?:\s|/\*M?!\d*)*([A-Za-z]+)")
_VALUES = re.compile(rb"\bVALUES\b", re.IGNORECASE)
# The longest token but strings and names has so many bytes; a match that ends nearer to what is not read yet may go on.
_MARGIN = 8


@dataclass(slots=True)
class Statement:
    """A statement: ``rows`` that an INSERT puts in, and the strings in it, where they are few."""

    text: bytes
    rows: int = 0
    strings: list[bytes] = field(default_factory=list)

    @property
    def verb(self) -> str:
        """Its first word, in capitals."""
        found = _FIRST.match(self.text)
        return "" if found is None else found[1].decode().upper()


class Scanner:
    """The statements of a text that ``read`` gives piece by piece, nothing at its end.

    ``said`` is the last comment.
    """

    def __init__(self, read: Callable[[int], bytes]) -> None:
        self._read = read
        self._rest = b""
        self._ended = False
        self._wanted = 256 * 1024
        self.said = b""

    def __iter__(self) -> Iterator[Statement]:
        made: list[bytes] = []
        statement = Statement(b"")
        counting = False
        at = 0
        while True:
            found = _TOKEN.match(self._rest, at)
            if (found is None or found.end() + _MARGIN > len(self._rest)) and not self._ended:
                at = self._more(at)
                continue
            if found is None:
                if self._rest[at:].strip() or b"".join(made).strip():
                    raise BackupFailed("what the dump program wrote ends within a statement")
                return
            at = found.end()
            kind, token = found.lastgroup, found[0]
            if kind == "end":
                statement.text = b"".join(made).strip()
                yield statement
                made, statement, counting = [], Statement(b""), False
            elif kind == "comment":
                self.said = token
            else:
                made.append(token)
                if kind == "plain":
                    if counting:
                        statement.rows += token.count(b"(")
                    elif (begun := _VALUES.search(token)) is not None:
                        counting = True
                        statement.rows += token.count(b"(", begun.end())
                elif kind == "string" and len(statement.strings) < 100:
                    statement.strings.append(token[1:-1])

    def _more(self, at: int) -> int:
        # What is not understood yet is looked at again with as much as there was already, so that it costs no square.
        self._rest = self._rest[at:]
        wanted = max(self._wanted, len(self._rest))
        parts = [self._rest]
        while wanted > 0:
            block = self._read(wanted)
            if not block:
                self._ended = True
                break
            parts.append(block)
            wanted -= len(block)
        self._rest = b"".join(parts)
        return 0

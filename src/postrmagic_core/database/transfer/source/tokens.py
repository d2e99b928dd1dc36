"""SQLite's SQL as tokens; nothing here touches a database.

The rules are those of SQLite's own tokenizer (https://sqlite.org/src/file/src/tokenize.c): four ways to quote, two to
comment, names of any characters beyond ASCII.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_CAPITALS = str.maketrans("abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_TOKEN = re.compile(
    r"""
    (?P<space>   [ \t\n\f\r\ufeff]+ | --[^\n]* | /\*.*?(?:\*/|\Z) )
  | (?P<string>  '[^']*(?:''[^']*)*' )
  | (?P<name>    "[^"]*(?:""[^"]*)*" | `[^`]*(?:``[^`]*)*` | \[[^\]]*\] )
  | (?P<blob>    [xX]'[0-9a-fA-F]*' )
  | (?P<number>  0[xX][0-9a-fA-F_]+ | (?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9][0-9_]*)(?:[eE][+-]?[0-9][0-9_]*)? )
  | (?P<word>    [A-Za-z_$\u0080-\U0010ffff][0-9A-Za-z_$\u0080-\U0010ffff]* )
  | (?P<sign>    \|\| | <> | <= | >= | == | != | << | >> | ->> | -> | . )
    """,
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Token:
    """A token: ``kind`` is ``string``, ``name`` (quoted), ``blob``, ``number``, ``word`` or ``sign``."""

    kind: str
    text: str
    start: int

    @property
    def end(self) -> int:
        """Where the text goes on after it."""
        return self.start + len(self.text)

    @property
    def keyword(self) -> str:
        """A word or a sign in capitals; empty for what is quoted and for numbers, which are never keywords."""
        return capitals(self.text) if self.kind in {"word", "sign"} else ""

    @property
    def value(self) -> str:
        """What it says without its quotes."""
        if self.kind not in {"string", "name"}:
            return self.text
        mark = self.text[-1]
        inner = self.text[1:-1]
        return inner if mark == "]" else inner.replace(mark * 2, mark)


def capitals(text: str) -> str:
    """``text`` with the letters of ASCII in capitals: SQLite knows no others as such."""
    return text.translate(_CAPITALS)


def tokens_of(sql: str) -> list[Token]:
    """The tokens of ``sql``, without spaces and comments."""
    return [
        Token(found.lastgroup or "", found[0], found.start())
        for found in _TOKEN.finditer(sql)
        if found.lastgroup != "space"
    ]


def text_of(sql: str, tokens: Sequence[Token]) -> str:
    """What ``sql`` says from the first of ``tokens`` to the last; a comment in between becomes a space."""
    pieces, end = [], None
    for token in tokens:
        if end is not None:
            gap = sql[end : token.start]
            pieces.append(" " if gap.strip(" \t\n\f\r\ufeff") else gap)
        pieces.append(token.text)
        end = token.end
    return "".join(pieces)


def closing(tokens: Sequence[Token], opening: int) -> int:
    """The place of the parenthesis that closes the one at ``opening``; the end where there is none."""
    depth = 0
    for place in range(opening, len(tokens)):
        depth += {"(": 1, ")": -1}.get(tokens[place].keyword, 0)
        if not depth:
            return place
    return len(tokens)


def divided(tokens: Sequence[Token]) -> list[Sequence[Token]]:
    """``tokens`` between the commas that stand in no parentheses."""
    parts, start, place = [], 0, 0
    while place < len(tokens):
        if tokens[place].keyword == "(":
            place = closing(tokens, place)
        elif tokens[place].keyword == ",":
            parts.append(tokens[start:place])
            start = place + 1
        place += 1
    return [*parts, tokens[start:]]

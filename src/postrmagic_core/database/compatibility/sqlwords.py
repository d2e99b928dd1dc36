"""SQL as words: enough to tell statements apart and to find their names, never what a string or comment holds."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["word", "name", "string", "sign"]


@dataclass(frozen=True, slots=True)
class Token:
    """A word or a sign; ``text`` of a quoted name is the name, ``kind`` tells that it is no keyword."""

    kind: Kind
    text: str

    @property
    def word(self) -> str:
        """The keyword that it may be, in capitals; empty for anything quoted."""
        return self.text.upper() if self.kind in {"word", "sign"} else ""

    @property
    def named(self) -> bool:
        """Whether it may stand where a name stands."""
        return self.kind in {"word", "name"}


_PIECE = re.compile(
    r"""(?P<space>\s+)
      | (?P<dashes>--[^\n]*)
      | (?P<run>/\*M?!\d*)
      | (?P<comment>/\*.*?(?:\*/|\Z))
      | (?P<end>\*/)
      | (?P<quoted>'(?:[^']|'')*'|"(?:[^"]|"")*"|`(?:[^`]|``)*`)
      | (?P<word>[^\W\d][\w$]*|\d[\w.]*)
      | (?P<sign>.)""",
    re.VERBOSE | re.DOTALL,
)
# A server's strings may hold \' and its comments may begin with #.
_SERVER_PIECE = re.compile(
    r"""(?P<space>\s+)
      | (?P<dashes>--(?=\s|\Z)[^\n]*|\#[^\n]*)
      | (?P<run>/\*M?!\d*)
      | (?P<comment>/\*.*?(?:\*/|\Z))
      | (?P<end>\*/)
      | (?P<quoted>'(?:[^'\\]|''|\\.)*'|"(?:[^"\\]|""|\\.)*"|`(?:[^`]|``)*`)
      | (?P<word>[^\W\d][\w$]*|\d[\w.]*)
      | (?P<sign>.)""",
    re.VERBOSE | re.DOTALL,
)
_BODIES = {"TRIGGER", "PROCEDURE", "FUNCTION", "EVENT"}
# These end with a word of their own, and begin with no BEGIN.
_OWN_END = {"IF", "LOOP", "WHILE", "REPEAT"}
_BRACKETED = re.compile(r"\[([^\]]*)\]")


def tokens(sql: str, dialect: str) -> list[Token]:
    """The words and signs of ``sql``; a comment that the server executes (``/*! … */``) is read as what it holds."""
    return list(_tokens(sql, dialect))


def _tokens(sql: str, dialect: str) -> Iterator[Token]:
    piece = _PIECE if dialect == "sqlite" else _SERVER_PIECE
    place = 0
    while place < len(sql):
        if dialect == "sqlite" and (bracket := _BRACKETED.match(sql, place)):
            yield Token("name", bracket[1])
            place = bracket.end()
            continue
        found = piece.match(sql, place)
        if found is None:  # pragma: no cover - the last alternative takes any character
            break
        if found.lastgroup == "run" and dialect == "sqlite":  # a comment like any other
            close = sql.find("*/", place)
            place = len(sql) if close < 0 else close + 2
            continue
        place = found.end()
        text = found[0]
        match found.lastgroup:
            case "quoted":
                quote = text[0]
                inner = text[1:-1].replace(quote * 2, quote)
                yield Token("string" if quote == "'" else "name", inner)
            case "word":
                yield Token("word", text)
            case "sign":
                yield Token("sign", text)
            case _:
                pass


def statements(sql: str, dialect: str) -> list[list[Token]]:
    """The statements of ``sql``, each as its tokens without the semicolon; what holds statements stays whole."""
    found: list[list[Token]] = [[]]
    for token in tokens(sql, dialect):
        if token.text == ";" and token.kind == "sign" and not _holds_statements(found[-1]):
            found.append([])
        else:
            found[-1].append(token)
    return [one for one in found if one]


def _holds_statements(begun: list[Token]) -> bool:
    words = [token.word for token in begun[:12]]
    return words[:1] == ["CREATE"] and bool(_BODIES.intersection(words)) and open_bodies(begun) > 0


def open_bodies(found: list[Token]) -> int:
    """How many ``BEGIN`` and ``CASE`` in ``found`` have no ``END`` yet."""
    depth = 0
    words = ["", *(token.word for token in found), ""]
    for before, word, after in zip(words, words[1:], words[2:], strict=False):
        if word == "END":
            depth -= after not in _OWN_END
        elif word == "BEGIN" or (word == "CASE" and before != "END"):
            depth += 1
    return depth


def parts(found: list[Token]) -> list[list[Token]]:
    """``found`` split at its commas outside of parentheses."""
    split: list[list[Token]] = [[]]
    depth = 0
    for token in found:
        if token.kind == "sign":
            depth += {"(": 1, ")": -1}.get(token.text, 0)
        if token.kind == "sign" and token.text == "," and depth == 0:
            split.append([])
        else:
            split[-1].append(token)
    return [one for one in split if one]

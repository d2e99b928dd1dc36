"""A statement without its values: one text, and 16 digits for it, however it was spaced and its values were written.

Bind marks of every style, numbers, strings and blobs become ``?``; comments go; lists after ``IN`` and further rows
after ``VALUES`` collapse to one. What cannot be told from a value is taken for one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["data", "other", "control"]

# Characters looked at: what follows is further rows of a very long list.
_READ = 100_000
# Characters kept of the normalized text.
KEPT = 8_000
CUT = " …"

# Strings end where the text ends if they are never closed: nothing of them may be left over.
_SQLITE_STRING = r"'(?:[^']|'')*(?:'|$)"
_MYSQL_STRING = r"'(?:[^'\\]|\\.|''|\\$)*(?:'|$)|\"(?:[^\"\\]|\\.|\"\"|\\$)*(?:\"|$)"
_LEXEMES = r"""
  (?P<space>\s+|/\*(?:.|\n)*?(?:\*/|$)|{comment})
| (?P<value>(?:(?i:[xbn]|_\w+\s*)(?='))?(?:{string}))
| (?P<quoted>`(?:[^`]|``)*(?:`|$){identifier})
| (?P<mark>\?\d*|%s|%\(\w*\)s|:[A-Za-z_]\w*|:\d+|\$\w+)
| (?P<number>(?:0[xXbB][0-9a-fA-F_]+|(?:\d[\d_]*(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)(?!\w))
| (?P<word>@{{0,2}}[^\W\d][\w$]*|\d\w*)
| (?P<operator><=>|->>|->|<>|!=|<=|>=|==|<<|>>|\|\||&&|::|:=|%%|[-+*/%=<>!~|&^])
| (?P<mark_of_text>.)
"""
_IDENTIFIERS = r"|\"(?:[^\"]|\"\")*(?:\"|$)|\[[^\]]*(?:\]|$)"
_SQLITE = re.compile(
    _LEXEMES.format(comment=r"--[^\n]*", string=_SQLITE_STRING, identifier=_IDENTIFIERS), re.VERBOSE | re.DOTALL
)
_MYSQL = re.compile(
    _LEXEMES.format(comment=r"--(?=\s|$)[^\n]*|\#[^\n]*", string=_MYSQL_STRING, identifier=""), re.VERBOSE | re.DOTALL
)

# Words after which a parenthesis opens a group and no call, and a sign belongs to its number.
_OPENING = re.compile(
    "ALL|AND|ANY|AS|BETWEEN|BY|CASE|DISTINCT|ELSE|EXISTS|FROM|HAVING|IN|INTERSECT|EXCEPT|IS|JOIN|LIKE|LIMIT|NOT|OFFSET"
    "|ON|OR|OVER|RETURNING|ROW|SELECT|SET|THEN|UNION|USING|VALUES|WHEN|WHERE|WITH"
)
_COMPARING = frozenset({"=", "==", "<>", "!=", "<", ">", "<=", ">=", "||", "<=>"})
_COMPARING_WORDS = frozenset({"LIKE", "GLOB", "IS", "MATCH", "REGEXP", "BETWEEN", "NOT"})
_DATA = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE", "REPLACE", "WITH", "VALUES", "("})
_CONTROL = re.compile("BEGIN|START|COMMIT|ROLLBACK|SAVEPOINT|RELEASE|END|SET|USE|LOCK|UNLOCK")
_CONSTANTS = frozenset({"NULL", "TRUE", "FALSE", "DEFAULT"})


@dataclass(frozen=True, slots=True)
class Statement:
    """``fingerprint``: 16 hexadecimal digits; ``sql``: the text without values; ``kind``: whether it asks for data."""

    fingerprint: str
    sql: str
    kind: Kind


def read(sql: str, dialect: str) -> Statement:
    """What there is to know of ``sql`` as ``sqlite``, or as ``mysql`` (or ``mariadb``), reads it.

    ``kind`` is ``data`` for what reads or changes rows, ``control`` for transactions and the session's own variables.
    """
    text = normalized(sql, dialect)
    fingerprint = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
    return Statement(fingerprint, text if len(text) <= KEPT else text[:KEPT] + CUT, _kind(text))


def normalized(sql: str, dialect: str) -> str:
    """``sql`` with ``?`` for each value, lists collapsed and whitespace made one."""
    pattern = _SQLITE if dialect == "sqlite" else _MYSQL
    tokens = list(_tokens(sql[:_READ], pattern))
    return _collapsed(_spaced(_without_signs(_without_quoted_values(tokens))))


@dataclass(slots=True)
class _Token:
    kind: str
    text: str
    apart: bool  # whether whitespace came before it

    @property
    def word(self) -> str:
        return self.text.upper() if self.kind == "word" else ""


def _tokens(sql: str, pattern: re.Pattern[str]) -> Iterator[_Token]:
    apart = False
    for found in pattern.finditer(sql):
        kind, text = found.lastgroup or "", found.group()
        if kind == "space":
            apart = True
            continue
        if kind in {"value", "number", "mark"}:
            kind, text = "value", "?"
        yield _Token(kind, "%" if text == "%%" else text, apart)
        apart = False


def _without_quoted_values(tokens: list[_Token]) -> list[_Token]:
    """SQLite takes ``"text"`` for a string where no such column exists: compared with, or in a list, it may be one."""
    depth, listed = 0, 0  # how deep, and how deep a list of values lies around, if any
    for number, token in enumerate(tokens):
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        if token.word:
            listed = depth + 1 if token.word in {"IN", "VALUES"} else 0
        elif depth < listed and token.text == ")":
            listed = 0
        if token.kind == "quoted" and token.text.startswith('"'):
            before = tokens[number - 1] if number else token
            compared = before.text in _COMPARING or before.word in _COMPARING_WORDS
            followed = number + 1 < len(tokens) and tokens[number + 1].text == "."
            if (compared or 0 < listed <= depth) and not followed:
                token.kind, token.text = "value", "?"
    return tokens


def _without_signs(tokens: list[_Token]) -> list[_Token]:
    kept: list[_Token] = []
    for number, token in enumerate(tokens):
        signs_value = token.text in {"-", "+"} and number + 1 < len(tokens) and tokens[number + 1].text == "?"
        if signs_value and (not kept or kept[-1].kind == "operator" or kept[-1].text in "(," or _opens(kept[-1])):
            continue
        kept.append(token)
    return kept


def _opens(token: _Token) -> bool:
    return _OPENING.fullmatch(token.word) is not None


def _spaced(tokens: list[_Token]) -> list[_Token]:
    """Decide for each token whether a space comes before it: as most write SQL, whatever was written."""
    previous: _Token | None = None
    for token in tokens:
        token.apart = previous is not None and _is_apart(previous, token)
        previous = token
    return tokens


def _is_apart(previous: _Token, token: _Token) -> bool:
    if token.text in {",", ")", ";", "."} or previous.text in {"(", "."}:
        return False
    if token.text == "(":
        return previous.kind not in {"word", "quoted"} or _opens(previous) or token.apart
    return True


def _collapsed(tokens: list[_Token]) -> str:
    kept: list[_Token] = []
    number = 0
    while number < len(tokens):
        token = tokens[number]
        kept.append(token)
        number += 1
        if token.word == "IN":
            found, number = _list(tokens, number)
            kept += found
        elif token.word == "VALUES":
            found, number = _rows(tokens, number)
            kept += found
    while kept and kept[-1].text == ";":
        kept.pop()
    return "".join(f" {token.text}" if token.apart else token.text for token in kept)


def _list(tokens: list[_Token], start: int) -> tuple[list[_Token], int]:
    """``(?)`` for a list of values at ``start``, ``((?, ?))`` for one of rows, and where it ends.

    Anything else, such as a subquery, is left to be read on.
    """
    inner = start + 1
    if start >= len(tokens) or tokens[start].text != "(" or inner >= len(tokens):
        return [], start
    if tokens[inner].word == "VALUES" or tokens[inner].text == "(":
        name = [tokens[inner]] if tokens[inner].word else []
        rows, end = _rows(tokens, inner + len(name), simple=True)
        found = [*name, *rows] if rows else []
    else:
        end = inner
        while end < len(tokens) and _is_value(tokens[end]):
            end += 1
        found = [_Token("value", "?", False)] if end > inner else []
    if found and end >= len(tokens):  # the text was cut within the list
        return [tokens[start], *found], end
    if found and tokens[end].text == ")":
        return [tokens[start], *found, tokens[end]], end + 1
    return [], start


def _is_value(token: _Token) -> bool:
    return token.text in {"?", ","} or token.word in _CONSTANTS


def _rows(tokens: list[_Token], start: int, *, simple: bool = False) -> tuple[list[_Token], int]:
    """The first of the rows at ``start``, and where the last one ends; none if they shall be ``simple`` and are not."""
    first: list[_Token] = []
    end = start
    while end < len(tokens):
        opening = end + (tokens[end].word == "ROW")
        if opening >= len(tokens) or tokens[opening].text != "(":
            break
        after = _closed(tokens, opening, simple=simple)
        if after is None:
            return [], start
        if not first:
            # Constants are taken for values: else rows with and without a NULL would be two statements.
            row = tokens[end:after]
            first = [_Token("value", "?", each.apart) if each.word in _CONSTANTS else each for each in row]
        end = after
        if end + 1 >= len(tokens) or tokens[end].text != "," or tokens[end + 1].text not in {"(", "ROW"}:
            break
        end += 1
    return first, end


def _closed(tokens: list[_Token], start: int, *, simple: bool) -> int | None:
    """The number after the parenthesis that closes the one at ``start``; ``simple``: ``None`` unless of values only."""
    depth, number = 0, start
    while number < len(tokens):
        depth += {"(": 1, ")": -1}.get(tokens[number].text, 0)
        if simple and (depth > 1 or not (_is_value(tokens[number]) or tokens[number].text in {"(", ")"})):
            return None
        number += 1
        if depth == 0:
            break
    return number


def _kind(text: str) -> Kind:
    first = re.match(r"\w+|\(", text)
    word = first.group().upper() if first else ""
    if _CONTROL.fullmatch(word) or text.startswith(("SELECT @@", "SELECT VERSION()", "SELECT DATABASE()")):
        return "control"
    return "data" if word in _DATA else "other"

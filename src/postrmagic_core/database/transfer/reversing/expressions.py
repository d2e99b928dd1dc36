"""A server's expression as SQLite writes it, where both surely mean the same; by a whitelist. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Literal, TypeAlias

from ..interface import ServerKind

# What a column holds, as far as operators care.
Family: TypeAlias = Literal["integer", "number", "text", "bytes"]

_TOKEN = re.compile(
    r"""\s+
    | (?P<name>`(?:[^`]|``)*`)
    | (?P<text>(?:_utf8mb4\s*|_utf8mb3\s*|_utf8\s*|_latin1\s*|_ascii\s*)?'(?:[^'\\]|\\.|'')*')
    | (?P<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.]))
    | (?P<operator><=>|<>|!=|<=|>=|[=<>+*(),-])
    | (?P<word>[A-Za-z_]\w*)""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "Z": "\x1a"}
_KEYWORDS = frozenset(
    ("and", "or", "not", "in", "is", "null", "between", "case", "when", "then", "else", "end", "true", "false")
)
_FUNCTIONS = {
    "coalesce": "coalesce",
    "ifnull": "ifnull",
    "nullif": "nullif",
    "if": "iif",
    "abs": "abs",
    "char_length": "length",
    "character_length": "length",
    "concat": "concat",
}
_COMPARISONS = frozenset({"=", "<", ">", "<=", ">=", "<>", "!=", "<=>"})
_NOW = re.compile(r"(?:utc_timestamp|current_timestamp|now|localtimestamp|localtime)(?:\((\d?)\))?")
_TODAY = re.compile(r"(?:curdate|current_date|utc_date)(?:\(\))?")
_NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?")
_BITS = re.compile(r"b'([01]+)'")
# What MariaDB puts to a column that is declared JSON. NULL satisfies it there, but is no JSON to SQLite before 3.45.
_IS_JSON = re.compile(r"json_valid\((`(?:[^`]|``)+`)\)")
_Token: TypeAlias = tuple[str, str]


class Untranslatable(ValueError):
    """SQLite has nothing that is surely the same."""


def quoted(name: str) -> str:
    """``name`` as SQLite's identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """``text`` as SQLite's literal; a NUL has none."""
    if "\0" in text:
        raise Untranslatable(text)
    return "'" + text.replace("'", "''") + "'"


def plain(expression: str, kind: ServerKind) -> str:
    """``expression`` as it was: MySQL's information_schema shows it with everything in it escaped once more."""
    return re.sub(r"\\(.)", r"\1", expression, flags=re.DOTALL) if kind == "mysql" else expression


def translated(expression: str, kind: ServerKind, families: Mapping[str, Family]) -> str:
    """``expression`` over the columns ``families``, as SQLite's; :class:`Untranslatable` where nothing is the same."""
    if found := _IS_JSON.fullmatch(expression):
        name = quoted(next(_tokens(found[1]))[1])
        return f"{name} IS NULL OR json_valid({name})"
    tokens = list(_tokens(plain(expression, kind)))
    _check_arithmetic(tokens, families)
    written: list[str] = []
    opened: list[bool] = []  # for each open parenthesis, whether it is of CONCAT
    for position, (what, said) in enumerate(tokens):
        following = tokens[position + 1][1] if position + 1 < len(tokens) else ""
        if what == "name":
            written.append(quoted(said))
        elif what == "text":
            written.append(literal(said))
        elif what == "word":
            written.append(_word(said, following))
        elif said == "(":
            concat = written[-1:] == ["concat"]
            opened.append(concat)
            written[-1:] = ["(("] if concat else [*written[-1:], "("]
        elif said == ")":
            written.append("))" if opened.pop() else ")")
        elif said == "," and opened and opened[-1]:
            written.append(") || (")
        else:
            written.append("IS" if said == "<=>" else said)
    return _spaced(written)


def _spaced(words: list[str]) -> str:
    """``words`` with spaces where one reads them."""
    text = ""
    for word in words:
        tight = not text or text.endswith("(") or word[0] in "),"
        # An expression in parentheses, or the arguments of a function.
        tight = tight or (word[0] == "(" and text[-1].isalpha() and text[-1].islower())
        text += word if tight else f" {word}"
    return text


def default_of(value: str | None, extra: str, kind: ServerKind, family: Family) -> str:
    """SQLite's DEFAULT for information_schema's, empty where there is none; :class:`Untranslatable`."""
    if value is None or (kind == "mariadb" and value.upper() == "NULL"):
        return ""
    expression = kind == "mariadb" or "default_generated" in extra
    if expression:
        return _expression_default(value, kind, family)
    if found := _BITS.fullmatch(value):
        return str(int(found[1], 2))
    if family in ("integer", "number"):
        if not _NUMBER.fullmatch(value):
            raise Untranslatable(value)
        return value
    if family == "bytes":
        if not re.fullmatch("0x([0-9A-Fa-f]{2})*", value):
            raise Untranslatable(value)
        return f"X'{value[2:]}'"
    return literal(value)


def _expression_default(value: str, kind: ServerKind, family: Family) -> str:
    text = plain(value, kind)
    inner = text[1:-1] if text.startswith("(") and text.endswith(")") else text
    if found := _NOW.fullmatch(inner.lower()):
        digits = int(found[1] or 0)
        # SQLite's %f is the seconds with three digits.
        moment = f"%Y-%m-%d %H:%M:%f{'0' * (digits - 3)}"
        if digits in (1, 2):
            raise Untranslatable(value)
        return f"(strftime('{moment}', 'now'))" if digits else "CURRENT_TIMESTAMP"
    if _TODAY.fullmatch(inner.lower()):
        return "CURRENT_DATE"
    if found := _BITS.fullmatch(text):
        return str(int(found[1], 2))
    made = translated(value, kind, {}).replace("- ", "-", 1)
    if family == "bytes":
        if not re.fullmatch(r"'[\x20-\x7e]*'", made):
            raise Untranslatable(value)
        return f"X'{made[1:-1].replace(chr(39) * 2, chr(39)).encode().hex()}'"
    simple = _NUMBER.fullmatch(made) or re.fullmatch("'(?:[^']|'')*'", made)
    if simple and family == "text" and not made.startswith("'"):
        return literal(made)
    return made if simple else f"({made})"


def _tokens(expression: str) -> Iterator[_Token]:
    position = 0
    while position < len(expression):
        found = _TOKEN.match(expression, position)
        if found is None:
            raise Untranslatable(expression)
        position = found.end()
        what = found.lastgroup
        if what == "name":
            yield what, found[0][1:-1].replace("``", "`")
        elif what == "text":
            yield what, unescaped(found[0][found[0].index("'") + 1 : -1])
        elif what is not None:
            yield what, found[0].lower()


def unescaped(text: str) -> str:
    """What a literal of the server's says between its quotes; a NUL is :class:`Untranslatable`."""

    def one(found: re.Match[str]) -> str:
        if found[0] == "''":
            return "'"
        if found[1] == "0":
            raise Untranslatable(text)
        return _ESCAPED.get(found[1], found[1])

    return re.sub(r"\\(.)|''", one, text, flags=re.DOTALL)


def _word(word: str, following: str) -> str:
    if following == "(" and word in _FUNCTIONS:
        return _FUNCTIONS[word]
    if word in _KEYWORDS:
        return word.upper()
    raise Untranslatable(word)


def _check_arithmetic(tokens: list[_Token], families: Mapping[str, Family]) -> None:
    """Sums are the same of whole numbers only, and what MySQL takes for a number of a text is MySQL's alone."""
    used = {families.get(said, "number") for what, said in tokens if what == "name"}
    for position, (what, said) in enumerate(tokens):
        before = tokens[position - 1] if position else ("operator", "(")
        sign = said == "-" and before[0] in ("operator", "word") and before[1] != ")"
        if what == "operator" and said in ("+", "-", "*") and not sign and used - {"integer"}:
            raise Untranslatable(said)
        if (what, said) == ("word", "concat") and used - {"integer", "text"}:
            raise Untranslatable(said)
        if what == "operator" and said in _COMPARISONS and position + 1 < len(tokens):
            sides = {_kind_of(before, families), _kind_of(tokens[position + 1], families)}
            if {"text", "number"} <= sides:
                raise Untranslatable(said)


def _kind_of(token: _Token, families: Mapping[str, Family]) -> str:
    what, text = token
    if what == "name":
        family = families.get(text, "")
        return "number" if family == "integer" else family
    return what if what in ("text", "number") else ""

"""One language for asking the log: ``level>=warning user:42 "timed out" since:1h``.

::

    query = parse('level>=error (task:thumbnail OR task:mail) -retry since:1h', now_us)
    query.matches({"ts": "…", "level": "error", "task": "mail", "event": "job failed"})

What stands side by side must all hold; ``OR``, ``-`` (or ``NOT``) and parentheses say otherwise. A word is looked for
in every text of a record but its ``ts``, ``level``, ``logger``, ``service`` and ``release``; ``time*`` is the beginning
of one, ``"timed out"`` are words in a row. ``key:value`` asks one field: a number or an id is its whole value, other
words occur in it in a row; ``key=value`` is the whole value, ``key:*`` any. ``<``, ``<=``, ``>``, ``>=`` compare
numbers, and levels by their rank. ``since:`` and ``until:`` take ``30s``, ``5m``, ``1h``, ``2d``, ``1w``, an instant in
ISO 8601 (UTC unless it says otherwise), ``today`` and ``yesterday``. Upper and lower case are one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NoReturn

from .query_nodes import (
    ALIASES,
    LEVELS,
    Compared,
    Either,
    Equal,
    Every,
    Instant,
    Level,
    Node,
    Not,
    Present,
    Query,
    Within,
    Words,
    words_of,
)
from .query_time import instant_of

LENGTH: Final = 4096
"""Characters that a query may have."""
_DEPTH = 40
_SIGNED = re.compile(r"[+-]?\d")
_TOKEN = re.compile(
    r"""(?P<space>\s+)
      | (?P<open>\()
      | (?P<close>\))
      | (?P<minus>-)(?=[^\s)])
      | (?P<key>[A-Za-z_@][\w.@-]*)(?P<sign>!=|>=|<=|=|>|<|:)
      | (?P<text>"(?:[^"\\]|\\.)*"(?P<star>\*?))
      | (?P<torn>")
      | (?P<word>[^\s()"]+)""",
    re.VERBOSE,
)
_VALUE = re.compile(r"""(?P<text>"(?:[^"\\]|\\.)*"(?P<star>\*?))|(?P<torn>")|(?P<word>[^\s()"]+)""")


class QueryError(ValueError):
    """What was asked cannot be understood; the message shows the place and says what was expected."""

    def __init__(self, text: str, place: int, expected: str) -> None:
        self.place, self.expected = place, expected
        begin = max(0, place - 60)
        shown = text[begin : place + 40]
        shown = "".join(one if one.isprintable() else "?" for one in shown)
        super().__init__(f"{expected}\n  {shown}\n  {' ' * (place - begin)}^")


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    place: int
    key: str = ""
    sign: str = ""
    value: str = ""
    quoted: bool = False
    star: bool = False
    value_place: int = 0


def parse(text: str, now_us: int) -> Query:
    """The query that ``text`` says, at ``now_us`` (microseconds since the epoch); nothing asks for everything.

    :class:`QueryError`: it is no query, longer than 4,096 characters or nested deeper than forty.
    """
    if len(text) > LENGTH:
        raise QueryError(text[:40], 0, f"a query has at most {LENGTH} characters, this one {len(text)}")
    return _Parser(text, now_us).query()


class _Parser:
    def __init__(self, text: str, now_us: int) -> None:
        self._text = text
        self._now = now_us
        self._tokens = list(_tokens(text))
        self._at = 0
        self._depth = 0

    def query(self) -> Query:
        if self._peek() is None:
            return Query(Every(()))
        node = self._either()
        left = self._peek()
        if left is not None:
            self._fail(left.place, "this parenthesis closes none")
        return Query(node)

    def _either(self) -> Node:
        self._depth += 1
        if self._depth > _DEPTH:
            self._fail(self._place(), f"expected at most {_DEPTH} parentheses in each other")
        parts = [self._every()]
        while (token := self._peek()) is not None and token.kind == "or":
            self._at += 1
            parts.append(self._every())
        self._depth -= 1
        return _joined(Either, parts)

    def _every(self) -> Node:
        parts: list[Node] = []
        while (token := self._peek()) is not None and token.kind not in ("or", "close"):
            if token.kind == "and":
                self._at += 1
                if not parts:
                    self._fail(token.place, "expected something before AND")
            parts.append(self._one())
        if not parts:
            self._fail(self._place(), "expected a word, a phrase or key:value")
        return _joined(Every, parts)

    def _one(self) -> Node:
        denied = False
        while (token := self._peek()) is not None and token.kind in ("minus", "not"):
            self._at += 1
            denied = not denied
        if token is None or token.kind in ("or", "and", "close"):
            self._fail(self._place(), "expected a word, a phrase or key:value")
        self._at += 1
        if token.kind == "open":
            node = self._either()
            closing = self._peek()
            if closing is None or closing.kind != "close":
                self._fail(token.place, "this parenthesis is not closed")
            self._at += 1
        elif token.kind == "key":
            node = self._field(token)
            if token.sign == "!=":
                denied = not denied
        else:
            node = self._words(token)
        return _denied(node) if denied else node

    def _words(self, token: _Token) -> Words:
        value, prefix = _starred(token)
        words = words_of(value)
        if not words:
            self._fail(token.place, "expected a word with letters or digits")
        return Words((), words, prefix)

    def _field(self, token: _Token) -> Node:
        key, sign = token.key, "=" if token.sign == "!=" else token.sign
        if not token.value and not token.quoted:
            self._fail(token.value_place, f"expected a value after {key}{token.sign}")
        if key in ("since", "until"):
            return self._instant(token)
        if key == "level":
            return self._level(token, sign)
        keys = tuple(dict.fromkeys((ALIASES.get(key, key), key)))
        if sign not in (":", "="):
            try:
                return Compared(keys, sign, _number(token.value))
            except ValueError:
                self._fail(token.value_place, f"expected a number after {key}{sign}")
        return _asked(keys, sign, token)

    def _instant(self, token: _Token) -> Node:
        if token.sign != ":":
            self._fail(token.place, f"expected {token.key}: and a time, as {token.key}:1h")
        try:
            us = instant_of(token.value, self._now)
        except ValueError as error:
            self._fail(token.value_place, str(error))
        return Within(Instant(us), None) if token.key == "since" else Within(None, Instant(us))

    def _level(self, token: _Token, sign: str) -> Node:
        name = token.value.lower()
        if name == "warn":
            name = "warning"
        if name not in LEVELS:
            self._fail(token.value_place, f"expected a level: {', '.join(LEVELS)}")
        rank = LEVELS.index(name)
        ranks = {
            ":": {rank},
            "=": {rank},
            ">=": set(range(rank, len(LEVELS))),
            ">": set(range(rank + 1, len(LEVELS))),
            "<=": set(range(rank + 1)),
            "<": set(range(rank)),
        }[sign]
        return Level(sum(1 << one for one in ranks))

    def _peek(self) -> _Token | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _place(self) -> int:
        token = self._peek()
        return len(self._text) if token is None else token.place

    def _fail(self, place: int, expected: str) -> NoReturn:
        raise QueryError(self._text, place, expected)


def _asked(keys: tuple[str, ...], sign: str, token: _Token) -> Node:
    """What ``:`` and ``=`` ask of a field."""
    if token.value == "*" and not token.quoted:
        return Present(keys)
    value, prefix = _starred(token)
    words, low = words_of(value), value.lower()
    if sign == "=" or not words:  # signs alone are no words: the whole value then
        return Equal(keys, low, prefix)
    if len(words) == 1 and not prefix and whole(words[0]):
        return Equal(keys, low if low == f"-{words[0]}" else words[0], False)
    return Words(keys, words, prefix)


def whole(word: str) -> bool:
    """Whether ``key:word`` asks for the whole value: a number, a UUID, or 16 or more hexadecimal digits."""
    return _WHOLE.fullmatch(word) is not None


_WHOLE = re.compile(r"\d+(?:\.\d+)*|[0-9a-f]{16,}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def _tokens(text: str) -> Iterator[_Token]:
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise QueryError(text, at, "expected a word, a phrase or key:value")
        kind, place, at = _kind(found), at, found.end()
        if kind == "torn":
            raise QueryError(text, place, "this quotation mark is not closed")
        if kind == "key":
            value = _VALUE.match(text, at)
            key, sign, begin = found["key"], found["sign"], at
            if value is None:
                yield _Token("key", place, key, sign, value_place=begin)
                continue
            if value["torn"]:
                raise QueryError(text, at, "this quotation mark is not closed")
            at = value.end()
            word, quoted, star = _read(value)
            yield _Token("key", place, key, sign, word, quoted, star, begin)
        elif kind in ("text", "word"):
            word, quoted, star = _read(found)
            operator = {"OR": "or", "AND": "and", "NOT": "not"}.get(word) if not quoted else None
            yield _Token(operator or "word", place, value=word, quoted=quoted, star=star)
        elif kind != "space":
            yield _Token(kind, place)


def _kind(found: re.Match[str]) -> str:
    names = ("space", "open", "close", "minus", "key", "text", "torn", "word")
    return next(name for name in names if found[name] is not None)


def _read(found: re.Match[str]) -> tuple[str, bool, bool]:
    """The text, whether it is quoted, and whether a star follows it."""
    text = found["text"]
    if text is None:
        return found["word"], False, False
    star = bool(found["star"])
    inner = text[1 : -2 if star else -1]
    return re.sub(r"\\(.)", r"\1", inner, flags=re.DOTALL), True, star


def _starred(token: _Token) -> tuple[str, bool]:
    if token.quoted:
        return token.value, token.star
    prefix = len(token.value) > 1 and token.value.endswith("*")
    return (token.value[:-1] if prefix else token.value), prefix


def _number(text: str) -> float:
    """What is compared with; neither infinite nor no number."""
    if _SIGNED.match(text) is None:
        raise ValueError(text)
    value = float(text)
    if value - value != 0:
        raise ValueError(text)
    return value


def _denied(node: Node) -> Node:
    return node.node if isinstance(node, Not) else Not(node)


def _joined(kind: type[Every] | type[Either], parts: list[Node]) -> Node:
    """``parts`` as one; what is of the same kind inside them is of it too."""
    if len(parts) == 1:
        return parts[0]
    flat: list[Node] = []
    for part in parts:
        flat += part.nodes if isinstance(part, kind) else (part,)
    return kind(tuple(flat))

"""SQLite's expressions as trees, by SQLite's own precedence; nothing here touches a database.

Only what :mod:`.translating.expressions` and :mod:`.translating.defaults` know is read
(https://sqlite.org/lang_expr.html). sqlglot would read more, but is no dependency of a transfer, and a quarter of the
memory that a transfer may take.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..source.tokens import Token, tokens_of

# Operators between two expressions, the loosest first; the numbers are those of `_Parser.expression`.
_OR, _AND, _NOT, _EQUAL, _LESS, _PLUS, _TIMES, _CONCAT = range(1, 9)
_BINARY = {
    "OR": _OR,
    "AND": _AND,
    "=": _EQUAL,
    "==": _EQUAL,
    "<>": _EQUAL,
    "!=": _EQUAL,
    "IS": _EQUAL,
    "IN": _EQUAL,
    "BETWEEN": _EQUAL,
    "NOT": _EQUAL,
    "ISNULL": _EQUAL,
    "NOTNULL": _EQUAL,
    "<": _LESS,
    "<=": _LESS,
    ">": _LESS,
    ">=": _LESS,
    "+": _PLUS,
    "-": _PLUS,
    "*": _TIMES,
    "||": _CONCAT,
}
_SAME = {"==": "=", "!=": "<>"}
# A word that can be no column unless it is quoted, or that means something else there.
_NO_COLUMNS = frozenset({*_BINARY, "CASE", "WHEN", "THEN", "ELSE", "END", "EXISTS", "SELECT", "COLLATE", "RAISE"})
_NOW = frozenset({"CURRENT_TIMESTAMP", "CURRENT_DATE", "CURRENT_TIME"})


class Unreadable(Exception):
    """An expression with something in it that is not translated."""


@dataclass(frozen=True, slots=True)
class Node:
    """A part of an expression.

    ``op`` is an operator, ``call``, ``case``, ``in``, ``between``, ``cast``, ``column``, ``number``, ``string``,
    ``blob``, ``null`` or ``now``. ``text`` is a name or a literal without its quotes; ``quoted`` tells a column from a
    word, which may be TRUE.
    """

    op: str
    parts: tuple[Node, ...] = ()
    text: str = ""
    quoted: bool = False


def parsed(sql: str) -> Node:
    """The tree of an expression; :class:`Unreadable` where it has anything that is not in this grammar."""
    parser = _Parser(tokens_of(sql))
    try:
        node = parser.expression()
    except RecursionError:
        raise Unreadable from None
    parser.expect("")
    return node


class _Parser:
    """Precedence climbing: each operator takes on its right only what binds tighter than itself."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self._tokens = tokens
        self._place = 0

    def expression(self, least: int = _OR) -> Node:
        """An expression whose operators all bind at least so tightly."""
        if self._keyword() == "NOT":
            self._place += 1
            left = Node("NOT", (self.expression(_NOT),))
        else:
            left = self._operand()
        while (level := _BINARY.get(self._keyword(), 0)) >= least:
            left = self._continued(left, level)
        return left

    def expect(self, keyword: str) -> None:
        """Pass over ``keyword``, which must come next; empty is the end."""
        if self._keyword() != keyword or (not keyword and self._place < len(self._tokens)):
            raise Unreadable
        self._place += 1

    def _keyword(self) -> str:
        return self._tokens[self._place].keyword if self._place < len(self._tokens) else ""

    def _passed(self, *keywords: str) -> bool:
        found = self._keyword() in keywords
        self._place += found
        return found

    def _continued(self, left: Node, level: int) -> Node:
        op = self._keyword()
        self._place += 1
        if op == "NOT":
            if self._passed("NULL"):
                return Node("IS NOT", (left, Node("null")))
            if self._keyword() not in {"IN", "BETWEEN"}:
                raise Unreadable
            return Node("NOT", (self._continued(left, level),))
        if op in {"ISNULL", "NOTNULL"}:
            return Node("IS" if op == "ISNULL" else "IS NOT", (left, Node("null")))
        if op == "IN":
            return Node("in", (left, *self._listed()))
        if op == "BETWEEN":
            low = self.expression(_LESS)
            self.expect("AND")
            return Node("between", (left, low, self.expression(_LESS)))
        if op == "IS":
            op = "IS NOT" if self._passed("NOT") else "IS"
            if self._passed("DISTINCT"):
                self.expect("FROM")
                op = "IS" if op == "IS NOT" else "IS NOT"
        return Node(_SAME.get(op, op), (left, self.expression(level + 1)))

    def _listed(self) -> tuple[Node, ...]:
        self.expect("(")
        if self._passed(")"):
            return ()
        items = [self.expression()]
        while self._passed(","):
            items.append(self.expression())
        self.expect(")")
        return tuple(items)

    def _operand(self) -> Node:
        if self._place >= len(self._tokens):
            raise Unreadable
        token = self._tokens[self._place]
        self._place += 1
        match token.keyword:
            case "(":
                inner = self.expression()
                self.expect(")")
                return inner
            case "-" | "+" as sign:
                return Node(f"unary {sign}", (self._operand(),))
            case "NULL":
                return Node("null")
            case "CASE":
                return self._case()
            case "CAST":
                return self._cast()
        return self._name(token) if token.kind in {"word", "name"} else self._literal(token)

    def _literal(self, token: Token) -> Node:
        if token.kind not in {"number", "string", "blob"}:
            raise Unreadable
        return Node(token.kind, text=token.text[2:-1] if token.kind == "blob" else token.value)

    def _name(self, token: Token) -> Node:
        if token.keyword in _NO_COLUMNS:
            raise Unreadable
        if token.keyword in _NOW:
            return Node("now", text=token.keyword)
        if self._keyword() == "(":
            return Node("call", self._listed(), token.value.lower())
        if self._passed("."):
            token = self._tokens[self._place] if self._place < len(self._tokens) else token
            self._place += 1
            if token.kind not in {"word", "name", "string"}:
                raise Unreadable
            return Node("column", text=token.value, quoted=True)
        return Node("column", text=token.value, quoted=token.kind == "name")

    def _case(self) -> Node:
        """Parts: conditions and results in turn, and the ELSE last, NULL where there is none."""
        subject = None if self._keyword() == "WHEN" else self.expression()
        parts: list[Node] = []
        while self._passed("WHEN"):
            condition = self.expression()
            parts.append(condition if subject is None else Node("=", (subject, condition)))
            self.expect("THEN")
            parts.append(self.expression())
        parts.append(self.expression() if self._passed("ELSE") else Node("null"))
        self.expect("END")
        return Node("case", tuple(parts))

    def _cast(self) -> Node:
        self.expect("(")
        inner = self.expression()
        self.expect("AS")
        declared = self._keyword()
        self._place += 1
        self.expect(")")
        return Node("cast", (inner,), declared)

"""SQLite's expressions as MySQL's, where both give the same for every value that a column can hold; pure.

What may be in one is listed here; all else (LIKE, division, dates, subqueries …) is not translated. The rules:

* Operands are of one class. SQLite puts numbers before text, MySQL makes numbers of text.
* A text is compared only beside a column of exact collation: two literals would be under the connection's.
* A literal is a DOUBLE beside a DOUBLE and a DECIMAL beside whole numbers and DECIMALs, as MySQL then compares exactly;
  an INTEGER column beside a DOUBLE one is not, and is not translated.
* ``+ - *`` give the same, or MySQL refuses the row: where SQLite goes over to a double beyond 64 bits, or to infinity
  beyond a double, the server says "out of range". DECIMALs are not calculated with: SQLite would with doubles.
* SQLite's ``length`` and ``substr`` end at a NUL, and so does what becomes of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ..names import folded, quoted
from .literals import bytes_literal, number_of, text_literal
from .parsing import Node, Unreadable, parsed
from .terms import (
    ORDERED,
    WHOLE,
    Term,
    alike,
    before_nul,
    boolean,
    common_kind,
    comparable,
    must,
    number_kind,
    number_term,
    truth,
)

_COMPARISONS: Mapping[str, str] = {
    "=": "=",
    "<>": "<>",
    "<": "<",
    "<=": "<=",
    ">": ">",
    ">=": ">=",
    "IS": "<=>",
    "IS NOT": "<=>",
}
_STORAGE_CLASSES = {"integer": "integer", "text": "text", "folded": "text", "bytes": "blob"}


@dataclass(frozen=True, slots=True)
class Translated:
    """MySQL's text of an expression, and what it gives, in the words of :func:`translated`; ``null`` for NULL alone."""

    sql: str
    kind: str


def translated(
    sql: str, columns: Mapping[str, str], kinds: Mapping[str, str], *, ordered: bool = True
) -> Translated | None:
    """The value of SQLite's expression ``sql`` in MySQL; None where it is not sure to be the same.

    ``columns`` gives each column's name in the target. ``kinds`` says what a column holds there, and in the source, by
    its affinity: ``integer``, ``real`` (doubles alone), ``decimal`` (of at most 15 whole digits), ``text`` (compared by
    its characters), ``folded`` (text that is not), ``bytes``, or ``date`` or ``datetime(n)``, a space and its grammar:
    ``datetime(3) %Y-%m-%d %H:%M:%S.%f``. A column of none of these is left out, and only asked whether it is NULL.
    ``ordered``: whether both sides order text alike; without it none is asked whether it is less than another.
    """
    term = _term(sql, columns, kinds, ordered=ordered)
    if term is None or not term.kind:
        return None
    return Translated(term.sql, "integer" if term.kind == "boolean" else term.kind)


def translate_generated(
    sql: str, columns: Mapping[str, str], kinds: Mapping[str, str], kind: str, *, ordered: bool = True
) -> str | None:
    """MySQL's text of :func:`translated` for a column of this kind; None where another value would be stored there."""
    found = translated(sql, columns, kinds, ordered=ordered)
    fits = {
        "real": {"real", "integer"},
        "text": {"text", "folded"},
        "folded": {"text", "folded"},
        "decimal": {"integer"},
    }
    return found.sql if found and found.kind in {"null"} | fits.get(kind, {kind}) else None


def translate_predicate(
    sql: str, columns: Mapping[str, str], kinds: Mapping[str, str], *, ordered: bool = True
) -> str | None:
    """MySQL's text of ``sql`` where it is only asked whether it is true, as in WHERE."""
    term = _term(sql, columns, kinds, asked=truth, ordered=ordered)
    return term.sql if term else None


def translate_check(
    sql: str, columns: Mapping[str, str], kinds: Mapping[str, str], *, ordered: bool = True
) -> str | None:
    """As :func:`translate_predicate`, for a CHECK, which MySQL takes only where it is a comparison.

    Here ``json_valid`` is translated too: the server is stricter (depth, lone surrogates), and says so of a row.
    """
    term = _term(sql, columns, kinds, asked=truth, loud=True, ordered=ordered)
    return term.sql if term else None


def _term(
    sql: str,
    columns: Mapping[str, str],
    kinds: Mapping[str, str],
    *,
    asked: Callable[[Term], Term] = lambda term: term,
    loud: bool = False,
    ordered: bool = True,
) -> Term | None:
    held = {folded(name): kind for name, kind in kinds.items()}
    known = {folded(name): Term(quoted(target), held.get(folded(name), "")) for name, target in columns.items()}
    try:
        return asked(_Translation(known, loud, ordered).term(parsed(sql)))
    except (Unreadable, RecursionError):
        return None


class _Translation:
    """One expression's way; every method raises :class:`Unreadable` for what is not translated."""

    def __init__(self, columns: Mapping[str, Term], loud: bool, ordered: bool) -> None:
        self._columns = columns
        self._loud = loud
        self._ordered = ordered
        self._calls: Mapping[str, Callable[[Sequence[Node]], Term]] = {
            "length": self._length,
            "abs": self._abs,
            "coalesce": self._coalesce,
            "ifnull": self._coalesce,
            "iif": self._iif,
            "substr": self._substr,
            "substring": self._substr,
            "json_valid": self._json_valid,
        }
        self._nodes: Mapping[str, Callable[[Node], Term]] = {
            "AND": self._joined,
            "OR": self._joined,
            "NOT": self._negated,
            **dict.fromkeys(_COMPARISONS, self._comparison),
            "in": self._in,
            "between": self._between,
            **dict.fromkeys("+-*", self._calculated),
            "||": self._concatenated,
            "unary -": self._minus,
            "case": lambda node: self._case(node.parts),
            "call": self._called,
            "column": self._column,
            "null": lambda node: Term("NULL", "null", varies=False),
            "string": lambda node: Term(text_literal(node.text), "text", varies=False),
            "blob": lambda node: Term(bytes_literal(bytes.fromhex(node.text)), "bytes", varies=False),
            "number": lambda node: number_term(number_of(node.text)),
        }

    def term(self, node: Node) -> Term:
        """``node`` in MySQL's words."""
        must(node.op in self._nodes)
        return self._nodes[node.op](node)

    def _joined(self, node: Node) -> Term:
        left, right = (truth(self.term(part)) for part in node.parts)
        return boolean(f"{left.operand} {node.op} {right.operand}", left, right)

    def _negated(self, node: Node) -> Term:
        inner = truth(self.term(node.parts[0]))
        return boolean(f"NOT {inner.operand}", inner)

    def _between(self, node: Node) -> Term:
        value, low, high = node.parts
        return self.term(Node("AND", (Node(">=", (value, low)), Node("<=", (value, high)))))

    def _calculated(self, node: Node) -> Term:
        left, right = (self.term(part) for part in node.parts)
        kinds = {left.kind, right.kind}
        must(kinds <= {*WHOLE, "real"})
        kind = "real" if "real" in kinds else "integer"
        varies = left.varies or right.varies
        if node.op == "-" and kind == "integer" and right.number is None:
            # MariaDB 10.11 does not notice that 0 - (-2**63) is out of range, but that -(-2**63) is.
            return Term(f"{left.operand} + -({right.sql})", kind, varies=varies, compound=True)
        return Term(f"{left.operand} {node.op} {right.operand}", kind, varies=varies, compound=True)

    def _concatenated(self, node: Node) -> Term:
        left, right = (self.term(part) for part in node.parts)
        must(left.kind == right.kind == "text")
        return Term(f"CONCAT({left.sql}, {right.sql})", "text", varies=left.varies or right.varies)

    def _minus(self, node: Node) -> Term:
        if node.parts[0].op == "number":
            value = number_of(node.parts[0].text)
            return number_term(None if value is None else -value)
        inner = self.term(node.parts[0])
        return Term(f"-({inner.sql})", number_kind(inner), varies=inner.varies, compound=True)

    def _called(self, node: Node) -> Term:
        must(node.text in self._calls)
        return self._calls[node.text](node.parts)

    def _column(self, node: Node) -> Term:
        found = self._columns.get(folded(node.text))
        if found is None and not node.quoted and folded(node.text) in {"true", "false"}:
            return number_term(int(folded(node.text) == "true"))
        # In double quotes a name that is no column is a string to SQLite.
        if found is None:
            raise Unreadable
        return found

    def _comparison(self, node: Node) -> Term:
        left_node, right_node = node.parts
        if left_node.op == "call" and left_node.text == "typeof":
            return self._typeof(left_node, (right_node,), node.op)
        if node.op in {"IS", "IS NOT"}:
            sought = _truth_word(right_node, self._columns)
            if sought:
                return boolean(f"{truth(self.term(left_node)).operand} {node.op} {sought}")
            if right_node.op == "null":
                left = self.term(left_node)
                return boolean(f"{left.operand} {node.op} NULL", left)
        left, right = comparable(self.term(left_node), self.term(right_node), node.op)
        must(self._ordered or node.op not in ORDERED or "text" not in {left.kind, right.kind})
        compared = boolean(f"{left.operand} {_COMPARISONS[node.op]} {right.operand}", left, right)
        return boolean(f"NOT {compared.operand}", compared) if node.op == "IS NOT" else compared

    def _in(self, node: Node) -> Term:
        subject, *items = node.parts
        must(bool(items))
        if subject.op == "call" and subject.text == "typeof":
            return self._typeof(subject, items, "=")
        left = self.term(subject)
        rights = []
        for item in items:
            must(item.op in {"number", "string", "blob", "null", "unary -"})
            rights.append(comparable(left, self.term(item), "=")[1].sql)
        return boolean(f"{left.operand} IN ({', '.join(rights)})", left)

    def _typeof(self, call: Node, names: Sequence[Node], op: str) -> Term:
        """A column of the target holds one class, or NULL."""
        must(len(call.parts) == 1 and op in {"=", "<>", "IS", "IS NOT"} and all(name.op == "string" for name in names))
        inner = self.term(call.parts[0])
        must(inner.kind in _STORAGE_CLASSES)
        sought = {name.text for name in names}
        whole, nothing = _STORAGE_CLASSES[inner.kind] in sought, "null" in sought
        text = {(True, True): "1 = 1", (False, False): "1 = 0"}.get((whole, nothing))
        if text is None:
            text = f"{inner.operand} IS NOT NULL" if whole else f"{inner.operand} IS NULL"
        found = boolean(text)
        return found if op in {"=", "IS"} else boolean(f"NOT {found.operand}")

    def _case(self, parts: Sequence[Node]) -> Term:
        *pairs, otherwise = parts
        conditions = [truth(self.term(part)).sql for part in pairs[::2]]
        results = alike([self.term(part) for part in (*pairs[1::2], otherwise)])
        whens = " ".join(
            f"WHEN {condition} THEN {result.sql}" for condition, result in zip(conditions, results, strict=False)
        )
        return Term(
            f"CASE {whens} ELSE {results[-1].sql} END",
            common_kind(results),
            varies=any(result.varies for result in results),
        )

    def _iif(self, parts: Sequence[Node]) -> Term:
        must(len(parts) == 3)
        return self._case(parts)

    def _coalesce(self, parts: Sequence[Node]) -> Term:
        must(len(parts) > 1)
        results = alike([self.term(part) for part in parts])
        inner = ", ".join(result.sql for result in results)
        return Term(f"COALESCE({inner})", common_kind(results), varies=any(result.varies for result in results))

    def _length(self, parts: Sequence[Node]) -> Term:
        must(len(parts) == 1)
        inner = self.term(parts[0])
        must(inner.kind in {"text", "folded", "bytes"})
        text = f"LENGTH({inner.sql})" if inner.kind == "bytes" else f"CHAR_LENGTH({before_nul(inner)})"
        return Term(text, "integer", varies=inner.varies)

    def _abs(self, parts: Sequence[Node]) -> Term:
        must(len(parts) == 1)
        inner = self.term(parts[0])
        return Term(f"ABS({inner.sql})", number_kind(inner), varies=inner.varies)

    def _substr(self, parts: Sequence[Node]) -> Term:
        must(len(parts) in {2, 3})
        inner = self.term(parts[0])
        # Not of bytes: SQLite makes NULL of an empty BLOB here.
        must(inner.kind == "text")
        numbers = [number_of(part.text) if part.op == "number" else None for part in parts[1:]]
        # Beyond what a text can have, servers differ in what they make of a number.
        must(all(isinstance(number, int) and 1 <= number < 2**31 for number in numbers))
        arguments = ", ".join(str(number) for number in numbers)
        return Term(f"SUBSTRING({before_nul(inner)}, {arguments})", "text", varies=inner.varies)

    def _json_valid(self, parts: Sequence[Node]) -> Term:
        must(self._loud and len(parts) == 1)
        inner = self.term(parts[0])
        must(inner.kind in {"text", "folded"})
        return Term(f"JSON_VALID({inner.sql})", "boolean", varies=inner.varies)


def _truth_word(node: Node, columns: Mapping[str, Term]) -> str:
    """TRUE or FALSE after IS, which then asks for truth, not for 1 or 0."""
    word = folded(node.text)
    return word.upper() if node.op == "column" and not node.quoted and word in {"true", "false"} - set(columns) else ""

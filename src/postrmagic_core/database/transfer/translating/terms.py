"""The parts of a translated expression, and what may stand beside what; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .literals import EXACT, decimal_literal, double_literal
from .parsing import Unreadable

ORDERED = frozenset({"<", "<=", ">", ">="})
WHOLE = frozenset({"integer", "boolean"})
_NUMBERS = frozenset({*WHOLE, "real", "decimal"})
_CHRONOLOGICAL = "YmdHMSf"


@dataclass(frozen=True, slots=True)
class Term:
    """A translated part: MySQL's text and what it gives.

    ``number`` is a literal's, ``varies`` says that a column is in it, ``compound`` that operators stand in it openly.
    """

    sql: str
    kind: str
    number: int | float | None = None
    varies: bool = True
    compound: bool = False

    @property
    def operand(self) -> str:
        """The text where an operator stands beside it."""
        return f"({self.sql})" if self.compound else self.sql


def must(holds: bool) -> None:
    """Raise :class:`.translating.parsing.Unreadable` where a rule is broken."""
    if not holds:
        raise Unreadable


def number_kind(term: Term) -> str:
    """What calculating with it gives; it must be a number."""
    must(term.kind in _NUMBERS)
    return "integer" if term.kind == "boolean" else term.kind


def number_term(value: int | float | None) -> Term:
    """A literal; :class:`.translating.parsing.Unreadable` where it is none that both have."""
    if value is None:
        raise Unreadable
    if isinstance(value, int):
        return Term(str(value), "integer", value, varies=False)
    return Term(double_literal(value), "real", value, varies=False)


def boolean(sql: str, *parts: Term) -> Term:
    """A comparison of ``parts``, or what joins some: 0 or 1."""
    return Term(sql, "boolean", varies=any(part.varies for part in parts) or not parts, compound=True)


def truth(term: Term) -> Term:
    """Whether it is true, which MySQL asks of a comparison alone in a CHECK."""
    if term.kind in {"boolean", "null"}:
        return term
    must(term.kind in _NUMBERS)
    return boolean(f"{term.operand} <> 0", term)


def before_nul(term: Term) -> str:
    """A text up to its first NUL, where SQLite's functions end."""
    if term.kind == "folded":  # two collations of which neither is the stronger cannot meet: as bytes they do
        return f"CONVERT(SUBSTRING_INDEX(CAST({term.sql} AS BINARY), X'00', 1) USING utf8mb4)"
    return f"SUBSTRING_INDEX({term.sql}, CONVERT(X'00' USING utf8mb4), 1)"


def comparable(left: Term, right: Term, op: str) -> tuple[Term, Term]:
    """Both as they are written where ``op`` compares them; they must be of one class."""
    kinds = {left.kind, right.kind}
    if "null" in kinds:
        return left, right
    if kinds <= _NUMBERS:
        return _beside(left, right), _beside(right, left)
    must(left.kind == right.kind and (left.varies or right.varies))
    if left.kind in {"text", "bytes"}:
        return left, right
    what, _, grammar = left.kind.partition(" ")
    must(what.startswith("date") and bool(grammar))
    letters = "".join(piece[0] for piece in grammar.split("%")[1:] if piece)
    must(op not in ORDERED or _CHRONOLOGICAL.startswith(letters))
    return left, right


def _beside(term: Term, other: Term) -> Term:
    """``term`` as it is written where it meets ``other``, so that both are compared exactly."""
    if term.number is None:
        # Whole numbers beyond 53 bits are none of a double's.
        must(not (term.kind in WHOLE and other.kind == "real" and other.number is None))
        return term
    if isinstance(term.number, int):
        must(abs(term.number) <= EXACT or other.kind in WHOLE)
        return term
    if other.kind == "real":
        return term
    written = decimal_literal(term.number)
    if written is None:
        raise Unreadable
    return Term(written, "decimal", term.number, varies=False)


def common_kind(terms: Sequence[Term]) -> str:
    """What they give together: MySQL would turn them into one type."""
    kinds = {term.kind for term in terms} - {"null"}
    if kinds <= {"boolean"}:
        return "boolean" if kinds else "null"
    if kinds <= WHOLE:
        return "integer"
    for kind in ("real", "decimal"):
        if kind in kinds and kinds <= {*WHOLE, kind}:
            return kind
    must(len(kinds) == 1)
    return kinds.pop()


def alike(terms: Sequence[Term]) -> list[Term]:
    """Results of which one is chosen: numbers are of one type, or literals that both types have."""
    kinds = {term.kind for term in terms}
    if not (kinds & {"real", "decimal"}):
        return list(terms)
    meets = Term("", "decimal" if "decimal" in kinds else "real")
    must(not ({"decimal", "real"} <= kinds and any(term.kind == "real" and term.number is None for term in terms)))
    for term in terms:
        must(term.kind not in WHOLE or (isinstance(term.number, int) and abs(term.number) <= EXACT))
    return [_beside(term, meets) if term.number is not None else term for term in terms]

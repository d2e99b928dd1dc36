"""What the text of a CREATE TABLE or CREATE INDEX says beyond SQLite's PRAGMAs; nothing here touches a database.

Only text that SQLite has accepted is read, as it stands in ``sqlite_master``: what would be an error there need not be
found here. Of the keywords that are looked for none can be a name unless it is quoted
(https://sqlite.org/src/file/src/parse.y).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .tokens import Token, capitals, closing, divided, text_of, tokens_of

_CONSTRAINTS = frozenset({"CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"})


@dataclass(frozen=True, slots=True)
class ColumnText:
    """What the text says of a column: its collation in capitals, and the expression that computes it or nothing."""

    name: str
    collation: str = "BINARY"
    generated: str = ""


@dataclass(frozen=True, slots=True)
class TableText:
    """What the text says of a table: ``deferred`` is of each REFERENCES, in their order.

    ``conflicts`` are the columns and constraints with an ON CONFLICT that is not ABORT, which all have without it.
    """

    columns: tuple[ColumnText, ...]
    checks: tuple[str, ...]
    deferred: tuple[bool, ...]
    autoincrement: bool
    conflicts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class IndexText:
    """The parts of an index as written, without COLLATE and ASC or DESC, and its predicate or nothing."""

    parts: tuple[str, ...]
    predicate: str = ""


def read_table(sql: str) -> TableText:
    """Read the text of a CREATE TABLE, as SQLite keeps it."""
    tokens = tokens_of(sql)
    opening = _opening(tokens)
    body = tokens[opening + 1 : closing(tokens, opening)]
    columns: list[ColumnText] = []
    checks: list[str] = []
    deferred: list[bool] = []
    conflicts: list[str] = []
    in_columns = True
    for part in divided(body):
        in_columns = in_columns and part[0].keyword not in _CONSTRAINTS
        said = {}
        for clause, text in _clauses(sql, part[1:] if in_columns else part):
            match clause:
                case "CHECK":
                    checks.append(text)
                case "REFERENCES":
                    deferred.append(False)
                case "DEFERRABLE" if deferred:
                    deferred[-1] = bool(text)
                case "ON" if text != "ABORT":
                    conflicts.append(text_of(sql, part))
                case _:
                    said[clause] = text
        if in_columns:
            columns.append(ColumnText(part[0].value, capitals(said.get("COLLATE", "BINARY")), said.get("AS", "")))
    autoincrement = any(token.keyword == "AUTOINCREMENT" for token in body)
    return TableText(tuple(columns), tuple(checks), tuple(deferred), autoincrement, tuple(dict.fromkeys(conflicts)))


def read_index(sql: str) -> IndexText:
    """Read the text of a CREATE INDEX, as SQLite keeps it."""
    tokens = tokens_of(sql)
    opening = _opening(tokens)
    end = closing(tokens, opening)
    parts = tuple(text_of(sql, _unordered(part)) for part in divided(tokens[opening + 1 : end]))
    rest = tokens[end + 1 :]
    return IndexText(parts, text_of(sql, rest[1:]) if rest and rest[0].keyword == "WHERE" else "")


def _opening(tokens: Sequence[Token]) -> int:
    return next(place for place, token in enumerate(tokens) if token.keyword == "(")


def _unordered(part: Sequence[Token]) -> Sequence[Token]:
    if len(part) > 1 and part[-1].keyword in {"ASC", "DESC"}:
        part = part[:-1]
    while len(part) > 2 and part[-2].keyword == "COLLATE":
        part = part[:-2]
    return part


def _clauses(sql: str, tokens: Sequence[Token]) -> Iterator[tuple[str, str]]:
    """The clauses that matter here, each with what it says; what is in other parentheses is passed over."""
    place, before = 0, ""
    while place < len(tokens):
        word = tokens[place].keyword
        after = [token.keyword for token in tokens[place + 1 : place + 3]]
        step = 1
        if word == "(":
            step = closing(tokens, place) + 1 - place
        elif word in {"CHECK", "AS"} and after[:1] == ["("]:
            end = closing(tokens, place + 1)
            yield word, text_of(sql, tokens[place + 2 : end])
            step = end + 1 - place
        elif word in {"COLLATE", "REFERENCES"}:
            yield word, tokens[place + 1].value
            step = 2
        elif word == "ON" and after[:1] == ["CONFLICT"]:
            yield word, after[1]
            step = 3
        elif word == "DEFERRABLE":
            yield word, "deferred" if before != "NOT" and after == ["INITIALLY", "DEFERRED"] else ""
        elif word == "CONSTRAINT" or (word == "DEFAULT" and before != "SET" and after[:1] != ["("]):
            # What follows is a name or a literal, whatever it looks like.
            step = 2
        place, before = place + step, word

"""What stands for many rows on both sides: their number and two sums over the SHA-256 of each row's canonical text.

A sum does not depend on the order of the rows nor on how they are parted, and counts a row that is there twice twice
(unlike an exclusive or). The server's SHA2() is there also where MD5() and SHA1() are switched off. Pure.
"""

from __future__ import annotations

import hashlib
import re
import sys
from array import array
from collections.abc import Sequence
from dataclasses import dataclass

from ..forms.back import back_form_of
from ..interface import ColumnPlan, Key, Server, TablePlan, Value
from ..names import folded, quoted

_WORD = 2**64
# A derived table with a limit is not merged into the query around it, which would hash every row twice.
_KEPT_APART = _WORD - 1
_DECIMAL = re.compile(r"(?:DECIMAL|NUMERIC)(?:\([^)]*\))?", re.IGNORECASE)
# Stands for a parameter: no name can have it.
_MARK = "\x00"
_SMALLER, _GREATER = "<", ">"

Query = tuple[str, tuple[object, ...]]


@dataclass(frozen=True, slots=True)
class Digest:
    """Of some rows: how many, and the sums of the first and of the second 64 bits of their hashes, modulo 2**64."""

    rows: int = 0
    first: int = 0
    second: int = 0

    def __add__(self, other: Digest) -> Digest:
        return Digest(self.rows + other.rows, (self.first + other.first) % _WORD, (self.second + other.second) % _WORD)

    def __str__(self) -> str:
        return f"{self.first:016x}{self.second:016x}"


class Hashed:
    """A table whose rows are hashed: ``columns`` are those of the target that are compared, ``forms`` theirs."""

    def __init__(self, table: TablePlan, columns: Sequence[ColumnPlan], server: Server) -> None:
        self.table = table
        self.columns = tuple(columns)
        self.forms = tuple(back_form_of(column) for column in columns)
        places = {folded(column.name): place for place, column in enumerate(columns)}
        self.key_places = tuple(places[folded(name)] for name in table.key)
        self._keys = [_key_sql(self.columns[place], server) for place in self.key_places]
        self._marks = [_bound_sql(self.columns[place]) for place in self.key_places]

    def digest(self, values: Sequence[Sequence[Value]]) -> Digest:
        """Of rows of the source, given by columns."""
        return digests([form.canonicals(column) for form, column in zip(self.forms, values, strict=True)])

    def digest_query(self, after: Key | None, up_to: Key | None) -> Query:
        """The target's query for ``(rows, first, second)`` of its rows with such keys."""
        halves = (f"CAST(CONV({part}, 16, 10) AS UNSIGNED)" for part in ("LEFT(h, 16)", "SUBSTR(h, 17, 16)"))
        sums = ", ".join(f"COALESCE(SUM({half}), 0)" for half in halves)
        rows = f"SELECT {row_digest_sql(self.columns)} h FROM {quoted(self.table.target)}"  # noqa: S608 - quoted
        return self._within(f"SELECT COUNT(*), {sums} FROM ({rows}", after, up_to, f" LIMIT {_KEPT_APART}) r")  # noqa: S608 - the same

    def rows_query(self, after: Key | None, up_to: Key | None) -> Query:
        """The target's query for the rows themselves, as the forms read them."""
        columns = ", ".join(
            form.select_sql(quoted(column.target)) for form, column in zip(self.forms, self.columns, strict=True)
        )
        return self._within(f"SELECT {columns} FROM {quoted(self.table.target)}", after, up_to, "")  # noqa: S608 - the same

    def _within(self, head: str, after: Key | None, up_to: Key | None, tail: str) -> Query:
        """The rows whose key is greater than ``after``, up to and with ``up_to``."""
        conditions: list[str] = []
        parameters: list[object] = []
        for bound, sign in ((after, _GREATER), (up_to, _SMALLER)):
            if bound is not None:
                condition, given = self._bound(bound, sign)
                conditions.append(condition)
                parameters += given
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        text = head + where + tail
        # With parameters, and only then, the driver reads a per cent sign as its own.
        return (text.replace("%", "%%").replace(_MARK, "%s") if parameters else text), tuple(parameters)

    def _bound(self, key: Key, sign: str) -> tuple[str, list[object]]:
        """``(a, b) > (?, ?)``, or ``<=``, so that the server finds a range of the index for it."""
        last = len(key) - 1
        bounds = [self.forms[place].parameters([part])[0] for place, part in zip(self.key_places, key, strict=True)]
        alternatives: list[str] = []
        parameters: list[object] = []
        for at, name in enumerate(self._keys):
            equal = [f"{key} = {mark}" for key, mark in zip(self._keys[:at], self._marks, strict=False)]
            strict = sign if at < last or sign == _GREATER else "<="
            alternatives.append(" AND ".join([*equal, f"{name} {strict} {self._marks[at]}"]))
            parameters += bounds[: at + 1]
        if not last:
            return alternatives[0], parameters
        either = " OR ".join(f"({each})" for each in alternatives)
        return f"{self._keys[0]} {sign}= {self._marks[0]} AND ({either})", [bounds[0], *parameters]


def row_digest_sql(columns: Sequence[ColumnPlan]) -> str:
    """The server's expression for the SHA-256 of a row, in hexadecimal; NULL for one too large for its packets."""
    texts = ", ".join(back_form_of(column).canonical_sql(quoted(column.target)) for column in columns)
    return f"SHA2(CONCAT_WS(';', {texts}), 256)"


def digests(canonicals: Sequence[Sequence[bytes]]) -> Digest:
    """Of rows given by the canonical texts of each column."""
    sha256 = hashlib.sha256
    hashes = [sha256(row).digest() for row in map(b";".join, zip(*canonicals, strict=True))]
    words = array("Q", b"".join(hashes))
    if sys.byteorder == "little":
        words.byteswap()
    return Digest(len(hashes), sum(words[0::4]) % _WORD, sum(words[1::4]) % _WORD)


def _key_sql(column: ColumnPlan, server: Server) -> str:
    """A column of the key, ordered as SQLite orders it: by characters, which the server does only in one collation."""
    name = quoted(column.target)
    is_text = column.type.upper().partition("(")[0].endswith(("CHAR", "TEXT"))
    return f"CAST({name} AS BINARY)" if is_text and column.collation != server.exact else name


def _bound_sql(column: ColumnPlan) -> str:
    """What stands for a bound: a decimal is compared with text as a double, of which several decimals are one."""
    found = _DECIMAL.match(column.type)
    return _MARK if found is None else f"CAST({_MARK} AS {found[0]})"

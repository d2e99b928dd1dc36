"""Batches into their table: all rows of one exactly, or none of them and the name of the one that was refused."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ....errors import BackendRejected, IntegrityViolation, PostrMagicError, RowRefused
from ..forms.form import form_of
from ..interface import Key, TablePlan
from . import ddl
from .batches import Batch, key_as_sql

if TYPE_CHECKING:
    from ..session import Session

# LOAD DATA LOCAL is not allowed, on either side or by what stands between.
_NO_FILES = frozenset({1148, 3948, 4166})
# A row, and no statement, is what these refuse: too long for a packet, a page or the log.
_TOO_LARGE = frozenset({1105, 1118, 1139, 1153, 1301})
# Bytes sent at once, and of one INSERT, where the server takes as many.
_PART = 256 * 1024
_REASONS = {
    1048: "it is NULL, which the column does not take",
    1062: "another row has the same key",
    1264: "the number is out of the column's range",
    1366: "the column takes no such value",
    1406: "it is too long for the column",
    3819: "a CHECK refuses it",
    4025: "a CHECK refuses it",
}


@dataclass(frozen=True, slots=True)
class Prepared:
    """Some rows as they are sent, up to the one with the key ``last``: for LOAD DATA, or else as INSERTs."""

    rows: int
    last: Key
    parts: tuple[bytes, ...]
    bulk: bool


class Loader:
    """Writes the rows of one table; by LOAD DATA LOCAL while ``bulk``, which a server may refuse, else by INSERT.

    ``packet`` is the server's ``max_allowed_packet``.
    """

    def __init__(self, table: TablePlan, *, bulk: bool, packet: int) -> None:
        self.table = table
        self.bulk = bulk
        self._part = min(_PART, packet // 2)
        self._forms = [form_of(column) for column in table.moved]
        self._insert = ddl.insert(table)

    def prepared(self, pieces: Iterable[Batch], *, rows: int, size: int) -> Generator[Prepared, None, None]:
        """The pieces put together until they are ``rows`` rows or ``size`` bytes, and no longer kept themselves.

        A value that its column could not give back exactly raises :class:`RowRefused`.
        """
        parts: list[bytes] = []
        count, last, bulk = 0, None, self.bulk
        for piece in pieces:
            self._check(piece)
            parts += self._lines(piece) if bulk else self._inserts(piece)
            count += len(piece)
            last = piece.key(-1)
            if count >= rows or sum(map(len, parts)) >= size:
                yield Prepared(count, last, tuple(parts), bulk)
                parts, count, bulk = [], 0, self.bulk
        if last is not None and count:
            yield Prepared(count, last, tuple(parts), bulk)

    def write(self, session: Session, prepared: Prepared) -> bool:
        """Send it within the session's transaction; False: something in it was refused, and all must be rolled back."""
        try:
            if prepared.bulk:
                return session.load(self._load, prepared.parts) == (prepared.rows, 0)
            return sum(_inserted(session, part) for part in prepared.parts) == prepared.rows
        except PostrMagicError as error:
            if prepared.bulk and session.code in _NO_FILES:
                self.bulk = False
                return False
            if isinstance(error, IntegrityViolation) or session.code in _TOO_LARGE:
                return False
            raise

    def write_each(self, session: Session, pieces: Generator[Batch, None, None]) -> None:
        """Send the same rows one by one; the first that the server refuses raises :class:`RowRefused`."""
        with closing(pieces):
            for piece in pieces:
                for index, row in enumerate(self._rows(piece)):
                    self._write_one(session, row, piece, index)

    def _write_one(self, session: Session, row: str, piece: Batch, index: int) -> None:
        try:
            session.execute(self._insert + row)
        except (IntegrityViolation, BackendRejected) as error:
            if isinstance(error, BackendRejected) and session.code not in _TOO_LARGE:
                raise
            named = [column.name for column in self.table.columns if column.target == session.blamed]
            reason = _REASONS.get(session.code, f"the server refused it: {error}")
            raise self._refused(piece, index, reason, "".join(named)) from None
        if session.warnings:
            raise self._refused(piece, index, "the server would store something else", "")

    @property
    def _load(self) -> str:
        from ..session import FILE

        return ddl.load_data(self.table, FILE)

    def _check(self, piece: Batch) -> None:
        for column, form, values in zip(self.table.moved, self._forms, piece.columns, strict=True):
            misfit = form.misfit(values)
            if misfit is not None:
                raise self._refused(piece, misfit, f"its value does not fit {column.type}", column.name)

    def _lines(self, piece: Batch) -> Iterator[bytes]:
        fields = [form.fields(values) for form, values in zip(self._forms, piece.columns, strict=True)]
        data = b"\n".join(map(b"\t".join, zip(*fields, strict=True))) + b"\n"
        return (data[at : at + self._part] for at in range(0, len(data), self._part))

    def _inserts(self, piece: Batch) -> Iterator[bytes]:
        """As few statements as hold all rows and stay small."""
        some: list[str] = []
        size = 0
        for row in self._rows(piece):
            if some and size + len(row) > self._part:
                yield (self._insert + ",".join(some)).encode()
                some, size = [], 0
            some.append(row)
            size += len(row)
        yield (self._insert + ",".join(some)).encode()

    def _rows(self, piece: Batch) -> Iterator[str]:
        from ..session import literal

        columns = [form.parameters(values) for form, values in zip(self._forms, piece.columns, strict=True)]
        for row in zip(*columns, strict=True):
            yield f"({','.join(map(literal, row))})"

    def _refused(self, piece: Batch, index: int, reason: str, column: str) -> RowRefused:
        return RowRefused(reason, table=self.table.name, key=key_as_sql(piece.key(index)), column=column)


def _inserted(session: Session, statement: bytes) -> int:
    """How many rows, none where there was a warning: one of them is not what it was."""
    rows = int(session.query(statement))
    return 0 if session.warnings else rows

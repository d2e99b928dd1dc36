"""Values to try a statement with, taken from the data: the log has none, and made-up ones would match nothing."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnClause, Connection, Select, TableClause, column, func, select, table

from .catalog import Table
from .sqltext import LIST_VALUES
from .statements import Slot, Source, Statement

PAGE = 24
_TEXTS = 200
_WORD = re.compile(r"\w{2,}")


@dataclass(frozen=True, slots=True)
class Sample:
    """Two sets of values for a statement's placeholders, in order: such as match many rows, and such as match few.

    In a statement of several tables the first one's are frequent in both: much of it is read, and little found.
    """

    frequent: tuple[Any, ...]
    rare: tuple[Any, ...]


def sample(connection: Connection, statement: Statement, catalog: Mapping[str, Table]) -> Sample:
    """Values for ``statement``, of each table from one row.

    The row is of the largest group that its equalities can meet, or of the smallest; in the middle of the group where a
    range or an order is asked for.
    """
    return Sample(
        _values(connection, statement, catalog, common=True), _values(connection, statement, catalog, common=False)
    )


def distinct(connection: Connection, name: str, columns: Sequence[str]) -> dict[str, int]:
    """How many different values each of these columns holds."""
    counts = [func.count(column(part).distinct()) for part in columns]
    found = connection.execute(select(*counts).select_from(table(name))).one() if columns else ()
    return dict(zip(columns, found, strict=True))


def _values(
    connection: Connection, statement: Statement, catalog: Mapping[str, Table], *, common: bool
) -> tuple[Any, ...]:
    rows: dict[int, _Row] = {}
    for number, source in enumerate(statement.sources):
        wanted = [slot for slot in statement.slots if slot.source == number and slot.column is not None]
        if wanted and source.table in catalog:
            several = any(slot.source not in (None, number) for slot in statement.slots)
            first = several and not rows
            rows[number] = _Row(connection, catalog[source.table], source, wanted, common=common or first)
    return tuple(_value(slot, None if slot.source is None else rows.get(slot.source)) for slot in statement.slots)


def _value(slot: Slot, row: _Row | None) -> Any:
    if slot.role in ("limit", "offset", "escape"):
        return {"limit": PAGE, "offset": 0, "escape": "/"}[slot.role]
    if row is None or slot.column is None:
        return 1
    if slot.role == "list":
        return row.several(slot.column)
    if slot.role == "match":
        return row.word(slot.column)
    value = row.next(slot)
    return _pattern(str(value), slot) if slot.role == "like" else value


def _pattern(text: str, slot: Slot) -> str:
    """A few letters out of the middle: where they would stand at the beginning, the log does not tell."""
    letters = text[len(text) // 3 :][:3]
    pieces = {1: [f"%{letters}%"], 2: ["%", letters]}.get(slot.parts, ["%", letters, "%"])
    return pieces[slot.part] if slot.part < len(pieces) else ""


class _Row:
    """A row of one source whose columns answer its placeholders."""

    def __init__(
        self, connection: Connection, known: Table, source: Source, slots: Sequence[Slot], *, common: bool
    ) -> None:
        self._connection = connection
        self._table: TableClause = table(known.name)
        self._common = common
        self._low: dict[str, Any] = {}
        self._high: dict[str, Any] = {}
        self._pairs = _paired(slots)
        columns = list(
            dict.fromkeys(
                slot.column for slot in slots if slot.column is not None and slot.role not in ("list", "match")
            )
        )
        if columns:
            self._fill(known, source, columns)

    def next(self, slot: Slot) -> Any:
        """The value for a placeholder; the second one of a range meets the range's end."""
        assert slot.column is not None  # noqa: S101 - the caller asks for slots that meet a column
        if slot.role == "range" and slot.column in self._pairs:
            self._pairs.remove(slot.column)
            return self._low.get(slot.column)
        return self._high.get(slot.column)

    def several(self, name: str) -> list[Any]:
        """Values for a list, from the most frequent ones or the rarest."""
        found = self._groups([column(name)]).limit(LIST_VALUES)
        return [row[0] for row in self._connection.execute(found)] or [None]

    def word(self, name: str) -> str:
        """A word that is in many of some texts, or in few."""
        shown: Select[Any] = select(column(name)).select_from(self._table).limit(_TEXTS)
        texts = self._connection.execute(shown).scalars()
        counted = Counter(word for text in texts for word in set(_WORD.findall(str(text))))
        ordered: list[str] = [word for word, _ in counted.most_common()] or ["a"]
        return ordered[0 if self._common else -1]

    def _fill(self, known: Table, source: Source, columns: Sequence[str]) -> None:
        equal: list[ColumnClause[Any]] = [column(name) for name in source.equal if name in columns]
        group: Sequence[Any] | None = None
        size = known.rows
        if equal:
            group = self._connection.execute(self._groups(equal).limit(1)).first()
            size = 0 if group is None else group[-1]
        order: list[ColumnClause[Any]] = [
            column(name) for name in (*source.ranges, *(name for name, _ in source.order))
        ]
        shown: list[ColumnClause[Any]] = [column(name) for name in columns]
        rows = select(*shown).select_from(self._table).order_by(*order)
        if group is not None:
            rows = rows.where(*(key == value for key, value in zip(equal, group, strict=False)))
        for values, place in ((self._low, 0.4), (self._high, 0.5)):
            found = self._connection.execute(rows.limit(1).offset(int(size * place))).first()
            values.update(zip(columns, found or [None] * len(columns), strict=True))

    def _groups(self, keys: Sequence[ColumnClause[Any]]) -> Select[Any]:
        count = func.count()
        known = select(*keys, count).select_from(self._table).where(*(key.is_not(None) for key in keys))
        return known.group_by(*keys).order_by(count.desc() if self._common else count.asc())


def _paired(slots: Sequence[Slot]) -> set[str]:
    """Columns with two ends of a range."""
    ends = [slot.column for slot in slots if slot.role == "range"]
    return {name for name in ends if name is not None and ends.count(name) > 1}

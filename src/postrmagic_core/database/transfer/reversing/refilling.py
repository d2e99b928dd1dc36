"""The rows of a server into a new SQLite file, in batches of bounded size, each value looked at before."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeAlias

from ...._sql.sqlite_errors import translated
from ....errors import RowRefused
from ..copying.batches import key_as_sql
from ..forms.back import back_form_of, base_of
from ..forms.form import Form
from ..forms.numbers import DecimalForm, IntegerForm
from ..forms.texts import TextForm
from ..interface import ColumnPlan, Report, TablePlan, Value
from ..names import folded, quoted, quoted_sqlite
from ..source.schema import Affinity, affinity_of
from .rows import columns_of

if TYPE_CHECKING:
    from ..session import Session

_Column: TypeAlias = Sequence[Value]

# A batch ends at so many rows, or bytes.
_ROWS, _BYTES = 500, 2**19
# What SQLite takes for a number in a column of numbers (https://sqlite.org/datatype3.html, 3).
_NUMERIC = re.compile(r"[ \t-\r]*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?[ \t-\r]*", re.ASCII)
_LEAST, _MOST = -(2**63), 2**63 - 1
# Integers up to here are doubles too.
_DOUBLES = 2**53
# What PRAGMA table_xinfo says of virtual and of stored generated columns.
_COMPUTED = (2, 3)
_ROWIDS: Final = ("rowid", "_rowid_", "oid")
# What has such marks in it is no number.
_DATES = frozenset({"DATE", "DATETIME", "TIMESTAMP"})
_NOTHING = frozenset({type(None)})
# What each affinity leaves as it is, whatever the value.
_CLASSES: Final[dict[Affinity, frozenset[type]]] = {
    "text": frozenset({str, bytes}) | _NOTHING,
    "blob": frozenset({int, float, str, bytes}) | _NOTHING,
    "numeric": frozenset({int, float, bytes}) | _NOTHING,
    "integer": frozenset({int, float, bytes}) | _NOTHING,
    "real": frozenset({float, bytes}) | _NOTHING,
}


def refill(session: Session, file: sqlite3.Connection, table: TablePlan, report: Report) -> int:
    """Copy the rows of ``table`` as the open snapshot of ``session`` has them into ``file``; how many there were.

    Raises :class:`RowRefused` for the first row that would not be the same there, or that the file refuses.
    """
    return _Refill(file, table).run(session, report)


def file_affinities(file: sqlite3.Connection, table: str) -> dict[str, Affinity]:
    """What SQLite makes of values in each column of a table that can be written, by its name as SQLite compares it."""
    listed = {row[1]: bool(row[5]) for row in file.execute("PRAGMA main.table_list") if row[0] == "main"}
    # A STRICT table refuses what it would not keep; its ANY keeps everything.
    anything = "ANY" if listed[table] else None
    return {
        folded(name): "blob" if kind.upper() == anything else affinity_of(kind)
        for _, name, kind, _, _, _, hidden in file.execute(f"PRAGMA main.table_xinfo({quoted_sqlite(table)})")
        if hidden not in _COMPUTED
    }


class _Refill:
    """One table's rows on their way."""

    def __init__(self, file: sqlite3.Connection, table: TablePlan) -> None:
        self._file = file
        self._table = table
        affinities = file_affinities(file, table.name)
        self._rowid = next(name for name in _ROWIDS if name not in affinities)
        self._columns = [
            # The rowid has no name of its own: another column may be called so.
            _Moved(column, "integer" if column.hidden else affinities[folded(column.name)])
            for column in table.moved
        ]
        self._keys = self._key_places()
        self._done = 0
        names = [self._rowid if one.plan.hidden else quoted_sqlite(one.plan.name) for one in self._columns]
        marks = ", ".join("?" * len(names))
        self._insert = f"INSERT INTO {quoted_sqlite(table.name)} ({', '.join(names)}) VALUES ({marks})"  # noqa: S608 - quoted

    def run(self, session: Session, report: Report) -> int:
        total = self._table.rows or None
        self._file.execute("BEGIN")
        with closing(columns_of(session, self._query(), rows=_ROWS, size=_BYTES)) as batches:
            for stored in batches:
                columns = [one.values(values) for one, values in zip(self._columns, stored, strict=True)]
                self._check(columns)
                self._write(columns)
                self._done += len(columns[0])
                report(self._table.name, self._done, total)
        self._file.execute("COMMIT")
        return self._done

    def _query(self) -> str:
        chosen = ", ".join(one.form.select_sql(quoted(one.plan.target)) for one in self._columns)
        order = ", ".join(quoted(self._columns[place].plan.target) for place in self._keys)
        # In the order of its key a table is written from one end to the other, in the order of another all over it.
        by = f" ORDER BY {order}" if order else ""
        return f"SELECT {chosen} FROM {quoted(self._table.target)}{by}"  # noqa: S608 - quoted

    def _check(self, columns: Sequence[_Column]) -> None:
        for column, values in zip(self._columns, columns, strict=True):
            place = column.misfit(values)
            if place is not None:
                raise self._refused("the file would not hold the same value", columns, place, column.plan.name)

    def _write(self, columns: Sequence[_Column]) -> None:
        before = self._file.total_changes
        try:
            self._file.executemany(self._insert, zip(*columns, strict=True))
        except (sqlite3.IntegrityError, sqlite3.DataError) as error:
            self._told(error, columns, self._file.total_changes - before)

    def _told(self, error: sqlite3.Error, columns: Sequence[_Column], place: int) -> NoReturn:
        # "NOT NULL constraint failed: table.column", "CHECK constraint failed: name": parts of the schema.
        what, _, which = str(error).partition(": ")
        column = which.removeprefix(f"{self._table.name}.") if what.startswith("NOT NULL") else ""
        reason = str(translated(error, table=None, reading=False))
        if what.startswith("CHECK"):
            reason = f"{reason}: {which}"
        raise self._refused(reason, columns, place, column) from error

    def _refused(self, reason: str, columns: Sequence[_Column], place: int, column: str) -> RowRefused:
        key = f"LIMIT 1 OFFSET {self._done + place}"
        if self._keys:
            key = key_as_sql(tuple(columns[at][place] for at in self._keys))
        return RowRefused(reason, table=self._table.name, key=key, column=column)

    def _key_places(self) -> list[int]:
        """Where the columns are that name a row: of the plan's key, or else of the server's; none without a key."""
        names = {folded(one.plan.name): place for place, one in enumerate(self._columns)}
        targets = {folded(one.plan.target): place for place, one in enumerate(self._columns)}
        for key, places in ((self._table.key, names), (self._table.primary_key, targets)):
            if key and all(folded(name) in places for name in key):
                return [places[folded(name)] for name in key]
        return []


class _Moved:
    """A column: how its values are made, and whether SQLite keeps them."""

    def __init__(self, plan: ColumnPlan, affinity: Affinity) -> None:
        self.plan = plan
        self.form: Form = back_form_of(plan)
        self._affinity = affinity
        self._same = type(self.form) in (TextForm, IntegerForm)
        self._holds = _held(plan, self.form)
        self._good = _CLASSES[affinity] & (self._holds | _NOTHING)
        self._unsigned = "UNSIGNED" in plan.type.upper() or base_of(plan.type) == "BIT"
        if base_of(plan.type) in _DATES and (not plan.grammar or {"-", ":"} & set(plan.grammar)):
            self._good |= {str}

    def values(self, stored: Sequence[Any]) -> _Column:
        """What the file is given for what the server sent."""
        return stored if self._same else list(map(self.form.back, stored))

    def misfit(self, values: _Column) -> int | None:
        """The place of the first value that would be another one in the file."""
        if set(map(type, values)) <= self._good and not self._unsigned:
            return None
        return next((place for place, value in enumerate(values) if not self._kept(value)), None)

    def _kept(self, value: Value) -> bool:
        if value is None or type(value) in self._good:
            return not isinstance(value, int) or _LEAST <= value <= _MOST
        if type(value) not in self._holds:
            return False
        # What SQLite would make of it, if not the same.
        match value:
            case int():
                return self._affinity == "real" and abs(value) <= _DOUBLES
            case str():
                return self._affinity != "text" and _NUMERIC.fullmatch(value) is None
        return False


def _held(plan: ColumnPlan, form: Form) -> frozenset[type]:
    """Of which classes its values are; a decimal that comes as text is no number of SQLite's."""
    if base_of(plan.type).endswith(("BLOB", "BINARY")) and affinity_of(plan.declared) != "text":
        return frozenset({bytes})
    return frozenset({int, float}) if isinstance(form, DecimalForm) else frozenset({int, float, str})

"""The rows of the snapshot in batches, in the order of a table's key, from any key on.

Text of a key is sorted as a target sorts it, by its characters. Where SQLite sorts it otherwise, as in a column that
ignores case or that has numbers too, no index serves, and the rows are sorted first.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Collection, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from ...._sql.sqlite_errors import translated
from ....errors import PlanRefused, RowRefused
from ..forms.back import back_form_of
from ..forms.texts import MixedForm
from ..interface import ColumnPlan, Key, TablePlan, Value
from ..names import quoted_sqlite
from ..source.definitions import ColumnText, read_table
from ..source.schema import affinity_of

T = TypeVar("T")

# SQLite's own names of a row's number; a table may have a column by some of them.
_ROWIDS = ("rowid", "_rowid_", "oid")
# Small: as Python's values rows take several times the room that they take on their way.
PIECE, PIECE_BYTES = 500, 262_144
# What a row weighs beside the long values in it, bytes a column.
_SMALL = 24
# Our own function in SQLite.
_WRITTEN = "pm_written"
_LONG = re.compile(r"TEXT|BLOB|JSON|\((?:\d{4,}|[2-9]\d\d)\)", re.IGNORECASE)
_UNDECODABLE = re.compile(r"^Could not decode to UTF-8 column '(.*?)'(?: with text|$)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Batch:
    """Some rows by columns: those that are moved, in their order; ``keys`` are the parts of the rows' keys."""

    columns: tuple[Sequence[Value], ...]
    keys: tuple[Sequence[Value], ...]

    def __len__(self) -> int:
        return len(self.columns[0])

    def key(self, index: int) -> Key:
        """The key of one row; -1 is the last."""
        return tuple(part[index] for part in self.keys)


class Reading:
    """How the rows of a table are read from a SQLite file: for a copy, a check, or both.

    Of a table whose plan has no key the rows come in SQLite's own order, and all of them. Raises :class:`PlanRefused`
    for one whose key SQLite cannot be asked for.
    """

    def __init__(self, table: TablePlan) -> None:
        self.table = table
        declared = {column.name.lower() for column in table.columns if not column.hidden}
        self._rowid = next((name for name in _ROWIDS if name not in declared), "")
        self._hides_rowid = any(column.hidden and not column.generated for column in table.columns)
        self._declared = declared
        said = read_table(table.sql).columns if table.sql else ()
        computed = {column.name.lower() for column in said if column.generated}
        names = [self._rowid if column.hidden else _value(column, computed) for column in table.moved]
        keys = [self._key_part(name) for name in table.key]
        if "" in (*names, *keys):
            raise PlanRefused(f"{table.name}: its columns have all the names that SQLite has for a row's number")
        self.width = len(names)
        self._places = tuple(names.index(key) if key in names else len(names) + at for at, key in enumerate(keys))
        long = [name for name, column in zip(names, table.moved, strict=True) if _LONG.search(column.type)]
        size = " + ".join(f"ifnull(length({name}), 0)" for name in long) or "0"
        self._key = keys
        self._orders = _orders(table, said)
        self._select = f"SELECT {', '.join([*names, *keys, size])} FROM {quoted_sqlite(table.name)}"  # noqa: S608 - quoted

    def batches(
        self,
        connection: sqlite3.Connection,
        *,
        after: Key | None,
        up_to: Key | None = None,
        rows: int = PIECE,
        size: int = PIECE_BYTES,
    ) -> Generator[Batch, None, None]:
        """The rows whose key is greater than ``after``, up to and with ``up_to``.

        A batch ends at ``rows`` rows or at about ``size`` bytes of values, but has at least one row. Text that is not
        UTF-8 raises :class:`RowRefused`.
        """
        if () in (after, up_to):
            raise PlanRefused(f"{self.table.name}: without a key its rows can only be read from the first to the last")
        # Unless it is there already, and in use.
        with suppress(sqlite3.OperationalError):
            connection.create_function(_WRITTEN, 1, _written, deterministic=True)
        cursor = connection.execute(self.sql(after, up_to), (*(after or ()), *(up_to or ())))
        last = after
        kept: list[tuple[Any, ...]] = []
        weight, small = 0, _SMALL * self.width
        try:
            for row in cursor:
                kept.append(row)
                weight += row[-1] + small
                if len(kept) == rows or weight >= size:
                    batch = self._batch(kept)
                    kept, weight = [], 0
                    last = batch.key(-1)
                    yield batch
        except sqlite3.Error as error:
            if kept:
                last = tuple(kept[-1][place] for place in self._places)
            raise self._told(connection, error, last) from None
        finally:
            cursor.close()
        if kept:
            yield self._batch(kept)

    def sql(self, after: Key | None = None, up_to: Key | None = None) -> str:
        """The query behind :meth:`batches`; its parameters are the parts of ``after`` and of ``up_to``."""
        if not self._key:
            return self._select
        key = ", ".join(order.format(name) for order, name in zip(self._orders, self._key, strict=True))
        marks = ", ".join(order.format("?") for order in self._orders)
        bounds = [f"({key}) {sign} ({marks})" for sign, bound in ((">", after), ("<=", up_to)) if bound is not None]
        where = f" WHERE {' AND '.join(bounds)}" if bounds else ""
        return f"{self._select}{where} ORDER BY {key}"

    def _key_part(self, name: str) -> str:
        is_rowid = name.lower() == "rowid" and (self._hides_rowid or "rowid" not in self._declared)
        return self._rowid if is_rowid else quoted_sqlite(name)

    def _batch(self, rows: list[tuple[Any, ...]]) -> Batch:
        columns = tuple(zip(*rows, strict=True))
        return Batch(columns[: self.width], tuple(columns[place] for place in self._places))

    def _told(self, connection: sqlite3.Connection, error: sqlite3.Error, last: Key | None) -> Exception:
        found = _UNDECODABLE.match(str(error))
        if found is None:
            return translated(error, table=None, reading=True)
        if not self._key:
            return RowRefused("its text is not UTF-8", table=self.table.name, key="?", column=found[1])
        connection.text_factory = bytes
        row = connection.execute(self.sql(last), last or ()).fetchone()
        key = tuple(row[place] for place in self._places)
        return RowRefused("its text is not UTF-8", table=self.table.name, key=key_as_sql(key), column=found[1])


def ahead(items: Generator[T, None, None]) -> Generator[T, None, None]:
    """The same items, each made in a thread of its own while the one before is worked on."""
    with closing(items), ThreadPoolExecutor(1, thread_name_prefix="transfer-reader") as reader:
        coming = reader.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = reader.submit(next, items, None)
            yield item


def _value(column: ColumnPlan, computed: Collection[str]) -> str:
    """What to select: SQLite sorts a whole real that it computes as an integer, and so it comes out."""
    name = quoted_sqlite(column.name)
    if column.name.lower() in computed and affinity_of(column.declared) == "real":
        return f"CASE typeof({name}) WHEN 'real' THEN {name} * 1.0 ELSE {name} END"
    return name


def _orders(table: TablePlan, said: Collection[ColumnText]) -> list[str]:
    """Of each part of the key, what stands around it, and around a bound, where both sides sort it alike."""
    columns = {column.name.lower(): column for column in table.columns if not column.hidden}
    folding = {column.name.lower() for column in said if column.collation != "BINARY"}
    return [_order(columns.get(name.lower()), folds=name.lower() in folding) for name in table.key]


def _order(column: ColumnPlan | None, *, folds: bool) -> str:
    if column is not None and isinstance(back_form_of(column), MixedForm):
        return f"{_WRITTEN}({{}})"
    return "{} COLLATE BINARY" if folds else "{}"


def _written(value: Value) -> str | None:
    """What a target sorts by where text is among numbers, which become text."""
    return value if value is None or isinstance(value, str) else repr(value)


def key_to_json(key: Key) -> str:
    """A key as it is kept in a checkpoint: exact, whatever its parts are."""
    return json.dumps([{"hex": part.hex()} if isinstance(part, bytes) else part for part in key])


def key_from_json(text: str) -> Key:
    """The key that :func:`key_to_json` wrote."""
    return tuple(bytes.fromhex(part["hex"]) if isinstance(part, dict) else part for part in json.loads(text))


def key_as_sql(key: Key) -> str:
    """A key as SQLite's literals, for a person to look its row up."""
    parts = [_literal(part) for part in key]
    return parts[0] if len(parts) == 1 else f"({', '.join(parts)})"


def _literal(value: Value) -> str:
    match value:
        case None:
            return "NULL"
        case bytes():
            return f"X'{value.hex().upper()}'"
        case str():
            return "'" + value.replace("'", "''") + "'"
        case _:
            return repr(value)

"""The slow and exact comparison of some rows: each value of the source against what the target gives back for it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from ..copying.batches import Batch, key_as_sql
from ..interface import Value
from .digest import Hashed

DifferenceKind: TypeAlias = Literal["changed", "missing", "surplus"]

# Characters of a value that are shown.
_SHOWN = 200
_BEFORE = 40


@dataclass(frozen=True, slots=True)
class Difference:
    """One value that is not the same (``changed``), or a row that is not in the target, or only there.

    ``key`` and both values are written as SQLite's literals; of long ones only the part where they begin to differ.
    Characters that are easily mistaken for others are told by their numbers behind.
    """

    kind: DifferenceKind
    table: str
    key: str
    column: str = ""
    source: str = ""
    target: str = ""


def compare(hashed: Hashed, batch: Batch | None, stored: Iterable[tuple[Any, ...]]) -> Iterator[list[Difference]]:
    """For each row that is not the same on both sides, what differs.

    ``batch`` are all rows of the source in a range of keys, ``stored`` those of the target, in any order.
    """
    name = hashed.table.name
    places = {} if batch is None else {batch.key(place): place for place in range(len(batch))}
    for row in stored:
        values = [form.back(value) for form, value in zip(hashed.forms, row, strict=True)]
        key = tuple(values[place] for place in hashed.key_places)
        place = places.pop(key, None)
        if place is None or batch is None:
            yield [Difference("surplus", name, key_as_sql(key))]
            continue
        changed = [
            Difference("changed", name, key_as_sql(key), column.name, *shown(values_of[place], value))
            for column, values_of, value in zip(hashed.columns, batch.columns, values, strict=True)
            if not same(values_of[place], value)
        ]
        if changed:
            yield changed
    for key in places:
        yield [Difference("missing", name, key_as_sql(key))]


def same(one: Value, other: Value) -> bool:
    """Whether two values are one: of the same storage class and equal, to the sign of a zero."""
    if type(one) is not type(other) or one != other:
        return False
    return not (isinstance(one, float) and isinstance(other, float)) or math.copysign(1, one) == math.copysign(1, other)


def shown(one: Value, other: Value) -> tuple[str, str]:
    """Two values that differ, as literals, with what tells them apart where that may not be seen."""
    if isinstance(one, str) and isinstance(other, str):
        at = _common(one, other)
        start = max(0, at - _BEFORE)
        if all(" " <= character <= "~" for character in one[at : at + 1] + other[at : at + 1]):
            return _cut(one, start), _cut(other, start)
        return _cut(one, start) + _character(one, at), _cut(other, start) + _character(other, at)
    start = max(0, _common(one, other) - _BEFORE) if isinstance(one, bytes) and isinstance(other, bytes) else 0
    return _cut(one, start), _cut(other, start)


def row_shown(row: Sequence[Value]) -> str:
    """All values of a row as literals; of long ones the beginning."""
    return f"({', '.join(_cut(value, 0) for value in row)})"


def _character(text: str, at: int) -> str:
    return f" (character {at + 1} is U+{ord(text[at]):04X})" if at < len(text) else f" (ends after character {at})"


def _common(one: str | bytes, other: str | bytes) -> int:
    """How many characters or bytes both begin with."""
    least, most = 0, min(len(one), len(other))
    while least < most:
        middle = (least + most + 1) // 2
        if one[least:middle] == other[least:middle]:
            least = middle
        else:
            most = middle - 1
    return least


def _cut(value: Value, start: int) -> str:
    if not isinstance(value, (str, bytes)) or len(value) <= _SHOWN:
        return key_as_sql((value,))
    unit = "characters" if isinstance(value, str) else "bytes"
    end = min(len(value), start + _SHOWN)
    return f"{key_as_sql((value[start:end],))} ({unit} {start + 1} to {end} of {len(value)})"

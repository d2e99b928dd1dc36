"""One value there and back: how it is written to the target, read from it, and what both sides hash. Pure.

A form belongs to a column of a plan and works on the values of a whole batch at once. Its canonical texts are never
equal for unequal values, also where one of them fits no such column; equal values have equal ones but for rare doubles,
which then only costs a second look.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Protocol

from ....errors import PlanRefused
from ..interface import ColumnPlan, Value
from ..source.schema import affinity_of
from .dates import SERVER_TEXT, DateForm
from .numbers import INTEGER_BYTES, DecimalForm, DoubleForm, IntegerForm
from .texts import BYTE_LIMITS, TEXT_LIMITS, BytesForm, MixedForm, TextForm

_TYPE = re.compile(r"\s*(\w+)\s*(?:\(\s*(\d+)\s*(?:,\s*(\d+)\s*)?\))?\s*(.*)", re.DOTALL)


class Form(Protocol):
    """What a column's values are on both sides. ``column`` is the column's name as SQL writes it."""

    def misfit(self, values: Sequence[Value]) -> int | None:
        """The index of the first value that cannot be written so that it comes back the same."""
        ...

    def fields(self, values: Sequence[Value]) -> list[bytes]:
        r"""As LOAD DATA … CHARACTER SET binary … TERMINATED BY '\\t' ESCAPED BY '\\\\' reads them; of what fits."""
        ...

    def parameters(self, values: Sequence[Value]) -> list[object]:
        """As PyMySQL binds them in an INSERT; of what fits."""
        ...

    def canonicals(self, values: Sequence[Value]) -> list[bytes]:
        """What is hashed: ``N`` for NULL; joined by ``;`` they tell one row from every other. Of any values."""
        ...

    def canonical_sql(self, column: str) -> str:
        """The server's expression for the same bytes, never NULL but where it has no room for them."""
        ...

    def select_sql(self, column: str) -> str:
        """What to select for :meth:`back`."""
        ...

    def back(self, stored: Any) -> Value:
        """The source's value of what PyMySQL returned; what no source's value gives comes back as another class."""
        ...


def form_of(column: ColumnPlan) -> Form:
    """The form of ``column``; :class:`PlanRefused` where its type holds no value of SQLite's exactly."""
    kind, size, scale, rest = _parts(column)
    affinity = affinity_of(column.declared)
    nullable = column.nullable and not column.auto_increment
    if kind in INTEGER_BYTES:
        return IntegerForm(INTEGER_BYTES[kind], "unsigned" in rest.lower(), nullable)
    if kind == "DOUBLE":
        return DoubleForm(affinity, nullable)
    if kind in ("DECIMAL", "NUMERIC"):
        return DecimalForm(10 if size is None else size, scale or 0, affinity, nullable)
    if kind in TEXT_LIMITS:
        mixed = affinity in ("integer", "numeric", "real")
        return (MixedForm if mixed else TextForm)(kind, 1 if size is None else size, column.collation, nullable)
    if kind in BYTE_LIMITS:
        return BytesForm(kind, 1 if size is None else size, affinity == "text", nullable)
    if kind in SERVER_TEXT and column.grammar:
        return DateForm(kind, size or 0, column.grammar, nullable)
    without = " without a grammar" if kind in SERVER_TEXT else ""
    raise PlanRefused(f"column {column.name}: no value of SQLite's is held exactly by {column.type}{without}")


def _parts(column: ColumnPlan) -> tuple[str, int | None, int | None, str]:
    found = _TYPE.fullmatch(column.type)
    if found is None:
        raise PlanRefused(f"column {column.name}: {column.type!r} is no type")
    kind, size, scale, rest = found.groups()
    return kind.upper(), None if size is None else int(size), None if scale is None else int(scale), rest

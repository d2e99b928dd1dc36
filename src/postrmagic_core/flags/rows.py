"""SQL of flags: one row each, whose rule is JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, NamedTuple

from sqlalchemy import delete, func, insert, select, type_coerce, update
from sqlalchemy.types import NullType

from .._protocols import UnitLike
from .interface import Rule, check_name
from .tables import flags

MOST = 1000
"""Flags that the database keeps: each process holds them all."""


# The year 9999 in microseconds: no later instant is a datetime.
_END_OF_TIME = 253_000_000_000_000_000


class Row(NamedTuple):
    """A row as it stands; equal ones say the same."""

    name: str
    rule: bytes
    changed_us: int
    changed_by: str | None


# As the driver gives them: SQLite keeps a text, or anything, where somebody put it in by hand.
_ALL = select(*(type_coerce(column, NullType()).label(column.name) for column in flags.c)).limit(MOST)


def read(tx: UnitLike) -> list[Row]:
    """All rows, sorted by name. Whatever stands in them, all of them are read."""
    found = [_row(row) for row in tx.execute(_ALL)]
    return sorted(found)


def held(tx: UnitLike, name: str) -> bytes | None:
    """A flag's rule as it stands, which nobody else changes until the unit ends."""
    found = tx.execute(_ALL.where(flags.c.name == name).with_for_update()).first()
    return None if found is None else _row(found).rule


def put(tx: UnitLike, row: Row, *, known: bool) -> None:
    """Write a row; ``known``: there is one that :func:`held` has found."""
    values: dict[str, Any] = row._asdict()
    if known:
        tx.execute(update(flags).where(flags.c.name == row.name).values(values))
    else:
        tx.execute(insert(flags).values(values))


def drop(tx: UnitLike, name: str) -> None:
    """Delete a flag's row."""
    tx.execute(delete(flags).where(flags.c.name == name))


def count(tx: UnitLike) -> int:
    """How many there are."""
    return int(tx.execute(select(func.count()).select_from(flags)).scalar_one())


def decoded(row: Row) -> Rule | str:
    """The rule that a row says, or what is wrong with it: another program, or a later release, may have written it."""
    try:
        check_name(row.name)
        return Rule.of(json.loads(row.rule))
    except (ValueError, TypeError, RecursionError) as error:
        return str(error)[:200] or type(error).__name__


def understood(rows: Iterable[Row]) -> tuple[dict[str, Rule], dict[str, str]]:
    """The rules by name, and of the rows that are none the fault."""
    found = {row.name: decoded(row) for row in rows}
    return (
        {name: rule for name, rule in found.items() if isinstance(rule, Rule)},
        {name: fault for name, fault in found.items() if isinstance(fault, str)},
    )


def _row(raw: Iterable[object]) -> Row:
    name, rule, changed_us, changed_by = raw
    return Row(
        _as_text(name),
        rule if isinstance(rule, bytes) else _as_text(rule).encode("utf-8", "surrogatepass"),
        changed_us if isinstance(changed_us, int) and 0 <= changed_us < _END_OF_TIME else 0,
        None if changed_by is None else _as_text(changed_by),
    )


def _as_text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)

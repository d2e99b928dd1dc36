"""What the target promises by itself: keys, unique keys, foreign keys, CHECKs and the next id, and whether it holds."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from ..copying.ddl import offenders, orphans
from ..interface import ForeignKeyPlan, IndexPlan, Plan, TablePlan
from ..names import quoted

if TYPE_CHECKING:
    from ..session import Session

FailureKind: TypeAlias = Literal[
    "table", "column", "primary key", "index", "unique key", "foreign key", "check", "auto increment"
]

_LARGEST = 2**63 - 1
_COLUMNS = """
SELECT column_name, column_type, is_nullable, collation_name FROM information_schema.columns
WHERE table_schema = DATABASE() AND table_name = %s
"""
# How wide MySQL once displayed an integer says nothing of what it holds.
_DISPLAYED = re.compile(r"(?<=int)\(\d+\)")
_INDEXES = """
SELECT index_name, non_unique, column_name, sub_part FROM information_schema.statistics
WHERE table_schema = DATABASE() AND table_name = %s ORDER BY index_name, seq_in_index
"""
_FOREIGN_KEYS = """
SELECT constraint_name, column_name, referenced_table_name, referenced_column_name
FROM information_schema.key_column_usage
WHERE table_schema = DATABASE() AND table_name = %s AND referenced_table_name IS NOT NULL
ORDER BY constraint_name, ordinal_position
"""
_CHECKS = """
SELECT constraint_name FROM information_schema.table_constraints
WHERE table_schema = DATABASE() AND table_name = %s AND constraint_type = 'CHECK'
"""
_NEXT = re.compile(r"^\).*? AUTO_INCREMENT=(\d+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Failure:
    """A promise that is not made, or not kept by ``rows`` rows."""

    kind: FailureKind
    table: str
    name: str
    text: str
    rows: int = 0


def lacking(session: Session, table: TablePlan) -> list[Failure]:
    """What of the table itself is not there; its rows cannot be compared then."""
    there = {name.lower() for name, *_ in session.rows(_COLUMNS, [table.target])}
    if not there:
        return [Failure("table", table.name, table.target, "the target has no such table")]
    return [
        Failure("column", table.name, column.target, "the table has no such column")
        for column in table.columns
        if column.target.lower() not in there
    ]


def broken(session: Session, plan: Plan, table: TablePlan) -> list[Failure]:
    """Which of the table's other promises are not made or not kept."""
    # Their tables may not be there where only some were moved.
    moved = {other.target.lower() for other in plan.tables}
    keys = [key for key in table.foreign_keys if key.parent.lower() in moved]
    return [
        *_columns(session, table),
        *_indexes(session, table),
        *_foreign_keys(session, table, keys),
        *_checks(session, plan, table),
        *_next_id(session, table),
    ]


def _columns(session: Session, table: TablePlan) -> Iterator[Failure]:
    there = {name.lower(): found for name, *found in session.rows(_COLUMNS, [table.target])}
    for column in table.columns:
        kind, nullable, collation = there[column.target.lower()]
        if _type_of(kind) != _type_of(column.type):
            yield Failure("column", table.name, column.target, f"its type is {kind}, and not {column.type}")
        if column.collation and (collation or "").lower() != column.collation.lower():
            text = f"its collation is {collation}, and not {column.collation}"
            yield Failure("column", table.name, column.target, text)
        # A primary key takes no NULL anyway, and MariaDB lets no computed column be NOT NULL.
        free = column.generated or column.target in table.primary_key
        if not free and (nullable == "YES") != column.nullable:
            text = f"it takes {'' if nullable == 'YES' else 'no '}NULL"
            yield Failure("column", table.name, column.target, text)


def _type_of(kind: str) -> str:
    return _DISPLAYED.sub("", kind.lower()).replace(" ", "")


def _indexes(session: Session, table: TablePlan) -> Iterator[Failure]:
    found: dict[str, list[tuple[bool, str, int | None]]] = {}
    for name, non_unique, column, length in session.rows(_INDEXES, [table.target]):
        part = (not int(non_unique), str(column).lower(), None if length is None else int(length))
        found.setdefault(name, []).append(part)
    there = {tuple(parts) for parts in found.values()}
    primary = tuple((True, name.lower(), None) for name in table.primary_key)
    if primary and primary not in there:
        yield Failure("primary key", table.name, "PRIMARY", f"there is none over {', '.join(table.primary_key)}")
    for index in table.indexes:
        unique = tuple((True, part.column.lower(), part.length) for part in index.parts)
        plain = tuple((False, *part[1:]) for part in unique)
        if unique not in there and (index.unique or plain not in there):
            kind: FailureKind = "unique key" if index.unique else "index"
            names = ", ".join(part.column for part in index.parts)
            yield Failure(kind, table.name, index.target, f"there is none over {names}")
        if index.unique and (rows := _count(session, _duplicates(table, index))):
            yield Failure("unique key", table.name, index.target, "rows have a key of another", rows)


def _duplicates(table: TablePlan, index: IndexPlan) -> str:
    parts = [
        quoted(part.column) if part.length is None else f"LEFT({quoted(part.column)}, {part.length})"
        for part in index.parts
    ]
    present = " AND ".join(f"{part} IS NOT NULL" for part in parts)
    groups = (
        f"SELECT COUNT(*) - 1 n FROM {quoted(table.target)} WHERE {present} "  # noqa: S608 - quoted names
        f"GROUP BY {', '.join(parts)} HAVING COUNT(*) > 1"
    )
    return f"SELECT COALESCE(SUM(n), 0) FROM ({groups}) d"  # noqa: S608 - the same


def _foreign_keys(session: Session, table: TablePlan, keys: list[ForeignKeyPlan]) -> Iterator[Failure]:
    found: dict[str, list[tuple[str, str, str]]] = {}
    for name, *part in session.rows(_FOREIGN_KEYS, [table.target]) if keys else ():
        column, parent, theirs = (str(each).lower() for each in part)
        found.setdefault(name, []).append((column, parent, theirs))
    there = {frozenset(parts) for parts in found.values()}
    for key in keys:
        pairs = list(zip(key.columns, key.parent_columns, strict=True))
        if frozenset((ours.lower(), key.parent.lower(), theirs.lower()) for ours, theirs in pairs) not in there:
            text = f"there is none from {', '.join(key.columns)} to {key.parent}"
            yield Failure("foreign key", table.name, key.target, text)
        if rows := _count(session, f"SELECT COUNT(*) {orphans(table, key)}"):
            yield Failure("foreign key", table.name, key.target, f"rows name none of {key.parent}", rows)


def _checks(session: Session, plan: Plan, table: TablePlan) -> Iterator[Failure]:
    enforced = " AND enforced = 'YES'" if plan.server.kind == "mysql" else ""
    there = {name.lower() for (name,) in session.rows(_CHECKS + enforced, [table.target])} if table.checks else set()
    for check in table.checks:
        if check.target.lower() not in there:
            yield Failure("check", table.name, check.target, "there is none of this name that is enforced")
        if rows := _count(session, f"SELECT COUNT(*) {offenders(table, check)}"):
            yield Failure("check", table.name, check.target, "rows break it", rows)


def _next_id(session: Session, table: TablePlan) -> Iterator[Failure]:
    for column in table.columns:
        if not column.auto_increment:
            continue
        name = quoted(column.target)
        found = _NEXT.search(session.definition(quoted(table.target)))
        ((most,),) = session.rows(f"SELECT COALESCE(MAX({name}), 0) FROM {quoted(table.target)}")  # noqa: S608 - quoted
        least = min(max(int(most) + 1, table.auto_increment, 1), _LARGEST)
        following = int(found[1]) if found else 1
        if following < least:
            text = f"the next id is {following}, and {least} would be free"
            yield Failure("auto increment", table.name, column.target, text)


def _count(session: Session, query: str) -> int:
    ((count,),) = session.rows(query)
    return int(count)
